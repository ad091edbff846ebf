/** What is on the overlay's canvases, pixel by pixel. */
import { describe, expect, it } from "vitest";
import type { Axis, AxisPart, PatchesPart } from "../../src/content.ts";
import { zoomed } from "../../src/overlay/layout.ts";
import {
  type Heat,
  type Marks,
  type Paint,
  paintHeat,
  paintMarks,
  paintPicture,
} from "../../src/overlay/paint.ts";
import { type Panel, panelsOf } from "../../src/overlay/panels.ts";
import { anchorsOf, colourAt, MARKS } from "../../src/scale/colormap.ts";

const axis = (length: number, parts: AxisPart[]): Axis => ({
  labels: Array.from({ length }, (_, i) => `t${i}`),
  exact: new Map(),
  special: [],
  parts,
  words: null,
});

const patches = (rows: number, cols: number, more: Partial<PatchesPart> = {}): PatchesPart => ({
  kind: "patches",
  start: 0,
  stop: rows * cols,
  image: "photo",
  rows,
  cols,
  region: [0, 0, 640, 480],
  order: null,
  ...more,
});

function panelOf(parts: AxisPart[], size: readonly [number, number] = [640, 480]): Panel {
  const length = Math.max(...parts.map(({ stop }) => stop));
  const images = { photo: { width: size[0], height: size[1] } };
  return panelsOf({ queries: axis(1, []), keys: axis(length, parts), images })[0] as Panel;
}

function paintOf(panel: Panel, width: number, height: number, more: Partial<Paint> = {}): Paint {
  const look = { zoom: 1, x: panel.extent[0], y: panel.extent[1] };
  return { panel, look, place: { width, height }, ratio: 1, theme: "light", ...more };
}

const heatOf = (values: ArrayLike<number>, more: Partial<Heat> = {}): Heat => ({
  side: "key",
  values: Float32Array.from(values),
  strength: (weight) => Math.min(1, Math.abs(weight)),
  anchors: anchorsOf("inferno", false, "light"),
  signed: false,
  opacity: 1,
  interpolation: "nearest",
  paint: "heat",
  contours: [0.5, 0.9],
  ...more,
});

const NO_MARKS: Marks = { focus: null, pinned: [], hover: null, boxes: [] };

class Drawn {
  readonly width: number;
  readonly #data: Uint8ClampedArray;

  constructor({ place, ratio }: Paint, draw: (context: CanvasRenderingContext2D) => void) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(place.width * ratio);
    canvas.height = Math.round(place.height * ratio);
    const context = canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
    draw(context);
    this.width = canvas.width;
    this.#data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  }

  at(x: number, y: number): number[] {
    const from = 4 * (y * this.width + x);
    return [...this.#data.subarray(from, from + 4)];
  }

  /** The rectangle around all pixels of some kind, and how many these are. */
  extent(is: (pixel: number[]) => boolean) {
    let [left, top, right, bottom, count] = [Infinity, Infinity, -Infinity, -Infinity, 0];
    for (let at = 0; at < this.#data.length / 4; at++) {
      const [x, y] = [at % this.width, Math.floor(at / this.width)];
      if (!is(this.at(x, y))) continue;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
      count++;
    }
    return { left, top, right, bottom, count };
  }
}

const painted = ([, , , alpha]: number[]) => (alpha ?? 0) > 0;
const heated = (paint: Paint, heat: Heat) => new Drawn(paint, (context) => paintHeat(context, paint, heat));
const oneHot = (count: number, at: number) =>
  Float32Array.from({ length: count }, (_, i) => Number(i === at));

function photo(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = "rgb(200 40 40)";
  context.fillRect(0, 0, width, height);
  return canvas;
}

describe("cells", () => {
  it.each([1, 1.5, 2])("one weight colours its rectangle and nothing else, at ratio %f", (ratio) => {
    const panel = panelOf([patches(4, 8)]);
    const paint = paintOf(panel, 320, 240, { ratio });
    const { count, ...box } = heated(paint, heatOf(oneHot(32, 2 * 8 + 5))).extent(painted);
    const wanted = { left: 200 * ratio, top: 120 * ratio, right: 240 * ratio, bottom: 180 * ratio };
    expect(box).toEqual(wanted);
    expect(count).toBe(40 * 60 * ratio * ratio);
  });

  it("34 × 46 patches on an image of 480 × 640 are not transposed", () => {
    const panel = panelOf([patches(34, 46)]);
    const paint = paintOf(panel, 640, 480);
    const [row, col] = [3, 41];
    const box = heated(paint, heatOf(oneHot(34 * 46, row * 46 + col))).extent(painted);
    expect(box.left).toBe(Math.round((col * 640) / 46));
    expect(box.right).toBe(Math.round(((col + 1) * 640) / 46));
    expect(box.top).toBe(Math.round((row * 480) / 34));
    expect(box.bottom).toBe(Math.round(((row + 1) * 480) / 34));
  });

  it("no pixel is left between cells of any size, and none is painted twice", () => {
    const paint = paintOf(panelOf([patches(14, 14)]), 333, 249, { ratio: 1.25 });
    const drawn = heated(paint, heatOf(Array(196).fill(0.5), { opacity: 0.6 }));
    const [, , , alpha] = drawn.at(0, 0);
    expect(drawn.extent((pixel) => pixel[3] === alpha).count).toBe(416 * 311);
  });

  it("an order is honoured, and positions on no cell are painted nowhere", () => {
    const panel = panelOf([patches(2, 2, { order: [3, -1, 0], stop: 3 })]);
    const paint = paintOf(panel, 320, 240);
    expect(heated(paint, heatOf([1, 1, 0])).extent(painted)).toMatchObject({ left: 160, top: 120 });
    expect(heated(paint, heatOf([0, 1, 0])).extent(painted).count).toBe(0);
    const smooth = heated(paint, heatOf([0, 1, 1], { interpolation: "bilinear" }));
    expect(smooth.at(40, 40)[3]).toBe(255);
    expect(smooth.at(200, 40)[3]).toBe(0);
    expect(smooth.at(40, 200)[3]).toBe(0);
  });

  it("zoomed in, what lies under a place stays there", () => {
    const panel = panelOf([patches(6, 8)]);
    const whole = paintOf(panel, 320, 240);
    const look = zoomed(whole.place, panel, whole.look, 4, 170, 135);
    const drawn = heated({ ...whole, look }, heatOf(oneHot(48, 3 * 8 + 4)));
    expect(painted(drawn.at(170, 135))).toBe(true);
    const box = drawn.extent(painted);
    expect([box.right - box.left, box.bottom - box.top]).toEqual([160, 160]);
  });

  it("interpolated, a single 1 in 14 × 14 over 224 × 224 pixels reaches .9385", () => {
    const strengths: number[] = [];
    const panel = panelOf([patches(14, 14, { region: [0, 0, 224, 224] })], [224, 224]);
    const paint = paintOf(panel, 224, 224);
    const anchors = [
      [0, 0, 0],
      [255, 0, 0],
    ] as const;
    const heat = heatOf(oneHot(196, 6 * 14 + 3), {
      interpolation: "bilinear",
      anchors,
      strength: (weight) => {
        strengths.push(weight);
        return weight;
      },
    });
    const drawn = heated(paint, heat);
    let most = 0;
    for (let y = 96; y < 112; y++)
      for (let x = 48; x < 64; x++) most = Math.max(most, drawn.at(x, y)[0] ?? 0);
    expect(most / 255).toBeCloseTo(0.9385, 2);
    expect(strengths.length).toBeGreaterThan(0);
  });
});

describe("what is no weight", () => {
  const paint = paintOf(panelOf([patches(1, 4)]), 320, 240);
  const drawn = heated(paint, heatOf([Number.NaN, Infinity, 0, 0.5], { aside: [3] }));

  const colours = (from: number) => {
    const found = new Set<string>();
    for (let y = 20; y < 60; y++)
      for (let x = from + 20; x < from + 60; x++) found.add(String(drawn.at(x, y)));
    return found;
  };

  it("missing and infinite weights look like nothing else", () => {
    const { missing, missingLine, infinite, infiniteLine } = MARKS.light;
    expect(colours(0)).toEqual(new Set([missing, missingLine].map((colour) => `${colour},255`)));
    expect(colours(80)).toEqual(new Set([infinite, infiniteLine].map((colour) => `${colour},255`)));
  });

  it("nothing is painted for 0, and what is set aside is hatched", () => {
    expect([...colours(160)]).toEqual(["0,0,0,0"]);
    expect(colours(240).size).toBe(2);
    expect(colours(240).has(String([...colourAt(heatOf([]).anchors, 0.5), 255]))).toBe(false);
  });
});

describe("the picture", () => {
  const red = ([red = 0, green = 0]: number[]) => red > 190 && green < 60;

  it("is seen where patches are, and hatched beside them (centre crop)", () => {
    const paint = paintOf(panelOf([patches(3, 3, { region: [80, 0, 560, 480] })]), 320, 240);
    const drawn = new Drawn(paint, (context) => paintPicture(context, paint, photo(640, 480)));
    expect(drawn.extent(red)).toEqual({ left: 40, top: 0, right: 280, bottom: 240, count: 240 * 240 });
    const beside = new Set(Array.from({ length: 16 }, (_, x) => String(drawn.at(x + 8, 100))));
    expect(beside.size).toBe(2);
  });

  it("padding lies beside the image (letterbox)", () => {
    const paint = paintOf(panelOf([patches(4, 4, { region: [0, -80, 640, 560] })]), 320, 320);
    const drawn = new Drawn(paint, (context) => paintPicture(context, paint, photo(640, 480)));
    expect(drawn.extent(red)).toEqual({ left: 0, top: 40, right: 320, bottom: 280, count: 320 * 240 });
    expect(String(drawn.at(2, 1))).toMatch(/^(238,240,243|221,225,230),255$/);
  });

  it("cells without a position are unseen", () => {
    const paint = paintOf(panelOf([patches(1, 2, { order: [1], stop: 1 })]), 320, 240);
    const drawn = new Drawn(paint, (context) => paintPicture(context, paint, photo(640, 480)));
    expect(drawn.extent(red)).toEqual({ left: 160, top: 0, right: 320, bottom: 240, count: 160 * 240 });
  });

  it("all of it is seen where only boxes are", () => {
    const boxes: AxisPart = { kind: "boxes", start: 0, stop: 1, image: "photo", boxes: [[9, 9, 99, 99]] };
    const paint = paintOf(panelOf([boxes]), 320, 240);
    const drawn = new Drawn(paint, (context) => paintPicture(context, paint, photo(640, 480)));
    expect(drawn.extent(red).count).toBe(320 * 240);
  });

  it("a grid without an image is a grid", () => {
    const grid = patches(2, 2, { image: null, region: [0, 0, 2, 2] });
    const paint = paintOf(panelOf([grid]), 100, 100);
    const drawn = new Drawn(paint, (context) => paintPicture(context, paint, undefined));
    expect(drawn.at(20, 20)).toEqual([255, 255, 255, 255]);
    expect(drawn.at(50, 20)).toEqual([...MARKS.light.maskedLine, 255]);
  });
});

describe("lines around shares", () => {
  const values = Float32Array.from({ length: 48 }, (_, i) => (i === 9 ? 0.6 : i === 10 ? 0.35 : 0.05 / 46));
  // Too weak for numbers.
  const strength = (weight: number) => weight / 1000;
  const paint = paintOf(panelOf([patches(6, 8)]), 320, 240);

  it.each(["contours", "outline"] as const)(
    "%s lie around the strongest cells, and leave them clear",
    (kind) => {
      const drawn = heated(paint, heatOf(values, { strength, paint: kind, contours: [0.5] }));
      const box = drawn.extent(painted);
      expect(Math.abs(box.left - 40)).toBeLessThan(6);
      expect(Math.abs(box.right - 80)).toBeLessThan(6);
      expect(Math.abs(box.bottom - 80)).toBeLessThan(6);
      expect(painted(drawn.at(60, 68))).toBe(false);
      expect(drawn.at(60, 80)[3]).toBe(255);
    },
  );

  it("an outline parts the cells that a contour joins", () => {
    const at = (kind: "contours" | "outline") =>
      heated(paint, heatOf(values, { strength, paint: kind, contours: [0.9] })).at(80, 68);
    expect(painted(at("contours"))).toBe(false);
    expect(painted(at("outline"))).toBe(true);
  });

  it("interpolated contours surround the strongest cell too", () => {
    const drawn = heated(
      paint,
      heatOf(values, { strength, paint: "contours", contours: [0.5], interpolation: "bilinear" }),
    );
    const box = drawn.extent(painted);
    expect(box.count).toBeGreaterThan(100);
    expect(box.left).toBeGreaterThan(20);
    expect(box.right).toBeLessThan(130);
  });
});

describe("marks and texts", () => {
  const boxes: AxisPart = { kind: "boxes", start: 0, stop: 1, image: "photo", boxes: [[200, 200, 400, 300]] };
  const paint = paintOf(panelOf([boxes]), 320, 240);

  it("a box is framed in its colour, and its label told", () => {
    const mark = { side: "key" as const, position: 0, label: "cat 0.97", colour: [0, 114, 178] as const };
    let texts: readonly { text: string }[] = [];
    const drawn = new Drawn(paint, (context) => {
      texts = paintMarks(context, paint, { ...NO_MARKS, boxes: [mark] });
    });
    expect(drawn.at(150, 150).slice(0, 3)).toEqual([0, 114, 178]);
    expect(painted(drawn.at(150, 125))).toBe(false);
    expect(texts.map(({ text }) => text)).toEqual(["cat 0.97"]);
  });

  it("numbers stand in cells with room for them, once zoomed in", () => {
    const panel = panelOf([patches(6, 8)]);
    const near = paintOf(panel, 320, 240, { look: { zoom: 4, x: 0, y: 0 } });
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    const values = Float32Array.from({ length: 48 }, (_, i) => (i + 1) / 100);
    const told = paintHeat(context, near, heatOf(values)).map(({ text }) => text);
    expect(told).toEqual(["0.01", "0.02", "0.09", "0.1"]);
    expect(paintHeat(context, paintOf(panel, 320, 240), heatOf(values)).map(({ text }) => text)).toEqual([
      "0.48",
    ]);
    expect(paintHeat(context, paintOf(panel, 200, 150), heatOf(values))).toEqual([]);
  });
});
