/** Stand-ins for a notebook host and its kernel, and maps to show in them. */
import type { AxisPart, ImageSize } from "../src/content.ts";
import type { Host } from "../src/model.ts";
import type { Weights } from "../src/store.ts";

type Callback = (...args: never[]) => void;

export interface HostKind {
  /** False: a page without a kernel, where `send` is not even there. */
  readonly sends?: boolean;
  /** True: `set` fires a change also where the value stays the same, as in marimo. */
  readonly alwaysFires?: boolean;
  /** Arguments that come with a change: none, or Backbone's three. */
  readonly args?: 0 | 3;
}

export interface Sent {
  readonly v: number;
  readonly id: string;
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** A model as a host hands it to a widget, with what a test wants to know of it. */
export class FakeHost implements Host {
  readonly values: Record<string, unknown>;
  readonly sent: Sent[] = [];
  /** What each `save_changes` took to the kernel. */
  readonly saved: Record<string, unknown>[] = [];
  readonly sets: [name: string, value: unknown][] = [];
  readonly send?: (content: unknown) => void;
  readonly #listeners = new Map<string, Set<Callback>>();
  readonly #kind: HostKind;
  #unsaved: Record<string, unknown> = {};
  /** Called with each message to the kernel. */
  onSend: (message: Sent) => void = () => {};

  constructor(values: Record<string, unknown> = {}, kind: HostKind = {}) {
    this.values = { ...values };
    this.#kind = kind;
    if (kind.sends !== false) {
      this.send = (content) => {
        this.sent.push(content as Sent);
        this.onSend(content as Sent);
      };
    }
  }

  get(name: string): unknown {
    return this.values[name];
  }

  set(name: string, value: unknown): void {
    this.sets.push([name, value]);
    this.#unsaved[name] = value;
    const same = JSON.stringify(this.values[name]) === JSON.stringify(value);
    this.values[name] = value;
    if (!same || this.#kind.alwaysFires) this.#changed(name);
  }

  save_changes(): void {
    this.saved.push(this.#unsaved);
    this.#unsaved = {};
  }

  on(event: string, callback: Callback): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(callback));
  }

  off(event: string, callback: Callback): void {
    this.#listeners.get(event)?.delete(callback);
  }

  /** Listeners that are still there. */
  get listening(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Python sets traits: all values are there before the first change is told. */
  fromPython(values: Record<string, unknown>): void {
    Object.assign(this.values, values);
    for (const name of Object.keys(values)) this.#changed(name);
  }

  /** A custom message of the kernel. */
  deliver(content: unknown, buffers?: readonly unknown[]): void {
    this.#fire("msg:custom", buffers ? [content, buffers] : [content]);
  }

  /** Answer a request with arrays. */
  reply(request: Sent, arrays: Record<string, Packed> = {}, fields: Record<string, unknown> = {}): void {
    const described = Object.entries(arrays).map(([name, { dtype, shape }]) => [name, { dtype, shape }]);
    this.deliver(
      { v: 1, id: request.id, ok: true, revision: 1, ...fields, arrays: Object.fromEntries(described) },
      Object.values(arrays).map(({ data }) => data),
    );
  }

  #changed(name: string): void {
    this.#fire(`change:${name}`, this.#kind.args === 0 ? [] : [this, this.values[name], {}]);
  }

  #fire(event: string, args: readonly unknown[]): void {
    for (const callback of [...(this.#listeners.get(event) ?? [])])
      (callback as (...a: unknown[]) => void)(...args);
  }
}

export interface Packed {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: DataView;
}

type Numbers = Float32Array | Uint32Array | Uint16Array | Uint8Array;

const DTYPES: readonly (readonly [new (length: number) => Numbers, string])[] = [
  [Float32Array, "f4"],
  [Uint32Array, "u4"],
  [Uint16Array, "u2"],
  [Uint8Array, "u1"],
];

/** An array as Jupyter delivers it. */
export function pack(values: Numbers, shape: readonly number[] = [values.length]): Packed {
  const dtype = DTYPES.find(([type]) => values instanceof type)?.[1] ?? "";
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
  return { dtype, shape, data: new DataView(bytes.buffer) };
}

/** Numbers that look random and are the same in every run, 0..1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Random attention: rows of a softmax over scores of spread `sharpness`. */
export function attention(heads: number, queries: number, keys: number, seed = 1, sharpness = 6): Weights {
  const next = random(seed);
  const values = new Float32Array(heads * queries * keys);
  for (let row = 0; row < heads * queries; row++) {
    const part = values.subarray(row * keys, (row + 1) * keys);
    let sum = 0;
    part.forEach((_, key) => {
      part[key] = Math.exp(sharpness * next());
      sum += part[key] as number;
    });
    part.forEach((weight, key) => {
      part[key] = weight / sum;
    });
  }
  return { heads, queries, keys, values };
}

export interface WireAxis {
  readonly labels: readonly string[];
  readonly exact?: Readonly<Record<string, string>>;
  readonly special?: readonly number[];
  readonly parts?: readonly AxisPart[];
  readonly words?: { starts: number[]; labels: string[]; special: number[] } | null;
}

export interface MapOf {
  readonly revision?: number;
  readonly layers?: readonly Weights[];
  readonly queries?: WireAxis;
  readonly keys?: WireAxis | null;
  readonly kind?: string;
  readonly images?: Readonly<Record<string, ImageSize>>;
  readonly maps?: readonly string[];
  readonly steps?: number;
  readonly v?: number;
}

export const tokens = (count: number, name = "t"): WireAxis => ({
  labels: Array.from({ length: count }, (_, index) => `${name}${index}`),
});

/** What Python says of a map, and its first block of weights: the layers given, whole. */
export function mapTraits(map: MapOf = {}): { _content: unknown; _block: unknown } {
  const { revision = 1, kind = "weight", images = {}, maps = ["attention"], steps = 1, v = 1 } = map;
  const layers = map.layers ?? [attention(2, 4, 4)];
  const [{ heads, queries, keys }] = layers as [Weights];
  const axis = ({ labels, exact = {}, special = [], parts = [], words = null }: WireAxis) => ({
    labels,
    exact,
    special,
    parts,
    words,
  });
  return {
    _content: {
      v,
      revision,
      maps,
      steps,
      name: maps[0] ?? "",
      kind,
      exact: true,
      shape: [layers.length, heads, queries, keys],
      images,
      queries: axis(map.queries ?? tokens(queries)),
      keys: map.keys === null ? null : axis(map.keys ?? tokens(keys, "k")),
    },
    _block: blockTrait({ revision, first: 0, layers }),
  };
}

export interface BlockOf {
  readonly revision?: number;
  /** Number of the first layer. */
  readonly first?: number;
  readonly layers: readonly Weights[];
  /** The queries sent, all by default. */
  readonly rows?: readonly [first: number, last: number];
  readonly full?: number;
}

export function blockTrait({ revision = 1, first = 0, layers, rows, full }: BlockOf): unknown {
  const [{ heads, queries, keys }] = layers as [Weights];
  const [start, stop] = rows ?? [0, queries];
  const parts = layers.map((weights) => rowsOf(weights, "query", start, stop));
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return {
    revision,
    layers: [first, first + layers.length],
    queries: [start, stop],
    full: layers.map(({ values: all }) => full ?? all.reduce((most, w) => Math.max(most, Math.abs(w)), 1)),
    weights: pack(values, [layers.length, heads, stop - start, keys]),
  };
}

/** Weights of positions `[start, stop)` of one side, as the kernel sends them. */
export function rowsOf(
  { heads, queries, keys, values }: Weights,
  side: "query" | "key",
  start: number,
  stop: number,
): Float32Array {
  const count = stop - start;
  const found = new Float32Array(heads * count * (side === "query" ? keys : queries));
  let at = 0;
  for (let h = 0; h < heads; h++) {
    if (side === "query") {
      found.set(values.subarray((h * queries + start) * keys, (h * queries + stop) * keys), at);
      at += count * keys;
    } else {
      for (let q = 0; q < queries; q++) {
        for (let k = start; k < stop; k++) found[at++] = values[(h * queries + q) * keys + k] as number;
      }
    }
  }
  return found;
}

/** Answer a request for rows as the kernel does. */
export function answerRows(host: FakeHost, request: Sent, weights: Weights, revision = 1): void {
  const { side, start, stop } = request as unknown as { side: "query" | "key"; start: number; stop: number };
  const values = rowsOf(weights, side, start, stop);
  const count = stop - start;
  const shape =
    side === "query" ? [weights.heads, count, weights.keys] : [weights.heads, weights.queries, count];
  host.reply(request, { weights: pack(values, shape) }, { revision });
}
