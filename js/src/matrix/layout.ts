/** Where the parts of the matrix stand, which part of the map is in sight, which labels have room. No DOM. */

import type { Sightline, Span } from "./pool.ts";

export interface LayoutInput {
  /** Room for the whole view, in CSS pixels. */
  readonly width: number;
  /** Height asked for, or null for a square as far as it goes. */
  readonly height: number | null;
  readonly rows: number;
  readonly cols: number;
  /** Width of the longest label of each side. */
  readonly rowLabel: number;
  readonly colLabel: number;
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly plot: Place;
  /** Totals of the keys, above the plot, and entropies of the rows, at its right. */
  readonly top: Place;
  readonly right: Place;
  /** Room of the labels at the left and above. */
  readonly gutter: number;
  readonly band: number;
}

export const MOST_PLOT = 720;
const DEFAULT_HEIGHT = 620;
/** A cell of a short sentence, and the largest that zooming in makes. */
const FIRST_CELL = 46;
const MOST_CELL = 72;
const LEAST_SIDE = 28;
const ROW_ROOM = 18;
const STRIP = 26;
const GAP = 4;
/** Room of the name of a side. */
export const HEADING = 14;
/** Room of a line of text: closer labels would touch. */
export const LINE = 15;
const MOST_LABEL = 140;
const MOST_STANDING = 124;
/** The names of the sides stand in the corner. */
const LEAST_GUTTER = 94;

export function layOut({ width, height, rows, cols, rowLabel, colLabel }: LayoutInput): Layout {
  const gutter = Math.ceil(Math.max(LEAST_GUTTER, Math.min(MOST_LABEL, width * 0.27, rowLabel + 14)));
  const room = Math.max(40, Math.min(MOST_PLOT, width - gutter - STRIP - GAP));
  const widest = Math.max(1, Math.min(room, Math.max(LEAST_SIDE, cols * FIRST_CELL)));
  const lying = colLabel + 8 <= widest / Math.max(1, cols);
  const band = lying ? 24 : Math.ceil(Math.min(MOST_STANDING, Math.max(36, colLabel + 12)));
  const above = band + STRIP + GAP;
  const tallest = Math.max(60, (height ?? DEFAULT_HEIGHT + above) - above);
  const aspect = rows / Math.max(1, cols);
  // Cells stay square where that leaves most of the width.
  const plotWidth = aspect < 2 ? Math.max(LEAST_SIDE, Math.min(widest, tallest / aspect)) : widest;
  const square = aspect * plotWidth;
  const least = Math.max(LEAST_SIDE, Math.min(rows * ROW_ROOM, 240));
  const plotHeight = Math.round(Math.min(tallest, Math.max(least, Math.min(square, rows * FIRST_CELL))));
  const plot = { x: gutter, y: above, width: Math.floor(plotWidth), height: plotHeight };
  return {
    width: plot.x + plot.width + GAP + STRIP,
    height: plot.y + plot.height,
    plot,
    top: { x: plot.x, y: plot.y - GAP - STRIP, width: plot.width, height: STRIP },
    right: { x: plot.x + plot.width + GAP, y: plot.y, width: STRIP, height: plot.height },
    gutter,
    band,
  };
}

/** The part in sight: spans of queries and keys, fractions where a cell is cut. */
export interface Sight {
  readonly rows: Span;
  readonly cols: Span;
}

export const wholeOf = (rows: number, cols: number): Sight => ({ rows: [0, rows], cols: [0, cols] });

export const isWhole = ({ rows, cols }: Sight, height: number, width: number): boolean =>
  rows[0] <= 0 && cols[0] <= 0 && rows[1] >= height && cols[1] >= width;

/** A span of some length, moved as little as keeps it within `[0, count)`. */
function within(start: number, length: number, count: number): Span {
  const size = Math.min(length, count);
  const from = Math.max(0, Math.min(count - size, start));
  return [from, from + size];
}

const zoomedSpan = ([start, end]: Span, factor: number, at: number, count: number, pixels: number): Span => {
  const least = Math.min(end - start, count, pixels / MOST_CELL);
  const length = Math.max(least, Math.min(count, (end - start) / factor));
  return within(at - ((at - start) / (end - start)) * length, length, count);
};

/** Zoom in by a factor above 1, out below; the place `at` stays where it is. */
export function zoomed(
  sight: Sight,
  factor: number,
  at: { row: number; col: number },
  { rows, cols }: { rows: number; cols: number },
  { plot }: Layout,
): Sight {
  return {
    rows: zoomedSpan(sight.rows, factor, at.row, rows, plot.height),
    cols: zoomedSpan(sight.cols, factor, at.col, cols, plot.width),
  };
}

export const panned = (
  sight: Sight,
  byRows: number,
  byCols: number,
  { rows, cols }: { rows: number; cols: number },
): Sight => ({
  rows: within(sight.rows[0] + byRows, sight.rows[1] - sight.rows[0], rows),
  cols: within(sight.cols[0] + byCols, sight.cols[1] - sight.cols[0], cols),
});

/** As little movement as brings a cell into sight; the middle of an axis where it was out of sight by far. */
export function revealed(
  sight: Sight,
  row: number | null,
  col: number | null,
  counts: { rows: number; cols: number },
): Sight {
  const shift = ([start, end]: Span, at: number | null): number => {
    if (at === null) return 0;
    const length = end - start;
    if (at < start - length / 2 || at + 1 > end + length / 2) return at + 0.5 - length / 2 - start;
    return at < start ? at - start : at + 1 > end ? at + 1 - end : 0;
  };
  return panned(sight, shift(sight.rows, row), shift(sight.cols, col), counts);
}

/** The `window` trait for what is in sight: [first query, last query + 1, first key, last key + 1]. */
export function windowOf(sight: Sight, rowStarts: Uint32Array, colStarts: Uint32Array): number[] | null {
  const [rows, cols] = [rowStarts.length - 1, colStarts.length - 1];
  if (isWhole(sight, rows, cols)) return null;
  const ends = ([start, end]: Span, starts: Uint32Array, count: number): [number, number] => {
    const first = Math.min(count - 1, Math.floor(start + 1e-6));
    return [
      starts[first] as number,
      starts[Math.max(first + 1, Math.min(count, Math.ceil(end - 1e-6)))] as number,
    ];
  };
  return [...ends(sight.rows, rowStarts, rows), ...ends(sight.cols, colStarts, cols)];
}

/** Where positions of an axis lie in a plot, in CSS pixels. */
export const scaleOf = ([start, end]: Span, size: number) => {
  const cell = size / (end - start);
  return { cell, at: (position: number): number => (position - start) * cell };
};

/** A span as pixels of a screen, from a whole pixel on where weights are smaller than pixels. */
export function sightline([start, end]: Span, pixels: number): Sightline {
  const perPixel = (end - start) / pixels;
  return { start: perPixel > 1 ? Math.round(start / perPixel) * perPixel : start, perPixel, pixels };
}

/** 1, 2, 5, 10, 20, 50 …: the least of them whose labels have room. */
export function stepOf(cell: number, room: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [power, 2 * power, 5 * power]) if (step * cell >= room) return step;
  }
}

/**
 * Positions of an axis whose labels are shown: every n-th in sight, so that none overlap, and those in
 * `marked` before others.
 */
export function labelled(
  [start, end]: Span,
  count: number,
  pixels: number,
  room: number,
  marked: readonly number[],
): number[] {
  const cell = pixels / (end - start);
  const step = stepOf(cell, room);
  const [first, last] = [Math.max(0, Math.ceil(start - 0.5)), Math.min(count - 1, Math.floor(end - 0.5))];
  const apart = room / cell - 1e-6;
  const shown: number[] = [];
  for (const at of marked) {
    if (at >= first && at <= last && shown.every((other) => Math.abs(other - at) >= apart)) shown.push(at);
  }
  const kept = shown.length;
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) {
    if (!shown.slice(0, kept).some((other) => Math.abs(other - at) < apart)) shown.push(at);
  }
  return shown.sort((a, b) => a - b);
}
