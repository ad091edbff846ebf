/** What the lines view shows, worked out from state and weights: no DOM, no canvas. */

import type { Content } from "../content.ts";
import type { State } from "../model.ts";
import type { Side, Store, Weights } from "../store.ts";
import { combineHeads, gather, type Selection, type SelectOptions, selectEdges } from "./edges.ts";
import { type Joint, jointOf } from "./reading.ts";
import type { Edges } from "./scene.ts";
import { mergeUnits, tokensOf, type Units, unitOf, unitsOf } from "./units.ts";

export interface Axes {
  readonly query: Units;
  readonly key: Units;
}

/** Positions in focus on each side; both sides together mean the lines between them. */
export interface Focus {
  readonly query: readonly number[];
  readonly key: readonly number[];
}

export const NO_FOCUS: Focus = { query: [], key: [] };

export const isEmpty = (focus: Focus): boolean => focus.query.length === 0 && focus.key.length === 0;

/** The side whose rows hold the lines of a focus. */
export const sideOf = (focus: Focus): Side => (focus.query.length > 0 ? "query" : "key");

export const axesOf = (content: Content, state: State): Axes => {
  const query = unitsOf(content.queries, state.words);
  // Keys that are set aside are so as keys only: their queries go on asking.
  const shared = content.keys === content.queries && state.aside.length === 0;
  return { query, key: shared ? query : unitsOf(content.keys, state.words, state.aside) };
};

export function shownHeads(content: Content, state: State): readonly number[] {
  if (state.heads === null) return [];
  if (state.heads.length > 0) return [...state.heads].sort((a, b) => a - b);
  return Array.from({ length: content.heads }, (_, head) => head);
}

/** Pinned tokens as positions of the units shown. */
export const pinnedFocus = (state: State, axes: Axes): Focus => ({
  query: unitsHolding(axes.query, state.pinned_queries),
  key: unitsHolding(axes.key, state.pinned_keys),
});

/** State may come before the map it belongs to: tokens that the axis lacks are left out. */
function unitsHolding(units: Units, tokens: readonly number[]): number[] {
  const length = units.starts[units.count] as number;
  return [...new Set(tokens.filter((token) => token < length).map((token) => unitOf(units, token)))];
}

export function optionsOf(content: Content, state: State, axes: Axes, full: number): SelectOptions {
  return {
    ...state,
    kind: content.kind,
    heads: shownHeads(content, state),
    full,
    querySpecial: new Set(axes.query.special),
    keySpecial: new Set(axes.key.special),
    keyCount: axes.key.count,
  };
}

/** All lines of the layer shown; undefined while its weights are not here. */
export function wholeSelection(store: Store, state: State, axes: Axes): Selection | undefined {
  const content = store.content;
  const weights = store.layer(state.layer);
  if (!content || !weights) return undefined;
  const merged = mergeUnits(weights, axes.query, axes.key);
  const options = optionsOf(content, state, axes, store.full(state.layer));
  return selectEdges(combineHeads(merged, options.heads, state.combine), options);
}

/** Why the lines of a focus can't be known from its rows, where they can't. */
export function unknowable(state: State, axes: Axes, focus: Focus): string | undefined {
  const side = sideOf(focus);
  const ranked = state.mass < 1 || state.top_k !== null || state.scale === "row";
  if (ranked && state.direction !== alongRows(side)) {
    return side === "key"
      ? "Filters keep the strongest keys of each query, whose rows are not here: hover a query, or filter the queries of each key."
      : "Filters keep the strongest queries of each key, whose rows are not here: hover a key, or filter the keys of each query.";
  }
  if (state.special !== "renormalise" || side === "query") return undefined;
  if (axes.query.special.length + axes.key.special.length === 0) return undefined;
  return NEEDS_ROWS;
}

export const NEEDS_ROWS =
  "Renormalised weights need the whole row of each query: hover a query, or only hide special tokens.";

/** The direction whose filters need no more than the rows of one side. */
const alongRows = (side: Side): State["direction"] => (side === "query" ? "attends_to" : "attended_by");

/**
 * The lines of the positions in focus, from the rows that are here; undefined while one is missing, and
 * where rows can't tell: see `unknowable`.
 */
export function rowSelection(store: Store, state: State, axes: Axes, focus: Focus): Selection | undefined {
  const content = store.content;
  if (!content || unknowable(state, axes, focus)) return undefined;
  const side = sideOf(focus);
  const positions = focus[side];
  const tokens = positions.flatMap((position) => tokensOf(axes[side], position));
  const rows = store.rows(state.layer, side, tokens);
  if (!rows) return undefined;
  const part = partOf(axes[side], positions);
  const queries = side === "query" ? part : axes.query;
  const keys = side === "key" ? part : axes.key;
  const merged: Weights = mergeUnits(rows, queries, keys);
  const options: SelectOptions = {
    ...optionsOf(content, state, axes, store.full(state.layer)),
    direction: alongRows(side),
    querySpecial: new Set(queries.special),
    keySpecial: new Set(keys.special),
  };
  const selection = selectEdges(combineHeads(merged, options.heads, state.combine), options);
  const { edges } = selection;
  const ends = edges[side];
  for (let i = 0; i < ends.length; i++) ends[i] = positions[ends[i] as number] as number;
  const other: Side = side === "query" ? "key" : "query";
  const kept = new Set(focus[other]);
  if (kept.size === 0) return selection;
  return { ...selection, edges: gather(edges, lineNumbers(edges[other], kept)) };
}

function partOf(units: Units, positions: readonly number[]): Units {
  const starts = [0];
  for (const position of positions) {
    starts.push((starts.at(-1) as number) + tokensOf(units, position).length);
  }
  const special = new Set(units.special);
  return {
    count: positions.length,
    labels: positions.map((position) => units.labels[position] ?? ""),
    special: positions.flatMap((position, index) => (special.has(position) ? [index] : [])),
    starts: Uint32Array.from(starts),
  };
}

/** The lines that touch the focus: of one side, or between both. */
export function focusEdges(edges: Edges, focus: Focus): Edges {
  const side = sideOf(focus);
  const touching = linesAt(edges, side, focus[side]);
  const other = side === "query" ? "key" : "query";
  const kept = new Set(focus[other]);
  if (kept.size === 0) return gather(edges, touching);
  const ends = edges[other];
  return gather(
    edges,
    touching.filter((line) => kept.has(ends[line] as number)),
  );
}

/** Numbers of the lines that end in some positions. */
function lineNumbers(ends: Uint32Array, positions: ReadonlySet<number>): number[] {
  const found: number[] = [];
  ends.forEach((position, line) => {
    if (positions.has(position)) found.push(line);
  });
  return found;
}

/** Lines by the position they end in on one side: those of `p` are `lines[starts[p]] … lines[starts[p + 1] - 1]`. */
interface Index {
  readonly starts: Uint32Array;
  readonly lines: Uint32Array;
}

/** Made once for lines that are hovered many times. */
const indices = { query: new WeakMap<Edges, Index>(), key: new WeakMap<Edges, Index>() };

/** Numbers of the lines that end in `positions` of one side, in ascending order. */
function linesAt(edges: Edges, side: Side, positions: readonly number[]): Uint32Array {
  let index = indices[side].get(edges);
  if (!index) {
    index = indexOf(edges[side]);
    indices[side].set(edges, index);
  }
  const { starts, lines } = index;
  const parts = [...new Set(positions)].map((at) => lines.subarray(starts[at] ?? 0, starts[at + 1] ?? 0));
  if (parts.length === 1) return parts[0] as Uint32Array;
  const found = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found.sort();
}

function indexOf(ends: Uint32Array): Index {
  const count = ends.length;
  let most = -1;
  for (let line = 0; line < count; line++) most = Math.max(most, ends[line] as number);
  const starts = new Uint32Array(most + 2);
  for (let line = 0; line < count; line++) {
    const after = (ends[line] as number) + 1;
    starts[after] = (starts[after] as number) + 1;
  }
  for (let position = 0; position <= most; position++) {
    starts[position + 1] = (starts[position + 1] as number) + (starts[position] as number);
  }
  const next = starts.slice();
  const lines = new Uint32Array(count);
  for (let line = 0; line < count; line++) {
    const position = ends[line] as number;
    const at = next[position] as number;
    lines[at] = line;
    next[position] = at + 1;
  }
  return { starts, lines };
}

/** Joint attention at the other end of a focus; for a focus on both sides, at both ends. */
export function jointsOf(edges: Edges, focus: Focus, axes: Axes): { query?: Joint; key?: Joint } {
  const { query, key } = focus;
  const joints: { query?: Joint; key?: Joint } = {};
  if (query.length > 0) joints.key = jointOf(edges, "query", query.length, axes.key.count);
  if (key.length > 0) joints.query = jointOf(edges, "key", key.length, axes.query.count);
  return joints;
}

/** Least and largest sum of a row over the heads shown; null where no row is finite. */
export function rowSums(
  { queries, keys, values }: Weights,
  content: Content,
  state: State,
): readonly [least: number, most: number] | null {
  let least = Infinity;
  let most = -Infinity;
  for (const head of shownHeads(content, state)) {
    for (let q = 0; q < queries; q++) {
      let sum = 0;
      const from = (head * queries + q) * keys;
      for (let k = 0; k < keys; k++) sum += values[from + k] as number;
      if (!Number.isFinite(sum)) continue;
      if (sum < least) least = sum;
      if (sum > most) most = sum;
    }
  }
  return least <= most ? [least, most] : null;
}
