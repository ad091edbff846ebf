/** What the overlay has on screen, as a part of a picture: pictures as pixels, everything written as text. */

import { fitting } from "../export/compose.ts";
import type { Box, Image, Part, Text } from "../export/picture.ts";
import type { Rgb } from "../lines/scene.ts";
import { CHIP, type Label } from "./labels.ts";
import { type Heat, type Marks, type Paint, paintHeat, paintMarks, paintPicture } from "./paint.ts";

export interface StillPicture {
  /** Where it stands on screen. */
  readonly element: HTMLElement;
  readonly paint: Paint;
  readonly source: CanvasImageSource | undefined;
  readonly heat: Heat | undefined;
  readonly marks: Marks;
  /** What it shows, in words. */
  readonly title: string;
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const EVERYWHERE: Frame = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };

/**
 * The view as it is on screen; controls, which do nothing in a file, are left out.
 *
 * @param legend Its colours stand below; its words are left to those who put the picture together.
 */
export function overlayPart(
  root: HTMLElement,
  pictures: readonly StillPicture[],
  legend?: HTMLElement,
): Part {
  const { left, top, right } = root.getBoundingClientRect();
  const found = { images: [] as Image[], boxes: [] as Box[], texts: [] as Text[] };
  for (const picture of pictures) addPicture(found, picture, { x: left, y: top });
  transcribe(root, EVERYWHERE, { x: left, y: top }, found);
  for (const canvas of legend?.querySelectorAll<HTMLCanvasElement>(".ramp canvas") ?? []) {
    const { width, height } = canvas.getBoundingClientRect();
    if (width === 0) continue;
    const y = endOf(found) + 12;
    found.images.push({ x: 0, y, width, height, title: "colours from weak to strong", canvas: copy(canvas) });
  }
  return { width: right - left, height: endOf(found), lines: [], ...found };
}

function endOf({ images, boxes, texts }: Found): number {
  const ends = [...images, ...boxes].map(({ y, height }) => y + height);
  return Math.max(0, ...ends, ...texts.map(({ y, size }) => y + size / 2));
}

/** The picture is painted later, when the screen may show something else. */
function copy(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.width = canvas.width;
  made.height = canvas.height;
  made.getContext("2d")?.drawImage(canvas, 0, 0);
  return made;
}

interface Found {
  readonly images: Image[];
  readonly boxes: Box[];
  readonly texts: Text[];
}

type Point = Pick<Box, "x" | "y">;

function addPicture(
  found: Found,
  { element, paint, source, heat, marks, title }: StillPicture,
  origin: Point,
): void {
  const place = element.getBoundingClientRect();
  const area = element.parentElement?.getBoundingClientRect() ?? place;
  const seen = overlap(place, area);
  if (!seen) return;
  const { ratio } = paint;
  const layer = (draw: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement => {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(paint.place.width * ratio));
    canvas.height = Math.max(1, Math.round(paint.place.height * ratio));
    const context = canvas.getContext("2d");
    if (context) draw(context);
    return canvas;
  };
  const labels: Label[] = [];
  const layers = [
    layer((context) => paintPicture(context, paint, source)),
    layer((context) => labels.push(...(heat ? paintHeat(context, paint, heat, false) : []))),
    layer((context) => labels.push(...paintMarks(context, paint, marks, false))),
  ];
  const [width, height] = [seen.right - seen.left, seen.bottom - seen.top];
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const [dx, dy] = [Math.round((place.left - seen.left) * ratio), Math.round((place.top - seen.top) * ratio)];
  for (const one of layers) canvas.getContext("2d")?.drawImage(one, dx, dy);
  found.images.push({ x: seen.left - origin.x, y: seen.top - origin.y, width, height, title, canvas });
  for (const { x, y, align, text, size, colour } of labels) {
    const [atX, atY] = [place.left + x, place.top + y];
    if (!overlap({ left: atX, right: atX + 1, top: atY - 1, bottom: atY + CHIP.height * size }, seen))
      continue;
    const baseline = atY - origin.y + 0.36 * size;
    found.texts.push({ x: atX - origin.x, y: baseline, align, text, size, colour });
  }
}

/** The backgrounds and texts of elements, where they are on screen. */
function transcribe(element: Element, within: Frame, origin: Point, found: Found): void {
  const style = getComputedStyle(element);
  const own = element.getBoundingClientRect();
  const control = element.matches("button, canvas, select, input, .overlay-tools");
  if (control || style.visibility !== "visible" || style.display === "none") return;
  const clip = style.overflow === "visible" ? within : overlap(own, within);
  if (!clip) return;
  addBox(found, style, own, clip, origin);
  const before = getComputedStyle(element, "::before");
  if (before.content !== "none") addBox(found, before, beforeFrame(own, before), clip, origin);
  for (const child of element.childNodes) {
    if (child instanceof Element) transcribe(child, clip, origin, found);
    else if (child instanceof globalThis.Text) addText(found, child, style, element, clip, origin);
  }
}

/** Computed sizes are used sizes; a mark that is not placed stands at the left, half way down. */
function beforeFrame(own: DOMRect, { left, top, width, height }: CSSStyleDeclaration): Frame {
  const [wide, high] = [Number.parseFloat(width) || 0, Number.parseFloat(height) || 0];
  const x = own.left + (Number.parseFloat(left) || 0);
  const placed = Number.parseFloat(top);
  const y = own.top + (Number.isNaN(placed) ? (own.height - high) / 2 : placed);
  return { left: x, top: y, right: x + wide, bottom: y + high };
}

function addBox(found: Found, style: CSSStyleDeclaration, frame: Frame, clip: Frame, origin: Point): void {
  const seen = overlap(frame, clip);
  const fill = colourOf(style.backgroundColor);
  const stroke = Number.parseFloat(style.borderTopWidth) > 0 ? colourOf(style.borderTopColor) : null;
  const stroked = stroke !== null && stroke.opacity > 0;
  if (!seen || (fill.opacity === 0 && !stroked)) return;
  found.boxes.push({
    x: seen.left - origin.x,
    y: seen.top - origin.y,
    width: seen.right - seen.left,
    height: seen.bottom - seen.top,
    radius: Math.min((seen.bottom - seen.top) / 2, Number.parseFloat(style.borderTopLeftRadius) || 0),
    fill: fill.opacity > 0 ? fill.rgb : null,
    opacity: fill.opacity,
    stroke: stroked ? stroke.rgb : null,
  });
}

function addText(
  found: Found,
  node: globalThis.Text,
  style: CSSStyleDeclaration,
  parent: Element,
  clip: Frame,
  origin: Point,
): void {
  const size = Number.parseFloat(style.fontSize);
  const centred = style.textAlign === "center" || parent.closest(".token") !== null;
  for (const { text, frame } of linesOf(node)) {
    const seen = overlap(frame, clip);
    // What is only read out takes a pixel.
    if (!seen || seen.right - seen.left < 2) continue;
    const cut = seen.right - seen.left < frame.right - frame.left - 1;
    found.texts.push({
      x: (centred ? (seen.left + seen.right) / 2 : seen.left) - origin.x,
      y: (frame.top + frame.bottom) / 2 - origin.y + 0.36 * size,
      align: centred ? "center" : "left",
      text: cut ? fitting(text, (seen.right - seen.left) / size) : text,
      size,
      colour: colourOf(style.color).rgb,
      bold: Number(style.fontWeight) >= 600,
      struck: style.textDecorationLine.includes("line-through"),
    });
  }
}

/** The lines into which a text is broken. */
function linesOf(node: globalThis.Text): { text: string; frame: Frame }[] {
  const range = document.createRange();
  const lines: { text: string; frame: Frame }[] = [];
  for (const word of node.data.matchAll(/\S+\s*/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].trimEnd().length);
    const { left, top, right, bottom, width } = range.getBoundingClientRect();
    const frame = { left, top, right, bottom };
    if (width === 0) continue;
    const line = lines.at(-1);
    if (line && Math.abs(line.frame.top - frame.top) < (bottom - top) / 2) {
      line.text += word[0];
      line.frame = {
        ...line.frame,
        left: Math.min(line.frame.left, frame.left),
        right: Math.max(line.frame.right, frame.right),
      };
    } else lines.push({ text: word[0], frame });
  }
  return lines.map(({ text, frame }) => ({ text: text.trimEnd(), frame }));
}

function overlap(a: Frame, b: Frame): Frame | null {
  const [left, top] = [Math.max(a.left, b.left), Math.max(a.top, b.top)];
  const [right, bottom] = [Math.min(a.right, b.right), Math.min(a.bottom, b.bottom)];
  return right > left && bottom > top ? { left, top, right, bottom } : null;
}

const colours = new Map<string, { rgb: Rgb; opacity: number }>();

/** Any colour of a style sheet, as a canvas takes it. */
function colourOf(colour: string): { rgb: Rgb; opacity: number } {
  let found = colours.get(colour);
  if (!found) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
    found = { rgb: [red, green, blue], opacity: alpha / 255 };
    colours.set(colour, found);
  }
  return found;
}
