/** Which weights the overlay shows: those of a focus, heads combined, set aside or left in. No DOM. */

import type { Content } from "../content.ts";
import { applySpecial, combineHeads } from "../lines/edges.ts";
import { NEEDS_ROWS, shownHeads } from "../lines/picture.ts";
import { unitsOf } from "../lines/units.ts";
import { merging } from "../matrix/field.ts";
import type { Model } from "../model.ts";
import { isSigned } from "../scale/codes.ts";
import { strengthOf } from "../scale/scale.ts";
import { runs, type Side, type Store, type Weights } from "../store.ts";
import { type Account, accountOf, receivedOf, shareOf, sinksOf } from "./account.ts";
import { type Panel, panelsOf, partAt, type Role, rolesOf } from "./panels.ts";

/** Positions of one side whose weights are shown. */
export interface Focus {
  readonly side: Side;
  readonly positions: readonly number[];
}

/** What is shown of a focus: weights of the other side. */
export interface Shown {
  /** Numbers of the heads, one a row; −1 where several are shown as one. */
  readonly heads: readonly number[];
  readonly rows: readonly Float32Array[];
  /** The largest finite magnitude on the image, one a row; of all where nothing is on an image. */
  readonly mosts: readonly number[];
  /** The side the rows run along. */
  readonly other: Side;
  /** Positions joined: averaged for queries, summed up for keys. */
  readonly count: number;
  /** The share of the weight that is not painted. */
  readonly setAside: number;
  /** Of the mean, where heads are shown each by itself. */
  readonly account: Account;
  /** The share of sinks that are not set aside; 0 where sinks are not known. */
  readonly sinks: number;
}

/** Hovering back and forth finds what it has seen. */
const KNOWN = 8;
/** Most bytes of rows that are asked for before anyone looks at them. */
const AHEAD_BYTES = 1_000_000;
const NOTHING: Readonly<Record<Side, ReadonlySet<number>>> = { query: new Set(), key: new Set() };

export const otherSide = (side: Side): Side => (side === "query" ? "key" : "query");

export class Source {
  readonly #model: Model;
  readonly #store: Store;
  #content: Content | undefined;
  #panels: readonly Panel[] = [];
  #roles: Readonly<Record<Side, readonly Role[]>> = { query: [], key: [] };
  #key = "";
  #apart = NOTHING;
  /** Weights of the layer before and after anything is set aside, where all are here. */
  #whole: { readonly before: Weights; readonly drawn: Weights } | undefined;
  #full: Partial<Record<Side, number>> = {};
  #sinks: readonly number[] | undefined;
  readonly #shown = new Map<string, Shown>();

  constructor(model: Model, store: Store) {
    this.#model = model;
    this.#store = store;
  }

  get content(): Content | undefined {
    this.#follow();
    return this.#content;
  }

  get panels(): readonly Panel[] {
    this.#follow();
    return this.#panels;
  }

  get roles(): Readonly<Record<Side, readonly Role[]>> {
    this.#follow();
    return this.#roles;
  }

  /** The heads that count. */
  get heads(): readonly number[] {
    return this.#store.content ? shownHeads(this.#store.content, this.#model.state) : [];
  }

  get signed(): boolean {
    return isSigned(this.#store.content?.kind ?? "weight");
  }

  /** Whether all weights of the layer are here. */
  get complete(): boolean {
    this.#follow();
    return this.#whole !== undefined;
  }

  /** Positions that are not painted, as far as `special` says so. */
  get apart(): Readonly<Record<Side, ReadonlySet<number>>> {
    this.#follow();
    return this.#apart;
  }

  /** The largest magnitude that queries (or keys) in focus have on the image, as far as is known. */
  fullOf(side: Side): number {
    this.#follow();
    if (this.#full[side] === undefined && this.#whole)
      this.#full[side] = this.#largest(this.#whole.drawn, side);
    return this.#full[side] || 1;
  }

  /** What is hovered, else what is pinned: queries before keys. */
  focus(hover: Focus | null): Focus | null {
    const { pinned_queries, pinned_keys } = this.#model.state;
    return (
      this.#known(hover) ??
      this.#known({ side: "query", positions: pinned_queries }) ??
      this.#known({ side: "key", positions: pinned_keys })
    );
  }

  /** The weights of the other side; null means the mean over all queries. Undefined while not here: asks for them. */
  shown(focus: Focus | null): Shown | undefined {
    this.#follow();
    const content = this.#content;
    if (!content) return undefined;
    const name = JSON.stringify(focus);
    let shown = this.#shown.get(name);
    this.#shown.delete(name);
    shown ??= this.#read(content, focus);
    if (!shown) return undefined;
    this.#shown.set(name, shown);
    for (const oldest of this.#shown.keys()) {
      if (this.#shown.size <= KNOWN) break;
      this.#shown.delete(oldest);
    }
    return shown;
  }

  /** How strong a weight of a row is drawn, 0..1. */
  strength(shown: Shown, row: number): (weight: number) => number {
    const keys = this.#content?.keys.labels.length ?? 0;
    const context = { full: this.fullOf(otherSide(shown.other)), rowMost: shown.mosts[row] ?? 0, keys };
    const { scale } = this.#model.state;
    return (weight) => strengthOf(weight, scale, context);
  }

  /** Why the weights of a focus can't be shown; undefined while they are here or on their way. */
  refusal(focus: Focus | null): string | undefined {
    this.#follow();
    if (this.#whole || !focus) return undefined;
    const { layer } = this.#model.state;
    return this.#unknowable(focus) ? NEEDS_ROWS : this.#store.refusal(layer, focus.side, focus.positions);
  }

  /** Patches that draw far more weight than their like; none while the layer is not here. */
  sinks(): readonly number[] {
    this.#follow();
    const { kind, queries, keys } = this.#content ?? {};
    // What words or boxes look at most is what they ask for.
    if (!this.#whole || kind !== "weight" || !queries || queries !== keys) return [];
    this.#sinks ??= sinksOf(receivedOf(this.#whole.before), this.#roles.key, queries.labels.length);
    return this.#sinks;
  }

  /** Ask for what lies next to a focus. */
  prefetch(focus: Focus | null): void {
    const { content } = this;
    if (!content || !focus || this.#whole || !this.#model.canSend || focus.positions.length !== 1) return;
    const [position = 0] = focus.positions;
    const part = partAt(focus.side === "query" ? content.queries : content.keys, position);
    const steps = part?.kind === "patches" ? [0, -part.cols, part.cols] : [0];
    const across = (focus.side === "query" ? content.keys : content.queries).labels.length;
    // Large rows that nobody may look at would keep the one that is hovered next waiting.
    const room = AHEAD_BYTES / (4 * content.heads * across * steps.length);
    const reach = Math.min(2, Math.floor((room - 1) / 2));
    const { layer } = this.#model.state;
    for (const step of reach > 0 ? steps : []) {
      this.#store.want(layer, focus.side, position + step - reach, position + step + reach + 1);
    }
  }

  /** Positions that the axis has: state may come before the map it belongs to. */
  #known(focus: Focus | null): Focus | null {
    const content = this.#store.content;
    if (!focus || !content) return null;
    const { length } = (focus.side === "query" ? content.queries : content.keys).labels;
    const positions = focus.positions.filter((position) => position < length);
    return positions.length > 0 ? { side: focus.side, positions } : null;
  }

  #follow(): void {
    const { content } = this.#store;
    const { layer, heads, combine, special, aside } = this.#model.state;
    if (content && content !== this.#content) {
      const { queries, keys, images } = content;
      this.#panels = panelsOf(content);
      const query = rolesOf(queries, images);
      const key = keys === queries ? query : rolesOf(keys, images);
      this.#roles = { query, key };
    }
    this.#content = content;
    const weights = content && this.heads.length > 0 ? this.#store.layer(layer) : undefined;
    const apart = special === "show" ? "" : [special, aside];
    const key = JSON.stringify([content?.revision, layer, !!weights, heads, combine, apart]);
    if (key === this.#key || !content) return;
    this.#key = key;
    this.#apart =
      special === "show"
        ? NOTHING
        : {
            query: new Set(content.queries.special),
            key: new Set(unitsOf(content.keys, false, aside).special),
          };
    this.#shown.clear();
    this.#full = {};
    this.#sinks = undefined;
    this.#whole = undefined;
    if (!weights) return;
    const before = combineHeads(weights, this.heads, combine);
    this.#whole = { before, drawn: this.#drawn(before, this.#apart.key) };
  }

  #drawn(weights: Weights, keySpecial: ReadonlySet<number>): Weights {
    const { special } = this.#model.state;
    return applySpecial(weights, { special, querySpecial: NOTHING.query, keySpecial });
  }

  /** Keys divided by what is left of rows that are not here. */
  #unknowable({ side }: Focus): boolean {
    return side === "key" && this.#model.state.special === "renormalise" && this.#apart.key.size > 0;
  }

  #read(content: Content, focus: Focus | null): Shown | undefined {
    const { heads } = this;
    const { combine } = this.#model.state;
    const found = heads.length > 0 && this.#weights(content, focus);
    if (!found) return undefined;
    const { side, before, drawn, at } = found;
    const other = otherSide(side);
    const [roles, apart] = [this.#roles[other], this.#apart[other]];
    const rows = joined(drawn, side, at);
    const plain = before === drawn && apart.size === 0 ? rows : joined(before, side, at);
    if (side === "key") for (const row of rows) for (const query of apart) row[query] = 0;
    const mosts = rows.map((row) => mostOf(row, roles));
    this.#full[side] = this.#whole ? this.fullOf(side) : Math.max(this.#full[side] ?? 0, ...mosts);
    const labels = (other === "query" ? content.queries : content.keys).labels;
    const row = merged(plain);
    const painted = plain === rows ? row : merged(rows);
    const account = accountOf(row, painted, roles, labels, apart);
    const sinks = side === "query" ? this.sinks().filter((key) => !apart.has(key)) : [];
    return {
      heads: combine === "each" || heads.length === 1 ? heads : [-1],
      rows,
      mosts,
      other,
      count: at.length,
      setAside: account.setAside,
      account,
      sinks: shareOf(row, sinks),
    };
  }

  /** Weights that hold a focus, and where in them it stands. */
  #weights(content: Content, focus: Focus | null) {
    const side = focus?.side ?? "query";
    const queries = content.queries.labels.length;
    if (this.#whole) {
      const everyone = () => Array.from({ length: queries }, (_, query) => query);
      const at = focus?.positions ?? everyone().filter((query) => !this.#apart.query.has(query));
      return { ...this.#whole, side, at };
    }
    if (!focus || this.#unknowable(focus)) return undefined;
    const { positions } = focus;
    const { layer, combine } = this.#model.state;
    const rows = this.#store.rows(layer, side, positions);
    if (!rows) {
      for (const [first, last] of runs(
        [...positions].sort((a, b) => a - b),
        Infinity,
      ))
        this.#store.want(layer, side, first, last);
      return undefined;
    }
    const before = combineHeads(rows, this.heads, combine);
    const at = positions.map((_, index) => index);
    const { key } = this.#apart;
    const apart = side === "query" ? key : new Set(at.filter((index) => key.has(positions[index] as number)));
    return { side, before, drawn: this.#drawn(before, apart), at };
  }

  #largest({ heads, queries, keys, values }: Weights, side: Side): number {
    const [onImage, apart] = [onImageOf(this.#roles[otherSide(side)]), this.#apart.query];
    let most = 0;
    for (let cell = 0, row = 0; row < heads * queries; row++) {
      const query = row % queries;
      const counts = side === "query" || (onImage[query] && !apart.has(query));
      for (let key = 0; key < keys; key++, cell++) {
        if (!counts || (side === "query" && !onImage[key])) continue;
        const magnitude = Math.abs(values[cell] as number);
        if (magnitude > most && magnitude < Infinity) most = magnitude;
      }
    }
    return most;
  }
}

/** Rows of several queries averaged, columns of several keys summed up; missing weights are left out. */
function joined(
  { heads, queries, keys, values }: Weights,
  side: Side,
  at: readonly number[],
): Float32Array[] {
  const [length, step, from] = side === "query" ? [keys, 1, keys] : [queries, keys, 1];
  return Array.from({ length: heads }, (_, head) => {
    const [only] = at;
    if (at.length === 1 && only !== undefined) {
      const first = head * queries * keys + only * from;
      if (step === 1) return values.slice(first, first + length);
      return Float32Array.from({ length }, (_, other) => values[first + other * step] as number);
    }
    const sums = new Float64Array(length);
    const counts = new Float64Array(length);
    for (const position of at) {
      let cell = head * queries * keys + position * from;
      for (let other = 0; other < length; other++, cell += step) {
        const weight = values[cell] as number;
        if (Number.isNaN(weight)) continue;
        sums[other] = (sums[other] as number) + weight;
        counts[other] = (counts[other] as number) + 1;
      }
    }
    return Float32Array.from(sums, (sum, other) => {
      const count = counts[other] as number;
      return count === 0 ? NaN : side === "query" ? sum / count : sum;
    });
  });
}

/** The mean of the rows of several heads. */
function merged(rows: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0)] = rows;
  if (rows.length === 1) return first;
  const values = new Float32Array(rows.length * first.length);
  rows.forEach((row, head) => {
    values.set(row, head * first.length);
  });
  const weights = { heads: rows.length, queries: 1, keys: first.length, values };
  return combineHeads(weights, [...rows.keys()], merging("each")).values;
}

/** Which positions count for what is the largest; all where none lies on an image. */
function onImageOf(roles: readonly Role[]): readonly boolean[] {
  const any = roles.includes("image");
  return roles.map((role) => !any || role === "image");
}

function mostOf(row: Float32Array, roles: readonly Role[]): number {
  const onImage = onImageOf(roles);
  let most = 0;
  for (let at = 0; at < row.length; at++) {
    const magnitude = Math.abs(row[at] as number);
    if (magnitude > most && magnitude < Infinity && onImage[at]) most = magnitude;
  }
  return most;
}
