/** What the matrix has on screen, as a plain picture and as rows of numbers, for files. */

import { fitting, type Ink } from "../export/compose.ts";
import type { Row } from "../export/csv.ts";
import type { Image, Part, Text } from "../export/picture.ts";
import { type Axes, type Focus, isEmpty, pinnedFocus } from "../lines/picture.ts";
import type { Rgb } from "../lines/scene.ts";
import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import { merging } from "./field.ts";
import { HEADING, type Layout, type Sight, scaleOf } from "./layout.ts";
import type { Source } from "./source.ts";

const SIZE = 11.5;
const RAMP = { width: 160, height: 10 };
const FOOT = 40;
/** A table of more rows opens in no spreadsheet. */
const MOST_ROWS = 100_000;

export interface StillInput {
  readonly layout: Layout;
  readonly sight: Sight;
  /** Cells, and the pins over them. */
  readonly cells: readonly HTMLCanvasElement[];
  /** Totals of keys, entropies of rows. */
  readonly strips: readonly [HTMLCanvasElement, HTMLCanvasElement];
  readonly axes: Axes;
  /** Units whose labels are on screen. */
  readonly shown: Readonly<Record<Side, readonly number[]>>;
  readonly lying: boolean;
  readonly pinned: Focus;
  readonly colour: (share: number) => Rgb;
  readonly numbers: readonly [string, string, string];
  readonly title: string;
  readonly ink: Ink;
}

export function matrixPart(input: StillInput): Part {
  const { layout, sight, cells, strips, axes, shown, lying, pinned, colour, numbers, title, ink } = input;
  const { plot, gutter, top, right } = layout;
  const [x, y] = [scaleOf(sight.cols, plot.width), scaleOf(sight.rows, plot.height)];
  const image = (
    canvases: readonly HTMLCanvasElement[],
    place: Omit<Image, "canvas" | "title">,
    name: string,
  ): Image => ({
    ...place,
    canvas: copy(canvases),
    title: name,
  });
  const texts: Text[] = [
    {
      x: gutter - 8,
      y: top.y + 5 + HEADING,
      align: "right",
      text: "target · query ↓",
      size: 11,
      colour: ink.muted,
    },
    {
      x: gutter - 8,
      y: top.y + 5,
      align: "right",
      text: "source · key →",
      size: 11,
      colour: ink.muted,
    },
  ];
  const held: Readonly<Record<Side, ReadonlySet<number>>> = {
    query: new Set(pinned.query),
    key: new Set(pinned.key),
  };
  const label = (side: Side, position: number) => {
    const bold = held[side].has(position);
    const special = axes[side].special.includes(position);
    return {
      text: axes[side].labels[position] ?? "",
      size: SIZE,
      bold,
      colour: special && !bold ? ink.muted : ink.text,
    };
  };
  for (const row of shown.query) {
    const { text, ...rest } = label("query", row);
    const at = plot.y + y.at(row + 0.5) + SIZE * 0.36;
    texts.push({ ...rest, x: gutter - 8, y: at, align: "right", text: fitting(text, (gutter - 12) / SIZE) });
  }
  for (const col of shown.key) {
    const { text, ...rest } = label("key", col);
    const at = plot.x + x.at(col + 0.5);
    const foot = top.y - 5;
    if (lying) texts.push({ ...rest, x: at, y: foot, align: "center", text: fitting(text, x.cell / SIZE) });
    else {
      const cut = fitting(text, (layout.band - 8) / SIZE);
      texts.push({ ...rest, x: at + SIZE * 0.36, y: foot, align: "left", text: cut, turned: true });
    }
  }
  const foot = plot.y + plot.height + 12;
  numbers.forEach((text, at) => {
    const align = (["left", "center", "right"] as const)[at] ?? "left";
    texts.push({
      x: plot.x + (at * RAMP.width) / 2,
      y: foot + RAMP.height + 13,
      align,
      text,
      size: 10.5,
      colour: ink.muted,
    });
  });
  return {
    width: Math.max(layout.width, plot.x + RAMP.width),
    height: plot.y + plot.height + FOOT,
    lines: [],
    images: [
      image(cells, plot, title),
      image([strips[0]], top, "totals of the keys"),
      image([strips[1]], right, "entropy of the rows"),
      {
        x: plot.x,
        y: foot,
        ...RAMP,
        canvas: ramp(colour),
        title: `colours from ${numbers[0]} to ${numbers[2]}`,
      },
    ],
    boxes: [],
    texts,
  };
}

/** The picture is painted later, when the screen may show something else. */
function copy(canvases: readonly HTMLCanvasElement[]): HTMLCanvasElement {
  const made = document.createElement("canvas");
  made.width = canvases[0]?.width ?? 1;
  made.height = canvases[0]?.height ?? 1;
  const context = made.getContext("2d");
  for (const canvas of canvases) context?.drawImage(canvas, 0, 0);
  return made;
}

function ramp(colour: (share: number) => Rgb): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = 2 * RAMP.width;
  canvas.height = 2 * RAMP.height;
  const context = canvas.getContext("2d");
  for (let x = 0; context && x < canvas.width; x++) {
    const [red, green, blue] = colour(x / (canvas.width - 1));
    context.fillStyle = `rgb(${red} ${green} ${blue})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
  return canvas;
}

/** The weights of what is pinned, else of what is in sight, as far as they are here. */
export function matrixRows(source: Source, state: State, sight: Sight): Row[] {
  const { axes, heads, content } = source;
  if (heads.length === 0 || !content) return [];
  const pinned = pinnedFocus(state, axes);
  const seen = ([start, end]: readonly [number, number], count: number) => {
    const first = Math.max(0, Math.floor(start + 1e-6));
    return Array.from({ length: Math.min(count, Math.ceil(end - 1e-6)) - first }, (_, at) => first + at);
  };
  const every = (count: number) => seen([0, count], count);
  const free = isEmpty(pinned);
  const rows =
    pinned.query.length > 0
      ? pinned.query
      : free
        ? seen(sight.rows, axes.query.count)
        : every(axes.query.count);
  const cols =
    pinned.key.length > 0 ? pinned.key : free ? seen(sight.cols, axes.key.count) : every(axes.key.count);
  const head = heads.length === 1 ? (heads[0] as number) : merging(state.combine);
  const found: Row[] = [];
  const add = (row: number, col: number, weight: number) => {
    const [query, key] = [axes.query.starts[row] as number, axes.key.starts[col] as number];
    const [queryLabel, keyLabel] = [axes.query.labels[row] ?? "", axes.key.labels[col] ?? ""];
    found.push({ layer: state.layer, head, query, queryLabel, key, keyLabel, weight });
  };
  // Where only keys are pinned their columns are what is here.
  const byColumn = pinned.query.length === 0 && pinned.key.length > 0;
  for (const outer of byColumn ? cols : rows) {
    const weights = source.row(byColumn ? "key" : "query", outer, !free);
    if (!weights) continue;
    for (const inner of byColumn ? rows : cols) {
      if (found.length >= MOST_ROWS) return found;
      if (byColumn) add(inner, outer, weights[inner] as number);
      else add(outer, inner, weights[inner] as number);
    }
  }
  return found;
}
