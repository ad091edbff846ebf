/** The tokens of one side: elements for those in sight, and what each of them shows. */

import { h, set, setText } from "../dom.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import { fontSize, LABEL_PITCH, type Layout, type SideLayout } from "./layout.ts";
import type { Rgb } from "./scene.ts";
import type { Units } from "./units.ts";

/** What the tokens of a side show beside their labels. */
export interface Dress {
  /** 0..1 tint and its colour at each position; empty for none. */
  readonly tints: Float32Array;
  readonly weights: Float32Array;
  /** Positions whose numbers have room. */
  readonly numbered: ReadonlySet<number>;
  readonly colour: (position: number) => Rgb;
  readonly pinned: ReadonlySet<number>;
  readonly active: ReadonlySet<number>;
  readonly hiddenSpecial: boolean;
}

/** The strongest tint: text on that of any head keeps a contrast of 4.5:1 in both themes. */
export const MOST_TINT = 0.36;

/** Weaker weights are left to the readout and the table: their numbers would crowd the strong ones. */
export const LEAST_NUMBER = 0.004;

/** Three decimals where they say enough: numbers in a column compare best at one width. */
export const shortNumber = (weight: number): string =>
  Math.abs(weight) >= 0.001 && Math.abs(weight) < 10
    ? weight.toFixed(3).replace("-", "−")
    : formatWeight(weight);

const NAMES: Readonly<Record<Side, string>> = { query: "queries (targets)", key: "keys (sources)" };

export class TokenColumn {
  readonly element: HTMLElement;
  readonly #side: Side;
  readonly #tokens = new Map<number, HTMLElement>();
  /** What each element shows, so that a hover touches only those that change. */
  readonly #worn = new WeakMap<HTMLElement, string>();
  #units: Units | undefined;
  #exact: (position: number) => string = () => "";
  /** Position that Tab reaches. */
  #tabStop = 0;

  constructor(side: Side) {
    this.#side = side;
    this.element = h("div", {
      class: `side ${side}`,
      role: "listbox",
      "aria-label": NAMES[side],
      "aria-multiselectable": "true",
    });
  }

  get tabStop(): number {
    return this.#tabStop;
  }

  /** Start over with other labels. */
  setUnits(units: Units, exact: (position: number) => string): void {
    this.#units = units;
    this.#exact = exact;
    this.#tabStop = Math.min(this.#tabStop, Math.max(0, units.count - 1));
    this.element.replaceChildren();
    this.#tokens.clear();
  }

  /** Show the tokens `[first, last)`, and the one Tab reaches, at their places. */
  show(layout: Layout, side: SideLayout, first: number, last: number, scroll: number): void {
    const units = this.#units;
    if (!units) return;
    this.#placeBand(layout, side, scroll);
    for (const [position, token] of this.#tokens) {
      if ((position >= first && position < last) || position === this.#tabStop) continue;
      token.remove();
      this.#tokens.delete(position);
    }
    const wanted = Array.from({ length: last - first }, (_, i) => first + i);
    if (units.count > 0 && (this.#tabStop < first || this.#tabStop >= last)) wanted.push(this.#tabStop);
    for (const position of wanted) {
      const token = this.#tokens.get(position) ?? this.#make(units, position);
      this.#place(token, layout, side, position);
    }
  }

  dress({ tints, weights, numbered, colour, pinned, active, hiddenSpecial }: Dress): void {
    const special = new Set(this.#units?.special);
    for (const [position, token] of this.#tokens) {
      const tint = tints[position] ?? 0;
      const [red, green, blue] = tint > 0 ? colour(position) : [0, 0, 0];
      const fill = tint > 0 ? `rgb(${red} ${green} ${blue} / ${(tint * MOST_TINT).toFixed(4)})` : "";
      const text = numbered.has(position) ? shortNumber(weights[position] ?? 0) : "";
      const selected = String(pinned.has(position));
      const inFocus = active.has(position);
      const role = special.has(position) && (hiddenSpecial ? "hidden" : "shown");
      const worn = [fill, text, selected, inFocus, role].join();
      if (this.#worn.get(token) === worn) continue;
      this.#worn.set(token, worn);
      token.style.setProperty("--tint", fill);
      set(token, "data-tinted", fill !== "");
      setText(token.lastElementChild as HTMLElement, text);
      set(token, "aria-selected", selected);
      set(token, "data-active", inFocus);
      set(token, "data-special", role);
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

  #placeBand(layout: Layout, side: SideLayout, scroll: number): void {
    const offset = side.sticky ? scroll : 0;
    const [start, size] = [`${side.start}px`, `${side.size}px`];
    Object.assign(
      this.element.style,
      layout.vertical
        ? { left: start, width: size, top: `${offset}px`, height: `${side.length}px` }
        : { top: start, height: size, left: `${offset}px`, width: `${layout.length}px` },
    );
    this.element.style.fontSize = `${fontSize(layout.pitch)}px`;
    set(this.element, "aria-orientation", layout.vertical ? "vertical" : "horizontal");
    set(this.element, "data-marks", layout.pitch < LABEL_PITCH);
  }

  #make(units: Units, position: number): HTMLElement {
    const index = units.starts[position] as number;
    const label = units.labels[position] ?? "";
    const exact = this.#exact(position);
    const token = h(
      "div",
      {
        class: "token",
        role: "option",
        tabindex: position === this.#tabStop ? 0 : -1,
        // A label of spaces is no name to read out.
        "aria-label": label.trim() === "" ? `blank, position ${index}` : null,
        dir: "auto",
        "data-side": this.#side,
        "data-index": index,
        "data-position": position,
        "aria-posinset": position + 1,
        "aria-setsize": units.count,
        title: exact === label ? label : `${label}  (${exact})`,
      },
      h("span", { class: "label" }, label),
      h("span", { class: "number", dir: "ltr" }),
    );
    this.#tokens.set(position, token);
    this.element.append(token);
    return token;
  }

  #place(token: HTMLElement, layout: Layout, side: SideLayout, position: number): void {
    const extent = side.extents[position] as number;
    const start = (side.centres[position] as number) - extent / 2;
    if (layout.vertical) {
      Object.assign(token.style, { top: `${start}px`, height: `${extent}px`, left: "", width: "" });
    } else {
      Object.assign(token.style, { left: `${start}px`, width: `${extent}px`, top: "", height: "" });
    }
  }
}
