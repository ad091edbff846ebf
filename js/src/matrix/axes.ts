/** The labels of one side of the matrix: those that have room, and the one that Tab reaches. */

import { set } from "../dom.ts";
import type { Side } from "../store.ts";
import { TokenList } from "../token-list.ts";
import { type Layout, LINE, labelled } from "./layout.ts";
import type { Span } from "./pool.ts";

/** Scripts whose letters stand upright in vertical lines. */
const UPRIGHT = /[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/u;

export interface Dress {
  readonly pinned: readonly number[];
  readonly hovered: number | null;
  readonly hiddenSpecial: boolean;
}

export class AxisLabels extends TokenList {
  /** Labels on screen with their middles, for pictures of them. */
  #shown: readonly number[] = [];

  constructor(side: Side) {
    super(side, "axis");
    set(this.element, "aria-orientation", side === "query" ? "vertical" : "horizontal");
  }

  get shown(): readonly number[] {
    return this.#shown;
  }

  show(span: Span, layout: Layout, lying: boolean, dress: Dress): void {
    const units = this.units;
    if (!units) return;
    const query = this.side === "query";
    const { plot, gutter, band, top } = layout;
    const pixels = query ? plot.height : plot.width;
    Object.assign(
      this.element.style,
      query
        ? { left: "0", top: `${plot.y}px`, width: `${gutter}px`, height: `${pixels}px` }
        : { left: `${plot.x}px`, top: `${top.y - band}px`, width: `${pixels}px`, height: `${band}px` },
    );
    set(this.element, "data-lying", query || lying);
    const cell = pixels / (span[1] - span[0]);
    const marked = [...(dress.hovered === null ? [] : [dress.hovered]), ...dress.pinned];
    // Labels that lie have the room of their cell, and are cut there.
    const room = lying && !query ? Math.max(LINE, cell) : LINE;
    this.#shown = labelled(span, units.count, pixels, room, marked);
    this.keep(units, this.#shown);
    const visible = new Set(this.#shown);
    for (const [position, token] of this.tokens) {
      const middle = (position + 0.5 - span[0]) * cell;
      Object.assign(token.style, query ? { top: `${middle - LINE / 2}px` } : { left: `${middle}px` });
      if (!query) token.style.maxWidth = lying ? `${Math.max(LINE, cell) - 2}px` : "";
      const hovered = position === dress.hovered;
      // Outside the plot, or between labels that have its room: there for the keyboard alone.
      set(token, "data-away", !visible.has(position));
      set(token, "aria-selected", String(dress.pinned.includes(position)));
      set(token, "data-active", hovered || dress.pinned.includes(position));
      set(token, "data-special", this.special.has(position) && (dress.hiddenSpecial ? "hidden" : "shown"));
    }
  }

  protected complete(token: HTMLElement, label: string): void {
    token.classList.add("tick");
    set(token, "data-upright", UPRIGHT.test(label));
  }
}
