/**
 * Draws fog: each block of pooled weight is a band as wide as its tokens stand apart. Computed in every
 * few columns of pixels and blended between, at places anchored to the content, so that neighbouring
 * windows agree.
 */
import {
  addBands,
  type Bands,
  blankChanges,
  blankSections,
  type Sections,
  type Shape,
  setSections,
  settle,
} from "./bands.ts";
import { blockStart } from "./fog.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Fog, Geometry, Rgb } from "./scene.ts";
import type { Frame } from "./strokes.ts";
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
    for (const { bands, sections, colour } of layers) {
      setSections(sections, bands.shape, rise, slope, step);
      addBands(bands, sections, rise, changes);
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
  readonly sections: Sections;
}

function layFog(fog: Fog, geometry: Geometry, colour: (head: number) => Rgb, frame: Frame): Layer[] {
  const queries = blocksOf(geometry.query, fog.rows, frame);
  const keys = blocksOf(geometry.key, fog.cols, frame);
  return fog.heads.map(({ head, strength }) => ({
    colour: colour(head),
    bands: layBlocks(strength, queries, keys, geometry, frame),
    sections: blankSections(),
  }));
}

/** The tokens of one block: how many, the centre of where they stand, and its variance. */
interface Block {
  readonly count: number;
  readonly centre: number;
  readonly variance: number;
}

function blocksOf(positions: Float32Array, blocks: number, { ratio, across }: Frame): Block[] {
  return Array.from({ length: blocks }, (_, block) => {
    const from = blockStart(block, blocks, positions.length);
    const to = blockStart(block + 1, blocks, positions.length);
    const places = Array.from(positions.subarray(from, to), (css) => css * ratio - across.origin);
    const centre = mean(places);
    return { count: places.length, centre, variance: mean(places.map((place) => (place - centre) ** 2)) };
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function layBlocks(
  strength: Float32Array,
  queries: readonly Block[],
  keys: readonly Block[],
  { pitch }: Geometry,
  { ratio }: Frame,
): Bands {
  const used: number[] = [];
  strength.forEach((sum, block) => {
    if (sum > 0) used.push(block);
  });
  const column = () => new Float32Array(used.length);
  const [start, reach, mass] = [column(), column(), column()];
  // Thickness and spread of the typical band, each band weighing as much as its ink.
  let total = 0;
  let thickness = 0;
  let atQuery = 0;
  let atKey = 0;
  let longest = 0;
  used.forEach((block, i) => {
    const query = queries[Math.floor(block / keys.length)] as Block;
    const key = keys[block % keys.length] as Block;
    const lines = query.count * key.count;
    const average = (strength[block] as number) / lines;
    const width = lineWidth(average, pitch) * ratio;
    const ink = -Math.log1p(-lineOpacity(average)) * width * lines;
    start[i] = query.centre;
    reach[i] = key.centre - query.centre;
    mass[i] = ink;
    total += ink;
    thickness += width * ink;
    atQuery += query.variance * ink;
    atKey += key.variance * ink;
    longest = Math.max(longest, Math.abs(key.centre - query.centre));
  });
  const shape: Shape = {
    thickness: thickness / total,
    // An even spread of width w has variance w²/12.
    atQuery: Math.sqrt((12 * atQuery) / total),
    atKey: Math.sqrt((12 * atKey) / total),
    reach: longest,
  };
  return { count: used.length, start, reach, mass, shape };
}
