/** How weights come about: the arithmetic is that of Python, and every number has a place. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Depicted, layoutPanel } from "../src/mechanism/layout.ts";
import { number, type Step } from "../src/mechanism/sheet.ts";
import { outputOf, over, recompute, type Steps, stepsOf, sum, termsOf } from "../src/mechanism/steps.ts";
import type { Reply } from "../src/protocol.ts";

type Wire = number | string;
interface Trial {
  readonly scale: number;
  readonly temperature: number;
  readonly masks: readonly string[];
  readonly scaled: readonly Wire[];
  readonly masked: readonly Wire[];
  readonly weights: readonly Wire[];
  readonly leak: number;
}
interface Case {
  readonly name: string;
  readonly keys: number;
  readonly query: number;
  readonly key: number;
  readonly fields: Reply["fields"];
  readonly arrays: Readonly<Record<string, { readonly shape: number[]; readonly values: Wire[] }>>;
  readonly panels: readonly {
    readonly terms: readonly (readonly Wire[])[];
    readonly output: readonly Wire[] | null;
    readonly trials: readonly Trial[];
  }[];
}

const file = new URL("../../tests/wire/mechanism.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

function panelsOf({ fields, arrays, query, keys }: Case): Steps[] {
  const read = Object.entries(arrays).map(([name, { shape, values }]) => [
    name,
    { shape, values: Float64Array.from(values, Number) },
  ]);
  return stepsOf({ revision: 1, fields, arrays: Object.fromEntries(read) }, query, keys);
}

/** Equal to within what the order of a sum decides. */
function expectClose(got: ArrayLike<number> | undefined, expected: readonly Wire[], what: string): void {
  expect(got?.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    const [mine, theirs] = [got?.[i] as number, Number(value)];
    const same = Object.is(mine, theirs) || mine === theirs;
    if (!same && !(Math.abs(mine - theirs) <= 1e-11 * Math.max(1, Math.abs(theirs))))
      expect.fail(`${what}[${i}]: got ${mine}, expected ${theirs}`);
  });
}

const caseOf = (name: string): Case => {
  const found = cases.find((one) => one.name === name);
  if (!found) throw new Error(`no case ${name}`);
  return found;
};

describe("mechanism.json", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    const panels = panelsOf(one);
    expect(panels).toHaveLength(one.panels.length);
    panels.forEach((steps, at) => {
      const { terms, output, trials } = one.panels[at] as Case["panels"][number];
      const found = termsOf(steps, one.key) ?? [];
      expect(found).toHaveLength(terms.length);
      terms.forEach((part, i) => {
        expectClose(found[i], part, `terms ${i}`);
      });
      const offered = {
        ...steps,
        masks: {
          causal: Uint8Array.from({ length: one.keys }, (__, k) => Number(k <= one.query)),
          ...steps.masks,
        },
      };
      for (const { masked, scaled, weights, leak, ...whatIf } of trials) {
        const row = recompute(offered, whatIf);
        expectClose(row.scaled, scaled, "scaled");
        expectClose(row.masked, masked, "masked");
        expectClose(row.weights, weights, "weights");
        expectClose([row.leak], [leak], "leak");
      }
      const own = recompute(steps, { scale: 1, temperature: 1, masks: steps.on });
      const summed = outputOf(steps, own.weights) ?? steps.output;
      if (output) expectClose(summed, output, "output");
      else expect(summed).toBeUndefined();
    });
  });

  it("names what masks a key, the first of several", () => {
    const one = caseOf("every rule, masked by all, whole");
    const [steps] = panelsOf(one) as [Steps];
    const row = recompute(steps, { scale: 1, temperature: 1, masks: steps.on });
    expect(over(one.keys, (k) => Number(row.forbids(k) === undefined)).join("")).toBe("001100");
    expect([0, 4].map(row.forbids)).toEqual(["window", "mask"]);
  });
});

function depicted(name: string, more: Partial<Depicted> = {}): Depicted {
  const one = caseOf(name);
  const steps = panelsOf(one).at(-1) as Steps;
  const row = recompute(steps, { scale: 1, temperature: 1, masks: steps.on });
  const keys = Array.from({ length: one.keys }, (_, k) => `key ${k}`);
  const shown = [...keys.keys()];
  return { steps, row, query: "asking", keys, key: one.key, shown, head: 0, whatIf: false, ...more };
}

const texts = (panel: ReturnType<typeof layoutPanel>) => panel.texts.map(({ text }) => text);

describe("the layout", () => {
  it.each([320, 400, 700, 1200])(
    "keeps all that it places within %i pixels, each line below the last",
    (width) => {
      for (const { name } of cases) {
        const panel = layoutPanel(depicted(name), width, "light", null);
        for (const { x, width: wide } of panel.boxes) {
          expect(x).toBeGreaterThanOrEqual(-3);
          expect(x + wide).toBeLessThanOrEqual(width + 0.5);
        }
        for (const line of panel.cells) {
          for (const { x, y, width: wide, height } of line) {
            expect(x).toBeGreaterThanOrEqual(-2);
            expect(x + wide).toBeLessThanOrEqual(width + 0.5);
            expect(y + height).toBeLessThanOrEqual(panel.bottom + 0.5);
          }
        }
        expect(panel.places.map(({ key }) => key)).toEqual([0, 1, 2, 3, 4, 5]);
      }
    },
  );

  it("has a cell for every number, which says how it comes about", () => {
    const panel = layoutPanel(depicted("additive, whole"), 700, "light", null);
    const cells = panel.cells.flat();
    // Query and key, two projections, sum, tanh, v, products; then values and the output.
    expect(cells.filter(({ index }) => index >= 0)).toHaveLength(4 + 4 + 6 * 3 + (6 + 1) * 4);
    const value = (says: string) => cells.find((cell) => cell.says === says)?.value;
    const { steps, row } = depicted("additive, whole");
    const terms = termsOf(steps, 3) as [Float64Array, Float64Array, Float64Array];
    expect(value(`tanh(${number(terms[0][1] as number)})`)).toBe(terms[1][1]);
    expect(value("the sum of the products")).toBeCloseTo(sum(terms[2]), 12);
    const logSum = row.peak + Math.log(row.total);
    const logit = row.masked[0] as number;
    const sign = logSum < 0 ? "+" : "−";
    expect(value(`exp(${number(logit)} ${sign} ${number(Math.abs(logSum))})`)).toBeCloseTo(
      Math.exp(logit - logSum),
      12,
    );
  });

  it("pools keys that have no line, and says how many they are", () => {
    const panel = layoutPanel(depicted("dot product, whole", { shown: [1, 4] }), 700, "light", null);
    const { row } = depicted("dot product, whole");
    expect(texts(panel)).toContain("4 more");
    const rest = panel.cells.flat().filter(({ says }) => says === "the sum over 4 other keys");
    const weights = [0, 2, 3, 5].map((k) => row.weights[k] as number);
    expect(rest[1]?.value).toBeCloseTo(sum(weights), 12);
  });

  it("shows what each rule does to the score", () => {
    const said = texts(layoutPanel(depicted("every rule, whole"), 900, "light", null)).join(" ");
    expect(said).toMatch(/sum = .* × 0\.500 = .* softcap 2\.000 → .* − 0\.500 = .* softmax → /);
    expect(said).toContain("sink");
    const masked = texts(layoutPanel(depicted("every rule, masked by all, whole"), 900, "light", null)).join(
      " ",
    );
    expect(masked).toContain("masked → −∞");
  });

  it("leaves the other steps faint, and tells each", () => {
    const all = layoutPanel(depicted("additive, whole"), 700, "dark", null);
    expect([...all.told.keys()]).toEqual<Step[]>([
      "vectors",
      "projections",
      "sums",
      "tanh",
      "products",
      "score",
      "mask",
      "softmax",
      "output",
    ]);
    expect(all.told.get("mask")).toBe("Masks set 2 of 6 logits to −∞.");
    const one = layoutPanel(depicted("additive, whole"), 700, "dark", "tanh");
    const colours = (panel: typeof one) => panel.texts.map(({ colour }) => String(colour));
    const kept = colours(one).filter((colour, i) => colour === colours(all)[i]);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(all.texts.length / 4);
  });

  it("says that an output needs all values, where a trial has only some", () => {
    const trial = depicted("dot product, one row", { whatIf: true });
    const some = { ...trial.steps, value: (k: number) => (k === 0 ? undefined : trial.steps.value(k)) };
    const panel = layoutPanel({ ...trial, steps: some, shown: [4, 5] }, 700, "light", null);
    expect(texts(panel)).toContain("an output needs all values");
  });

  it("begins the keys of two panels in line", () => {
    const low = layoutPanel(depicted("additive, whole"), 400, "light", null);
    const high = layoutPanel(depicted("dot product, whole"), 400, "light", null, [0, 0], low.keysAt);
    expect(high.keysAt).toBeLessThan(low.keysAt);
    expect(high.places.map(({ y }) => y)).toEqual(low.places.map(({ y }) => y));
  });
});
