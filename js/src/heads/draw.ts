/** Codes to pixels. */

import type { State } from "../model.ts";
import { packed } from "../scale/codes.ts";
import { anchorsOf, colourAt, MARKS } from "../scale/colormap.ts";
import { strengthOf } from "../scale/scale.ts";
import type { Theme } from "../theme.ts";
import { INFINITE, MASKED, MISSING, ranks, type Thumbnail, weightOf } from "./thumbnails.ts";

export interface Colouring {
  readonly scale: State["scale"];
  readonly colormap: State["colormap"];
  /** Magnitude at full strength, the same for all heads. */
  readonly full: number;
  readonly keys: number;
  readonly signed: boolean;
  readonly theme: Theme;
}

/** Opacity of heads that a pattern leaves out, 0..255. */
const FAINT = 40;
const SHADES = 512;

/** Paints thumbnails in the colours of one scale. */
export class Painter {
  readonly signed: boolean;
  readonly #colouring: Colouring;
  readonly #shades: Uint32Array;
  readonly #rank: Uint8Array;
  /** Each head against its own largest: one table does for all. */
  #own: Uint32Array | undefined;

  constructor(colouring: Colouring) {
    const { signed, colormap, theme } = colouring;
    const anchors = anchorsOf(colormap, signed, theme);
    this.signed = signed;
    this.#colouring = colouring;
    this.#shades = Uint32Array.from({ length: SHADES + 1 }, (_, i) => packed(colourAt(anchors, i / SHADES)));
    this.#rank = ranks(signed);
  }

  /** Paint a thumbnail over `width × height` pixels; where cells are smaller than pixels the strongest wins. */
  paint(
    image: ImageData,
    x: number,
    y: number,
    width: number,
    height: number,
    head: Thumbnail,
    faint: boolean,
  ) {
    const pixels = new Uint32Array(image.data.buffer);
    const table = this.#table(head.full);
    const { rows, columns, codes } = head;
    const across = spans(columns, width);
    const down = spans(rows, height);
    const end = (y + height) * image.width;
    for (let i = 0; i < height; i++) {
      const start = (y + i) * image.width + x;
      for (let j = 0; j < width; j++) {
        let best = MISSING;
        let most = -1;
        for (let row = down[2 * i] as number; row < (down[2 * i + 1] as number); row++) {
          for (let at = across[2 * j] as number; at < (across[2 * j + 1] as number); at++) {
            const code = codes[row * columns + at] as number;
            const rank = this.#rank[code] as number;
            if (rank > most) {
              most = rank;
              best = code;
            }
          }
        }
        pixels[start + j] = table[best] as number;
      }
    }
    if (!faint) return;
    for (let row = y * image.width; row < end; row += image.width) {
      for (let j = x; j < x + width; j++) image.data[4 * (row + j) + 3] = FAINT;
    }
  }

  /** The colour of every code of a head. */
  #table(full: number): Uint32Array {
    const { scale, keys, signed, theme } = this.#colouring;
    if (scale === "row" && this.#own) return this.#own;
    const context = { full: this.#colouring.full, rowMost: full, keys };
    const marks = MARKS[theme];
    const table = new Uint32Array(256).fill(packed(marks.missing));
    for (let code = 0; code < INFINITE; code++) {
      const weight = weightOf(code, full, signed);
      const strength = strengthOf(weight, scale, context);
      const share = signed ? (1 + Math.sign(weight) * strength) / 2 : strength;
      table[code] = this.#shades[Math.round(share * SHADES)] as number;
    }
    table[INFINITE] = packed(marks.infinite);
    table[MASKED] = packed(marks.masked);
    if (scale === "row") this.#own = table;
    return table;
  }
}

/** The cells that each pixel shows, first and last + 1: those that begin in it, or the one it lies in. */
export function spans(cells: number, pixels: number): Uint16Array {
  const found = new Uint16Array(2 * pixels);
  for (let i = 0; i < pixels; i++) {
    const [first, last] =
      cells > pixels
        ? [Math.ceil((i * cells) / pixels), Math.ceil(((i + 1) * cells) / pixels)]
        : [Math.floor((i * cells) / pixels), Math.floor((i * cells) / pixels) + 1];
    found[2 * i] = first;
    found[2 * i + 1] = last;
  }
  return found;
}
