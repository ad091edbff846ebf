/** How weights are laid on pictures, and the view's gestures. */

import { choice, options, select } from "../controls/fields.ts";
import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model } from "../model.ts";

export const OVERLAY_HELP = [
  ["hover a word, patch or box", "its weights"],
  ["click", "pins it; again unpins"],
  ["Shift-click", "adds to what is pinned"],
  ["arrows", "move over patches, words, boxes"],
  ["Enter, Space", "pin what is in focus"],
  ["Ctrl and wheel, pinch, double click", "zoom at the pointer"],
  ["drag, Shift and arrows", "move what is zoomed"],
  ["+  −  0", "zoom in, out, show all"],
] as const;

const CONTOURS = [[0.5, 0.9], [0.5], [0.9], [0.25, 0.5, 0.75]];
const percent = (shares: readonly number[]): string =>
  `${shares.map((share) => Math.round(100 * share)).join(", ")} %`;

export function overlayOptions(model: Model, signal: AbortSignal): HTMLElement[] {
  const smooth = choice(
    model,
    "interpolation",
    "between patches",
    [
      ["nearest", "nothing (true patches)"],
      ["bilinear", "smooth (bilinear)"],
    ],
    signal,
  );
  const range = h("input", { type: "range", min: 0, max: 100, step: 1 });
  const share = h("output");
  const opacity = h("label", {}, "opacity", range, share);
  on(range, "input", () => model.change({ opacity: Number(range.value) / 100 }), signal);
  const list = select("contours", []);
  const contours = h("label", {}, "enclosing", list);
  on(list, "change", () => model.change({ contours: JSON.parse(list.value) as number[] }), signal);
  const update = () => {
    const { state } = model;
    const { paint } = state;
    const lines = paint === "contours" || paint === "outline";
    range.value = String(Math.round(100 * state.opacity));
    setText(share, `${range.value} %`);
    const now = JSON.stringify(state.contours);
    const all = new Map(
      [...CONTOURS, state.contours].map((shares) => [JSON.stringify(shares), percent(shares)]),
    );
    options(list, [...all], now);
    set(contours, "hidden", !lines);
    set(opacity, "hidden", lines);
    set(smooth, "hidden", paint === "outline");
  };
  model.subscribe(update, signal);
  update();
  return [
    choice(
      model,
      "paint",
      "weights as",
      [
        ["heat", "colours"],
        ["dim", "light and shade"],
        ["contours", "contours"],
        ["outline", "outlined patches"],
      ],
      signal,
    ),
    contours,
    opacity,
    smooth,
    choice(
      model,
      "colormap",
      "colours",
      [
        ["auto", "inferno"],
        ["viridis", "viridis"],
        ["cividis", "cividis"],
        ["grey", "grey"],
      ],
      signal,
    ),
    choice(
      model,
      "direction",
      "a patch shows",
      [
        ["attends_to", "what it attends to"],
        ["attended_by", "what attends to it"],
      ],
      signal,
    ),
  ];
}
