/** What the lines view has on screen, as a plain picture and as rows of numbers, for files. */

import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Row } from "./csv.ts";
import type { Selection } from "./edges.ts";
import type { Box, LineGroup, Picture, Text } from "./export.ts";
import {
  fontSize,
  geometryOf,
  LABEL_PITCH,
  type Layout,
  legible,
  type SideLayout,
  visible,
} from "./layout.ts";
import { type Axes, type Focus, isEmpty, jointsOf } from "./picture.ts";
import type { Joint } from "./reading.ts";
import { COMBINED, type Edges, type Fog, type Rgb } from "./scene.ts";
import { LEAST_NUMBER, MOST_TINT, shortNumber } from "./tokens.ts";

/** What the view shows, see `LinesView.shown`. */
export interface Shown {
  readonly layout: Layout;
  readonly scroll: number;
  readonly axes: Axes;
  /** All lines, where they are drawn. */
  readonly base: Selection | undefined;
  readonly fog: Fog | undefined;
  readonly focus: Focus;
  readonly pinned: Focus;
  readonly focusEdges: Edges | undefined;
  readonly links: readonly (readonly [query: number, key: number])[];
  readonly colour: (head: number) => Rgb;
  /** The exact label of a position. */
  readonly label: (side: Side, position: number) => string;
}

/** What stands around the view. */
export interface Words {
  readonly title: string;
  readonly sentence: string;
  readonly legend: readonly string[];
  readonly font: string;
}

const INK: Readonly<Record<Theme, { text: Rgb; muted: Rgb; surface: Rgb; accent: Rgb; soft: Rgb }>> = {
  light: {
    text: [31, 35, 40],
    muted: [91, 100, 112],
    surface: [255, 255, 255],
    accent: [0, 114, 178],
    soft: [219, 234, 244],
  },
  dark: {
    text: [230, 232, 235],
    muted: [154, 163, 174],
    surface: [23, 25, 28],
    accent: [86, 180, 233],
    soft: [29, 58, 77],
  },
};

/** Opacity of the lines around a focus, as in widget.css. */
const CONTEXT_OPACITY = 0.16;
const MARGIN = 12;
const SENTENCE_HEIGHT = 26;
const HEADING_HEIGHT = 18;
const LEGEND_LINE = 17;
const LEAST_WIDTH = 420;
const SENTENCE_SIZE = 13;
/** Mean width of a letter in its text size. */
const LETTER = 0.54;

export function stillPicture(shown: Shown, words: Words, theme: Theme): Picture {
  const { layout, scroll, axes, focus, focusEdges, base } = shown;
  const ink = INK[theme];
  const width = Math.max(LEAST_WIDTH, layout.viewport.width) + 2 * MARGIN;
  const perLine = Math.floor((width - 2 * MARGIN) / (SENTENCE_SIZE * LETTER));
  const sentence = wrap(words.sentence, perLine);
  const top = MARGIN + sentence.length * (SENTENCE_HEIGHT - 8) + 8 + HEADING_HEIGHT;
  const legend = words.legend.flatMap((line) => wrap(line, Math.floor(perLine * 1.15)));
  const below = top + layout.viewport.height + 10;
  const height = below + legend.length * LEGEND_LINE + MARGIN;

  const boxes: Box[] = [];
  const texts: Text[] = [];
  sentence.forEach((text, i) => {
    const y = MARGIN + 12 + i * (SENTENCE_HEIGHT - 8);
    texts.push({ x: MARGIN, y, align: "left", text, size: SENTENCE_SIZE, colour: ink.text });
  });
  legend.forEach((text, i) => {
    const y = below + 12 + i * LEGEND_LINE;
    texts.push({ x: MARGIN, y, align: "left", text, size: 11.5, colour: ink.muted });
  });
  const joints = focusEdges ? jointsOf(focusEdges, focus, axes) : {};
  for (const side of ["query", "key"] as const) {
    headings(shown, side, top, ink.muted, texts);
    tokens(shown, side, joints[side], { x: MARGIN, y: top }, ink, boxes, texts);
  }
  const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
  const { start, size } = layout.band;
  const window = layout.vertical
    ? { left: start - 6, top: scroll, width: size + 12, height: seen }
    : { left: scroll, top: start - 6, width: seen, height: size + 12 };
  const faint = !isEmpty(focus);
  const groups: LineGroup[] = [];
  if (base) {
    groups.push({
      name: faint ? "context" : "lines",
      edges: base.edges,
      fog: shown.fog,
      opacity: faint ? CONTEXT_OPACITY : 1,
      total: base.total,
    });
  }
  if (focusEdges) groups.push({ name: "in focus", edges: focusEdges, opacity: 1, total: base?.total ?? 0 });
  return {
    title: words.title,
    width,
    height,
    background: ink.surface,
    font: words.font,
    lines: {
      x: MARGIN + (layout.vertical ? window.left : 0),
      y: top + (layout.vertical ? 0 : window.top),
      window,
      geometry: geometryOf(layout, scroll),
      colour: shown.colour,
      groups,
      links: shown.links,
      linkColour: ink.text,
    },
    boxes,
    texts,
    sentence: words.sentence,
    notes: words.legend,
  };
}

function headings({ layout }: Shown, side: Side, top: number, colour: Rgb, texts: Text[]): void {
  const text = side === "query" ? "target · query" : "source · key";
  const place = layout[side];
  if (layout.vertical) {
    const query = side === "query";
    const x = MARGIN + (query ? place.start + place.size - 7 : place.start + 7);
    texts.push({ x, y: top - 6, align: query ? "right" : "left", text, size: 11, colour });
  } else if (side === "query") {
    texts.push({
      x: MARGIN,
      y: top - 6,
      align: "left",
      text: `${text} above, source · key below`,
      size: 11,
      colour,
    });
  }
}

function tokens(
  { layout, scroll, axes, colour, focus, pinned }: Shown,
  side: Side,
  joint: Joint | undefined,
  origin: { x: number; y: number },
  ink: (typeof INK)["light"],
  boxes: Box[],
  texts: Text[],
): void {
  if (layout.pitch < LABEL_PITCH) return;
  const place = layout[side];
  const size = fontSize(layout.pitch);
  const offset = place.sticky ? 0 : scroll;
  const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
  const [first, last] = visible(place, offset, offset + seen);
  const locked = new Set(pinned[side]);
  const active = new Set(focus[side]);
  const numbered = joint ? legible(layout, place, joint.strengths, LEAST_NUMBER) : new Set<number>();
  for (let position = first; position < last; position++) {
    const box = boxOf(layout, place, position, offset, origin);
    const tint = joint?.strengths[position] ?? 0;
    const isPinned = locked.has(position);
    if (tint > 0) {
      const fill = colour(joint?.heads[position] ?? COMBINED);
      boxes.push({
        ...box,
        radius: 4,
        fill,
        opacity: tint * MOST_TINT,
        stroke: isPinned ? ink.accent : null,
      });
    } else if (isPinned) {
      boxes.push({ ...box, radius: 4, fill: ink.soft, opacity: 1, stroke: ink.accent });
    }
    const middle = box.y + box.height / 2 + size * 0.36;
    const room = Math.max(1, Math.floor((box.width - 10) / (size * LETTER)));
    const label = axes[side].labels[position] ?? "";
    const text = label.length > room + 2 ? `${label.slice(0, room)}…` : label;
    const special = axes[side].special.includes(position);
    const words = {
      text,
      size,
      colour: special ? ink.muted : ink.text,
      bold: isPinned || active.has(position),
    };
    const align = layout.vertical ? (side === "query" ? "right" : "left") : "center";
    const x =
      align === "right" ? box.x + box.width - 7 : align === "left" ? box.x + 7 : box.x + box.width / 2;
    texts.push({ x, y: middle, align, ...words });
    if (!numbered.has(position)) continue;
    const number = { text: shortNumber(joint?.weights[position] ?? 0), size: 11, colour: ink.muted };
    if (!layout.vertical) {
      texts.push({ x, y: side === "query" ? box.y - 3 : box.y + box.height + 11, align, ...number });
    } else if (side === "query") texts.push({ x: box.x - 5, y: middle, align: "right", ...number });
    else texts.push({ x: box.x + box.width + 5, y: middle, align: "left", ...number });
  }
}

function boxOf(
  layout: Layout,
  place: SideLayout,
  position: number,
  scroll: number,
  origin: { x: number; y: number },
): { x: number; y: number; width: number; height: number } {
  const extent = place.extents[position] as number;
  const start = (place.centres[position] as number) - extent / 2 - scroll;
  if (layout.vertical) {
    return { x: origin.x + place.start, y: origin.y + start + 1, width: place.size, height: extent - 2 };
  }
  const number = 14;
  const top = place.start + (place === layout.query ? number : 0);
  return { x: origin.x + start, y: origin.y + top, width: extent, height: place.size - number };
}

/** Lines of at most `most` letters, broken at spaces. */
function wrap(text: string, most: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > most) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

/** The weights on screen: those in focus, or all lines; positions are those of a unit's first token. */
export function stillRows({ axes, base, focusEdges, label }: Shown, state: State): Row[] {
  const edges = focusEdges ?? base?.edges;
  if (!edges) return [];
  return Array.from({ length: edges.count }, (_, i) => {
    const query = edges.query[i] as number;
    const key = edges.key[i] as number;
    const head = edges.head[i] as number;
    return {
      layer: state.layer,
      head: head === COMBINED ? state.combine : head,
      query: axes.query.starts[query] as number,
      queryLabel: label("query", query),
      key: axes.key.starts[key] as number,
      keyLabel: label("key", key),
      weight: edges.weight[i] as number,
    };
  });
}
