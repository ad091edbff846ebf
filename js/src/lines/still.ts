/** What the lines view has on screen, as a part of a picture and as rows of numbers, for files. */

import { fitting, INK, type Ink } from "../export/compose.ts";
import type { Row } from "../export/csv.ts";
import type { Box, LineGroup, Part, Text } from "../export/picture.ts";
import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Selection } from "./edges.ts";
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

/** Opacity of the lines around a focus, as in widget.css. */
const CONTEXT_OPACITY = 0.16;
const HEADING_HEIGHT = 18;

type Point = Pick<Box, "x" | "y">;
type Place = Pick<Box, "x" | "y" | "width" | "height">;

/** The view as it is on screen: its headings, tokens and lines. */
export function stillPart(shown: Shown, theme: Theme): Part {
  const { layout, scroll, axes, focus, focusEdges, base } = shown;
  const ink = INK[theme];
  const top = HEADING_HEIGHT;
  const boxes: Box[] = [];
  const texts: Text[] = [];
  const joints = focusEdges ? jointsOf(focusEdges, focus, axes) : {};
  for (const side of ["query", "key"] as const) {
    headings(shown, side, top, ink.muted, texts);
    tokens(shown, side, joints[side], { x: 0, y: top }, ink, boxes, texts);
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
  const area = {
    x: layout.vertical ? window.left : 0,
    y: top + (layout.vertical ? 0 : window.top),
    window,
    geometry: geometryOf(layout, scroll),
    colour: shown.colour,
    groups,
    links: shown.links,
    linkColour: ink.text,
  };
  const { width, height } = layout.viewport;
  return { width, height: top + height, lines: [area], images: [], boxes, texts };
}

function headings({ layout }: Shown, side: Side, top: number, colour: Rgb, texts: Text[]): void {
  const text = side === "query" ? "target · query" : "source · key";
  const place = layout[side];
  if (layout.vertical) {
    const query = side === "query";
    const x = query ? place.start + place.size - 7 : place.start + 7;
    texts.push({ x, y: top - 6, align: query ? "right" : "left", text, size: 11, colour });
  } else if (side === "query") {
    texts.push({
      x: 0,
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
  ink: Ink,
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
