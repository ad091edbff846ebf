/** Python and the page agree: `tests/wire/make.py` made these files, and pytest holds Python to them. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decode } from "../src/codec.ts";
import { combineHeads, type Filter, hiddenShare, selectEdges } from "../src/lines/edges.ts";
import { poolLines, strongest } from "../src/lines/fog.ts";
import { Mark } from "../src/lines/scene.ts";
import { mergeUnits, type Units } from "../src/lines/units.ts";
import { type Scale, strengthOf } from "../src/scale/scale.ts";
import type { Weights } from "../src/store.ts";

const WIRE = new URL("../../tests/wire/", import.meta.url);
const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, WIRE), "utf8")) as T;

type Wire = number | string | null;
type Shape = [heads: number, queries: number, keys: number];

const numberOf = (value: Wire): number => (value === null ? NaN : Number(value));
const floats = (values: readonly Wire[]): Float32Array => Float32Array.from(values, numberOf);
const weightsOf = ([heads, queries, keys]: Shape, nested: readonly unknown[]): Weights => ({
  heads,
  queries,
  keys,
  values: floats(nested.flat(Infinity) as Wire[]),
});

/** Equal as float32 but for the last bits, which the order of a sum decides. */
function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [mine, theirs] = [got[i] as number, expected[i] as number];
    const same = Object.is(mine, theirs) || mine === theirs;
    if (!same && !(Math.abs(mine - theirs) <= tolerance * Math.max(1, Math.abs(theirs)))) {
      expect.fail(`${i}: got ${mine}, expected ${theirs}`);
    }
  }
}

interface EdgesCase {
  readonly name: string;
  readonly shape: Shape;
  readonly weights: readonly unknown[];
  readonly heads: readonly number[];
  readonly filters: Filter;
  readonly full: number;
  readonly query_special: readonly number[];
  readonly key_special: readonly number[];
  readonly expected: {
    readonly query: readonly number[];
    readonly key: readonly number[];
    readonly head: readonly number[];
    readonly weight: readonly Wire[];
    readonly strength: readonly Wire[];
    readonly total: number;
    readonly kept: number;
    readonly missing: number;
  };
}

describe("edges.json", () => {
  const cases = read<EdgesCase[]>("edges.json");

  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    const { shape, filters, full, expected } = one;
    const weights = weightsOf(shape, one.weights);
    const all = Array.from({ length: weights.heads }, (_, head) => head);
    const { edges, total, kept, missing } = selectEdges(combineHeads(weights, all, filters.combine), {
      ...filters,
      kind: "weight",
      heads: one.heads,
      full,
      querySpecial: new Set(one.query_special),
      keySpecial: new Set(one.key_special),
      keyCount: weights.keys,
    });
    // Python lists lines by head, query and key; the page by row, which may be a key's.
    const order = Array.from({ length: edges.count }, (_, i) => i);
    const place = (i: number) =>
      ((one.heads.indexOf(edges.head[i] as number) + 1) * 1e4 + (edges.query[i] as number)) * 1e4 +
      (edges.key[i] as number);
    order.sort((a, b) => place(a) - place(b));
    const sorted = (values: ArrayLike<number>) => order.map((i) => values[i] as number);
    expect(sorted(edges.query)).toEqual(expected.query);
    expect(sorted(edges.key)).toEqual(expected.key);
    expect(sorted(edges.head)).toEqual(expected.head);
    expectClose(sorted(edges.weight), floats(expected.weight));
    expectClose(sorted(edges.strength), floats(expected.strength));
    expectClose([total, kept], [expected.total, expected.kept]);
    expect(missing).toBe(expected.missing);
    expect(sorted(edges.mark)).toEqual(
      expected.weight.map(
        (weight) =>
          (Number(weight) < 0 ? Mark.negative : 0) |
          (Math.abs(Number(weight)) === Infinity ? Mark.infinite : 0),
      ),
    );
    const share = expected.total > 0 ? 1 - expected.kept / expected.total : 0;
    expect(hiddenShare({ total, kept })).toBeCloseTo(share, 6);
  });
});

describe("strength.json", () => {
  interface StrengthCase {
    readonly weights: readonly Wire[];
    readonly full: number;
    readonly keys: number;
    readonly strengths: Readonly<Record<Scale, readonly Wire[]>>;
  }
  const cases = read<StrengthCase[]>("strength.json");

  it.each(cases.map((one, i) => [i, one] as const))("row %i", (_, { weights, full, keys, strengths }) => {
    const row = floats(weights);
    const rowMost = row.reduce((most, w) => (Math.abs(w) < Infinity ? Math.max(most, Math.abs(w)) : most), 0);
    for (const [scale, expected] of Object.entries(strengths) as [Scale, readonly Wire[]][]) {
      const mine = Array.from(row, (weight) => strengthOf(weight, scale, { full, rowMost, keys }));
      expectClose(mine, floats(expected), 2e-6);
    }
  });
});

describe("fog.json", () => {
  interface FogCase {
    readonly size: readonly [queries: number, keys: number];
    readonly query: readonly number[];
    readonly key: readonly number[];
    readonly head: readonly number[];
    readonly strength: readonly number[];
    readonly limit: number;
    readonly sizes: readonly (readonly [rows: number, cols: number])[];
    readonly heads: readonly number[];
    readonly pools: readonly (readonly [head: number, row: number, col: number, sum: number][])[];
  }

  it.each(read<FogCase[]>("fog.json").map((one, i) => [i, one] as const))("case %i", (_, one) => {
    const strength = Float32Array.from(one.strength);
    const edges = {
      count: strength.length,
      query: Uint32Array.from(one.query),
      key: Uint32Array.from(one.key),
      head: Uint16Array.from(one.head),
      weight: strength,
      strength,
      mark: new Uint8Array(strength.length),
    };
    const [middle, byQuery, byKey] = one.sizes as [[number, number], [number, number], [number, number]];
    const blocks = {
      middle: Math.max(...middle),
      fine: Math.max(byQuery[0], byKey[1]),
      coarse: Math.max(byQuery[1], byKey[0]),
    };
    const fog = poolLines(edges, strongest(strength, one.limit), one.size, blocks);
    [fog, fog.ends?.query, fog.ends?.key].forEach((pool, i) => {
      const [rows, cols] = one.sizes[i] as [number, number];
      expect([pool?.rows, pool?.cols]).toEqual([rows, cols]);
      expect(pool?.heads.map(({ head }) => head)).toEqual(one.heads);
      const expected = one.heads.map(() => new Float32Array(rows * cols));
      for (const [head, row, col, sum] of one.pools[i] ?? []) {
        (expected[one.heads.indexOf(head)] as Float32Array)[row * cols + col] = sum;
      }
      pool?.heads.forEach(({ strength: sums }, at) => {
        expectClose(sums, expected[at] as Float32Array);
      });
    });
  });
});

describe("words.json", () => {
  interface WordsCase {
    readonly name: string;
    readonly shape: Shape;
    readonly weights: readonly unknown[];
    readonly query_starts: readonly number[];
    readonly key_starts: readonly number[];
    readonly merged: readonly unknown[];
  }
  const unitsOf = (starts: readonly number[], tokens: number): Units => ({
    count: starts.length,
    labels: starts.map(String),
    special: [],
    starts: Uint32Array.from([...starts, tokens]),
  });

  it.each(read<WordsCase[]>("words.json").map((one) => [one.name, one] as const))("%s", (_, one) => {
    const weights = weightsOf(one.shape, one.weights);
    const [queries, keys] = [
      unitsOf(one.query_starts, weights.queries),
      unitsOf(one.key_starts, weights.keys),
    ];
    const merged = mergeUnits(weights, queries, keys);
    expect([merged.heads, merged.queries, merged.keys]).toEqual([weights.heads, queries.count, keys.count]);
    expectClose(merged.values, floats(one.merged.flat(Infinity) as Wire[]));
  });
});

describe("arrays", () => {
  const names = readdirSync(new URL("arrays/", WIRE)).filter((name) => name.endsWith(".bin"));

  it("are there", () => {
    expect(names.length).toBeGreaterThan(10);
  });

  it.each(names)("%s is read exactly, wherever its bytes lie", (name) => {
    interface Described {
      readonly dtype: string;
      readonly shape: readonly number[];
      readonly values: readonly Wire[];
    }
    const described = read<Described>(`arrays/${name.replace(".bin", ".json")}`);
    const bytes = readFileSync(new URL(`arrays/${name}`, WIRE));
    for (const offset of [0, 1, 3]) {
      const buffer = new ArrayBuffer(bytes.length + offset);
      new Uint8Array(buffer, offset).set(bytes);
      const { shape, values } = decode({ ...described, data: new DataView(buffer, offset) });
      expect(shape).toEqual(described.shape);
      expect(values).toHaveLength(described.values.length);
      described.values.forEach((value, i) => {
        expect(Object.is(values[i], Number(value))).toBe(true);
      });
    }
  });
});
