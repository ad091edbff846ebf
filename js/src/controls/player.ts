/** Places to step through (steps of a sequence, layers, words): one at a time, or played. */

import { h, set, setText } from "../dom.ts";
import { type Lifetime, on } from "../lifetime.ts";

/** A place stays at least this long; longer where its picture takes longer, so that none is skipped. */
const STAY_MS = 500;

/** What is stepped through. */
export interface Track {
  /** What the button does: "play", "show the layers in turn". */
  readonly name: string;
  /** Where it stands among places 0 … `last`, −1 for before them. */
  now(): { readonly at: number; readonly last: number };
  go(to: number): void;
}

/** The button that plays a track. */
export class Player {
  readonly button = h("button", { type: "button" });
  readonly #track: Track;
  readonly #lifetime: Lifetime;
  #playing = false;
  #painted = true;
  #cancel = () => {};

  constructor(track: Track, lifetime: Lifetime) {
    this.#track = track;
    this.#lifetime = lifetime;
    on(this.button, "click", () => this.#toggle(), lifetime.signal);
    this.update();
  }

  /** A picture is complete: the next may come. */
  painted(): void {
    this.#painted = true;
    if (this.#playing) this.#wait();
  }

  go(to: number): void {
    this.#painted = false;
    this.#track.go(to);
  }

  update(): void {
    const text = this.#playing ? "pause" : this.#track.name;
    setText(this.button, this.#playing ? "❚❚" : "▶");
    set(this.button, "aria-label", text);
    set(this.button, "title", text);
  }

  #toggle(): void {
    this.#playing = !this.#playing;
    this.#cancel();
    if (this.#playing) {
      const { at, last } = this.#track.now();
      if (at < 0 || at >= last) this.go(0);
      this.#wait();
    }
    this.update();
  }

  /** Go on once the place has been seen for a while, and its picture has been complete. */
  #wait(): void {
    this.#cancel();
    this.#cancel = this.#lifetime.after(STAY_MS, () => {
      if (!this.#playing || !this.#painted) return;
      const { at, last } = this.#track.now();
      if (at < last) this.go(at + 1);
      if (at + 1 >= last) this.#playing = false;
      this.update();
    });
  }
}
