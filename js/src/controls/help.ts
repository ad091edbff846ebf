/** The few gestures and keys, behind "?". */

import { h } from "../dom.ts";
import type { View } from "../view.ts";

const EVERYWHERE: View["help"] = [
  ["Esc", "unpins everything"],
  ["[  ]", "previous, next layer"],
  ["{  }", "previous, next head alone"],
  ["a", "all heads"],
  ["1  2  3  4  5", "lines, matrix, heads, overlay, mechanism"],
  ["w", "why this weight: how it arises"],
  ["double-click a head", "shows it alone"],
];

export const helpLines = (views: readonly View[]): HTMLElement[] => [
  ...[...views.flatMap(({ help }) => help), ...EVERYWHERE].map(([gesture, does]) =>
    h("div", {}, h("b", {}, gesture), ` ${does}`),
  ),
  h("div", {}, "Targets (queries) attend to sources (keys): a weight belongs to one head, query and key."),
];
