/** Heads at a glance: where thumbnails stand, what they hold, and the numbers they are sorted by. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readContent } from "../src/content.ts";
import { choose, chosenHeads, opensIn } from "../src/heads/chosen.ts";
import { Painter, spans } from "../src/heads/draw.ts";
import {
  arrange,
  cellAt,
  cellsIn,
  labelStep,
  linesIn,
  moved,
  PITCHES,
  placeOf,
} from "../src/heads/layout.ts";
import { chosenPieces, headPieces } from "../src/heads/reading.ts";
import {
  type HeadPlaces,
  headPlaces,
  matches,
  orderBy,
  STATISTICS,
  type Statistic,
  statisticsOf,
} from "../src/heads/statistics.ts";
import { codeOf, INFINITE, MASKED, MISSING, thumbnailOf, weightOf } from "../src/heads/thumbnails.ts";
import { plain } from "../src/lines/reading.ts";
import { Model, type State } from "../src/model.ts";
import type { Weights } from "../src/store.ts";
import { attention, FakeHost, random } from "./fakes.ts";

const wire = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../tests/wire/${name}`, import.meta.url), "utf8")) as T;

const input = { width: 780, layers: 12, heads: 12, order: null, aspect: 1, pitch: null };
const reversed = (cells: number) => Int32Array.from({ length: cells }, (_, i) => cells - 1 - i);

describe("the grid", () => {
  it("has a row a layer, as large as fills the width", () => {
    const grid = arrange(input);
    expect([grid.columns, grid.lines, grid.perLayer]).toEqual([12, 12, 1]);
    expect(grid.width).toBeGreaterThan(780 - 12);
    expect(grid.width).toBeLessThanOrEqual(780);
  });

  it("fits 48 heads in a row beside each other", () => {
    const grid = arrange({ ...input, layers: 48, heads: 48 });
    expect([grid.columns, grid.lines]).toEqual([48, 48]);
  });

  it("breaks layers that do not fit, and never scrolls sideways", () => {
    for (const [width, layers, heads] of [
      [300, 48, 48],
      [780, 1, 144],
      [300, 1, 144],
      [300, 2, 3],
      [40, 3, 5],
    ] as const) {
      const grid = arrange({ ...input, width, layers, heads });
      expect(grid.width).toBeLessThanOrEqual(Math.max(width, 44));
      expect(grid.lines).toBe(layers * Math.ceil(heads / grid.columns));
    }
  });

  it("keeps small maps small", () => {
    expect(arrange({ ...input, layers: 1, heads: 1 }).pitch.x).toBe(96);
  });

  it("keeps the shape of maps that are not square, within reason", () => {
    const box = (aspect: number) => {
      const { width, height } = arrange({ ...input, aspect }).box;
      return height / width;
    };
    expect(box(1.5)).toBeCloseTo(1.5, 1);
    expect(box(0.01)).toBeCloseTo(0.5, 1);
    expect(box(50)).toBeCloseTo(2, 1);
  });

  it("places every cell once, and finds it where it is", () => {
    for (const order of [null, reversed(3 * 50)]) {
      for (const width of [320, 700]) {
        const grid = arrange({ ...input, width, layers: 3, heads: 50, order });
        const seen = new Set<number>();
        for (let cell = 0; cell < 150; cell++) {
          const { x, y } = placeOf(grid, cell);
          expect(cellAt(grid, x + 1, y + 1)).toBe(cell);
          seen.add(grid.slotOf[cell] as number);
        }
        expect(seen.size).toBe(150);
        expect(cellAt(grid, -1, 1)).toBe(-1);
        expect(cellAt(grid, grid.width + 1, 1)).toBe(-1);
        expect(cellAt(grid, 1, grid.height + 1)).toBe(-1);
      }
    }
  });

  it("flows in the order given, with room for labels", () => {
    const grid = arrange({ ...input, order: reversed(144) });
    expect([...cellsIn(grid, 0, 1)].slice(0, 3)).toEqual([143, 142, 141]);
    expect(grid.pitch.x).toBeGreaterThanOrEqual(80);
    expect(grid.pitch.y - grid.box.height).toBeGreaterThan(14);
    expect(grid.perLayer).toBe(0);
  });

  it("takes a width of cells that was chosen", () => {
    for (const pitch of PITCHES) {
      const grid = arrange({ ...input, pitch });
      expect(grid.pitch.x).toBe(pitch);
      expect(grid.width).toBeLessThanOrEqual(780);
    }
  });

  it("knows which lines are in sight", () => {
    const grid = arrange(input);
    expect(linesIn(grid, 0, 1)).toEqual([0, 1]);
    expect(linesIn(grid, grid.pitch.y * 2 + 1, grid.pitch.y * 4)).toEqual([2, 4]);
    expect(linesIn(grid, -50, 1e6)).toEqual([0, 12]);
  });

  it("thins out labels", () => {
    expect([30, 26, 25, 13, 6].map((pitch) => labelStep(pitch, 26))).toEqual([1, 1, 2, 2, 8]);
  });

  it("moves by keys, and stays inside", () => {
    const grid = arrange(input);
    const to = (cell: number, key: string) => moved(grid, cell, key, 3);
    expect(to(0, "ArrowRight")).toBe(1);
    expect(to(0, "ArrowLeft")).toBe(0);
    expect(to(11, "ArrowRight")).toBe(12);
    expect(to(14, "ArrowDown")).toBe(26);
    expect(to(14, "ArrowUp")).toBe(2);
    expect(to(2, "ArrowUp")).toBe(2);
    expect(to(14, "Home")).toBe(12);
    expect(to(14, "End")).toBe(23);
    expect(to(2, "PageDown")).toBe(38);
    expect(to(143, "PageDown")).toBe(143);
    expect(to(143, "ArrowRight")).toBe(143);
    expect(to(0, "x")).toBe(null);
  });

  it("moves over lines that end early", () => {
    const grid = arrange({ ...input, width: 300, layers: 2, heads: 50 });
    const { columns } = grid;
    const last = Math.floor(49 / columns) * columns;
    expect(moved(grid, last - 1, "ArrowDown", 1)).toBe(49);
    expect(moved(grid, 49, "ArrowRight", 1)).toBe(50);
    expect(moved(grid, 50, "ArrowLeft", 1)).toBe(49);
    expect(moved(grid, last, "End", 1)).toBe(49);
  });
});

const NUMBERS = [0, 1, -1, 0.3, -0.25, 1e-9, 7, Number.NaN, Infinity, -Infinity];

function odd(queries: number, keys: number, seed: number): Weights {
  const next = random(seed);
  const values = Float32Array.from(
    { length: 2 * queries * keys },
    () => NUMBERS[Math.floor(next() * NUMBERS.length)] as number,
  );
  return { heads: 2, queries, keys, values };
}

describe("a thumbnail", () => {
  it.each([
    [3, 2, 3, 2],
    [10, 7, 4, 3],
    [100, 60, 48, 48],
    [5, 400, 5, 48],
  ])("holds the largest magnitude of each cell: %i × %i in %i × %i", (queries, keys, rows, columns) => {
    for (const signed of [false, true]) {
      const weights = odd(queries, keys, queries + keys);
      const found = thumbnailOf(weights, 1, rows, columns, signed);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          const cell: number[] = [];
          for (let q = 0; q < queries; q++) {
            for (let k = 0; k < keys; k++) {
              if (Math.floor((q * rows) / queries) !== r || Math.floor((k * columns) / keys) !== c) continue;
              cell.push(weights.values[(queries + q) * keys + k] as number);
            }
          }
          const numbers = cell.filter((weight) => !Number.isNaN(weight) && weight !== -Infinity);
          const code = found.codes[r * columns + c] as number;
          if (numbers.length === 0) expect(code).toBe(cell.includes(-Infinity) ? MASKED : MISSING);
          else {
            const most = Math.max(...numbers.map(Math.abs));
            if (most === Infinity) expect(code).toBe(INFINITE);
            else {
              const weight = weightOf(code, found.full, signed);
              const step = signed ? 1 / 125 : 1 / 250;
              expect(Math.abs(Math.sqrt(Math.abs(weight) / 7) - Math.sqrt(most / 7))).toBeLessThan(step);
              expect(weight === 0).toBe(most === 0);
              if (signed && most > 0) expect(numbers).toContain(Math.sign(weight) * most);
            }
          }
        }
      }
    }
  });

  it("has the codes that Python writes", () => {
    type Case = { values: (number | string)[]; full: number; signed: boolean; bytes: number[] };
    for (const { values, full, signed, bytes } of wire<Case[]>("codes.json")) {
      expect(values.map((value) => codeOf(Number(value), full, signed))).toEqual(bytes);
    }
  });

  it("knows its largest finite magnitude", () => {
    const values = Float32Array.from([0.5, Infinity, -3, Number.NaN]);
    expect(thumbnailOf({ heads: 1, queries: 2, keys: 2, values }, 0, 2, 2, false).full).toBe(3);
    const nothing = thumbnailOf(
      { heads: 1, queries: 1, keys: 2, values: new Float32Array(2) },
      0,
      1,
      2,
      false,
    );
    expect([nothing.full, ...nothing.codes]).toEqual([0, 0, 0]);
  });
});

describe("painting", () => {
  it("shows every cell, in more and in fewer pixels", () => {
    for (const [cells, pixels] of [
      [48, 13],
      [48, 48],
      [7, 160],
      [1, 3],
      [5, 4],
    ] as const) {
      const found = spans(cells, pixels);
      const shown = new Set<number>();
      for (let i = 0; i < pixels; i++) {
        const [first, last] = [found[2 * i] as number, found[2 * i + 1] as number];
        expect(last).toBeGreaterThan(first);
        for (let cell = first; cell < last; cell++) shown.add(cell);
      }
      expect([...shown].sort((a, b) => a - b)).toEqual(Array.from({ length: cells }, (_, i) => i));
    }
  });

  const colours = (
    scale: State["scale"],
    codes: number[],
    full: number,
    pixels = codes.length,
    faint = false,
  ) => {
    const painter = new Painter({
      scale,
      colormap: "grey",
      full: 1,
      keys: 10,
      signed: false,
      theme: "light",
    });
    const image = {
      width: pixels,
      height: 1,
      data: new Uint8ClampedArray(4 * pixels),
    } as unknown as ImageData;
    const head = { rows: 1, columns: codes.length, codes: Uint8Array.from(codes), full };
    painter.paint(image, 0, 0, pixels, 1, head, faint);
    return Array.from({ length: pixels }, (_, i) => [...image.data.slice(4 * i, 4 * i + 4)]);
  };

  it("never loses a single strong cell", () => {
    const codes = new Array(48).fill(3);
    codes[29] = 250;
    const dark = colours("absolute", codes, 1, 6).filter(([red = 255]) => red < 100);
    expect(dark).toHaveLength(1);
  });

  it("draws heads alike on every scale but their own", () => {
    const [weak, own] = [colours("absolute", [250], 0.1)[0], colours("row", [250], 0.1)[0]];
    expect(own).toEqual(colours("row", [250], 1)[0]);
    expect(weak?.[0]).toBeGreaterThan(own?.[0] as number);
    expect(colours("sqrt", [250], 0.1)[0]?.[0]).toBeLessThan(weak?.[0] as number);
  });

  it("shows masked, missing and infinite cells as such, and faint ones faintly", () => {
    const three = colours("absolute", [MASKED, MISSING, INFINITE, 0], 1).map(String);
    expect(new Set(three).size).toBe(4);
    expect(colours("absolute", [250], 1, 1, true)[0]?.[3]).toBeLessThan(60);
    expect(colours("absolute", [250], 1)[0]?.[3]).toBe(255);
  });
});

/** The definitions, written out. */
function slowly({ queries, keys, values }: Weights, head: number): Partial<Record<Statistic, number>> {
  const at = (q: number, k: number) => Math.abs(values[(head * queries + q) * keys + k] as number);
  const rows = Array.from({ length: queries }, (_, q) => Array.from({ length: keys }, (__, k) => at(q, k)));
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  const mean = (list: readonly number[]) => (list.length === 0 ? 0 : sum(list) / list.length);
  const entropy = (row: readonly number[]) =>
    sum(row.map((w) => w / sum(row)).map((p) => (p > 0 ? -p * Math.log(p) : 0)));
  const columns = Array.from({ length: keys }, (_, k) => mean(rows.map((row) => row[k] as number)));
  const all = sum(rows.map(sum));
  const diagonal = (shift: number) => sum(rows.flatMap((row, q) => row[q + shift] ?? [])) / all;
  const far = rows.map((row, q) => sum(row.map((w, k) => w * Math.abs(q - k))) / sum(row));
  return {
    entropy: mean(rows.map(entropy)) / Math.log(keys),
    confidence: mean(rows.map((row) => Math.max(...row))),
    sink: Math.max(...columns),
    distance: mean(far) / keys,
    previous: diagonal(-1),
    next: diagonal(1),
  };
}

describe("statistics", () => {
  it.each([
    [6, 6],
    [4, 9],
    [9, 4],
    [1, 3],
    [30, 30],
  ])("are what they are said to be: %i × %i", (queries, keys) => {
    const weights = attention(3, queries, keys, queries, 9);
    const found = statisticsOf(weights);
    for (let head = 0; head < 3; head++) {
      const wanted = slowly(weights, head);
      STATISTICS.forEach((name, i) => {
        const close = wanted[name] === undefined ? NaN : expect.closeTo(wanted[name], 5);
        expect([name, found[head * STATISTICS.length + i]]).toEqual([name, close]);
      });
    }
  });

  it("are those of Python", () => {
    type Numbers = (number | string)[];
    type Case = {
      shape: [number, number, number];
      weights: Numbers;
      names: string[];
      statistics: Numbers[];
      content?: unknown;
      places?: HeadPlaces;
    };
    for (const { shape, weights, names, statistics, content, places } of wire<Case[]>("statistics.json")) {
      const [heads, queries, keys] = shape;
      expect(names).toEqual([...STATISTICS]);
      if (content) {
        const { signal } = new AbortController();
        const read = readContent(new Model(new FakeHost({ _content: content }), signal));
        expect(read && headPlaces(read)).toEqual(places);
      }
      const found = statisticsOf(
        { heads, queries, keys, values: Float32Array.from(weights, Number) },
        places,
      );
      statistics.flat().forEach((value, i) => {
        const wanted = Number(value);
        const close = Number.isNaN(wanted) ? NaN : expect.closeTo(wanted, 5);
        expect([shape, names[i % 9], found[i]]).toEqual([shape, names[i % 9], close]);
      });
    }
  });

  it("are whole for extreme heads", () => {
    const size = 8;
    const uniform = new Float32Array(size * size).fill(1 / size);
    const previous = Float32Array.from(uniform, (_, i) => (i % size === Math.floor(i / size) - 1 ? 1 : 0));
    const sink = Float32Array.from(uniform, (_, i) => (i % size === 0 ? 1 : 0));
    const values = Float32Array.from([...uniform, ...previous, ...sink]);
    const [a = [], b = [], c = []] = [0, 1, 2].map((head) => [
      ...statisticsOf({ heads: 3, queries: size, keys: size, values }).slice(9 * head, 9 * head + 6),
    ]);
    expect(a[0]).toBeCloseTo(1, 6);
    expect([b[0], b[4]]).toEqual([0, 1]);
    expect([c[1], c[2]]).toEqual([1, 1]);
  });

  it("of nothing are zero or nothing", () => {
    const found = statisticsOf({
      heads: 1,
      queries: 3,
      keys: 3,
      values: new Float32Array(9).fill(Number.NaN),
    });
    expect([...found]).toEqual([NaN, 0, 0, NaN, NaN, NaN, NaN, NaN, NaN]);
    expect(
      [...statisticsOf({ heads: 1, queries: 1, keys: 1, values: Float32Array.of(1) })].slice(0, 3),
    ).toEqual([0, 1, 1]);
  });

  const lookup = (values: readonly number[]) => (cell: number) => values[cell] as number;

  it("sort heads, largest first, unknown ones last, equals as they were", () => {
    expect([...orderBy(lookup([0.1, Number.NaN, 0.5, 0.1, 0.9]), 5, "sink")]).toEqual([4, 2, 0, 3, 1]);
  });

  it("decide patterns", () => {
    const value = lookup([0.39, 0.4, Number.NaN]);
    expect([0, 1, 2].map((cell) => matches(value, cell, "previous"))).toEqual([false, true, false]);
    expect([0, 1, 2].map((cell) => matches(value, cell, null))).toEqual([true, true, true]);
  });
});

describe("choosing", () => {
  const state = (heads: readonly number[] | null) => ({ layer: 1, heads }) as unknown as State;

  it("takes a head alone, or with others of its layer", () => {
    expect(choose(state([]), 2, 5, false, 12)).toEqual({ layer: 2, heads: [5] });
    expect(choose(state([7]), 1, 5, true, 12)).toEqual({ layer: 1, heads: [5, 7] });
    expect(choose(state([5, 7]), 1, 5, true, 12)).toEqual({ layer: 1, heads: [7] });
    expect(choose(state([5]), 1, 5, true, 12)).toEqual({ layer: 1, heads: [5] });
    expect(choose(state([7]), 2, 5, true, 12)).toEqual({ layer: 2, heads: [5] });
    expect(choose(state([]), 1, 5, true, 12)).toEqual({ layer: 1, heads: [5] });
    expect(choose(state(null), 1, 5, true, 12)).toEqual({ layer: 1, heads: [5] });
    expect(choose(state([0, 2]), 1, 1, true, 3)).toEqual({ layer: 1, heads: [] });
    expect(choose(state(null), 0, 0, false, 1)).toEqual({ layer: 0, heads: [] });
  });

  it("knows what is chosen, and where it opens", () => {
    expect(chosenHeads(state([]), 3)).toEqual([0, 1, 2]);
    expect(chosenHeads(state(null), 3)).toEqual([]);
    expect(chosenHeads(state([2]), 3)).toEqual([2]);
    expect([opensIn(200), opensIn(201)]).toEqual(["lines", "matrix"]);
  });
});

describe("the sentence", () => {
  it("begins with the number that is sorted by", () => {
    const value = (name: Statistic) => STATISTICS.indexOf(name) / 10;
    expect(plain(headPieces(3, 7, value, "sink"))).toBe(
      "layer 3, head 7: sink share 0.20, entropy 0.00, confidence 0.10, distance 0.30, " +
        "previous token 0.40, next token 0.50, induction 0.60, special tokens 0.70, image 0.80",
    );
    expect(plain(headPieces(3, 7, value, "layer"))).toMatch(/^layer 3, head 7: entropy 0.00, /);
    expect(plain(headPieces(3, 7, () => Number.NaN, "layer"))).toBe("layer 3, head 7 is not here yet");
  });

  it("names what is chosen", () => {
    expect(plain(chosenPieces(2, [1, 4], 12))).toBe("layer 2, heads 1, 4 chosen");
    expect(plain(chosenPieces(2, [0, 1], 2))).toMatch(/^hover a head/);
  });
});
