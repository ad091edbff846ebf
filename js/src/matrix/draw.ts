/** What the matrix paints: cells, strips of numbers at its sides, pins and crosshair over it. */

import type { Ink } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { INFINITE, MASKED, MISSING, MOST, packed } from "../scale/codes.ts";
import { MARKS } from "../scale/colormap.ts";
import type { Theme } from "../theme.ts";
import { type Place, type Sight, scaleOf, sightline } from "./layout.ts";
import { blankRaster, type Grid, paintCodes, type Raster, type Span } from "./pool.ts";

/** Which cells that are no numbers are on screen. */
export interface Seen {
  readonly masked: boolean;
  readonly missing: boolean;
  readonly infinite: boolean;
  /** Share of the cells with some weight that have at least a tenth of the full one. */
  readonly strong: number;
}

export const ratioNow = (): number => Math.min(3, globalThis.devicePixelRatio || 1);

/** Give a canvas a place in CSS pixels; its own pixels are those of the screen. */
export function occupy(canvas: HTMLCanvasElement, { x, y, width, height }: Place, ratio: number): void {
  Object.assign(canvas.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
}

/** A blank canvas to draw on in CSS pixels. */
export function begin(canvas: HTMLCanvasElement, ratio: number): CanvasRenderingContext2D | null {
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

export const css = ([red, green, blue]: Rgb, opacity = 1): string =>
  `rgb(${red} ${green} ${blue} / ${opacity})`;

/** The codes of the pixels of a canvas. */
export function rasterOf(
  grids: readonly Grid[],
  sight: Sight,
  [height, width]: readonly [number, number],
  pool: "max" | "mean",
  signed: boolean,
): Raster {
  const raster = blankRaster(width, height);
  const [y, x] = [sightline(sight.rows, height), sightline(sight.cols, width)];
  for (const grid of grids) paintCodes(raster, grid, y, x, pool, signed);
  return raster;
}

/**
 * Colours of codes as an image. Masked cells are hatched, missing ones cross-hatched, infinite ones dotted;
 * the hatching moves with the cells.
 */
/** The code of a tenth of the full value: what is weaker is hard to tell from nothing. */
const STRONG = Math.round(MOST * Math.sqrt(0.1));

export function imageOf(
  raster: Raster,
  table: Uint32Array,
  theme: Theme,
  sight: Sight,
  ratio: number,
): { image: ImageData; seen: Seen } {
  const { width, height, codes, here } = raster;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const marks = MARKS[theme];
  const [masked, missing, infinite] = [
    packed(marks.maskedLine),
    packed(marks.missingLine),
    packed(marks.infiniteLine),
  ];
  const shift = ([start, end]: Span, size: number) => Math.round((start / (end - start)) * size) || 0;
  const [dx, dy] = [shift(sight.cols, width), shift(sight.rows, height)];
  const line = Math.max(1, Math.round(ratio));
  const seen = { masked: false, missing: false, infinite: false, strong: 0 };
  let strong = 0;
  let cells = 0;
  for (let at = 0; at < codes.length; at++) {
    if (!here[at]) continue;
    const code = codes[at] as number;
    pixels[at] = table[code] as number;
    if (code <= MOST) {
      if (code > 0) cells++;
      if (code >= STRONG) strong++;
      continue;
    }
    const x = (at % width) + dx;
    const y = Math.floor(at / width) + dy;
    if (code === MASKED) {
      seen.masked = true;
      if ((x + y) % (7 * line) < line) pixels[at] = masked;
    } else if (code === MISSING) {
      seen.missing = true;
      if ((x + y) % (5 * line) < line || (((x - y) % (5 * line)) + 5 * line) % (5 * line) < line)
        pixels[at] = missing;
    } else if (code === INFINITE) {
      seen.infinite = true;
      if (x % (4 * line) < line && y % (4 * line) < line) pixels[at] = infinite;
    }
  }
  seen.strong = cells > 0 ? strong / cells : 1;
  return { image, seen };
}

/** Cells of at least this size have gaps between them. */
const GAPPED = 12;

/** Gaps between cells large enough to have them. */
export function paintGaps(
  context: CanvasRenderingContext2D,
  sight: Sight,
  { width, height }: Place,
  ink: Ink,
): void {
  const [x, y] = [scaleOf(sight.cols, width), scaleOf(sight.rows, height)];
  if (Math.min(x.cell, y.cell) < GAPPED) return;
  context.fillStyle = css(ink.surface);
  for (let col = Math.ceil(sight.cols[0]); col < sight.cols[1]; col++)
    context.fillRect(Math.round(x.at(col)) - 0.5, 0, 1, height);
  for (let row = Math.ceil(sight.rows[0]); row < sight.rows[1]; row++)
    context.fillRect(0, Math.round(y.at(row)) - 0.5, width, 1);
}

/** What stands in cells large enough to read it in; `colour` is that of the cell. */
export function paintNumbers(
  context: CanvasRenderingContext2D,
  sight: Sight,
  { width, height }: Place,
  textOf: (row: number, col: number) => string,
  colourOf: (row: number, col: number) => Rgb,
  font: () => string,
): void {
  const [x, y] = [scaleOf(sight.cols, width), scaleOf(sight.rows, height)];
  if (x.cell < 38 || y.cell < 18) return;
  context.font = `${Math.min(12, Math.floor(x.cell / 3.4))}px ${font()}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = Math.floor(sight.rows[0]); row < sight.rows[1]; row++) {
    for (let col = Math.floor(sight.cols[0]); col < sight.cols[1]; col++) {
      const [red, green, blue] = colourOf(row, col);
      const light = 0.299 * red + 0.587 * green + 0.114 * blue > 140;
      context.fillStyle = light ? "#1f2328" : "#ffffff";
      context.fillText(textOf(row, col), x.at(col + 0.5), y.at(row + 0.5));
    }
  }
}

/** Rings on cells that were given as links. */
export function paintLinks(
  context: CanvasRenderingContext2D,
  sight: Sight,
  { width, height }: Place,
  links: readonly (readonly [query: number, key: number])[],
  ink: Ink,
): void {
  const [x, y] = [scaleOf(sight.cols, width), scaleOf(sight.rows, height)];
  const radius = Math.max(2, Math.min(8, Math.min(x.cell, y.cell) * 0.42));
  for (const [colour, line] of [
    [ink.surface, 3],
    [ink.text, 1.25],
  ] as const) {
    context.strokeStyle = css(colour);
    context.lineWidth = line;
    for (const [row, col] of links) {
      context.beginPath();
      context.arc(x.at(col + 0.5), y.at(row + 0.5), radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** Bars of one number a pixel, growing from the plot: upwards above it, to the right beside it. */
export function paintStrip(
  canvas: HTMLCanvasElement,
  shares: Float32Array,
  { cell, at, span }: ReturnType<typeof scaleOf> & { readonly span: Span },
  upright: boolean,
  ratio: number,
  ink: Ink,
): void {
  const context = begin(canvas, 1);
  if (!context) return;
  const { width, height } = canvas;
  const room = upright ? height : width;
  const line = Math.max(1, Math.round(ratio));
  const bar = (place: number, size: number, thick: number) => {
    if (upright) context.fillRect(place, height - size, thick, size);
    else context.fillRect(0, place, size, thick);
  };
  context.fillStyle = css(ink.muted, 0.55);
  shares.forEach((share, place) => {
    if (share > 0) bar(place, Math.max(line, Math.round(Math.min(1, share) * room)), 1);
  });
  if (cell < GAPPED) return;
  context.globalCompositeOperation = "destination-out";
  for (let position = Math.ceil(span[0]); position < span[1]; position++) {
    bar(Math.round((at(position) - 1) * ratio), room, 2 * line);
  }
  context.globalCompositeOperation = "source-over";
}

export interface Marked {
  /** Pinned units of each side; what is not of them is veiled. */
  readonly rows: readonly number[];
  readonly cols: readonly number[];
  readonly row: number | null;
  readonly col: number | null;
}

/** What is pinned stays as it is, framed, and the rest is veiled; what is hovered lies between two hairs. */
export function paintMarks(
  canvas: HTMLCanvasElement,
  marked: Marked,
  sight: Sight,
  { width, height }: Place,
  ink: Ink,
  ratio: number,
): void {
  const context = begin(canvas, ratio);
  if (!context) return;
  const [x, y] = [scaleOf(sight.cols, width), scaleOf(sight.rows, height)];
  const band = (at: number, { cell, at: place }: typeof x): [number, number] => {
    const size = Math.max(2, cell);
    return [place(at + 0.5) - size / 2, size];
  };
  const rows = marked.rows.map((row) => band(row, y));
  const cols = marked.cols.map((col) => band(col, x));
  if (rows.length + cols.length > 0) {
    context.fillStyle = css(ink.surface, 0.62);
    context.fillRect(0, 0, width, height);
    for (const [top, size] of rows) context.clearRect(0, top, width, size);
    for (const [left, size] of cols) context.clearRect(left, 0, size, height);
    context.strokeStyle = css(ink.accent);
    context.lineWidth = 1.5;
    for (const [top, size] of rows) context.strokeRect(-2, top, width + 4, size);
    for (const [left, size] of cols) context.strokeRect(left, -2, size, height + 4);
    context.lineWidth = 2.5;
    for (const [top, high] of rows)
      for (const [left, wide] of cols) context.strokeRect(left, top, wide, high);
  }
  const { row, col } = marked;
  const hairs = (colour: string, line: number) => {
    context.strokeStyle = colour;
    context.lineWidth = line;
    if (row !== null) frame(context, -2, band(row, y)[0], width + 4, band(row, y)[1]);
    if (col !== null) frame(context, band(col, x)[0], -2, band(col, x)[1], height + 4);
  };
  hairs(css(ink.surface, 0.6), 2.5);
  hairs(css(ink.text, 0.55), 1);
  if (row === null || col === null) return;
  const [[top, high], [left, wide]] = [band(row, y), band(col, x)];
  for (const [colour, line, out] of [
    [ink.surface, 4, 1],
    [ink.text, 2, 1],
  ] as const) {
    context.strokeStyle = css(colour);
    context.lineWidth = line;
    context.strokeRect(left - out, top - out, wide + 2 * out, high + 2 * out);
  }
}

const frame = (
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
): void => context.strokeRect(x, y, width, height);

/** Veil whole rows and columns, such as those of special positions that are hidden. */
export function paintVeil(
  context: CanvasRenderingContext2D,
  rows: readonly number[],
  cols: readonly number[],
  sight: Sight,
  { width, height }: Place,
  ink: Ink,
): void {
  const [x, y] = [scaleOf(sight.cols, width), scaleOf(sight.rows, height)];
  context.fillStyle = css(ink.surface, 0.8);
  for (const row of rows) context.fillRect(0, y.at(row), width, y.cell);
  for (const col of cols) context.fillRect(x.at(col), 0, x.cell, height);
}

/** Colours from weak to strong. */
export function paintRamp(
  canvas: HTMLCanvasElement,
  colour: (share: number) => Rgb,
  width: number,
  height: number,
): void {
  const ratio = ratioNow();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  for (let x = 0; context && x < canvas.width; x++) {
    context.fillStyle = css(colour(x / (canvas.width - 1)));
    context.fillRect(x, 0, 1, canvas.height);
  }
}
