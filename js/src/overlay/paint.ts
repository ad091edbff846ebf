/**
 * Draws the overlay's pictures: picture, weights on it, marks over them. A canvas is as large as the place of its
 * picture times `ratio`, and blank.
 */

import type { BoxesPart, PatchesPart } from "../content.ts";
import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { css } from "../matrix/draw.ts";
import { MARKS } from "../scale/colormap.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import { edgesOf, enclosing, levelLines, type Pieces } from "./contours.ts";
import { type Hatch, hatchOf } from "./hatch.ts";
import { alphaOf, type Grid, gridOf, type Heat, heatColour, lineOf, pixelsOf, sampled } from "./heat.ts";
import { type Label, labelsOf, numbersOf, paintLabels, shareLabel } from "./labels.ts";
import { hasPatch, type Look, type Size, toScreen } from "./layout.ts";
import { type Panel, positionsOf, type Rect, rectOf } from "./panels.ts";

export type { Heat } from "./heat.ts";

export interface Paint {
  readonly panel: Panel;
  readonly look: Look;
  /** Of the picture on screen, in CSS pixels. */
  readonly place: Size;
  /** Device pixels a CSS pixel. */
  readonly ratio: number;
  readonly theme: Theme;
  /** CSS font families of numbers and labels. */
  readonly font?: string;
}

export interface Marked {
  readonly side: Side;
  readonly positions: readonly number[];
}

/** What is stressed on a picture. */
export interface Marks {
  /** Whose weights are shown. */
  readonly focus: Marked | null;
  readonly pinned: readonly Marked[];
  /** Under the pointer or the cursor. */
  readonly hover: Marked | null;
  /** Detected boxes, framed in their colour; the label stands at the left top. */
  readonly boxes: readonly BoxMark[];
  /** The position with the largest weight. */
  readonly strongest?: Marked | null;
  /** Numbers at some positions, such as pinned keys. */
  readonly notes?: readonly { readonly side: Side; readonly position: number; readonly text: string }[];
}

export interface BoxMark {
  readonly side: Side;
  readonly position: number;
  readonly label: string | null;
  readonly colour: Rgb;
}

/** A rectangle in whole device pixels. */
type Pixels = readonly [x: number, y: number, width: number, height: number];

/** The pixels whose middles lie within a rectangle of the original, so that neighbours share no pixel. */
export function pixelsIn({ place, panel, look, ratio }: Paint, [left, top, right, bottom]: Rect): Pixels {
  const edge = (at: number) => Math.ceil(at * ratio - 0.5);
  const [x, y] = toScreen(place, panel, look, left, top).map(edge) as [number, number];
  const [toX, toY] = toScreen(place, panel, look, right, bottom).map(edge) as [number, number];
  return [x, y, toX - x, toY - y];
}

const inSight = ([x, y, width, height]: Pixels, { canvas }: CanvasRenderingContext2D): boolean =>
  x < canvas.width && y < canvas.height && x + width > 0 && y + height > 0;

const patchesOf = ({ parts }: Panel, side?: Side): PatchesPart[] =>
  parts.flatMap((one) => (one.part.kind === "patches" && (!side || one.side === side) ? [one.part] : []));
const boxesOf = ({ parts }: Panel, side: Side): BoxesPart[] =>
  parts.flatMap((one) => (one.part.kind === "boxes" && one.side === side ? [one.part] : []));

/** The picture itself; what no patch covers and what lies beside the image is hatched. */
export function paintPicture(
  context: CanvasRenderingContext2D,
  paint: Paint,
  source: CanvasImageSource | undefined,
): void {
  const { panel, place, look, ratio, theme } = paint;
  const { canvas } = context;
  context.setTransform(1, 0, 0, 1, 0, 0);
  const image = pixelsIn(paint, [0, 0, ...panel.size]);
  hatched(context, paint, "padding", [0, 0, canvas.width, canvas.height]);
  context.clearRect(...image);
  if (source) {
    const { extent } = panel;
    // Few large pixels are shown as they are.
    context.imageSmoothingEnabled = (place.width * look.zoom * ratio) / (extent[2] - extent[0]) < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, ...image);
  } else {
    context.fillStyle = css(panel.image === null ? INK[theme].surface : MARKS[theme].masked);
    context.fillRect(...image);
    if (panel.image === null) paintGrid(context, paint);
  }
  paintUnseen(context, paint, image);
}

/** Cells of a grid that lies on no image. */
function paintGrid(context: CanvasRenderingContext2D, paint: Paint): void {
  context.fillStyle = css(MARKS[paint.theme].maskedLine);
  for (const part of patchesOf(paint.panel)) {
    const [, , width, height] = pixelsIn(paint, rectOf(part, part.start) ?? [0, 0, 0, 0]);
    if (Math.min(width, height) < 6 * paint.ratio) continue;
    fillPieces(
      context,
      paint,
      part,
      edgesOf(part.rows, part.cols, () => true, true),
      1,
    );
  }
}

function paintUnseen(context: CanvasRenderingContext2D, paint: Paint, image: Pixels): void {
  const { panel } = paint;
  const parts = patchesOf(panel);
  if (parts.length === 0) return;
  context.save();
  for (const { region } of parts) {
    context.beginPath();
    context.rect(0, 0, context.canvas.width, context.canvas.height);
    context.rect(...pixelsIn(paint, region));
    context.clip("evenodd");
  }
  hatched(context, paint, "unseen", image);
  context.restore();
  for (const part of parts.filter(({ order }) => order)) {
    positionsOf(part).forEach((position, cell) => {
      const rect = rectOfCell(part, cell);
      const middle = [(rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2] as const;
      if (position < 0 && !hasPatch(panel, ...middle))
        hatched(context, paint, "unseen", pixelsIn(paint, rect));
    });
  }
}

/** The rectangle of a raster cell, whether a position lies there or not. */
const rectOfCell = (part: PatchesPart, cell: number): Rect =>
  rectOf({ ...part, order: null, start: 0, stop: part.rows * part.cols }, cell) as Rect;

/** Hatch a rectangle; the hatching moves with the picture. */
function hatched(context: CanvasRenderingContext2D, paint: Paint, kind: Hatch, pixels: Pixels): void {
  if (!inSight(pixels, context)) return;
  const pattern = hatchOf(context, kind, paint.theme, paint.ratio);
  if (!pattern) return;
  const [x, y] = pixelsIn(paint, [0, 0, 0, 0]);
  pattern.setTransform(new DOMMatrix([1, 0, 0, 1, x, y]));
  context.fillStyle = pattern;
  context.fillRect(...pixels);
}

/**
 * Weights on the picture, with numbers where cells have room for them.
 *
 * @param letters False leaves texts out, but for what surrounds them: who asks writes them.
 * @returns The texts on it.
 */
export function paintHeat(
  context: CanvasRenderingContext2D,
  paint: Paint,
  heat: Heat,
  letters = true,
): readonly Label[] {
  context.setTransform(1, 0, 0, 1, 0, 0);
  const filled = heat.paint === "heat" || heat.paint === "dim";
  for (const part of patchesOf(paint.panel, heat.side)) {
    const grid = gridOf(part, heat);
    if (filled) paintCells(context, paint, heat, part, grid);
    for (const [cell, oddity] of grid.odd) {
      const pixels = pixelsIn(paint, rectOfCell(part, cell));
      if (!inSight(pixels, context)) continue;
      context.clearRect(...pixels);
      if (oddity !== "none") hatched(context, paint, oddity, pixels);
    }
  }
  if (filled) paintBoxes(context, paint, heat);
  const shares = filled ? [] : paintSets(context, paint, heat);
  const labels = [...numbersOf(paint, heat), ...shares];
  paintLabels(context, paint, labels, letters);
  return labels;
}

function paintCells(
  context: CanvasRenderingContext2D,
  paint: Paint,
  heat: Heat,
  { region }: PatchesPart,
  grid: Grid,
): void {
  const { place, panel, look, ratio, theme } = paint;
  const [left, top, width, height] = pixelsIn(paint, region);
  const { canvas } = context;
  const [x, toX] = [Math.max(0, left), Math.min(canvas.width, left + width)];
  const [y, toY] = [Math.max(0, top), Math.min(canvas.height, top + height)];
  if (x >= toX || y >= toY) return;
  const start = toScreen(place, panel, look, region[0], region[1]);
  const end = toScreen(place, panel, look, region[2], region[3]);
  const span = (at: 0 | 1) => [start[at] * ratio, end[at] * ratio] as const;
  const smooth = heat.interpolation === "bilinear" && width >= grid.cols && height >= grid.rows;
  const across = lineOf(grid.cols, span(0), [x, toX], smooth);
  const down = lineOf(grid.rows, span(1), [y, toY], smooth);
  const pixels = pixelsOf(heat, theme, grid, across, down, smooth);
  const bytes = new Uint8ClampedArray(pixels.buffer as ArrayBuffer);
  context.putImageData(new ImageData(bytes, toX - x, toY - y), x, y);
}

/** Boxes by weight, the largest first, so that none hides one within it. */
function paintBoxes(context: CanvasRenderingContext2D, paint: Paint, heat: Heat): void {
  const { values, strength, opacity, side } = heat;
  const all = boxesOf(paint.panel, side).flatMap((part) =>
    part.boxes.map((_, at) => ({
      position: part.start + at,
      pixels: pixelsIn(paint, part.boxes[at] as Rect),
    })),
  );
  all.sort((a, b) => b.pixels[2] * b.pixels[3] - a.pixels[2] * a.pixels[3]);
  for (const { position, pixels } of all) {
    const value = values[position] as number;
    if (Number.isNaN(value)) {
      frame(context, pixels, css(MARKS[paint.theme].missingLine), 2 * paint.ratio);
      continue;
    }
    const strong = strength(value);
    const alpha = alphaOf(strong, opacity);
    if (alpha === 0) continue;
    const colour = Number.isFinite(value) ? heatColour(heat, strong, value < 0) : MARKS[paint.theme].infinite;
    context.fillStyle = css(colour, alpha / 2);
    context.fillRect(...pixels);
    frame(context, pixels, css(colour, Math.min(1, alpha + 0.2)), 2 * paint.ratio);
  }
}

/** On any picture, light or dark. */
const LINE: Rgb = [255, 255, 255];
const HALO: Rgb = [20, 20, 24];
/** Widths of the lines around the first set, the second, and so on, in CSS pixels. */
const WIDTHS = [2.5, 1.5, 1];

/** Lines around the smallest sets of cells and boxes that hold shares of the weight on the image. */
function paintSets(context: CanvasRenderingContext2D, paint: Paint, heat: Heat): Label[] {
  const { panel } = paint;
  const labels: Label[] = [];
  const { side, values, contours, aside = [] } = heat;
  const parts = patchesOf(panel, side);
  const shares = [...contours].sort((a, b) => a - b);
  const members = membersOn(panel, side).filter((position) => !aside.includes(position));
  const { order, counts } = enclosing(values, members, shares);
  const smooth = heat.interpolation === "bilinear" && heat.paint === "contours";
  const levels = smooth ? smoothLevels(paint, heat, parts, shares) : null;
  for (const [at, share] of [...shares.entries()].reverse()) {
    const set = new Set(order.slice(0, counts[at]));
    const width = WIDTHS[Math.min(at, WIDTHS.length - 1)] as number;
    const pieces = parts.map((part, i): Pieces => {
      if (levels) return levels[i]?.[at] ?? [];
      const cells = positionsOf(part);
      const inside = (row: number, col: number) => set.has(cells[row * part.cols + col] as number);
      return edgesOf(part.rows, part.cols, inside, heat.paint === "outline");
    });
    const frames = boxesOf(panel, side).flatMap((part) =>
      part.boxes.filter((_, box) => set.has(part.start + box)).map((box) => pixelsIn(paint, box)),
    );
    for (const [colour, wide] of [
      [HALO, width + 2],
      [LINE, width],
    ] as const) {
      context.fillStyle = context.strokeStyle = css(colour, colour === HALO ? 0.75 : 1);
      parts.forEach((part, i) => {
        if (levels) strokePieces(context, paint, part, pieces[i] as Pieces, wide);
        else fillPieces(context, paint, part, pieces[i] as Pieces, wide);
      });
      for (const pixels of frames) frame(context, pixels, css(colour), wide * paint.ratio);
    }
    if (heat.paint === "contours") {
      const ends = parts.flatMap((part, i) =>
        (pieces[i] as Pieces).map((piece) => screenPiece(paint, part, piece)),
      );
      labels.push(...shareLabel(paint, share, ends));
    }
  }
  return labels;
}

/** Positions of a side on the image itself, not beside it. */
function membersOn({ parts, size }: Panel, side: Side): number[] {
  const found: number[] = [];
  for (const { side: of, part } of parts) {
    for (let position = part.start; of === side && position < part.stop; position++) {
      const rect = rectOf(part, position);
      if (rect && rect[0] < size[0] && rect[1] < size[1] && rect[2] > 0 && rect[3] > 0) found.push(position);
    }
  }
  return found;
}

/** Samples along a side of an interpolated picture that is cut into level lines. */
const SAMPLES = 256;

/** For each part and share the level lines in cells of the part. */
function smoothLevels(
  { panel: { size } }: Paint,
  heat: Heat,
  parts: readonly PatchesPart[],
  shares: readonly number[],
): Pieces[][] {
  const longest = Math.max(1, ...parts.flatMap(({ rows, cols }) => [rows, cols]));
  const fine = Math.max(1, Math.min(8, Math.floor(SAMPLES / longest)));
  const grids = parts.map((part) => {
    const grid = gridOf(part, heat);
    const line = (count: number) => lineOf(count, [0, count * fine], [0, count * fine], true);
    const found = sampled(grid.values, part.cols, line(part.cols), line(part.rows));
    const [left, top, right, bottom] = part.region;
    const [width, height] = [part.cols * fine, part.rows * fine];
    for (let at = 0; at < found.length; at++) {
      const [x, y] = [at % width, Math.floor(at / width)];
      const cell = Math.floor(y / fine) * part.cols + Math.floor(x / fine);
      const [alongX, alongY] = [
        left + ((x + 0.5) / width) * (right - left),
        top + ((y + 0.5) / height) * (bottom - top),
      ];
      const beside = alongX < 0 || alongY < 0 || alongX > size[0] || alongY > size[1];
      found[at] = beside || grid.odd.has(cell) ? 0 : Math.abs(found[at] as number);
    }
    return { found, width, height };
  });
  const sorted = Float32Array.from(grids.flatMap(({ found }) => Array.from(found))).sort();
  let total = 0;
  for (const value of sorted) total += value;
  const levels = shares.map((share) => {
    let at = sorted.length - 1;
    for (let sum = sorted[at] ?? 0; at > 0 && sum < share * total * (1 - 1e-7); )
      sum += sorted[--at] as number;
    return sorted[at] ?? 0;
  });
  return grids.map(({ found, width, height }) =>
    levels.map((level) =>
      level > 0
        ? levelLines(found, width, height, level).map(
            (piece) => piece.map((at) => at / fine) as unknown as Pieces[number],
          )
        : [],
    ),
  );
}

/** A piece in cells of a part, in CSS pixels of the place. */
function screenPiece(
  { place, panel, look }: Paint,
  { region, rows, cols }: PatchesPart,
  piece: Pieces[number],
) {
  const at = (x: number, y: number) =>
    toScreen(
      place,
      panel,
      look,
      region[0] + (x / cols) * (region[2] - region[0]),
      region[1] + (y / rows) * (region[3] - region[1]),
    );
  return [...at(piece[0], piece[1]), ...at(piece[2], piece[3])] as const;
}

/** Straight lines along cell edges, sharp. */
function fillPieces(
  context: CanvasRenderingContext2D,
  paint: Paint,
  part: PatchesPart,
  pieces: Pieces,
  width: number,
): void {
  const wide = Math.max(1, Math.round(width * paint.ratio));
  const before = Math.floor(wide / 2);
  for (const piece of pieces) {
    const [x, y, toX, toY] = screenPiece(paint, part, piece).map((at) =>
      Math.ceil(at * paint.ratio - 0.5),
    ) as [number, number, number, number];
    context.fillRect(x - before, y - before, toX - x + wide, toY - y + wide);
  }
}

function strokePieces(
  context: CanvasRenderingContext2D,
  paint: Paint,
  part: PatchesPart,
  pieces: Pieces,
  width: number,
): void {
  context.lineWidth = width * paint.ratio;
  context.lineCap = "round";
  context.beginPath();
  for (const piece of pieces) {
    const [x, y, toX, toY] = screenPiece(paint, part, piece).map((at) => at * paint.ratio) as [
      number,
      number,
      number,
      number,
    ];
    context.moveTo(x, y);
    context.lineTo(toX, toY);
  }
  context.stroke();
}

function frame(context: CanvasRenderingContext2D, pixels: Pixels, colour: string, width: number): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(...pixels);
}

/** Frames of what is in focus, pinned and hovered, and detected boxes with their labels: see `paintHeat`. */
export function paintMarks(
  context: CanvasRenderingContext2D,
  paint: Paint,
  marks: Marks,
  letters = true,
): readonly Label[] {
  const { panel, ratio, theme } = paint;
  const { focus, pinned, hover, boxes, strongest } = marks;
  const { accent, surface, text } = INK[theme];
  context.setTransform(1, 0, 0, 1, 0, 0);
  const pixelsOfPosition = (side: Side, position: number): Pixels | null => {
    for (const { side: of, part } of panel.parts) {
      const rect = of === side ? rectOf(part, position) : undefined;
      if (rect) return pixelsIn(paint, rect);
    }
    return null;
  };
  const framed = ({ side, positions }: Marked, colour: Rgb, halo: Rgb, width: number) => {
    const all = positions
      .map((position) => pixelsOfPosition(side, position))
      .filter((pixels) => pixels !== null);
    for (const pixels of all) frame(context, pixels, css(halo, 0.8), (width + 2) * ratio);
    for (const pixels of all) frame(context, pixels, css(colour), width * ratio);
  };
  for (const { side, position, colour } of boxes) framed({ side, positions: [position] }, colour, surface, 2);
  if (strongest) framed(strongest, LINE, HALO, 1.5);
  for (const one of pinned) framed(one, accent, surface, 2.5);
  if (focus) framed(focus, accent, surface, 2.5);
  if (hover) framed(hover, text, surface, 1.5);
  const labels = labelsOf(paint, marks);
  paintLabels(context, paint, labels, letters);
  return labels;
}
