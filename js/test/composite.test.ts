import { describe, expect, it } from "vitest";
import { composite, createComposite, type Raster, type Scene } from "../src/lines/composite.ts";
import { poolLines } from "../src/lines/fog.ts";
import { COMBINED, type Fog, type Geometry, Mark } from "../src/lines/scene.ts";
import {
  colour,
  edgesOf,
  geometryOf,
  HEIGHT,
  linesOf,
  mostDifferent,
  randoms,
  softmax,
  WHOLE,
  WIDTH,
} from "./pictures.ts";

const alphas = ({ data }: Raster): Uint8ClampedArray => data.filter((_, i) => i % 4 === 3);

describe("the composite", () => {
  const strength = softmax(4, 24, 2);
  const lines = linesOf(strength, 24);
  const geometry = geometryOf(24);
  const blocks = { middle: 12, fine: 24, coarse: 6 };
  const fog = poolLines(edgesOf(linesOf(softmax(4, 24, 0.1), 24)), Infinity, [24, 24], blocks);
  const scene: Scene = { edges: edgesOf(lines), fog, geometry, colour };

  it("is the same in whatever order lines and heads come", () => {
    const random = randoms(3);
    const shuffled = lines
      .map((line) => ({ line, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ line }) => line);
    const turned: Fog = { ...fog, heads: [...fog.heads].reverse() };
    const other = composite({ ...scene, edges: edgesOf(shuffled), fog: turned }, WHOLE);
    expect(mostDifferent(other.data, composite(scene, WHOLE).data)).toBeLessThanOrEqual(1);
  });

  it("draws columns and rows alike", () => {
    const upright = composite(scene, WHOLE);
    const lying = composite(
      { ...scene, geometry: { ...geometry, vertical: false } },
      { left: 0, top: 0, width: HEIGHT, height: WIDTH, ratio: 1 },
    );
    expect([lying.width, lying.height]).toEqual([HEIGHT, WIDTH]);
    const turned = new Uint8ClampedArray(lying.data.length);
    for (let x = 0; x < WIDTH; x++) {
      for (let y = 0; y < HEIGHT; y++) {
        for (let channel = 0; channel < 4; channel++) {
          turned[(y * WIDTH + x) * 4 + channel] = lying.data[(x * HEIGHT + y) * 4 + channel]!;
        }
      }
    }
    expect(mostDifferent(turned, upright.data)).toBe(0);
  });

  const dense = softmax(2, 128, 2);
  const crowd: Scene = { edges: edgesOf(linesOf(dense, 128)), geometry: geometryOf(128), colour };

  it.each([
    ["few lines and fog", 1, scene],
    ["few lines and fog", 1.5, scene],
    ["few lines and fog", 2, scene],
    ["many lines", 1, crowd],
  ])("tiles %s without seams at %d device pixels a CSS pixel", (_, ratio, scene) => {
    const whole = composite(scene, { ...WHOLE, ratio });
    const across = 2 * 74;
    const along = 2 * 26;
    for (const [left, right] of [
      [0, along],
      [along, WIDTH],
    ] as const) {
      for (const [top, bottom] of [
        [0, across],
        [across, HEIGHT],
      ] as const) {
        const tile = composite(scene, { left, top, width: right - left, height: bottom - top, ratio });
        const part = new Uint8ClampedArray(tile.data.length);
        for (let y = 0; y < tile.height; y++) {
          const from = ((y + top * ratio) * whole.width + left * ratio) * 4;
          part.set(whole.data.subarray(from, from + tile.width * 4), y * tile.width * 4);
        }
        expect(mostDifferent(tile.data, part)).toBeLessThanOrEqual(1);
      }
    }
  });

  it("shows uniform attention over 1,024 tokens, of which no line by itself changes a pixel", () => {
    const tokens = 1024;
    const flat = edgesOf(linesOf(new Float32Array(tokens * tokens).fill(1 / tokens), tokens));
    const pooled = poolLines(flat, Infinity, [tokens, tokens], { middle: 128, fine: 512, coarse: 32 });
    const { data } = composite(
      { edges: edgesOf([]), fog: pooled, geometry: geometryOf(tokens), colour },
      WHOLE,
    );
    const alpha = data.filter((_, i) => i % 4 === 3);
    const middle = alpha[240 * WIDTH + 80]!;
    expect(middle).toBeGreaterThan(100);
    expect(alpha[240 * WIDTH + 1]).toBeGreaterThan(100);
    expect(data.slice((240 * WIDTH + 80) * 4, (240 * WIDTH + 80) * 4 + 3)).toEqual(
      Uint8ClampedArray.of(0, 114, 178),
    );
  });

  it("is transparent where nothing is", () => {
    const { data } = composite({ edges: edgesOf([[0, 0, 0, 1]]), geometry, colour }, WHOLE);
    const lower = data.subarray(40 * WIDTH * 4);
    expect(lower.every((channel) => channel === 0)).toBe(true);
    expect(composite({ edges: edgesOf([]), geometry, colour }, WHOLE).data.some(Boolean)).toBe(false);
  });

  it("draws a level line as wide and as opaque as its strength says", () => {
    const raster = composite({ edges: edgesOf([[0, 3, 3, 0.8]]), geometry, colour }, WHOLE);
    const column = Array.from({ length: HEIGHT }, (_, y) => raster.data[(y * WIDTH + 80) * 4 + 3]!);
    // Pitch 20 gives 0.75 + 0.8 · 5.25 = 4.95 px, centred on 70: 67.525 to 72.475.
    const inked = column.flatMap((alpha, y) => (alpha > 0 ? [[y, alpha]] : []));
    const opacity = (coverage: number) => Math.round(255 * 0.72 * coverage);
    expect(inked).toEqual([
      [67, opacity(0.475)],
      ...[68, 69, 70, 71].map((y) => [y, opacity(1)]),
      [72, opacity(0.475)],
    ]);
    const at = (70 * WIDTH + 80) * 4;
    expect(raster.data.slice(at, at + 3)).toEqual(Uint8ClampedArray.of(0, 114, 178));
  });

  it("mixes colours by how much ink each lays", () => {
    const even = composite(
      {
        edges: edgesOf([
          [0, 3, 3, 0.5],
          [1, 3, 3, 0.5],
        ]),
        geometry,
        colour,
      },
      WHOLE,
    );
    const at = (70 * WIDTH + 80) * 4;
    expect(mostDifferent(even.data.subarray(at, at + 3), [115, 136.5, 89])).toBeLessThan(1);
    expect(even.data[at + 3]).toBe(Math.round(255 * (1 - 0.55 ** 2)));
  });

  it("draws lines that run from right to left, and merged heads", () => {
    const mirrored: Geometry = { ...geometry, along: { query: WIDTH, key: 0 } };
    const there = composite({ edges: edgesOf([[COMBINED, 2, 9, 0.8]]), geometry, colour }, WHOLE);
    const back = composite({ edges: edgesOf([[COMBINED, 2, 9, 0.8]]), geometry: mirrored, colour }, WHOLE);
    const turned = new Uint8ClampedArray(back.data.length);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const from = (y * WIDTH + WIDTH - 1 - x) * 4;
        turned.set(back.data.subarray(from, from + 4), (y * WIDTH + x) * 4);
      }
    }
    expect(mostDifferent(turned, there.data)).toBeLessThanOrEqual(1);
    expect(alphas(there).some((alpha) => alpha > 100)).toBe(true);
  });

  it("dashes negative lines and dots infinite ones", () => {
    const inkOf = (mark: number) => {
      const raster = composite({ edges: edgesOf([[0, 3, 3, 0.8, mark]]), geometry, colour }, WHOLE);
      const row = Array.from({ length: WIDTH }, (_, x) => raster.data[(70 * WIDTH + x) * 4 + 3]!);
      const full = Math.round(0.72 * 255);
      expect(Math.min(...row)).toBe(mark === 0 ? full : 0);
      expect(Math.max(...row)).toBe(full);
      return row.reduce((sum, alpha) => sum + alpha, 0) / full / WIDTH;
    };
    expect(inkOf(0)).toBe(1);
    expect(inkOf(Mark.negative)).toBeCloseTo(7 / 11, 1);
    expect(inkOf(Mark.infinite)).toBeCloseTo(2 / 6, 1);
    expect(inkOf(Mark.infinite | Mark.negative)).toBeCloseTo(2 / 6, 1);
  });

  it("leaves out what is no line: NaN and 0", () => {
    const none = composite(
      {
        edges: edgesOf([
          [0, 1, 2, Number.NaN],
          [0, 1, 2, 0],
        ]),
        geometry,
        colour,
      },
      WHOLE,
    );
    expect(none.data.some(Boolean)).toBe(false);
  });

  it("is done in steps, with the same result", () => {
    const drawing = createComposite(scene, WHOLE);
    expect(drawing.done).toBe(false);
    let steps = 0;
    while (!drawing.step(0)) steps++;
    expect(steps).toBeGreaterThan(WIDTH);
    expect(drawing.done).toBe(true);
    expect(drawing.step(0)).toBe(true);
    expect(mostDifferent(drawing.raster.data, composite(scene, WHOLE).data)).toBe(0);
  });

  it.each([
    { ...WHOLE, width: 0 },
    { ...WHOLE, height: 0 },
    { ...WHOLE, left: 10_000 },
    { ...WHOLE, top: -10_000 },
  ])("draws nothing, quietly, through %j", (viewport) => {
    expect(composite(scene, viewport).data.some(Boolean)).toBe(false);
  });
});
