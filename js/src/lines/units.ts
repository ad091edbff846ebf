/**
 * What one place on a side stands for: a token, or a word of several tokens. Everything drawn counts
 * units; everything shared with Python counts tokens.
 */

import type { Axis } from "../content.ts";
import type { Weights } from "../store.ts";

export interface Units {
  readonly count: number;
  readonly labels: readonly string[];
  readonly special: readonly number[];
  /** First token of each unit, and the number of tokens at the end. */
  readonly starts: Uint32Array;
  /** What the units are where they are neither tokens nor words: "blocks of 16 tokens". */
  readonly blocks?: string;
}

/** How many units an axis has. */
export const countOf = ({ words, labels }: Axis, merged: boolean): number =>
  merged && words ? words.starts.length : labels.length;

/** @param aside Tokens that count as special, and words all of whose tokens do. */
export function unitsOf(axis: Axis, words: boolean, aside: readonly number[] = []): Units {
  const merged = words ? axis.words : null;
  const tokens = axis.labels.length;
  const starts = merged ? merged.starts : axis.labels.map((_, index) => index);
  const units = {
    count: starts.length,
    labels: merged ? merged.labels : axis.labels,
    special: merged ? merged.special : axis.special,
    starts: Uint32Array.from([...starts, tokens]),
  };
  if (aside.length === 0) return units;
  const apart = new Set([...axis.special, ...aside]);
  const every = (_: number, unit: number) => tokensOf(units, unit).every((token) => apart.has(token));
  const special = new Set([...units.special, ...starts.map((_, unit) => unit).filter(every)]);
  return { ...units, special: [...special].sort((a, b) => a - b) };
}

/** With more positions on either side, all lines are those between blocks of them. */
export const BLOCKS_ABOVE = 2048;
const MOST_BLOCKS = 256;

/** Neighbours joined to blocks of about the same length, at most 256: Python's `bin_starts`. */
export function blocksOf({ count, starts }: Units): Units {
  const blocks = Math.min(count, MOST_BLOCKS);
  const first = Uint32Array.from({ length: blocks + 1 }, (_, block) => {
    return starts[Math.ceil((block * count) / blocks)] as number;
  });
  const labels = Array.from({ length: blocks }, (_, block) => {
    const [from, last] = [first[block] as number, (first[block + 1] as number) - 1];
    return last > from ? `${from}–${last}` : `${from}`;
  });
  const size = (first[blocks] as number) / blocks;
  const about = Number.isInteger(size) && count === first[blocks] ? `${size}` : `about ${Math.round(size)}`;
  return { count: blocks, labels, special: [], starts: first, blocks: `blocks of ${about} tokens` };
}

/** The unit a token belongs to. */
export function unitOf({ starts, count }: Units, token: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= token) low = middle;
    else high = middle - 1;
  }
  return low;
}

export const tokensOf = ({ starts }: Units, unit: number): number[] => {
  const first = starts[unit] as number;
  const last = starts[unit + 1] as number;
  return Array.from({ length: last - first }, (_, index) => first + index);
};

const isPlain = ({ starts, count }: Units): boolean => starts[count] === count;

/** Weights between units: summed over the tokens of a key, averaged over those of a query. */
export function mergeUnits(weights: Weights, queries: Units, keys: Units): Weights {
  if (isPlain(queries) && isPlain(keys)) return weights;
  const values = new Float32Array(weights.heads * queries.count * keys.count);
  const row = new Float64Array(keys.count);
  let at = 0;
  for (let h = 0; h < weights.heads; h++) {
    for (let u = 0; u < queries.count; u++) {
      const first = queries.starts[u] as number;
      const last = queries.starts[u + 1] as number;
      row.fill(0);
      for (let q = first; q < last; q++) {
        const from = (h * weights.queries + q) * weights.keys;
        for (let v = 0; v < keys.count; v++) {
          let sum = 0;
          for (let k = keys.starts[v] as number; k < (keys.starts[v + 1] as number); k++) {
            sum += weights.values[from + k] as number;
          }
          row[v] = (row[v] as number) + sum;
        }
      }
      for (let v = 0; v < keys.count; v++) values[at++] = (row[v] as number) / (last - first);
    }
  }
  return { heads: weights.heads, queries: queries.count, keys: keys.count, values };
}
