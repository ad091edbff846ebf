/** Which heads are chosen, and which view a head opens in. Pure. */

import type { State } from "../model.ts";

/** Maps of more tokens open as a matrix. */
const LINES_UNTIL = 200;

/** The heads of the layer shown that the state names. */
export function chosenHeads({ heads }: State, count: number): readonly number[] {
  if (heads === null) return [];
  return heads.length > 0 ? heads : Array.from({ length: count }, (_, head) => head);
}

/** The state once a head is chosen: alone, or with `add` among those of its layer, or no longer. */
export function choose(
  { layer: shown, heads: chosen }: State,
  layer: number,
  head: number,
  add: boolean,
  count: number,
): Pick<State, "layer" | "heads"> {
  // All heads are no choice yet: the first one added stands alone.
  const held = add && layer === shown ? (chosen ?? []) : [];
  const others = held.filter((other) => other !== head);
  const heads = held.includes(head) && others.length > 0 ? others : [...others, head];
  return { layer, heads: heads.length === count ? [] : heads.sort((a, b) => a - b) };
}

export const opensIn = (tokens: number): State["view"] => (tokens <= LINES_UNTIL ? "lines" : "matrix");
