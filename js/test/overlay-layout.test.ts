import { describe, expect, it } from "vitest";
import wire from "../../tests/wire/panels.json" with { type: "json" };
import type { Axis, AxisPart, PatchesPart } from "../src/content.ts";
import {
  arrange,
  clamped,
  firstOf,
  moved,
  panned,
  positionAt,
  toImage,
  toScreen,
  whole,
  zoomed,
} from "../src/overlay/layout.ts";
import { type Images, type Panel, panelsOf, positionsOf, rectAt, rolesOf } from "../src/overlay/panels.ts";

interface WireAxis {
  length: number;
  special: number[];
  parts: AxisPart[];
}

interface WireCase {
  name: string;
  images: Images;
  queries: WireAxis;
  keys: WireAxis | null;
  panels: unknown[];
  rects: ((number[] | null)[] | null)[];
  roles: (string[] | null)[];
}

const axisOf = ({ length, special, parts }: WireAxis): Axis => ({
  labels: Array.from({ length }, (_, i) => `t${i}`),
  exact: new Map(),
  special,
  parts,
  words: null,
});

const rounded = (rect: readonly number[] | null | undefined) => rect?.map((edge) => edge.toFixed(9)) ?? null;

describe.each(wire as unknown as WireCase[])("as Python decides: $name", (one) => {
  const { images } = one;
  const queries = axisOf(one.queries);
  const keys = one.keys ? axisOf(one.keys) : queries;

  it("panels", () => {
    const found = panelsOf({ queries, keys, images }).map(({ parts, ...panel }) => ({
      ...panel,
      parts: parts.map(({ side, part: { start, stop } }) => ({ side, start, stop })),
    }));
    expect(found).toEqual(one.panels);
  });

  it("places and roles", () => {
    for (const [at, axis] of [queries, keys].entries()) {
      const [rects, roles] = [one.rects[at] ?? one.rects[0], one.roles[at] ?? one.roles[0]];
      expect(axis.labels.map((_, position) => rounded(rectAt(axis, position)))).toEqual(rects?.map(rounded));
      expect(rolesOf(axis, images)).toEqual(roles);
    }
  });
});

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

function panelOf(...parts: AxisPart[]): Panel {
  const length = Math.max(...parts.map(({ stop }) => stop));
  const keys = axisOf({ length, special: [], parts });
  const images = { wide: { width: 640, height: 480 } };
  return panelsOf({ queries: axisOf({ length: 1, special: [], parts: [] }), keys, images })[0] as Panel;
}

describe("where pictures stand", () => {
  const wide = panelOf(patches(3, 4, { image: "wide", region: [0, 0, 640, 480] }));

  it("side by side where that makes them hardly smaller", () => {
    const { places } = arrange([wide], 2, 610, 560);
    expect(places.map(({ x, y, width }) => [x, y, width])).toEqual([
      [0, 20, 300],
      [310, 20, 300],
    ]);
  });

  it("those that go on below fill the width, none higher than the view", () => {
    const many = arrange([wide], 16, 278, 560);
    expect(new Set(many.places.map(({ x, width }) => `${x} ${width}`))).toEqual(
      new Set(["0 134", "144 134"]),
    );
    const tower = panelOf(patches(20, 1));
    const high = arrange([tower, tower], 1, 610, 400);
    expect(high.places.map(({ width }) => width)).toEqual([110, 110]);
  });

  it("one picture, as large as fits, at its own ratio", () => {
    expect(arrange([wide], 1, 640, 1000).places).toEqual([
      { panel: 0, head: -1, x: 0, y: 0, width: 640, height: 480 },
    ]);
    expect(arrange([wide], 1, 640, 240).places[0]).toMatchObject({ width: 320, height: 240 });
  });

  it.each([
    [2, 640, 400],
    [4, 640, 400],
    [12, 900, 500],
    [16, 1280, 480],
    [3, 320, 2000],
  ])("%i heads in %i × %i: all within, none over another", (heads, width, height) => {
    const { places, height: used } = arrange([wide], heads, width, height);
    expect(places.map(({ head }) => head)).toEqual(Array.from({ length: heads }, (_, i) => i));
    expect(used).toBeLessThanOrEqual(height);
    for (const [i, one] of places.entries()) {
      expect(one.x + one.width).toBeLessThanOrEqual(width);
      expect(one.y + one.height).toBeLessThanOrEqual(used);
      expect(one.width / one.height).toBeCloseTo(4 / 3, 1);
      for (const other of places.slice(i + 1)) {
        const apart = one.x + one.width < other.x || one.y + one.height < other.y;
        expect(apart || other.x + other.width < one.x).toBe(true);
      }
    }
  });

  it("goes on below rather than getting too small to read", () => {
    const { places, height } = arrange([wide], 40, 400, 300);
    expect(places[0]?.width).toBeGreaterThanOrEqual(110);
    expect(height).toBeGreaterThan(300);
  });

  it("nothing without panels", () => {
    expect(arrange([], 1, 400, 300)).toEqual({ places: [], height: 0 });
  });
});

describe("zoom and pan", () => {
  const padded = panelOf(patches(4, 4, { image: "wide", region: [0, -80, 640, 560] }));
  const place = { width: 320, height: 320 };
  const start = whole(padded);

  it("there and back", () => {
    const look = zoomed(place, padded, start, 3, 100, 50);
    const [x, y] = toImage(place, padded, look, 12, 34);
    const back = toScreen(place, padded, look, x, y);
    expect(back[0]).toBeCloseTo(12, 9);
    expect(back[1]).toBeCloseTo(34, 9);
  });

  it("shows the padding too", () => {
    expect(start).toEqual({ zoom: 1, x: 0, y: -80 });
    expect(toImage(place, padded, start, 320, 320)).toEqual([640, 560]);
  });

  it("zooms about a place", () => {
    const before = toImage(place, padded, start, 200, 120);
    const after = toImage(place, padded, zoomed(place, padded, start, 2.5, 200, 120), 200, 120);
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  it("shows nothing beyond the picture", () => {
    const look = zoomed(place, padded, start, 2, 160, 160);
    expect(panned(place, padded, look, 1e6, 1e6)).toEqual({ zoom: 2, x: 0, y: -80 });
    expect(panned(place, padded, look, -1e6, -1e6)).toEqual({ zoom: 2, x: 320, y: 240 });
    expect(clamped(padded, { zoom: 0.2, x: -5, y: 900 })).toEqual(start);
    expect(zoomed(place, padded, look, 1e-6, 0, 0)).toEqual(start);
  });

  it("a picture of a few pixels can be zoomed until a few cells fill the view", () => {
    const tiny = panelOf(patches(8, 8));
    expect(zoomed({ width: 400, height: 400 }, tiny, whole(tiny), 1e6, 0, 0).zoom).toBeGreaterThan(2);
  });
});

describe("what lies under a place", () => {
  it("rows are rows: an image of 480 × 640 with 34 × 46 patches is not transposed", () => {
    const panel = panelOf(patches(34, 46, { image: "wide", region: [0, 0, 640, 480] }));
    const [row, col] = [5, 40];
    const at = positionAt(panel, "key", (col + 0.5) * (640 / 46), (row + 0.5) * (480 / 34));
    expect(at).toBe(row * 46 + col);
    expect(positionAt(panel, "query", 10, 10)).toBeUndefined();
  });

  it("every position of any order is found at its middle, and those on no cell nowhere", () => {
    const order = [5, -1, 0, 3, 4, -1, 1, 2];
    const part = patches(2, 3, { order, start: 7, stop: 15, region: [-3, 2, 27, 12] });
    const panel = panelOf(part);
    const axis = axisOf({ length: 15, special: [], parts: [part] });
    for (let position = 7; position < 15; position++) {
      const rect = rectAt(axis, position);
      if (order[position - 7] === -1) expect(rect).toBeUndefined();
      else {
        const [left, top, right, bottom] = rect as [number, number, number, number];
        expect(positionAt(panel, "key", (left + right) / 2, (top + bottom) / 2)).toBe(position);
      }
    }
    expect([...positionsOf(part)]).toEqual([9, 13, 14, 10, 11, 7]);
  });

  it("the smallest box wins, and boxes win over patches", () => {
    const boxes: AxisPart = {
      kind: "boxes",
      start: 4,
      stop: 6,
      image: "wide",
      boxes: [
        [0, 0, 300, 300],
        [100, 100, 200, 200],
      ],
    };
    const panel = panelOf(patches(2, 2, { image: "wide", region: [0, 0, 640, 480] }), boxes);
    expect(positionAt(panel, "key", 150, 150)).toBe(5);
    expect(positionAt(panel, "key", 50, 50)).toBe(4);
    expect(positionAt(panel, "key", 310, 310)).toBe(2 * 1);
    expect(positionAt(panel, "key", -1, 20)).toBeUndefined();
  });
});

describe("moving by keys", () => {
  const panel = panelOf(patches(2, 3, { order: [0, 1, 2, 3, 5, -1], start: 1, stop: 7 }));

  it.each([
    [1, 1, 0, 2],
    [2, 0, 1, 2],
    [3, 0, 1, 5],
    [4, 1, 0, 5],
    [5, -1, 0, 4],
    [5, 1, 0, 5],
    [1, 0, -1, 1],
    [99, 1, 0, 1],
  ] as const)("from %i by %i, %i to %i", (from, dx, dy, to) => {
    expect(moved(panel, "key", from, dx, dy)).toBe(to);
  });

  it("goes on in the next tile", () => {
    const left = patches(2, 2, { image: "wide", region: [0, 0, 320, 480] });
    const right = patches(2, 2, { image: "wide", region: [320, 0, 640, 480], start: 4, stop: 8 });
    const tiles = panelOf(left, right);
    expect(moved(tiles, "key", 3, 1, 0)).toBe(6);
    expect(moved(tiles, "key", 6, -1, 0)).toBe(3);
  });

  it("from box to box in a direction", () => {
    const box = (x: number, y: number) => [x, y, x + 10, y + 10] as const;
    const boxes = [box(0, 0), box(50, 4), box(40, 90), box(0, 50)];
    const panel = panelOf({ kind: "boxes", start: 2, stop: 6, image: "wide", boxes });
    expect(firstOf(panel, "key")).toBe(2);
    expect(moved(panel, "key", 2, 1, 0)).toBe(3);
    expect(moved(panel, "key", 2, 0, 1)).toBe(5);
    expect(moved(panel, "key", 5, 1, 0)).toBe(4);
    expect(moved(panel, "key", 3, 1, 0)).toBe(3);
  });
});
