/** Contours and outlines: lines around the smallest sets of cells and boxes that hold shares of the weight. */

import type { PatchesPart } from "../content.ts";
import { css } from "../matrix/draw.ts";
import type { Side } from "../store.ts";
import { edgesOf, enclosing, levelLines, type Pieces } from "./contours.ts";
import { boxesOf, frame, HALO, LINE, type Paint, patchesOf, pixelsIn } from "./ground.ts";
import { gridOf, type Heat, lineOf, sampled } from "./heat.ts";
import { type Label, shareLabel } from "./labels.ts";
import { scaleOf, toScreen } from "./layout.ts";
import { cellSize, type Panel, positionsOf, rectOf } from "./panels.ts";

/** Widths of the lines around the first set, the second, and so on, in CSS pixels. */
const WIDTHS = [2.5, 1.5, 1];

/** Lines around the smallest sets of cells and boxes that hold shares of the weight on the image. */
export function paintSets(context: CanvasRenderingContext2D, paint: Paint, heat: Heat): Label[] {
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
    const pieces = parts.flatMap((part, i): Pieces => {
      if (levels) return onScreen(paint, part, levels[i]?.[at] ?? []);
      const cells = positionsOf(part);
      const inside = (row: number, col: number) => set.has(cells[row * part.cols + col] as number);
      return onScreen(paint, part, edgesOf(part.rows, part.cols, inside, heat.paint === "outline"));
    });
    const frames = boxesOf(panel, side).flatMap((part) =>
      part.boxes.filter((_, box) => set.has(part.start + box)).map((box) => pixelsIn(paint, box)),
    );
    for (const [colour, wide] of [
      [HALO, width + 2],
      [LINE, width],
    ] as const) {
      context.fillStyle = context.strokeStyle = css(colour, colour === HALO ? 0.75 : 1);
      (levels ? strokePieces : fillPieces)(context, paint, pieces, wide);
      for (const pixels of frames) frame(context, pixels, css(colour), wide * paint.ratio);
    }
    if (heat.paint === "contours") {
      const label = shareLabel(paint, share, pieces, labels);
      if (label) labels.push(label);
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

/** Samples along a side of an interpolated picture that is cut into level lines: no more than this … */
const SAMPLES = 128;
/** … nor closer than this on screen, in CSS pixels. */
const CLOSEST = 2;

/** For each part and share the level lines in cells of the part. */
function smoothLevels(
  { panel, place, look }: Paint,
  heat: Heat,
  parts: readonly PatchesPart[],
  shares: readonly number[],
): Pieces[][] {
  const { size } = panel;
  const longest = Math.max(1, ...parts.flatMap(({ rows, cols }) => [rows, cols]));
  const wide = Math.max(0, ...parts.map((part) => cellSize(part)[0])) * scaleOf(place, panel, look);
  const fine = Math.max(1, Math.floor(Math.min(8, SAMPLES / longest, wide / CLOSEST)));
  const grids = parts.map((part) => {
    const grid = gridOf(part, heat);
    const line = (count: number) => lineOf(count, [0, count * fine], [0, count * fine], true);
    const found = sampled(grid.values, part.cols, line(part.cols), line(part.rows));
    const [left, top, right, bottom] = part.region;
    const [width, height] = [part.cols * fine, part.rows * fine];
    const plain = grid.odd.size === 0 && left >= 0 && top >= 0 && right <= size[0] && bottom <= size[1];
    for (let at = 0; at < found.length; at++) {
      if (plain) {
        found[at] = Math.abs(found[at] as number);
        continue;
      }
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
  const sorted = new Float32Array(grids.reduce((sum, { found }) => sum + found.length, 0));
  let filled = 0;
  for (const { found } of grids) {
    sorted.set(found, filled);
    filled += found.length;
  }
  sorted.sort();
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

/** Pieces in cells of a part, in CSS pixels of the place. */
export function onScreen(
  { place, panel, look }: Paint,
  { region: [left, top, right, bottom], rows, cols }: PatchesPart,
  pieces: Pieces,
): Pieces {
  const [x, y] = toScreen(place, panel, look, left, top);
  const scale = scaleOf(place, panel, look);
  const [wide, high] = [((right - left) / cols) * scale, ((bottom - top) / rows) * scale];
  return pieces.map((piece) => [
    x + piece[0] * wide,
    y + piece[1] * high,
    x + piece[2] * wide,
    y + piece[3] * high,
  ]);
}

/** Straight lines along cell edges, sharp. */
export function fillPieces(
  context: CanvasRenderingContext2D,
  { ratio }: Paint,
  pieces: Pieces,
  width: number,
): void {
  const wide = Math.max(1, Math.round(width * ratio));
  const before = Math.floor(wide / 2);
  for (const piece of pieces) {
    const [x, y, toX, toY] = piece.map((at) => Math.ceil(at * ratio - 0.5)) as [
      number,
      number,
      number,
      number,
    ];
    context.fillRect(x - before, y - before, toX - x + wide, toY - y + wide);
  }
}

function strokePieces(
  context: CanvasRenderingContext2D,
  { ratio }: Paint,
  pieces: Pieces,
  width: number,
): void {
  context.lineWidth = width * ratio;
  context.lineCap = "square";
  context.beginPath();
  for (const [x, y, toX, toY] of pieces) {
    context.moveTo(x * ratio, y * ratio);
    context.lineTo(toX * ratio, toY * ratio);
  }
  context.stroke();
}
