/**
 * Six numbers that say what a head does, and what follows from them: order and pattern. Python's
 * `answers/thumbnails.py` computes the same; `tests/wire/statistics.json` holds both to it.
 */

import type { State } from "../model.ts";
import type { Weights } from "../store.ts";

export const STATISTICS = ["entropy", "confidence", "sink", "distance", "previous", "next"] as const;
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
};

/** What each means, for the legend. */
export const MEANINGS: Readonly<Record<Statistic, string>> = {
  entropy: "mean entropy of the rows, 0 (one key) – 1 (all keys alike)",
  confidence: "mean of the rows' largest weights",
  sink: "largest mean weight that one key receives",
  distance: "mean distance from query to key, as a share of the length",
  previous: "share of the weight on the key just before its query",
  next: "share of the weight on the key just after its query",
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

/**
 * Statistics of every head of a layer, `(heads, 6)`, in the order of `STATISTICS`. Missing and infinite
 * weights count nothing; what can't be said of a head without weight is NaN.
 */
export function statisticsOf({ heads, queries, keys, values }: Weights): Float32Array {
  const found = new Float32Array(heads * STATISTICS.length);
  const column = new Float64Array(keys);
  for (let h = 0; h < heads; h++) {
    column.fill(0);
    let [entropy, confidence, distance, total, previous, next, rows] = [0, 0, 0, 0, 0, 0, 0];
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
      ],
      h * STATISTICS.length,
    );
  }
  return found;
}

/** What a weight counts: nothing where it is missing, masked or infinite. */
const magnitude = (weight: number): number => (Number.isFinite(weight) ? Math.abs(weight) : 0);
