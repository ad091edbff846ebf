/**
 * Lines made ready for the composite: in device pixels, head by head, clear ones apart from the faint.
 * A clear line gets exact edges, and dashes where it is not an ordinary positive weight. A faint one is
 * drawn as a band.
 */
import { type Bands, createSections, type Sections } from "./bands.ts";
import { lineOpacity, lineWidth } from "./ink.ts";
import { type Edges, type Geometry, Mark, type Rgb } from "./scene.ts";

/** Below this opacity the depth of a part-covered pixel is as good as its share of the full depth. */
const FAINT = 0.06;

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
}

export interface Strokes {
  readonly heads: readonly HeadStrokes[];
  /** The sections that all heads' bands share. */
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

/** Lines of one head that are drawn alike: clear ones, or faint ones of about one thickness. */
interface Group {
  readonly head: number;
  /** Power of `SAME_THICKNESS`; null for clear lines. */
  readonly size: number | null;
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
    const isFaint = lineOpacity(strength) < FAINT;
    const size = isFaint ? Math.round(Math.log(thickness) / Math.log(SAME_THICKNESS)) : null;
    const id = head * 256 + (size === null ? 255 : size + 100);
    let group = groups.get(id);
    if (!group) {
      group = { head, size, lines: [] };
      groups.set(id, group);
    }
    group.lines.push(i);
    if (isFaint) longest = Math.max(longest, Math.abs(key - query));
  }

  const length = Math.abs(frame.key - frame.query);
  const sections = new Map<number, Sections>();
  const heads = new Map<number, { colour: Rgb; clear: Lines[]; faint: Bands[] }>();
  for (const { head, size, lines } of groups.values()) {
    const strokes = heads.get(head) ?? { colour: colour(head), clear: [], faint: [] };
    heads.set(head, strokes);
    if (size === null) {
      strokes.clear.push(layLines(lines, edges, geometry, place, ratio));
    } else {
      const shape = { thickness: SAME_THICKNESS ** size, atQuery: 0, atKey: 0 };
      const shared = sections.get(size) ?? createSections(shape, length, longest);
      sections.set(size, shared);
      strokes.faint.push(layBands(lines, edges, geometry, place, ratio, shared));
    }
    yield;
  }
  return { heads: [...heads.values()], sections: [...sections.values()] };
}

/** Whether any part of a line may lie in the frame, going by the steepest it can be. */
export function isInside(query: number, key: number, thickness: number, frame: Frame): boolean {
  const steepest = (2 * Math.abs(key - query)) / Math.abs(frame.key - frame.query);
  const margin = (thickness / 2) * (1 + steepest) + steepest;
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
    const climb = Math.max(Math.abs(run * slope), 1e-3);
    const half = ((thickness[i] as number) / 2) * Math.sqrt(1 + climb * climb);
    const outer = half + climb / 2;
    const inner = half - climb / 2;
    const centre = (start[i] as number) + run * rise;
    const first = Math.max(0, Math.floor(centre - outer));
    const last = Math.min(pixels - 1, Math.floor(centre + outer));
    if (first > last) continue;
    const alpha = (opacity[i] as number) * (mark[i] ? dashed(lines, i, frame, at) : 1);
    let before = covered(first - centre, outer, inner, climb);
    for (let pixel = first; pixel <= last; pixel++) {
      const after = covered(pixel + 1 - centre, outer, inner, climb);
      depth[pixel] = (depth[pixel] as number) + opticalDepth(alpha * (after - before));
      before = after;
    }
  }
}

/** Area of a trapezoid of height 1 below `at`: it reaches `outer` and begins to fall `inner` from its centre. */
const covered = (at: number, outer: number, inner: number, fall: number): number =>
  (half2(at + outer) - half2(at + inner) - half2(at - inner) + half2(at - outer)) / fall;

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
