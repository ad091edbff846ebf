/**
 * Which pictures the overlay shows and where positions lie on them. No DOM. Python's `panels.py` decides the
 * same; `tests/wire/panels.json` holds both to it.
 */

import type { Axis, AxisPart, Content, PatchesPart, Region } from "../content.ts";
import type { Side } from "../store.ts";

/** (left, top, right, bottom) in pixels of the original image. */
export type Rect = Region;

/** Width and height of the original images, by their names in `AxisPart.image`. */
export type Images = Readonly<Record<string, { readonly width: number; readonly height: number }>>;

export interface PanelPart {
  readonly side: Side;
  readonly part: AxisPart;
}

/** One picture with the stretches of positions that lie on it. */
export interface Panel {
  /** null for a plain grid. */
  readonly image: string | null;
  /** Width and height of the original image. */
  readonly size: readonly [width: number, height: number];
  /** The image and all that patches cover: where this reaches beyond the image there is padding. */
  readonly extent: Rect;
  /** A part of a shared axis stands here once for each side. */
  readonly parts: readonly PanelPart[];
}

/** Where a part's position lies beside the image. */
export type Role = "image" | "padding" | "special" | "text";

type Axes = Pick<Content, "queries" | "keys"> & { readonly images?: Images };

/** Cells that overlap by no more than this share of their size only touch. */
const TOUCH = 1e-6;

/**
 * The pictures of a map: those of patches of the keys, then of the queries, then those of boxes that lie on
 * none of these. Patches of one side that cover the same part of an image get a picture each.
 */
export function panelsOf({ queries, keys, images = {} }: Axes): readonly Panel[] {
  const shared = queries === keys;
  const found: { image: string | null; parts: PanelPart[] }[] = [];
  const all = [
    ...keys.parts.map((part): PanelPart => ({ side: "key", part })),
    ...(shared ? [] : queries.parts.map((part): PanelPart => ({ side: "query", part }))),
  ];
  const patches = all.filter(({ part }) => part.kind === "patches");
  for (const one of [...patches, ...all.filter(({ part }) => part.kind === "boxes")]) {
    const { image, start, stop } = one.part;
    if (start === stop) continue;
    let panel =
      image === null ? undefined : found.find((other) => other.image === image && hasRoom(other.parts, one));
    if (!panel) {
      panel = { image, parts: [] };
      found.push(panel);
    }
    panel.parts.push(one);
    if (shared) panel.parts.push({ side: "query", part: one.part });
  }
  return found.map(({ image, parts }) => ({
    image,
    parts,
    ...sizes(parts, image === null ? undefined : images[image]),
  }));
}

function hasRoom(parts: readonly PanelPart[], { side, part }: PanelPart): boolean {
  if (part.kind === "boxes") return true;
  return !parts.some(
    (other) => other.side === side && other.part.kind === "patches" && overlap(other.part, part),
  );
}

function overlap(a: PatchesPart, b: PatchesPart): boolean {
  const shared = (from: 0 | 1) =>
    Math.min(a.region[from + 2] as number, b.region[from + 2] as number) -
    Math.max(a.region[from], b.region[from]);
  const [one, other] = [cellSize(a), cellSize(b)];
  return shared(0) > TOUCH * Math.min(one[0], other[0]) && shared(1) > TOUCH * Math.min(one[1], other[1]);
}

/** Size of the image and of all that is on its panel. */
function sizes(
  parts: readonly PanelPart[],
  image: Images[string] | undefined,
): Pick<Panel, "size" | "extent"> {
  const regions = parts.flatMap(({ part }) => (part.kind === "patches" ? [part.region] : part.boxes));
  const reach = (at: 0 | 1 | 2 | 3, from: number) =>
    regions.reduce((most, region) => (at < 2 ? Math.min : Math.max)(most, region[at]), from);
  const size = image ? ([image.width, image.height] as const) : ([reach(2, 0), reach(3, 0)] as const);
  return { size, extent: [reach(0, 0), reach(1, 0), reach(2, size[0]), reach(3, size[1])] };
}

/** Width and height of a cell in original pixels. */
export const cellSize = ({ region, rows, cols }: PatchesPart): [width: number, height: number] => [
  (region[2] - region[0]) / cols,
  (region[3] - region[1]) / rows,
];

/** The raster cell of a position of its axis, −1 for none. */
export const cellOf = ({ start, order }: PatchesPart, position: number): number =>
  order ? (order[position - start] ?? -1) : position - start;

const positions = new WeakMap<PatchesPart, Int32Array>();

/** The position of each raster cell on the axis, −1 where there is none. */
export function positionsOf(part: PatchesPart): Int32Array {
  let found = positions.get(part);
  if (!found) {
    found = new Int32Array(part.rows * part.cols).fill(-1);
    for (let position = part.start; position < part.stop; position++) {
      const cell = cellOf(part, position);
      if (cell >= 0) found[cell] = position;
    }
    positions.set(part, found);
  }
  return found;
}

/** The part of the image a position of the axis covers; undefined where it is none of the part's or on no cell. */
export function rectOf(part: AxisPart, position: number): Rect | undefined {
  if (position < part.start || position >= part.stop) return undefined;
  if (part.kind === "boxes") return part.boxes[position - part.start];
  const cell = cellOf(part, position);
  if (cell < 0) return undefined;
  const { region, rows, cols } = part;
  const [row, col] = [Math.floor(cell / cols), cell % cols];
  const along = (from: 0 | 1, at: number, of: number) =>
    region[from] + ((region[from + 2] as number) - region[from]) * (at / of);
  return [along(0, col, cols), along(1, row, rows), along(0, col + 1, cols), along(1, row + 1, rows)];
}

export const partAt = ({ parts }: Axis, position: number): AxisPart | undefined =>
  parts.find(({ start, stop }) => position >= start && position < stop);

export function rectAt(axis: Axis, position: number): Rect | undefined {
  const part = partAt(axis, position);
  return part && rectOf(part, position);
}

/**
 * What each position of an axis counts as where weight is accounted for: on the image, wholly beside it
 * (padding), special (also patches on no cell), or other tokens.
 */
export function rolesOf(axis: Axis, images: Images = {}): readonly Role[] {
  const roles: Role[] = axis.labels.map(() => "text");
  for (const part of axis.parts) {
    const image = part.image === null ? undefined : images[part.image];
    const [width, height] = sizes([{ side: "key", part }], image).size;
    for (let position = part.start; position < part.stop; position++) {
      const rect = rectOf(part, position);
      if (!rect) roles[position] = "special";
      else roles[position] = reaches(rect, width, height) ? "image" : "padding";
    }
  }
  for (const position of axis.special) roles[position] = "special";
  return roles;
}

function reaches([left, top, right, bottom]: Rect, width: number, height: number): boolean {
  const inside = (start: number, end: number, size: number) => {
    const slack = TOUCH * (end - start);
    return start < size - slack && end > slack;
  };
  return inside(left, right, width) && inside(top, bottom, height);
}
