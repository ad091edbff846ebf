/** What the heads view has on screen, as a part of a picture, and the weights of the heads chosen. */

import { type Content, labelOf } from "../content.ts";
import { INK } from "../export/compose.ts";
import type { Row } from "../export/csv.ts";
import type { Part, Text } from "../export/picture.ts";
import type { Rgb } from "../lines/scene.ts";
import type { Weights } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Atlas } from "./atlas.ts";
import { cellsIn, type Grid, labelStep, linesIn, placeOf } from "./layout.ts";

export interface Shown {
  readonly grid: Grid;
  readonly atlas: Atlas;
  readonly theme: Theme;
  readonly title: string;
  /** The part of the content that is in sight. */
  readonly range: readonly [top: number, bottom: number];
  readonly chosen: readonly (readonly [cell: number, colour: Rgb])[];
  label(cell: number): string | null;
  lineLabel(line: number): string;
  /** Names of the columns; empty where they have none. */
  readonly names: readonly (readonly [x: number, text: string])[];
}

const AXIS = 16;
const SIZE = 11;

export function stillPart({ grid, atlas, theme, title, range, ...shown }: Shown): Part {
  const [scroll, bottom] = range;
  const seen = bottom - scroll;
  const { muted } = INK[theme];
  const { ratio } = atlas;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(grid.width * ratio));
  canvas.height = Math.max(1, Math.round(seen * ratio));
  const context = canvas.getContext("2d");
  for (const [y, band] of atlas.inSight()) context?.drawImage(band, 0, Math.round((y - scroll) * ratio));
  const at = (cell: number) => {
    const { x, y } = placeOf(grid, cell);
    return { x, y: AXIS + y - scroll };
  };
  const inSight = (y: number) => y >= AXIS && y <= AXIS + seen;
  const texts: Text[] = shown.names.map(([x, text]) => ({
    ...{ x, y: 11, align: "center", text, size: SIZE, colour: muted },
  }));
  const [first, last] = linesIn(grid, scroll, scroll + seen);
  const step = labelStep(grid.pitch.y, 14);
  for (let line = first; grid.perLayer > 0 && line < last; line++) {
    const y = AXIS + line * grid.pitch.y - scroll + grid.box.height / 2 + 4;
    if (line % step !== 0 || !inSight(y)) continue;
    texts.push({ x: 26, y, align: "right", text: shown.lineLabel(line), size: SIZE, colour: muted });
  }
  for (const cell of cellsIn(grid, first, last)) {
    const text = shown.label(cell);
    const { x, y } = at(cell);
    const base = y + grid.box.height + 11;
    if (text && inSight(base)) texts.push({ x, y: base, align: "left", text, size: SIZE, colour: muted });
  }
  const boxes = shown.chosen
    .map(([cell, stroke]) => ({ ...at(cell), stroke }))
    .filter(({ y }) => inSight(y) && inSight(y + grid.box.height))
    .map(({ x, y, stroke }) => ({
      ...{ x: x - 1, y: y - 1, width: grid.box.width + 2, height: grid.box.height + 2 },
      ...{ radius: 2, fill: null, opacity: 0, stroke },
    }));
  const image = { x: 0, y: AXIS, width: grid.width, height: seen, title, canvas };
  return { width: grid.width, height: AXIS + seen, lines: [], images: [image], boxes, texts };
}

/** Every weight of some heads of a layer. */
export function stillRows(
  { queries, keys }: Content,
  layer: number,
  heads: readonly number[],
  weights: Weights,
): Row[] {
  return heads.flatMap((head) => {
    const start = head * weights.queries * weights.keys;
    return Array.from({ length: weights.queries * weights.keys }, (_, i) => {
      const [query, key] = [Math.floor(i / weights.keys), i % weights.keys];
      const weight = weights.values[start + i] as number;
      return {
        layer,
        head,
        query,
        queryLabel: labelOf(queries, query),
        key,
        keyLabel: labelOf(keys, key),
        weight,
      };
    });
  });
}
