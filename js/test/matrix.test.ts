import { describe, expect, it } from "vitest";
import {
  byRows,
  entropyOf,
  fieldOf,
  gridOf,
  isCausal,
  maskCausal,
  renormalised,
  rescaled,
} from "../src/matrix/field.ts";
import {
  type LayoutInput,
  labelled,
  layOut,
  MOST_PLOT,
  panned,
  revealed,
  type Sight,
  sightline,
  stepOf,
  wholeOf,
  windowOf,
  zoomed,
} from "../src/matrix/layout.ts";
import {
  along,
  blankRaster,
  bounds,
  cover,
  type Grid,
  paintCodes,
  type Sightline,
} from "../src/matrix/pool.ts";
import { codeOf, INFINITE, MASKED, MISSING, MOST, numberOf, ZERO } from "../src/scale/codes.ts";
import { random } from "./fakes.ts";

const next = random(11);
const whole = (count: number) => Math.floor(next() * count);

const gridWith = (rows: number, cols: number, fill: (row: number, col: number) => number): Grid => ({
  rows: [0, rows],
  cols: [0, cols],
  height: rows,
  width: cols,
  max: Uint16Array.from({ length: rows * cols }, (_, at) => fill(Math.floor(at / cols), at % cols)),
  mean: null,
});

function raster(grid: Grid, y: Sightline, x: Sightline, pool: "max" | "mean" = "max", signed = false) {
  const made = blankRaster(x.pixels, y.pixels);
  paintCodes(made, grid, y, x, pool, signed);
  return made;
}

describe("bins", () => {
  it("hold position i of n in bin i*bins//n", () => {
    for (let trial = 0; trial < 300; trial++) {
      const [start, count] = [whole(50), 1 + whole(400)];
      const bins = 1 + whole(count);
      const starts = bounds([start, start + count], bins);
      for (let i = 0; i < count; i++) {
        const bin = Math.floor((i * bins) / count);
        expect(start + i).toBeGreaterThanOrEqual(starts[bin] as number);
        expect(start + i).toBeLessThan(starts[bin + 1] as number);
      }
    }
  });

  it("are the pixels, where there is one a bin", () => {
    for (const [count, bins] of [
      [512, 500],
      [1000, 77],
      [131, 131],
      [7, 3],
    ] as const) {
      const grid = gridWith(1, count, (_, col) => col);
      const { codes } = raster(grid, sightline([0, 1], 1), sightline([0, count], bins));
      const lastOf = Array.from({ length: bins }, (_, bin) => Math.ceil(((bin + 1) * count) / bins) - 1);
      expect([...codes]).toEqual(lastOf);
    }
  });
});

describe("pixels", () => {
  it("show a single bright cell at any zoom, however small", () => {
    for (let trial = 0; trial < 400; trial++) {
      const count = 2 + whole(700);
      const bins = 1 + whole(count);
      const starts = bounds([0, count], bins);
      const length = 1 + next() * (count - 1);
      const start = next() * (count - length);
      const line: Sightline = { ...sightline([start, start + length], 1 + whole(300)) };
      const { first, last } = cover(starts, line);
      const end = line.start + line.perPixel * line.pixels;
      for (let bin = 0; bin < bins; bin++) {
        const [from, to] = [starts[bin] as number, starts[bin + 1] as number];
        // In sight by more than a rounding error.
        if (to <= line.start + 1e-3 || from >= end - 1e-3) continue;
        const shown = first.findIndex((low, pixel) => low <= bin && bin < (last[pixel] as number));
        if (shown < 0) expect.fail(JSON.stringify({ bin, bins, count, ...line }));
      }
    }
  });

  it("are full strength where the one bright cell is", () => {
    for (let trial = 0; trial < 30; trial++) {
      const [rows, cols] = [3 + whole(200), 3 + whole(200)];
      const [row, col] = [whole(rows), whole(cols)];
      const grid = gridWith(rows, cols, (r, c) => (r === row && c === col ? MOST : 3));
      const { codes } = raster(
        grid,
        sightline([0, rows], 1 + whole(90)),
        sightline([0, cols], 1 + whole(90)),
      );
      expect(Math.max(...codes)).toBe(MOST);
    }
  });

  it("repeat a cell that is larger than they are", () => {
    const { codes } = raster(
      gridWith(1, 3, (_, col) => col),
      sightline([0, 1], 1),
      sightline([0.5, 2.5], 8),
    );
    expect([...codes]).toEqual([0, 0, 1, 1, 1, 1, 2, 2]);
  });

  it("pool by magnitude and keep signs", () => {
    const grid = gridWith(1, 3, (_, col) => [ZERO + 5, ZERO - 9, ZERO + 2][col] as number);
    expect([...raster(grid, sightline([0, 1], 1), sightline([0, 3], 1), "max", true).codes]).toEqual([
      ZERO - 9,
    ]);
  });

  it("pool by the mean of what is there", () => {
    const values = [0.2, 0.6, Number.NaN, 0];
    const grid = gridWith(2, 2, (row, col) => codeOf(values[2 * row + col] as number, 1, false));
    const { codes } = raster(grid, sightline([0, 2], 1), sightline([0, 2], 1), "mean");
    expect(numberOf(codes[0] as number, 1, false)).toBeCloseTo(0.8 / 3, 4);
  });

  it("show what is no number only where nothing else is", () => {
    const codesOf = (codes: readonly number[], pool: "max" | "mean") =>
      raster(
        gridWith(1, codes.length, (_, at) => codes[at] as number),
        sightline([0, 1], 1),
        sightline([0, codes.length], 1),
        pool,
      ).codes[0];
    expect(codesOf([MASKED, 0], "max")).toBe(0);
    expect(codesOf([MISSING, 4], "mean")).toBe(4);
    expect(codesOf([MASKED, MISSING], "max")).toBe(MISSING);
    expect(codesOf([MASKED, MASKED], "mean")).toBe(MASKED);
    expect(codesOf([MOST, INFINITE], "mean")).toBe(INFINITE);
  });

  it("stay as they were where a finer grid has nothing", () => {
    const made = raster(
      gridWith(1, 4, () => 7),
      sightline([0, 1], 1),
      sightline([0, 4], 4),
    );
    const part: Grid = { ...gridWith(1, 2, () => 9), cols: [1, 3] };
    paintCodes(made, part, sightline([0, 1], 1), sightline([0, 4], 4), "max", false);
    expect([...made.codes]).toEqual([7, 9, 9, 7]);
    expect([...made.here]).toEqual([1, 1, 1, 1]);
  });

  it("have the mean of the numbers beside them", () => {
    const line = sightline([0, 4], 2);
    const values = Float32Array.of(1, 3, Number.NaN, 5);
    expect([...along(values, cover(bounds([0, 4], 4), line))]).toEqual([2, 5]);
  });
});

describe("a field", () => {
  const values = Float32Array.of(0.5, 0.5, 0, 0.25, 0.25, 0.5);

  it("adds up what keys receive, and knows how spread rows are", () => {
    const { totals, entropy } = fieldOf(values, 2, 3, "weight");
    expect([...totals.values]).toEqual([0.75, 0.75, 0.5]);
    expect(totals.most).toBe(0.75);
    expect(entropy?.values[0]).toBeCloseTo(Math.log(2), 6);
    expect(entropy?.values[1]).toBeCloseTo(1.5 * Math.log(2), 6);
    expect(fieldOf(values, 2, 3, "score").entropy).toBeNull();
  });

  it("has an entropy whatever its rows sum to, and none for rows of nothing", () => {
    expect(entropyOf(Float32Array.of(3, 3, 3, 3))).toBeCloseTo(Math.log(4), 6);
    expect(entropyOf(Float32Array.of(0, Number.NaN))).toBeNaN();
  });

  it("is coded against the largest of each row where asked", () => {
    const grid = gridOf(fieldOf(values, 2, 3, "weight"), 1, "weight", true);
    expect([...grid.max.slice(0, 3)]).toEqual([MOST, MOST, 0]);
    expect(grid.max[5]).toBe(MOST);
    expect(grid.max[3]).toBe(codeOf(0.5, 1, false));
  });

  it("is coded so from an overview as well", () => {
    const given = gridWith(4, 2, (row, col) => codeOf((row + 1) / (8 - 4 * col), 1, false));
    const overview: Grid = {
      ...gridWith(2, 1, (row) => codeOf(0.5 * (row + 1), 1, false)),
      rows: [0, 4],
      cols: [0, 2],
    };
    const { max } = byRows(given, overview, false);
    expect(numberOf(max[3] as number, 1, false)).toBeCloseTo(1, 3);
    expect(numberOf(max[1] as number, 1, false)).toBeCloseTo(0.5, 3);
    expect(numberOf(max[4] as number, 1, false)).toBeCloseTo(3 / 8, 3);
  });

  it("follows a larger full value", () => {
    const grid = gridWith(1, 3, (_, col) => [codeOf(1, 1, false), MISSING, 0][col] as number);
    const { max } = rescaled(grid, () => Math.sqrt(1 / 4), false);
    expect([...max]).toEqual([codeOf(1, 4, false), MISSING, 0]);
  });

  it("is renormalised without special positions", () => {
    const left = renormalised(values, 2, 3, [], [0]);
    expect([...left]).toEqual([0, 1, 0, 0, Math.fround(1 / 3), Math.fround(2 / 3)]);
    expect([...renormalised(values, 2, 3, [0], [])].slice(0, 3)).toEqual([0, 0, 0]);
  });
});

describe("a causal mask", () => {
  const triangle = (rows: number, cols: number) =>
    gridWith(rows, cols, (row, col) => (col <= row + cols - rows ? 5 : 0));

  it("is told by what it leaves", () => {
    expect(isCausal(triangle(6, 6))).toBe(true);
    expect(isCausal(triangle(3, 7))).toBe(true);
    expect(isCausal(gridWith(6, 6, () => 5))).toBe(false);
    expect(isCausal(gridWith(6, 6, (row, col) => (row === 0 && col === 5 ? 1 : 0)))).toBe(false);
    expect(isCausal(gridWith(1, 9, () => 5))).toBe(false);
    expect(isCausal(gridWith(5, 3, () => 0))).toBe(false);
  });

  it("marks zeros above the diagonal and no others", () => {
    const grid = gridWith(4, 4, (row, col) => (col < row ? 5 : 0));
    const { max } = maskCausal(grid, 0);
    for (let at = 0; at < 16; at++) {
      const [row, col] = [Math.floor(at / 4), at % 4];
      expect(max[at]).toBe(col > row ? MASKED : col < row ? 5 : 0);
    }
  });

  it("marks bins that lie above it whole", () => {
    const grid: Grid = { ...gridWith(2, 2, () => 0), rows: [0, 5], cols: [0, 5] };
    expect([...maskCausal(grid, 0).max]).toEqual([0, MASKED, 0, 0]);
  });
});

describe("layOut", () => {
  const base: LayoutInput = { width: 760, height: null, rows: 60, cols: 60, rowLabel: 60, colLabel: 60 };

  it("makes a square map square", () => {
    const { plot } = layOut(base);
    expect(Math.abs(plot.width - plot.height)).toBeLessThanOrEqual(1);
  });

  it.each([320, 500, 760, 1600])("stays within %d pixels", (width) => {
    for (const [rows, cols] of [
      [1, 1],
      [5, 3],
      [60, 60],
      [1, 5000],
      [5000, 1],
      [4096, 4096],
    ] as const) {
      const layout = layOut({ ...base, width, rows, cols, rowLabel: 400, colLabel: 400 });
      expect(layout.width).toBeLessThanOrEqual(width);
      expect(layout.plot.width).toBeLessThanOrEqual(MOST_PLOT);
      expect(layout.plot.height).toBeGreaterThanOrEqual(Math.min(28, rows * 28));
      expect(layout.height).toBeLessThanOrEqual(800);
    }
  });

  it("gives a short sentence little room", () => {
    const { plot } = layOut({ ...base, rows: 5, cols: 3 });
    expect(plot.width).toBeLessThan(200);
    expect(plot.height).toBeLessThan(300);
  });

  it("follows a height", () => {
    expect(layOut({ ...base, height: 400 }).height).toBe(400);
  });
});

describe("the part in sight", () => {
  const counts = { rows: 200, cols: 300 };
  const layout = layOut({ width: 760, height: null, ...counts, rowLabel: 60, colLabel: 60 });
  const inside = ({ rows, cols }: Sight) =>
    rows[0] >= 0 && cols[0] >= 0 && rows[1] <= counts.rows + 1e-9 && cols[1] <= counts.cols + 1e-9;

  it("zooms about the pointer and stays in the map", () => {
    const sight = zoomed(wholeOf(200, 300), 2, { row: 50, col: 150 }, counts, layout);
    expect(sight).toEqual({ rows: [25, 125], cols: [75, 225] });
    expect(zoomed(sight, 0.1, { row: 50, col: 150 }, counts, layout)).toEqual(wholeOf(200, 300));
    for (let trial = 0, moving = sight; trial < 300; trial++) {
      const at = { row: whole(200), col: whole(300) };
      moving =
        next() < 0.5
          ? zoomed(moving, 0.5 + 1.5 * next(), at, counts, layout)
          : panned(moving, 80 * next() - 40, 90 * next() - 45, counts);
      expect(inside(moving), JSON.stringify(moving)).toBe(true);
    }
  });

  it("zooms in no further than large cells", () => {
    const deep = zoomed(wholeOf(200, 300), 1e6, { row: 3, col: 3 }, counts, layout);
    expect(layout.plot.width / (deep.cols[1] - deep.cols[0])).toBeCloseTo(72, 6);
    const small = layOut({ width: 760, height: null, rows: 3, cols: 3, rowLabel: 9, colLabel: 9 });
    expect(zoomed(wholeOf(3, 3), 0.5, { row: 1, col: 1 }, { rows: 3, cols: 3 }, small)).toEqual(
      wholeOf(3, 3),
    );
  });

  it("moves as little as shows a cell", () => {
    const sight: Sight = { rows: [10, 20], cols: [10, 20] };
    expect(revealed(sight, 15, 15, counts)).toEqual(sight);
    expect(revealed(sight, 20, null, counts).rows).toEqual([11, 21]);
    expect(revealed(sight, null, 100, counts).cols).toEqual([95.5, 105.5]);
  });

  it("is a window in tokens, none where all is in sight", () => {
    const starts = Uint32Array.of(0, 2, 3, 7, 9);
    expect(windowOf(wholeOf(4, 4), starts, starts)).toBeNull();
    expect(windowOf({ rows: [0.5, 2.5], cols: [1, 2] }, starts, starts)).toEqual([0, 7, 2, 3]);
  });
});

describe("labels", () => {
  it("thin out by 1, 2, 5, 10 …", () => {
    expect([40, 10, 4, 2, 0.2, 0.1].map((cell) => stepOf(cell, 15))).toEqual([1, 2, 5, 10, 100, 200]);
  });

  it("never overlap, and show what is marked before others", () => {
    for (let trial = 0; trial < 300; trial++) {
      const count = 1 + whole(3000);
      const length = 1 + next() * (count - 1);
      const start = next() * (count - length);
      const pixels = 50 + whole(700);
      const marked = [whole(count), whole(count)];
      const shown = labelled([start, start + length], count, pixels, 15, marked);
      const cell = pixels / length;
      for (let i = 1; i < shown.length; i++) {
        expect(((shown[i] as number) - (shown[i - 1] as number)) * cell).toBeGreaterThanOrEqual(
          Math.min(15, 15) - 0.01,
        );
      }
      const [first] = marked as [number];
      if (first + 0.5 > start + 0.5 && first + 0.5 < start + length - 0.5) expect(shown).toContain(first);
    }
  });

  it("are all there where they have room", () => {
    expect(labelled([0, 5], 5, 200, 15, [])).toEqual([0, 1, 2, 3, 4]);
  });
});
