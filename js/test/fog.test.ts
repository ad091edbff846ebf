import { describe, expect, it } from "vitest";
import { blockOf, FOG, poolLines, QUICK_LINES, quickly, strongest } from "../src/lines/fog.ts";
import type { Pool } from "../src/lines/scene.ts";
import { edgesOf, linesOf, mostDifferent, randoms, softmax } from "./pictures.ts";

describe("strongest", () => {
  it.each([1, 10, 1000, 9_999])("lets at most %i lines pass, and few fewer", (limit) => {
    const random = randoms(5);
    const strength = Float32Array.from({ length: 100_000 }, () => random() ** 4);
    const threshold = strongest(strength, limit);
    const passed = strength.filter((value) => value >= threshold).length;
    expect(passed).toBeLessThanOrEqual(limit);
    expect(passed).toBeGreaterThan(0.99 * limit - 2);
  });

  it("lets all lines pass where there are few, but nothing that is no line", () => {
    const strength = Float32Array.of(0.5, 1e-45, 0, Number.NaN, 1, -0);
    const threshold = strongest(strength, 3);
    expect([...strength].map((value) => value >= threshold)).toEqual([true, true, false, false, true, false]);
    expect(strongest(new Float32Array(0), 0)).toBeGreaterThan(0);
  });

  it("lets none pass where more than the limit are equally strong", () => {
    expect(1 >= strongest(new Float32Array(10).fill(1), 9)).toBe(false);
    expect(0.3 >= strongest(new Float32Array(10).fill(0.3), 9)).toBe(false);
    expect(0.3 >= strongest(new Float32Array(10).fill(0.3), 10)).toBe(true);
  });

  it("reads the part of a buffer it is given", () => {
    const all = Float32Array.of(1, 1, 1, 0.25, 0.5);
    const threshold = strongest(all.subarray(3), 1);
    expect(0.5 >= threshold && 0.25 < threshold).toBe(true);
  });
});

const BLOCKS = { middle: 16, fine: 50, coarse: 7 };
const sumOf = ({ heads }: Pool, head?: number): number =>
  heads
    .filter((each) => head === undefined || each.head === head)
    .reduce((sum, { strength }) => sum + strength.reduce((a, b) => a + b, 0), 0);

describe("pooled lines", () => {
  it("keep all weight that is not drawn, head by head, in each way of pooling", () => {
    const strength = softmax(3, 50, 1);
    const fog = poolLines(edgesOf(linesOf(strength, 50)), 0.03, [50, 50], BLOCKS);
    expect(fog.heads.map(({ head }) => head)).toEqual([0, 1, 2]);
    for (const head of [0, 1, 2]) {
      const weak = strength.subarray(head * 2500, (head + 1) * 2500).filter((value) => value < 0.03);
      const total = weak.reduce((a, b) => a + b);
      for (const pool of [fog, fog.ends!.query, fog.ends!.key])
        expect(sumOf(pool, head)).toBeCloseTo(total, 3);
    }
    const sizes = [fog, fog.ends!.query, fog.ends!.key].map(({ rows, cols }) => [rows, cols]);
    expect(sizes).toEqual([
      [16, 16],
      [50, 7],
      [7, 50],
    ]);
  });

  it("lie in their blocks", () => {
    const { rows, cols, heads } = poolLines(edgesOf([[1, 3, 2, 0.25]]), 1, [5, 4], { ...BLOCKS, middle: 2 });
    expect({ rows, cols, heads }).toEqual({
      rows: 2,
      cols: 2,
      heads: [{ head: 1, strength: Float32Array.of(0, 0, 0, 0.25) }],
    });
    expect([0, 1, 2, 3, 4].map((position) => blockOf(position, 2, 5))).toEqual([0, 0, 0, 1, 1]);
  });

  it("make no more blocks than there are tokens, and skip what is no line", () => {
    const edges = edgesOf([
      [0, 0, 0, 0.5],
      [0, 0, 1, Number.NaN],
    ]);
    const { rows, cols, heads } = poolLines(edges, Infinity, [1, 2], FOG);
    expect({ rows, cols, heads }).toEqual({
      rows: 1,
      cols: 2,
      heads: [{ head: 0, strength: Float32Array.of(0.5, 0) }],
    });
  });
});

describe("a quick picture", () => {
  const strength = softmax(4, 200, 1);
  const edges = edgesOf(linesOf(strength, 200));
  const total = strength.reduce((a, b) => a + b);
  const carried = (lines: { readonly strength: Float32Array }) => lines.strength.reduce((a, b) => a + b);

  it("has the strongest lines, and all other weight as fog", () => {
    const quick = quickly(edges, undefined, [200, 200]);
    expect(quick.edges.count).toBeLessThanOrEqual(QUICK_LINES);
    expect(quick.edges.count).toBeGreaterThan(0.99 * QUICK_LINES);
    const weakest = Math.min(...quick.edges.strength);
    expect(strength.filter((value) => value > weakest).length).toBeLessThanOrEqual(quick.edges.count);
    expect(sumOf(quick.fog!) + carried(quick.edges)).toBeCloseTo(total, 1);
  });

  it("keeps the fog there is", () => {
    const least = strongest(edges.strength, 20_000);
    const strong = edgesOf(linesOf(strength, 200, least));
    const fog = poolLines(edges, least, [200, 200], FOG);
    const quick = quickly(strong, fog, [200, 200]);
    const all = quickly(edges, undefined, [200, 200]);
    for (const name of ["query", "key"] as const) {
      expect(sumOf(quick.fog!.ends![name]) + carried(quick.edges)).toBeCloseTo(total, 1);
    }
    expect(quick.fog!.rows).toBe(64);
    quick.fog!.heads.forEach(({ strength }, head) => {
      const other = all.fog!.heads[head]!.strength;
      expect(mostDifferent(strength, other)).toBeLessThan(1e-3);
    });
  });
});
