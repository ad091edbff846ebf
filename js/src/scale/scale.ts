/**
 * From weights to strength, the 0..1 that opacity, width and colour carry, and to text. Python's
 * `scale.py` computes the same; `tests/wire/strength.json` and `tests/wire/format.json` hold both to it.
 */

import type { Kind } from "../content.ts";
import type { State } from "../model.ts";

export type Scale = State["scale"];

/** What a scale needs to know beyond the weight. */
export interface ScaleContext {
  /** Magnitude drawn at full strength on the absolute, sqrt and log scales: see `fullValue`. */
  readonly full: number;
  /** The largest finite magnitude of the weight's row. */
  readonly rowMost: number;
  /** Keys of the map. */
  readonly keys: number;
}

/** Decades below the full value that the log scale shows. */
export const LOG_DECADES = 4;
/** Multiple of uniform attention that is drawn at full strength. */
export const TIMES_UNIFORM_FULL = 10;

/**
 * The magnitude drawn at full strength. Weights are drawn against 1 unless some exceed it; every other
 * kind against its largest finite magnitude, or 1 where that is 0.
 */
export function fullValue(largest: number, kind: Kind): number {
  if (kind === "weight") return Math.max(1, largest);
  return largest > 0 ? largest : 1;
}

/** The strength of a weight: NaN for NaN, 1 for infinities; signs are dropped. */
export function strengthOf(weight: number, scale: Scale, { full, rowMost, keys }: ScaleContext): number {
  const magnitude = Math.abs(weight);
  if (magnitude === Infinity) return 1;
  switch (scale) {
    case "absolute":
      return clip(magnitude / full);
    case "row":
      return clip(rowMost > 0 ? magnitude / rowMost : 0 * magnitude);
    case "sqrt":
      return clip(Math.sqrt(magnitude / full));
    case "log":
      return clip(1 + Math.log10(magnitude / full) / LOG_DECADES);
    case "times_uniform":
      return clip((magnitude * keys) / TIMES_UNIFORM_FULL);
  }
}

// Comparisons with NaN are false, so NaN comes out as it went in.
const clip = (share: number): number => (share < 0 ? 0 : share > 1 ? 1 : share);

/**
 * A weight as text, with three significant digits and no trailing zeros.
 *
 * Decimal from 0.0001 up to a million (0.817, 0.00412, 1, 1230), scientific beyond (1.23e-7, 4e6), both
 * after rounding; ties round away from zero. A minus sign is U+2212, that of an exponent a hyphen. What
 * is no finite number reads NaN, ∞ or −∞.
 */
export function formatWeight(weight: number): string {
  if (Number.isNaN(weight)) return "NaN";
  if (weight === 0) return "0";
  const sign = weight < 0 ? "−" : "";
  const magnitude = Math.abs(weight);
  if (magnitude === Infinity) return `${sign}∞`;
  const [mantissa = "", power = ""] = magnitude.toExponential(2).split("e");
  const exponent = Number(power);
  const digits = mantissa.replace(/\.?0+$/, "");
  if (exponent < -4 || exponent >= 6) return `${sign}${digits}e${exponent}`;
  return `${sign}${Number(`${digits}e${exponent}`)}`;
}

const NAMES: Readonly<Record<Scale, string>> = {
  absolute: "absolute",
  row: "share of the row's largest",
  sqrt: "square root",
  log: "logarithmic",
  times_uniform: "times uniform",
};

/** What no and full strength stand for, and how strength runs between: "0 – 1, absolute". */
export function legendOf(scale: Scale, kind: Kind, full: number): string {
  const name = NAMES[scale];
  const of = kind === "score" || kind === "difference" ? "magnitude, " : "";
  switch (scale) {
    case "absolute":
    case "sqrt":
      return `0 – ${formatWeight(full)}, ${of}${name}`;
    case "row":
      return `0 – 1, ${of}${name}`;
    case "log": {
      const least = formatWeight(full / 10 ** LOG_DECADES);
      return `${least} – ${formatWeight(full)}, ${of}${name}; below ${least} nothing is drawn`;
    }
    case "times_uniform":
      return `0 – ${TIMES_UNIFORM_FULL}, ${of}${name}; ${TIMES_UNIFORM_FULL} and more look alike`;
  }
}
