/** The overlay as a part of a picture: what files of it hold. */
import { afterEach, describe, expect, it } from "vitest";
import type { Axis, AxisPart } from "../../src/content.ts";
import { h } from "../../src/dom.ts";
import { toSvg } from "../../src/export/svg.ts";
import type { Heat, Marks, Paint } from "../../src/overlay/paint.ts";
import { type Panel, panelsOf } from "../../src/overlay/panels.ts";
import { overlayPart } from "../../src/overlay/still.ts";
import { anchorsOf } from "../../src/scale/colormap.ts";

const axis = (length: number, parts: AxisPart[]): Axis => ({
  labels: Array.from({ length }, (_, i) => `t${i}`),
  exact: new Map(),
  special: [],
  parts,
  words: null,
});

const parts: AxisPart[] = [
  {
    kind: "patches",
    start: 0,
    stop: 4,
    image: "a",
    rows: 2,
    cols: 2,
    region: [0, 0, 200, 100],
    order: null,
  },
];
const panel = panelsOf({
  queries: axis(1, []),
  keys: axis(4, parts),
  images: { a: { width: 200, height: 100 } },
})[0] as Panel;
const paint: Paint = {
  panel,
  look: { zoom: 1, x: 0, y: 0 },
  place: { width: 200, height: 100 },
  ratio: 2,
  theme: "light",
};
const heat: Heat = {
  side: "key",
  values: Float32Array.of(0, 0, 0.75, 0),
  strength: (weight) => weight,
  anchors: anchorsOf("inferno", false, "light"),
  signed: false,
  opacity: 1,
  interpolation: "nearest",
  paint: "heat",
  contours: [],
};
const marks: Marks = { focus: null, pinned: [], hover: null, boxes: [] };

let root: HTMLElement | undefined;
afterEach(() => root?.remove());

/** A view with words above two pictures in a list that shows one and a half of them. */
function view() {
  const place = (top: number) =>
    h("div", { style: `position:absolute;left:10px;top:${top}px;width:200px;height:100px` });
  const pictures = [place(0), place(110)];
  const word = (text: string, style: string) =>
    h("span", { class: "token", style: `display:inline-block;padding:3px;${style}` }, text);
  root = h(
    "div",
    { style: "position:absolute;left:37px;top:21px;width:400px;font:13px/20px sans-serif" },
    h(
      "div",
      { style: "height:30px" },
      word("star", "font-weight:600;background:rgb(10 20 30 / 50%);border:1px solid rgb(0 114 178)"),
      word("hidden", "display:none"),
      word("</s>", "text-decoration:line-through;color:rgb(91 100 112)"),
    ),
    h("button", {}, "zoom in"),
    h(
      "div",
      { style: "position:absolute;left:0;top:60px;width:220px;height:160px;overflow:hidden" },
      ...pictures,
    ),
    h(
      "p",
      { style: "position:absolute;left:240px;top:60px;width:150px;margin:0;white-space:pre-line" },
      "half of it\nin 2 of 64\npatches",
    ),
    h("p", { style: "position:absolute;width:1px;height:1px;overflow:hidden;left:0;top:0" }, "only read out"),
  );
  document.body.append(root);
  const title = (at: number) => `picture ${at}`;
  return overlayPart(
    root,
    pictures.map((element, at) => ({ element, paint, source: undefined, heat, marks, title: title(at) })),
  );
}

describe("a still of the overlay", () => {
  it("has its pictures where they are on screen, at the screen's ratio, cut where they are", () => {
    const { images, width, height } = view();
    expect(width).toBe(400);
    expect(height).toBeGreaterThanOrEqual(220);
    expect(images.map(({ x, y, width, height }) => [x, y, width, height])).toEqual([
      [10, 60, 200, 100],
      [10, 170, 200, 50],
    ]);
    expect(images.map(({ canvas }) => [canvas.width, canvas.height])).toEqual([
      [400, 200],
      [400, 100],
    ]);
    const context = images[0]?.canvas.getContext("2d");
    const data = context?.getImageData(20, 120, 1, 1).data ?? [];
    expect(data[0]).toBeGreaterThan(200);
  });

  it("writes numbers as text, once a picture in sight", () => {
    const numbers = view().texts.filter(({ text }) => text === "0.75");
    expect(numbers.map(({ x, align }) => [x, align])).toEqual([[60, "center"]]);
    expect(numbers[0]?.y).toBeCloseTo(60 + 75 + 0.36 * (numbers[0]?.size ?? 0), 6);
  });

  it("writes the words on screen as they are, and no controls", () => {
    const { texts, boxes } = view();
    expect(texts.map(({ text }) => text)).toEqual([
      "0.75",
      "star",
      "</s>",
      "half of it",
      "in 2 of 64",
      "patches",
    ]);
    const [, star, end, half] = texts;
    expect(star).toMatchObject({ align: "center", bold: true, struck: false, size: 13 });
    expect(end).toMatchObject({ struck: true, colour: [91, 100, 112] });
    expect(half).toMatchObject({ align: "left", x: 240 });
    expect(boxes).toHaveLength(1);
    expect(boxes[0]).toMatchObject({ fill: [10, 20, 30], stroke: [0, 114, 178] });
    expect(boxes[0]?.opacity).toBeCloseTo(0.5, 2);
  });

  it("has the colours of the legend below", () => {
    view();
    const ramp = h("canvas", { width: 320, height: 20, style: "width:160px;height:10px;display:block" });
    const legend = document.body.appendChild(
      h("div", {}, h("span", { class: "ramp" }, ramp), "0 – 0.46, absolute"),
    );
    const part = overlayPart(root as HTMLElement, [], legend);
    legend.remove();
    expect(part.images).toHaveLength(1);
    expect(part.images[0]).toMatchObject({ x: 0, width: 160, height: 10 });
    expect(part.images[0]?.canvas.width).toBe(320);
    expect(part.images[0]?.y).toBeGreaterThan(60);
    expect(part.texts.some(({ text }) => text.includes("absolute"))).toBe(false);
  });

  it("can be written as SVG", () => {
    const picture = { ...view(), title: "", background: [255, 255, 255] as const, font: "sans-serif" };
    const svg = toSvg({ ...picture, sentence: "", notes: [] });
    const made = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(made.querySelectorAll("image")).toHaveLength(2);
    expect([...made.querySelectorAll("image title")].map((one) => one.textContent)).toContain("picture 1");
  });
});
