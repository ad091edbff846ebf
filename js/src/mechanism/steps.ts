/**
 * How the weights of one query come about: what the kernel says of it, and the arithmetic of Python's
 * `mechanisms/`; `tests/wire/mechanism.json` holds both to the same numbers.
 */

import type { Reply } from "../protocol.ts";

export type Vector = ArrayLike<number>;

/** Biases from here down mask. */
const FLOOR = -1e30;

/** One query of one mechanism; names are those of Python's `Steps`. */
export interface Steps {
  readonly mechanism: "scaled_dot_product" | "dot" | "general" | "concat" | "additive";
  readonly name: string;
  readonly scale: number;
  readonly temperature: number;
  readonly softcap: number | null;
  readonly query: Vector;
  readonly projectedQuery: Vector | undefined;
  readonly v: Vector | undefined;
  readonly bias: Vector | undefined;
  readonly locality: Vector | undefined;
  readonly sink: number | undefined;
  readonly scores: Vector;
  /** Over all keys, as the kernel computed it; undefined where the values of all are here. */
  readonly output: Vector | undefined;
  /** Rows of what may be attended to; those not `on` are offered beside what the map has. */
  readonly masks: Readonly<Record<string, Vector>>;
  readonly on: readonly string[];
  /** Vectors of a key; undefined where they are not here, or the mechanism has none. */
  key(at: number): Vector | undefined;
  projectedKey(at: number): Vector | undefined;
  value(at: number): Vector | undefined;
}

/** What a reader changes: factors of the scale and the temperature, and the masks that are on. */
export interface WhatIf {
  readonly scale: number;
  readonly temperature: number;
  readonly masks: readonly string[];
}

/** From scores to weights, one number a key. */
export interface Row {
  readonly scale: number;
  readonly temperature: number;
  readonly scaled: Vector;
  readonly capped: Vector;
  /** What softmax is taken of, −∞ where something masks. */
  readonly masked: Vector;
  /** The first mask that forbids a key: its name, or "bias". */
  readonly forbids: (key: number) => string | undefined;
  readonly peak: number;
  readonly exps: Vector;
  /** Of the exps, the sink's among them. */
  readonly total: number;
  readonly weights: Vector;
  /** The share that the sink takes. */
  readonly leak: number;
}

/** The panels of a reply for one query, which it holds. */
export function stepsOf({ fields, arrays }: Reply, query: number, keys: number): Steps[] {
  const places = fields.keys as readonly number[] | undefined;
  const panels = fields.panels as readonly (Pick<
    Steps,
    "mechanism" | "name" | "scale" | "temperature" | "softcap"
  > & { readonly masks: readonly string[] })[];
  return panels.map(({ masks: on, ...told }, panel) => {
    const row = (name: string, at: number): Vector | undefined => {
      const { values, shape: [, width = 0] = [] } = arrays[`${panel} ${name}`] ?? {};
      return at < 0 ? undefined : values?.subarray(at * width, (at + 1) * width);
    };
    // Rows that are the same for all queries are sent once.
    const mine = (name: string) => row(name, arrays[`${panel} ${name}`]?.shape[0] === 1 ? 0 : query);
    const ofKey = (name: string) => (at: number) => row(name, places ? places.indexOf(at) : at);
    const steps = {
      ...told,
      query: mine("query") as Vector,
      projectedQuery: mine("projected_query"),
      v: mine("v"),
      bias: mine("bias"),
      locality: mine("locality"),
      sink: mine("sink")?.[0],
      output: mine("output"),
      masks: Object.fromEntries(on.map((name) => [name, mine(name) as Vector])),
      on,
      key: ofKey("key"),
      projectedKey: ofKey("projected_key"),
      value: ofKey("value"),
    };
    const scores = mine("scores") ?? over(keys, (key) => sum(termsOf(steps, key)?.at(-1) ?? [NaN]));
    return { ...steps, scores };
  });
}

/**
 * What a score is the sum of, as it arises: the products of a dot product, or the sums of two
 * projections, their tanh, and that times v. Undefined where the key's vectors are not here.
 */
export function termsOf(steps: Omit<Steps, "scores">, at: number): Vector[] | undefined {
  const { query, projectedQuery, v } = steps;
  const left = projectedQuery ?? query;
  const right = steps.projectedKey(at) ?? steps.key(at);
  if (!right) return undefined;
  if (!v) return [over(left.length, (i) => n(left, i) * n(right, i))];
  const sums = over(left.length, (i) => n(left, i) + n(right, i));
  const bent = sums.map(Math.tanh);
  return [sums, bent, bent.map((x, i) => x * n(v, i))];
}

export function recompute(steps: Steps, { scale: times, temperature: by, masks }: WhatIf): Row {
  const { scores, softcap, bias, sink, locality } = steps;
  const count = scores.length;
  const [scale, temperature] = [steps.scale * times, steps.temperature * by];
  const scaled = over(count, (k) => scale * n(scores, k));
  const capped = softcap === null ? scaled : scaled.map((z) => softcap * Math.tanh(z / softcap));
  const forbids = (k: number) =>
    bias && n(bias, k) <= FLOOR ? "bias" : masks.find((name) => steps.masks[name]?.[k] === 0);
  const masked = capped.map((z, k) =>
    forbids(k) === undefined ? (z + (bias ? n(bias, k) : 0)) / temperature : -Infinity,
  );
  const last = sink === undefined ? -Infinity : sink / temperature;
  // Math.max makes NaN of a row with a NaN, as NumPy does.
  const peak = masked.reduce((most, z) => Math.max(most, z), last);
  const exps = masked.map((z) => (z === -Infinity ? 0 : Math.exp(z - peak)));
  const leaking = last === -Infinity ? 0 : Math.exp(last - peak);
  const total = sum(exps) + leaking;
  const weights = exps.map((e, k) =>
    masked[k] === -Infinity ? 0 : (e / total) * (locality ? n(locality, k) : 1),
  );
  const leak = leaking / (total || 1);
  return { scale, temperature, scaled, capped, masked, forbids, peak, exps, total, weights, leak };
}

/** The sum of values by their weights; undefined where values of keys with weight are not here. */
export function outputOf({ value }: Steps, weights: Vector): Float64Array | undefined {
  let output: Float64Array | undefined;
  for (let k = 0; k < weights.length; k++) {
    const weight = n(weights, k);
    const vector = value(k);
    if (!vector) return undefined;
    output ??= new Float64Array(vector.length);
    // What has no weight adds nothing, whatever it holds.
    if (weight !== 0)
      for (let i = 0; i < output.length; i++) output[i] = n(output, i) + weight * n(vector, i);
  }
  return output;
}

/** The number at a place that is there. */
export const n = (values: Vector, at: number): number => values[at] as number;

export const over = (length: number, value: (at: number) => number): Float64Array =>
  Float64Array.from({ length }, (_, at) => value(at));

export const sum = (values: Vector): number => {
  let total = 0;
  for (let at = 0; at < values.length; at++) total += n(values, at);
  return total;
};
