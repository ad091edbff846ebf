/**
 * Draws the overlay's pictures: picture, weights on it, marks over them. A canvas is as large as the place of its
 * picture times `ratio`, and blank.
 */

import type { PatchesPart } from "../content.ts";
import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { css } from "../matrix/draw.ts";
import { MARKS } from "../scale/colormap.ts";
import type { Side } from "../store.ts";
import { edgesOf } from "./contours.ts";
import {
  boxesOf,
  frame,
  HALO,
  inSight,
  LINE,
  type Paint,
  type Pixels,
  patchesOf,
  pixelsIn,
} from "./ground.ts";
import { type Hatch, hatchOf } from "./hatch.ts";
import { alphaOf, type Grid, gridOf, type Heat, heatColour, lineOf, oddityOf, pixelsOf } from "./heat.ts";
import { type Label, labelsOf, numbersOf, paintLabels } from "./labels.ts";
import { hasPatch, toScreen } from "./layout.ts";
import { positionsOf, type Rect, rectOf } from "./panels.ts";
import { fillPieces, onScreen, paintSets } from "./sets.ts";
import { paintTruth } from "./truth.ts";

export type { Paint } from "./ground.ts";
export type { Heat } from "./heat.ts";

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
  /** The outlines of masks given as the truth: see `truth.ts`. */
  readonly truth?: string | undefined;
  /** Numbers at some positions, such as pinned keys. */
  readonly notes?: readonly { readonly side: Side; readonly position: number; readonly text: string }[];
}

export interface BoxMark {
  readonly side: Side;
  readonly position: number;
  readonly label: string | null;
  readonly colour: Rgb;
  /** Another one is looked at. */
  readonly faint?: boolean;
}

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
    const edges = edgesOf(part.rows, part.cols, () => true, true);
    fillPieces(context, paint, onScreen(paint, part, edges), 1);
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
    const marks = MARKS[paint.theme];
    const oddity = oddityOf(value);
    if (oddity === "missing" || oddity === "masked") {
      frame(context, pixels, css(marks[`${oddity}Line`]), 2 * paint.ratio);
      continue;
    }
    const strong = strength(value);
    const alpha = alphaOf(strong, opacity);
    if (alpha === 0) continue;
    const colour = oddity ? marks.infinite : heatColour(heat, strong, value < 0);
    context.fillStyle = css(colour, alpha / 2);
    context.fillRect(...pixels);
    frame(context, pixels, css(colour, Math.min(1, alpha + 0.2)), 2 * paint.ratio);
  }
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
  if (marks.truth) paintTruth(context, paint, marks.truth);
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
  for (const { side, position, colour, faint } of boxes) {
    context.globalAlpha = faint ? 0.4 : 1;
    framed({ side, positions: [position] }, colour, surface, faint ? 1 : 2);
  }
  context.globalAlpha = 1;
  if (strongest) framed(strongest, LINE, HALO, 1.5);
  for (const one of pinned) framed(one, accent, surface, 2.5);
  if (focus) framed(focus, accent, surface, 2.5);
  if (hover) framed(hover, text, surface, 1.5);
  const labels = labelsOf(paint, marks);
  paintLabels(context, paint, labels, letters);
  return labels;
}
