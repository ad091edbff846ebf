/**
 * Numbers that say what a head does, and what follows from them: order and pattern. Python's
 * `answers/statistics.py` computes the same; `tests/wire/statistics.json` holds both to it.
 */

import type { Axis, Content } from "../content.ts";
import type { State } from "../model.ts";
import { rolesOf } from "../overlay/panels.ts";
import type { Weights } from "../store.ts";

export const STATISTICS = [
  "entropy",
  "confidence",
  "sink",
  "distance",
  "previous",
  "next",
  "induction",
  "special",
  "image",
] as const;
export type Statistic = (typeof STATISTICS)[number];
export type Pattern = NonNullable<State["pattern"]>;

/** What a reader sees of each. */
export const NAMES: Readonly<Record<Statistic, string>> = {
  entropy: "entropy",
  confidence: "confidence",
  sink: "sink share",
  distance: "distance",
  previous: "previous token",
  next: "next token",
  induction: "induction",
  special: "special tokens",
  image: "image",
};

/** What each means, for the legend. */
export const MEANINGS: Readonly<Record<Statistic, string>> = {
  entropy: "mean entropy of the rows, 0 (one key) – 1 (all keys alike)",
  confidence: "mean of the rows' largest weights",
  sink: "largest mean weight that one key receives",
  distance: "mean distance from query to key, as a share of the length",
  previous: "share of the weight on the key just before its query",
  next: "share of the weight on the key just after its query",
  induction: "share of the weight on keys that follow an earlier copy of the query's token",
  special: "share of the weight on special tokens",
  image: "share of the weight on the image",
};

interface Rule {
  readonly name: string;
  readonly statistic: Statistic;
  readonly least: number;
}

export const PATTERNS: Readonly<Record<Pattern, Rule>> = {
  previous: { name: "previous token", statistic: "previous", least: 0.4 },
  next: { name: "next token", statistic: "next", least: 0.4 },
  sink: { name: "sink", statistic: "sink", least: 0.5 },
  uniform: { name: "near uniform", statistic: "entropy", least: 0.85 },
  sharp: { name: "sharp", statistic: "confidence", least: 0.75 },
  induction: { name: "induction", statistic: "induction", least: 0.4 },
};

/** One statistic of a cell; NaN where it isn't known. */
export type Lookup = (cell: number, statistic: Statistic) => number;

export function matches(lookup: Lookup, cell: number, pattern: State["pattern"]): boolean {
  if (pattern === null) return true;
  const { statistic, least } = PATTERNS[pattern];
  return lookup(cell, statistic) >= least;
}

/** Cells by a statistic, largest first; what isn't known comes last; equals stay in the order of layers. */
export function orderBy(lookup: Lookup, cells: number, statistic: Statistic): Int32Array {
  const values = Float64Array.from({ length: cells }, (_, cell) => {
    const value = lookup(cell, statistic);
    return Number.isNaN(value) ? -Infinity : value;
  });
  const by = (a: number, b: number) => {
    const [left, right] = [values[a] as number, values[b] as number];
    return left === right ? a - b : right > left ? 1 : -1;
  };
  return Int32Array.from({ length: cells }, (_, cell) => cell).sort(by);
}

/** What statistics must know of positions. */
export interface HeadPlaces {
  /** The same number for the same token, −1 for none; null where queries are others than keys, or none stands twice. */
  readonly tokens: readonly number[] | null;
  readonly special: readonly number[];
  /** Keys that lie on an image. */
  readonly image: readonly number[];
}

const NOWHERE: HeadPlaces = { tokens: null, special: [], image: [] };

/** What a map's axes say of positions. */
export function headPlaces({ queries, keys, images }: Content): HeadPlaces {
  const names = ({ labels, exact }: Axis) => labels.map((label, at) => exact.get(at) ?? label);
  const own = names(keys);
  const roles = rolesOf(keys, images);
  const known = new Map<string, number>();
  const special = new Set(keys.special);
  const outside = (at: number) =>
    special.has(at) || keys.parts.some(({ start, stop }) => at >= start && at < stop);
  let texts = 0;
  const tokens = own.map((name, at) => {
    if (outside(at)) return -1;
    texts++;
    if (!known.has(name)) known.set(name, known.size);
    return known.get(name) as number;
  });
  const same = queries === keys || String(names(queries)) === String(own);
  return {
    tokens: same && known.size < texts ? tokens : null,
    special: keys.special,
    image: roles.flatMap((role, at) => (role === "image" ? [at] : [])),
  };
}

/**
 * Statistics of every head of a layer, `(heads, 9)`, in the order of `STATISTICS`. Missing and infinite
 * weights count nothing; what can't be said of a head without weight is NaN.
 */
export function statisticsOf(
  { heads, queries, keys, values }: Weights,
  { tokens, special, image }: HeadPlaces = NOWHERE,
): Float32Array {
  const found = new Float32Array(heads * STATISTICS.length);
  const column = new Float64Array(keys);
  for (let h = 0; h < heads; h++) {
    column.fill(0);
    let [entropy, confidence, distance, total, previous, next, induction, rows] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let q = 0; q < queries; q++) {
      const start = (h * queries + q) * keys;
      let [sum, most, logs, away] = [0, 0, 0, 0];
      for (let k = 0; k < keys; k++) {
        const weight = magnitude(values[start + k] as number);
        if (weight === 0) continue;
        sum += weight;
        if (weight > most) most = weight;
        logs += weight * Math.log(weight);
        column[k] = (column[k] as number) + weight;
        away += weight * Math.abs(q - k);
        if (k === q - 1) previous += weight;
        else if (k === q + 1) next += weight;
        if (tokens && k > 0 && k <= q && tokens[k - 1] === tokens[q] && (tokens[q] as number) >= 0)
          induction += weight;
      }
      total += sum;
      confidence += most;
      if (sum === 0) continue;
      rows++;
      entropy += Math.max(0, Math.log(sum) - logs / sum);
      distance += away / sum;
    }
    found.set(
      [
        keys > 1 ? entropy / rows / Math.log(keys) : 0,
        confidence / queries,
        column.reduce((largest, sum) => Math.max(largest, sum), 0) / queries,
        distance / rows / keys,
        previous / total,
        next / total,
        tokens ? induction / total : Number.NaN,
        shareOf(column, special, total),
        shareOf(column, image, total),
      ],
      h * STATISTICS.length,
    );
  }
  return found;
}

/** The share of all weight that some keys receive; NaN for none of them. */
const shareOf = (column: Float64Array, keys: readonly number[], total: number): number =>
  keys.length > 0 ? keys.reduce((sum, key) => sum + (column[key] as number), 0) / total : Number.NaN;

/** What a weight counts: nothing where it is missing, masked or infinite. */
const magnitude = (weight: number): number => (Number.isFinite(weight) ? Math.abs(weight) : 0);
