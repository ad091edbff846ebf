/** The tokens of one side: elements for those in sight, and what each of them shows. */

import { h, set, setText } from "../dom.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import { TokenList } from "../token-list.ts";
import { fontSize, LABEL_PITCH, type Layout, type SideLayout } from "./layout.ts";
import type { Rgb } from "./scene.ts";

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

export class TokenColumn extends TokenList {
  /** What each element shows, so that a hover touches only those that change. */
  readonly #worn = new WeakMap<HTMLElement, string>();

  constructor(side: Side) {
    super(side, "side");
  }

  /** Show the tokens `[first, last)`, and the one Tab reaches, at their places. */
  show(layout: Layout, side: SideLayout, first: number, last: number, scroll: number): void {
    const units = this.units;
    if (!units) return;
    this.#placeBand(layout, side, scroll);
    this.keep(
      units,
      Array.from({ length: last - first }, (_, i) => first + i),
    );
    for (const [position, token] of this.tokens) this.#place(token, layout, side, position);
  }

  dress({ tints, weights, numbered, colour, pinned, active, hiddenSpecial }: Dress): void {
    for (const [position, token] of this.tokens) {
      const tint = tints[position] ?? 0;
      const [red, green, blue] = tint > 0 ? colour(position) : [0, 0, 0];
      const fill = tint > 0 ? `rgb(${red} ${green} ${blue} / ${(tint * MOST_TINT).toFixed(4)})` : "";
      const text = numbered.has(position) ? shortNumber(weights[position] ?? 0) : "";
      const selected = String(pinned.has(position));
      const inFocus = active.has(position);
      const role = this.special.has(position) && (hiddenSpecial ? "hidden" : "shown");
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

  protected complete(token: HTMLElement): void {
    token.classList.add("token");
    token.append(h("span", { class: "number", dir: "ltr" }));
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
