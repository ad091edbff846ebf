import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Rgb } from "../src/lines/scene.ts";
import { anchorsOf, colourAt, MARKS } from "../src/scale/colormap.ts";

type Theme = "light" | "dark";
type Name = "auto" | "diverging" | "grey" | "viridis" | "cividis" | "inferno" | "image";

interface Wire {
  readonly anchors: Readonly<Record<Name, Readonly<Record<Theme, Rgb[]>>>>;
  readonly marks: Readonly<Record<Theme, Record<string, Rgb>>>;
  readonly samples: readonly { map: Name; theme: Theme; at: number; colour: Rgb }[];
}

const wire: Wire = JSON.parse(
  readFileSync(new URL("../../tests/wire/colormaps.json", import.meta.url), "utf8"),
);
const THEMES: readonly Theme[] = ["light", "dark"];
const NAMES: readonly Name[] = ["auto", "diverging", "grey", "viridis", "cividis", "inferno", "image"];
const of = (name: Name, theme: Theme) =>
  name === "diverging" ? anchorsOf("auto", true, theme) : anchorsOf(name, false, theme);

/** OKLab lightness (Ottosson 2020) of a colour, 0..1. */
function lightness(colour: Rgb): number {
  const [r, g, b] = colour.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}

describe.each(THEMES)("colour maps on %s", (theme) => {
  it.each(NAMES)("%s has the anchors that Python has", (name) => {
    expect(of(name, theme)).toEqual(wire.anchors[name][theme]);
  });

  it("mark what is no number as Python does", () => {
    const names = Object.entries(MARKS[theme]).map(([name, colour]) => [
      name.replace("Line", "_line"),
      colour,
    ]);
    expect(Object.fromEntries(names)).toEqual(wire.marks[theme]);
  });

  it.each(["auto", "grey", "viridis", "cividis", "inferno"] as const)(
    "%s grows lighter or darker all the way",
    (name) => {
      const along = Array.from({ length: 257 }, (_, i) => lightness(colourAt(of(name, theme), i / 256)));
      const sign = Math.sign((along[256] as number) - (along[0] as number));
      for (let i = 8; i < along.length; i++) {
        expect(sign * ((along[i] as number) - (along[i - 8] as number))).toBeGreaterThan(0);
      }
    },
  );

  it("run from the background of the widget", () => {
    const ground: Rgb = theme === "light" ? [255, 255, 255] : [0x17, 0x19, 0x1c];
    expect(colourAt(of("auto", theme), 0)).toEqual(ground);
    expect(colourAt(of("grey", theme), 0)).toEqual(ground);
    expect(colourAt(of("diverging", theme), 0.5)).toEqual(ground);
  });

  it("diverge to both sides alike", () => {
    for (const share of [0.125, 0.25, 0.5]) {
      const [less, more] = [0.5 - share, 0.5 + share].map((at) =>
        lightness(colourAt(of("diverging", theme), at)),
      );
      expect(Math.abs((less as number) - (more as number))).toBeLessThan(0.04);
    }
  });
});

it("gives the colours that Python gives", () => {
  for (const { map, theme, at, colour } of wire.samples) {
    expect([map, theme, at, ...colourAt(of(map, theme), at)]).toEqual([map, theme, at, ...colour]);
  }
});
