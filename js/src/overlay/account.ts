/**
 * Where weight lies: on the image, on padding, on text, on special tokens; and which are sinks. No DOM. Python's
 * `account.py` counts the same; `tests/wire/account.json` holds both to it.
 */

import { formatWeight } from "../scale/scale.ts";
import type { Weights } from "../store.ts";
import type { Role } from "./panels.ts";

/** A sink receives more than so many times what the median patch does … */
const SINK_TIMES_MEDIAN = 10;
/** … and more than so many times what uniform attention would give. */
const SINK_TIMES_UNIFORM = 3;
/** Of fewer queries all may well ask for one thing. */
const SINK_QUERIES = 16;

export interface Share {
  /** The role, or the label of special tokens without the digits by which they differ. */
  readonly name: string;
  readonly role: Role;
  /** 0..1, of the finite magnitudes of the row. */
  readonly share: number;
  /** These positions are set aside: not painted. */
  readonly aside: boolean;
}

export interface Account {
  /** Together 1, or all 0: of weights before anything is set aside. */
  readonly shares: readonly Share[];
  /** The sum of the row's finite weights, signs and all. */
  readonly total: number;
  /** The share that is not painted. */
  readonly setAside: number;
  /** The position on the image with the largest finite magnitude painted; −1 for none. */
  readonly strongest: number;
  /** The fewest positions on the image that hold half of the weight painted there. */
  readonly half: number;
  /** How many positions are painted on the image. */
  readonly of: number;
}

type Row = ArrayLike<number>;

const magnitudeAt = (row: Row, at: number): number => {
  const magnitude = Math.abs(row[at] as number);
  return magnitude < Infinity ? magnitude : 0;
};

/**
 * Accounts for one row.
 *
 * @param row The weights of the other side before anything is set aside.
 * @param painted What is painted of them.
 * @param apart Positions that are set aside.
 */
export function accountOf(
  row: Row,
  painted: Row,
  roles: readonly Role[],
  labels: readonly string[],
  apart: ReadonlySet<number>,
): Account {
  const groups = new Map<string, { name: string; role: Role; share: number; aside: boolean; size: number }>();
  for (const aside of [false, true])
    for (const role of ["image", "padding", "text"] as const)
      groups.set(`${aside} ${role}`, { name: role, role, share: 0, aside, size: 0 });
  const shown: number[] = [];
  let [strongest, most, all, total, set] = [-1, 0, 0, 0, 0];
  for (let at = 0; at < roles.length; at++) {
    const [role, aside] = [roles[at] as Role, apart.has(at)];
    const special = role === "special";
    const name = special ? stemOf(labels[at] ?? "") : role;
    const key = `${aside} ${special ? `special ${name}` : role}`;
    let group = groups.get(key);
    if (!group) {
      group = { name, role, share: 0, aside, size: 0 };
      groups.set(key, group);
    }
    if (special) group.name = group.size === 0 ? (labels[at] ?? "") : name;
    group.size++;
    const magnitude = magnitudeAt(row, at);
    group.share += magnitude;
    all += magnitude;
    if (magnitude > 0) total += row[at] as number;
    if (aside) set += magnitude;
    else if (role === "image") {
      const drawn = magnitudeAt(painted, at);
      shown.push(drawn);
      if (drawn > most) [strongest, most] = [at, drawn];
    }
  }
  return {
    shares: [...groups.values()]
      .filter(({ size }) => size > 0)
      .map(({ size, ...group }) => ({ ...group, share: all > 0 ? group.share / all : 0 })),
    total,
    setAside: all > 0 ? set / all : 0,
    strongest,
    half: strongest < 0 ? 0 : halfOf(Float64Array.from(shown)),
    of: shown.length,
  };
}

/** The fewest of some magnitudes that hold half of their sum. */
function halfOf(magnitudes: Float64Array): number {
  magnitudes.sort().reverse();
  const running = magnitudes.slice();
  for (let at = 1; at < running.length; at++)
    running[at] = (running[at - 1] as number) + (running[at] as number);
  const half = (running.at(-1) as number) / 2;
  return running.findIndex((sum) => sum >= half) + 1;
}

/** A label without the number at its end: "[REG]" of "[REG 2]". */
const stemOf = (label: string): string => label.replace(/[\s_-]*\p{Nd}+(?=[^\p{L}\p{N}_]*$)/u, "") || label;

/** The weight each key receives: its mean over heads and queries, missing ones left out. */
export function receivedOf({ heads, queries, keys, values }: Weights): Float32Array {
  const sums = new Float64Array(keys);
  const counts = new Float64Array(keys);
  for (let row = 0; row < heads * queries; row++) {
    for (let key = 0; key < keys; key++) {
      const weight = values[row * keys + key] as number;
      if (!Number.isFinite(weight)) continue;
      sums[key] = (sums[key] as number) + weight;
      counts[key] = (counts[key] as number) + 1;
    }
  }
  return Float32Array.from(sums, (sum, key) => sum / (counts[key] as number));
}

/**
 * The positions on the image that draw far more weight than their like, whoever asks: more than ten times
 * what the median one receives, and more than three times what uniform attention would give.
 */
export function sinksOf(received: Float32Array, roles: readonly Role[], queries: number): number[] {
  if (queries < SINK_QUERIES) return [];
  const onImage = [...received.keys()].filter(
    (key) => roles[key] === "image" && Number.isFinite(received[key] as number),
  );
  const sorted = Float64Array.from(onImage, (key) => received[key] as number).sort();
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  const least = Math.max(SINK_TIMES_MEDIAN * median, SINK_TIMES_UNIFORM / received.length);
  return onImage.filter((key) => (received[key] as number) > least);
}

/** "62.1 %", "0.04 %": three digits at most. */
export const percent = (share: number): string => `${formatWeight(Number((100 * share).toPrecision(3)))} %`;

/** The share of a row's finite magnitudes that some positions take, 0..1. */
export function shareOf(row: Row, positions: readonly number[]): number {
  let all = 0;
  for (let at = 0; at < row.length; at++) all += magnitudeAt(row, at);
  return all > 0 ? positions.reduce((sum, at) => sum + magnitudeAt(row, at), 0) / all : 0;
}
