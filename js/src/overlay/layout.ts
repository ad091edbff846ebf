/**
 * Where the overlay's pictures stand, what part of them is in sight, and what lies under a place. Pure. No DOM.
 */

import type { AxisPart } from "../content.ts";
import type { Side } from "../store.ts";
import { cellOf, cellSize, type Panel, positionsOf, type Rect, rectOf } from "./panels.ts";

/** The part of a picture in sight, shared by all pictures of one size. */
export interface Look {
  /** 1 shows all of it. */
  readonly zoom: number;
  /** Original pixels at the left top of the view. */
  readonly x: number;
  readonly y: number;
}

/** Where a picture stands, in CSS pixels of the area of all pictures. */
export interface Placed {
  /** Index of the panel. */
  readonly panel: number;
  /** Which of the heads shown; −1 where all are shown as one. */
  readonly head: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Size = Pick<Placed, "width" | "height">;

/** Room above a picture for the name of its head. */
export const CAPTION = 20;
/** Room between pictures. */
export const GAP = 10;
/** Narrower pictures tell nothing: rather they go on below. */
const LEAST_WIDTH = 110;
/** Pictures side by side may be smaller by this factor than above each other. */
const SIDE_BY_SIDE = 0.85;
/** Screen pixels that one pixel of the original takes at most, or a cell where that is more of them. */
const MOST_ZOOM = 40;

const widthOf = ({ extent }: Panel): number => extent[2] - extent[0];
const heightOf = ({ extent }: Panel): number => extent[3] - extent[1];

/**
 * Places every panel once a head, in columns of one width, as large as fits into `width` × `mostHeight`;
 * pictures too small to be read go on below that height instead.
 *
 * @param heads Number of small multiples; up to 1 is one picture a panel without a head's name.
 */
export function arrange(
  panels: readonly Panel[],
  heads: number,
  width: number,
  mostHeight: number,
): { places: readonly Placed[]; height: number } {
  const caption = heads > 1 ? CAPTION : 0;
  const each = heads > 1 ? Array.from({ length: heads }, (_, head) => head) : [-1];
  const items = each.flatMap((head) => panels.map((_, panel) => ({ panel, head })));
  const tall = items.map(({ panel }) => heightOf(panels[panel] as Panel) / widthOf(panels[panel] as Panel));
  const most = Math.max(1, Math.min(items.length, Math.floor((width + GAP) / (LEAST_WIDTH + GAP))));
  const wideOf = (cols: number) => Math.floor((width - (cols - 1) * GAP) / cols);
  let best = { cols: most, size: 0 };
  for (let cols = 1; cols <= most; cols++) {
    const lines = Math.ceil(items.length / cols);
    const rows = Array.from({ length: lines }, (_, row) =>
      Math.max(...tall.slice(row * cols, (row + 1) * cols)),
    );
    const room = mostHeight - lines * (caption + GAP) + GAP;
    const high = room / rows.reduce((sum, high) => sum + high, 0);
    const size = Math.min(wideOf(cols), Math.floor(high));
    // Side by side they take less height: worth a little of their size.
    if (size >= LEAST_WIDTH && size >= SIDE_BY_SIDE * best.size) best = { cols, size };
  }
  // Where they go on below, they take all of the width, but none is higher than the view.
  if (best.size === 0) {
    const high = Math.max(LEAST_WIDTH, Math.floor(mostHeight / Math.max(...tall)));
    best.size = Math.max(1, Math.min(wideOf(most), high));
  }
  const places: Placed[] = [];
  let y = 0;
  for (let first = 0; first < items.length; first += best.cols) {
    const line = items.slice(first, first + best.cols);
    const heights = tall
      .slice(first, first + best.cols)
      .map((high) => Math.max(1, Math.floor(high * best.size + 1e-6)));
    line.forEach((item, at) => {
      const place = { x: at * (best.size + GAP), y: y + caption, width: best.size };
      places.push({ ...item, ...place, height: heights[at] as number });
    });
    y += caption + Math.max(...heights) + GAP;
  }
  return { places, height: Math.max(0, y - GAP) };
}

/** The look at all of a picture. */
export const whole = ({ extent }: Panel): Look => ({ zoom: 1, x: extent[0], y: extent[1] });

/** CSS pixels that an original pixel takes. */
export const scaleOf = (place: Size, panel: Panel, look: Look): number =>
  (place.width / widthOf(panel)) * look.zoom;

/** The nearest look that shows nothing beyond the picture. */
export function clamped(panel: Panel, { zoom, x, y }: Look): Look {
  const most = Math.max(1, zoom);
  const within = (at: number, from: number, size: number) =>
    Math.max(from, Math.min(from + size * (1 - 1 / most), at));
  const { extent } = panel;
  return { zoom: most, x: within(x, extent[0], widthOf(panel)), y: within(y, extent[1], heightOf(panel)) };
}

/** Zooms by a factor about a place in CSS pixels, which stays where it is. */
export function zoomed(place: Size, panel: Panel, look: Look, factor: number, x: number, y: number): Look {
  const most = Math.max(1, (MOST_ZOOM * widthOf(panel)) / place.width, mostOf(panel));
  const zoom = Math.max(1, Math.min(most, look.zoom * factor));
  const [atX, atY] = toImage(place, panel, look, x, y);
  const scale = scaleOf(place, panel, { ...look, zoom });
  return clamped(panel, { zoom, x: atX - x / scale, y: atY - y / scale });
}

/** Cells of a coarse grid may fill the view, whatever the size of the image. */
const mostOf = (panel: Panel): number =>
  Math.max(
    0,
    ...panel.parts.map(({ part }) => (part.kind === "patches" ? Math.max(part.rows, part.cols) / 3 : 0)),
  );

/** Drags the picture by some CSS pixels. */
export function panned(place: Size, panel: Panel, look: Look, dx: number, dy: number): Look {
  const scale = scaleOf(place, panel, look);
  return clamped(panel, { ...look, x: look.x - dx / scale, y: look.y - dy / scale });
}

/** From CSS pixels of a place, from its left top, to original pixels. */
export function toImage(place: Size, panel: Panel, look: Look, x: number, y: number): [number, number] {
  const scale = scaleOf(place, panel, look);
  return [look.x + x / scale, look.y + y / scale];
}

/** From original pixels to CSS pixels of a place, from its left top. */
export function toScreen(place: Size, panel: Panel, look: Look, x: number, y: number): [number, number] {
  const scale = scaleOf(place, panel, look);
  return [(x - look.x) * scale, (y - look.y) * scale];
}

/** The position of a side under a place in original pixels: boxes before patches, the smallest box first. */
export function positionAt(panel: Panel, side: Side, x: number, y: number): number | undefined {
  let best: number | undefined;
  let least = Infinity;
  for (const { part } of of(panel, side)) {
    if (part.kind !== "boxes") continue;
    part.boxes.forEach((box, at) => {
      if (holds(box, x, y) && area(box) < least) {
        least = area(box);
        best = part.start + at;
      }
    });
  }
  return best ?? patchAt(panel, side, x, y);
}

function patchAt(panel: Panel, side: Side, x: number, y: number): number | undefined {
  for (const { part } of of(panel, side)) {
    if (part.kind !== "patches" || !holds(part.region, x, y)) continue;
    const [width, height] = cellSize(part);
    const col = Math.min(part.cols - 1, Math.floor((x - part.region[0]) / width));
    const row = Math.min(part.rows - 1, Math.floor((y - part.region[1]) / height));
    const position = positionsOf(part)[row * part.cols + col] as number;
    if (position >= 0) return position;
  }
  return undefined;
}

/** Whether a patch of either side lies at a place in original pixels. */
export const hasPatch = (panel: Panel, x: number, y: number): boolean =>
  patchAt(panel, "key", x, y) !== undefined || patchAt(panel, "query", x, y) !== undefined;

const of = (panel: Panel, side: Side) => panel.parts.filter((one) => one.side === side);
const holds = ([left, top, right, bottom]: Rect, x: number, y: number) =>
  x >= left && x < right && y >= top && y < bottom;
const area = ([left, top, right, bottom]: Rect) => (right - left) * (bottom - top);
const middle = ([left, top, right, bottom]: Rect): [number, number] => [
  (left + right) / 2,
  (top + bottom) / 2,
];

/** The first position of a side on a panel. */
export function firstOf(panel: Panel, side: Side): number | undefined {
  for (const { part } of of(panel, side)) {
    for (let position = part.start; position < part.stop; position++) {
      if (rectOf(part, position)) return position;
    }
  }
  return undefined;
}

/**
 * The position next to another one: the patch beside a patch, the nearest box in a direction from a box. At the
 * edge of a grid it goes on where another grid touches, else it stays. From elsewhere it comes to the first.
 */
export function moved(panel: Panel, side: Side, from: number, dx: -1 | 0 | 1, dy: -1 | 0 | 1): number {
  const part = of(panel, side).find(({ part: { start, stop } }) => from >= start && from < stop)?.part;
  const rect = part && rectOf(part, from);
  if (!part || !rect) return firstOf(panel, side) ?? from;
  if (part.kind === "boxes") return nextBox(part.boxes, from - part.start, dx, dy) + part.start;
  const cell = cellOf(part, from);
  const cells = positionsOf(part);
  for (let step = 1; ; step++) {
    const [row, col] = [Math.floor(cell / part.cols) + step * dy, (cell % part.cols) + step * dx];
    if (row < 0 || col < 0 || row >= part.rows || col >= part.cols || dx * dx + dy * dy === 0) break;
    const position = cells[row * part.cols + col] as number;
    if (position >= 0) return position;
  }
  const [x, y] = middle(rect);
  const [width, height] = cellSize(part);
  return patchAt(panel, side, x + dx * width, y + dy * height) ?? from;
}

/** Far aside counts double, so that a step right does not end far below. */
function nextBox(
  boxes: Extract<AxisPart, { kind: "boxes" }>["boxes"],
  from: number,
  dx: number,
  dy: number,
): number {
  const [x, y] = middle(boxes[from] as Rect);
  let best = from;
  let least = Infinity;
  boxes.forEach((box, at) => {
    const [toX, toY] = middle(box);
    const along = (toX - x) * dx + (toY - y) * dy;
    const aside = Math.abs((toX - x) * dy) + Math.abs((toY - y) * dx);
    // Boxes in the very same place follow each other, so that each can be reached.
    const distance =
      along > 0 ? along + 2 * aside : along === 0 && aside === 0 && at > from && dx + dy > 0 ? 0 : Infinity;
    if (distance < least) {
      least = distance;
      best = at;
    }
  });
  return best;
}
