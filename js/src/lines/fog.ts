/**
 * Fog: the weight of all lines too faint to be drawn one by one. Lines are pooled into blocks of
 * neighbouring queries × neighbouring keys, and each block is spread over the band its lines run in.
 */
import type { Fog } from "./scene.ts";

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
