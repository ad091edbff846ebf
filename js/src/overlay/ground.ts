/** What all drawing on the overlay's pictures shares: where they stand, and which pixels a place of them takes. */

import type { BoxesPart, PatchesPart } from "../content.ts";
import type { Rgb } from "../lines/scene.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import { type Look, type Size, toScreen } from "./layout.ts";
import type { Panel, Rect } from "./panels.ts";

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

/** Of lines that show on any picture, light or dark. */
export const LINE: Rgb = [255, 255, 255];
export const HALO: Rgb = [20, 20, 24];

/** A rectangle in whole device pixels. */
export type Pixels = readonly [x: number, y: number, width: number, height: number];

/** The pixels whose middles lie within a rectangle of the original, so that neighbours share no pixel. */
export function pixelsIn({ place, panel, look, ratio }: Paint, [left, top, right, bottom]: Rect): Pixels {
  const edge = (at: number) => Math.ceil(at * ratio - 0.5);
  const [x, y] = toScreen(place, panel, look, left, top).map(edge) as [number, number];
  const [toX, toY] = toScreen(place, panel, look, right, bottom).map(edge) as [number, number];
  return [x, y, toX - x, toY - y];
}

export const inSight = ([x, y, width, height]: Pixels, { canvas }: CanvasRenderingContext2D): boolean =>
  x < canvas.width && y < canvas.height && x + width > 0 && y + height > 0;

export const patchesOf = ({ parts }: Panel, side?: Side): PatchesPart[] =>
  parts.flatMap((one) => (one.part.kind === "patches" && (!side || one.side === side) ? [one.part] : []));
export const boxesOf = ({ parts }: Panel, side: Side): BoxesPart[] =>
  parts.flatMap((one) => (one.part.kind === "boxes" && one.side === side ? [one.part] : []));

export function frame(
  context: CanvasRenderingContext2D,
  pixels: Pixels,
  colour: string,
  width: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(...pixels);
}
