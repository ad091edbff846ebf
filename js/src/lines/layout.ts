/** Where tokens stand and lines run, in CSS pixels. No DOM: widths of labels come in as numbers. */

import type { Geometry } from "./scene.ts";

export interface LayoutInput {
  readonly vertical: boolean;
  /** Room for the whole view. */
  readonly width: number;
  /** Height asked for, or null to fit the content up to a limit. */
  readonly height: number | null;
  /** Room of one token across the lines: the text size. */
  readonly pitch: number;
  readonly query: SideInput;
  readonly key: SideInput;
}

export interface SideInput {
  /** Width of each label's text. */
  readonly widths: Float32Array;
  /** Right-to-left script: in rows, the first token stands at the right. */
  readonly rtl: boolean;
}

/** The place of one side: along the scrolling direction, its tokens; across it, its band. */
export interface SideLayout {
  /** Left or top end of the band that holds the side's tokens. */
  readonly start: number;
  /** Extent of the band. */
  readonly size: number;
  /** Centre and extent of each token along the scrolling direction. */
  readonly centres: Float32Array;
  readonly extents: Float32Array;
  /** Length of the side along the scrolling direction. */
  readonly length: number;
  /** The side fits the viewport while the other does not: it stays in sight when that one scrolls. */
  readonly sticky: boolean;
}

export interface Layout {
  readonly vertical: boolean;
  /** What is seen. */
  readonly viewport: { readonly width: number; readonly height: number };
  /** What scrolls, along the scrolling direction. */
  readonly length: number;
  readonly pitch: number;
  /** Where the lines leave and arrive. */
  readonly band: { readonly start: number; readonly size: number };
  readonly query: SideLayout;
  readonly key: SideLayout;
}

/** Text sizes a view steps through: room of one token in CSS pixels. */
export const PITCHES = [4, 6, 9, 12, 15, 18, 21, 24, 28, 34] as const;
export const DEFAULT_PITCH = 24;

/** Below this pitch a label can't be read, and tokens are drawn as marks. */
export const LABEL_PITCH = 9;

export const fontSize = (pitch: number): number => Math.min(15, Math.max(6, Math.round(pitch * 0.55)));

/** Room beside a token for its number; where there is little room, for a short one. */
const numberRoom = (width: number): number => (width < 420 ? 38 : 48);
/** Room for the heading above the queries, which ends where they end. */
const HEADING_ROOM = 96;
const TOKEN_PADDING = 7;
const GAP = 5;
const LONGEST_LABEL = 220;
const LINES_WIDTH = { least: 72, most: 460, share: 0.3 };
const MOST_HEIGHT = 520;
const ROW_LINES_HEIGHT = 190;
const ROW_HEIGHT = 30;
const NUMBER_HEIGHT = 14;
const END_PADDING = 4;

export function layOut(input: LayoutInput): Layout {
  return input.vertical ? columns(input) : rows(input);
}

function columns({ width, height, pitch, query, key }: LayoutInput): Layout {
  const readable = pitch >= LABEL_PITCH;
  const number = numberRoom(width);
  // Lines keep the middle: labels give way first, on both sides by the same share.
  const lines = Math.min(LINES_WIDTH.most, Math.max(LINES_WIDTH.least, width * LINES_WIDTH.share));
  const room = Math.max(40, (width - lines - 2 * number) / 2);
  const label = ({ widths }: SideInput) =>
    readable ? Math.min(room, LONGEST_LABEL, Math.max(16, longest(widths)) + 2 * TOKEN_PADDING) : 16;
  const querySize = Math.max(label(query), HEADING_ROOM - number);
  const keySize = label(key);
  const start = number + querySize + GAP;
  const size = Math.max(
    LINES_WIDTH.least,
    Math.min(LINES_WIDTH.most, width - start - GAP - keySize - number),
  );
  const content = 2 * END_PADDING + pitch * Math.max(query.widths.length, key.widths.length);
  const seen = Math.min(content, height ?? MOST_HEIGHT);
  const side = (widths: Float32Array, at: number, extent: number): SideLayout => {
    const length = 2 * END_PADDING + pitch * widths.length;
    return {
      start: at,
      size: extent,
      centres: Float32Array.from(widths, (_, i) => END_PADDING + (i + 0.5) * pitch),
      extents: new Float32Array(widths.length).fill(pitch),
      length,
      sticky: length <= seen && content > seen,
    };
  };
  return {
    vertical: true,
    viewport: { width: Math.min(width, start + size + GAP + keySize + number), height: seen },
    length: content,
    pitch,
    band: { start, size },
    query: side(query.widths, number, querySize),
    key: side(key.widths, start + size + GAP, keySize),
  };
}

function rows({ width, height, pitch, query, key }: LayoutInput): Layout {
  const readable = pitch >= LABEL_PITCH;
  const extentsOf = ({ widths }: SideInput) =>
    Float32Array.from(widths, (w) =>
      readable ? Math.max(pitch, Math.min(LONGEST_LABEL, w + 2 * TOKEN_PADDING)) : pitch,
    );
  const queryExtents = extentsOf(query);
  const keyExtents = extentsOf(key);
  const lengthOf = (extents: Float32Array) => 2 * END_PADDING + total(extents);
  const content = Math.max(lengthOf(queryExtents), lengthOf(keyExtents));
  const seen = Math.min(width, content);
  const row = Math.max(ROW_HEIGHT, pitch) + NUMBER_HEIGHT;
  const lines = height === null ? ROW_LINES_HEIGHT : Math.max(60, height - 2 * row - 2 * GAP);
  const side = (extents: Float32Array, rtl: boolean, at: number): SideLayout => {
    const length = lengthOf(extents);
    const sticky = length <= seen && content > seen;
    const offset = length < content && !sticky ? (content - length) / 2 : 0;
    const centres = new Float32Array(extents.length);
    let from = END_PADDING;
    extents.forEach((extent, i) => {
      const centre = from + extent / 2;
      centres[i] = offset + (rtl ? length - centre : centre);
      from += extent;
    });
    return { start: at, size: row, centres, extents, length, sticky };
  };
  return {
    vertical: false,
    viewport: { width: seen, height: 2 * row + 2 * GAP + lines },
    length: content,
    pitch,
    band: { start: row + GAP, size: lines },
    query: side(queryExtents, query.rtl, 0),
    key: side(keyExtents, key.rtl, row + 2 * GAP + lines),
  };
}

/** Where lines run while the view is scrolled to `scroll`: sticky sides move with it. */
export function geometryOf(layout: Layout, scroll: number): Geometry {
  const centres = ({ centres: at, sticky }: SideLayout) =>
    sticky && scroll !== 0 ? at.map((centre) => centre + scroll) : at;
  return {
    vertical: layout.vertical,
    along: { query: layout.band.start, key: layout.band.start + layout.band.size },
    query: centres(layout.query),
    key: centres(layout.key),
    pitch: layout.pitch,
  };
}

/** Positions `[first, last)` whose tokens touch the stretch from `start` to `stop`. */
export function visible(side: SideLayout, start: number, stop: number): [first: number, last: number] {
  const { centres, extents } = side;
  let first = centres.length;
  let last = 0;
  for (let i = 0; i < centres.length; i++) {
    const half = (extents[i] as number) / 2;
    const centre = centres[i] as number;
    if (centre + half < start || centre - half > stop) continue;
    if (i < first) first = i;
    last = i + 1;
  }
  return first < last ? [first, last] : [0, 0];
}

/** Room a number needs along the scrolling direction. */
const NUMBER_EXTENT = { vertical: 12, horizontal: 36 };

/** Positions whose numbers can stand beside each other, strongest first: the others would overlap them. */
export function legible(
  layout: Layout,
  place: SideLayout,
  strengths: Float32Array,
  least: number,
): Set<number> {
  const room = layout.vertical ? NUMBER_EXTENT.vertical : NUMBER_EXTENT.horizontal;
  const wanted: number[] = [];
  strengths.forEach((strength, position) => {
    if (strength >= least) wanted.push(position);
  });
  wanted.sort((a, b) => (strengths[b] as number) - (strengths[a] as number) || a - b);
  const taken = new Map<number, number>();
  const shown = new Set<number>();
  for (const position of wanted) {
    const centre = place.centres[position] as number;
    const slot = Math.floor(centre / room);
    const near = [slot - 1, slot, slot + 1].map((at) => taken.get(at));
    if (near.some((other) => other !== undefined && Math.abs(other - centre) < room)) continue;
    taken.set(slot, centre);
    shown.add(position);
  }
  return shown;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/g;
const LETTER = /\p{L}/gu;

/** True where most letters of the labels are of a right-to-left script. */
export function isRightToLeft(labels: readonly string[]): boolean {
  const text = labels.slice(0, 200).join(" ");
  const right = text.match(RIGHT_TO_LEFT)?.length ?? 0;
  return right > 0 && 2 * right > (text.match(LETTER)?.length ?? 0);
}

const longest = (widths: Float32Array): number => widths.reduce((most, width) => Math.max(most, width), 0);
const total = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0);
