/** Maps, lines and places that tests of pictures share. */
import type { Viewport } from "../src/lines/composite.ts";
import type { Edges, Geometry, Rgb } from "../src/lines/scene.ts";

export const WIDTH = 96;
export const HEIGHT = 480;
export const WHOLE: Viewport = { left: 0, top: 0, width: WIDTH, height: HEIGHT, ratio: 1 };

const COLOURS: readonly Rgb[] = [
  [0, 114, 178],
  [230, 159, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [213, 94, 0],
];
export const colour = (head: number): Rgb => COLOURS[head % COLOURS.length] as Rgb;

/** Numbers that look random and are the same in every run. */
export function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

/** Rows of softmax over logits of this standard deviation, of shape (heads, tokens, tokens). */
export function softmax(heads: number, tokens: number, deviation: number): Float32Array {
  const random = randoms(heads * 1000 + tokens);
  const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  const weights = new Float32Array(heads * tokens * tokens);
  for (let row = 0; row < weights.length; row += tokens) {
    let sum = 0;
    for (let i = row; i < row + tokens; i++) {
      const weight = Math.exp(deviation * normal());
      weights[i] = weight;
      sum += weight;
    }
    for (let i = row; i < row + tokens; i++) weights[i]! /= sum;
  }
  return weights;
}

export type Line = readonly [head: number, query: number, key: number, strength: number, mark?: number];

export const edgesOf = (lines: readonly Line[]): Edges => ({
  count: lines.length,
  head: Uint16Array.from(lines, ([head]) => head),
  query: Uint32Array.from(lines, ([, query]) => query),
  key: Uint32Array.from(lines, ([, , key]) => key),
  strength: Float32Array.from(lines, ([, , , strength]) => strength),
  weight: Float32Array.from(lines, ([, , , strength]) => strength),
  mark: Uint8Array.from(lines, ([, , , , mark]) => mark ?? 0),
});

/** All lines of at least this strength. */
export function linesOf(strength: Float32Array, tokens: number, threshold = 1e-30): Line[] {
  const lines: Line[] = [];
  strength.forEach((value, i) => {
    const row = Math.floor(i / tokens);
    if (value >= threshold) lines.push([Math.floor(row / tokens), row % tokens, i % tokens, value]);
  });
  return lines;
}

/** Tokens side by side over the whole height. */
export function geometryOf(tokens: number, vertical = true): Geometry {
  const pitch = HEIGHT / tokens;
  const places = Float32Array.from({ length: tokens }, (_, i) => (i + 0.5) * pitch);
  return { vertical, along: { query: 0, key: WIDTH }, query: places, key: places, pitch };
}

/** Largest absolute difference. */
export function mostDifferent(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new Error(`pictures must be alike in size; got ${a.length} and ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}
