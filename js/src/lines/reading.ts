/** What is hovered or pinned, said in words: the readout and the screen reader get the same sentence. */

import type { Kind } from "../content.ts";
import { adds, verb } from "../scale/kinds.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import { COMBINED, type Edges } from "./scene.ts";

/** A piece of a sentence; `strong` pieces are tokens and numbers. */
export interface Piece {
  readonly text: string;
  readonly strong?: boolean;
}

/** Joint attention of some tokens of one side: one number for each position of the other. */
export interface Joint {
  /** The strongest of the shown heads at each position; NaN where there is no line. */
  readonly weights: Float32Array;
  readonly strengths: Float32Array;
  /** The head it belongs to. */
  readonly heads: Uint16Array;
}

/**
 * Joint attention of `focus` tokens of `side`: for each head the mean over them, then the strongest
 * head. Weights that have no line count as zero in the mean.
 */
export function jointOf(edges: Edges, side: Side, focus: number, length: number): Joint {
  const known = joints[side].get(edges);
  if (known?.focus === focus && known.joint.weights.length === length) return known.joint;
  const joint = focus === 1 ? strongestHeads(edges, side, length) : meanOf(edges, side, focus, length);
  joints[side].set(edges, { focus, joint });
  return joint;
}

/** Lines in focus are read for tokens, readout and marks, and again at every scroll. */
const joints = {
  query: new WeakMap<Edges, { readonly focus: number; readonly joint: Joint }>(),
  key: new WeakMap<Edges, { readonly focus: number; readonly joint: Joint }>(),
};

const blankJoint = (length: number): Joint => ({
  weights: new Float32Array(length).fill(NaN),
  strengths: new Float32Array(length),
  heads: new Uint16Array(length).fill(COMBINED),
});

/** Of one token: it has at most one line of a head to each position. */
function strongestHeads(edges: Edges, side: Side, length: number): Joint {
  const joint = blankJoint(length);
  const { weights, strengths, heads } = joint;
  const others = side === "query" ? edges.key : edges.query;
  for (let i = 0; i < edges.count; i++) {
    const at = others[i] as number;
    const weight = edges.weight[i] as number;
    if (Math.abs(weight) <= Math.abs(weights[at] as number)) continue;
    weights[at] = weight;
    strengths[at] = edges.strength[i] as number;
    heads[at] = edges.head[i] as number;
  }
  return joint;
}

function meanOf(edges: Edges, side: Side, focus: number, length: number): Joint {
  const others = side === "query" ? edges.key : edges.query;
  const sums = new Map<number, { weight: Float64Array; strength: Float64Array; any: Uint8Array }>();
  for (let i = 0; i < edges.count; i++) {
    const head = edges.head[i] as number;
    let sum = sums.get(head);
    if (!sum) {
      sum = {
        weight: new Float64Array(length),
        strength: new Float64Array(length),
        any: new Uint8Array(length),
      };
      sums.set(head, sum);
    }
    const at = others[i] as number;
    sum.weight[at] = (sum.weight[at] as number) + (edges.weight[i] as number);
    sum.strength[at] = (sum.strength[at] as number) + (edges.strength[i] as number);
    sum.any[at] = 1;
  }
  const joint = blankJoint(length);
  const { weights, strengths, heads } = joint;
  for (const [head, { weight, strength, any }] of sums) {
    for (let at = 0; at < length; at++) {
      if (!any[at]) continue;
      const mean = (weight[at] as number) / focus;
      if (Number.isNaN(weights[at]) || Math.abs(mean) > Math.abs(weights[at] as number)) {
        weights[at] = mean;
        strengths[at] = (strength[at] as number) / focus;
        heads[at] = head;
      }
    }
  }
  return joint;
}

const NAMED = 4;
const LONGEST_NAME = 40;

/** A label short enough for a sentence. */
const named = (label: string): string =>
  label.length > LONGEST_NAME ? `${[...label].slice(0, LONGEST_NAME - 1).join("")}…` : label;

export interface SentenceInput {
  readonly kind: Kind;
  readonly side: Side;
  /** Labels of the tokens in focus. */
  readonly focus: readonly string[];
  readonly joint: Joint;
  readonly labels: readonly string[];
  /** More than one head is shown, each by itself: numbers say which. */
  readonly manyHeads: boolean;
  readonly combine: "each" | "mean" | "max";
  /** What the numbers are of, where it isn't the mean of the tokens in focus. */
  readonly of?: string;
}

/** "*mon* attends to *my* 0.817, *beautiful* 0.179; 7 more share 0.004". */
export function sentence(input: SentenceInput): Piece[] {
  const { kind, side, focus, joint, labels, manyHeads, combine } = input;
  const { of = focus.length > 1 ? `mean of ${focus.length}` : "" } = input;
  const weightAt = (at: number) => joint.weights[at] as number;
  const { first, count, rest, most } = ranked(joint.weights);
  const pieces: Piece[] = [...listed(focus), { text: ` ${verb(kind, side, focus.length)} ` }];
  if (first.length === 0) return [...pieces, { text: "nothing that is shown" }];
  first.forEach((at, i) => {
    if (i > 0) pieces.push({ text: ", " });
    pieces.push(
      { text: named(labels[at] ?? String(at)), strong: true },
      { text: ` ${formatWeight(weightAt(at))}` },
    );
    if (manyHeads) pieces.push({ text: ` (head ${joint.heads[at]})` });
  });
  if (count > 0) {
    pieces.push({
      text:
        manyHeads || combine === "max" || !adds(kind)
          ? `; ${count} more, at most ${formatWeight(most)}`
          : `; ${count} more share ${formatWeight(rest)}`,
    });
  }
  if (of !== "") pieces.push({ text: ` (${of})` });
  return pieces;
}

/** The strongest positions, and of the others how many there are, their sum and the strongest of them. */
function ranked(weights: Float32Array) {
  const first: number[] = [];
  const magnitude = (at: number) => Math.abs(weights[at] as number);
  let count = 0;
  let total = 0;
  let most = 0;
  const leave = (at: number) => {
    count++;
    total += weights[at] as number;
    most = Math.max(most, magnitude(at));
  };
  for (let at = 0; at < weights.length; at++) {
    // NaN has no line, and −∞ is a mask.
    if (!((weights[at] as number) > -Infinity)) continue;
    if (first.length === NAMED && magnitude(at) <= magnitude(first[NAMED - 1] as number)) {
      leave(at);
      continue;
    }
    const place = first.findIndex((other) => magnitude(at) > magnitude(other));
    first.splice(place < 0 ? first.length : place, 0, at);
    if (first.length > NAMED) leave(first.pop() as number);
  }
  return { first, count, rest: total, most };
}

/** "*mon* attends to *my* 0.817 (head 2)": one line, both ends and its value. */
export function lineSentence(kind: Kind, query: string, key: string, weight: number, head: number): Piece[] {
  const pieces: Piece[] = [
    { text: named(query), strong: true },
    { text: ` ${verb(kind, "query")} ` },
    { text: named(key), strong: true },
    { text: ` ${formatWeight(weight)}` },
  ];
  if (head !== COMBINED) pieces.push({ text: ` (head ${head})` });
  return pieces;
}

export const plain = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join("");

/** The tokens in focus, the first few by name. */
export function listed(labels: readonly string[]): Piece[] {
  const first = labels.slice(0, 3);
  const pieces = first.flatMap((label, i): Piece[] => [
    ...(i > 0 ? [{ text: " + " }] : []),
    { text: named(label), strong: true },
  ]);
  if (labels.length > first.length) pieces.push({ text: ` + ${labels.length - first.length} more` });
  return pieces;
}
