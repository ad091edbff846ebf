/** How heads are ordered and which stand out, and the view's gestures. */

import { choice } from "../controls/fields.ts";
import type { Model } from "../model.ts";
import { NAMES, PATTERNS, type Pattern, STATISTICS } from "./statistics.ts";

export const HEADS_HELP = [
  ["hover a head", "its numbers, and a larger picture"],
  ["click", "chooses it alone"],
  ["Shift-click", "adds a head of the same layer"],
  ["double-click, Enter", "opens it in lines or matrix"],
  ["arrows, Home, End", "move between heads"],
  ["Space", "chooses the head in focus"],
  ["+  −", "larger, smaller pictures"],
] as const;

export const headsChoices = (model: Model, signal: AbortSignal): HTMLElement[] => [
  choice(
    model,
    "sort",
    "order",
    [["layer", "by layer"], ...STATISTICS.map((name) => [name, `${NAMES[name]}, largest first`] as const)],
    signal,
  ),
  choice(
    model,
    "pattern",
    "highlight",
    [
      ["", "all heads"],
      ...(Object.keys(PATTERNS) as Pattern[]).map((name) => [name, PATTERNS[name].name] as const),
    ],
    signal,
  ),
];
