/** Numbers and names on the overlay's pictures: what they say and where they stand, for screen and files. */

import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { css } from "../matrix/draw.ts";
import { formatWeight } from "../scale/scale.ts";
import { HALO as BLACK, type Paint, LINE as WHITE } from "./ground.ts";
import { type Heat, LEAST_STRENGTH } from "./heat.ts";
import { toScreen } from "./layout.ts";
import type { Marks } from "./paint.ts";
import { type Rect, rectOf } from "./panels.ts";

export interface Label {
  /** In CSS pixels of the picture's place: the left end or the middle, and the middle of the height. */
  readonly x: number;
  readonly y: number;
  readonly align: "left" | "center";
  readonly text: string;
  readonly size: number;
  readonly colour: Rgb;
  /** What surrounds the letters; a chip fills a rectangle around them. */
  readonly ground: Rgb;
  readonly chip: boolean;
}

/** Smaller cells have no room for a number. */
const ROOM = { width: 34, height: 16 };
/** While all of a picture is in sight only cells with at least this share of the largest strength are numbered. */
const STRONG = 0.5;
/** … and only the strongest where more than this many have it: none stands out, and numbers hide the picture. */
const MOST_AT_REST = 12;
const SIZE = 11;

const screenRect = ({ place, panel, look }: Paint, [left, top, right, bottom]: Rect): Rect => [
  ...toScreen(place, panel, look, left, top),
  ...toScreen(place, panel, look, right, bottom),
];

const seen = ({ place }: Paint, x: number, y: number) =>
  x >= 0 && y >= 0 && x <= place.width && y <= place.height;

/** The weights of patches that have room for them. */
export function numbersOf(paint: Paint, { side, values, strength, aside = [] }: Heat): Label[] {
  const found: Label[] = [];
  let least = paint.look.zoom > 1 ? LEAST_STRENGTH : undefined;
  for (const { side: of, part } of paint.panel.parts) {
    if (of !== side || part.kind !== "patches") continue;
    for (let position = part.start; position < part.stop; position++) {
      const value = values[position] as number;
      const rect = rectOf(part, position);
      if (!rect) continue;
      const [left, top, right, bottom] = screenRect(paint, rect);
      if (right - left < ROOM.width || bottom - top < ROOM.height) break;
      least ??= leastAtRest(paint, { side, values, strength, aside });
      if (!(strength(value) > least) || value === -Infinity || aside.includes(position)) continue;
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      if (!seen(paint, x, y)) continue;
      const size = Math.min(12, (right - left) / 4.1);
      found.push({
        x,
        y,
        align: "center",
        text: formatWeight(value),
        size,
        colour: WHITE,
        ground: BLACK,
        chip: false,
      });
    }
  }
  return found;
}

/** The strength that cells must exceed to be numbered while all of a picture is in sight. */
function leastAtRest(
  { panel }: Paint,
  { side, values, strength, aside }: Pick<Heat, "side" | "values" | "strength" | "aside">,
): number {
  const strengths = panel.parts.flatMap(({ side: of, part }) =>
    of === side && part.kind === "patches"
      ? [...values.subarray(part.start, part.stop)].map((value, at) =>
          aside?.includes(part.start + at) || !Number.isFinite(value) ? 0 : strength(value),
        )
      : [],
  );
  strengths.sort((a, b) => b - a);
  const half = STRONG * (strengths[0] ?? 0);
  const many = (strengths[MOST_AT_REST] ?? 0) > half;
  return Math.max(many ? (strengths[1] ?? 0) : half, LEAST_STRENGTH);
}

/** Names of boxes at their left top, numbers in the middle of what they belong to. */
export function labelsOf(paint: Paint, { boxes, notes = [] }: Marks): Label[] {
  const { panel, theme, place } = paint;
  const rectOn = (side: string, position: number): Rect | undefined => {
    for (const one of panel.parts) {
      const rect = one.side === side ? rectOf(one.part, position) : undefined;
      if (rect) return screenRect(paint, rect);
    }
    return undefined;
  };
  const named = boxes.flatMap(({ side, position, label, colour }): Label[] => {
    const rect = rectOn(side, position);
    if (!rect || !label || !(rect[0] < place.width && rect[2] > 0 && rect[1] < place.height && rect[3] > 0))
      return [];
    const dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140;
    const y = rect[1] >= 18 ? rect[1] - 9 : Math.max(0, rect[1]) + 9;
    const x = Math.max(0, Math.min(rect[0], place.width - wide(label, SIZE))) + CHIP.beside;
    return [
      {
        x,
        y,
        align: "left",
        text: label,
        size: SIZE,
        colour: dark ? BLACK : WHITE,
        ground: colour,
        chip: true,
      },
    ];
  });
  const { text: ink, surface } = INK[theme];
  const noted = notes.flatMap(({ side, position, text }): Label[] => {
    const rect = rectOn(side, position);
    if (!rect) return [];
    const [x, y] = [(rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2];
    // A small cell is not hidden under its number.
    const above = rect[3] - rect[1] < 24 ? rect[1] - 11 : y;
    const label: Label = {
      x,
      y: above,
      align: "center",
      text,
      size: SIZE,
      colour: ink,
      ground: surface,
      chip: true,
    };
    return seen(paint, x, y) ? [label] : [];
  });
  return [...named, ...noted];
}

/** About how wide a text is: files have no font to measure with. */
const wide = (text: string, size: number): number => 0.56 * size * text.length + 2 * CHIP.beside;

/** The share that lines enclose, above their highest place in sight; beside labels that are there already. */
export function shareLabel(
  { place }: Paint,
  share: number,
  lines: readonly (readonly [number, number, number, number])[],
  others: readonly Label[],
): Label | undefined {
  let best: readonly [number, number] | undefined;
  for (const [x, y, toX, toY] of lines) {
    const [midX, midY] = [(x + toX) / 2, (y + toY) / 2];
    const within = midX >= 0 && midY >= 0 && midX <= place.width && midY <= place.height;
    if (within && (!best || midY < best[1])) best = [midX, midY];
  }
  if (!best) return undefined;
  const text = `${Number((100 * share).toFixed(1))} %`;
  const width = wide(text, SIZE);
  const y = best[1] >= 20 ? best[1] - 10 : best[1] + 10;
  let x = Math.max(width / 2, Math.min(place.width - width / 2, best[0]));
  for (const other of others) {
    if (Math.abs(other.y - y) >= 2 * CHIP.height * SIZE || Math.abs(other.x - x) >= width) continue;
    x = other.x + (other.x + 2 * width > place.width ? -width - 2 : width + 2);
  }
  return { x, y, align: "center", text, size: SIZE, colour: WHITE, ground: BLACK, chip: true };
}

/** Half the height of a chip around letters of some size, and how far it reaches beyond them. */
export const CHIP = { height: 0.75, beside: 4 };

/** Where only what surrounds the letters is asked for, they are left to be written later. */
export function paintLabels(
  context: CanvasRenderingContext2D,
  { ratio, font = "sans-serif" }: Paint,
  labels: readonly Label[],
  letters = true,
): void {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  for (const { x, y, align, text, size, colour, ground, chip } of labels) {
    const face = `${size}px ${font}`;
    if (context.font !== face) context.font = face;
    context.textAlign = align;
    if (chip) {
      const width = context.measureText(text).width + 2 * CHIP.beside;
      context.fillStyle = css(ground, 0.88);
      const left = align === "left" ? x - CHIP.beside : x - width / 2;
      context.fillRect(left, y - CHIP.height * size, width, 2 * CHIP.height * size);
    } else {
      context.strokeStyle = css(ground, 0.7);
      context.strokeText(text, x, y);
    }
    context.fillStyle = css(colour);
    if (letters) context.fillText(text, x, y);
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
}
