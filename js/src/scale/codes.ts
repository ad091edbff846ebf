/**
 * Weights as codes of two bytes, fit for colour and not for numbers: the square root keeps small weights
 * apart. Python's `codes.py` writes the same.
 */

import type { Kind } from "../content.ts";
import type { Theme } from "../theme.ts";
import { type Anchors, colourAt, MARKS } from "./colormap.ts";
import { type Scale, strengthOf } from "./scale.ts";

/** The largest code of a finite number. */
export const MOST = 65_000;
/** Code of zero where numbers have signs. */
export const ZERO = 32_500;
export const INFINITE = 65_001;
/** Weights that a mask leaves out: −∞ among scores. */
export const MASKED = 65_002;
export const MISSING = 65_003;

export const isSigned = (kind: Kind): boolean => kind === "score" || kind === "difference";

/** The code of a number whose `full` magnitude is drawn at full strength; nothing but zero has that of zero. */
export function codeOf(value: number, full: number, signed: boolean): number {
  if (Number.isNaN(value)) return MISSING;
  if (value === Infinity) return INFINITE;
  if (value === -Infinity) return MASKED;
  if (value === 0) return signed ? ZERO : 0;
  const most = signed ? ZERO : MOST;
  const size = Math.max(1, Math.min(most, Math.round(most * Math.sqrt(Math.abs(value) / full))));
  return signed ? (value < 0 ? ZERO - size : ZERO + size) : size;
}

/** About the number that a code stands for; NaN where it is missing or masked. */
export function numberOf(code: number, full: number, signed: boolean): number {
  if (code > MOST) return code === INFINITE ? Infinity : NaN;
  if (!signed) return full * (code / MOST) ** 2;
  const share = (code - ZERO) / ZERO;
  return full * share * Math.abs(share);
}

export function encode(values: Float32Array, full: number, signed: boolean): Uint16Array<ArrayBuffer> {
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) codes[i] = codeOf(values[i] as number, full, signed);
  return codes;
}

/** The values of all codes, at a full value of 1. */
export function valueTable(signed: boolean): Float32Array {
  return Float32Array.from({ length: 0x1_0000 }, (_, code) => numberOf(code, 1, signed));
}

/** How much a code counts among those of one cell: what is no number gives way to any number. */
export function rankTable(signed: boolean): Uint32Array {
  return Uint32Array.from({ length: 0x1_0000 }, (_, code) => {
    if (code > MOST) return code === INFINITE ? 0x1_0000 : code === MISSING ? 1 : 0;
    return 2 + (signed ? Math.abs(code - ZERO) : code);
  });
}

export interface Colouring {
  readonly scale: Scale;
  readonly full: number;
  readonly keys: number;
  readonly signed: boolean;
  readonly anchors: Anchors;
  readonly theme: Theme;
}

/** Shades that a table holds: more than a screen tells apart. */
const SHADES = 1024;

/** The colour of every code as bytes red, green, blue, 255, in the byte order of the machine. */
export function colourTable({ scale, full, keys, signed, anchors, theme }: Colouring): Uint32Array {
  const shades = Uint32Array.from({ length: SHADES + 1 }, (_, i) => packed(colourAt(anchors, i / SHADES)));
  const context = { full, rowMost: full, keys };
  const table = new Uint32Array(0x1_0000);
  for (let code = 0; code <= MOST; code++) {
    const value = numberOf(code, full, signed);
    const strength = strengthOf(value, scale, context);
    const share = signed ? (1 + (value < 0 ? -strength : strength)) / 2 : strength;
    table[code] = shades[Math.round(share * SHADES)] as number;
  }
  const marks = MARKS[theme];
  table.fill(packed(marks.missing), MOST + 1);
  table[INFINITE] = packed(marks.infinite);
  table[MASKED] = packed(marks.masked);
  return table;
}

const bytes = new Uint8Array(4);
const word = new Uint32Array(bytes.buffer);

export function packed(colour: readonly [number, number, number]): number {
  bytes.set(colour);
  bytes[3] = 255;
  return word[0] as number;
}
