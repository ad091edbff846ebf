/** The still base picture: composited in slices, and left alone by every hover. */

import { h } from "../dom.ts";
import type { Lifetime } from "../lifetime.ts";
import { type Composite, createComposite, type Scene } from "./composite.ts";
import { begin, pixelRatio, strokeLinks, type Window } from "./draw.ts";

/** Time spent on the picture at a stretch: while it is the first nothing else waits. */
const SLICE_MS = { first: 40, later: 10 };

export interface BaseScene extends Scene {
  readonly links: readonly (readonly [query: number, key: number])[];
}

export class BasePicture {
  readonly canvas = h("canvas", { class: "base", role: "img", "aria-label": "attention lines" });
  readonly #lifetime: Lifetime;
  readonly #painted: () => void;
  #drawing: Composite | undefined;
  #drawn = false;
  #key = "";
  #window: Window | undefined;

  constructor(lifetime: Lifetime, painted: () => void) {
    this.#lifetime = lifetime;
    this.#painted = painted;
  }

  /** The part of the content it covers. */
  get window(): Window | undefined {
    return this.#window;
  }

  /**
   * Draw a scene unless it is the one drawn last; a drawing under way gives place to it. Only what is
   * `complete` counts as painted: the rest has lines still to come.
   */
  draw(key: string, window: Window, complete: boolean, scene: () => BaseScene): void {
    const ratio = pixelRatio(window);
    const full = JSON.stringify([key, window, ratio, complete]);
    if (full === this.#key) return;
    this.#key = full;
    this.#window = window;
    const made = scene();
    const drawing = createComposite(made, { ...window, ratio });
    this.#drawing = drawing;
    const proceed = () => {
      if (this.#drawing !== drawing) return;
      if (!drawing.step(this.#drawn ? SLICE_MS.later : SLICE_MS.first)) {
        this.#lifetime.after(0, proceed);
        return;
      }
      this.#drawn ||= complete;
      this.#drawing = undefined;
      this.#put(drawing, made, window, ratio);
      if (complete) this.#painted();
    };
    proceed();
  }

  #put({ raster }: Composite, { links, geometry }: BaseScene, window: Window, ratio: number): void {
    const context = begin(this.canvas, window, ratio);
    const { width, height, data } = raster;
    if (!context || width === 0 || height === 0) return;
    context.putImageData(new ImageData(data, width, height), 0, 0);
    strokeLinks(context, links, geometry, getComputedStyle(this.canvas).color);
  }
}
