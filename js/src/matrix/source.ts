/** Where the matrix takes its weights from: a layer that is here whole, else parts asked of the kernel. No DOM. */

import type { Content } from "../content.ts";
import { combineHeads } from "../lines/edges.ts";
import { type Axes, axesOf, shownHeads } from "../lines/picture.ts";
import { mergeUnits, type Units } from "../lines/units.ts";
import type { Model, State } from "../model.ts";
import type { Reply } from "../protocol.ts";
import { isSigned, numberOf } from "../scale/codes.ts";
import type { Fields } from "../slices.ts";
import type { Side, Store } from "../store.ts";
import {
  byRows,
  type Field,
  fieldOf,
  gridOf,
  isCausal,
  maskCausal,
  merging,
  renormalised,
  rescaled,
  type Strip,
  shownValues,
  stripOf,
} from "./field.ts";
import type { Sight } from "./layout.ts";
import { bounds, type Grid, type Span } from "./pool.ts";

const MOST_OVERVIEW = 512;
/** A message holds two codes of two bytes for each bin. */
const MOST_DETAIL = 960;
const OVERVIEW = "matrix overview";
const DETAIL = "matrix";
const NEIGHBOURS = "matrix neighbours";
/** Answers of up to 4 MB each. */
const MOST_KNOWN = 6;

/** What is to be drawn, coarse grids first. */
export interface Here {
  readonly grids: readonly Grid[];
  /** What codes are of: the magnitude at full strength. */
  readonly full: number;
  readonly totals: Strip | null;
  readonly entropy: Strip | null;
  readonly causal: boolean;
  /** How what is shown was made, where it is not exact. */
  readonly how: string | null;
  /** The row scale knows the largest weight of each row only about. */
  readonly aboutRows: boolean;
}

const NOTHING: Here = {
  grids: [],
  full: 1,
  totals: null,
  entropy: null,
  causal: false,
  how: null,
  aboutRows: false,
};

export class Source {
  readonly #model: Model;
  readonly #store: Store;
  readonly #grids = new WeakMap<Reply, Grid>();
  #content: Content | undefined;
  #axes: Axes = { query: NO_UNITS, key: NO_UNITS };
  #axesKey = "";
  #field: Field | undefined;
  #key = "";
  #here: Here = NOTHING;
  #hereKey: unknown[] = [];
  #detail: Fields | undefined;
  /** The best of the last few answers: one that is held on screen is forgotten when the next one is. */
  readonly #known = new Map<string, Reply>();

  constructor(model: Model, store: Store) {
    this.#model = model;
    this.#store = store;
  }

  get axes(): Axes {
    return this.#axes;
  }

  get content(): Content | undefined {
    return this.#content;
  }

  get heads(): readonly number[] {
    return this.#content ? shownHeads(this.#content, this.#model.state) : [];
  }

  get signed(): boolean {
    return isSigned(this.#content?.kind ?? "weight");
  }

  /** All weights shown, where the layer is here. */
  get field(): Field | undefined {
    return this.#field;
  }

  get here(): Here {
    return this.#here;
  }

  /** Follow state and data; returns whether the axes are other ones. */
  update(content: Content): boolean {
    const { state } = this.#model;
    const moved = this.#updateAxes(content, state);
    this.#content = content;
    const weights = this.heads.length > 0 ? this.#store.layer(state.layer) : undefined;
    const { layer, heads, combine, words, special, aside, scale } = state;
    const key = JSON.stringify([
      content.revision,
      !!weights,
      layer,
      heads,
      combine,
      words,
      special === "renormalise" && aside,
      scale === "row",
    ]);
    if (key === this.#key) return moved;
    this.#key = key;
    this.#detail = undefined;
    this.#known.clear();
    this.#field = undefined;
    this.#here = NOTHING;
    this.#hereKey = [];
    const { query, key: keys } = this.#axes;
    if (!weights || query.count * keys.count === 0) return moved;
    let values = shownValues(weights, this.#axes, this.heads, combine);
    if (special === "renormalise") {
      values = renormalised(values, query.count, keys.count, query.special, keys.special);
    }
    this.#field = fieldOf(values, query.count, keys.count, content.kind);
    const full = scale === "row" ? 1 : this.#store.full(layer);
    const grid = gridOf(this.#field, full, content.kind, scale === "row");
    const causal = content.kind === "weight" && isCausal(grid);
    const { totals, entropy } = this.#field;
    const shown = causal ? maskCausal(grid, keys.count - query.count) : grid;
    this.#here = { ...NOTHING, grids: [shown], full, totals, entropy, causal };
    return moved;
  }

  /**
   * Ask for what is in sight, where the layer is not here: an overview of the whole head, and the part in
   * sight in as many cells as it has pixels.
   */
  want(sight: Sight, height: number, width: number): void {
    const content = this.#content;
    const { query, key } = this.#axes;
    if (!content || this.#field || this.heads.length === 0 || query.count * key.count === 0) return;
    const overview = this.#fields([0, query.count], [0, key.count], MOST_OVERVIEW, MOST_OVERVIEW);
    const detail = this.#detailOf(sight, height, width);
    this.#ask(OVERVIEW, overview, !detail);
    if (detail) this.#ask(DETAIL, detail, true);
    this.#collect(overview, detail);
  }

  /** Ask for the layers next to the one shown, one after the other, before somebody turns to them. */
  prefetch(): void {
    const content = this.#content;
    const { slices } = this.#store;
    if (!content || this.#field || !this.#model.canSend || this.progress !== undefined) return;
    const { layer } = this.#model.state;
    const { query, key } = this.#axes;
    for (const next of [layer + 1, layer - 1]) {
      if (next < 0 || next >= content.layers || this.#store.layer(next)) continue;
      const whole = this.#fields([0, query.count], [0, key.count], MOST_OVERVIEW, MOST_OVERVIEW);
      const fields = { ...whole, layer: next, exact: false };
      if (slices.get("region", fields)) continue;
      slices.want(NEIGHBOURS, "region", fields);
      return;
    }
  }

  /** Why nothing more comes; undefined while there is hope. */
  get failure(): string | undefined {
    if (this.#field) return undefined;
    const { slices } = this.#store;
    return this.#here.grids.length > 0 ? slices.failure(DETAIL) : slices.failure(OVERVIEW);
  }

  /** The share done of what takes long. */
  get progress(): number | undefined {
    if (this.#field) return undefined;
    const { slices } = this.#store;
    const slot = this.#detail ? DETAIL : OVERVIEW;
    return slices.progress(`${slot} exact`) ?? slices.progress(slot);
  }

  /** The exact weights of a unit; undefined while they are not here, which this asks for. */
  row(side: Side, unit: number, ask = true): Float32Array | undefined {
    const { query, key } = this.#axes;
    if (this.#field) {
      const { values, rows, cols } = this.#field;
      if (side === "query") return values.subarray(unit * cols, (unit + 1) * cols);
      return Float32Array.from({ length: rows }, (_, row) => values[row * cols + unit] as number);
    }
    const units = side === "query" ? query : key;
    const [first, last] = [units.starts[unit] ?? 0, units.starts[unit + 1] ?? 0];
    const { layer, combine } = this.#model.state;
    const rows = this.#store.rows(
      layer,
      side,
      Array.from({ length: last - first }, (_, at) => first + at),
    );
    if (!rows) {
      if (ask) this.#store.want(layer, side, first, last);
      return undefined;
    }
    const part: Units = { count: 1, labels: [], special: [], starts: Uint32Array.of(0, last - first) };
    const merged = mergeUnits(rows, side === "query" ? part : query, side === "key" ? part : key);
    const picked = combineHeads(merged, this.heads, "each");
    return combineHeads(
      picked,
      Array.from(this.heads, (_, at) => at),
      merging(combine),
    ).values;
  }

  /** Why the exact weights of a unit have not come. */
  refusal(side: Side, unit: number): string | undefined {
    const { starts } = this.#axes[side];
    return this.#store.refusal(this.#model.state.layer, side, [starts[unit] ?? 0]);
  }

  /** About the weights of the finest bin that holds a cell, and how many queries and keys it pools. */
  about(
    row: number,
    col: number,
    pool: "max" | "mean",
  ): { value: number; rows: Span; cols: Span } | undefined {
    const grid = [...this.#here.grids]
      .reverse()
      .find(({ rows, cols }) => holds(rows, row) && holds(cols, col));
    if (!grid) return undefined;
    const [down, across] = [bounds(grid.rows, grid.height), bounds(grid.cols, grid.width)];
    const [y, x] = [binOf(down, row), binOf(across, col)];
    const codes = pool === "mean" && grid.mean ? grid.mean : grid.max;
    return {
      value: numberOf(codes[y * grid.width + x] as number, this.#here.full, this.signed),
      rows: [down[y] as number, down[y + 1] as number],
      cols: [across[x] as number, across[x + 1] as number],
    };
  }

  #updateAxes(content: Content, { words, aside }: State): boolean {
    const key = JSON.stringify([content.revision, words, aside]);
    if (key === this.#axesKey) return false;
    this.#axesKey = key;
    this.#axes = axesOf(content, this.#model.state);
    return true;
  }

  #fields(rows: Span, cols: Span, height: number, width: number): Fields {
    const { layer, combine, words } = this.#model.state;
    return {
      layer,
      heads: this.heads,
      combine: merging(combine),
      rows,
      cols,
      size: [Math.min(height, rows[1] - rows[0]), Math.min(width, cols[1] - cols[0])],
      words,
    };
  }

  /** The part to ask for: that before while it serves, else what is in sight and a margin around it. */
  #detailOf(sight: Sight, height: number, width: number): Fields | undefined {
    const { query, key } = this.#axes;
    const sharp = (count: number, [start, end]: Span, pixels: number) =>
      count <= MOST_OVERVIEW || MOST_OVERVIEW / count >= Math.min(1, (0.8 * pixels) / (end - start));
    if (sharp(query.count, sight.rows, height) && sharp(key.count, sight.cols, width)) {
      this.#detail = undefined;
      return undefined;
    }
    const before = this.#detail as { rows: Span; cols: Span; size: Span } | undefined;
    const serves = (span: Span, bins: number, seen: Span, pixels: number) =>
      span[0] <= seen[0] &&
      span[1] >= seen[1] &&
      bins / (span[1] - span[0]) >= Math.min(1, (0.6 * pixels) / (seen[1] - seen[0]));
    if (
      before &&
      serves(before.rows, before.size[0], [Math.floor(sight.rows[0]), Math.ceil(sight.rows[1])], height) &&
      serves(before.cols, before.size[1], [Math.floor(sight.cols[0]), Math.ceil(sight.cols[1])], width)
    ) {
      return this.#detail;
    }
    const [rows, cols] = [around(sight.rows, query.count), around(sight.cols, key.count)];
    const bins = (span: Span, seen: Span, pixels: number) =>
      Math.min(MOST_DETAIL, Math.ceil((pixels * (span[1] - span[0])) / (seen[1] - seen[0])));
    this.#detail = this.#fields(rows, cols, bins(rows, sight.rows, height), bins(cols, sight.cols, width));
    return this.#detail;
  }

  /** Ask for a preview, and, of what is on screen, for the exact part where a preview is all that came. */
  #ask(slot: string, fields: Fields, onScreen: boolean): void {
    const { slices } = this.#store;
    const known = this.#best(fields);
    const hold = { hold: onScreen };
    if (!known) slices.want(slot, "region", { ...fields, exact: false }, hold);
    else if (onScreen && (known.fields.exact === false || slices.held("region") !== known)) {
      slices.want(`${slot} exact`, "region", { ...fields, exact: true }, hold);
    }
  }

  /** The best answer to a request that has come. */
  #best(fields: Fields): Reply | undefined {
    const { slices } = this.#store;
    const key = JSON.stringify(fields);
    const known = this.#known.get(key);
    const came = [true, false].map((exact) => slices.get("region", { ...fields, exact })).find(Boolean);
    const best = came && !(known && came.fields.exact === false) ? came : known;
    if (best && best !== known) this.#known.set(key, best);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_KNOWN) break;
      this.#known.delete(oldest);
    }
    return best;
  }

  #collect(overview: Fields, detail: Fields | undefined): void {
    const { slices } = this.#store;
    const kept = slices.held("region");
    const asked = kept?.fields.request as Fields | undefined;
    const same = (name: string) => JSON.stringify(asked?.[name]) === JSON.stringify(overview[name]);
    const fits = ["layer", "heads", "combine", "words"].every(same);
    const known = this.#best(overview);
    // The part before stays while another comes: it is drawn under it.
    const before = fits && (detail || !known) ? kept : undefined;
    const replies = [known, before, detail && this.#best(detail)];
    const unchanged = replies.every((reply, at) => reply === this.#hereKey[at]);
    if (unchanged) return;
    this.#hereKey = replies;
    this.#here = this.#assemble(replies.filter((reply): reply is Reply => reply !== undefined));
  }

  #assemble(replies: readonly Reply[]): Here {
    const distinct = [...new Set(replies)];
    const finest = distinct.at(-1);
    if (!finest) return { ...NOTHING, grids: this.#here.grids };
    const { query, key } = this.#axes;
    const whole = distinct.find((reply) => {
      const { rows, cols } = this.#gridOf(reply);
      return rows[1] - rows[0] === query.count && cols[1] - cols[0] === key.count;
    });
    const overview = whole && this.#gridOf(whole);
    const causal = this.#content?.kind === "weight" && !!overview && isCausal(overview);
    const row = this.#model.state.scale === "row";
    const fullOf = (reply: Reply) => Number(reply.fields.full ?? 1);
    // The kernel learns of larger weights as it reads: earlier parts follow the largest.
    const full = Math.max(...distinct.map(fullOf));
    const recoded = (reply: Reply): Grid => {
      const factor = Math.sqrt(fullOf(reply) / full);
      const given = this.#gridOf(reply);
      return factor === 1 ? given : rescaled(given, () => factor, this.signed);
    };
    const grids = distinct.map((reply) => {
      const grid = recoded(reply);
      const shown = causal ? maskCausal(grid, key.count - query.count) : grid;
      return row && whole ? byRows(shown, recoded(whole), this.signed) : shown;
    });
    const strip = (name: string, span: (grid: Grid) => Span, length: number): Strip | null => {
      const reply = [whole, finest].find((one) => one?.arrays[name]);
      const values = reply?.arrays[name]?.values;
      if (!reply || !values) return null;
      return { ...stripOf(values as Float32Array, length), span: span(this.#gridOf(reply)) };
    };
    const entropy = strip("entropy", ({ rows }) => rows, query.count);
    return {
      grids,
      full: row && overview ? 1 : full,
      totals: strip("totals", ({ cols }) => cols, key.count),
      entropy: entropy && { ...entropy, most: Math.log(Math.max(2, key.count)) },
      causal,
      how: finest.fields.exact === false ? String(finest.fields.how ?? "approximate") : null,
      aboutRows: row && overview !== undefined && overview.height < query.count,
    };
  }

  #gridOf(reply: Reply): Grid {
    const known = this.#grids.get(reply);
    if (known) return known;
    const { rows, cols } = (reply.fields.request ?? reply.fields) as { rows: Span; cols: Span };
    const [height = 0, width = 0] = reply.arrays.max?.shape ?? [];
    const grid: Grid = {
      rows,
      cols,
      height,
      width,
      max: (reply.arrays.max?.values ?? new Uint16Array(0)) as Uint16Array,
      mean: (reply.arrays.mean?.values as Uint16Array | undefined) ?? null,
    };
    this.#grids.set(reply, grid);
    return grid;
  }
}

const NO_UNITS: Units = { count: 0, labels: [], special: [], starts: Uint32Array.of(0) };

const holds = ([start, end]: Span, at: number): boolean => at >= start && at < end;

function binOf(starts: Float64Array, at: number): number {
  let bin = 0;
  while (bin + 2 < starts.length && (starts[bin + 1] as number) <= at) bin++;
  return bin;
}

/** A span with half of it on both sides, on coarse steps, so that panning asks now and then. */
function around([start, end]: Span, count: number): Span {
  const step = 2 ** Math.max(0, Math.floor(Math.log2((end - start) / 4)));
  const margin = (end - start) / 4;
  return [
    Math.max(0, Math.floor((start - margin) / step) * step),
    Math.min(count, Math.ceil((end + margin) / step) * step),
  ];
}
