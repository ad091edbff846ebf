/** Steps of a sequence (epochs, decoding steps): one at a time, or played. */

import { h, set, setText } from "../dom.ts";
import { type Lifetime, on } from "../lifetime.ts";
import type { Model } from "../model.ts";
import type { Store } from "../store.ts";

/** A step stays at least this long; longer where its picture takes longer, so that none is skipped. */
const STEP_MS = 500;

export class Player {
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #lifetime: Lifetime;
  readonly #slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "step" });
  readonly #text = h("span");
  readonly #play = h("button", { type: "button" });
  #playing = false;
  #painted = true;
  #cancel = () => {};

  constructor(model: Model, store: Store, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#lifetime = lifetime;
    const { signal } = lifetime;
    this.element = h("div", { class: "group" }, h("span", {}, "step"), this.#play, this.#slider, this.#text);
    on(this.#slider, "input", () => this.#go(Number(this.#slider.value)), signal);
    on(this.#play, "click", () => this.#toggle(), signal);
    model.subscribe(() => this.#update(), signal);
    store.subscribe(() => this.#update(), signal);
    this.#update();
  }

  painted(): void {
    this.#painted = true;
    if (this.#playing) this.#wait();
  }

  get #last(): number {
    return (this.#store.content?.steps ?? 1) - 1;
  }

  #toggle(): void {
    this.#playing = !this.#playing;
    this.#cancel();
    if (this.#playing) {
      if (this.#model.state.step >= this.#last) this.#go(0);
      this.#wait();
    }
    this.#update();
  }

  #go(step: number): void {
    this.#painted = false;
    this.#model.change({ step });
  }

  /** Go on once the step has been seen for a while, and its picture has been complete. */
  #wait(): void {
    this.#cancel();
    this.#cancel = this.#lifetime.after(STEP_MS, () => {
      if (!this.#playing || !this.#painted) return;
      const { step } = this.#model.state;
      if (step < this.#last) this.#go(step + 1);
      if (step + 1 >= this.#last) this.#playing = false;
      this.#update();
    });
  }

  #update(): void {
    const last = this.#last;
    const { step } = this.#model.state;
    set(this.element, "hidden", last < 1);
    this.#slider.max = String(last);
    this.#slider.value = String(step);
    setText(this.#text, `${step} of 0–${last}`);
    setText(this.#play, this.#playing ? "❚❚" : "▶");
    set(this.#play, "aria-label", this.#playing ? "pause" : "play");
    set(this.#play, "title", this.#playing ? "pause" : "play the steps");
  }
}
