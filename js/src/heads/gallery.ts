/** Which thumbnails and statistics are here: pooled in the page where weights are, else asked of the kernel. */

import type { Decoded } from "../codec.ts";
import type { Content } from "../content.ts";
import type { Reply } from "../protocol.ts";
import { isSigned } from "../scale/codes.ts";
import type { Store } from "../store.ts";
import { type HeadPlaces, headPlaces, STATISTICS, type Statistic, statisticsOf } from "./statistics.ts";
import { INFINITE, MASKED, MISSING, MOST_CELLS, type Thumbnail, thumbnailOf } from "./thumbnails.ts";

/** One message; larger ones would delay what is in sight. */
const CHUNK_BYTES = 256_000;
/** Of more weights than the kernel reads in no time, one layer is asked for first. */
const QUICK_WEIGHTS = 8_000_000;
/** What is kept in the model, for reload and saved notebooks. */
const HELD_BYTES = 1_000_000;
const SLOT = "thumbnails";
const SHARP_SLOT = "thumbnails:sharp";

type Size = readonly [rows: number, columns: number];

/** The thumbnails of one layer, `(heads, rows, columns)`. */
export interface Sheet {
  readonly rows: number;
  readonly columns: number;
  readonly codes: Uint8Array;
  readonly full: Float32Array;
  readonly statistics: Float32Array;
  /** Codes it holds that are no magnitudes. */
  readonly odd: readonly number[];
  /** False where they come from a sample of the rows. */
  readonly exact: boolean;
  /** Columns that were asked for: the kernel may send fewer. */
  readonly asked: number;
  /** Larger for what came later. */
  readonly stamp: number;
}

export class Gallery {
  readonly #store: Store;
  #content: Content | undefined;
  #places: HeadPlaces | undefined;
  #sheets: (Sheet | undefined)[] = [];
  /** The same in more cells, of layers looked at closely. */
  #sharp = new Map<number, Sheet>();
  #stamp = 0;
  #size: Size = [1, 1];
  #held: Size = [1, 1];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Changes whenever anything has come. */
  get stamp(): number {
    return this.#stamp;
  }

  get signed(): boolean {
    return this.#content !== undefined && isSigned(this.#content.kind);
  }

  sheet(layer: number): Sheet | undefined {
    return this.#sheets[layer];
  }

  /** Heads whose thumbnails are here. */
  get here(): number {
    return this.#sheets.filter((sheet) => sheet).length * (this.#content?.heads ?? 0);
  }

  get exact(): boolean {
    return this.#sheets.every((sheet) => sheet?.exact !== false);
  }

  /** The largest magnitude of all heads that are here. */
  get largest(): number {
    return this.#sheets.reduce((most, sheet) => Math.max(most, ...(sheet?.full ?? [0])), 0);
  }

  /** Whether some cell holds this code, one of those that are no magnitudes. */
  has(code: number): boolean {
    return this.#sheets.some((sheet) => sheet?.odd.includes(code));
  }

  readonly statistic = (cell: number, statistic: Statistic): number => {
    const heads = this.#content?.heads ?? 1;
    const sheet = this.#sheets[Math.floor(cell / heads)];
    return (
      sheet?.statistics[(cell % heads) * STATISTICS.length + STATISTICS.indexOf(statistic)] ?? Number.NaN
    );
  };

  thumbnail(cell: number): Thumbnail | undefined {
    return this.#cut(this.#sheets[this.#layerOf(cell)], cell);
  }

  /** A head in as many cells as can be had now, at most `most` a side; asks for more where that helps. */
  close(cell: number, most: number): Thumbnail | undefined {
    const content = this.#content;
    if (!content) return undefined;
    const layer = this.#layerOf(cell);
    const weights = this.#store.layer(layer);
    if (weights) {
      const [rows, columns] = fitting(content, most);
      return thumbnailOf(weights, cell % content.heads, rows, columns, this.signed);
    }
    const sheet = this.#sheets[layer];
    if (sheet && sheet.asked >= this.#size[1]) return this.#cut(sheet, cell);
    const fields = { layers: [layer, layer + 1], size: this.#size };
    const reply = this.#store.slices.get("thumbnails", fields);
    if (reply && !this.#sharp.has(layer)) this.#sharp.set(layer, this.#read(reply, 0, this.#size[1]));
    if (sheet && !reply) this.#store.slices.want(SHARP_SLOT, "thumbnails", fields);
    return this.#cut(this.#sharp.get(layer) ?? sheet, cell);
  }

  /** Why thumbnails are missing; undefined while none is, or they are on their way. */
  get failure(): string | undefined {
    return this.#sheets.includes(undefined) ? this.#store.slices.failure(SLOT) : undefined;
  }

  /**
   * Take what has come and ask for what has not.
   *
   * @param layers - all layers, those in sight first.
   * @param pixels - what a thumbnail is wide on the screen: more cells than that are of no use.
   */
  update(content: Content, layers: readonly number[], pixels: number): void {
    if (content.revision !== this.#content?.revision) this.#begin(content);
    for (const layer of layers) this.#pool(layer);
    this.#readHeld();
    const [rows, columns] = pixels > this.#held[1] ? this.#size : this.#held;
    const chunk = Math.max(1, Math.floor(CHUNK_BYTES / (content.heads * rows * columns)));
    const { queries, keys } = content;
    const weights = content.layers * content.heads * queries.labels.length * keys.labels.length;
    // Something to look at comes first; the kernel remembers the layer and reads it once.
    const many = weights > QUICK_WEIGHTS && !this.#sheets.some(Boolean) ? 1 : chunk;
    const { slices } = this.#store;
    for (const layer of layers) {
      const sheet = this.#sheets[layer];
      if (sheet && sheet.asked >= columns) continue;
      const first = Math.floor(layer / many) * many;
      const last = Math.min(content.layers, first + many);
      const fields = { layers: [first, last], size: [rows, columns] };
      const reply = slices.get("thumbnails", fields);
      if (!reply) {
        const hold = last - first === content.layers && columns === this.#held[1];
        slices.want(SLOT, "thumbnails", fields, { hold });
        return;
      }
      for (let at = first; at < last; at++) this.#sheets[at] = this.#read(reply, at - first, columns);
    }
    const whole = { layers: [0, content.layers], size: this.#held };
    if (layers.some((layer) => !this.#store.layer(layer)) && !slices.get("thumbnails", whole)) {
      slices.want(SLOT, "thumbnails", whole, { hold: true });
    }
  }

  #begin(content: Content): void {
    this.#content = content;
    this.#places = headPlaces(content);
    this.#sheets = Array.from({ length: content.layers });
    this.#sharp.clear();
    this.#size = fitting(content, MOST_CELLS);
    const [rows, columns] = this.#size;
    const share = Math.min(1, Math.sqrt(HELD_BYTES / (content.layers * content.heads * rows * columns)));
    this.#held = [Math.max(1, Math.floor(rows * share)), Math.max(1, Math.floor(columns * share))];
  }

  /** Pool a layer that is in the page. */
  #pool(layer: number): void {
    const weights = this.#sheets[layer]?.exact ? undefined : this.#store.layer(layer);
    if (!weights) return;
    const [rows, columns] = this.#size;
    const codes = new Uint8Array(weights.heads * rows * columns);
    const full = new Float32Array(weights.heads);
    for (let head = 0; head < weights.heads; head++) {
      const found = thumbnailOf(weights, head, rows, columns, this.signed);
      codes.set(found.codes, head * rows * columns);
      full[head] = found.full;
    }
    const statistics = statisticsOf(weights, this.#places);
    const stamp = ++this.#stamp;
    this.#sheets[layer] = {
      rows,
      columns,
      codes,
      full,
      statistics,
      odd: odd(codes),
      exact: true,
      asked: columns,
      stamp,
    };
  }

  /** Take what is kept in the model, for layers of which nothing is here. */
  #readHeld(): void {
    const reply = this.#sheets.includes(undefined) ? this.#store.slices.held("thumbnails") : undefined;
    const [first, last] = (reply?.fields.layers ?? [0, 0]) as Size;
    for (let layer = first; reply && layer < last; layer++) {
      this.#sheets[layer] ??= this.#read(reply, layer - first, this.#held[1]);
    }
  }

  #read({ arrays, fields }: Pick<Reply, "arrays" | "fields">, at: number, asked: number): Sheet {
    const { max, full, statistics } = arrays as Record<"max" | "full" | "statistics", Decoded>;
    const [, heads = 1, rows = 1, columns = 1] = max.shape;
    const part = <T>({ values }: Decoded, size: number) => values.subarray(at * size, (at + 1) * size) as T;
    const codes = part<Uint8Array>(max, heads * rows * columns);
    return {
      rows,
      columns,
      codes,
      odd: odd(codes),
      full: part<Float32Array>(full, heads),
      statistics: part<Float32Array>(statistics, heads * STATISTICS.length),
      exact: fields.exact !== false,
      asked,
      stamp: ++this.#stamp,
    };
  }

  #layerOf(cell: number): number {
    return Math.floor(cell / (this.#content?.heads ?? 1));
  }

  #cut(sheet: Sheet | undefined, cell: number): Thumbnail | undefined {
    if (!sheet) return undefined;
    const { rows, columns, codes, full } = sheet;
    const head = cell % full.length;
    const size = rows * columns;
    return {
      rows,
      columns,
      codes: codes.subarray(head * size, (head + 1) * size),
      full: full[head] as number,
    };
  }
}

const odd = (codes: Uint8Array): number[] =>
  [INFINITE, MASKED, MISSING].filter((code) => codes.includes(code));

/** Cells of a head, at most `most` a side and never more than positions. */
function fitting({ queries, keys }: Content, most: number): Size {
  return [Math.min(most, queries.labels.length), Math.min(most, keys.labels.length)];
}
