/** All keys of a query: logits as bars, their exp, the weights, and the values they weigh. */

import type { Rgb } from "../lines/scene.ts";
import type { Depicted } from "./layout.ts";
import { maskText, weightText } from "./layout.ts";
import { GAP, LINE, largest, number, plus, type Sheet } from "./sheet.ts";
import { n, outputOf, over, sum, type Vector } from "./steps.ts";

/** Values stand beside the bars from this width on, else below them. */
const BESIDE = 640;
/** Room of a number before its bar. */
const DIGITS = 50;
const THIN = 14;

export function layoutKeys(
  sheet: Sheet,
  shown: Depicted,
  width: number,
  names: number,
  accent: Rgb,
): [key: number, y: number][] {
  const { steps, row, keys, key } = shown;
  const { masked, exps, weights, peak, total, leak, temperature } = row;
  const beside = steps.value(key) !== undefined && width >= BESIDE;
  const table = (width - names) * (beside ? 0.55 : 1);
  const column = table / 3;
  /** Bars stand below their numbers. */
  const narrow = column < 92;
  const top = sheet.y;
  const places: [key: number, y: number][] = [];

  /** A number and its bar from one share of the column to another. */
  const bar = (at: number, value: number, says: string, start = 0, end = 0, colour = accent) => {
    const x = names + at * column;
    const [before, top, high] = narrow ? [0, 18, 2] : [DIGITS, 5, LINE - 10];
    const room = column - before - 14;
    sheet.write(x + DIGITS - 5, sheet.y + 15, number(value), { align: "right" });
    if (end > start)
      sheet.box(x + before + start * room, sheet.y + top, Math.max(1, (end - start) * room), high, colour);
    sheet.cell(x, sheet.y, column - 8, LINE, value, says);
  };
  const heading = (at: number, text: string) => sheet.quiet(names + at * column, top + 12, text, column - 6);

  sheet.quiet(0, top + 12, "key", names);
  sheet.step("mask");
  heading(0, "logit");
  sheet.step(
    "softmax",
    `exp makes every logit positive; each weight is its share of their sum, ${number(total)}.`,
  );
  heading(1, column < 120 || peak === -Infinity ? "exp" : `exp(logit ${plus(-peak)})`);
  heading(2, "weight");
  sheet.y += LINE;

  const finite = shown.shown.map((k) => n(masked, k)).filter(Number.isFinite);
  const low = Math.min(0, ...finite);
  const span = Math.max(0, ...finite) - low || 1;
  for (const k of shown.shown) {
    const logit = n(masked, k);
    const mask = row.forbids(k);
    sheet.step("mask");
    if (k === key) sheet.box(-3, sheet.y, names + table, LINE, sheet.ink.soft);
    places.push([k, sheet.y]);
    sheet.line();
    const ends = [-low / span, mask ? -low / span : (logit - low) / span];
    const origin = mask
      ? `masked (${mask})`
      : `the logit of ${keys[k]}, from its score ${number(n(steps.scores, k))}`;
    bar(0, logit, origin, Math.min(...ends), Math.max(...ends), sheet.signed(logit < 0 ? -0.55 : 0.55));
    sheet.step("softmax");
    const e = n(exps, k);
    bar(1, e, mask ? maskText(mask) : `exp(${number(logit)} ${plus(-peak)})`, 0, e);
    const near = steps.locality ? ` × ${number(n(steps.locality, k))}` : "";
    bar(2, n(weights, k), weightText(row, k) + near, 0, n(weights, k));
    sheet.y += LINE;
  }
  const line = (name: string, says: string, e: number, weight: number) => {
    sheet.line();
    sheet.quiet(0, sheet.y + 15, name, names);
    bar(1, e, says);
    bar(2, weight, says);
    sheet.y += LINE;
  };
  const rest = keys.length - shown.shown.length;
  const of = (values: Vector) => sum(values) - shown.shown.reduce((all, k) => all + n(values, k), 0);
  if (rest > 0) line(`${rest} more`, `the sum over ${rest} other keys`, of(exps), of(weights));
  if (steps.sink !== undefined)
    line("sink", `of a logit ${number(steps.sink / temperature)} that belongs to no key`, leak * total, leak);
  sheet.box(names, sheet.y, table - 14, 0, null, sheet.hair);
  line("sum", "the sum of the column", total, sum(weights));

  const end = sheet.y;
  if (beside) sheet.y = top;
  layoutValues(sheet, shown, beside ? names + table : names, width, beside);
  sheet.y = Math.max(sheet.y, end) + GAP;
  return places;
}

/** The weighted sum of values: beside the bars of their keys, or below all of them. */
function layoutValues(
  sheet: Sheet,
  { steps, row: { weights }, keys, key, shown, whatIf }: Depicted,
  left: number,
  right: number,
  beside: boolean,
): void {
  const { length = 0 } = steps.value(key) ?? [];
  if (length === 0) return;
  sheet.step(
    "output",
    `Each value, ${length} numbers, counts as its key's weight says; their sum is the output.`,
  );
  const output = outputOf(steps, weights) ?? (whatIf ? undefined : steps.output);
  const parts = shown.map((k) =>
    over(length, (at) => n(weights, k) && n(weights, k) * n(steps.value(k) ?? [], at)),
  );
  const most = largest(output ?? [], ...parts);
  sheet.quiet(beside ? left : 0, sheet.y + 12, "weight × value", right);
  sheet.y += LINE;
  const strip = (name: string, values: Vector, says: (at: number) => string) => {
    if (!beside) sheet.quiet(0, sheet.y + 11, name, left);
    const start = sheet.y;
    if (beside) sheet.y += (LINE - THIN) / 2;
    const high = sheet.strip(left, right - left, values, most, says, THIN);
    sheet.y = start + Math.max(high + 3, beside ? LINE : 0);
  };
  shown.forEach((k, at) => {
    const value = steps.value(k) ?? [];
    strip(
      keys[k] ?? "",
      parts[at] as Vector,
      (i) => `${number(n(weights, k))} × ${number(n(value, i))} (weight × value)`,
    );
  });
  const rest = keys.length - shown.length;
  if (!output) {
    sheet.quiet(left, sheet.y + 14, "an output needs all values", right - left);
    sheet.y += LINE;
    return;
  }
  if (rest > 0) {
    const others = over(length, (i) => n(output, i) - parts.reduce((all, part) => all + n(part, i), 0));
    strip(`${rest} more`, others, () => `the sum over ${rest} other keys`);
  }
  sheet.y += GAP;
  sheet.quiet(beside ? left - 48 : 0, sheet.y + 14, "output", 60);
  sheet.y += sheet.strip(left, right - left, output, most, () => "the sum of weight × value over all keys");
}
