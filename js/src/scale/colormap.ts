/**
 * Colour maps: evenly spaced anchors between which the channels run linearly. Python's figures use the same;
 * `tests/wire/colormaps.json` holds both to it.
 *
 * "auto" and "grey" run from the background to ink in steps that look even (OKLab), "diverging" from orange
 * through the background to blue; viridis, inferno and cividis are samples of the maps published under
 * these names (van der Walt & Smith 2015; Nuñez, Anderton & Renslow 2018). None is a rainbow, all read without colour vision.
 */

import type { Rgb } from "../lines/scene.ts";
import type { State } from "../model.ts";
import type { Theme } from "../theme.ts";

export type Anchors = readonly Rgb[];

const both = (hex: string): Readonly<Record<Theme, Anchors>> => {
  const anchors = read(hex);
  return { light: anchors, dark: anchors };
};

const read = (hex: string): Anchors =>
  hex.split(" ").map((colour) => {
    const bits = Number.parseInt(colour, 16);
    return [bits >> 16, (bits >> 8) & 255, bits & 255] as const;
  });

/** Those of the state, and what "auto" means of signed values and on an image. */
type Name = State["colormap"] | "diverging" | "image";

const MAPS: Readonly<Record<Name, Readonly<Record<Theme, Anchors>>>> = {
  auto: {
    light: read("ffffff cce7f8 99cdf0 70b0df 4893ce 2175bb 1e5896 173d72 0d244f"),
    dark: read("17191c 1e2f44 1f476f 286294 3a80b4 4ba0d5 72bee5 a3daf0 d5f5fd"),
  },
  diverging: {
    light: read(
      "601a08 802e12 a1441c c35b25 d57d47 e59f6c f4c094 fbe0ca ffffff " +
        "d0e9f9 a0d2f3 7ab8e5 549dd6 3182c5 2666a5 1a4c86 0f3467",
    ),
    dark: read(
      "fad8ab edb57c e29151 c8723a a8572c 883e1e 5f3219 392518 17191c " +
        "1f2e3f 254466 295d8d 3778ab 4695ca 60b2e1 8ccdea bae7f5",
    ),
  },
  grey: {
    light: read("ffffff dedede bebebe 9e9e9e 808080 636363 484848 2e2e2e 161616"),
    dark: read("17191c 2d3032 464a49 616462 7e7f7d 9c9c9a babab9 d9d8d8 f8f8f8"),
  },
  viridis: both(
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c " +
      "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  ),
  cividis: both(
    "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 " +
      "8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838",
  ),
  // Inferno without its darkest quarter, which would look like shadow on an image.
  image: both("57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4"),
  inferno: both(
    "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 " +
      "bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
  ),
};

/** Fill and hatching of cells that hold no finite number. */
export interface Marks {
  readonly masked: Rgb;
  readonly maskedLine: Rgb;
  readonly missing: Rgb;
  readonly missingLine: Rgb;
  readonly infinite: Rgb;
  readonly infiniteLine: Rgb;
}

export const MARKS: Readonly<Record<Theme, Marks>> = {
  light: {
    masked: [238, 240, 243],
    maskedLine: [221, 225, 230],
    missing: [228, 228, 228],
    missingLine: [138, 138, 138],
    infinite: [204, 0, 122],
    infiniteLine: [255, 255, 255],
  },
  dark: {
    masked: [36, 40, 46],
    maskedLine: [52, 57, 65],
    missing: [58, 58, 58],
    missingLine: [150, 150, 150],
    infinite: [232, 62, 160],
    infiniteLine: [23, 25, 28],
  },
};

/** The anchors of a map; of `signed` values they run from the most negative to the most positive. */
export const anchorsOf = (name: Name, signed: boolean, theme: Theme): Anchors =>
  MAPS[signed && name === "auto" ? "diverging" : name][theme];

/** The colour at a share of the way, 0..1, along some anchors. */
export function colourAt(anchors: Anchors, share: number): Rgb {
  const place = Math.max(0, Math.min(1, share)) * (anchors.length - 1);
  const before = Math.min(anchors.length - 2, Math.floor(place));
  const [from, to] = [anchors[before] as Rgb, anchors[before + 1] as Rgb];
  const channel = (at: 0 | 1 | 2) => Math.floor(from[at] + (to[at] - from[at]) * (place - before) + 0.5);
  return [channel(0), channel(1), channel(2)];
}
