/**
 * Lines made ready for the composite: in device pixels, head by head, by how they are drawn. A clear line
 * gets exact edges, and dashes where it is not an ordinary positive weight; a faint one is a band; and of
 * many lines the faintest are part of the haze.
 */
import { type Bands, createSections, type Sections } from "./bands.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import { type Edges, type Geometry, Mark, type Rgb } from "./scene.ts";

/** Below this opacity the depth of a part-covered pixel is as good as its share of the full depth. */
const FAINT = 0.12;

/** From this many lines on, those below this opacity are haze: too faint to be told from each other. */
const MANY = 20_000;
const HAZY = 0.03;

/** Bands whose thickness differs by less than this factor share the shape of their sections. */
const SAME_THICKNESS = 1.06;

/** Lines to look at between two pauses. */
const SLICE = 20_000;

/** Where pixels lie, in device pixels of the content: along the lines and across them. */
export interface Frame {
  readonly ratio: number;
  readonly along: { readonly origin: number; readonly length: number };
  readonly across: { readonly origin: number; readonly length: number };
  /** Where lines leave their queries and arrive at their keys. */
  readonly query: number;
  readonly key: number;
}

/** What is drawn of one head. */
export interface HeadStrokes {
  readonly colour: Rgb;
  readonly clear: readonly Lines[];
  readonly faint: readonly Bands[];
  readonly hazy: readonly Bands[];
}

export interface Strokes {
  readonly heads: readonly HeadStrokes[];
  /** The sections that all heads' faint bands share. */
  readonly sections: readonly Sections[];
}

/** Clear lines of one head. */
export interface Lines {
  readonly count: number;
  readonly start: Float32Array;
  readonly reach: Float32Array;
  readonly thickness: Float32Array;
  readonly opacity: Float32Array;
  readonly mark: Uint8Array;
  /** Where in its pattern a dashed line begins: apart, so that gaps of many lines make no stripes. */
  readonly phase: Float32Array;
}

const WAYS = ["clear", "faint", "hazy"] as const;

/** Lines of one head that are drawn alike: clear ones, or fainter ones of about one thickness. */
interface Group {
  readonly head: number;
  readonly way: (typeof WAYS)[number];
  /** Power of `SAME_THICKNESS`. */
  readonly size: number;
  readonly lines: number[];
}

/** Prepares the lines that touch `frame`. Yields where the work may pause. */
export function* layStrokes(
  edges: Edges,
  geometry: Geometry,
  colour: (head: number) => Rgb,
  frame: Frame,
): Generator<void, Strokes> {
  const { ratio } = frame;
  const place = (positions: Float32Array, at: number) =>
    (positions[at] as number) * ratio - frame.across.origin;
  const groups = new Map<number, Group>();
  const many = edges.count >= MANY;
  let longest = 0;
  for (let i = 0; i < edges.count; i++) {
    if (i % SLICE === SLICE - 1) yield;
    const strength = edges.strength[i] as number;
    if (!(strength > 0)) continue;
    const query = place(geometry.query, edges.query[i] as number);
    const key = place(geometry.key, edges.key[i] as number);
    const thickness = lineWidth(strength, geometry.pitch) * ratio;
    if (!isInside(query, key, thickness, frame)) continue;
    const head = edges.head[i] as number;
    const opacity = lineOpacity(strength);
    const way = opacity >= FAINT ? "clear" : many && opacity < HAZY ? "hazy" : "faint";
    const size = way === "clear" ? 0 : Math.round(Math.log(thickness) / Math.log(SAME_THICKNESS));
    const id = (3 * head + WAYS.indexOf(way)) * 256 + size + 128;
    let group = groups.get(id);
    if (!group) {
      group = { head, way, size, lines: [] };
      groups.set(id, group);
    }
    group.lines.push(i);
    if (way !== "clear") longest = Math.max(longest, Math.abs(key - query));
  }

  const length = Math.abs(frame.key - frame.query);
  const sections = { faint: new Map<number, Sections>(), hazy: new Map<number, Sections>() };
  const heads = new Map<number, { colour: Rgb; clear: Lines[]; faint: Bands[]; hazy: Bands[] }>();
  for (const { head, way, size, lines } of groups.values()) {
    const strokes = heads.get(head) ?? { colour: colour(head), clear: [], faint: [], hazy: [] };
    heads.set(head, strokes);
    if (way === "clear") {
      strokes.clear.push(layLines(lines, edges, geometry, place, ratio));
    } else {
      const shape = { thickness: SAME_THICKNESS ** size, atQuery: 0, atKey: 0 };
      const shared = sections[way].get(size) ?? createSections(shape, length, longest);
      sections[way].set(size, shared);
      strokes[way].push(layBands(lines, edges, geometry, place, ratio, shared));
    }
    yield;
  }
  return { heads: [...heads.values()], sections: [...sections.faint.values()] };
}

/** Whether any part of a line may lie in the frame, going by the steepest and the most blurred it can be. */
export function isInside(query: number, key: number, thickness: number, frame: Frame): boolean {
  const length = Math.abs(frame.key - frame.query);
  const steepest = (2 * Math.abs(key - query)) / length;
  const margin = (thickness / 2) * (1 + steepest) + steepest * Math.max(1, length / 120);
  return Math.max(query, key) + margin > 0 && Math.min(query, key) - margin < frame.across.length;
}

type Place = (positions: Float32Array, at: number) => number;

function layLines(
  lines: readonly number[],
  edges: Edges,
  geometry: Geometry,
  place: Place,
  ratio: number,
): Lines {
  const column = () => new Float32Array(lines.length);
  const laid = {
    count: lines.length,
    start: column(),
    reach: column(),
    thickness: column(),
    opacity: column(),
    mark: new Uint8Array(lines.length),
    phase: column(),
  };
  lines.forEach((edge, i) => {
    const query = edges.query[edge] as number;
    const key = edges.key[edge] as number;
    const strength = edges.strength[edge] as number;
    laid.start[i] = place(geometry.query, query);
    laid.reach[i] = place(geometry.key, key) - place(geometry.query, query);
    laid.thickness[i] = lineWidth(strength, geometry.pitch) * ratio;
    laid.opacity[i] = lineOpacity(strength);
    laid.mark[i] = edges.mark[edge] as number;
    laid.phase[i] = 3 * query + 5 * key;
  });
  return laid;
}

function layBands(
  lines: readonly number[],
  edges: Edges,
  geometry: Geometry,
  place: Place,
  ratio: number,
  sections: Sections,
): Bands {
  const column = () => new Float32Array(lines.length);
  const bands = { count: lines.length, start: column(), reach: column(), mass: column(), sections };
  lines.forEach((edge, i) => {
    const query = place(geometry.query, edges.query[edge] as number);
    const strength = edges.strength[edge] as number;
    bands.start[i] = query;
    bands.reach[i] = place(geometry.key, edges.key[edge] as number) - query;
    bands.mass[i] = -Math.log1p(-lineOpacity(strength)) * lineWidth(strength, geometry.pitch) * ratio;
  });
  return bands;
}

/** Dashes and gaps in CSS pixels. */
const NEGATIVE_DASH = [7, 4] as const;
const INFINITE_DASH = [2, 4] as const;

/**
 * Adds to `depth` the optical depth of clear lines in one column of pixels. The section of a line is a
 * box as wide as the line is thick there; climbing within the column blurs it to a trapezoid.
 *
 * @param at Place of the column along the lines.
 */
export function addLines(
  lines: Lines,
  frame: Frame,
  at: number,
  rise: number,
  slope: number,
  depth: Float32Array,
): void {
  const { count, start, reach, thickness, opacity, mark } = lines;
  const pixels = depth.length;
  for (let i = 0; i < count; i++) {
    const run = reach[i] as number;
    const centre = (start[i] as number) + run * rise;
    const climb = Math.max(Math.abs(run * slope), 1e-3);
    const half = ((thickness[i] as number) / 2) * Math.sqrt(1 + climb * climb);
    const outer = half + climb / 2;
    const inner = half - climb / 2;
    const first = Math.max(0, Math.floor(centre - outer));
    const last = Math.min(pixels, Math.floor(centre + outer) + 1);
    if (first >= last) continue;
    const alpha = (opacity[i] as number) * (mark[i] ? dashed(lines, i, frame, at) : 1);
    const solid = Math.min(last, Math.max(first, Math.ceil(centre - inner)));
    const ramp = Math.min(last, Math.max(solid, Math.floor(centre + inner)));
    addRamp(depth, first, solid, centre, outer, inner, alpha);
    const whole = opticalDepth(alpha);
    for (let pixel = solid; pixel < ramp; pixel++) depth[pixel] = (depth[pixel] as number) + whole;
    addRamp(depth, ramp, last, centre, outer, inner, alpha);
  }
}

/** Adds the pixels that the trapezoid around `centre` covers in part. */
function addRamp(
  depth: Float32Array,
  first: number,
  last: number,
  centre: number,
  outer: number,
  inner: number,
  alpha: number,
): void {
  const height = alpha / (outer - inner);
  let before = covered(first - centre, outer, inner);
  for (let pixel = first; pixel < last; pixel++) {
    const after = covered(pixel + 1 - centre, outer, inner);
    depth[pixel] = (depth[pixel] as number) + opticalDepth(height * (after - before));
    before = after;
  }
}

/**
 * Area below `at` of a trapezoid that reaches `outer` from its centre, begins to fall `inner` from it, and
 * falls by 1 a pixel.
 */
const covered = (at: number, outer: number, inner: number): number =>
  half2(at + outer) - half2(at + inner) - half2(at - inner) + half2(at - outer);

const half2 = (value: number): number => (value > 0 ? (value * value) / 2 : 0);

/** −ln(1 − alpha), by its series where five terms are exact to 5e-5. */
const opticalDepth = (alpha: number): number =>
  alpha < 0.25
    ? alpha * (1 + alpha * (1 / 2 + alpha * (1 / 3 + alpha * (1 / 4 + alpha / 5))))
    : -Math.log(1 - alpha);

/** The part of a dashed line's ink that is there in the column at the place `at` along. */
function dashed({ mark, reach, phase }: Lines, i: number, { ratio, query, key }: Frame, at: number): number {
  const [dash, gap] = (mark[i] as number) & Mark.infinite ? INFINITE_DASH : NEGATIVE_DASH;
  const period = dash + gap;
  const stretch = Math.hypot(1, (reach[i] as number) / (key - query)) / ratio;
  const done = (Math.abs(at - query) * stretch + (phase[i] as number)) % period;
  const fromMiddle = Math.min(Math.abs(done - dash / 2), Math.abs(done - period - dash / 2));
  return Math.min(1, Math.max(0, (dash / 2 - fromMiddle) / stretch + 0.5));
}
