/** Canvases of the lines view: sized in device pixels, placed over a window of the content. */

import { lineOpacity, lineWidth, VISIBLE_OPACITY } from "./ink.ts";
import { type Edges, type Geometry, Mark, type Rgb } from "./scene.ts";

/** The part of the content a canvas covers, in CSS pixels. */
export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Browsers refuse larger canvases, and some webviews report absurd sizes. */
const MOST_PIXELS = 4096;

/** Device pixels a CSS pixel, as far as a canvas of this size may have them. */
export function pixelRatio({ width, height }: Window): number {
  const wanted = globalThis.devicePixelRatio || 1;
  return Math.max(0.25, Math.min(wanted, 3, MOST_PIXELS / Math.max(1, width, height)));
}

/** Place a canvas over a window of the content and clear it. */
export function place(canvas: HTMLCanvasElement, window: Window, ratio: number): void {
  const width = Math.round(window.width * ratio);
  const height = Math.round(window.height * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  Object.assign(canvas.style, {
    left: `${window.left}px`,
    top: `${window.top}px`,
    width: `${window.width}px`,
    height: `${window.height}px`,
  });
}

/** Start drawing in content coordinates on a clean canvas. */
export function begin(
  canvas: HTMLCanvasElement,
  window: Window,
  ratio: number,
): CanvasRenderingContext2D | null {
  place(canvas, window, ratio);
  const context = canvas.getContext("2d");
  if (!context) return null;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio, 0, 0, ratio, -window.left * ratio, -window.top * ratio);
  return context;
}

/** Up to so many lines strokes are sooner drawn than added up. */
const MOST_STROKES = 2_000;
/** Up to so many lines, and so much ink, a pixel across the lines, rounding after every stroke doesn't show. */
const MOST_DENSE = 1.25;
const MOST_INK = 0.3;

/**
 * Whether strokes give the picture that adding up does: few lines of one colour, whose order then doesn't
 * matter, all strong enough to change a pixel and not so many on top of each other that rounding shows.
 */
export function strokesTell({ count, head, query, key, strength }: Edges, geometry: Geometry): boolean {
  if (count > MOST_STROKES) return false;
  let ink = 0;
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < count; i++) {
    if (head[i] !== head[0]) return false;
    const share = strength[i] as number;
    ink += lineOpacity(share) * lineWidth(share, geometry.pitch);
    const ends = [geometry.query[query[i] as number] as number, geometry.key[key[i] as number] as number];
    low = Math.min(low, ...ends);
    high = Math.max(high, ...ends);
  }
  const room = Math.max(high - low, geometry.pitch);
  return count <= MOST_DENSE * room && ink <= MOST_INK * room;
}

/**
 * Stroke lines one by one, weak ones first so that strong ones stay on top, and at most the `most`
 * strongest. Lines too faint to change a pixel are skipped.
 *
 * @returns Whether every line was stroked.
 */
export function strokeEdges(
  context: CanvasRenderingContext2D,
  edges: Edges,
  geometry: Geometry,
  colour: (head: number) => Rgb,
  most: number,
): boolean {
  const order: number[] = [];
  for (let i = 0; i < edges.count; i++) {
    if (lineOpacity(edges.strength[i] as number) >= VISIBLE_OPACITY) order.push(i);
  }
  order.sort((a, b) => (edges.strength[a] as number) - (edges.strength[b] as number));
  if (order.length > most) order.splice(0, order.length - most);
  for (const i of order) {
    const strength = edges.strength[i] as number;
    const [red, green, blue] = colour(edges.head[i] as number);
    context.strokeStyle = `rgb(${red} ${green} ${blue} / ${lineOpacity(strength)})`;
    context.lineWidth = lineWidth(strength, geometry.pitch);
    context.setLineDash(dash(edges.mark[i] as number));
    tracePath(context, geometry, edges.query[i] as number, edges.key[i] as number);
    context.stroke();
  }
  context.setLineDash([]);
  return order.length === edges.count;
}

/** A negative weight is dashed, an infinite one dotted. */
function dash(mark: number): number[] {
  if (mark & Mark.infinite) return [2, 4];
  return mark & Mark.negative ? [7, 4] : [];
}

function tracePath(context: CanvasRenderingContext2D, geometry: Geometry, query: number, key: number): void {
  const { along, vertical } = geometry;
  const start = geometry.query[query] as number;
  const end = geometry.key[key] as number;
  const middle = (along.query + along.key) / 2;
  context.beginPath();
  if (vertical) {
    context.moveTo(along.query, start);
    context.bezierCurveTo(middle, start, middle, end, along.key, end);
  } else {
    context.moveTo(start, along.query);
    context.bezierCurveTo(start, middle, end, middle, end, along.key);
  }
}

/** A ring at the key end of each link, and a thin line to it: marks that are given, not attended. */
export function strokeLinks(
  context: CanvasRenderingContext2D,
  links: readonly (readonly [query: number, key: number])[],
  geometry: Geometry,
  colour: string,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  for (const [query, key] of links) {
    for (const [along, across] of [
      [geometry.along.query, geometry.query[query]],
      [geometry.along.key, geometry.key[key]],
    ] as [number, number | undefined][]) {
      if (across === undefined) continue;
      context.beginPath();
      const [x, y] = geometry.vertical ? [along, across] : [across, along];
      context.arc(x, y, 4, 0, 2 * Math.PI);
      context.stroke();
    }
    context.save();
    context.setLineDash([1, 3]);
    context.globalAlpha = 0.6;
    tracePath(context, geometry, query, key);
    context.stroke();
    context.restore();
  }
}
