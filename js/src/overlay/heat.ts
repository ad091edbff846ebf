/** How weights become colours on a picture: opacity, colours, pixels of a grid. Pure. No DOM. */

import type { PatchesPart } from "../content.ts";
import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import type { State } from "../model.ts";
import { type Anchors, colourAt } from "../scale/colormap.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import { positionsOf } from "./panels.ts";

/** What is painted over the pictures. */
export interface Heat {
  /** The side that the weights lie on. */
  readonly side: Side;
  /** A weight for each position of that side's axis; NaN is marked as missing. */
  readonly values: Float32Array;
  /** From a weight to 0..1; NaN for NaN. */
  readonly strength: (weight: number) => number;
  readonly anchors: Anchors;
  readonly signed: boolean;
  /** Of the strongest weight, 0..1. */
  readonly opacity: number;
  readonly interpolation: State["interpolation"];
  readonly paint: State["paint"];
  /** Shares of the weight on the image that contours and outlines enclose. */
  readonly contours: readonly number[];
  /** Positions set aside: hatched instead of painted. */
  readonly aside?: readonly number[];
}

/** Strengths up to this one paint nothing. */
export const LEAST_STRENGTH = 0.004;

/** The opacity of a cell of some strength where `opacity` is that of the strongest. */
export const alphaOf = (strength: number, opacity: number): number =>
  strength > LEAST_STRENGTH ? opacity * Math.min(1, 2 * strength) : 0;

/** The colour of a weight of some strength. */
export const heatColour = ({ anchors, signed }: Heat, strength: number, negative: boolean): Rgb =>
  colourAt(anchors, signed ? 0.5 + (negative ? -strength : strength) / 2 : strength);

/** Steps of the colour table: finer than screens tell apart. */
const SHADES = 1024;
/** Steps from the least to the largest value of an interpolated picture. */
const LEVELS = 1 << 14;

type Ramp = (strength: number, negative: boolean) => number;

/** Packed colours of strengths. */
function rampOf(heat: Heat, theme: Theme): Ramp {
  const { signed, opacity, paint } = heat;
  const shade = (strength: number, negative: boolean): number =>
    paint === "dim"
      ? packed(INK[theme].surface, opacity * (1 - strength))
      : packed(heatColour(heat, strength, negative), alphaOf(strength, opacity));
  const table = (negative: boolean) =>
    Uint32Array.from({ length: SHADES + 1 }, (_, i) => shade(i / SHADES, negative));
  const plus = table(false);
  const minus = signed ? table(true) : plus;
  return (strength, negative) => (negative ? minus : plus)[Math.round(strength * SHADES)] as number;
}

/** As `ImageData` holds it on the machines that browsers run on: red in the lowest byte. */
const packed = ([red, green, blue]: Rgb, alpha: number): number =>
  ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/** Why a cell shows no number's colour. */
export type Oddity = "none" | "missing" | "masked" | "infinite" | "aside";

/** What a weight is that is no number to be painted; −∞ is a mask's, as in all views. */
export const oddityOf = (weight: number): "missing" | "masked" | "infinite" | undefined =>
  Number.isNaN(weight) ? "missing" : Number.isFinite(weight) ? undefined : weight < 0 ? "masked" : "infinite";

/** The weights of a grid, row by row. */
export interface Grid {
  readonly rows: number;
  readonly cols: number;
  /** Finite everywhere: odd cells hold the mean of the cells around them, so that these blend into nothing else. */
  readonly values: Float32Array;
  readonly odd: ReadonlyMap<number, Oddity>;
}

export function gridOf(part: PatchesPart, { values: all, aside = [] }: Pick<Heat, "values" | "aside">): Grid {
  const { rows, cols } = part;
  const put = new Set(aside);
  const odd = new Map<number, Oddity>();
  const values = Float32Array.from(positionsOf(part), (position, cell) => {
    const value = position < 0 ? Number.NaN : (all[position] as number);
    const oddity = position < 0 ? "none" : put.has(position) ? "aside" : oddityOf(value);
    if (oddity) odd.set(cell, oddity);
    return value;
  });
  for (const cell of odd.keys()) {
    const col = cell % cols;
    const around = [cell - cols, cell + cols, col > 0 ? cell - 1 : -1, col + 1 < cols ? cell + 1 : -1];
    const known = around.filter((at) => at >= 0 && at < rows * cols && !odd.has(at));
    const sum = known.reduce((total, at) => total + (values[at] as number), 0);
    values[cell] = known.length > 0 ? sum / known.length : 0;
  }
  return { rows, cols, values, odd };
}

/** For each pixel along a line the cells it lies between, and how far from the first to the second. */
export interface Line {
  readonly first: Int32Array;
  readonly last: Int32Array;
  readonly mix: Float32Array;
}

/**
 * Cells under pixels `from` … `to - 1`, by their middles, where `count` cells run from `start` to `end`.
 * Smooth: between the middles of cells (half-pixel bilinear), flat beyond the outermost. Else the cell there,
 * or all of them where several share a pixel.
 */
export function lineOf(
  count: number,
  [start, end]: readonly [number, number],
  [from, to]: readonly [number, number],
  smooth: boolean,
): Line {
  const length = Math.max(0, to - from);
  const [first, last, mix] = [new Int32Array(length), new Int32Array(length), new Float32Array(length)];
  const size = (end - start) / count;
  const cell = (at: number) => Math.max(0, Math.min(count - 1, at));
  for (let i = 0; i < length; i++) {
    const at = (from + i + 0.5 - start) / size;
    if (smooth) {
      const before = Math.floor(at - 0.5);
      first[i] = cell(before);
      last[i] = cell(before + 1);
      mix[i] = at - 0.5 - before;
    } else if (size >= 1) {
      last[i] = first[i] = cell(Math.floor(at));
    } else {
      first[i] = cell(Math.floor(at - 0.5 / size + 1e-6));
      last[i] = Math.max(first[i] as number, cell(Math.ceil(at + 0.5 / size - 1e-6) - 1));
    }
  }
  return { first, last, mix };
}

/** Interpolated values at the pixels of two smooth lines, a row of pixels at a time. */
function eachRow(
  values: Float32Array,
  cols: number,
  x: Line,
  y: Line,
  visit: (row: Float32Array, at: number) => void,
): void {
  const width = x.mix.length;
  const [cells, row] = [new Float32Array(cols), new Float32Array(width)];
  for (let j = 0; j < y.mix.length; j++) {
    const [above, below] = [(y.first[j] as number) * cols, (y.last[j] as number) * cols];
    const mix = y.mix[j] as number;
    for (let col = 0; col < cols; col++) {
      const value = values[above + col] as number;
      cells[col] = value + ((values[below + col] as number) - value) * mix;
    }
    for (let i = 0; i < width; i++) {
      const value = cells[x.first[i] as number] as number;
      row[i] = value + ((cells[x.last[i] as number] as number) - value) * (x.mix[i] as number);
    }
    visit(row, j * width);
  }
}

/** All of them, row by row. */
export function sampled(values: Float32Array, cols: number, x: Line, y: Line): Float32Array {
  const found = new Float32Array(x.mix.length * y.mix.length);
  eachRow(values, cols, x, y, (row, at) => found.set(row, at));
  return found;
}

/** Pixels of a grid under two lines that are both smooth or both not; odd cells are as if they were none. */
export function pixelsOf(
  heat: Heat,
  theme: Theme,
  grid: Grid,
  x: Line,
  y: Line,
  smooth: boolean,
): Uint32Array {
  const ramp = rampOf(heat, theme);
  return smooth ? smoothPixels(heat, ramp, grid, x, y) : cellPixels(heat, ramp, grid, x, y);
}

function smoothPixels({ strength }: Heat, ramp: Ramp, { cols, values }: Grid, x: Line, y: Line): Uint32Array {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const step = (most - least) / LEVELS || 1;
  const table = Uint32Array.from({ length: LEVELS + 1 }, (_, i) => {
    const value = least + i * step;
    return ramp(strength(value), value < 0);
  });
  const pixels = new Uint32Array(x.mix.length * y.mix.length);
  const levels = 1 / step;
  eachRow(values, cols, x, y, (row, at) => {
    for (let i = 0; i < row.length; i++) {
      pixels[at + i] = table[(((row[i] as number) - least) * levels + 0.5) | 0] as number;
    }
  });
  return pixels;
}

/** Of several cells in a pixel the strongest shows. */
function cellPixels(heat: Heat, ramp: Ramp, { cols, values, odd }: Grid, x: Line, y: Line): Uint32Array {
  const strengths = values.map((value, cell) => (odd.has(cell) ? -1 : heat.strength(value)));
  const colours = Uint32Array.from(strengths, (strength, cell) =>
    strength < 0 ? 0 : ramp(strength, (values[cell] as number) < 0),
  );
  const width = x.first.length;
  const pixels = new Uint32Array(width * y.first.length);
  for (let j = 0; j < y.first.length; j++) {
    const [top, bottom] = [y.first[j] as number, y.last[j] as number];
    const out = j * width;
    if (j > 0 && top === y.first[j - 1] && bottom === y.last[j - 1]) {
      pixels.copyWithin(out, out - width, out);
      continue;
    }
    for (let i = 0; i < width; i++) {
      const right = x.last[i] as number;
      let best = top * cols + (x.first[i] as number);
      for (let row = top; row <= bottom; row++) {
        for (let col = x.first[i] as number; col <= right; col++) {
          const cell = row * cols + col;
          if ((strengths[cell] as number) > (strengths[best] as number)) best = cell;
        }
      }
      pixels[out + i] = colours[best] as number;
    }
  }
  return pixels;
}
