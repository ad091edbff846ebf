/**
 * Which weights become lines: special positions, heads combined, mass, threshold, top-k. Python's
 * `filters.py` decides the same for what it selects and draws; `tests/wire/edges.json` holds both to it.
 */

import type { Kind } from "../content.ts";
import type { State } from "../model.ts";
import { strengthOf } from "../scale/scale.ts";
import type { Weights } from "../store.ts";
import { COMBINED, type Edges, Mark } from "./scene.ts";

export type Filter = Pick<
  State,
  "combine" | "direction" | "mass" | "threshold" | "top_k" | "special" | "scale"
>;

/** Lines, and where the weight went: sums of finite magnitudes before any renormalisation. */
export interface Selection {
  readonly edges: Edges;
  /** All weight of the rows shown. */
  readonly total: number;
  /** The part of it that lines carry. */
  readonly kept: number;
  /** NaN cells. */
  readonly missing: number;
  /** Share of the weight that falls on special keys. */
  readonly special: number;
}

/** Share of the weight that no line carries, 0..1. */
export const hiddenShare = ({ total, kept }: Pick<Selection, "total" | "kept">): number =>
  total > 0 ? Math.max(0, 1 - kept / total) : 0;

/** The shown heads only, merged into one where they are combined. NaN counts as not there. */
export function combineHeads(weights: Weights, heads: readonly number[], combine: State["combine"]): Weights {
  const { queries, keys } = weights;
  const size = queries * keys;
  if (combine === "each" || heads.length <= 1) {
    if (heads.length === weights.heads) return weights;
    const values = new Float32Array(heads.length * size);
    heads.forEach((head, index) => {
      values.set(weights.values.subarray(head * size, (head + 1) * size), index * size);
    });
    return { heads: heads.length, queries, keys, values };
  }
  const values = new Float32Array(size);
  for (let cell = 0; cell < size; cell++) {
    let present = 0;
    let sum = 0;
    let most = -Infinity;
    for (const head of heads) {
      const weight = weights.values[head * size + cell] as number;
      if (Number.isNaN(weight)) continue;
      present++;
      sum += weight;
      if (weight > most) most = weight;
    }
    values[cell] = present === 0 ? NaN : combine === "max" ? most : sum / present;
  }
  return { heads: 1, queries, keys, values };
}

export interface SelectOptions extends Filter {
  readonly kind: Kind;
  /** Heads of the model, one for each block of weights before combining. */
  readonly heads: readonly number[];
  readonly full: number;
  /** Special positions among the rows and columns of the weights given. */
  readonly querySpecial: ReadonlySet<number>;
  readonly keySpecial: ReadonlySet<number>;
  /** Number of keys of the map, which may be more than are given. */
  readonly keyCount: number;
}

/** Selects the lines of combined weights; see `select_edges` in `filters.py`. */
export function selectEdges(weights: Weights, options: SelectOptions): Selection {
  const { heads, queries, keys } = weights;
  const size = queries * keys;
  const numbers = options.combine === "each" ? options.heads : Array.from({ length: heads }, () => COMBINED);
  const byQuery = options.direction === "attends_to";
  const rowCount = byQuery ? queries : keys;
  const rowLength = byQuery ? keys : queries;
  const rowStep = byQuery ? keys : 1;
  const cellStep = byQuery ? 1 : keys;

  const drawn = applySpecial(weights, options);
  const found: number[] = [];
  const strengths: number[] = [];
  let total = 0;
  let kept = 0;
  let missing = 0;
  let special = 0;
  const order: number[] = [];

  for (let h = 0; h < heads; h++) {
    for (let row = 0; row < rowCount; row++) {
      const base = h * size + row * rowStep;
      order.length = 0;
      let rowMost = 0;
      let rowTotal = 0;
      for (let i = 0; i < rowLength; i++) {
        const cell = base + i * cellStep;
        const query = byQuery ? row : i;
        if (options.special !== "show" && options.querySpecial.has(query)) continue;
        const original = weights.values[cell] as number;
        if (Number.isNaN(original)) missing++;
        if (Number.isFinite(original)) {
          rowTotal += Math.abs(original);
          if (options.keySpecial.has(byQuery ? i : row)) special += Math.abs(original);
        }
        const magnitude = Math.abs(drawn[cell] as number);
        if (!(magnitude > 0)) continue;
        order.push(i);
        if (magnitude < Infinity && magnitude > rowMost) rowMost = magnitude;
      }
      total += rowTotal;
      for (const i of strongest(drawn, base, cellStep, order, options)) {
        const cell = base + i * cellStep;
        const magnitude = Math.abs(drawn[cell] as number);
        if (magnitude < options.threshold) continue;
        found.push(cell);
        strengths.push(
          strengthOf(magnitude, options.scale, { full: options.full, rowMost, keys: options.keyCount }),
        );
        const original = Math.abs(weights.values[cell] as number);
        if (original < Infinity) kept += original;
      }
    }
  }
  const edges = toEdges(found, strengths, drawn, numbers, queries, keys);
  return { edges, total, kept, missing, special: total > 0 ? special / total : 0 };
}

/** The entries of one row that mass and top-k keep. */
function strongest(
  values: Float32Array,
  base: number,
  step: number,
  order: number[],
  { mass, top_k }: Filter,
): readonly number[] {
  if (mass >= 1 && top_k === null) return order;
  const magnitude = (i: number) => Math.abs(values[base + i * step] as number);
  order.sort((a, b) => magnitude(b) - magnitude(a) || a - b);
  const most = top_k ?? order.length;
  if (mass >= 1) return order.slice(0, most);
  // One running sum gives both sides of the comparison, as in Python, so that ties fall alike.
  let total = 0;
  for (const i of order) total += magnitude(i) < Infinity ? magnitude(i) : 0;
  const kept: number[] = [];
  let before = 0;
  for (const [rank, i] of order.entries()) {
    const infinite = magnitude(i) === Infinity;
    if (rank < most && (infinite || before < mass * total)) kept.push(i);
    before += infinite ? 0 : magnitude(i);
  }
  return kept;
}

function applySpecial(
  { heads, queries, keys, values }: Weights,
  { special, querySpecial, keySpecial }: SelectOptions,
): Float32Array {
  if (special === "show" || (querySpecial.size === 0 && keySpecial.size === 0)) return values;
  const drawn = values.slice();
  for (let h = 0; h < heads; h++) {
    for (let q = 0; q < queries; q++) {
      const from = (h * queries + q) * keys;
      const row = drawn.subarray(from, from + keys);
      if (querySpecial.has(q)) row.fill(0);
      for (const k of keySpecial) row[k] = 0;
      if (special !== "renormalise") continue;
      let left = 0;
      for (const weight of row) if (Number.isFinite(weight)) left += weight;
      if (left !== 0) for (let k = 0; k < keys; k++) row[k] = (row[k] as number) / left;
    }
  }
  return drawn;
}

function toEdges(
  cells: readonly number[],
  strengths: readonly number[],
  values: Float32Array,
  numbers: readonly number[],
  queries: number,
  keys: number,
): Edges {
  const count = cells.length;
  const size = queries * keys;
  const edges = {
    count,
    query: new Uint32Array(count),
    key: new Uint32Array(count),
    head: new Uint16Array(count),
    weight: new Float32Array(count),
    strength: Float32Array.from(strengths),
    mark: new Uint8Array(count),
  };
  cells.forEach((cell, i) => {
    const weight = values[cell] as number;
    const place = cell % size;
    edges.query[i] = Math.floor(place / keys);
    edges.key[i] = place % keys;
    edges.head[i] = numbers[Math.floor(cell / size)] as number;
    edges.weight[i] = weight;
    edges.mark[i] = (weight < 0 ? Mark.negative : 0) | (Math.abs(weight) === Infinity ? Mark.infinite : 0);
  });
  return edges;
}

/** Some of the lines, in their order. */
export function pick(
  { query, key, head, weight, strength, mark }: Edges,
  keep: (i: number) => boolean,
): Edges {
  const kept: number[] = [];
  for (let i = 0; i < query.length; i++) if (keep(i)) kept.push(i);
  return {
    count: kept.length,
    query: Uint32Array.from(kept, (i) => query[i] as number),
    key: Uint32Array.from(kept, (i) => key[i] as number),
    head: Uint16Array.from(kept, (i) => head[i] as number),
    weight: Float32Array.from(kept, (i) => weight[i] as number),
    strength: Float32Array.from(kept, (i) => strength[i] as number),
    mark: Uint8Array.from(kept, (i) => mark[i] as number),
  };
}
