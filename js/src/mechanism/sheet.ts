/** What a panel is drawn on: boxes, texts, and numbers that can be pointed at. */

import { fitting, INK } from "../export/compose.ts";
import type { Box, Text } from "../export/picture.ts";
import type { Rgb } from "../lines/scene.ts";
import { shortNumber } from "../lines/tokens.ts";
import { anchorsOf, colourAt } from "../scale/colormap.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Theme } from "../theme.ts";
import { n, type Vector } from "./steps.ts";

export type Step =
  | "vectors"
  | "projections"
  | "sums"
  | "tanh"
  | "products"
  | "score"
  | "mask"
  | "softmax"
  | "output";

/** A number that can be pointed at. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Which number of a vector it is or comes from; −1 for none. */
  readonly index: number;
  readonly value: number;
  /** How it comes about, without the number itself: "exp(4.21 − 4.41)". */
  readonly says: string;
}

/** Height of a line of text or bars. */
export const LINE = 22;
export const STRIP = 20;
export const GAP = 4;
export const SIZE = 11.5;
const BOLD = 13;
/** Cells are at most so wide; those as wide as `ROOMY` hold their number. */
const WIDEST = 76;
const ROOMY = 36;
/** Narrower cells go on in another line. */
const LEAST = 3;
/** What remains of what is not of the step at hand. */
const FAINT = 0.22;

/** A number as it stands in a picture or a formula. */
export const number = (value: number): string =>
  Math.abs(value) < 1000 ? shortNumber(value) : formatWeight(value);

/** "+ 0.5" or "− 0.5". */
export const plus = (value: number): string => `${value < 0 ? "−" : "+"} ${number(Math.abs(value))}`;

/** The largest finite magnitude of some vectors. */
export function largest(...all: readonly Vector[]): number {
  let most = 0;
  for (const values of all) {
    for (let at = 0; at < values.length; at++) {
      const size = Math.abs(n(values, at));
      if (size < Infinity && size > most) most = size;
    }
  }
  return most;
}

export class Sheet {
  readonly boxes: Box[] = [];
  readonly texts: Text[] = [];
  readonly cells: Cell[][] = [];
  /** The steps there are, each with a sentence. */
  readonly told = new Map<Step, string>();
  /** Where the next line begins. */
  y: number;
  readonly ink: (typeof INK)[Theme];
  /** From negative to positive. */
  readonly signed: (share: number) => Rgb;
  /** Of thin lines. */
  readonly hair: Rgb;
  readonly #left: number;
  readonly #stressed: Step | null;
  #now: Step = "vectors";

  /**
   * @param stressed - the step that stands out; null for none.
   * @param left - what x is counted from.
   */
  constructor(theme: Theme, stressed: Step | null, left: number, top: number) {
    this.#left = left;
    this.y = top;
    this.ink = INK[theme];
    const anchors = anchorsOf("auto", true, theme);
    this.signed = (share) => colourAt(anchors, 0.5 + share / 2);
    this.hair = this.#mixed(this.ink.muted, 0.4);
    this.#stressed = stressed;
  }

  /** What follows belongs to a step; `says` is the sentence of it. */
  step(step: Step, says?: string): void {
    this.#now = step;
    if (says !== undefined) this.told.set(step, says);
  }

  box(x: number, y: number, width: number, height: number, fill: Rgb | null, stroke?: Rgb): void {
    const [filled, stroked] = [fill && this.#tone(fill), stroke ? this.#tone(stroke) : null];
    const place = { x: x + this.#left, y, width, height, radius: 1, opacity: 1 };
    this.boxes.push({ ...place, fill: filled, stroke: stroked });
  }

  write(x: number, y: number, text: string, more: Partial<Text> = {}): void {
    const colour = this.#tone(more.colour ?? this.ink.text);
    this.texts.push({ x: x + this.#left, y, align: "left", text, size: SIZE, ...more, colour });
  }

  strong(x: number, y: number, text: string, colour = this.ink.text): void {
    this.write(x, y, text, { bold: true, size: BOLD, colour });
  }

  quiet(x: number, y: number, text: string, room: number): void {
    this.write(x, y, fitting(text, room / SIZE), { colour: this.ink.muted });
  }

  /** The numbers that follow stand in another line. */
  line(): void {
    this.cells.push([]);
  }

  /** A number that can be pointed at, in the line at hand. */
  cell(x: number, y: number, width: number, height: number, value: number, says: string, index = -1): void {
    this.cells.at(-1)?.push({ x: x + this.#left, y, width, height, index, value, says });
  }

  /** Numbers as coloured cells, in as many lines as they need; returns their height. */
  strip(
    x: number,
    width: number,
    values: Vector,
    most: number,
    says: (at: number) => string,
    height = STRIP,
  ): number {
    const count = values.length;
    const lines = Math.max(1, Math.ceil((count * LEAST) / width));
    const perLine = Math.ceil(count / lines);
    // The line around a strip ends half a pixel beyond it.
    const each = Math.min(WIDEST, (width - 1) / perLine);
    const high = lines > 1 ? Math.max(7, height / 2) : height;
    this.line();
    for (let index = 0; index < count; index++) {
      const value = n(values, index);
      const [left, top] = [x + (index % perLine) * each, this.y + Math.floor(index / perLine) * high];
      const share = most > 0 && Math.abs(value) < Infinity ? value / most : Math.sign(value) || 0;
      // Cells that end between pixels must not let the ground through.
      this.box(left, top, each + 0.3, high, this.signed(share));
      const text = number(value);
      if (each >= ROOMY && each >= text.length * 6.9 && high >= 14) {
        const colour = Math.abs(share) > 0.5 ? this.ink.surface : this.ink.text;
        this.write(left + each / 2, top + high / 2 + 4, text, { align: "center", size: 11, colour });
      }
      this.cell(left, top, each, high, value, says(index), index);
    }
    this.box(x, this.y, each * perLine, high * lines, null, this.hair);
    return high * lines;
  }

  #tone(colour: Rgb): Rgb {
    return this.#stressed === null || this.#stressed === this.#now ? colour : this.#mixed(colour, FAINT);
  }

  #mixed(colour: Rgb, share: number): Rgb {
    const { surface } = this.ink;
    const channel = (at: 0 | 1 | 2) => Math.round(surface[at] + (colour[at] - surface[at]) * share);
    return [channel(0), channel(1), channel(2)];
  }
}
