/** A column of pixels as floats: the optical depth of each, and the depth times red, green and blue. */
import type { Rgb } from "./scene.ts";

/** Floats a pixel. */
const CHANNELS = 4;

export const blankSums = (pixels: number): Float32Array => new Float32Array(pixels * CHANNELS);

/**
 * Adds ink of one colour to the sums, and clears what it came in: `depth`, and the running sum of `changes`
 * from pixel to pixel.
 */
export function addInk(
  depth: Float32Array,
  changes: Float64Array,
  [red, green, blue]: Rgb,
  sums: Float32Array,
): void {
  let level = 0;
  for (let pixel = 0, at = 0; pixel < depth.length; pixel++, at += CHANNELS) {
    level += changes[pixel] as number;
    // Sums of many changes leave a residue of rounding where there is nothing.
    const amount = (depth[pixel] as number) + (level > 1e-9 ? level : 0);
    if (amount === 0) continue;
    sums[at] = (sums[at] as number) + amount;
    sums[at + 1] = (sums[at + 1] as number) + amount * red;
    sums[at + 2] = (sums[at + 2] as number) + amount * green;
    sums[at + 3] = (sums[at + 3] as number) + amount * blue;
  }
  depth.fill(0);
  changes.fill(0);
}

/**
 * Turns the sums into pixels of straight alpha.
 *
 * @param to Index in `data` of the first pixel; the next ones lie `step` further each.
 */
export function writePixels(sums: Float32Array, data: Uint8ClampedArray, to: number, step: number): void {
  for (let from = 0, at = to; from < sums.length; from += CHANNELS, at += step) {
    const depth = sums[from] as number;
    if (!(depth > 0)) continue;
    data[at] = (sums[from + 1] as number) / depth;
    data[at + 1] = (sums[from + 2] as number) / depth;
    data[at + 2] = (sums[from + 3] as number) / depth;
    data[at + 3] = 255 * (1 - Math.exp(-depth));
  }
}
