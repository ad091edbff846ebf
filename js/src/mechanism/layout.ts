/** Where the steps of a mechanism stand: strips of numbers, one line on to the weight, a line for each key. */

import { fitting } from "../export/compose.ts";
import { headColour } from "../scale/palette.ts";
import type { Theme } from "../theme.ts";
import { layoutKeys } from "./row.ts";
import { GAP, LINE, largest, number, plus, Sheet, SIZE, type Step } from "./sheet.ts";
import { n, type Row, type Steps, termsOf, type Vector } from "./steps.ts";

export interface Depicted {
  readonly steps: Steps;
  readonly row: Row;
  readonly query: string;
  readonly keys: readonly string[];
  readonly key: number;
  /** The keys that have a line of their own, in order. */
  readonly shown: readonly number[];
  readonly head: number;
  /** A reader has changed something: the kernel's output does not hold. */
  readonly whatIf: boolean;
}

/** The place of a key's name. */
export interface Place {
  readonly key: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Panel extends Pick<Sheet, "boxes" | "texts" | "cells" | "told"> {
  readonly bottom: number;
  /** Where the lines of the keys begin. */
  readonly keysAt: number;
  readonly places: readonly Place[];
}

const NAMES: Readonly<Record<Steps["mechanism"], readonly [name: string, score: string]>> = {
  scaled_dot_product: ["scaled dot product", "scale × query · key"],
  dot: ["dot product", "query · key"],
  general: ["general", "query W · key"],
  concat: ["concat", "v · tanh(query W + key U)"],
  additive: ["additive", "v · tanh(query W + key U)"],
};

export const titleOf = ({ name, mechanism }: Steps): string => name || NAMES[mechanism][0];

/** How a weight comes from logits, in words. */
export function weightText({ forbids, masked, peak, total }: Row, key: number): string {
  const mask = forbids(key);
  return mask ? maskText(mask) : `exp(${number(n(masked, key))} ${plus(-peak - Math.log(total))})`;
}

export const maskText = (name: string): string => `0: masked (${name})`;

/**
 * @param step - the step that stands out; null for none.
 * @param place - the left top of the panel.
 * @param least - where the lines of the keys begin at the earliest.
 */
export function layoutPanel(
  shown: Depicted,
  width: number,
  theme: Theme,
  step: Step | null,
  [left, top]: readonly [left: number, top: number] = [0, 0],
  least = 0,
): Panel {
  const sheet = new Sheet(theme, step, left, top);
  /** Room for names at the left. */
  const names = Math.max(64, Math.min(130, width * 0.19));
  layoutScore(sheet, shown, width, names);
  layoutChain(sheet, shown, width, names, headColour(shown.head, theme));
  const keysAt = sheet.y;
  sheet.y = Math.max(keysAt, least);
  const keys = layoutKeys(sheet, shown, width, names, headColour(shown.head, theme));
  const places = keys.map(([key, y]) => ({ key, x: left, y, width: names - 6 }));
  const { boxes, texts, cells, told, y } = sheet;
  return { boxes, texts, cells, told, places, keysAt, bottom: y };
}

/** The vectors of the pair, and what their score is the sum of. */
function layoutScore(
  sheet: Sheet,
  { steps, query, keys, key }: Depicted,
  width: number,
  names: number,
): void {
  const { projectedQuery, v } = steps;
  const title = titleOf(steps);
  const room = title.length * 7.6 + 12;
  sheet.strong(0, sheet.y + 14, title);
  sheet.quiet(room, sheet.y + 14, NAMES[steps.mechanism][1], width - room);
  sheet.y += 26;
  const strip = (name: string, values: Vector, most: number, says: (at: number) => string, whose = "") => {
    const after = name.length * 6.4 + 5;
    sheet.quiet(0, sheet.y + 14, name, names);
    sheet.write(after, sheet.y + 14, fitting(whose, Math.max(0, names - after - 14) / SIZE));
    sheet.y += sheet.strip(names, width - names, values, most, says) + GAP;
  };
  const vector = steps.key(key);
  const most = largest(steps.query, vector ?? []);
  sheet.step("vectors", `The query and the key are vectors of ${steps.query.length} numbers.`);
  strip("query", steps.query, most, (at) => `query[${at}]`, query);
  if (vector) strip("key", vector, most, (at) => `key[${at}]`, keys[key]);
  const projectedKey = steps.projectedKey(key);
  sheet.y += GAP;
  if (projectedQuery) {
    const scale = largest(projectedQuery, projectedKey ?? []);
    const what = projectedKey ? "Learned matrices bring both" : "A learned matrix brings the query";
    sheet.step("projections", `${what} to ${projectedQuery.length} numbers.`);
    strip("query W", projectedQuery, scale, (at) => `(query W)[${at}]`);
    if (projectedKey) strip("key U", projectedKey, scale, (at) => `(key U)[${at}]`);
    sheet.y += GAP;
  }
  const terms = termsOf(steps, key) ?? [];
  const products = terms.at(-1) ?? [];
  const [left, right] = [projectedQuery ?? steps.query, projectedKey ?? vector ?? []];
  if (v && terms.length > 1) {
    const [sums, bent] = terms as [Vector, Vector];
    sheet.step("sums", "The two are added, number by number.");
    strip("sum", sums, largest(sums), (at) => `${number(n(left, at))} ${plus(n(right, at))}`);
    sheet.step("tanh", "tanh bends each sum to between −1 and 1.");
    strip("tanh", bent, 1, (at) => `tanh(${number(n(sums, at))})`);
    sheet.step("products", "Each is multiplied with a number of the learned vector v.");
    strip("v", v, largest(v), (at) => `v[${at}]`);
    strip("tanh × v", products, largest(products), (at) => `${number(n(bent, at))} × ${number(n(v, at))}`);
  } else if (products.length > 0) {
    sheet.step("products", "Each number of the query is multiplied with the one of the key below it.");
    strip(
      "products",
      products,
      largest(products),
      (at) => `${number(n(left, at))} × ${number(n(right, at))}`,
    );
  }
}

/** From the score to the weight, in one line. */
function layoutChain(
  sheet: Sheet,
  { steps, row, key }: Depicted,
  width: number,
  names: number,
  accent: Sheet["hair"],
): void {
  const { scores, softcap, bias, mechanism, locality } = steps;
  const { scale, temperature } = row;
  let x = names;
  sheet.line();
  const link = (operation: string, value: number, says: string, colour = sheet.ink.text) => {
    const text = number(value);
    const [before, wide] = [operation.length * 6.6 + 9, text.length * 7.6 + 3];
    if (x > names && x + before + wide > width) {
      x = names;
      sheet.y += LINE;
    }
    sheet.write(x, sheet.y + 15, operation, { colour: sheet.ink.muted });
    x += before;
    sheet.strong(x, sheet.y + 15, text, colour);
    sheet.cell(x - 2, sheet.y, wide, LINE, value, says);
    x += wide + 9;
    return value;
  };
  sheet.step("score");
  sheet.quiet(0, sheet.y + 15, "score", names);
  const score = link("sum =", n(scores, key), "the sum of the products");
  let logit = score;
  const then = (operation: string, value: number, how = operation) => {
    const says = `${number(logit)} ${how}`;
    logit = link(`${operation} =`, value, says);
  };
  if (scale !== 1 || mechanism === "scaled_dot_product") {
    then(`× ${number(scale)}`, n(row.scaled, key), `× ${number(scale)} (scale)`);
  }
  if (softcap !== null)
    logit = link(
      `softcap ${number(softcap)} →`,
      n(row.capped, key),
      `${number(softcap)} × tanh(${number(logit)} ÷ ${number(softcap)})`,
    );
  if (bias) then(plus(n(bias, key)), logit + n(bias, key), `${plus(n(bias, key))} (bias)`);
  if (temperature !== 1)
    then(`÷ ${number(temperature)}`, logit / temperature, `÷ ${number(temperature)} (temperature)`);
  sheet.step(
    "score",
    `The products add up to the score, ${number(score)}${logit === score ? "" : `; it becomes the logit ${number(logit)}`}.`,
  );
  const masked = Array.from(row.masked).filter((z) => z === -Infinity).length;
  sheet.step(
    "mask",
    masked
      ? `Masks set ${masked} of ${scores.length} logits to −∞.`
      : "Every key may be attended to: nothing is masked.",
  );
  const mask = row.forbids(key);
  if (mask) link("masked →", -Infinity, `masked (${mask})`);
  sheet.step("softmax");
  const near = locality ? ` × ${number(n(locality, key))}` : "";
  link("softmax →", n(row.weights, key), weightText(row, key) + near, accent);
  sheet.y += LINE + 8;
}
