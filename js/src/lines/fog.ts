/**
 * Fog: the weight of all lines too faint to be drawn one by one. Lines are pooled into blocks of
 * neighbouring queries × neighbouring keys, and each block is spread over the band its lines run in.
 */
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Fog, Geometry } from "./scene.ts";

/** Index of the first position of block `block`, when `length` positions make `blocks` blocks. */
export const blockStart = (block: number, blocks: number, length: number): number =>
  Math.floor((block * length) / blocks);

/**
 * Finds the strength from which lines are drawn by themselves, so that at most `limit` are.
 *
 * Counts strengths in 16 bins per power of two, so the answer is the lower edge of a bin and fewer than
 * `limit` may reach it: none at all where more than `limit` lines are equally strong.
 *
 * @param strength Strengths of at least 0, in any order; NaN and 0 are no lines.
 * @returns The threshold, to be met or exceeded; `Infinity` when no line may be drawn by itself.
 */
export function strongest(strength: Float32Array, limit: number): number {
  // The bits of positive floats sort as the floats do: 8 bits of exponent and 4 of fraction are the bin.
  const bits = new Uint32Array(strength.buffer, strength.byteOffset, strength.length);
  const counts = new Uint32Array(1 << BIN_BITS);
  for (let i = 0; i < bits.length; i++) {
    const bin = (bits[i] as number) >>> (32 - BIN_BITS);
    counts[bin] = (counts[bin] as number) + 1;
  }
  const infinity = 0x7f800000 >>> (32 - BIN_BITS);
  let total = 0;
  for (let bin = infinity - 1; bin >= 0; bin--) {
    total += counts[bin] as number;
    if (total > limit) return bin + 1 === infinity ? Infinity : binStart(bin + 1);
  }
  return binStart(0);
}

const BIN_BITS = 13;

function binStart(bin: number): number {
  // Bin 0 starts at 0, which is no line: the smallest positive float32 stands in for it.
  const bits = Math.max(1, bin << (32 - BIN_BITS));
  return new Float32Array(Uint32Array.of(bits).buffer)[0] as number;
}

/**
 * Pools the lines that are not drawn by themselves.
 *
 * @param strength Strengths of shape (heads, queries, keys); NaN and 0 are no lines.
 * @param heads The head each plane of `strength` belongs to.
 * @param drawn What is drawn by itself: the threshold of `strongest`, or 1 for each such line in an array
 *   of `strength`'s shape.
 * @param rows Blocks along the queries, at most one a position; `cols` the same along the keys.
 * @throws RangeError if an array does not have that many elements.
 */
export function poolFog(
  strength: Float32Array,
  heads: readonly number[],
  queries: number,
  keys: number,
  drawn: number | Uint8Array,
  rows: number,
  cols: number,
): Fog {
  expectLength("strength", strength.length, heads.length * queries * keys);
  if (typeof drawn !== "number") expectLength("drawn", drawn.length, strength.length);
  const blockRows = Math.min(rows, queries);
  const blockCols = Math.min(cols, keys);
  const rowOf = blockOf(blockRows, queries);
  const colOf = blockOf(blockCols, keys);
  const threshold = typeof drawn === "number" ? drawn : Infinity;
  const mask = typeof drawn === "number" ? null : drawn;

  const pooled = heads.map((head, plane) => {
    const sums = new Float32Array(blockRows * blockCols);
    for (let query = 0; query < queries; query++) {
      const first = (plane * queries + query) * keys;
      const block = (rowOf[query] as number) * blockCols;
      for (let key = 0; key < keys; key++) {
        const value = strength[first + key] as number;
        if (!(value > 0 && value < threshold) || mask?.[first + key]) continue;
        const at = block + (colOf[key] as number);
        sums[at] = (sums[at] as number) + value;
      }
    }
    return { head, strength: sums };
  });
  return { rows: blockRows, cols: blockCols, heads: pooled };
}

function expectLength(name: string, got: number, expected: number): void {
  if (got !== expected) throw new RangeError(`${name} must have ${expected} elements; got ${got}`);
}

function blockOf(blocks: number, length: number): Uint32Array {
  const block = new Uint32Array(length);
  for (let b = 0; b < blocks; b++)
    block.fill(b, blockStart(b, blocks, length), blockStart(b + 1, blocks, length));
  return block;
}

/** The bands of one head as columns, in device pixels across the line direction. */
export interface Bands {
  readonly count: number;
  /** Centre at the queries, and how far away the centre at the keys is. */
  readonly start: Float32Array;
  readonly reach: Float32Array;
  /** Squared width of the even spread with the variance of the tokens at either end. */
  readonly querySpread: Float32Array;
  readonly keySpread: Float32Array;
  /** Thickness of one line, and the optical depth of all of them summed across a level band. */
  readonly thickness: Float32Array;
  readonly mass: Float32Array;
}

/** Lays out the bands of each head; `toDevice` maps CSS pixels across the line direction. */
export function layBands(
  fog: Fog,
  geometry: Geometry,
  ratio: number,
  toDevice: (css: number) => number,
): Bands[] {
  const queries = spreads(geometry.query, fog.rows, ratio, toDevice);
  const keys = spreads(geometry.key, fog.cols, ratio, toDevice);
  return fog.heads.map(({ strength }) => {
    const used: number[] = [];
    for (let block = 0; block < strength.length; block++)
      if ((strength[block] as number) > 0) used.push(block);
    const column = () => new Float32Array(used.length);
    const bands = {
      count: used.length,
      start: column(),
      reach: column(),
      querySpread: column(),
      keySpread: column(),
      thickness: column(),
      mass: column(),
    };
    used.forEach((block, i) => {
      const query = queries[Math.floor(block / fog.cols)] as Spread;
      const key = keys[block % fog.cols] as Spread;
      const lines = query.count * key.count;
      const mean = (strength[block] as number) / lines;
      const thickness = lineWidth(mean, geometry.pitch) * ratio;
      bands.start[i] = query.centre;
      bands.reach[i] = key.centre - query.centre;
      bands.querySpread[i] = query.squared;
      bands.keySpread[i] = key.squared;
      bands.thickness[i] = thickness;
      bands.mass[i] = -Math.log1p(-lineOpacity(mean)) * lines * thickness;
    });
    return bands;
  });
}

interface Spread {
  readonly count: number;
  readonly centre: number;
  readonly squared: number;
}

/** Where the tokens of each block stand. An even spread over a width w has variance w²/12. */
function spreads(
  positions: Float32Array,
  blocks: number,
  ratio: number,
  toDevice: (css: number) => number,
): Spread[] {
  return Array.from({ length: blocks }, (_, block) => {
    const tokens = positions.subarray(
      blockStart(block, blocks, positions.length),
      blockStart(block + 1, blocks, positions.length),
    );
    const mean = tokens.reduce((sum, at) => sum + at, 0) / tokens.length;
    const variance = tokens.reduce((sum, at) => sum + (at - mean) ** 2, 0) / tokens.length;
    return { count: tokens.length, centre: toDevice(mean), squared: 12 * variance * ratio * ratio };
  });
}

/**
 * Adds to `depth` the optical depth of the bands where they have come `rise` of the way to the keys.
 *
 * @param slope Rise per device pixel along the lines.
 * @param step Device pixels along that `depth` stands for, over which a band moves and so blurs.
 * @param cell Device pixels across of one element of `depth`; its first begins at `origin`.
 * @param changes Scratch space, zeroed, two elements longer than `depth`; it is left zeroed.
 */
export function addBands(
  bands: Bands,
  rise: number,
  slope: number,
  step: number,
  cell: number,
  origin: number,
  depth: Float32Array,
  changes: Float64Array,
): void {
  const { start, reach, querySpread, keySpread, thickness, mass } = bands;
  const length = depth.length;
  const fromQuery = (1 - rise) ** 2;
  const fromKey = rise ** 2;
  for (let i = 0; i < bands.count; i++) {
    const run = reach[i] as number;
    const tilt = (run * slope) ** 2;
    const width = thickness[i] as number;
    const squared =
      (querySpread[i] as number) * fromQuery +
      (keySpread[i] as number) * fromKey +
      width * width * (1 + tilt) +
      tilt * step * step;
    const spread = Math.sqrt(squared);
    const density = ((mass[i] as number) * Math.sqrt(1 + tilt)) / spread;
    const centre = (start[i] as number) + run * rise - origin;
    const low = Math.max(0, (centre - spread / 2) / cell);
    const high = Math.min(length, (centre + spread / 2) / cell);
    if (!(low < high)) continue;
    // Only the changes at both ends are noted; their running sum is the depth.
    const first = Math.floor(low);
    const last = Math.floor(high);
    const lowPart = density * (low - first);
    const highPart = density * (high - last);
    changes[first] = (changes[first] as number) + density - lowPart;
    changes[first + 1] = (changes[first + 1] as number) + lowPart;
    changes[last] = (changes[last] as number) - density + highPart;
    changes[last + 1] = (changes[last + 1] as number) - highPart;
  }
  let sum = 0;
  for (let i = 0; i < length; i++) {
    sum += changes[i] as number;
    depth[i] = (depth[i] as number) + sum;
  }
  changes.fill(0);
}
