/** Contours and outlines: lines around the smallest sets of cells and boxes that hold shares of the weight. */

import type { PatchesPart } from "../content.ts";
import { css } from "../matrix/draw.ts";
import type { Side } from "../store.ts";
import { edgesOf, enclosing, levelLines, type Pieces } from "./contours.ts";
import { boxesOf, frame, HALO, LINE, type Paint, patchesOf, pixelsIn } from "./ground.ts";
import { gridOf, type Heat, lineOf, sampled } from "./heat.ts";
import { type Label, shareLabel } from "./labels.ts";
import { toScreen } from "./layout.ts";
import { type Panel, positionsOf, rectOf } from "./panels.ts";

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
      const label = shareLabel(paint, share, ends, labels);
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

/** Samples along a side of an interpolated picture that is cut into level lines. */
const SAMPLES = 128;

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
export function fillPieces(
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
  context.lineCap = "square";
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
