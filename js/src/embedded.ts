/** The kernel of an exported page: it answers from what the page holds. `export/page.py` writes what this reads. */

import { decode, type Packed } from "./codec.ts";
import { fitted, type Shape, type Shown, type ShownAxis } from "./fitted.ts";
import { inflate } from "./inflate.ts";
import type { Host } from "./model.ts";
import { VERSION } from "./protocol.ts";

/** An array of the page: `data` is the number of its blob. */
interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: number;
}

type Arrays<T> = Readonly<Record<string, T>>;
type Fields = Readonly<Record<string, unknown>>;
type Span = readonly [start: number, stop: number];

/** Weights as Python sends them unasked. */
interface Block {
  readonly layers: Span;
  readonly queries: Span;
  readonly full: readonly number[];
  readonly arrays: Arrays<Stored>;
}

/** What Python said to a request. */
interface Answer {
  readonly kind: string;
  readonly request: Fields;
  readonly fields: Fields;
  readonly arrays: Arrays<Stored>;
  /** It was on screen when the page was made. */
  readonly held: boolean;
}

/** A copy of an image, encoded. */
interface PageImage {
  readonly id: string;
  readonly fields: Fields;
  readonly arrays: Arrays<Stored>;
}

export interface PageMap {
  readonly name: string;
  readonly step: number;
  /** What Python says of the map; axes are numbers of those of the page. */
  readonly content: Fields & {
    readonly shape: Shape;
    readonly images: Fields;
    readonly queries: number;
    readonly keys: number | null;
  };
  /** The layer shown comes first. */
  readonly blocks: readonly Block[];
  readonly answers: readonly Answer[];
  /** What of it is in the page, and what is not, in words. */
  readonly here: string;
  readonly missing: string;
}

export interface Manifest {
  readonly v: number;
  /** Size the page was made to stay below, in MB. */
  readonly limit: number;
  readonly state: Fields;
  readonly axes: readonly ShownAxis[];
  readonly images: readonly PageImage[];
  /** The map shown comes first. */
  readonly maps: readonly PageMap[];
}

type Callback = (...args: never[]) => void;
interface Found {
  readonly fields: Fields;
  readonly arrays: Arrays<Packed>;
}

/** Layers beyond this many bytes are inflated when they are shown. */
const AHEAD_BYTES = 64 * 1024 * 1024;
const KINDS: readonly unknown[] = ["thumbnails", "region", "edges", "rows", "mechanism"];

export class EmbeddedHost implements Host {
  readonly #manifest: Manifest;
  readonly #text: (blob: number) => string;
  readonly #inflated = new Map<number, Promise<Packed>>();
  readonly #listeners = new Map<string, Set<Callback>>();
  #values: Record<string, unknown>;
  #shown: PageMap;
  /** The block that came with the map. */
  #first: Block | undefined;
  #layer = -1;
  #revision = 0;
  /** Counts what was asked to be shown: what is overtaken while it is inflated is dropped. */
  #turn = 0;

  /**
   * Resolves once what is drawn first is here.
   *
   * @param text - a blob of the page: deflated bytes in base64.
   */
  static async open(manifest: Manifest, text: (blob: number) => string): Promise<EmbeddedHost> {
    if (manifest.v !== VERSION) {
      throw new Error(`expected a page of version ${VERSION}; got version ${manifest.v}`);
    }
    const host = new EmbeddedHost(manifest, text);
    await host.#show(host.#shown);
    return host;
  }

  private constructor(manifest: Manifest, text: (blob: number) => string) {
    this.#manifest = manifest;
    this.#text = text;
    this.#values = { ...manifest.state };
    this.#shown = manifest.maps[0] as PageMap;
  }

  get(name: string): unknown {
    return this.#values[name];
  }

  set(name: string, value: unknown): void {
    if (this.#values[name] === value) return;
    this.#values[name] = value;
    this.#fire(`change:${name}`);
  }

  /** Python would hear of the changes now. */
  save_changes(): void {
    const { map, step, layer } = this.#values;
    const { name, step: shown } = this.#shown;
    if (map !== name || step !== shown) void this.#goTo(map, step);
    else if (layer !== this.#layer) void this.#showLayer();
  }

  on(event: string, callback: Callback): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(callback));
  }

  off(event: string, callback: Callback): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown): void {
    const message = content as Fields;
    if (KINDS.includes(message.kind)) void this.#answer(message);
  }

  /** Bring the other layers of the map shown, so that a change of layer finds them here. */
  async bringOthers(): Promise<void> {
    const turn = this.#turn;
    let bytes = 0;
    for (const block of this.#shown.blocks) {
      if (block === this.#first) continue;
      bytes += 4 * sizeOf(block.arrays.weights as Stored);
      if (bytes > AHEAD_BYTES) return;
      const trait = await this.#block(block);
      // A turn of the event loop, so that the page hears its reader.
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.#turn) return;
      this.#put({ _block: trait });
    }
  }

  // --- what is shown ----------------------------------------------------------------------------

  async #goTo(name: unknown, step: unknown): Promise<void> {
    const steps = this.#manifest.maps.filter((map) => map.name === name);
    const most = Math.max(0, ...steps.map(({ content }) => Number(content.steps) - 1));
    const found = steps.find((map) => map.step === Math.min(Number(step), most));
    if (found) {
      await this.#show(found);
      await this.bringOthers();
    } else {
      this.#put({ map: this.#shown.name, step: this.#shown.step });
    }
  }

  async #show(map: PageMap): Promise<void> {
    const turn = ++this.#turn;
    const { axes } = this.#manifest;
    const { queries, keys } = map.content;
    const content = {
      ...map.content,
      revision: this.#revision + 1,
      queries: axes[queries],
      keys: keys === null ? null : axes[keys],
    };
    const state = { ...fitted(this.#values, content as unknown as Shown), map: map.name, step: map.step };
    const first = map.blocks.find(({ layers }) => holds(layers, state.layer));
    const block = first ? await this.#block(first, content.revision) : {};
    const images = await this.#images(Object.keys(map.content.images));
    const traits = Object.fromEntries(
      await Promise.all(
        map.answers
          .filter(({ held }) => held)
          .map(async ({ kind, request, fields, arrays }) => {
            const packed = await this.#arrays(arrays);
            return [`_${kind}`, { ...fields, revision: content.revision, request, arrays: packed }] as const;
          }),
      ),
    );
    if (turn !== this.#turn) return;
    this.#shown = map;
    this.#first = first;
    this.#layer = state.layer;
    this.#revision = content.revision;
    const nothing = { _thumbnails: {}, _region: {}, _edges: {}, _rows: {}, _mechanism: {} };
    this.#put({ ...state, _content: content, _block: block, _images: images, ...nothing, ...traits });
  }

  async #showLayer(): Promise<void> {
    const turn = ++this.#turn;
    const layer = this.#values.layer as number;
    this.#layer = layer;
    for (const block of this.#shown.blocks.filter(({ layers }) => holds(layers, layer))) {
      const trait = await this.#block(block);
      if (turn !== this.#turn) return;
      this.#put({ _block: trait });
    }
  }

  async #block({ layers, queries, full, arrays }: Block, revision = this.#revision): Promise<Fields> {
    const weights = await this.#array(arrays.weights as Stored);
    return { revision, layers, queries, full, weights };
  }

  async #images(ids: readonly string[]): Promise<Fields> {
    const images = ids.map(async (id) => {
      const held = this.#manifest.images.find((image) => image.id === id);
      const bytes = held && (await this.#array(held.arrays.bytes as Stored));
      return [id, held && bytes ? { ...held.fields, data: bytes.data } : null] as const;
    });
    return Object.fromEntries(await Promise.all(images));
  }

  // --- what is asked for ------------------------------------------------------------------------

  async #answer(request: Fields): Promise<void> {
    const [map, revision] = [this.#shown, this.#revision];
    const envelope = { v: VERSION, id: request.id, revision };
    let content: Fields;
    let buffers: readonly unknown[] = [];
    try {
      const found = await this.#find(map, request);
      if (!found) throw new Error(this.#refusal(map));
      if (request.hold === true && revision === this.#revision) {
        const { v, id, kind, hold, ...asked } = request;
        this.#put({ [`_${kind}`]: { ...found.fields, revision, request: asked, arrays: found.arrays } });
        content = { ...envelope, ok: true, held: true };
      } else {
        const entries = Object.entries(found.arrays);
        const described = entries.map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
        buffers = entries.map(([, { data }]) => data);
        content = { ...found.fields, ...envelope, ok: true, arrays: Object.fromEntries(described) };
      }
    } catch (error) {
      content = { ...envelope, ok: false, error: error instanceof Error ? error.message : String(error) };
    }
    this.#fire("msg:custom", content, buffers);
  }

  async #find(map: PageMap, request: Fields): Promise<Found | undefined> {
    if (request.kind === "rows") return this.#rows(map, request);
    if (request.kind === "thumbnails") return this.#thumbnails(map, request);
    const asked = keyOf(request);
    const answer = map.answers.find(
      ({ kind, request: known, fields }) =>
        kind === request.kind &&
        keyOf(known) === asked &&
        !(request.exact === true && fields.exact === false),
    );
    return answer && { fields: answer.fields, arrays: await this.#arrays(answer.arrays) };
  }

  async #rows(map: PageMap, { layer, side, start, stop }: Fields): Promise<Found | undefined> {
    const [, heads, queries, keys] = map.content.shape;
    const asked: Span = [start as number, stop as number];
    const rows: Span = side === "query" ? asked : [0, queries];
    const cols: Span = side === "query" ? [0, keys] : asked;
    const part = partsOf(map).find(
      (here) => holds(here.layers, layer as number) && within(rows, here.rows) && within(cols, here.cols),
    );
    if (!part) return undefined;
    const { values } = decode(await this.#array(part.weights));
    const [high, wide] = [part.rows[1] - part.rows[0], part.cols[1] - part.cols[0]];
    const shape = [heads, rows[1] - rows[0], cols[1] - cols[0]];
    const cut = new Float32Array(heads * (rows[1] - rows[0]) * (cols[1] - cols[0]));
    let at = 0;
    for (let head = 0; head < heads; head++) {
      const table = (((layer as number) - part.layers[0]) * heads + head) * high;
      for (let row = rows[0]; row < rows[1]; row++) {
        const line = (table + row - part.rows[0]) * wide - part.cols[0];
        cut.set(values.subarray(line + cols[0], line + cols[1]), at);
        at += cols[1] - cols[0];
      }
    }
    return { fields: { layer, side, start, stop }, arrays: { weights: { dtype: "f4", shape, data: cut } } };
  }

  /** Whatever the size asked for: the page says which it got. */
  async #thumbnails(map: PageMap, request: Fields): Promise<Found | undefined> {
    const asked = request.layers as Span;
    const answer = map.answers.find(
      ({ kind, fields }) => kind === "thumbnails" && within(asked, fields.layers as Span),
    );
    if (!answer) return undefined;
    const first = asked[0] - (answer.fields.layers as Span)[0];
    const cut = ({ dtype, shape, data }: Packed): Packed => {
      const bytes = data as Uint8Array;
      const layer = bytes.byteLength / (shape[0] as number);
      const count = asked[1] - asked[0];
      return {
        dtype,
        shape: [count, ...shape.slice(1)],
        data: bytes.subarray(first * layer, (first + count) * layer),
      };
    };
    const entries = Object.entries(await this.#arrays(answer.arrays));
    const arrays = Object.fromEntries(entries.map(([name, packed]) => [name, cut(packed)]));
    return { fields: { ...answer.fields, layers: asked }, arrays };
  }

  #refusal({ here, missing }: PageMap): string {
    const left = missing ? `; left out to stay below ${this.#manifest.limit} MB: ${missing}` : "";
    return `This page holds ${here || "no weights of this map"}${left}.`;
  }

  // --- the blobs --------------------------------------------------------------------------------

  #array(stored: Stored): Promise<Packed> {
    const { dtype, shape, data } = stored;
    let packed = this.#inflated.get(data);
    if (!packed) {
      packed = inflate(this.#text(data), Number(dtype.slice(1))).then((bytes) => ({
        dtype,
        shape,
        data: bytes,
      }));
      this.#inflated.set(data, packed);
    }
    return packed;
  }

  async #arrays(stored: Arrays<Stored>): Promise<Arrays<Packed>> {
    const entries = Object.entries(stored).map(async ([name, array]) => [name, await this.#array(array)]);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** All values are there before the first change is told. */
  #put(values: Fields): void {
    const changed = Object.keys(values).filter((name) => this.#values[name] !== values[name]);
    this.#values = { ...this.#values, ...values };
    for (const name of changed) this.#fire(`change:${name}`);
  }

  #fire(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) {
      (callback as (...given: unknown[]) => void)(...args);
    }
  }
}

const holds = ([start, stop]: Span, position: number): boolean => start <= position && position < stop;

const within = (inner: Span, outer: Span): boolean => outer[0] <= inner[0] && inner[1] <= outer[1];

const sizeOf = ({ shape }: Stored): number => shape.reduce((size, length) => size * length, 1);

/** Weights in the page, `(layers, heads, rows, cols)`. */
interface Part {
  readonly layers: Span;
  readonly rows: Span;
  readonly cols: Span;
  readonly weights: Stored;
}

function partsOf({ content, blocks, answers }: PageMap): Part[] {
  const [, , queries, keys] = content.shape;
  const whole: Part[] = blocks.map((block) => ({
    layers: block.layers,
    rows: block.queries,
    cols: [0, keys],
    weights: block.arrays.weights as Stored,
  }));
  const asked = answers.filter(({ kind }) => kind === "rows");
  const rows = asked.map(({ fields, arrays }): Part => {
    const [layer, span] = [fields.layer as number, [fields.start, fields.stop] as unknown as Span];
    const ofQueries = fields.side === "query";
    return {
      layers: [layer, layer + 1],
      rows: ofQueries ? span : [0, queries],
      cols: ofQueries ? [0, keys] : span,
      weights: arrays.weights as Stored,
    };
  });
  return [...whole, ...rows];
}

/** Fields that make no other answer: `shape` follows from the map, and an exact answer serves for a preview. */
const ASIDE: readonly string[] = ["v", "id", "kind", "hold", "exact", "shape"];

/** The same for the same request, in whatever order its fields were written. */
const keyOf = (request: Fields): string =>
  JSON.stringify(
    Object.entries(request)
      .filter(([name, value]) => !ASIDE.includes(name) && value !== undefined && value !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
