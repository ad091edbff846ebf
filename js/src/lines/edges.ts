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

/** Selects the lines of combined weights, by head, query and key; see `select_edges` in `filters.py`. */
export function selectEdges(weights: Weights, options: SelectOptions): Selection {
  const { heads, queries, keys } = weights;
  const numbers = options.combine === "each" ? options.heads : Array.from({ length: heads }, () => COMBINED);
  const drawn = applySpecial(weights, options);
  const chosen = chooseCells(drawn, options);
  const edges = blankEdges(chosen.count);
  const context = { full: options.full, rowMost: 0, keys: options.keyCount };
  const querySpecial = flags(options.querySpecial, queries);
  const keySpecial = flags(options.keySpecial, keys);
  const byQuery = options.direction === "attends_to";
  let total = 0;
  let kept = 0;
  let missing = 0;
  let special = 0;
  let at = 0;
  let cell = 0;
  for (let h = 0; h < heads; h++) {
    for (let query = 0; query < queries; query++) {
      const counts = options.special === "show" || !querySpecial[query];
      for (let key = 0; key < keys; key++, cell++) {
        const original = Math.abs(weights.values[cell] as number);
        if (counts) {
          if (original < Infinity) {
            total += original;
            if (keySpecial[key]) special += original;
          } else if (Number.isNaN(original)) missing++;
        }
        if (!chosen.cells[cell]) continue;
        if (original < Infinity) kept += original;
        const weight = drawn.values[cell] as number;
        context.rowMost = chosen.rowMost[byQuery ? h * queries + query : h * keys + key] as number;
        edges.query[at] = query;
        edges.key[at] = key;
        edges.head[at] = numbers[h] as number;
        edges.weight[at] = weight;
        edges.strength[at] = strengthOf(weight, options.scale, context);
        edges.mark[at] =
          (weight < 0 ? Mark.negative : 0) | (Math.abs(weight) === Infinity ? Mark.infinite : 0);
        at++;
      }
    }
  }
  return { edges, total, kept, missing, special: total > 0 ? special / total : 0 };
}

interface Chosen {
  /** 1 for each cell that becomes a line. */
  readonly cells: Uint8Array;
  readonly count: number;
  /** The largest finite magnitude of each row: of each query's keys, or each key's queries. */
  readonly rowMost: Float32Array;
}

/** Chooses the cells that mass, top-k and threshold keep. */
function chooseCells({ heads, queries, keys, values }: Weights, filter: Filter): Chosen {
  const byQuery = filter.direction === "attends_to";
  const [rows, length] = byQuery ? [queries, keys] : [keys, queries];
  const [rowStep, step] = byQuery ? [keys, 1] : [1, keys];
  // Compared as float32, as in Python: a weight stored as 0.7 passes a threshold of 0.7.
  const threshold = Math.fround(filter.threshold);
  const cells = new Uint8Array(values.length);
  const rowMost = new Float32Array(heads * rows);
  const order = new Uint32Array(length);
  let count = 0;
  for (let row = 0; row < heads * rows; row++) {
    const base = Math.floor(row / rows) * queries * keys + (row % rows) * rowStep;
    let present = 0;
    let most = 0;
    for (let i = 0; i < length; i++) {
      const magnitude = Math.abs(values[base + i * step] as number);
      if (!(magnitude > 0)) continue;
      order[present++] = i;
      if (magnitude < Infinity && magnitude > most) most = magnitude;
    }
    rowMost[row] = most;
    for (const i of strongest(values, base, step, order.subarray(0, present), filter)) {
      const cell = base + i * step;
      if (Math.abs(values[cell] as number) < threshold) continue;
      cells[cell] = 1;
      count++;
    }
  }
  return { cells, count, rowMost };
}

/** The entries of one row that mass and top-k keep. */
function strongest(
  values: Float32Array,
  base: number,
  step: number,
  order: Uint32Array,
  { mass, top_k }: Filter,
): Uint32Array {
  if (mass >= 1 && top_k === null) return order;
  const magnitude = (i: number) => Math.abs(values[base + i * step] as number);
  rank(values, base, step, order);
  const most = Math.min(top_k ?? order.length, order.length);
  if (mass >= 1) return order.subarray(0, most);
  // One running sum gives both sides of the comparison, as in Python, so that ties fall alike.
  let total = 0;
  for (const i of order) total += magnitude(i) < Infinity ? magnitude(i) : 0;
  let kept = 0;
  let before = 0;
  for (; kept < most; kept++) {
    const next = magnitude(order[kept] as number);
    if (next === Infinity) continue;
    if (!(before < mass * total)) break;
    before += next;
  }
  return order.subarray(0, kept);
}

const PLACES = 2 ** 22;
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/**
 * Sorts the entries of a row by falling magnitude, ties by rising place. The bits of positive floats sort
 * as the floats do; with the place below them they are one number, and numbers sort several times faster
 * without a comparison function: a slider for the mass sorts every row while it is dragged.
 */
function rank(values: Float32Array, base: number, step: number, order: Uint32Array): void {
  const ranks = new Float64Array(order.length);
  for (let at = 0; at < order.length; at++) {
    const place = order[at] as number;
    single[0] = Math.abs(values[base + place * step] as number);
    ranks[at] = place - (singleBits[0] as number) * PLACES;
  }
  ranks.sort();
  for (let at = 0; at < order.length; at++) {
    const key = ranks[at] as number;
    order[at] = key - Math.floor(key / PLACES) * PLACES;
  }
}

/** Weights without special positions, whose rows and columns become 0. */
export function applySpecial(
  weights: Weights,
  { special, querySpecial, keySpecial }: Pick<SelectOptions, "special" | "querySpecial" | "keySpecial">,
): Weights {
  if (special === "show" || (querySpecial.size === 0 && keySpecial.size === 0)) return weights;
  const { heads, queries, keys } = weights;
  const values = weights.values.slice();
  for (let h = 0; h < heads; h++) {
    for (let q = 0; q < queries; q++) {
      const from = (h * queries + q) * keys;
      const row = values.subarray(from, from + keys);
      if (querySpecial.has(q)) row.fill(0);
      for (const k of keySpecial) row[k] = 0;
      if (special === "renormalise") renormalise(row);
    }
  }
  return { ...weights, values };
}

/** Divides a row by the sum of its finite magnitudes, so that signs don't cancel. */
function renormalise(row: Float32Array): void {
  let left = 0;
  for (const weight of row) if (Number.isFinite(weight)) left += Math.abs(weight);
  if (left > 0) for (let k = 0; k < row.length; k++) row[k] = (row[k] as number) / left;
}

function flags(positions: ReadonlySet<number>, length: number): Uint8Array {
  const flagged = new Uint8Array(length);
  for (const position of positions) flagged[position] = 1;
  return flagged;
}

const blankEdges = (count: number): Edges => ({
  count,
  query: new Uint32Array(count),
  key: new Uint32Array(count),
  head: new Uint16Array(count),
  weight: new Float32Array(count),
  strength: new Float32Array(count),
  mark: new Uint8Array(count),
});

/** Some of the lines, in the order given. */
export function gather({ query, key, head, weight, strength, mark }: Edges, lines: ArrayLike<number>): Edges {
  const edges = blankEdges(lines.length);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as number;
    edges.query[at] = query[line] as number;
    edges.key[at] = key[line] as number;
    edges.head[at] = head[line] as number;
    edges.weight[at] = weight[line] as number;
    edges.strength[at] = strength[line] as number;
    edges.mark[at] = mark[line] as number;
  }
  return edges;
}
