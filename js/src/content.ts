/** What Python says of the map shown: names, axes, shape. See `content.py`. */

import type { Model } from "./model.ts";
import { VERSION } from "./protocol.ts";

export interface Axis {
  /** Labels as read: sub-word markers made readable. */
  readonly labels: readonly string[];
  /** Exact labels where they differ from the readable ones. */
  readonly exact: ReadonlyMap<number, string>;
  readonly special: readonly number[];
  /** The axis with its sub-words merged; null where words are not known. */
  readonly words: Words | null;
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
  readonly layers: number;
  readonly heads: number;
  readonly queries: Axis;
  readonly keys: Axis;
}

interface WireAxis {
  labels: string[];
  exact: Record<string, string>;
  special: number[];
  words: Words | null;
}

interface WireContent {
  v: number;
  revision: number;
  maps: string[];
  steps: number;
  name: string;
  kind: Kind;
  shape: [number, number, number, number];
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
    layers: wire.shape[0],
    heads: wire.shape[1],
    queries,
    keys: wire.keys ? readAxis(wire.keys) : queries,
  };
}

function readAxis({ labels, exact, special, words }: WireAxis): Axis {
  return {
    labels,
    exact: new Map(Object.entries(exact).map(([index, label]) => [Number(index), label])),
    special,
    words,
  };
}
