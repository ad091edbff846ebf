/**
 * One hue a head, the same in every view. Python's `figure/palette.py` holds the same list and says where
 * it comes from; `tests/wire/palette.json` holds both to it.
 */

import { COMBINED, type Rgb } from "../lines/scene.ts";
import type { Theme } from "../theme.ts";

/** Twelve hues without repetition, each at least 3:1 against its background. */
const HEADS: Readonly<Record<Theme, readonly Rgb[]>> = {
  light: [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [190, 114, 166],
    [136, 95, 16],
    [0, 80, 118],
    [133, 133, 68],
    [43, 112, 97],
    [107, 72, 218],
    [116, 13, 49],
    [96, 119, 219],
    [111, 90, 140],
  ],
  dark: [
    [86, 180, 233],
    [230, 106, 26],
    [0, 179, 134],
    [206, 116, 178],
    [231, 159, 1],
    [150, 201, 236],
    [233, 231, 72],
    [56, 143, 125],
    [122, 82, 250],
    [251, 133, 158],
    [121, 146, 237],
    [141, 99, 191],
  ],
};

/** Heads merged by mean or max: no head's hue. */
const MERGED: Readonly<Record<Theme, Rgb>> = { light: [61, 72, 85], dark: [201, 209, 217] };

/** What the next twelve heads are mixed with: away from the background. */
const STRONG: Readonly<Record<Theme, Rgb>> = { light: [0, 0, 0], dark: [255, 255, 255] };
const GREY: Rgb = [128, 128, 128];

/**
 * The colour of a head. Twelve heads have a hue each; the next twelve repeat the hues away from the
 * background (darker on light, lighter on dark), twelve more repeat them greyed; then it begins again.
 */
export function headColour(head: number, theme: Theme): Rgb {
  if (head === COMBINED) return MERGED[theme];
  const heads = HEADS[theme];
  const hue = heads[head % heads.length] as Rgb;
  const turn = Math.floor(head / heads.length) % 3;
  if (turn === 0) return hue;
  return turn === 1 ? mixed(hue, STRONG[theme], 45) : mixed(hue, GREY, 60);
}

/** A mixture in whole numbers, so that both languages round alike. */
function mixed(colour: Rgb, other: Rgb, percent: number): Rgb {
  const channel = (at: 0 | 1 | 2) =>
    Math.floor((colour[at] * (100 - percent) + other[at] * percent + 50) / 100);
  return [channel(0), channel(1), channel(2)];
}
