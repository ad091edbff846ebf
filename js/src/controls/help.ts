/** The few gestures and keys, behind "?". */

import { h } from "../dom.ts";

const GESTURES: readonly (readonly [what: string, does: string])[] = [
  ["hover a token", "only its lines remain"],
  ["hover a line", "both ends and its weight"],
  ["click", "pins a token or line; again unpins"],
  ["Shift-click", "adds to what is pinned"],
  ["Esc", "unpins everything"],
  ["arrows, Home, End", "move between tokens"],
  ["Enter, Space", "pin the token in focus"],
  ["[  ]", "previous, next layer"],
  ["{  }", "previous, next head alone"],
  ["a", "all heads"],
  ["+  −", "larger, smaller text"],
  ["double-click a head", "shows it alone"],
];

export const help = (): HTMLElement =>
  h(
    "div",
    { class: "panel help", hidden: true },
    ...GESTURES.map(([what, does]) => h("div", {}, h("b", {}, what), ` ${does}`)),
    h("div", {}, "Targets (queries) attend to sources (keys): a line is one weight of one head."),
  );
