/** Heads in words. */

import type { Piece } from "../lines/reading.ts";
import type { State } from "../model.ts";
import { NAMES, STATISTICS, type Statistic } from "./statistics.ts";

const SAID_ALWAYS = 6;

/** A share as a label: two digits suffice to compare heads. */
export const short = (value: number): string => (Number.isNaN(value) ? "–" : value.toFixed(2));

/** The statistics to tell: of induction, special tokens and the image only what is known. */
export const known = (value: (statistic: Statistic) => number): Statistic[] =>
  STATISTICS.filter((name, at) => at < SAID_ALWAYS || !Number.isNaN(value(name)));

/** "layer 3, head 7: entropy 0.42, …", the number that is sorted by first. */
export function headPieces(
  layer: number,
  head: number,
  value: (statistic: Statistic) => number,
  sort: State["sort"],
): Piece[] {
  const name = { text: `layer ${layer}, head ${head}`, strong: true };
  if (STATISTICS.every((statistic) => Number.isNaN(value(statistic)))) {
    return [name, { text: " is not here yet" }];
  }
  const order = known(value).sort((a, b) => Number(b === sort) - Number(a === sort));
  const numbers = order.flatMap((statistic, i): Piece[] => [
    { text: `${i === 0 ? ": " : ", "}${NAMES[statistic]} ` },
    { text: short(value(statistic)), strong: true },
  ]);
  return [name, ...numbers];
}

/** "layer 3, heads 2, 5 chosen", or a hint. */
export function chosenPieces(layer: number, chosen: readonly number[], heads: number): Piece[] {
  if (chosen.length === 0 || chosen.length === heads) {
    return [{ text: "hover a head for its numbers; click to choose it, double-click to open it" }];
  }
  return [{ text: `layer ${layer}, heads ${chosen.join(", ")}`, strong: true }, { text: " chosen" }];
}

/** How many heads are here while some are not, then how many match a pattern. */
export function countText(here: number, total: number, matching: number | null): string {
  const [all, some] = [total.toLocaleString("en"), here.toLocaleString("en")];
  if (here < total) return `${some} of ${all} heads are here`;
  return matching === null ? "" : `${matching.toLocaleString("en")} of ${all} heads`;
}
