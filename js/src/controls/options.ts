/** Filters and ways to draw, behind one button. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model, State } from "../model.ts";
import type { Store } from "../store.ts";
import { select } from "./bar.ts";

const LEAST_MASS = 50;

export interface Zoom {
  zoom(direction: 1 | -1): void;
}

export class Options {
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #mass = h("input", { type: "range", min: LEAST_MASS, max: 100, step: 1 });
  readonly #massText = h("output");
  readonly #threshold = h("input", { type: "number", min: 0, step: 0.01, placeholder: "0" });
  readonly #topK = h("input", { type: "number", min: 1, step: 1, placeholder: "all" });
  readonly #special = select("special positions", [
    ["show", "show"],
    ["hide", "hide"],
    ["renormalise", "hide and renormalise"],
  ]);
  readonly #direction = select("filters keep the strongest", [
    ["attends_to", "keys of each query"],
    ["attended_by", "queries of each key"],
  ]);
  readonly #scale = select("how weight becomes ink", [
    ["absolute", "absolute"],
    ["row", "share of the row's strongest"],
    ["sqrt", "square root"],
    ["log", "logarithm"],
    ["times_uniform", "times uniform"],
  ]);
  readonly #orientation = select("layout", [
    ["vertical", "columns"],
    ["horizontal", "rows"],
  ]);
  readonly #words = h("input", { type: "checkbox" });
  readonly #whole = h("input", { type: "checkbox" });
  readonly #labels: Record<string, HTMLElement>;
  readonly #wholeNow: () => boolean;

  constructor(model: Model, store: Store, zoom: Zoom, wholeNow: () => boolean, signal: AbortSignal) {
    this.#model = model;
    this.#store = store;
    this.#wholeNow = wholeNow;
    const smaller = h(
      "button",
      { type: "button", "aria-label": "A−, smaller text", title: "smaller text ( − )" },
      "A−",
    );
    const larger = h(
      "button",
      { type: "button", "aria-label": "A+, larger text", title: "larger text ( + )" },
      "A+",
    );
    const reset = h(
      "button",
      { type: "button", class: "quiet", title: "back to drawing everything" },
      "reset",
    );
    this.#labels = {
      mass: h("label", {}, "mass", this.#mass, this.#massText),
      threshold: h("label", {}, "weight at least", this.#threshold),
      top: h("label", {}, "at most", this.#topK, "per token"),
      direction: h("label", {}, "filter the", this.#direction),
      special: h("label", {}, "special tokens", this.#special),
      words: h("label", {}, this.#words, "merge words"),
      scale: h("label", {}, "scale", this.#scale),
      layout: h("label", {}, "layout", this.#orientation),
      whole: h("label", {}, this.#whole, "all lines"),
      text: h("label", {}, "text", smaller, larger),
    };
    this.element = h("div", { class: "panel", hidden: true }, ...Object.values(this.#labels), reset);

    on(this.#mass, "input", () => model.change({ mass: Number(this.#mass.value) / 100 }), signal);
    const typed = (element: HTMLInputElement, take: (value: number | null) => void) =>
      on(
        element,
        "change",
        () => {
          // A number field gives what is no number as nothing.
          if (!element.validity.badInput) take(element.value === "" ? null : Number(element.value));
          this.#update();
        },
        signal,
      );
    typed(this.#threshold, (threshold) => {
      if ((threshold ?? 0) >= 0) model.change({ threshold: threshold ?? 0 });
    });
    typed(this.#topK, (top) => {
      if (top === null || top >= 1) model.change({ top_k: top === null ? null : Math.floor(top) });
    });
    const choose = <N extends "special" | "direction" | "scale" | "orientation">(
      name: N,
      element: HTMLSelectElement,
    ) => on(element, "change", () => model.change({ [name]: element.value as State[N] }), signal);
    choose("special", this.#special);
    choose("direction", this.#direction);
    choose("scale", this.#scale);
    choose("orientation", this.#orientation);
    on(this.#words, "change", () => model.change({ words: this.#words.checked }), signal);
    on(this.#whole, "change", () => model.change({ whole: this.#whole.checked }), signal);
    on(smaller, "click", () => zoom.zoom(-1), signal);
    on(larger, "click", () => zoom.zoom(1), signal);
    on(
      reset,
      "click",
      () =>
        model.change({
          mass: 1,
          threshold: 0,
          top_k: null,
          special: "show",
          direction: "attends_to",
          scale: "absolute",
          words: false,
          whole: null,
        }),
      signal,
    );
    model.subscribe(() => this.#update(), signal);
    store.subscribe(() => this.#update(), signal);
    this.#update();
  }

  #update(): void {
    const { state } = this.#model;
    const { content } = this.#store;
    this.#mass.value = String(Math.round(100 * state.mass));
    setText(this.#massText, `${Math.round(100 * state.mass)} %`);
    this.#threshold.value = state.threshold === 0 ? "" : String(state.threshold);
    this.#topK.value = state.top_k === null ? "" : String(state.top_k);
    this.#special.value = state.special;
    this.#direction.value = state.direction;
    this.#scale.value = state.scale;
    this.#orientation.value = state.orientation;
    this.#words.checked = state.words;
    this.#whole.checked = this.#wholeNow();
    if (!content) return;
    const words = content.queries.words !== null || content.keys.words !== null;
    const special = content.queries.special.length + content.keys.special.length > 0;
    set(this.#labels.words as HTMLElement, "hidden", !words);
    set(this.#labels.special as HTMLElement, "hidden", !special);
  }
}

/** The filters in force, in words; empty where nothing is filtered. */
export function filterSummary({ mass, threshold, top_k, special, words }: State): string {
  const parts = [
    mass < 1 && `mass ${Math.round(100 * mass)} %`,
    threshold > 0 && `at least ${threshold}`,
    top_k !== null && `top ${top_k}`,
    special === "hide" && "special hidden",
    special === "renormalise" && "renormalised",
    words && "words",
  ];
  return parts.filter((part): part is string => part !== false).join(" · ");
}
