/**
 * Fog: the weight of all lines too faint to be drawn one by one. Lines are pooled into blocks of
 * neighbouring queries × neighbouring keys, and each block is spread over the band its lines run in.
 */
import { gather } from "./edges.ts";
import type { Edges, Fog, Pool } from "./scene.ts";

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

/** Blocks a side: in the middle, and for either end along its own side and along the other. */
export interface Blocks {
  readonly middle: number;
  readonly fine: number;
  readonly coarse: number;
}

/** As `answers.py` pools. */
export const FOG: Blocks = { middle: 128, fine: 512, coarse: 32 };
const QUICK: Blocks = { middle: 64, fine: 512, coarse: 12 };
export const QUICK_LINES = 5_000;

/** Pools lines weaker than `below` into blocks; `sizes` are the numbers of queries and keys. */
export function poolLines(
  edges: Edges,
  below: number,
  [queries, keys]: readonly [number, number],
  { middle, fine, coarse }: Blocks,
): Fog {
  const pool = (rows: number, cols: number): Pool => {
    const sums = blankSums(Math.min(rows, queries), Math.min(cols, keys));
    const rowOf = blocksOf(queries, sums.rows);
    const colOf = blocksOf(keys, sums.cols);
    for (let i = 0; i < edges.count; i++) {
      const strength = edges.strength[i] as number;
      if (!(strength > 0 && strength < below)) continue;
      const row = rowOf[edges.query[i] as number] as number;
      sums.add(edges.head[i] as number, row, colOf[edges.key[i] as number] as number, strength);
    }
    return sums.pool();
  };
  return { ...pool(middle, middle), ends: { query: pool(fine, coarse), key: pool(coarse, fine) } };
}

/** The strongest of `edges`, and all the rest as coarse fog: a first picture, soon drawn. */
export function quickly(
  edges: Edges,
  fog: Fog | undefined,
  sizes: readonly [queries: number, keys: number],
): { readonly edges: Edges; readonly fog: Fog } {
  const least = strongest(edges.strength, QUICK_LINES);
  const strong: number[] = [];
  edges.strength.forEach((strength, i) => {
    if (strength >= least) strong.push(i);
  });
  const rest = poolLines(edges, least, sizes, QUICK);
  const { query, key } = rest.ends as Ends;
  const ends = fog && {
    query: joined(query, fog.ends?.query ?? fog),
    key: joined(key, fog.ends?.key ?? fog),
  };
  return { edges: gather(edges, strong), fog: fog ? { ...joined(rest, fog), ends } : rest };
}

type Ends = NonNullable<Fog["ends"]>;

/** `pool` with another one added, whose blocks lie within its own. */
function joined({ rows, cols, heads }: Pool, other: Pool): Pool {
  // A pool of nothing has the size of what it joins.
  const sums = blankSums(Math.min(rows, other.rows), Math.min(cols, other.cols));
  for (const part of [{ rows, cols, heads }, other]) {
    const rowOf = blocksOf(part.rows, sums.rows);
    const colOf = blocksOf(part.cols, sums.cols);
    for (const { head, strength } of part.heads) {
      strength.forEach((sum, at) => {
        const row = rowOf[Math.floor(at / part.cols)] as number;
        if (sum > 0) sums.add(head, row, colOf[at % part.cols] as number, sum);
      });
    }
  }
  return sums.pool();
}

const blocksOf = (length: number, blocks: number): Uint32Array =>
  Uint32Array.from({ length }, (_, position) => blockOf(position, blocks, length));

function blankSums(rows: number, cols: number) {
  const heads = new Map<number, Float32Array>();
  return {
    rows,
    cols,
    add(head: number, row: number, col: number, strength: number): void {
      let sums = heads.get(head);
      if (!sums) {
        sums = new Float32Array(rows * cols);
        heads.set(head, sums);
      }
      const at = row * cols + col;
      sums[at] = (sums[at] as number) + strength;
    },
    pool(): Pool {
      const found = [...heads].sort(([a], [b]) => a - b);
      return { rows, cols, heads: found.map(([head, strength]) => ({ head, strength })) };
    },
  };
}
