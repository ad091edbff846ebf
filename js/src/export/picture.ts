/** What is on screen as a plain description, free of the DOM: `svg.ts` and `png.ts` draw it again. */
import type { Viewport } from "../lines/composite.ts";
import { lineWidth } from "../lines/ink.ts";
import type { Edges, Fog, Geometry, Rgb } from "../lines/scene.ts";

/** What one view has on screen, in CSS pixels from its left top. */
export interface Part {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly LineArea[];
  /** Drawn over the lines. */
  readonly images: readonly Image[];
  /** Drawn over the images and under the text: tints, frames of tokens, rulers. */
  readonly boxes: readonly Box[];
  readonly texts: readonly Text[];
}

/** A still picture of all views, with what is said around them. */
export interface Picture extends Part {
  /** A name for it, read out and shown as a tooltip. */
  readonly title: string;
  readonly background: Rgb;
  /** CSS font families, a generic one last. */
  readonly font: string;
  /** What the picture says in words. */
  readonly sentence: string;
  /** What it leaves out and why: filters, missing weights. */
  readonly notes: readonly string[];
}

/** Lines seen through a window of the content. */
export interface LineArea {
  /** Where the left top of the window lies in the picture. */
  readonly x: number;
  readonly y: number;
  /** The part of the content that is seen; lines are cut at its edges. */
  readonly window: Omit<Viewport, "ratio">;
  readonly geometry: Geometry;
  readonly colour: (head: number) => Rgb;
  /** Drawn in this order, each over the ones before. */
  readonly groups: readonly LineGroup[];
  readonly links: readonly (readonly [query: number, key: number])[];
  readonly linkColour: Rgb;
}

/** Lines drawn with one emphasis: the context faintly, what is pinned in full. */
export interface LineGroup {
  /** "pinned", "context", "lines": what a description calls them. */
  readonly name: string;
  readonly edges: Edges;
  readonly fog?: Fog | undefined;
  /** 0..1, over the opacity that the strengths give. */
  readonly opacity: number;
  /** Weight of everything the lines are chosen from: sum of finite magnitudes. */
  readonly total: number;
}

/** Pixels that stay pixels, such as cells of a matrix. */
export interface Image {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** What it shows, in words. */
  readonly title: string;
  readonly canvas: HTMLCanvasElement;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly radius: number;
  readonly fill: Rgb | null;
  /** 0..1, of the fill. */
  readonly opacity: number;
  readonly stroke: Rgb | null;
}

export interface Text {
  /** The left end, middle or right end of the text, as `align` says, and its baseline. */
  readonly x: number;
  readonly y: number;
  readonly align: "left" | "center" | "right";
  readonly text: string;
  readonly size: number;
  readonly colour: Rgb;
  readonly bold?: boolean;
  readonly struck?: boolean;
  /** Written upwards, turned about its place. */
  readonly turned?: boolean;
  /** Written from right to left. */
  readonly rtl?: boolean;
}

/** More paths make files that editors can't open. */
export const MOST_PATHS = 20_000;

/**
 * Chooses the lines of each group that a file holds: of more than `limit` in sight the strongest, those of
 * later groups first.
 *
 * @returns Indices into each group's edges, weakest first, so that strong lines lie on top.
 */
export function chooseLines({ groups, geometry, window }: LineArea, limit = MOST_PATHS): number[][] {
  let room = limit;
  const chosen = groups.map((): number[] => []);
  for (const [i, { edges }] of [...groups.entries()].reverse()) {
    const strength = (edge: number) => edges.strength[edge] as number;
    const seen: number[] = [];
    for (let edge = 0; edge < edges.count; edge++) {
      if (strength(edge) > 0 && isSeen(edges, edge, geometry, window)) seen.push(edge);
    }
    seen.sort((a, b) => strength(a) - strength(b));
    chosen[i] = seen.slice(Math.max(0, seen.length - room));
    room = Math.max(0, room - seen.length);
  }
  return chosen;
}

function isSeen(edges: Edges, edge: number, geometry: Geometry, window: LineArea["window"]): boolean {
  const query = geometry.query[edges.query[edge] as number] as number;
  const key = geometry.key[edges.key[edge] as number] as number;
  const margin = lineWidth(edges.strength[edge] as number, geometry.pitch);
  const [start, size] = geometry.vertical ? [window.top, window.height] : [window.left, window.width];
  return Math.max(query, key) + margin > start && Math.min(query, key) - margin < start + size;
}

/** Says in words what a picture shows, how many lines a file of it holds and what they carry. */
export function describe(picture: Picture, chosen: readonly number[][]): string {
  const { sentence, notes, images } = picture;
  const parts = [
    sentence,
    ...heldLines(picture, chosen),
    ...images.map(({ title }) => `${title}.`),
    ...notes,
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** How many lines a file holds and what they carry; pooled weight, which no line carries, counts as left out. */
export function heldLines({ lines }: Pick<Picture, "lines">, chosen: readonly number[][]): string[] {
  const all = lines.flatMap(({ groups }) => groups);
  return all.map(({ name, edges, total }, i) => {
    const held = chosen[i] ?? [];
    const weight = held.reduce((sum, edge) => sum + magnitude(edges.weight[edge] as number), 0);
    const count = held.length === edges.count ? held.length : `${held.length} of ${edges.count}`;
    const share = total > 0 ? `, which carry ${percent(weight / total)} of the weight` : "";
    return `${name}: ${count} ${edges.count === 1 ? "line" : "lines"}${share}.`;
  });
}

const magnitude = (weight: number): number => (Number.isFinite(weight) ? Math.abs(weight) : 0);

/** Whole percents, but never 100 % for a part, nor 0 % for something. */
function percent(share: number): string {
  if (share >= 1 - 1e-6) return "100 %";
  if (share > 0.99) return "more than 99 %";
  if (share > 0 && share < 0.01) return "less than 1 %";
  return `${Math.round(100 * share)} %`;
}
