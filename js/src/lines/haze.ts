/**
 * Haze: fog, and faint lines where they are many, as bands. Their picture changes slowly along the lines,
 * so it is computed in some columns of pixels and blended between them.
 */
import { addBands, type Bands, blankChanges, createSections, setSections, settle } from "./bands.ts";
import { blockOf } from "./fog.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Fog, Geometry, Rgb } from "./scene.ts";
import { type Frame, isInside } from "./strokes.ts";
import { addColour, blankSums } from "./sums.ts";

/** The bands of one head. */
export interface HazeLayer {
  readonly colour: Rgb;
  readonly bands: readonly Bands[];
}

/** Haze to be added to columns of pixels in the order of their places along. */
export interface Haze {
  /** Adds the haze at the place `at` along to `sums`. Yields where the work may pause. */
  addTo(sums: Float32Array, at: number): Generator<void, void>;
}

/**
 * Device pixels along from one computed column to the next: 240 columns, or 120 where bands are so many
 * that twice the time would be felt and half the columns won't be seen.
 */
export const hazeStep = ({ query, key }: Frame, bands: number): number =>
  Math.max(1, Math.abs(key - query) / (bands > 100_000 ? 120 : 240));

/** Computed columns lie at multiples of `step` in the content, so that neighbouring windows agree. */
export function createHaze(
  layers: readonly HazeLayer[],
  step: number,
  frame: Frame,
  riseOf: (at: number) => { rise: number; slope: number },
): Haze {
  const sections = new Set(layers.flatMap(({ bands }) => bands.map((each) => each.sections)));
  const pixels = frame.across.length;
  const depth = new Float32Array(pixels);
  const changes = blankChanges(pixels);
  let held = Number.NEGATIVE_INFINITY;
  let before = blankSums(pixels);
  let after = blankSums(pixels);

  function* compute(cell: number, sums: Float32Array): Generator<void, void> {
    const { rise, slope } = riseOf((cell + 0.5) * step);
    sums.fill(0);
    for (const each of sections) setSections(each, rise, slope, step);
    for (const { bands, colour } of layers) {
      for (const each of bands) addBands(each, rise, changes);
      settle(changes, depth);
      addColour(depth, colour, sums);
      yield;
    }
  }

  return {
    *addTo(sums, at) {
      const cell = at / step - 0.5;
      const near = Math.floor(cell);
      if (held < near - 1) yield* compute(near, after);
      if (held < near) {
        [before, after] = [after, before];
        yield* compute(near + 1, after);
        held = near;
      }
      const far = cell - near;
      for (let i = 0; i < sums.length; i++) {
        sums[i] = (sums[i] as number) + (before[i] as number) * (1 - far) + (after[i] as number) * far;
      }
    },
  };
}

/** Prepares fog to be drawn as haze. Yields where the work may pause. */
export function* layFog(
  fog: Fog,
  geometry: Geometry,
  colour: (head: number) => Rgb,
  frame: Frame,
): Generator<void, HazeLayer[]> {
  const queries = blocksOf(geometry.query, fog.rows, frame);
  const keys = blocksOf(geometry.key, fog.cols, frame);
  const layers: HazeLayer[] = [];
  for (const { head, strength } of fog.heads) {
    layers.push({ colour: colour(head), bands: [layBlocks(strength, queries, keys, geometry.pitch, frame)] });
    yield;
  }
  return layers;
}

/** The tokens of one block: how many, the centre of where they stand, and its variance. */
interface Block {
  readonly count: number;
  readonly centre: number;
  readonly variance: number;
}

function blocksOf(positions: Float32Array, blocks: number, { ratio, across }: Frame): Block[] {
  const places = Array.from({ length: blocks }, (): number[] => []);
  positions.forEach((css, position) => {
    places[blockOf(position, blocks, positions.length)]?.push(css * ratio - across.origin);
  });
  return places.map((tokens) => {
    const centre = mean(tokens);
    return { count: tokens.length, centre, variance: mean(tokens.map((place) => (place - centre) ** 2)) };
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function layBlocks(
  strength: Float32Array,
  queries: readonly Block[],
  keys: readonly Block[],
  pitch: number,
  frame: Frame,
): Bands {
  const { ratio } = frame;
  const widest = lineWidth(1, pitch) * ratio;
  const start: number[] = [];
  const reach: number[] = [];
  const mass: number[] = [];
  let longest = 0;
  // Thickness and variances of the typical band, each band weighing as much as its ink. Blocks out of
  // sight count too, so that all windows draw alike.
  const typical = { ink: 0, thickness: 0, atQuery: 0, atKey: 0 };
  for (const [block, sum] of strength.entries()) {
    if (!(sum > 0)) continue;
    const query = queries[Math.floor(block / keys.length)] as Block;
    const key = keys[block % keys.length] as Block;
    const lines = query.count * key.count;
    const thickness = lineWidth(sum / lines, pitch) * ratio;
    const ink = -Math.log1p(-lineOpacity(sum / lines)) * thickness * lines;
    typical.ink += ink;
    typical.thickness += ink * thickness;
    typical.atQuery += ink * query.variance;
    typical.atKey += ink * key.variance;
    const spread = evenSpread(Math.max(query.variance, key.variance));
    if (!isInside(query.centre, key.centre, spread + widest, frame)) continue;
    start.push(query.centre);
    reach.push(key.centre - query.centre);
    mass.push(ink);
    longest = Math.max(longest, Math.abs(key.centre - query.centre));
  }
  const shape = {
    thickness: typical.thickness / typical.ink,
    atQuery: evenSpread(typical.atQuery / typical.ink),
    atKey: evenSpread(typical.atKey / typical.ink),
  };
  return {
    count: start.length,
    start: Float32Array.from(start),
    reach: Float32Array.from(reach),
    mass: Float32Array.from(mass),
    sections: createSections(shape, Math.abs(frame.key - frame.query), longest),
  };
}

/** Width of the even spread with this variance. */
const evenSpread = (variance: number): number => Math.sqrt(12 * variance);
