/** Hatching of what is no small weight: unseen, padding, set aside, missing, masked, infinite. */

import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { MARKS } from "../scale/colormap.ts";
import type { Theme } from "../theme.ts";

export type Hatch = "unseen" | "padding" | "aside" | "missing" | "masked" | "infinite";

interface Look {
  readonly fill: Rgb;
  /** 0..1, of the fill. */
  readonly opacity: number;
  readonly line: Rgb;
  /** After so many pixels the lines repeat. */
  readonly period: number;
  /** Whether a line runs through a pixel of a tile with its period. */
  readonly on: (x: number, y: number, period: number) => boolean;
}

const falling = (x: number, y: number, period: number) => (x - y + period) % period === 0;
const rising = (x: number, y: number, period: number) => (x + y) % period === 0;

function lookOf(kind: Hatch, theme: Theme): Look {
  const marks = MARKS[theme];
  const { surface, muted } = INK[theme];
  switch (kind) {
    case "unseen":
      return { fill: surface, opacity: 0.62, line: muted, period: 8, on: rising };
    case "padding":
      return { fill: marks.masked, opacity: 1, line: marks.maskedLine, period: 6, on: falling };
    case "aside":
      return { fill: marks.masked, opacity: 0.75, line: muted, period: 6, on: falling };
    case "masked":
      return { fill: marks.masked, opacity: 0.8, line: marks.maskedLine, period: 7, on: rising };
    case "missing": {
      const on: Look["on"] = (x, y, period) => rising(x, y, period) || falling(x, y, period);
      return { fill: marks.missing, opacity: 1, line: marks.missingLine, period: 5, on };
    }
    case "infinite":
      return {
        fill: marks.infinite,
        opacity: 1,
        line: marks.infiniteLine,
        period: 4,
        on: (x, y) => x + y === 0,
      };
  }
}

/** A pattern in device pixels, whose lines are as wide as a CSS pixel. */
export function hatchOf(
  context: CanvasRenderingContext2D,
  kind: Hatch,
  theme: Theme,
  ratio: number,
): CanvasPattern | null {
  const { fill, opacity, line, period, on } = lookOf(kind, theme);
  const wide = Math.max(1, Math.round(ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = period * wide;
  const image = new ImageData(tile.width, tile.height);
  for (let y = 0, at = 0; y < tile.height; y++) {
    for (let x = 0; x < tile.width; x++, at += 4) {
      const lined = on(Math.floor(x / wide), Math.floor(y / wide), period);
      image.data.set(lined ? line : fill, at);
      image.data[at + 3] = lined ? 255 : 255 * opacity;
    }
  }
  tile.getContext("2d")?.putImageData(image, 0, 0);
  return context.createPattern(tile, "repeat");
}
