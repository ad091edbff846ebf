import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { COMBINED, type Rgb } from "../src/lines/scene.ts";
import { headColour } from "../src/scale/palette.ts";

interface Wire {
  readonly heads: readonly Rgb[];
  readonly combined: Rgb;
}

const wire = JSON.parse(
  readFileSync(new URL("../../tests/wire/palette.json", import.meta.url), "utf8"),
) as Readonly<Record<"light" | "dark", Wire>>;

/** Relative luminance after WCAG 2. */
function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const contrast = (one: Rgb, other: Rgb): number => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
};

describe.each(["light", "dark"] as const)("headColour on %s", (theme) => {
  const { heads, combined } = wire[theme];
  const ground: Rgb = theme === "light" ? [255, 255, 255] : [0x11, 0x11, 0x11];

  it("gives every head the colour that Python gives it", () => {
    expect(heads.map((_, head) => headColour(head, theme))).toEqual(heads);
    expect(headColour(COMBINED, theme)).toEqual(combined);
  });

  it("stands at least 3:1 against the background", () => {
    for (const colour of [...heads, combined]) expect(contrast(colour, ground)).toBeGreaterThanOrEqual(3);
  });

  it("repeats no colour within 36 heads", () => {
    expect(new Set(heads.slice(0, 36).map(String)).size).toBe(36);
  });
});
