import { describe, expect, it } from "vitest";
import {
  fontSize,
  geometryOf,
  isRightToLeft,
  type Layout,
  type LayoutInput,
  layOut,
  legible,
  PITCHES,
  type SideLayout,
  visible,
} from "../src/lines/layout.ts";
import { random } from "./fakes.ts";

const SIDES = ["query", "key"] as const;

/** Widths of `count` labels, up to `most` pixels each. */
const widths = (count: number, most = 60, seed = 1): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => 4 + (most - 4) * next());
};

const input = (more: Partial<LayoutInput> & { queries?: number; keys?: number } = {}): LayoutInput => ({
  vertical: true,
  width: 800,
  height: null,
  pitch: 24,
  query: { widths: widths(more.queries ?? 12, 60, 1), rtl: false },
  key: { widths: widths(more.keys ?? 9, 60, 2), rtl: false },
  ...more,
});

/** Layouts of all shapes that a page may ask for. */
function* layouts(): Generator<[name: string, layout: Layout, input: LayoutInput]> {
  const next = random(7);
  for (const width of [320, 337, 419, 420, 500, 640, 820, 1200, 1600]) {
    for (const [queries, keys] of [
      [5, 5],
      [500, 500],
      [500, 5],
      [5, 500],
      [1, 1],
      [0, 0],
      [0, 3],
      [40, 0],
    ] as const) {
      for (const pitch of PITCHES) {
        for (const vertical of [true, false]) {
          const height = next() < 0.5 ? null : 120 + Math.floor(600 * next());
          const most = [30, 90, 400, 90_000][Math.floor(4 * next())] as number;
          const side = (count: number): LayoutInput["query"] => ({
            widths: widths(count, most, Math.floor(1e6 * next())),
            rtl: next() < 0.3,
          });
          const wanted = { vertical, width, height, pitch, query: side(queries), key: side(keys) };
          const name = `${width} px, ${queries} × ${keys}, pitch ${pitch}, ${vertical ? "columns" : "rows"}, height ${height}`;
          yield [name, layOut(wanted), wanted];
        }
      }
    }
  }
}

describe("every layout", () => {
  it("has the bands of queries, lines and keys one after the other, inside the view", () => {
    for (const [name, { vertical, viewport, band, query, key }, { width }] of layouts()) {
      const across = vertical ? viewport.width : viewport.height;
      const places = [0, query.start, query.start + query.size, band.start, band.start + band.size];
      places.push(key.start, key.start + key.size, across);
      for (let i = 1; i < places.length; i++) {
        if (!((places[i - 1] as number) <= (places[i] as number)))
          expect.fail(`${name}: ${places.join(" ")}`);
      }
      expect(viewport.width, name).toBeLessThanOrEqual(width);
      expect(band.size, name).toBeGreaterThanOrEqual(60);
    }
  });

  it("keeps room for the numbers beside the tokens", () => {
    for (const [name, { vertical, viewport, query, key }] of layouts()) {
      if (!vertical) continue;
      expect(query.start, name).toBeGreaterThanOrEqual(38);
      expect(viewport.width - key.start - key.size, name).toBeGreaterThanOrEqual(38 - 1e-3);
    }
  });

  it("places tokens beside each other without overlap, within the length that scrolls", () => {
    for (const [name, layout, { pitch }] of layouts()) {
      for (const side of SIDES) {
        const { centres, extents, length } = layout[side];
        expect(length, name).toBeLessThanOrEqual(layout.length + 1e-3);
        const order = [...centres.keys()].sort((a, b) => (centres[a] as number) - (centres[b] as number));
        let end = 0;
        for (const position of order) {
          const half = (extents[position] as number) / 2;
          const start = (centres[position] as number) - half;
          if (start < end - 0.1)
            expect.fail(`${name}: ${side} ${position} starts at ${start}, before ${end}`);
          end = start + 2 * half;
          if (!((extents[position] as number) >= pitch))
            expect.fail(`${name}: ${side} ${position} is too small`);
        }
        expect(end, name).toBeLessThanOrEqual(layout.length + 0.1);
        const backwards = order.length > 1 && order[0] !== 0;
        expect(backwards ? order.reverse() : order, name).toEqual([...centres.keys()]);
      }
    }
  });

  it("has a side stand still exactly where it fits and the other does not", () => {
    for (const [name, layout] of layouts()) {
      const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
      const scrolls = layout.length > seen;
      for (const side of SIDES) {
        expect(layout[side].sticky, name).toBe(scrolls && layout[side].length <= seen);
      }
      expect(layout.query.sticky && layout.key.sticky).toBe(false);
      expect(seen, name).toBeLessThanOrEqual(layout.length);
    }
  });

  it("moves only the sides that stand still against the content when it scrolls", () => {
    for (const [name, layout] of layouts()) {
      const geometry = geometryOf(layout, 30);
      for (const side of SIDES) {
        const { centres, sticky } = layout[side];
        centres.forEach((centre, i) => {
          const moved = (geometry[side][i] as number) - centre;
          if (Math.abs(moved - (sticky ? 30 : 0)) > 0.01)
            expect.fail(`${name}: ${side} ${i} moved by ${moved}`);
        });
      }
      expect(geometry.along).toEqual({
        query: layout.band.start,
        key: layout.band.start + layout.band.size,
      });
    }
  });
});

describe("columns", () => {
  it("take no more room than their tokens need", () => {
    expect(layOut(input()).viewport).toEqual({ width: expect.any(Number), height: 8 + 12 * 24 });
    expect(layOut(input({ width: 1600 })).viewport.width).toBeLessThan(900);
  });

  it("are as high as asked for, or of a height that leaves room in a notebook", () => {
    expect(layOut(input({ queries: 500 })).viewport.height).toBe(520);
    expect(layOut(input({ queries: 500, height: 300 })).viewport.height).toBe(300);
    expect(layOut(input({ queries: 5, height: 900 })).viewport.height).toBe(8 + 9 * 24);
  });

  it("give no side more than the other where both are long", () => {
    const long = { widths: widths(5, 4000), rtl: false };
    const { query, key } = layOut(input({ width: 320, query: long, key: long }));
    expect(query.size).toBe(key.size);
  });

  it("shrink to marks where text can't be read", () => {
    const { query, key } = layOut(input({ pitch: 6, query: { widths: widths(9, 900), rtl: false } }));
    expect(key.size).toBe(16);
    expect(query.size).toBe(48);
  });
});

describe("rows", () => {
  it("begin at the right where their script does", () => {
    const rtl = { widths: widths(6), rtl: true };
    const { query, key } = layOut(input({ vertical: false, query: rtl, keys: 6 }));
    expect(query.centres[0]).toBeGreaterThan(query.centres[5] as number);
    expect(key.centres[0]).toBeLessThan(key.centres[5] as number);
  });

  it("centre the shorter side", () => {
    const { query, key, length } = layOut(input({ vertical: false, width: 1600, queries: 12, keys: 3 }));
    const [first, last] = [key.centres[0] as number, key.centres[2] as number];
    const [start, end] = [first - (key.extents[0] as number) / 2, last + (key.extents[2] as number) / 2];
    expect(start - 0).toBeCloseTo(length - end, 3);
    expect(query.centres[0]).toBeLessThan(first);
  });

  it("give the lines what the height leaves", () => {
    const tall = layOut(input({ vertical: false, height: 500 }));
    expect(tall.viewport.height).toBe(500);
    expect(layOut(input({ vertical: false, height: 120 })).band.size).toBe(60);
  });
});

describe("visible", () => {
  /** Positions that touch the stretch, looked at one by one. */
  const touching = ({ centres, extents }: SideLayout, start: number, stop: number): number[] =>
    [...centres.keys()].filter((i) => {
      const [centre, half] = [centres[i] as number, (extents[i] as number) / 2];
      return centre + half >= start && centre - half <= stop;
    });

  it("finds the tokens that touch a stretch, and no others", () => {
    const next = random(3);
    for (const [name, layout] of layouts()) {
      for (const side of SIDES) {
        const start = (next() * 1.4 - 0.2) * layout.length;
        const stop = start + next() * 700;
        const [first, last] = visible(layout[side], start, stop);
        const found = Array.from({ length: last - first }, (_, i) => first + i);
        expect(found, name).toEqual(touching(layout[side], start, stop));
      }
    }
  });

  it("finds nothing beyond the ends", () => {
    const { query } = layOut(input());
    expect(visible(query, 5000, 6000)).toEqual([0, 0]);
    expect(visible(query, -90, -9)).toEqual([0, 0]);
    expect(visible(layOut(input({ queries: 0 })).query, 0, 100)).toEqual([0, 0]);
  });
});

describe("legible", () => {
  it("has the strongest number, and no two that overlap", () => {
    const next = random(11);
    for (const [name, layout] of layouts()) {
      const place = layout.key;
      const strengths = Float32Array.from(place.centres, () => next() ** 3);
      const shown = legible(layout, place, strengths, 0.004);
      const room = layout.vertical ? 12 : 36;
      const centres = [...shown].map((position) => place.centres[position] as number).sort((a, b) => a - b);
      for (let i = 1; i < centres.length; i++) {
        const gap = (centres[i] as number) - (centres[i - 1] as number);
        if (gap < room - 0.01) expect.fail(`${name}: two numbers ${gap} pixels apart`);
      }
      const strongest = strengths.indexOf(Math.max(...strengths));
      if (strengths.length > 0 && (strengths[strongest] as number) >= 0.004)
        expect(shown.has(strongest)).toBe(true);
      // Whatever is left out would stand in the way of a stronger one.
      strengths.forEach((strength, position) => {
        if (shown.has(position) || strength < 0.004) return;
        const near = [...shown].some(
          (other) =>
            Math.abs((place.centres[other] as number) - (place.centres[position] as number)) < room &&
            (strengths[other] as number) >= strength,
        );
        if (!near) expect.fail(`${name}: ${position} has room and is left out`);
      });
    }
  });

  it("leaves weak and missing ones out", () => {
    const layout = layOut(input({ keys: 4 }));
    const shown = legible(layout, layout.key, Float32Array.of(0.003, NaN, 0.004, 1), 0.004);
    expect([...shown].sort()).toEqual([2, 3]);
    expect(legible(layout, layout.key, new Float32Array(0), 0.004).size).toBe(0);
  });
});

it("text grows with its room, and stays readable", () => {
  const sizes = PITCHES.map(fontSize);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  for (const pitch of PITCHES) expect(fontSize(pitch)).toBeLessThanOrEqual(Math.max(6, pitch));
});

describe("isRightToLeft", () => {
  it.each([
    [["שלום", "עולם", "!"], true],
    [["مرحبا", "<s>", "."], true],
    [["[CLS]", "תרגום", "מכונה", "[SEP]"], true],
    [["hello", "שלום", "world"], false],
    [["12", "…", ""], false],
    [[], false],
    [["你好", "世界"], false],
  ])("%j: %j", (labels, expected) => {
    expect(isRightToLeft(labels)).toBe(expected);
  });
});
