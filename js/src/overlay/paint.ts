/**
 * Draws the overlay's pictures: picture, weights on it, marks over them. A canvas is as large as the place of its
 * picture times `ratio`, and blank.
 */

import type { Rgb } from "../lines/scene.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Heat } from "./heat.ts";
import type { Look, Size } from "./layout.ts";
import type { Panel } from "./panels.ts";

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
  readonly boxes: readonly {
    readonly side: Side;
    readonly position: number;
    readonly label: string | null;
    readonly colour: Rgb;
  }[];
  /** The position with the largest weight. */
  readonly strongest?: Marked | null;
  /** Numbers at some positions, such as pinned keys. */
  readonly notes?: readonly { readonly side: Side; readonly position: number; readonly text: string }[];
}

/** The picture itself; what no patch covers and what lies beside the image is hatched. */
export function paintPicture(
  _context: CanvasRenderingContext2D,
  _paint: Paint,
  _source: CanvasImageSource | undefined,
): void {}

/** Weights on the picture, with numbers where cells have room for them. */
export function paintHeat(_context: CanvasRenderingContext2D, _paint: Paint, _heat: Heat): void {}

/** Frames of what is in focus, pinned and hovered, and detected boxes with their labels. */
export function paintMarks(_context: CanvasRenderingContext2D, _paint: Paint, _marks: Marks): void {}
