import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatWeight, fullValue, legendOf, type Scale, strengthOf } from "../src/scale/scale.ts";

const SCALES: readonly Scale[] = ["absolute", "row", "sqrt", "log", "times_uniform"];
const wire = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../tests/wire/${name}`, import.meta.url), "utf8"));

/** Magnitudes of all sizes, the same in every run. */
function* magnitudes(count: number): Generator<number> {
  let state = 7;
  for (let i = 0; i < count; i++) {
    state = (state * 1664525 + 1013904223) >>> 0;
    yield 10 ** ((state / 2 ** 32) * 12 - 9);
  }
}

describe("strengthOf", () => {
  const context = { full: 1, rowMost: 0.5, keys: 20 };

  it.each<[Scale, number, number]>([
    ["absolute", 0.25, 0.25],
    ["absolute", -0.25, 0.25],
    ["row", 0.25, 0.5],
    ["sqrt", 0.25, 0.5],
    ["log", 1, 1],
    ["log", 0.01, 0.5],
    ["log", 0.0001, 0],
    ["log", 0.00001, 0],
    ["times_uniform", 0.05, 0.1],
    ["times_uniform", 0.5, 1],
    ["times_uniform", 0.9, 1],
  ])("%s of %d is %d", (scale, weight, strength) => {
    expect(strengthOf(weight, scale, context)).toBeCloseTo(strength, 12);
  });

  it.each(SCALES)("%s lies in 0..1, never falls with the magnitude and drops signs", (scale) => {
    const sorted = [...magnitudes(20_000)].sort((a, b) => a - b);
    let before = 0;
    for (const magnitude of sorted) {
      const strength = strengthOf(magnitude, scale, context);
      if (!(strength >= before && strength <= 1)) expect.fail(`${scale} of ${magnitude} is ${strength}`);
      if (strengthOf(-magnitude, scale, context) !== strength) expect.fail(`${scale} of ${-magnitude}`);
      before = strength;
    }
    expect(strengthOf(0, scale, context)).toBe(0);
  });

  it.each(SCALES)("%s keeps NaN and draws infinities in full", (scale) => {
    expect(strengthOf(Number.NaN, scale, context)).toBeNaN();
    expect(strengthOf(Number.NaN, scale, { ...context, rowMost: 0 })).toBeNaN();
    expect(strengthOf(Infinity, scale, context)).toBe(1);
    expect(strengthOf(-Infinity, scale, context)).toBe(1);
  });

  it("gives an all-zero row no strength", () => {
    expect(strengthOf(0, "row", { full: 1, rowMost: 0, keys: 3 })).toBe(0);
  });
});

describe("fullValue", () => {
  it("draws weights against 1 unless some exceed it", () => {
    expect(fullValue(0.4, "weight")).toBe(1);
    expect(fullValue(1.7, "weight")).toBe(1.7);
  });

  it("draws other kinds against their largest", () => {
    expect(fullValue(0.4, "difference")).toBe(0.4);
    expect(fullValue(12, "score")).toBe(12);
    expect(fullValue(0, "norm")).toBe(1);
  });
});

describe("formatWeight", () => {
  it.each(wire("format.json") as [number | string, string][])("writes %s as %s", (value, text) => {
    expect(formatWeight(Number(value))).toBe(text);
  });

  it("stays within half a unit of the third digit, and within three digits", () => {
    for (const magnitude of magnitudes(20_000)) {
      const text = formatWeight(magnitude);
      const error = Math.abs(Number(text) - magnitude) / 10 ** Math.floor(Math.log10(magnitude));
      if (!(error <= 0.005 + 1e-9)) expect.fail(`${magnitude} reads ${text}`);
      const digits = text.split("e")[0]?.replace(".", "").replace(/^0+/, "").replace(/0+$/, "") ?? "";
      if (digits.length > 3) expect.fail(`${magnitude} reads ${text}`);
      if (formatWeight(-magnitude) !== `−${text}`) expect.fail(`−${magnitude}`);
    }
  });
});

describe("legendOf", () => {
  it.each<[Scale, number, string]>([
    ["absolute", 1, "0 – 1, absolute"],
    ["absolute", 1.7, "0 – 1.7, absolute"],
    ["row", 1, "0 – 1, share of the row's largest"],
    ["sqrt", 1, "0 – 1, square root"],
    ["log", 1, "0.0001 – 1, logarithmic; below 0.0001 nothing is drawn"],
    ["times_uniform", 1, "0 – 10, times uniform; 10 and more look alike"],
  ])("names the ends of %s up to %d", (scale, full, text) => {
    expect(legendOf(scale, "weight", full)).toBe(text);
  });

  it("says that signed kinds are drawn by magnitude", () => {
    expect(legendOf("absolute", "difference", 0.25)).toBe("0 – 0.25, magnitude, absolute");
  });
});
