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
  isRightToLeft,
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
  /** Special positions are hidden, and struck through. */
  readonly hiddenSpecial: boolean;
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
const LEGEND_SIZE = 11.5;
/** Mean width of a letter in its text size, and that of a wide one. */
const LETTER = 0.54;
const WIDE_LETTER = 1;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/u;

type Point = Pick<Box, "x" | "y">;
type Place = Pick<Box, "x" | "y" | "width" | "height">;

export function stillPicture(shown: Shown, words: Words, theme: Theme): Picture {
  const { layout, scroll, axes, focus, focusEdges, base } = shown;
  const ink = INK[theme];
  const width = Math.max(LEAST_WIDTH, layout.viewport.width) + 2 * MARGIN;
  const sentence = wrap(words.sentence, (width - 2 * MARGIN) / SENTENCE_SIZE);
  const top = MARGIN + sentence.length * (SENTENCE_HEIGHT - 8) + 8 + HEADING_HEIGHT;
  const legend = words.legend.flatMap((line) => wrap(line, (width - 2 * MARGIN) / LEGEND_SIZE));
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
    texts.push({ x: MARGIN, y, align: "left", text, size: LEGEND_SIZE, colour: ink.muted });
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
  { layout, scroll, axes, colour, focus, pinned, hiddenSpecial }: Shown,
  side: Side,
  joint: Joint | undefined,
  origin: Point,
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
    const whole = boxOf(layout, place, position, offset, origin);
    const box = cut(whole, layout, origin);
    if (box.width < Math.min(whole.width, 2 * size) || box.height < whole.height / 2) continue;
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
    const label = axes[side].labels[position] ?? "";
    const special = axes[side].special.includes(position);
    const words = {
      text: fitting(label, (box.width - 10) / size),
      size,
      colour: special && !isPinned ? ink.muted : ink.text,
      bold: isPinned || active.has(position),
      struck: special && hiddenSpecial,
      rtl: isRightToLeft([label]),
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

function boxOf(layout: Layout, place: SideLayout, position: number, scroll: number, origin: Point): Place {
  const extent = place.extents[position] as number;
  const start = (place.centres[position] as number) - extent / 2 - scroll;
  if (layout.vertical) {
    return { x: origin.x + place.start, y: origin.y + start + 1, width: place.size, height: extent - 2 };
  }
  const number = 14;
  const top = place.start + (place === layout.query ? number : 0);
  return { x: origin.x + start, y: origin.y + top, width: extent, height: place.size - number };
}

/** The part of a box that is in sight. */
function cut({ x, y, width, height }: Place, { viewport }: Layout, origin: Point): Place {
  const left = Math.max(x, origin.x);
  const top = Math.max(y, origin.y);
  const right = Math.min(x + width, origin.x + viewport.width);
  const bottom = Math.min(y + height, origin.y + viewport.height);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Width of a letter in its text size; files have no font to measure with. */
const letterWidth = (letter: string): number => (WIDE.test(letter) ? WIDE_LETTER : LETTER);
const widthOf = (text: string): number => [...text].reduce((sum, letter) => sum + letterWidth(letter), 0);

/** As much of a text as fits, in its text size. */
function fitting(text: string, room: number): string {
  if (widthOf(text) <= room + LETTER) return text;
  return `${pieces(text, Math.max(WIDE_LETTER, room - LETTER))[0]}…`;
}

/** A text cut into pieces that fit, wherever they end. */
function pieces(text: string, room: number): string[] {
  const found: string[] = [];
  let width = Infinity;
  for (const letter of text) {
    const more = letterWidth(letter);
    if (width + more > room) {
      found.push("");
      width = 0;
    }
    found[found.length - 1] += letter;
    width += more;
  }
  return found;
}

/** Lines that fit, broken at spaces, and within words that don't fit a line. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((long) => pieces(long, room))) {
    if (line !== "" && widthOf(line) + LETTER + widthOf(word) > room) {
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
