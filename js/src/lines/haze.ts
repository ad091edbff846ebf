/**
 * Draws fog: each block of pooled weight is a band as wide as its tokens stand apart. Computed in every
 * few columns of pixels and blended between, at places anchored to the content, so that neighbouring
 * windows agree.
 */
import { addBands, type Bands, blankChanges, createSections, setSections, settle } from "./bands.ts";
import { blockOf } from "./fog.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Fog, Geometry, Rgb } from "./scene.ts";
import { type Frame, isInside } from "./strokes.ts";
import { addColour, blankSums } from "./sums.ts";

/** CSS pixels along from one computed column to the next. */
const STEP = 2;

/** Fog to be added to columns of pixels in the order of their places along. */
export interface Haze {
  /** Adds the fog at the place `at` along to `sums`. Yields where the work may pause. */
  addTo(sums: Float32Array, at: number): Generator<void, void>;
}

export function createHaze(
  fog: Fog,
  geometry: Geometry,
  colour: (head: number) => Rgb,
  frame: Frame,
  riseOf: (at: number) => { rise: number; slope: number },
): Haze {
  const layers = layFog(fog, geometry, colour, frame);
  const pixels = frame.across.length;
  const depth = new Float32Array(pixels);
  const changes = blankChanges(pixels);
  const step = STEP * frame.ratio;
  let held = Number.NEGATIVE_INFINITY;
  let before = blankSums(pixels);
  let after = blankSums(pixels);

  function* compute(cell: number, sums: Float32Array): Generator<void, void> {
    const { rise, slope } = riseOf((cell + 0.5) * step);
    sums.fill(0);
    for (const { bands, colour } of layers) {
      setSections(bands.sections, rise, slope, step);
      addBands(bands, rise, changes);
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

interface Layer {
  readonly colour: Rgb;
  readonly bands: Bands;
}

function layFog(fog: Fog, geometry: Geometry, colour: (head: number) => Rgb, frame: Frame): Layer[] {
  const queries = blocksOf(geometry.query, fog.rows, frame);
  const keys = blocksOf(geometry.key, fog.cols, frame);
  return fog.heads.map(({ head, strength }) => ({
    colour: colour(head),
    bands: layBlocks(strength, queries, keys, geometry.pitch, frame),
  }));
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
  const widest = lineWidth(1, pitch) * ratio + 2 * STEP * ratio;
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
