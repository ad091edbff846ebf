/** The focus in words and as the report that Python may observe. */

import type { Kind } from "../content.ts";
import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import type { Target } from "./gestures.ts";
import { type Axes, type Focus, isEmpty, jointsOf, NO_FOCUS } from "./picture.ts";
import { lineSentence, listed, type Piece, sentence } from "./reading.ts";
import { COMBINED, type Edges } from "./scene.ts";

/** What is hovered, as `AttentionWidget.hovered` holds it; positions are tokens. */
export interface Hovered {
  readonly layer: number;
  readonly head: number | null;
  readonly query: number | null;
  readonly key: number | null;
  readonly weight: number | null;
}

export interface Told {
  readonly kind: Kind;
  readonly axes: Axes;
  readonly focus: Focus;
  /** Undefined while its weights are on their way. */
  readonly edges: Edges | undefined;
  /** How many heads are shown. */
  readonly heads: number;
  readonly combine: State["combine"];
  readonly focusOnly: boolean;
  readonly failure: string | undefined;
}

export function tell(told: Told): Piece[] {
  const { query, key } = told.axes;
  const blocks = query.blocks ?? key.blocks;
  return blocks ? [...said(told), { text: ` (${blocks})` }] : said(told);
}

function said({ kind, axes, focus, edges, heads, combine, focusOnly, failure }: Told): Piece[] {
  if (isEmpty(focus)) return [{ text: hint(heads, focusOnly) }];
  const side: Side = focus.query.length > 0 ? "query" : "key";
  const other: Side = side === "query" ? "key" : "query";
  const named = focus[side].map((position) => axes[side].labels[position] ?? "");
  if (!edges) {
    return [...listed(named), { text: ` — ${failure ?? "loading …"}` }];
  }
  if (edges.count === 1 && focus.query.length === 1 && focus.key.length === 1) {
    const [query, key] = [edges.query[0] as number, edges.key[0] as number];
    const [from, to] = [axes.query.labels[query] ?? "", axes.key.labels[key] ?? ""];
    return lineSentence(kind, from, to, edges.weight[0] as number, edges.head[0] as number);
  }
  const joint = jointsOf(edges, { ...NO_FOCUS, [side]: focus[side] }, axes)[other];
  if (!joint) return [];
  const manyHeads = combine === "each" && heads > 1;
  return sentence({ kind, side, focus: named, joint, labels: axes[other].labels, manyHeads, combine });
}

function hint(heads: number, focusOnly: boolean): string {
  if (heads === 0) return "no head is shown: choose heads above";
  return focusOnly
    ? "hover a token to see its lines; click to pin it"
    : "hover a token or a line; click a token to pin it";
}

export function hoveredAt(
  target: Target,
  edges: Edges | undefined,
  axes: Axes,
  layer: number,
): Hovered | null {
  if (!target) return null;
  if (!("line" in target)) {
    const token = axes[target.side].starts[target.position] as number;
    return { layer, head: null, query: null, key: null, weight: null, [target.side]: token };
  }
  if (!edges || edges.count === 0) return null;
  const head = edges.head[0] as number;
  return {
    layer,
    head: head === COMBINED ? null : head,
    query: axes.query.starts[edges.query[0] as number] as number,
    key: axes.key.starts[edges.key[0] as number] as number,
    weight: edges.weight[0] as number,
  };
}
