/** A head as a small picture: largest magnitudes in one byte each. As in `codes.py`. */

import type { Weights } from "../store.ts";

/** Bytes that are no magnitude. */
export const INFINITE = 251;
export const MASKED = 253;
export const MISSING = 255;
/** Full strength, and of signed kinds zero. */
const STEPS = 250;
const ZERO = 125;
/** Longest side of a thumbnail. */
export const MOST_CELLS = 48;

/** One head, pooled. */
export interface Thumbnail {
  readonly rows: number;
  readonly columns: number;
  readonly codes: Uint8Array;
  /** The magnitude that the strongest byte stands for. */
  readonly full: number;
}

/**
 * Pool one head to at most `rows × columns` cells, each its largest magnitude. Masked (−∞) and missing
 * weights show only where nothing else is in a cell.
 */
export function thumbnailOf(
  { queries, keys, values }: Weights,
  head: number,
  rows: number,
  columns: number,
  signed: boolean,
): Thumbnail {
  const cells = new Float64Array(rows * columns).fill(Number.NaN);
  const masked = new Uint8Array(rows * columns);
  let full = 0;
  for (let q = 0; q < queries; q++) {
    const row = Math.floor((q * rows) / queries) * columns;
    const start = (head * queries + q) * keys;
    for (let k = 0; k < keys; k++) {
      const weight = values[start + k] as number;
      const at = row + Math.floor((k * columns) / keys);
      if (weight === -Infinity) masked[at] = 1;
      else if (!Number.isNaN(weight)) {
        const size = Math.abs(weight);
        if (size > full && size < Infinity) full = size;
        if (!(size <= Math.abs(cells[at] as number))) cells[at] = weight;
      }
    }
  }
  const codes = Uint8Array.from(cells, (weight, at) =>
    Number.isNaN(weight) && masked[at] ? MASKED : codeOf(weight, full, signed),
  );
  return { rows, columns, codes, full };
}

/** Codes are roots, so that small weights keep a code of their own; 0, or 125, is for nothing but zero. */
export function codeOf(weight: number, full: number, signed: boolean): number {
  if (Number.isNaN(weight)) return MISSING;
  if (weight === -Infinity) return MASKED;
  if (weight === Infinity) return INFINITE;
  const size = Math.abs(weight);
  const steps = signed ? ZERO : STEPS;
  const code = size === 0 ? 0 : Math.min(steps, Math.max(1, Math.round(steps * Math.sqrt(size / full))));
  return signed ? ZERO + Math.sign(weight) * code : code;
}

/** The weight that a code stands for; NaN for what is no number. */
export function weightOf(code: number, full: number, signed: boolean): number {
  if (code > INFINITE) return Number.NaN;
  if (code === INFINITE) return Infinity;
  const share = signed ? (code - ZERO) / ZERO : code / STEPS;
  return Math.sign(share) * share * share * full;
}

/** Which of several codes in one pixel is seen: the larger rank. */
export function ranks(signed: boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => {
    if (code > INFINITE) return code === MISSING ? 0 : 1;
    if (code === INFINITE) return 255;
    return 2 + (signed ? Math.abs(code - ZERO) : code);
  });
}
