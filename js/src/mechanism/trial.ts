/** What a reader may change to see what happens: scale, temperature, masks. Nothing of it leaves the page. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import { number } from "./sheet.ts";
import type { Steps, WhatIf } from "./steps.ts";

/** Sliders run over so many powers of two to either side. */
const RANGE = 4;

export class Trial {
  readonly elements: readonly HTMLElement[];
  readonly #changed: () => void;
  readonly #signal: AbortSignal;
  readonly #sliders: Record<"scale" | "temperature", HTMLInputElement>;
  readonly #texts = { scale: h("output"), temperature: h("output") };
  readonly #masks = h("span", { class: "group" });
  readonly #reset = h(
    "button",
    { type: "button", class: "what-if", title: "back to the model's numbers" },
    "what-if · reset",
  );
  /** Masks that are not as the map has them. */
  readonly #flipped = new Set<string>();

  constructor(changed: () => void, signal: AbortSignal) {
    this.#changed = changed;
    this.#signal = signal;
    const slider = (name: string) => {
      const element = h("input", {
        type: "range",
        min: -RANGE,
        max: RANGE,
        step: 0.1,
        value: 0,
        "aria-label": name,
      });
      on(element, "input", changed, signal);
      return element;
    };
    this.#sliders = { scale: slider("scale"), temperature: slider("temperature") };
    const { scale, temperature } = this.#sliders;
    this.elements = [
      h("label", {}, "scale", scale, this.#texts.scale),
      h("label", {}, "temperature", temperature, this.#texts.temperature),
      this.#masks,
      this.#reset,
    ];
    on(
      this.#reset,
      "click",
      () => {
        this.reset();
        changed();
      },
      signal,
    );
  }

  get changed(): boolean {
    return this.#flipped.size > 0 || this.#factor("scale") !== 1 || this.#factor("temperature") !== 1;
  }

  reset(): void {
    this.#flipped.clear();
    for (const slider of Object.values(this.#sliders)) slider.value = "0";
  }

  #factor(name: "scale" | "temperature"): number {
    return 2 ** Number(this.#sliders[name].value);
  }

  /** A square map may be seen as if it were causal. */
  offer({ masks, scores }: Steps, query: number): void {
    (masks as Record<string, ArrayLike<number>>).causal ??= Uint8Array.from(scores, (_, key) =>
      Number(key <= query),
    );
  }

  of({ masks, on: own }: Steps): WhatIf {
    const names = Object.keys(masks).filter((name) => own.includes(name) !== this.#flipped.has(name));
    return { scale: this.#factor("scale"), temperature: this.#factor("temperature"), masks: names };
  }

  update(panels: readonly Steps[]): void {
    const [first] = panels;
    const factor = this.#factor("scale");
    const alike = panels.every(({ scale }) => scale === first?.scale);
    setText(this.#texts.scale, alike ? number((first?.scale ?? 1) * factor) : `× ${number(factor)}`);
    setText(this.#texts.temperature, number((first?.temperature ?? 1) * this.#factor("temperature")));
    set(this.#reset, "hidden", !this.changed);
    const names = [...new Set(panels.flatMap(({ masks }) => Object.keys(masks)))];
    if (String(names) !== this.#masks.dataset.names) {
      this.#masks.dataset.names = String(names);
      this.#masks.replaceChildren(...names.map((name) => this.#box(name)));
    }
    names.forEach((name, at) => {
      const own = panels.some((steps) => steps.on.includes(name));
      const box = this.#masks.children[at]?.firstElementChild as HTMLInputElement;
      box.checked = own !== this.#flipped.has(name);
    });
  }

  #box(name: string): HTMLElement {
    const box = h("input", { type: "checkbox" });
    const flip = () => {
      if (!this.#flipped.delete(name)) this.#flipped.add(name);
      this.#changed();
    };
    on(box, "change", flip, this.#signal);
    return h("label", {}, box, name);
  }
}
