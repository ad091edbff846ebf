import { describe, expect, it } from "vitest";
import {
  composite,
  createComposite,
  type Raster,
  type Scene,
  type Viewport,
} from "../src/lines/composite.ts";
import { blockOf, poolFog, strongest } from "../src/lines/fog.ts";
import { COMBINED, type Edges, type Fog, type Geometry, Mark, type Rgb } from "../src/lines/scene.ts";

const WIDTH = 96;
const HEIGHT = 480;
const WHOLE: Viewport = { left: 0, top: 0, width: WIDTH, height: HEIGHT, ratio: 1 };

const COLOURS: readonly Rgb[] = [
  [0, 114, 178],
  [230, 159, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [213, 94, 0],
];
const colour = (head: number): Rgb => COLOURS[head % COLOURS.length] as Rgb;

/** Numbers that look random and are the same in every run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

/** Rows of softmax over logits of this standard deviation, of shape (heads, tokens, tokens). */
function softmax(heads: number, tokens: number, deviation: number): Float32Array {
  const random = randoms(heads * 1000 + tokens);
  const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  const weights = new Float32Array(heads * tokens * tokens);
  for (let row = 0; row < weights.length; row += tokens) {
    let sum = 0;
    for (let i = row; i < row + tokens; i++) {
      const weight = Math.exp(deviation * normal());
      weights[i] = weight;
      sum += weight;
    }
    for (let i = row; i < row + tokens; i++) weights[i]! /= sum;
  }
  return weights;
}

type Line = readonly [head: number, query: number, key: number, strength: number, mark?: number];

const edgesOf = (lines: readonly Line[]): Edges => ({
  count: lines.length,
  head: Uint16Array.from(lines, ([head]) => head),
  query: Uint32Array.from(lines, ([, query]) => query),
  key: Uint32Array.from(lines, ([, , key]) => key),
  strength: Float32Array.from(lines, ([, , , strength]) => strength),
  weight: Float32Array.from(lines, ([, , , strength]) => strength),
  mark: Uint8Array.from(lines, ([, , , , mark]) => mark ?? 0),
});

/** All lines of at least this strength. */
function linesOf(strength: Float32Array, tokens: number, threshold = 1e-30): Line[] {
  const lines: Line[] = [];
  strength.forEach((value, i) => {
    const row = Math.floor(i / tokens);
    if (value >= threshold) lines.push([Math.floor(row / tokens), row % tokens, i % tokens, value]);
  });
  return lines;
}

function geometryOf(tokens: number, vertical = true): Geometry {
  const pitch = HEIGHT / tokens;
  const places = Float32Array.from({ length: tokens }, (_, i) => (i + 0.5) * pitch);
  return { vertical, along: { query: 0, key: WIDTH }, query: places, key: places, pitch };
}

/** Columns to compare: enough to meet every phase of the fog, few enough to draw exactly. */
const COLUMNS = Array.from({ length: WIDTH }, (_, x) => x).filter((x) => x % 5 === 0);

/**
 * Every line by itself, without any of the composite's shortcuts: the curve as a Bézier polygon, its
 * area in each pixel from four sections a column, depths summed in doubles.
 *
 * @returns Colour on white of each pixel of `COLUMNS`, column by column, 0..255.
 */
function exact({ edges, geometry }: Scene): Float64Array {
  const POINTS = 4000;
  const SECTIONS = 4;
  const along = new Float64Array(POINTS + 1);
  const rise = new Float64Array(POINTS + 1);
  for (let i = 0; i <= POINTS; i++) {
    const t = i / POINTS;
    along[i] = 3 * (1 - t) ** 2 * t * 0.5 + 3 * (1 - t) * t ** 2 * 0.5 + t ** 3;
    rise[i] = 3 * (1 - t) * t ** 2 + t ** 3;
  }
  const riseAt = (share: number) => {
    const point = Math.max(
      1,
      along.findIndex((at) => at >= share),
    );
    const part = (share - along[point - 1]!) / (along[point]! - along[point - 1]!);
    return rise[point - 1]! + part * (rise[point]! - rise[point - 1]!);
  };
  const sections = Array.from({ length: WIDTH * SECTIONS }, (_, i) => {
    const share = (i + 0.5) / SECTIONS / WIDTH;
    const step = 1e-4;
    const [before, after] = [Math.max(0, share - step), Math.min(1, share + step)];
    return { rise: riseAt(share), slope: (riseAt(after) - riseAt(before)) / (after - before) / WIDTH };
  });
  const sums = new Float64Array(COLUMNS.length * HEIGHT * 4);
  const area = new Float64Array(HEIGHT);
  for (let edge = 0; edge < edges.count; edge++) {
    const strength = edges.strength[edge]!;
    const opacity = 0.9 * strength;
    const width = 0.75 + (Math.min(7, Math.max(1.25, 0.3 * geometry.pitch)) - 0.75) * strength;
    const start = geometry.query[edges.query[edge]!]!;
    const reach = geometry.key[edges.key[edge]!]! - start;
    const rgb = colour(edges.head[edge]!);
    for (const [column, x] of COLUMNS.entries()) {
      let top = HEIGHT;
      let bottom = -1;
      for (let section = x * SECTIONS; section < (x + 1) * SECTIONS; section++) {
        const { rise, slope } = sections[section]!;
        const half = (width / 2) * Math.hypot(1, reach * slope);
        const low = Math.max(0, start + reach * rise - half);
        const high = Math.min(HEIGHT, start + reach * rise + half);
        for (let y = Math.floor(low); y < high; y++) {
          area[y]! += (Math.min(high, y + 1) - Math.max(low, y)) / SECTIONS;
          top = Math.min(top, y);
          bottom = Math.max(bottom, y);
        }
      }
      for (let y = top; y <= bottom; y++) {
        const depth = -Math.log(1 - opacity * area[y]!);
        area[y] = 0;
        const at = (column * HEIGHT + y) * 4;
        sums[at]! += depth;
        for (let channel = 0; channel < 3; channel++) sums[at + 1 + channel]! += depth * rgb[channel]!;
      }
    }
  }
  const pixels = new Float64Array(COLUMNS.length * HEIGHT * 3);
  for (let i = 0; i < COLUMNS.length * HEIGHT; i++) {
    const depth = sums[4 * i]!;
    const alpha = 1 - Math.exp(-depth);
    for (let channel = 0; channel < 3; channel++) {
      const ink = depth > 0 ? sums[4 * i + 1 + channel]! / depth : 0;
      pixels[3 * i + channel] = alpha * ink + (1 - alpha) * 255;
    }
  }
  return pixels;
}

/** Colour on white of each pixel of `COLUMNS`, column by column. */
function onWhite({ data }: Raster): Float64Array {
  const pixels = new Float64Array(COLUMNS.length * HEIGHT * 3);
  COLUMNS.forEach((x, column) => {
    for (let y = 0; y < HEIGHT; y++) {
      const from = (y * WIDTH + x) * 4;
      const alpha = data[from + 3]! / 255;
      for (let channel = 0; channel < 3; channel++) {
        const at = (column * HEIGHT + y) * 3 + channel;
        pixels[at] = alpha * data[from + channel]! + (1 - alpha) * 255;
      }
    }
  });
  return pixels;
}

/** Mean absolute difference, in levels of 255. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

function mostDifferent(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

const alphas = ({ data }: Raster): Uint8ClampedArray => data.filter((_, i) => i % 4 === 3);

describe("the composite against every line drawn exactly", () => {
  it.each([
    ["12 heads of 128 tokens", 12, 128, 2],
    ["12 near-uniform heads of 128 tokens", 12, 128, 0.1],
    ["one head of 256 tokens", 1, 256, 2],
    ["3 heads of 12 tokens", 3, 12, 2],
  ])("%s", { timeout: 120_000 }, (_, heads, tokens, deviation) => {
    const strength = softmax(heads, tokens, deviation);
    const geometry = geometryOf(tokens);
    const scene: Scene = { edges: edgesOf(linesOf(strength, tokens)), geometry, colour };
    const truth = exact(scene);
    expect(difference(onWhite(composite(scene, WHOLE)), truth)).toBeLessThan(0.75);

    const threshold = strongest(strength, 5000);
    const numbers = Array.from({ length: heads }, (_, head) => head);
    const fog = poolFog(strength, numbers, tokens, tokens, threshold, tokens, tokens);
    const hazy: Scene = { ...scene, edges: edgesOf(linesOf(strength, tokens, threshold)), fog };
    expect(hazy.edges.count).toBeLessThanOrEqual(5000);
    expect(difference(onWhite(composite(hazy, WHOLE)), truth)).toBeLessThan(2);
  });
});

describe("the composite", () => {
  const strength = softmax(4, 24, 2);
  const lines = linesOf(strength, 24);
  const geometry = geometryOf(24);
  const fog = poolFog(softmax(4, 24, 0.1), [0, 1, 2, 3], 24, 24, Infinity, 12, 12);
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
    const flat = new Float32Array(tokens * tokens).fill(1 / tokens);
    expect(strongest(flat, 5000)).toBeGreaterThan(1 / tokens);
    const pooled = poolFog(flat, [0], tokens, tokens, Infinity, 160, 160);
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

describe("poolFog", () => {
  it("keeps all weight that is not drawn, head by head", () => {
    const strength = softmax(3, 50, 1);
    const total = (head: number, keep: (value: number, i: number) => boolean) =>
      strength
        .subarray(head * 2500, (head + 1) * 2500)
        .reduce((sum, value, i) => sum + (keep(value, i) ? value : 0), 0);
    const mask = Uint8Array.from(strength, (_, i) => Number(i % 3 === 0));
    const byThreshold = poolFog(strength, [4, 5, 6], 50, 50, 0.03, 16, 7);
    const byMask = poolFog(strength, [4, 5, 6], 50, 50, mask, 16, 7);
    for (const head of [0, 1, 2]) {
      const sum = (fog: Fog) => fog.heads[head]!.strength.reduce((a, b) => a + b);
      expect(sum(byThreshold)).toBeCloseTo(
        total(head, (value) => value < 0.03),
        3,
      );
      expect(sum(byMask)).toBeCloseTo(
        total(head, (_, i) => (head * 2500 + i) % 3 !== 0),
        3,
      );
      expect(byThreshold.heads[head]!.head).toBe(head + 4);
    }
    expect([byThreshold.rows, byThreshold.cols]).toEqual([16, 7]);
  });

  it("puts each line into its block", () => {
    const strength = new Float32Array(2 * 5 * 4);
    strength[1 * 20 + 3 * 4 + 2] = 0.25;
    const { rows, cols, heads } = poolFog(strength, [0, 1], 5, 4, Infinity, 2, 2);
    expect([rows, cols]).toEqual([2, 2]);
    expect(heads.map((head) => [...head.strength])).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0.25],
    ]);
    expect([0, 1, 2, 3, 4].map((position) => blockOf(position, 2, 5))).toEqual([0, 0, 0, 1, 1]);
  });

  it("makes no more blocks than there are tokens, and skips NaN", () => {
    const fog = poolFog(Float32Array.of(0.5, Number.NaN), [0], 1, 2, Infinity, 160, 160);
    expect(fog).toEqual({ rows: 1, cols: 2, heads: [{ head: 0, strength: Float32Array.of(0.5, 0) }] });
  });

  it("says what does not fit", () => {
    expect(() => poolFog(new Float32Array(5), [0], 2, 3, 1, 1, 1)).toThrow(
      new RangeError("strength must have 6 elements; got 5"),
    );
    expect(() => poolFog(new Float32Array(6), [0], 2, 3, new Uint8Array(2), 1, 1)).toThrow(
      new RangeError("drawn must have 6 elements; got 2"),
    );
  });
});
