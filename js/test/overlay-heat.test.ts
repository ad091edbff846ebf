import { describe, expect, it } from "vitest";
import type { PatchesPart } from "../src/content.ts";
import { edgesOf, enclosing, levelLines } from "../src/overlay/contours.ts";
import { alphaOf, gridOf, type Heat, lineOf, pixelsOf, sampled } from "../src/overlay/heat.ts";
import { anchorsOf, colourAt } from "../src/scale/colormap.ts";

const patches = (rows: number, cols: number, more: Partial<PatchesPart> = {}): PatchesPart => ({
  kind: "patches",
  start: 0,
  stop: rows * cols,
  image: null,
  rows,
  cols,
  region: [0, 0, cols, rows],
  order: null,
  ...more,
});

const heatOf = (values: ArrayLike<number>, more: Partial<Heat> = {}): Heat => ({
  side: "key",
  values: Float32Array.from(values),
  strength: (weight) => Math.min(1, Math.abs(weight)),
  anchors: anchorsOf("inferno", false, "light"),
  signed: false,
  opacity: 0.8,
  interpolation: "nearest",
  paint: "heat",
  contours: [0.5, 0.9],
  ...more,
});

const oneHot = (count: number, at: number) =>
  Float32Array.from({ length: count }, (_, i) => Number(i === at));
const line = (count: number, pixels: number, smooth: boolean) =>
  lineOf(count, [0, pixels], [0, pixels], smooth);
const rgba = (pixel: number) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, pixel >>> 24];

describe("half-pixel interpolation", () => {
  const smooth = (at: number) => {
    const across = line(14, 224, true);
    return sampled(oneHot(196, at), 14, across, across);
  };

  it("of a single 1 in 14 × 14 over 224 × 224 pixels reaches .9385", () => {
    expect(Math.max(...smooth(5 * 14 + 6))).toBeCloseTo(0.9385, 4);
  });

  it("keeps the weight within", () => {
    const sum = smooth(5 * 14 + 6).reduce((total, value) => total + value, 0);
    expect(sum / 16 ** 2).toBeCloseTo(1, 6);
  });

  it("never leaves the range of the weights, and is flat beyond the outermost middles", () => {
    const corner = smooth(0);
    expect(Math.max(...corner)).toBe(1);
    expect(Math.min(...corner)).toBe(0);
    expect([...corner.subarray(0, 8)]).toEqual(Array(8).fill(1));
  });

  it("passes through the weights at the middles of cells", () => {
    const values = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 7));
    const found = sampled(values, 4, line(4, 20, true), line(3, 15, true));
    values.forEach((value, cell) => {
      const [row, col] = [Math.floor(cell / 4), cell % 4];
      expect(found[(row * 5 + 2) * 20 + col * 5 + 2]).toBeCloseTo(value, 6);
    });
  });

  it("of a part of the picture is that part of the whole", () => {
    const values = Float32Array.from({ length: 30 }, (_, i) => Math.cos(i * 3));
    const whole = sampled(values, 6, line(6, 61, true), line(5, 47, true));
    const [x, y] = [lineOf(6, [0, 61], [13, 40], true), lineOf(5, [0, 47], [9, 30], true)];
    const part = sampled(values, 6, x, y);
    for (let row = 0; row < 21; row++)
      for (let col = 0; col < 27; col++)
        expect(part[row * 27 + col]).toBeCloseTo(whole[(row + 9) * 61 + col + 13] as number, 6);
  });
});

describe("pixels of cells", () => {
  it("colour by strength, and opacity with it", () => {
    const heat = heatOf([0, 0.25, 1, 0.003]);
    const x = line(4, 8, false);
    const pixels = pixelsOf(heat, "light", gridOf(patches(1, 4), heat), x, line(1, 1, false), false);
    const middle = [...colourAt(heat.anchors, 0.25), Math.round(255 * 0.8 * 0.5)];
    expect([...pixels].map(rgba).map(([, , , alpha]) => alpha)).toEqual([0, 0, 102, 102, 204, 204, 0, 0]);
    expect(rgba(pixels[2] as number)).toEqual(middle);
    expect(rgba(pixels[4] as number).slice(0, 3)).toEqual(colourAt(heat.anchors, 1));
  });

  it("where cells share a pixel the strongest shows", () => {
    const values = oneHot(64 * 64, 17 * 64 + 40);
    const heat = heatOf(values);
    const across = line(64, 20, false);
    const pixels = pixelsOf(heat, "light", gridOf(patches(64, 64), heat), across, across, false);
    const lit = [...pixels.keys()].filter((at) => (pixels[at] as number) >>> 24 > 0);
    expect(lit).toEqual([Math.floor((17 * 20) / 64) * 20 + Math.floor((40 * 20) / 64)]);
  });

  it("signed weights take either end of the colours", () => {
    const anchors = anchorsOf("auto", true, "light");
    const heat = heatOf([-1, 1], { signed: true, anchors });
    for (const interpolation of ["nearest", "bilinear"] as const) {
      const smooth = interpolation === "bilinear";
      const [x, y] = [line(2, 2, smooth), line(1, 1, smooth)];
      const pixels = pixelsOf(heat, "light", gridOf(patches(1, 2), heat), x, y, smooth);
      expect(rgba(pixels[0] as number).slice(0, 3)).toEqual(anchors[0]);
      expect(rgba(pixels[1] as number).slice(0, 3)).toEqual(anchors.at(-1));
    }
  });

  it("interpolates weights, then colours them", () => {
    const heat = heatOf([0, 1], { strength: (weight) => Math.sqrt(weight), interpolation: "bilinear" });
    const x = line(2, 100, true);
    const pixels = pixelsOf(heat, "light", gridOf(patches(1, 2), heat), x, line(1, 1, true), true);
    for (const at of [30, 40, 50, 60, 74]) {
      const strength = Math.sqrt((at + 0.5 - 25) / 50);
      const [red, green, blue, alpha] = rgba(pixels[at] as number);
      const wanted = colourAt(heat.anchors, strength);
      for (const [is, must] of [
        [red, wanted[0]],
        [green, wanted[1]],
        [blue, wanted[2]],
        [alpha, 255 * alphaOf(strength, 0.8)],
      ] as [number, number][])
        expect(Math.abs(is - must)).toBeLessThanOrEqual(1);
    }
  });

  it("interpolated weights fade in: no step between neighbouring pixels", () => {
    const heat = heatOf([0, 1], { interpolation: "bilinear" });
    const x = line(2, 400, true);
    const pixels = pixelsOf(heat, "light", gridOf(patches(1, 2), heat), x, line(1, 1, true), true);
    const alphas = [...pixels].map((pixel) => pixel >>> 24);
    expect(Math.max(...alphas.map((alpha, at) => Math.abs(alpha - (alphas[at + 1] ?? alpha))))).toBeLessThan(
      10,
    );
    expect(Math.max(...alphas)).toBe(204);
  });

  it("dims what is weak", () => {
    const heat = heatOf([0, 1], { paint: "dim", opacity: 0.6 });
    const grid = gridOf(patches(1, 2), heat);
    const pixels = pixelsOf(heat, "light", grid, line(2, 2, false), line(1, 1, false), false);
    expect([...pixels].map(rgba)).toEqual([
      [255, 255, 255, 153],
      [255, 255, 255, 0],
    ]);
  });

  it("opacity follows strength", () => {
    expect([0, 0.004, 0.01, 0.25, 0.7, 1].map((strength) => alphaOf(strength, 0.8))).toEqual([
      0,
      0,
      0.8 * 0.02,
      0.4,
      0.8,
      0.8,
    ]);
  });
});

describe("odd cells", () => {
  it("are told apart, whatever the order", () => {
    const part = patches(2, 3, { order: [3, -1, 0, 5, 1], stop: 5 });
    const heat = heatOf([Number.NaN, 0.3, 0.2, Infinity, 0.1], { aside: [4] });
    const { odd, values } = gridOf(part, heat);
    expect([...odd].sort()).toEqual([
      [1, "aside"],
      [2, "none"],
      [3, "missing"],
      [4, "none"],
      [5, "infinite"],
    ]);
    expect(gridOf(part, heatOf([-Infinity, 1, 1, 1, 1])).odd.get(3)).toBe("masked");
    expect(values[0]).toBeCloseTo(0.2);
    // Its only known neighbour is the first cell.
    expect(values[1]).toBeCloseTo(0.2);
    expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe("sets that hold a share", () => {
  it("are the smallest ones", () => {
    const weights = [0.1, 0.4, Number.NaN, 0.2, 0.3, Infinity, 0];
    const { order, counts } = enclosing(weights, [...weights.keys()], [0.4, 0.5, 0.7, 0.71, 1]);
    expect(order).toEqual([1, 4, 3, 0]);
    expect(counts).toEqual([1, 2, 2, 3, 4]);
  });

  it("of members only, by magnitude", () => {
    expect(enclosing([5, -2, 1], [1, 2], [0.6])).toEqual({ order: [1, 2], counts: [1] });
    expect(enclosing([0, 0], [0, 1], [0.5])).toEqual({ order: [], counts: [0] });
  });

  it("every sum of float32 weights reaches 1", () => {
    const weights = Float32Array.from({ length: 196 }, (_, i) => 1 / (3 + i));
    expect(enclosing(weights, [...weights.keys()], [1]).counts).toEqual([196]);
  });
});

const lengthOf = (pieces: readonly (readonly [number, number, number, number])[]) =>
  pieces.reduce((sum, [x, y, toX, toY]) => sum + Math.hypot(toX - x, toY - y), 0);

describe("edges of cells", () => {
  const block = (row: number, col: number) => row >= 1 && row <= 2 && col >= 1 && col <= 3;

  it("run around a block in four pieces", () => {
    const pieces = edgesOf(5, 6, block, false);
    expect(pieces).toEqual([
      [1, 1, 4, 1],
      [1, 3, 4, 3],
      [1, 1, 1, 3],
      [4, 1, 4, 3],
    ]);
  });

  it("or around each of its cells", () => {
    expect(lengthOf(edgesOf(5, 6, block, true))).toBe(3 * 3 + 4 * 2);
  });

  it("also at the border", () => {
    expect(lengthOf(edgesOf(2, 3, () => true, false))).toBe(10);
    expect(edgesOf(2, 3, () => false, false)).toEqual([]);
  });
});

describe("level lines", () => {
  const field = (size: number, value: (x: number, y: number) => number) =>
    Float32Array.from({ length: size * size }, (_, at) =>
      value((at % size) + 0.5, Math.floor(at / size) + 0.5),
    );

  it("of a cone are circles", () => {
    const pieces = levelLines(
      field(40, (x, y) => 20 - Math.hypot(x - 20, y - 20)),
      40,
      40,
      8,
    );
    for (const [x, y] of pieces) expect(Math.hypot(x - 20, y - 20)).toBeCloseTo(12, 0);
    expect(lengthOf(pieces)).toBeGreaterThan(2 * Math.PI * 12 * 0.98);
    expect(lengthOf(pieces)).toBeLessThan(2 * Math.PI * 12 * 1.02);
  });

  it.each([0.3, 0.7])("are closed, and never cross, in noise (%f)", (level) => {
    const noise = field(16, (x, y) => (Math.sin(x * 12.9898 + y * 78.233) * 43758.5453) % 1);
    const ends = new Map<string, number>();
    for (const [x, y, toX, toY] of levelLines(noise, 16, 16, level)) {
      for (const end of [`${x.toFixed(6)},${y.toFixed(6)}`, `${toX.toFixed(6)},${toY.toFixed(6)}`])
        ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect(ends.size).toBeGreaterThan(10);
    expect([...ends.values()].every((count) => count % 2 === 0)).toBe(true);
  });

  it("run along the border where all is above, its corners cut by half a sample", () => {
    const pieces = levelLines(Float32Array.of(1, 1, 1, 1), 2, 2, 0.5);
    expect(lengthOf(pieces)).toBeCloseTo(4 + 4 * Math.SQRT1_2, 9);
    expect(levelLines(Float32Array.of(0, 0, 0, 0), 2, 2, 0.5)).toEqual([]);
  });
});
