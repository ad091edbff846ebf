/** The labels of one side of the matrix: those that have room, and the one that Tab reaches. */

import { h, set } from "../dom.ts";
import type { Units } from "../lines/units.ts";
import type { Side } from "../store.ts";
import { type Layout, LINE, labelled } from "./layout.ts";
import type { Span } from "./pool.ts";

const NAMES: Readonly<Record<Side, string>> = { query: "queries (targets)", key: "keys (sources)" };
/** Scripts whose letters stand upright in vertical lines. */
const UPRIGHT = /[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/u;

export interface Dress {
  readonly pinned: readonly number[];
  readonly hovered: number | null;
  readonly hiddenSpecial: boolean;
}

export class AxisLabels {
  readonly element: HTMLElement;
  readonly #side: Side;
  readonly #tokens = new Map<number, HTMLElement>();
  #units: Units | undefined;
  #exact: (position: number) => string = () => "";
  #special: ReadonlySet<number> = new Set();
  #tabStop = 0;
  /** Labels on screen with their middles, for pictures of them. */
  #shown: readonly number[] = [];

  constructor(side: Side) {
    this.#side = side;
    this.element = h("div", {
      class: `axis ${side}`,
      role: "listbox",
      "aria-label": NAMES[side],
      "aria-multiselectable": "true",
      "aria-orientation": side === "query" ? "vertical" : "horizontal",
    });
  }

  get tabStop(): number {
    return this.#tabStop;
  }

  get shown(): readonly number[] {
    return this.#shown;
  }

  setUnits(units: Units, exact: (position: number) => string): void {
    this.#units = units;
    this.#exact = exact;
    this.#special = new Set(units.special);
    this.#tabStop = Math.min(this.#tabStop, Math.max(0, units.count - 1));
    this.element.replaceChildren();
    this.#tokens.clear();
  }

  show(span: Span, layout: Layout, lying: boolean, dress: Dress): void {
    const units = this.#units;
    if (!units) return;
    const query = this.#side === "query";
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
    const wanted = new Set(this.#shown);
    if (units.count > 0) wanted.add(this.#tabStop);
    for (const [position, token] of this.#tokens) {
      if (wanted.has(position)) continue;
      token.remove();
      this.#tokens.delete(position);
    }
    const visible = new Set(this.#shown);
    for (const position of wanted) {
      const token = this.#tokens.get(position) ?? this.#make(units, position);
      const middle = (position + 0.5 - span[0]) * cell;
      Object.assign(token.style, query ? { top: `${middle - LINE / 2}px` } : { left: `${middle}px` });
      if (!query) token.style.maxWidth = lying ? `${Math.max(LINE, cell) - 2}px` : "";
      const hovered = position === dress.hovered;
      // Outside the plot, or between labels that have its room: there for the keyboard alone.
      set(token, "data-away", !visible.has(position));
      set(token, "aria-selected", String(dress.pinned.includes(position)));
      set(token, "data-active", hovered || dress.pinned.includes(position));
      set(token, "data-special", this.#special.has(position) && (dress.hiddenSpecial ? "hidden" : "shown"));
    }
  }

  /** Move the tab stop, and the focus with it if asked. */
  reach(position: number, focus: boolean): void {
    const before = this.#tokens.get(this.#tabStop);
    if (before) before.tabIndex = -1;
    this.#tabStop = position;
    const token = this.#tokens.get(position) ?? (this.#units && this.#make(this.#units, position));
    if (!token) return;
    token.tabIndex = 0;
    if (focus) token.focus({ preventScroll: true });
  }

  #make(units: Units, position: number): HTMLElement {
    const index = units.starts[position] as number;
    const label = units.labels[position] ?? "";
    const exact = this.#exact(position);
    const token = h(
      "div",
      {
        class: "tick",
        role: "option",
        tabindex: position === this.#tabStop ? 0 : -1,
        "aria-label": label.trim() === "" ? `blank, position ${index}` : null,
        dir: "auto",
        "data-side": this.#side,
        "data-index": index,
        "data-position": position,
        "data-upright": UPRIGHT.test(label),
        "aria-posinset": position + 1,
        "aria-setsize": units.count,
        title: exact === label ? label : `${label}  (${exact})`,
      },
      h("span", { class: "label" }, label),
    );
    this.#tokens.set(position, token);
    this.element.append(token);
    return token;
  }
}
