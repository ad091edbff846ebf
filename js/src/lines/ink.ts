/** How strength becomes ink. Python's figure.py holds the same three numbers. */

/** Opacity of a line of full strength: crossings must stay readable. */
export const FULL_OPACITY = 0.9;
/** A fainter line changes no pixel of an 8-bit picture. */
export const VISIBLE_OPACITY = 1 / 510;

export const lineOpacity = (strength: number): number => FULL_OPACITY * strength;

/** Width in CSS pixels; a full line takes about a third of its token's room. */
export const lineWidth = (strength: number, pitch: number): number =>
  0.75 + (Math.min(7, Math.max(1.25, 0.3 * pitch)) - 0.75) * strength;
