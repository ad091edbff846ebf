/** The whole length at a glance: strongest lines, what is in focus, and the part in sight. Drag to scroll. */

import { cssColour, h, set } from "../dom.ts";
import { onDrag } from "../drag.ts";
import { riseAlong } from "./curve.ts";
import { strongest } from "./fog.ts";
import type { Layout } from "./layout.ts";
import type { Focus } from "./picture.ts";
import type { Joint } from "./reading.ts";
import type { Edges, Rgb } from "./scene.ts";

const SIZE = 46;
/** A narrower view has its scroll bar only. */
const LEAST_WIDTH = 420;
/** Width a scrolling view of columns gives up: to the map, and to the scroll bar in any case. */
export const minimapRoom = (width: number): number => SCROLLBAR + (width >= LEAST_WIDTH ? SIZE + 8 : 0);
export const SCROLLBAR = 12;
const MOST_LINES = 400;

export class Minimap {
  readonly element: HTMLElement;
  readonly #scrollTo: (scroll: number) => void;
  readonly #base: HTMLCanvasElement;
  readonly #marks: HTMLCanvasElement;
  readonly #sight: HTMLElement;
  #layout: Layout | undefined;
  #shown = false;

  constructor(scrollTo: (scroll: number) => void, signal: AbortSignal) {
    this.#scrollTo = scrollTo;
    this.#base = h("canvas");
    this.#marks = h("canvas");
    this.#sight = h("div", { class: "sight" });
    this.element = h(
      "div",
      { class: "minimap", "aria-hidden": "true", hidden: true, title: "drag to scroll" },
      this.#base,
      this.#marks,
      this.#sight,
    );
    const drag = (x: number, y: number) => {
      const layout = this.#layout;
      if (!layout) return;
      const { vertical, viewport, length } = layout;
      const seen = vertical ? viewport.height : viewport.width;
      this.#scrollTo((vertical ? y : x) * length - seen / 2);
    };
    onDrag(this.element, drag, signal);
  }

  layout(layout: Layout, room: number, scrolls: boolean): void {
    const shown = scrolls && (!layout.vertical || room >= LEAST_WIDTH);
    this.#layout = layout;
    this.#shown = shown;
    set(this.element, "hidden", !shown);
    const { vertical, viewport } = layout;
    const length = vertical ? viewport.height : viewport.width;
    const [width, height] = vertical ? [SIZE, length] : [length, SIZE];
    Object.assign(this.element.style, { width: `${width}px`, height: `${height}px` });
    for (const canvas of [this.#base, this.#marks]) {
      const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
      const [w, hgt] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w) canvas.width = w;
      if (canvas.height !== hgt) canvas.height = hgt;
    }
  }

  drawBase(edges: Edges | undefined, layout: Layout, colour: (head: number) => Rgb): void {
    if (!this.#shown) return;
    const context = this.#begin(this.#base, layout);
    if (!context || !edges) return;
    const least = strongest(edges.strength, MOST_LINES);
    context.lineWidth = 0.75;
    for (let i = 0; i < edges.count; i++) {
      if (!((edges.strength[i] as number) >= least)) continue;
      const [red, green, blue] = colour(edges.head[i] as number);
      context.strokeStyle = `rgb(${red} ${green} ${blue} / ${0.15 + 0.6 * (edges.strength[i] as number)})`;
      const start = layout.query.centres[edges.query[i] as number] as number;
      const end = layout.key.centres[edges.key[i] as number] as number;
      this.#trace(context, layout, start, end);
    }
  }

  drawFocus(
    layout: Layout,
    focus: Focus,
    joints: { query?: Joint; key?: Joint },
    scroll: number,
    accent: Rgb,
  ): void {
    if (!this.#shown) return;
    const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
    const share = (value: number) => `${(100 * value) / layout.length}%`;
    const [start, size] = [share(scroll), share(Math.min(seen, layout.length))];
    Object.assign(
      this.#sight.style,
      layout.vertical
        ? { top: start, height: size, left: "0", width: "100%" }
        : { left: start, width: size, top: "0", height: "100%" },
    );
    const context = this.#begin(this.#marks, layout);
    if (!context) return;
    context.fillStyle = cssColour(accent);
    for (const side of ["query", "key"] as const) {
      const at = side === "query" ? 0 : SIZE - 7;
      const mark = (position: number, strength: number) => {
        const centre = this.#scale(layout) * (layout[side].centres[position] as number);
        context.globalAlpha = strength;
        if (layout.vertical) context.fillRect(at, centre - 1, 7, 2);
        else context.fillRect(centre - 1, at, 2, 7);
      };
      for (const position of focus[side]) mark(position, 1);
      joints[side]?.strengths.forEach((strength, position) => {
        if (strength > 0.02) mark(position, Math.min(1, 0.2 + strength));
      });
    }
  }

  #scale(layout: Layout): number {
    return (layout.vertical ? layout.viewport.height : layout.viewport.width) / layout.length;
  }

  #begin(canvas: HTMLCanvasElement, layout: Layout): CanvasRenderingContext2D | null {
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const ratio = canvas.width / (layout.vertical ? SIZE : layout.viewport.width);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.globalAlpha = 1;
    return context;
  }

  #trace(context: CanvasRenderingContext2D, layout: Layout, start: number, end: number): void {
    const scale = this.#scale(layout);
    context.beginPath();
    for (const share of [0, 0.3, 0.5, 0.7, 1]) {
      const along = 8 + share * (SIZE - 16);
      const across = scale * (start + (end - start) * riseAlong(share));
      if (layout.vertical) context.lineTo(along, across);
      else context.lineTo(across, along);
    }
    context.stroke();
  }
}
