/** Maps that lie on pictures, and what a person does on these. */
import { attention, mapTraits, type WireAxis } from "../fakes.ts";
import { all } from "./mounted.ts";

export const WORDS = ["a", "red", "star", "</s>"];
const SIZE = { width: 60, height: 40 };
const GRID = { rows: 4, cols: 6 };
const PATCHES = GRID.rows * GRID.cols;

/** A picture in two colours, as Python sends it. */
async function image(): Promise<Record<string, unknown>> {
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  context.fillStyle = "rgb(40 90 160)";
  context.fillRect(0, 0, SIZE.width, SIZE.height);
  context.fillStyle = "rgb(220 60 40)";
  context.fillRect(0, 0, SIZE.width / 2, SIZE.height);
  const bytes = await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer();
  return { scene: { type: "image/png", data: new DataView(bytes), ...SIZE } };
}

const names = (count: number): string[] =>
  Array.from(
    { length: count },
    (_, at) => `row ${Math.floor(at / GRID.cols) + 1}, column ${(at % GRID.cols) + 1}`,
  );

const patches = (start: number) => ({
  kind: "patches" as const,
  start,
  stop: start + PATCHES,
  image: "scene",
  ...GRID,
  region: [0, 0, SIZE.width, SIZE.height] as const,
  order: null,
});

async function scene(
  heads: number,
  queries: WireAxis,
  keys: WireAxis | null,
  more: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const across = (keys ?? queries).labels.length;
  const layers = [1, 2].map((seed) => attention(heads, queries.labels.length, across, seed, 4));
  return {
    ...mapTraits({ layers, queries, keys, images: { scene: SIZE } }),
    _images: await image(),
    view: "overlay",
    map: "attention",
    layer: 0,
    heads: [],
    combine: "mean",
    pinned_queries: [],
    pinned_keys: [],
    ...more,
  };
}

/** Words that look at patches. */
export const caption = (more: Record<string, unknown> = {}, heads = 1) =>
  scene(heads, { labels: WORDS, special: [3] }, { labels: names(PATCHES), parts: [patches(0)] }, more);

/** Patches and a class token that look at each other. */
export const classifier = (more: Record<string, unknown> = {}, heads = 1) =>
  scene(heads, { labels: ["[CLS]", ...names(PATCHES)], special: [0], parts: [patches(1)] }, null, more);

/** Words before and after patches, on one axis, that all look at each other. */
export const mixed = (before: number, after: number, more: Record<string, unknown> = {}) => {
  const words = (count: number, name: string) => Array.from({ length: count }, (_, at) => `${name}${at}`);
  const labels = [...words(before, "before "), ...names(PATCHES), ...words(after, "after ")];
  return scene(1, { labels, parts: [patches(before)] }, null, more);
};

/** Boxes that look at patches; the second lies within the first. */
export const detector = (more: Record<string, unknown> = {}) =>
  scene(
    1,
    {
      labels: ["cat 0.9", "nose 0.8", "tree 0.7"],
      parts: [
        {
          kind: "boxes",
          start: 0,
          stop: 3,
          image: "scene",
          boxes: [
            [0, 0, 30, 30],
            [10, 10, 20, 20],
            [40, 20, 60, 40],
          ],
        },
      ],
    },
    { labels: names(PATCHES), parts: [patches(0)] },
    more,
  );

export const pictures = (root: HTMLElement): HTMLElement[] => all(root, ".picture");

/** The middle of a patch of a picture that is not zoomed. */
export function patchAt(root: HTMLElement, row: number, col: number, picture = 0): [number, number] {
  const { left, top, width, height } = (pictures(root)[picture] as HTMLElement).getBoundingClientRect();
  return [left + ((col + 0.5) * width) / GRID.cols, top + ((row + 0.5) * height) / GRID.rows];
}

export const canvasOf = (
  root: HTMLElement,
  name: "base" | "heat" | "overlay",
  picture = 0,
): HTMLCanvasElement =>
  (pictures(root)[picture] as HTMLElement).querySelector(`canvas.${name}`) as HTMLCanvasElement;
