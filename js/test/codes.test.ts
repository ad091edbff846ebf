import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  codeOf,
  colourTable,
  INFINITE,
  MASKED,
  MISSING,
  MOST,
  numberOf,
  rankTable,
  ZERO,
} from "../src/scale/codes.ts";
import { anchorsOf, colourAt, MARKS } from "../src/scale/colormap.ts";
import { type Scale, strengthOf } from "../src/scale/scale.ts";

const cases: { values: (number | string)[]; full: number; signed: boolean; words: number[] }[] = JSON.parse(
  readFileSync(new URL("../../tests/wire/codes.json", import.meta.url), "utf8"),
);

const bytesOf = (table: Uint32Array, code: number): number[] =>
  [...new Uint8Array(table.buffer, 4 * code, 4)].slice(0, 3);

describe("codeOf", () => {
  it("gives the codes that Python gives", () => {
    expect(cases.length).toBeGreaterThan(4);
    for (const { values, full, signed, words } of cases) {
      expect(values.map((value) => codeOf(Math.fround(Number(value)), full, signed))).toEqual(words);
    }
  });

  it.each([false, true])("is undone by numberOf to half a step (signed: %s)", (signed) => {
    for (let step = 1; step <= 1000; step++) {
      const value = (signed && step % 2 ? -1 : 1) * (step / 1000) ** 3;
      const share = 1 / (signed ? ZERO : MOST);
      const error = Math.abs(numberOf(codeOf(value, 1, signed), 1, signed) - value);
      expect(error).toBeLessThanOrEqual(Math.sqrt(Math.abs(value)) * share + share * share);
    }
  });

  it("keeps what is no number", () => {
    expect(numberOf(INFINITE, 3, false)).toBe(Infinity);
    expect(numberOf(MISSING, 3, true)).toBeNaN();
    expect(numberOf(MASKED, 3, true)).toBeNaN();
  });
});

describe("rankTable", () => {
  it.each([false, true])("ranks codes as their magnitudes, what is no number last (signed: %s)", (signed) => {
    const rank = rankTable(signed);
    const zero = signed ? ZERO : 0;
    expect(rank[MASKED]).toBeLessThan(rank[MISSING] as number);
    expect(rank[MISSING]).toBeLessThan(rank[zero] as number);
    expect(rank[zero]).toBeLessThan(rank[zero + 1] as number);
    expect(rank[MOST]).toBeLessThan(rank[INFINITE] as number);
    if (signed) expect(rank[ZERO - 7]).toBe(rank[ZERO + 7]);
  });
});

describe("colourTable", () => {
  const base = { full: 1, keys: 20, signed: false, theme: "light" } as const;
  const auto = anchorsOf("auto", false, "light");

  it.each<Scale>(["absolute", "sqrt", "log", "times_uniform"])(
    "colours codes by their strength on the %s scale",
    (scale) => {
      const table = colourTable({ ...base, scale, anchors: auto });
      for (const code of [0, 1, 700, 6_500, 20_000, 45_962, MOST]) {
        const strength = strengthOf(numberOf(code, 1, false), scale, { full: 1, rowMost: 1, keys: 20 });
        const wanted = colourAt(auto, strength);
        bytesOf(table, code).forEach((channel, at) => {
          expect(Math.abs(channel - (wanted[at] as number))).toBeLessThanOrEqual(1);
        });
      }
    },
  );

  it("marks what is no number by colours that no strength has", () => {
    const table = colourTable({ ...base, scale: "absolute", anchors: auto });
    const shades = new Set(Array.from({ length: MOST + 1 }, (_, code) => String(bytesOf(table, code))));
    const { masked, missing, infinite } = MARKS.light;
    for (const [code, colour] of [
      [MASKED, masked],
      [MISSING, missing],
      [INFINITE, infinite],
    ] as const) {
      expect(bytesOf(table, code)).toEqual([...colour]);
      expect(shades.has(String(colour))).toBe(false);
    }
  });

  it("puts zero in the middle of signed values", () => {
    const anchors = anchorsOf("auto", true, "dark");
    const table = colourTable({ ...base, scale: "sqrt", signed: true, anchors, theme: "dark" });
    expect(bytesOf(table, ZERO)).toEqual([0x17, 0x19, 0x1c]);
    expect(bytesOf(table, 0)).toEqual([...colourAt(anchors, 0)]);
    expect(bytesOf(table, MOST)).toEqual([...colourAt(anchors, 1)]);
  });
});
