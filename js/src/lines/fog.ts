/**
 * Fog: the weight of all lines too faint to be drawn one by one. Lines are pooled into blocks of
 * neighbouring queries × neighbouring keys, and each block is spread over the band its lines run in.
 */
import type { Fog } from "./scene.ts";

/** The block of a position, when `length` positions make `blocks` blocks. Python's `slices.py` has the same. */
export const blockOf = (position: number, blocks: number, length: number): number =>
  Math.floor((position * blocks) / length);

/**
 * Finds the strength from which lines are drawn by themselves, so that at most `limit` are.
 *
 * Lines that are equally strong to five digits pass together or not at all, so fewer than `limit` may.
 *
 * @param strength Strengths of at least 0, in any order; NaN and 0 are no lines.
 * @returns The threshold, to be met or exceeded; `Infinity` where no line may pass.
 */
export function strongest(strength: Float32Array, limit: number): number {
  // The bits of positive floats sort as the floats do: the upper ones find a coarse bin, the next ones
  // a finer bin in it.
  const bits = new Uint32Array(strength.buffer, strength.byteOffset, strength.length);
  const coarse = new Uint32Array(1 << COARSE_BITS);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number;
    if (value === 0 || value > INFINITY_BITS) continue;
    const bin = value >>> (32 - COARSE_BITS);
    coarse[bin] = (coarse[bin] as number) + 1;
  }
  const [bin, passed] = lastFitting(coarse, limit);
  if (bin === 0) return SMALLEST;

  const fine = new Uint32Array(1 << FINE_BITS);
  const start = (bin - 1) << (32 - COARSE_BITS);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number;
    if (value >>> (32 - COARSE_BITS) !== bin - 1 || value === 0) continue;
    const part = (value - start) >>> (32 - COARSE_BITS - FINE_BITS);
    fine[part] = (fine[part] as number) + 1;
  }
  const [part] = lastFitting(fine, limit - passed);
  const threshold = start + part * 2 ** (32 - COARSE_BITS - FINE_BITS);
  return threshold > INFINITY_BITS ? Infinity : floatOf(threshold);
}

const COARSE_BITS = 13;
const FINE_BITS = 13;
const INFINITY_BITS = 0x7f800000;
const SMALLEST = 2 ** -149;

/** The lowest bin down to which no more than `limit` are counted from above, and how many those are. */
function lastFitting(counts: Uint32Array, limit: number): [bin: number, passed: number] {
  let passed = 0;
  for (let bin = counts.length - 1; bin >= 0; bin--) {
    const count = counts[bin] as number;
    if (passed + count > limit) return [bin + 1, passed];
    passed += count;
  }
  return [0, passed];
}

const floatOf = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0] as number;

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
  const rowOf = Uint32Array.from({ length: queries }, (_, query) => blockOf(query, blockRows, queries));
  const colOf = Uint32Array.from({ length: keys }, (_, key) => blockOf(key, blockCols, keys));
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
