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
import { parameterAt, riseAt } from "./curve.ts";
import { addBands, layBands } from "./fog.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import type { Edges, Fog, Geometry, Rgb } from "./scene.ts";

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

/** Fog is computed once per this many CSS pixels and interpolated between. */
const FOG_ALONG = 4;
const FOG_ACROSS = 2;

/** Floats per pixel: depth, and depth times red, green and blue. */
const CHANNELS = 4;

function blank({ width, height, ratio }: Viewport): Raster {
  const pixels = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  return { ...pixels, data: new Uint8ClampedArray(pixels.width * pixels.height * 4) };
}

/** The viewport in device pixels, along the lines and across them. */
interface Frame {
  readonly ratio: number;
  readonly along: { readonly origin: number; readonly length: number };
  readonly across: { readonly origin: number; readonly length: number };
  readonly query: number;
  readonly key: number;
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
  const share = Math.min(1, Math.max(0, (at - query) / (key - query)));
  const t = parameterAt(share);
  const slope = (6 * t * (1 - t)) / (1.5 - 3 * t + 3 * t * t);
  return { rise: riseAt(t), slope: slope / Math.abs(key - query) };
}

/**
 * Draws one column of pixels after the other: all pixels at the same place along the lines, which is
 * where every line has risen by the same share. Yields wherever the work may pause.
 */
function* draw(scene: Scene, viewport: Viewport, raster: Raster): Generator<void, void> {
  const frame = frameOf(scene.geometry, viewport, raster);
  const groups = layLines(scene, frame);
  const mist = scene.fog ? yield* drawFog(scene.fog, scene, frame) : null;
  const sums = new Float32Array(frame.across.length * CHANNELS);
  const depth = new Float32Array(frame.across.length);
  const start = Math.min(frame.query, frame.key);
  const end = Math.max(frame.query, frame.key);

  for (let column = 0; column < frame.along.length; column++) {
    const at = frame.along.origin + column;
    const coverage = Math.min(at + 1, end) - Math.max(at, start);
    if (!(coverage > 0)) continue;
    const { rise, slope } = riseOf(frame, at + 0.5);
    sums.fill(0);
    if (mist) addMist(mist, frame, at + 0.5, coverage, sums);
    for (const group of groups) {
      addLines(group, rise, slope, coverage, depth);
      addColour(depth, group.colour, sums, 0);
    }
    writeColumn(sums, scene.geometry.vertical, column, raster);
    yield;
  }
}

/** The lines of one head, in device pixels across. */
interface Lines {
  readonly colour: Rgb;
  readonly count: number;
  readonly start: Float32Array;
  readonly reach: Float32Array;
  readonly thickness: Float32Array;
  readonly opacity: Float32Array;
}

function layLines({ edges, geometry, colour }: Scene, frame: Frame): Lines[] {
  const byHead = new Map<number, number[]>();
  for (let i = 0; i < edges.count; i++) {
    if (!isInside(edges, geometry, frame, i)) continue;
    const head = edges.head[i] as number;
    const lines = byHead.get(head);
    if (lines) lines.push(i);
    else byHead.set(head, [i]);
  }
  return [...byHead].map(([head, lines]) => {
    const start = new Float32Array(lines.length);
    const reach = new Float32Array(lines.length);
    const thickness = new Float32Array(lines.length);
    const opacity = new Float32Array(lines.length);
    lines.forEach((edge, i) => {
      const strength = edges.strength[edge] as number;
      const query = geometry.query[edges.query[edge] as number] as number;
      const key = geometry.key[edges.key[edge] as number] as number;
      start[i] = query * frame.ratio - frame.across.origin;
      reach[i] = (key - query) * frame.ratio;
      thickness[i] = lineWidth(strength, geometry.pitch) * frame.ratio;
      opacity[i] = lineOpacity(strength);
    });
    return { colour: colour(head), count: lines.length, start, reach, thickness, opacity };
  });
}

function isInside(edges: Edges, geometry: Geometry, frame: Frame, i: number): boolean {
  const strength = edges.strength[i] as number;
  if (!(strength > 0)) return false;
  const query = (geometry.query[edges.query[i] as number] as number) * frame.ratio - frame.across.origin;
  const key = (geometry.key[edges.key[i] as number] as number) * frame.ratio - frame.across.origin;
  const steepest = (2 * Math.abs(key - query)) / Math.abs(frame.key - frame.query);
  const margin = lineWidth(strength, geometry.pitch) * frame.ratio * (1 + steepest) + steepest;
  return Math.max(query, key) + margin > 0 && Math.min(query, key) - margin < frame.across.length;
}

/**
 * Adds to `depth` the optical depth of lines in one column of pixels. Inside the column a line climbs by
 * its tilt, so its section is blurred by that much: drawn as an even box of the same area and variance.
 */
function addLines(
  lines: Lines,
  rise: number,
  slope: number,
  columnCoverage: number,
  depth: Float32Array,
): void {
  const { count, start, reach, thickness, opacity } = lines;
  const length = depth.length;
  for (let i = 0; i < count; i++) {
    const run = reach[i] as number;
    const tilt = (run * slope) ** 2;
    const section = (thickness[i] as number) ** 2 * (1 + tilt);
    const width = Math.sqrt(section + tilt);
    const centre = (start[i] as number) + run * rise;
    const low = centre - width / 2;
    const high = centre + width / 2;
    if (high <= 0 || low >= length) continue;
    const alpha = (opacity[i] as number) * Math.sqrt(section / (section + tilt)) * columnCoverage;
    const first = Math.floor(low);
    const last = Math.floor(high);
    if (first === last) {
      depth[first] = (depth[first] as number) + opticalDepth(alpha * width);
      continue;
    }
    if (first >= 0) depth[first] = (depth[first] as number) + opticalDepth(alpha * (first + 1 - low));
    if (last < length) depth[last] = (depth[last] as number) + opticalDepth(alpha * (high - last));
    const whole = opticalDepth(alpha);
    const stop = Math.min(last, length);
    for (let pixel = Math.max(first + 1, 0); pixel < stop; pixel++) {
      depth[pixel] = (depth[pixel] as number) + whole;
    }
  }
}

/** −ln(1 − alpha), by its series where four terms of it are exact to 2.5e-6. */
const opticalDepth = (alpha: number): number =>
  alpha < 0.06 ? alpha * (1 + alpha * (0.5 + alpha * (1 / 3 + alpha * 0.25))) : -Math.log(1 - alpha);

/** Moves `depth` into the sums of colour, from pixel `first` on, and clears it. */
function addColour(depth: Float32Array, [red, green, blue]: Rgb, sums: Float32Array, first: number): void {
  for (let pixel = 0, at = first * CHANNELS; pixel < depth.length; pixel++, at += CHANNELS) {
    const amount = depth[pixel] as number;
    if (amount === 0) continue;
    sums[at] = (sums[at] as number) + amount;
    sums[at + 1] = (sums[at + 1] as number) + amount * red;
    sums[at + 2] = (sums[at + 2] as number) + amount * green;
    sums[at + 3] = (sums[at + 3] as number) + amount * blue;
    depth[pixel] = 0;
  }
}

/** Fog on a coarse grid that is anchored to the content, so that neighbouring viewports agree. */
interface Mist {
  readonly sums: Float32Array;
  readonly along: Axis;
  readonly across: Axis;
}

/** Cells of `step` device pixels; the first is cell number `first` of the content. */
interface Axis {
  readonly step: number;
  readonly first: number;
  readonly cells: number;
}

function coarse({ origin, length }: { origin: number; length: number }, step: number): Axis {
  const first = Math.floor(origin / step - 0.5);
  return { step, first, cells: Math.ceil((origin + length) / step - 0.5) - first + 1 };
}

function* drawFog(fog: Fog, { geometry, colour }: Scene, frame: Frame): Generator<void, Mist> {
  const along = coarse(frame.along, FOG_ALONG * frame.ratio);
  const across = coarse(frame.across, FOG_ACROSS * frame.ratio);
  const bands = layBands(fog, geometry, frame.ratio, (css) => css * frame.ratio);
  const sums = new Float32Array(along.cells * across.cells * CHANNELS);
  const depth = new Float32Array(across.cells);
  const changes = new Float64Array(across.cells + 2);
  const origin = across.first * across.step;
  for (let column = 0; column < along.cells; column++) {
    const { rise, slope } = riseOf(frame, (along.first + column + 0.5) * along.step);
    for (const [i, { head }] of fog.heads.entries()) {
      const band = bands[i];
      if (!band) continue;
      addBands(band, rise, slope, along.step, across.step, origin, depth, changes);
      addColour(depth, colour(head), sums, column * across.cells);
      yield;
    }
  }
  return { sums, along, across };
}

/** Adds the fog at the place `at` along, interpolated in both directions. */
function addMist(mist: Mist, frame: Frame, at: number, coverage: number, sums: Float32Array): void {
  const row = mist.across.cells * CHANNELS;
  const column = at / mist.along.step - 0.5 - mist.along.first;
  const near = Math.floor(column);
  const far = column - near;
  const before = mist.sums.subarray(near * row, (near + 1) * row);
  const after = mist.sums.subarray((near + 1) * row, (near + 2) * row);
  for (let pixel = 0, to = 0; pixel < frame.across.length; pixel++, to += CHANNELS) {
    const cell = (frame.across.origin + pixel + 0.5) / mist.across.step - 0.5 - mist.across.first;
    const lower = Math.floor(cell);
    const upper = cell - lower;
    const from = lower * CHANNELS;
    for (let channel = 0; channel < CHANNELS; channel++) {
      const low = from + channel;
      const high = low + CHANNELS;
      const below = (before[low] as number) * (1 - far) + (after[low] as number) * far;
      const above = (before[high] as number) * (1 - far) + (after[high] as number) * far;
      sums[to + channel] = coverage * (below * (1 - upper) + above * upper);
    }
  }
}

function writeColumn(sums: Float32Array, vertical: boolean, column: number, { width, data }: Raster): void {
  const step = 4 * (vertical ? width : 1);
  let to = 4 * (vertical ? column : column * width);
  for (let from = 0; from < sums.length; from += CHANNELS, to += step) {
    const depth = sums[from] as number;
    if (!(depth > 0)) continue;
    data[to] = (sums[from + 1] as number) / depth;
    data[to + 1] = (sums[from + 2] as number) / depth;
    data[to + 2] = (sums[from + 3] as number) / depth;
    data[to + 3] = 255 * (1 - Math.exp(-depth));
  }
}
