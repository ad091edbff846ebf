/**
 * Every line drawn by itself, slowly and plainly: what the composite is measured against. Shares no code
 * with it: the curve is a Bézier polygon, a line's area in each pixel is taken from four sections a column,
 * and depths are summed in doubles.
 */
import type { Raster, Viewport } from "../src/lines/composite.ts";
import type { Edges, Geometry, Rgb } from "../src/lines/scene.ts";

export interface Drawn {
  readonly edges: Edges;
  readonly geometry: Geometry;
  readonly colour: (head: number) => Rgb;
}

const POINTS = 4000;
const SECTIONS = 4;

/** How far the curve has risen where it has come `share` of the way along, and how steep it is there. */
function section(share: number): { rise: number; slope: number } {
  const along = (t: number) => 1.5 * (1 - t) ** 2 * t + 1.5 * (1 - t) * t ** 2 + t ** 3;
  const rise = (t: number) => 3 * (1 - t) * t ** 2 + t ** 3;
  const riseAt = (at: number) => {
    let point = 1;
    while (point < POINTS && along(point / POINTS) < at) point++;
    const [before, after] = [(point - 1) / POINTS, point / POINTS];
    const part = (at - along(before)) / (along(after) - along(before));
    return rise(before) + part * (rise(after) - rise(before));
  };
  const [before, after] = [Math.max(0, share - 1e-4), Math.min(1, share + 1e-4)];
  return { rise: riseAt(share), slope: (riseAt(after) - riseAt(before)) / (after - before) };
}

/**
 * Draws the columns of pixels `columns` of a view of columns of tokens.
 *
 * @returns Colour on white, 0..255, column by column.
 */
export function exact(
  { edges, geometry, colour }: Drawn,
  { left, top, height }: Viewport,
  columns: readonly number[],
): Float64Array {
  const length = geometry.along.key - geometry.along.query;
  const pixels = new Float64Array(columns.length * height * 3);
  const area = new Float64Array(height);
  for (const [column, x] of columns.entries()) {
    const sections = Array.from({ length: SECTIONS }, (_, i) =>
      section((left + x + (i + 0.5) / SECTIONS - geometry.along.query) / length),
    );
    const sums = new Float64Array(height * 4);
    for (let edge = 0; edge < edges.count; edge++) {
      const strength = edges.strength[edge]!;
      const width = 0.75 + (Math.min(7, Math.max(1.25, 0.3 * geometry.pitch)) - 0.75) * strength;
      const start = geometry.query[edges.query[edge]!]! - top;
      const reach = geometry.key[edges.key[edge]!]! - top - start;
      let first = height;
      let last = -1;
      for (const { rise, slope } of sections) {
        const half = (width / 2) * Math.hypot(1, (reach * slope) / length);
        const low = Math.max(0, start + reach * rise - half);
        const high = Math.min(height, start + reach * rise + half);
        for (let y = Math.floor(low); y < high; y++) {
          area[y]! += (Math.min(high, y + 1) - Math.max(low, y)) / SECTIONS;
          first = Math.min(first, y);
          last = Math.max(last, y);
        }
      }
      if (last < first) continue;
      const [red, green, blue] = colour(edges.head[edge]!);
      for (let y = first; y <= last; y++) {
        const depth = -Math.log(1 - 0.9 * strength * area[y]!);
        area[y] = 0;
        sums[4 * y]! += depth;
        sums[4 * y + 1]! += depth * red;
        sums[4 * y + 2]! += depth * green;
        sums[4 * y + 3]! += depth * blue;
      }
    }
    for (let y = 0; y < height; y++) {
      const depth = sums[4 * y]!;
      const alpha = 1 - Math.exp(-depth);
      for (let channel = 0; channel < 3; channel++) {
        const ink = depth > 0 ? sums[4 * y + 1 + channel]! / depth : 0;
        pixels[(column * height + y) * 3 + channel] = alpha * ink + (1 - alpha) * 255;
      }
    }
  }
  return pixels;
}

/** The same pixels of a raster. */
export function onWhite({ data, width, height }: Raster, columns: readonly number[]): Float64Array {
  const pixels = new Float64Array(columns.length * height * 3);
  columns.forEach((x, column) => {
    for (let y = 0; y < height; y++) {
      const from = (y * width + x) * 4;
      const alpha = data[from + 3]! / 255;
      for (let channel = 0; channel < 3; channel++) {
        pixels[(column * height + y) * 3 + channel] = alpha * data[from + channel]! + (1 - alpha) * 255;
      }
    }
  });
  return pixels;
}

/** Mean absolute difference, in levels of 255. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new Error(`pictures must be alike in size; got ${a.length} and ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
