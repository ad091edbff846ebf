/** What is filtered and how it is drawn, behind one button: for all views, then for the ones shown. */

import { h, set } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model, State } from "../model.ts";
import type { Store } from "../store.ts";
import type { View } from "../view.ts";
import { choice, tick } from "./fields.ts";

export class Options {
  readonly element = h("div", { class: "panel", hidden: true });
  readonly #own: readonly HTMLElement[];
  readonly #store: Store;
  readonly #special: HTMLElement;
  readonly #words: HTMLElement;

  constructor(model: Model, store: Store, zoom: (direction: 1 | -1) => void, signal: AbortSignal) {
    this.#store = store;
    const button = (text: string, attributes: Record<string, string>, action: () => void) => {
      const element = h("button", { type: "button", ...attributes }, text);
      on(element, "click", action, signal);
      return element;
    };
    this.#special = choice(
      model,
      "special",
      "special tokens",
      [
        ["show", "show"],
        ["hide", "hide"],
        ["renormalise", "hide and renormalise"],
      ],
      signal,
    );
    this.#words = tick(model, "words", "merge words", () => model.state.words, signal);
    this.#own = [
      choice(
        model,
        "scale",
        "scale",
        [
          ["absolute", "absolute"],
          ["row", "share of the row's strongest"],
          ["sqrt", "square root"],
          ["log", "logarithm"],
          ["times_uniform", "times uniform"],
        ],
        signal,
      ),
      this.#special,
      this.#words,
      choice(
        model,
        "beside",
        "at its side",
        [
          ["", "nothing"],
          ["lines", "lines"],
          ["matrix", "matrix"],
          ["heads", "heads"],
          ["overlay", "overlay"],
          ["mechanism", "mechanism"],
        ],
        signal,
      ),
      h(
        "label",
        {},
        "size",
        button("A−", { "aria-label": "A−, smaller", title: "smaller ( − )" }, () => zoom(-1)),
        button("A+", { "aria-label": "A+, larger", title: "larger ( + )" }, () => zoom(1)),
      ),
      button("reset", { class: "quiet", title: "back to drawing everything" }, () => model.change(NEUTRAL)),
    ];
    store.subscribe(() => this.#update(), signal);
    this.#update();
  }

  /** Show the controls of the views on screen. */
  show(views: readonly View[]): void {
    this.element.replaceChildren(...views.flatMap(({ options }) => options), ...this.#own);
  }

  #update(): void {
    const { content } = this.#store;
    if (!content) return;
    const { queries, keys } = content;
    set(this.#words, "hidden", queries.words === null && keys.words === null);
    set(this.#special, "hidden", queries.special.length + keys.special.length === 0);
  }
}

/** Nothing filtered, nothing scaled. */
const NEUTRAL: Partial<State> = {
  mass: 1,
  threshold: 0,
  top_k: null,
  special: "show",
  direction: "attends_to",
  scale: "absolute",
  words: false,
  whole: null,
  pool: "max",
  pattern: null,
};

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
