/** The part of the view that scrolls: its layout, where it stands, and how to bring a token into sight. */

import { h, set } from "../dom.ts";
import type { State } from "../model.ts";
import type { Side } from "../store.ts";
import type { Window } from "./draw.ts";
import {
  DEFAULT_PITCH,
  fontSize,
  geometryOf,
  isRightToLeft,
  type Layout,
  layOut,
  PITCHES,
} from "./layout.ts";
import { minimapRoom, SCROLLBAR } from "./minimap.ts";
import type { Axes } from "./picture.ts";
import type { Geometry } from "./scene.ts";
import type { Units } from "./units.ts";

const HEADING_WIDTH = { query: 96, key: 78 };
const HEADING_HEIGHT = 20;
/** Rings stand on the ends of the lines and reach this far beyond them. */
const RING_ROOM = 6;

export class Sight {
  readonly scroller: HTMLElement;
  readonly scene: HTMLElement;
  readonly headings: HTMLElement;
  readonly #named: Record<Side, HTMLElement>;
  #width = 0;
  #pitch: number = DEFAULT_PITCH;
  #layout: Layout | undefined;
  #key = "";
  #scroll = 0;

  constructor(...contents: readonly HTMLElement[]) {
    this.scene = h("div", { class: "scene" }, ...contents);
    this.scroller = h("div", { class: "scroller" }, this.scene);
    this.#named = {
      query: h("div", { class: "heading query" }, "target · query"),
      key: h("div", { class: "heading key" }, "source · key"),
    };
    this.headings = h("div", { class: "headings" }, this.#named.query, this.#named.key);
  }

  get width(): number {
    return this.#width;
  }

  set width(width: number) {
    this.#width = width;
  }

  get layout(): Layout | undefined {
    return this.#layout;
  }

  get scroll(): number {
    return this.#scroll;
  }

  set scroll(scroll: number) {
    if (this.#layout?.vertical === false) this.scroller.scrollLeft = scroll;
    else this.scroller.scrollTop = scroll;
    this.readScroll();
  }

  /** Read where the view stands: at every scroll, and not at every hover, since reading it lays out the page. */
  readScroll(): void {
    this.#scroll = this.#layout?.vertical === false ? this.scroller.scrollLeft : this.scroller.scrollTop;
  }

  /** Extent in sight along the scrolling direction. */
  get seen(): number {
    if (!this.#layout) return 0;
    const { vertical, viewport } = this.#layout;
    return vertical ? viewport.height : viewport.width;
  }

  get geometry(): Geometry | undefined {
    return this.#layout && geometryOf(this.#layout, this.scroll);
  }

  /** Measure again: fonts have arrived, or labels are other ones. */
  forget(): void {
    this.#key = "";
  }

  /** The next text size; what was in the middle stays there. Returns false at either end. */
  zoom(direction: 1 | -1, layOutAgain: () => void): boolean {
    const at = PITCHES.findIndex((pitch) => pitch >= this.#pitch);
    const next = PITCHES[Math.max(0, Math.min(PITCHES.length - 1, at + direction))];
    if (next === undefined || next === this.#pitch) return false;
    const before = this.#layout?.length ?? 1;
    const middle = (this.scroll + this.seen / 2) / before;
    this.#pitch = next;
    layOutAgain();
    this.scroll = middle * (this.#layout?.length ?? 1) - this.seen / 2;
    return true;
  }

  /** Lay out anew where something has changed. */
  update(axes: Axes, { orientation, height }: State): boolean {
    const key = JSON.stringify([this.#width, this.#pitch, orientation, height]);
    if (key === this.#key) return false;
    this.#key = key;
    const measure = textMeasure(this.scroller, fontSize(this.#pitch));
    const input = (units: Units) => ({ widths: measure(units.labels), rtl: isRightToLeft(units.labels) });
    const query = input(axes.query);
    const wanted = {
      vertical: orientation === "vertical",
      width: this.#width,
      height,
      pitch: this.#pitch,
      query,
      key: axes.key.labels === axes.query.labels ? query : input(axes.key),
    };
    const layout = layOut(wanted);
    const scrolls = layout.vertical && layout.length > layout.viewport.height;
    this.#layout = scrolls ? layOut({ ...wanted, width: this.#width - minimapRoom(this.#width) }) : layout;
    this.#place(this.#layout);
    this.readScroll();
    return true;
  }

  get scrolls(): boolean {
    return !!this.#layout && this.#layout.length > this.seen;
  }

  inSight(side: Side, position: number): boolean {
    const place = this.#layout?.[side];
    const centre = place?.centres[position];
    if (!place || centre === undefined || place.sticky) return true;
    return centre >= this.scroll && centre <= this.scroll + this.seen;
  }

  centre(side: Side, position: number): void {
    const place = this.#layout?.[side];
    const centre = place?.centres[position];
    if (centre !== undefined && !place?.sticky) this.scroll = centre - this.seen / 2;
  }

  /** Scroll as little as brings a token into sight. */
  reveal(side: Side, position: number): void {
    const place = this.#layout?.[side];
    if (!place || place.sticky) return;
    const half = (place.extents[position] as number) / 2;
    const centre = place.centres[position] as number;
    if (centre - half < this.scroll) this.scroll = centre - half;
    else if (centre + half > this.scroll + this.seen) this.scroll = centre + half - this.seen;
  }

  /** A window of the content half a view larger than what is seen on both ends, so that scrolling is calm. */
  get window(): Window {
    const layout = this.#layout;
    if (!layout) return { left: 0, top: 0, width: 1, height: 1 };
    const start = Math.max(0, Math.floor(this.scroll - this.seen / 2));
    const extent = Math.max(1, Math.min(layout.length, Math.ceil(this.scroll + this.seen * 1.5)) - start);
    const [along, size] = [layout.band.start - RING_ROOM, layout.band.size + 2 * RING_ROOM];
    return layout.vertical
      ? { left: along, top: start, width: size, height: extent }
      : { left: start, top: along, width: extent, height: size };
  }

  /** True where `window` still covers what is in sight. */
  covers(window: Window): boolean {
    const layout = this.#layout;
    if (!layout) return false;
    const fresh = this.window;
    const [start, extent, same] = layout.vertical
      ? [window.top, window.height, window.left === fresh.left && window.width === fresh.width]
      : [window.left, window.width, window.top === fresh.top && window.height === fresh.height];
    const end = start + extent;
    return (
      same &&
      this.scroll >= start &&
      Math.min(this.scroll + this.seen, layout.length) <= end &&
      end <= Math.max(1, layout.length)
    );
  }

  #place(layout: Layout): void {
    const { viewport, length, vertical } = layout;
    const across = vertical ? viewport.width : viewport.height;
    Object.assign(this.scene.style, {
      width: `${vertical ? across : length}px`,
      height: `${vertical ? length : across}px`,
    });
    const bar = this.scrolls ? SCROLLBAR : 0;
    Object.assign(this.scroller.style, {
      width: `${viewport.width + (vertical ? bar : 0)}px`,
      height: `${viewport.height + (vertical ? 0 : bar)}px`,
    });
    set(this.scroller, "data-scrolls", this.scrolls);
    for (const side of ["query", "key"] as const) {
      const place = layout[side];
      // A heading may be wider than its tokens: it keeps the edge that the lines leave from.
      const width = HEADING_WIDTH[side];
      const edge =
        side === "query" ? place.start + place.size - width : Math.min(place.start, viewport.width - width);
      Object.assign(
        this.#named[side].style,
        vertical
          ? { left: `${edge}px`, width: `${width}px`, top: "" }
          : {
              left: "0",
              width: "auto",
              top: side === "query" ? "" : `${HEADING_HEIGHT + viewport.height + bar + 2}px`,
            },
      );
    }
  }
}

/** Of more labels the width is that of their letters, each measured once. */
const MANY_LABELS = 4096;

/** Widths of labels in the view's font. */
function textMeasure(element: HTMLElement, size: number): (labels: readonly string[]) => Float32Array {
  const context = document.createElement("canvas").getContext("2d");
  // Measured as bold as they get, so that a token in focus keeps its place.
  if (context) context.font = `600 ${size}px ${getComputedStyle(element).fontFamily}`;
  const measured = (text: string) => context?.measureText(text).width ?? text.length * size * 0.6;
  const letters = new Map<string, number>();
  const added = (label: string) => {
    let sum = 0;
    for (const letter of label) {
      let width = letters.get(letter);
      if (width === undefined) {
        width = measured(letter);
        letters.set(letter, width);
      }
      sum += width;
    }
    return sum;
  };
  return (labels) => Float32Array.from(labels, labels.length > MANY_LABELS ? added : measured);
}
