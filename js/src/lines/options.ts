/** Filters and ways to draw that only the lines view has, and its gestures. */

import { choice, numberField, tick } from "../controls/fields.ts";
import { h, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model } from "../model.ts";
import type { Store } from "../store.ts";

const LEAST_MASS = 50;

export const LINES_HELP = [
  ["hover a token", "only its lines remain"],
  ["hover a line", "both ends and its weight"],
  ["click", "pins a token or line; again unpins"],
  ["Shift-click", "adds to what is pinned"],
  ["arrows, Home, End", "move between tokens"],
  ["Enter, Space", "pin the token in focus"],
  ["+  −", "larger, smaller text"],
] as const;

/** @param wholeNow - whether all lines are drawn now: the trait may leave it to the view. */
export function lineOptions(
  model: Model,
  store: Store,
  wholeNow: () => boolean,
  signal: AbortSignal,
): HTMLElement[] {
  const whole = tick(model, "whole", "all lines", wholeNow, signal);
  store.subscribe(() => {
    (whole.firstElementChild as HTMLInputElement).checked = wholeNow();
  }, signal);
  return [
    massField(model, signal),
    h(
      "label",
      {},
      "weight at least",
      numberField(
        model,
        { min: 0, step: 0.01, placeholder: 0 },
        () => model.state.threshold || null,
        (threshold) => model.change({ threshold: threshold ?? 0 }),
        signal,
      ),
    ),
    h(
      "label",
      {},
      "at most",
      numberField(
        model,
        { min: 1, step: 1, placeholder: "all" },
        () => model.state.top_k,
        (top) => model.change({ top_k: top && Math.floor(top) }),
        signal,
      ),
      "per token",
    ),
    choice(
      model,
      "direction",
      "filters keep the strongest",
      [
        ["attends_to", "keys of each query"],
        ["attended_by", "queries of each key"],
      ],
      signal,
    ),
    choice(
      model,
      "orientation",
      "layout",
      [
        ["vertical", "columns"],
        ["horizontal", "rows"],
      ],
      signal,
    ),
    whole,
  ];
}

function massField(model: Model, signal: AbortSignal): HTMLElement {
  const range = h("input", { type: "range", min: LEAST_MASS, max: 100, step: 1 });
  const text = h("output");
  const update = () => {
    const percent = Math.round(100 * model.state.mass);
    range.value = String(percent);
    setText(text, `${percent} %`);
  };
  on(range, "input", () => model.change({ mass: Number(range.value) / 100 }), signal);
  model.subscribe(update, signal);
  update();
  return h("label", {}, "mass", range, text);
}
