/** One head, or several combined, as the matrix shows it: codes, totals of keys, entropies of rows. No DOM. */

import type { Kind } from "../content.ts";
import { combineHeads } from "../lines/edges.ts";
import type { Axes } from "../lines/picture.ts";
import { mergeUnits } from "../lines/units.ts";
import type { State } from "../model.ts";
import { encode, isSigned, MASKED, MOST, ZERO } from "../scale/codes.ts";
import type { Weights } from "../store.ts";
import { bounds, type Grid, type Span } from "./pool.ts";

/** One number for each bin of a span, and what they are compared with. */
export interface Strip {
  readonly span: Span;
  readonly values: Float32Array;
  /** The largest there can be: drawn at full length. */
  readonly most: number;
}

/** Weights of all queries and keys, as they are shown. */
export interface Field {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array;
  readonly totals: Strip;
  /** In nats; null where rows are no distributions. */
  readonly entropy: Strip | null;
}

/** The mean also stands in for heads that other views show each by itself. */
export const merging = (combine: State["combine"]): "mean" | "max" => (combine === "max" ? "max" : "mean");

/** Heads as one, sub-words as words: `(queries, keys)` of what is shown. */
export function shownValues(
  weights: Weights,
  axes: Axes,
  heads: readonly number[],
  combine: State["combine"],
): Float32Array {
  const merged = mergeUnits(combineHeads(weights, heads, "each"), axes.query, axes.key);
  return combineHeads(
    merged,
    Array.from(heads, (_, at) => at),
    merging(combine),
  ).values;
}

export function fieldOf(values: Float32Array, rows: number, cols: number, kind: Kind): Field {
  const totals = new Float64Array(cols);
  const entropy = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const weights = values.subarray(row * cols, (row + 1) * cols);
    for (let col = 0; col < cols; col++) {
      const weight = weights[col] as number;
      if (Number.isFinite(weight)) totals[col] = (totals[col] as number) + weight;
    }
    entropy[row] = entropyOf(weights);
  }
  const sums = Float32Array.from(totals);
  return {
    rows,
    cols,
    values,
    totals: stripOf(sums, cols),
    entropy: isSigned(kind) || cols < 2 ? null : { span: [0, rows], values: entropy, most: Math.log(cols) },
  };
}

export function stripOf(values: Float32Array, length: number): Strip {
  let most = 0;
  for (const value of values) if (Math.abs(value) > most) most = Math.abs(value);
  return { span: [0, length], values, most };
}

/** Entropy in nats of the shares that a row's finite weights have in their sum; NaN where that is 0. */
export function entropyOf(weights: Float32Array): number {
  let sum = 0;
  let product = 0;
  for (const weight of weights) {
    const share = Math.abs(weight);
    if (!(share > 0 && share < Infinity)) continue;
    sum += share;
    product += share * Math.log(share);
  }
  return sum > 0 ? Math.log(sum) - product / sum : NaN;
}

/** Divide each row by what is left of it without special positions, which become 0. */
export function renormalised(
  values: Float32Array,
  rows: number,
  cols: number,
  specialRows: readonly number[],
  specialCols: readonly number[],
): Float32Array {
  const kept = values.slice();
  for (const row of specialRows) kept.fill(0, row * cols, (row + 1) * cols);
  for (let row = 0; row < rows; row++) {
    const weights = kept.subarray(row * cols, (row + 1) * cols);
    for (const col of specialCols) weights[col] = 0;
    let left = 0;
    for (const weight of weights) if (Number.isFinite(weight)) left += Math.abs(weight);
    if (left > 0) for (let col = 0; col < cols; col++) weights[col] = (weights[col] as number) / left;
  }
  return kept;
}

/** All weights as codes; `byRow` against the largest of their row, with a full value of 1. */
export function gridOf({ rows, cols, values }: Field, full: number, kind: Kind, byRow: boolean): Grid {
  const signed = isSigned(kind);
  const whole = { rows: [0, rows], cols: [0, cols], height: rows, width: cols, mean: null } as const;
  if (!byRow) return { ...whole, max: encode(values, full, signed) };
  const max = new Uint16Array(values.length);
  for (let row = 0; row < rows; row++) {
    const weights = values.subarray(row * cols, (row + 1) * cols);
    let most = 0;
    for (const weight of weights) if (Math.abs(weight) < Infinity) most = Math.max(most, Math.abs(weight));
    max.set(encode(weights, most || 1, signed), row * cols);
  }
  return { ...whole, max };
}

/** Codes against the largest of their row, as far as the rows of an overview tell it. */
export function byRows(grid: Grid, overview: Grid, signed: boolean): Grid {
  const zero = signed ? ZERO : 0;
  const most = Float64Array.from({ length: overview.height }, (_, row) => {
    let largest = 0;
    for (const code of overview.max.subarray(row * overview.width, (row + 1) * overview.width)) {
      if (code <= MOST) largest = Math.max(largest, Math.abs(code - zero));
    }
    return largest;
  });
  const [from, to] = [bounds(grid.rows, grid.height), bounds(overview.rows, overview.height)];
  const full = signed ? ZERO : MOST;
  let over = 0;
  const factors = Float64Array.from({ length: grid.height }, (_, row) => {
    while (over + 1 < overview.height && (to[over + 1] as number) <= (from[row] as number)) over++;
    return full / (most[over] || full);
  });
  return rescaled(grid, (row) => factors[row] as number, signed);
}

/** Codes against another full value: sizes of codes times a factor of their row. */
export function rescaled(grid: Grid, factorOf: (row: number) => number, signed: boolean): Grid {
  const [zero, full] = signed ? [ZERO, ZERO] : [0, MOST];
  const rescale = (codes: Uint16Array): Uint16Array => {
    const scaled = codes.slice();
    for (let row = 0; row < grid.height; row++) {
      const factor = factorOf(row);
      for (let at = row * grid.width; at < (row + 1) * grid.width; at++) {
        const code = codes[at] as number;
        if (code > MOST || code === zero) continue;
        const size = Math.max(1, Math.min(full, Math.round(Math.abs(code - zero) * factor)));
        scaled[at] = code < zero ? zero - size : zero + size;
      }
    }
    return scaled;
  };
  return { ...grid, max: rescale(grid.max), mean: grid.mean && rescale(grid.mean) };
}

/** True where a grid of a whole head holds nothing above its diagonal: what a causal mask leaves. */
export function isCausal(grid: Grid): boolean {
  let above = 0;
  for (const at of aboveDiagonal(grid, grid.cols[1] - grid.rows[1])) {
    const code = grid.max[at] as number;
    if (code !== 0 && code !== MASKED) return false;
    above++;
  }
  return above > 0;
}

/** Zeros that a causal mask made, told from weights that are merely 0. */
export function maskCausal(grid: Grid, offset: number): Grid {
  const [max, mean] = [grid.max.slice(), grid.mean?.slice() ?? null];
  for (const at of aboveDiagonal(grid, offset)) {
    if (max[at] !== 0) continue;
    max[at] = MASKED;
    if (mean) mean[at] = MASKED;
  }
  return { ...grid, max, mean };
}

/** Bins whose every key comes after its every query; the last query may see the last key. */
function* aboveDiagonal({ rows, cols, height, width }: Grid, offset: number): Generator<number> {
  if (offset < 0) return;
  const [down, across] = [bounds(rows, height), bounds(cols, width)];
  for (let row = 0, first = 0; row < height; row++) {
    const last = (down[row + 1] as number) - 1 + offset;
    while (first < width && (across[first] as number) <= last) first++;
    for (let col = first; col < width; col++) yield row * width + col;
  }
}
