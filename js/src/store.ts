/**
 * Which weights are here. Blocks come unasked as a trait; rows beyond them are asked for, and what
 * was used longest ago is forgotten first.
 */

import { decode, type Packed } from "./codec.ts";
import type { Content } from "./content.ts";
import { readContent } from "./content.ts";
import type { Model, State } from "./model.ts";
import { Pictures } from "./pictures.ts";
import { MESSAGE_BYTES, messageOf, NoKernel, Requests } from "./protocol.ts";
import { Slices } from "./slices.ts";

export type Side = "query" | "key";

/** Weights of one layer, row-major `(heads, queries, keys)`. */
export interface Weights {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly values: Float32Array;
}

interface WireBlock {
  revision: number;
  layers: [number, number];
  queries: [number, number];
  full: number[];
  weights: Packed;
}

const MEMORY_BYTES = 128 * 1024 * 1024;
/** Rows that did not come are not asked for again at once: every picture without them would ask. */
const RETRY_MS = 5_000;

export class Store {
  /** Parts of maps too large to be here. */
  readonly slices: Slices;
  /** The images of the map shown. */
  readonly pictures: Pictures;
  readonly #model: Model;
  readonly #requests: Requests;
  readonly #listeners = new Set<() => void>();
  readonly #layers = new Map<number, Float32Array>();
  /** Rows of layers that are not here whole: `layer:side:index` to `(heads, other side)`. */
  readonly #rows = new Map<string, Float32Array>();
  readonly #asked = new Set<string>();
  /** Rows that did not come, when that was, and why. */
  readonly #refused = new Map<string, { readonly at: number; readonly why: string }>();
  readonly #full = new Map<number, number>();
  readonly #memory: number;
  #content: Content | undefined;
  #block: WireBlock | undefined;
  #failure: string | undefined;
  #bytes = 0;

  constructor(model: Model, signal: AbortSignal, memory = MEMORY_BYTES) {
    this.#memory = memory;
    this.#model = model;
    this.#requests = new Requests(model, signal);
    this.slices = new Slices(model, this.#requests, () => this.#notify());
    this.pictures = new Pictures(signal, () => this.#notify());
    model.onData(() => this.#readData(), signal);
    signal.addEventListener("abort", () => this.#listeners.clear());
    this.#readData();
  }

  /** Ask the kernel for what is no weight. */
  readonly ask: Requests["ask"] = (...asked) => this.#requests.ask(...asked);

  get content(): Content | undefined {
    return this.#content;
  }

  /** Whether the map shown has what a view needs: positions on an image or a grid, or a mechanism. */
  has(view: State["view"]): boolean {
    const { queries, keys, mechanism = null } = this.#content ?? {};
    if (view === "mechanism") return mechanism !== null;
    return view !== "overlay" || (queries?.parts.length ?? 0) + (keys?.parts.length ?? 0) > 0;
  }

  /** Why the map can't be shown. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Why one of these rows has not come; undefined while they are here or on their way. */
  refusal(layer: number, side: Side, positions: readonly number[]): string | undefined {
    for (const position of positions) {
      const name = `${layer}:${side}:${position}`;
      const refused = this.#asked.has(name) ? undefined : this.#refused.get(name);
      if (refused) return refused.why;
    }
    return undefined;
  }

  subscribe(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** The weights of a layer, if all of them are here. */
  layer(layer: number): Weights | undefined {
    const content = this.#content;
    const values = this.#layers.get(layer);
    if (!content || !values) return undefined;
    this.#layers.delete(layer);
    this.#layers.set(layer, values);
    return { ...sizes(content), values };
  }

  /** The magnitude a layer draws at full strength. */
  full(layer: number): number {
    return this.#full.get(layer) ?? 1;
  }

  /**
   * The weights of some positions of one side, or undefined while any of them is not here: for
   * queries `(heads, n, keys)`, for keys `(heads, queries, n)`.
   */
  rows(layer: number, side: Side, positions: readonly number[]): Weights | undefined {
    const content = this.#content;
    if (!content) return undefined;
    const { heads, queries, keys } = sizes(content);
    const whole = this.#layers.get(layer);
    const across = side === "query" ? keys : queries;
    const count = positions.length;
    const values = new Float32Array(heads * across * count);
    for (let p = 0; p < count; p++) {
      const position = positions[p] as number;
      const row = whole ? undefined : this.#row(layer, side, position);
      if (!whole && !row) return undefined;
      for (let h = 0; h < heads; h++) {
        if (side === "query") {
          const source = whole
            ? whole.subarray((h * queries + position) * keys, (h * queries + position + 1) * keys)
            : (row as Float32Array).subarray(h * keys, (h + 1) * keys);
          values.set(source, (h * count + p) * keys);
        } else {
          for (let q = 0; q < queries; q++) {
            values[(h * queries + q) * count + p] = whole
              ? (whole[(h * queries + q) * keys + position] as number)
              : ((row as Float32Array)[h * queries + q] as number);
          }
        }
      }
    }
    return side === "query"
      ? { heads, queries: count, keys, values }
      : { heads, queries, keys: count, values };
  }

  /** Ask for rows that are not here, nearby ones with them. Listeners hear when they arrive. */
  want(layer: number, side: Side, start: number, stop: number): void {
    const content = this.#content;
    if (!content || this.#layers.has(layer)) return;
    const { heads, queries, keys } = sizes(content);
    const [length, across] = side === "query" ? [queries, keys] : [keys, queries];
    const most = Math.max(1, Math.floor(MESSAGE_BYTES / (heads * across * 4)));
    const missing: number[] = [];
    for (let index = Math.max(0, start); index < Math.min(length, stop); index++) {
      const name = `${layer}:${side}:${index}`;
      if (!this.#row(layer, side, index) && this.#mayAsk(name)) missing.push(index);
    }
    for (const [first, last] of runs(missing, most)) void this.#askRows(layer, side, first, last);
  }

  #row(layer: number, side: Side, index: number): Float32Array | undefined {
    const name = `${layer}:${side}:${index}`;
    const row = this.#rows.get(name);
    if (row) {
      this.#rows.delete(name);
      this.#rows.set(name, row);
    }
    return row;
  }

  #mayAsk(name: string): boolean {
    const refused = this.#refused.get(name);
    return !this.#asked.has(name) && !(refused && Date.now() - refused.at < RETRY_MS);
  }

  async #askRows(layer: number, side: Side, start: number, stop: number): Promise<void> {
    const content = this.#content as Content;
    const names = Array.from({ length: stop - start }, (_, index) => `${layer}:${side}:${start + index}`);
    for (const name of names) this.#asked.add(name);
    let why: string | undefined;
    try {
      const { revision, arrays } = await this.#requests.ask("rows", { layer, side, start, stop }).reply;
      if (content !== this.#content) return;
      if (revision !== content.revision) throw new Error("The map has changed: waiting for the new one.");
      const { values, shape } = arrays.weights ?? { values: new Float32Array(0), shape: [] };
      const { heads, queries, keys } = sizes(content);
      const wanted = side === "query" ? [heads, stop - start, keys] : [heads, queries, stop - start];
      if (String(shape) !== String(wanted)) {
        throw new Error(`rows must have the shape (${wanted.join(", ")}); got (${shape.join(", ")})`);
      }
      this.#keepRows(layer, side, start, shape, values as Float32Array);
    } catch (error) {
      if (content !== this.#content) return;
      why =
        error instanceof NoKernel
          ? "These weights are not stored in the page and need a running kernel."
          : messageOf(error);
    }
    for (const name of names) {
      this.#asked.delete(name);
      if (why === undefined) this.#refused.delete(name);
      else this.#refused.set(name, { at: Date.now(), why });
    }
    this.#notify();
  }

  #keepRows(layer: number, side: Side, start: number, shape: readonly number[], values: Float32Array): void {
    const [heads = 0, first = 0, second = 0] = shape;
    const [count, across] = side === "query" ? [first, second] : [second, first];
    for (let p = 0; p < count; p++) {
      const row = new Float32Array(heads * across);
      for (let h = 0; h < heads; h++) {
        for (let other = 0; other < across; other++) {
          const index =
            side === "query" ? (h * count + p) * across + other : (h * across + other) * count + p;
          row[h * across + other] = values[index] as number;
        }
      }
      this.#keep(this.#rows, `${layer}:${side}:${start + p}`, row);
    }
  }

  #keep<K>(map: Map<K, Float32Array>, name: K, values: Float32Array): void {
    this.#bytes += values.byteLength - (map.get(name)?.byteLength ?? 0);
    map.delete(name);
    map.set(name, values);
    for (const forgetful of [this.#rows, this.#layers] as Map<unknown, Float32Array>[]) {
      for (const [oldest, held] of forgetful) {
        if (this.#bytes <= this.#memory || held === values) break;
        forgetful.delete(oldest);
        this.#bytes -= held.byteLength;
      }
    }
  }

  #readData(): void {
    this.#failure = undefined;
    try {
      const content = readContent(this.#model);
      if (content && content.revision !== this.#content?.revision) this.#forget(content);
      if (content) this.slices.update(content.revision);
      this.pictures.update(content?.images ?? {}, this.#model.data("_images"));
      this.#readBlock();
    } catch (error) {
      this.#failure = messageOf(error);
    }
    this.#notify();
  }

  #forget(content: Content): void {
    this.#content = content;
    this.#block = undefined;
    this.#layers.clear();
    this.#rows.clear();
    this.#asked.clear();
    this.#refused.clear();
    this.#full.clear();
    this.#bytes = 0;
  }

  #readBlock(): void {
    const block = this.#model.data("_block") as WireBlock | undefined;
    const content = this.#content;
    // The two traits may be announced one after the other: a block waits for its description.
    if (!content || !block?.weights || block.revision !== content.revision) return;
    if (block === this.#block) return;
    const [firstLayer, lastLayer] = block.layers;
    const [firstQuery, lastQuery] = block.queries;
    const { values } = decode(block.weights) as { values: Float32Array };
    const { heads, queries, keys } = sizes(content);
    const count = lastQuery - firstQuery;
    for (let layer = firstLayer; layer < lastLayer; layer++) {
      const size = heads * count * keys;
      const part = values.subarray((layer - firstLayer) * size, (layer - firstLayer + 1) * size);
      this.#full.set(layer, block.full[layer - firstLayer] ?? 1);
      if (count === queries) this.#keep(this.#layers, layer, part);
      else this.#keepRows(layer, "query", firstQuery, [heads, count, keys], part);
    }
    this.#block = block;
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

const sizes = ({ heads, queries, keys }: Content) => ({
  heads,
  queries: queries.labels.length,
  keys: keys.labels.length,
});

/** Consecutive stretches `[first, last)` of sorted positions, none longer than `most`. */
export function runs(positions: readonly number[], most: number): [first: number, last: number][] {
  const found: [number, number][] = [];
  for (const position of positions) {
    const current = found.at(-1);
    if (current && current[1] === position && position - current[0] < most) current[1]++;
    else found.push([position, position + 1]);
  }
  return found;
}
