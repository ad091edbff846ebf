/**
 * Haze: fog, and faint lines where they are many, as bands. Their picture changes slowly along the lines,
 * so it is computed in some columns of pixels and blended between them.
 */
import { addBands, type Bands, blankChanges, createSections, setSections } from "./bands.ts";
import { blockOf } from "./fog.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Fog, Geometry, Pool, Rgb } from "./scene.ts";
import { type Frame, isInside } from "./strokes.ts";
import { addInk, blankSums } from "./sums.ts";

/** The bands of one head. */
export interface HazeLayer {
  readonly colour: Rgb;
  /** What is drawn where lines have come `rise` of the way to their keys. */
  bandsAt(rise: number): readonly Bands[];
}

/** Haze to be added to columns of pixels in the order of their places along. */
export interface Haze {
  /** Adds the haze at the place `at` along to `sums`. Yields where the work may pause. */
  addTo(sums: Float32Array, at: number): Generator<void, void>;
}

/**
 * Places along, in device pixels, at which haze is computed: every pixel near the ends, where lines of one
 * token still lie together, ever fewer towards the middle, where all is blurred. They depend on the content
 * alone, so that neighbouring windows agree.
 */
function placesOf({ query, key }: Frame): Float64Array {
  const [start, end] = [Math.min(query, key), Math.max(query, key)];
  const length = end - start;
  const widest = Math.max(1, length / 100);
  const half: number[] = [];
  for (let from = 0; from < length / 2; ) {
    const step = Math.min(widest, Math.max(1, from * GROWTH));
    half.push(from + step / 2);
    from += step;
  }
  const there = half.map((distance) => start + distance);
  const back = half.map((distance) => end - distance).reverse();
  return Float64Array.from([...there, ...back]).sort();
}

/** Step from one place to the next, as a share of the distance to the nearer end. */
const GROWTH = 0.05;

/** Draws haze at some places and blends between them. */
export function createHaze(
  layers: readonly HazeLayer[],
  frame: Frame,
  riseOf: (at: number) => { rise: number; slope: number },
): Haze {
  const places = placesOf(frame);
  const pixels = frame.across.length;
  const depth = new Float32Array(pixels);
  const changes = blankChanges(pixels);
  const last = places.length - 1;
  const placeAt = (index: number) => places[Math.min(last, Math.max(0, index))] as number;
  /** Number of the place that `after` holds; `before` holds the one before it. */
  let held = -2;
  let before = blankSums(pixels);
  let after = blankSums(pixels);

  function* compute(index: number, sums: Float32Array): Generator<void, void> {
    const at = placeAt(index);
    const step = (placeAt(index + 1) - placeAt(index - 1)) / 2;
    const { rise, slope } = riseOf(at);
    sums.fill(0);
    const shown = layers.map((layer) => layer.bandsAt(rise));
    const sections = new Set(shown.flatMap((bands) => bands.map((each) => each.sections)));
    for (const each of sections) setSections(each, rise, slope, step);
    for (const [i, { colour }] of layers.entries()) {
      for (const each of shown[i] as readonly Bands[]) addBands(each, rise, changes);
      addInk(depth, changes, colour, sums);
      yield;
    }
  }

  return {
    *addTo(sums, at) {
      let next = Math.max(0, held);
      while (next <= last && placeAt(next) < at) next++;
      if (held !== next) {
        if (held === next - 1) [before, after] = [after, before];
        else yield* compute(next - 1, before);
        yield* compute(next, after);
        held = next;
      }
      const [from, to] = [placeAt(next - 1), placeAt(next)];
      const far = to > from ? (at - from) / (to - from) : 0;
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
  const pools = [fog, ...(fog.ends ? [fog.ends.query, fog.ends.key] : [])];
  const laid: Map<number, Bands>[] = [];
  for (const pool of pools) laid.push(yield* layPool(pool, geometry, frame));
  return fog.heads.map(({ head }) => {
    const ways = laid.flatMap((bands) => bands.get(head) ?? []);
    // Of the same weight pooled in several ways, the one that blurs least there.
    const blur = ({ sections: { shape } }: Bands, rise: number) =>
      (shape.atQuery * (1 - rise)) ** 2 + (shape.atKey * rise) ** 2;
    const bandsAt = (rise: number) => [
      ways.reduce((best, each) => (blur(each, rise) < blur(best, rise) ? each : best)),
    ];
    return { colour: colour(head), bandsAt };
  });
}

function* layPool(pool: Pool, geometry: Geometry, frame: Frame): Generator<void, Map<number, Bands>> {
  const queries = blocksOf(geometry.query, pool.rows, frame);
  const keys = blocksOf(geometry.key, pool.cols, frame);
  const bands = new Map<number, Bands>();
  for (const { head, strength } of pool.heads) {
    bands.set(head, layBlocks(strength, queries, keys, geometry.pitch, frame));
    yield;
  }
  return bands;
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
