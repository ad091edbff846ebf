/** How weights become colours on a picture: opacity, colour table, pixels of a grid. Pure. No DOM. */

import type { State } from "../model.ts";
import { packed } from "../scale/codes.ts";
import { type Anchors, colourAt } from "../scale/colormap.ts";
import type { Side } from "../store.ts";

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
  strength > LEAST_STRENGTH ? opacity * Math.min(1, 0.25 + 1.1 * strength) : 0;

/** The colour of a weight of some strength. */
export const heatColour = (
  { anchors, signed }: Pick<Heat, "anchors" | "signed">,
  strength: number,
  negative = false,
) => colourAt(anchors, signed ? 0.5 + (negative ? -strength : strength) / 2 : strength);
