/**
 * Weights to screen pixels, free of the DOM. A pixel shows the weights whose cells begin in it, or the cell
 * that goes on through it: no weight falls between two pixels, at any zoom.
 *
 * Pooled anew for every picture instead of from a pyramid: a head of 2,048 × 2,048 takes a few
 * milliseconds, and pixels then hold exactly the weights that are under them.
 */

import { codeOf, INFINITE, MISSING, rankTable, valueTable } from "../scale/codes.ts";

export type Span = readonly [start: number, end: number];

/** Weights of a rectangle of a map, as codes: `height × width` bins over the positions of two spans. */
export interface Grid {
  readonly rows: Span;
  readonly cols: Span;
  readonly height: number;
  readonly width: number;
  /** The code of the largest magnitude of each bin. */
  readonly max: Uint16Array;
  /** The code of the mean of each bin; null where no bin holds more than one weight. */
  readonly mean: Uint16Array | null;
}

/** Where the bins of a span begin, and its end: position `i` of `n` lies in bin `i*bins//n`. */
export function bounds([start, end]: Span, bins: number): Float64Array {
  const count = end - start;
  return Float64Array.from({ length: bins + 1 }, (_, bin) => start + Math.ceil((bin * count) / bins));
}

/** The part of an axis on screen: `pixels` of them from `start`, each `perPixel` positions wide. */
export interface Sightline {
  readonly start: number;
  readonly perPixel: number;
  readonly pixels: number;
}

/** The bins each pixel shows: `first[p] ≤ bin < last[p]`; none where both are equal. */
export interface Cover {
  readonly first: Int32Array;
  readonly last: Int32Array;
}

export function cover(starts: Float64Array, { start, perPixel, pixels }: Sightline): Cover {
  const bins = starts.length - 1;
  const first = new Int32Array(pixels);
  const last = new Int32Array(pixels);
  let bin = 0;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const [from, to] = [edge(start + pixel * perPixel), edge(start + (pixel + 1) * perPixel)];
    while (bin < bins && (starts[bin + 1] as number) <= from) bin++;
    const goesOn = bin < bins && (starts[bin] as number) < from;
    let next = bin;
    while (next < bins && (starts[next] as number) < to) next++;
    const begins = next > bin + (goesOn ? 1 : 0);
    first[pixel] = begins && goesOn && pixel > 0 ? bin + 1 : bin;
    last[pixel] = next;
  }
  return { first, last };
}

/** Multiples of a share stray from the whole numbers that they should be. */
const edge = (at: number): number => (Math.abs(at - Math.round(at)) < 1e-6 ? Math.round(at) : at);

/** Codes of the pixels of a part of a map. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly codes: Uint16Array;
  /** 1 where there is a weight to show. */
  readonly here: Uint8Array;
}

export const blankRaster = (width: number, height: number): Raster => ({
  width,
  height,
  codes: new Uint16Array(width * height),
  here: new Uint8Array(width * height),
});

interface Tables {
  readonly rank: Uint32Array;
  readonly value: Float32Array;
}

const tables = new Map<boolean, Tables>();

function tablesOf(signed: boolean): Tables {
  let found = tables.get(signed);
  if (!found) {
    found = { rank: rankTable(signed), value: valueTable(signed) };
    tables.set(signed, found);
  }
  return found;
}

/** Draws the codes of a grid into the pixels it covers, over what is there. */
export function paintCodes(
  raster: Raster,
  grid: Grid,
  y: Sightline,
  x: Sightline,
  pool: "max" | "mean",
  signed: boolean,
): void {
  const across = cover(bounds(grid.cols, grid.width), x);
  const down = cover(bounds(grid.rows, grid.height), y);
  const { width } = raster;
  const codes = pool === "mean" && grid.mean ? grid.mean : grid.max;
  for (let row = 0; row < raster.height; row++) {
    const [top, bottom] = [down.first[row] as number, down.last[row] as number];
    if (top === bottom) continue;
    const at = row * width;
    if (row > 0 && top === down.first[row - 1] && bottom === down.last[row - 1]) {
      raster.codes.copyWithin(at, at - width, at);
      raster.here.copyWithin(at, at - width, at);
      continue;
    }
    for (let col = 0; col < width; col++) {
      const [left, right] = [across.first[col] as number, across.last[col] as number];
      if (left === right) continue;
      raster.here[at + col] = 1;
      raster.codes[at + col] =
        bottom - top === 1 && right - left === 1
          ? (codes[top * grid.width + left] as number)
          : pooled(codes, grid.width, top, bottom, left, right, pool, signed);
    }
  }
}

/** One code for several: that of the largest magnitude, or of the mean. What is no number gives way. */
export function pooled(
  codes: Uint16Array,
  width: number,
  top: number,
  bottom: number,
  left: number,
  right: number,
  pool: "max" | "mean",
  signed: boolean,
): number {
  const { rank, value } = tablesOf(signed);
  let code = codes[top * width + left] as number;
  let most = -1;
  let sum = 0;
  let count = 0;
  for (let row = top; row < bottom; row++) {
    for (let at = row * width + left; at < row * width + right; at++) {
      const next = codes[at] as number;
      const ranked = rank[next] as number;
      if (ranked > most) {
        most = ranked;
        code = next;
      }
      if (pool === "mean" && ranked > 1) {
        sum += value[next] as number;
        count++;
      }
    }
  }
  return pool === "max" || count === 0 || code === INFINITE || code === MISSING
    ? code
    : codeOf(sum / count, 1, signed);
}

/** The numbers of an axis, one a pixel: the mean of the bins each pixel shows; NaN where there are none. */
export function along(values: Float32Array, { first, last }: Cover): Float32Array {
  return Float32Array.from(first, (from, pixel) => {
    let sum = 0;
    let count = 0;
    for (let bin = from; bin < (last[pixel] as number); bin++) {
      const value = values[bin] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    return count > 0 ? sum / count : NaN;
  });
}
