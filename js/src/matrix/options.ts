/** Choices of the matrix alone, and its gestures. */

import { choice } from "../controls/fields.ts";
import type { Model } from "../model.ts";

export const MATRIX_HELP = [
  ["hover a cell", "its weight, query and key"],
  ["click a cell", "pins its query and key; again unpins"],
  ["click a label", "pins a row or column"],
  ["Shift-click", "adds to what is pinned"],
  ["drag, Shift and arrows", "move the part in sight"],
  ["Ctrl and wheel, pinch", "zoom at the pointer"],
  ["double click", "zooms in"],
  ["+  −  0", "zoom in, out, show all"],
  ["arrows, Home, End", "move from cell to cell"],
  ["Enter, Space", "pin the cell or token in focus"],
] as const;

export const matrixOptions = (model: Model, signal: AbortSignal): HTMLElement[] => [
  choice(
    model,
    "pool",
    "a pixel shows",
    [
      ["max", "the largest of its weights"],
      ["mean", "their mean"],
    ],
    signal,
  ),
  choice(
    model,
    "colormap",
    "colours",
    [
      ["auto", "ink"],
      ["viridis", "viridis"],
      ["cividis", "cividis"],
      ["grey", "grey"],
    ],
    signal,
  ),
];
