/**
 * Draws any number of lines truly. Strokes blended one after another in 8 bits darken towards black and
 * lose whatever is fainter than 1/510, so lines and fog are summed as optical depth in floats, whatever
 * their order, and turned into pixels once:
 *
 *     depth of a stroke = −ln(1 − opacity · coverage)
 *     colour = Σ depth · colour / Σ depth,   alpha = 1 − exp(−Σ depth)
 *
 * Every line given is drawn, however faint: a thousand strokes that each change no pixel together do.
 * Free of the DOM; runs in a worker or in slices on the page's thread.
 */
import { addBands, blankChanges, setSections } from "./bands.ts";
import { parameterAt, riseAt } from "./curve.ts";
import { createHaze, layFog } from "./haze.ts";
import type { Edges, Fog, Geometry, Rgb } from "./scene.ts";
import { addLines, type Frame, layStrokes } from "./strokes.ts";
import { addInk, blankSums, writePixels } from "./sums.ts";

/** What there is to draw. */
export interface Scene {
  readonly edges: Edges;
  readonly fog?: Fog | undefined;
  readonly geometry: Geometry;
  readonly colour: (head: number) => Rgb;
}

/** The part of the content to draw, in CSS pixels, at `ratio` device pixels each. */
export interface Viewport {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
}

/** Pixels as `ImageData` holds them: red, green, blue, straight alpha. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** A drawing in progress. */
export interface Composite {
  /** Complete when `done`; until then the part already drawn. */
  readonly raster: Raster;
  readonly done: boolean;
  /** Draws on for about `budgetMs` milliseconds; returns `done`. */
  step(budgetMs: number): boolean;
}

/** Prepares a drawing of `scene` through `viewport`, to be made step by step. */
export function createComposite(scene: Scene, viewport: Viewport): Composite {
  const raster = blank(viewport);
  const work = draw(scene, viewport, raster);
  let done = false;
  return {
    raster,
    get done() {
      return done;
    },
    step(budgetMs) {
      const end = performance.now() + budgetMs;
      while (!done) {
        done = work.next().done === true;
        if (performance.now() >= end) break;
      }
      return done;
    },
  };
}

/** Draws `scene` through `viewport` in one go. */
export function composite(scene: Scene, viewport: Viewport): Raster {
  const drawing = createComposite(scene, viewport);
  drawing.step(Infinity);
  return drawing.raster;
}

function blank({ width, height, ratio }: Viewport): Raster {
  const pixels = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  return { ...pixels, data: new Uint8ClampedArray(pixels.width * pixels.height * 4) };
}

function frameOf(
  { vertical, along }: Geometry,
  { left, top, ratio }: Viewport,
  { width, height }: Raster,
): Frame {
  const horizontally = { origin: left * ratio, length: width };
  const vertically = { origin: top * ratio, length: height };
  return {
    ratio,
    along: vertical ? horizontally : vertically,
    across: vertical ? vertically : horizontally,
    query: along.query * ratio,
    key: along.key * ratio,
  };
}

/** How far every line has come at the place `at` along: its share of the rise, and rise per pixel. */
function riseOf({ query, key }: Frame, at: number): { rise: number; slope: number } {
  const t = parameterAt(Math.min(1, Math.max(0, (at - query) / (key - query))));
  const slope = (6 * t * (1 - t)) / (1.5 - 3 * t + 3 * t * t);
  return { rise: riseAt(t), slope: slope / Math.abs(key - query) };
}

/**
 * Draws one column of pixels after the other: all pixels at the same place along the lines, which is
 * where every line has risen by the same share. Yields where the work may pause.
 */
function* draw(
  { edges, fog, geometry, colour }: Scene,
  viewport: Viewport,
  raster: Raster,
): Generator<void, void> {
  const frame = frameOf(geometry, viewport, raster);
  const { heads, sections } = yield* layStrokes(edges, geometry, colour, frame);
  const layers = fog ? yield* layFog(fog, geometry, colour, frame) : [];
  for (const { colour, hazy } of heads) if (hazy.length > 0) layers.push({ colour, bandsAt: () => hazy });
  const haze = createHaze(layers, frame, (at) => riseOf(frame, at));

  const pixels = frame.across.length;
  const sums = blankSums(pixels);
  const depth = new Float32Array(pixels);
  const changes = blankChanges(pixels);
  const start = Math.min(frame.query, frame.key);
  const end = Math.max(frame.query, frame.key);

  for (let column = 0; column < frame.along.length; column++) {
    const left = frame.along.origin + column;
    const coverage = Math.min(left + 1, end) - Math.max(left, start);
    if (!(coverage > 0)) continue;
    const at = left + 0.5;
    const { rise, slope } = riseOf(frame, at);
    sums.fill(0);
    if (layers.length > 0) yield* haze.addTo(sums, at);
    for (const each of sections) setSections(each, rise, slope, 1);
    for (const head of heads) {
      for (const lines of head.clear) addLines(lines, frame, at, rise, slope, depth);
      for (const bands of head.faint) addBands(bands, rise, changes);
      addInk(depth, changes, head.colour, sums);
      yield;
    }
    // Where lines begin or end inside a column, only that part of it is inked.
    if (coverage < 1) for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) * coverage;
    const { width, data } = raster;
    if (geometry.vertical) writePixels(sums, data, 4 * column, 4 * width);
    else writePixels(sums, data, 4 * column * width, 4);
  }
}
