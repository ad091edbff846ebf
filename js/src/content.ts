/** What Python says of the map shown: names, axes, shape. See `content.py`. */

import type { Model } from "./model.ts";
import { VERSION } from "./protocol.ts";

export interface Axis {
  /** Labels as read: sub-word markers made readable. */
  readonly labels: readonly string[];
  /** Exact labels where they differ from the readable ones. */
  readonly exact: ReadonlyMap<number, string>;
  readonly special: readonly number[];
  /** Stretches of positions that lie on an image or on a grid of their own; empty for text alone. */
  readonly parts: readonly AxisPart[];
  /** The axis with its sub-words merged; null where words are not known. */
  readonly words: Words | null;
}

/** The exact label of a position. */
export const labelOf = ({ exact, labels }: Axis, at: number): string => exact.get(at) ?? labels[at] ?? "";

/** (left, top, right, bottom) in pixels of the original image. */
export type Region = readonly [left: number, top: number, right: number, bottom: number];

/** Positions `start` … `stop - 1` of an axis, on one image. */
export type AxisPart = PatchesPart | BoxesPart;

interface OnImage {
  readonly start: number;
  readonly stop: number;
  /** Which of the store's pictures; null for a plain grid. */
  readonly image: string | null;
}

export interface PatchesPart extends OnImage {
  readonly kind: "patches";
  readonly rows: number;
  readonly cols: number;
  /** What the grid covers; may reach beyond the image (padding). */
  readonly region: Region;
  /** The cell of each position, counted row by row, −1 for a position on none; null where they are in order. */
  readonly order: readonly number[] | null;
}

export interface BoxesPart extends OnImage {
  readonly kind: "boxes";
  readonly boxes: readonly Region[];
}

/** Pixels of an original image. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export interface Words {
  /** First token of each word. */
  readonly starts: readonly number[];
  readonly labels: readonly string[];
  readonly special: readonly number[];
}

export type Kind = "weight" | "score" | "relevance" | "norm" | "difference";

export interface Content {
  readonly revision: number;
  readonly maps: readonly string[];
  readonly steps: number;
  readonly name: string;
  readonly kind: Kind;
  /** How it was made from other maps; empty for one that was given. */
  readonly made: string;
  /** What it takes, in a line. */
  readonly cost: string;
  /** The methods to choose from, the one that leaves it as it is first; empty for none. */
  readonly methods: readonly (readonly [name: string, label: string, description: string])[];
  readonly layers: number;
  readonly heads: number;
  /** How weights arise is known: of a whole head at once, or of a row at a time. */
  readonly mechanism: "whole" | "row" | null;
  readonly images: Readonly<Record<string, ImageSize>>;
  readonly queries: Axis;
  readonly keys: Axis;
}

interface WireAxis {
  labels: string[];
  exact: Record<string, string>;
  special: number[];
  parts: AxisPart[];
  words: Words | null;
}

interface WireContent {
  v: number;
  revision: number;
  maps: string[];
  steps: number;
  name: string;
  kind: Kind;
  made?: string;
  cost?: string;
  methods?: Content["methods"];
  shape: [number, number, number, number];
  mechanism?: Content["mechanism"];
  images: Record<string, ImageSize>;
  queries: WireAxis;
  keys: WireAxis | null;
}

/** @throws Error if the page and the kernel speak different versions. */
export function readContent(model: Model): Content | undefined {
  const wire = model.data("_content") as WireContent | undefined;
  if (!wire || wire.v === undefined) return undefined;
  if (wire.v !== VERSION) {
    throw new Error(
      `This page speaks version ${VERSION} and the kernel version ${wire.v}: reload the page, and restart the kernel if that does not help.`,
    );
  }
  const queries = readAxis(wire.queries);
  return {
    revision: wire.revision,
    maps: wire.maps,
    steps: wire.steps,
    name: wire.name,
    kind: wire.kind,
    made: wire.made ?? "",
    cost: wire.cost ?? "",
    methods: wire.methods ?? [],
    layers: wire.shape[0],
    heads: wire.shape[1],
    mechanism: wire.mechanism ?? null,
    images: wire.images,
    queries,
    keys: wire.keys ? readAxis(wire.keys) : queries,
  };
}

function readAxis({ labels, exact, special, parts, words }: WireAxis): Axis {
  return {
    labels,
    exact: new Map(Object.entries(exact).map(([index, label]) => [Number(index), label])),
    special,
    parts,
    words,
  };
}
