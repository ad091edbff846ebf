/** The still base picture: drawn as a whole, and left alone by every hover. */

import { h } from "../dom.ts";
import type { Lifetime } from "../lifetime.ts";
import type { Raster, Scene } from "./composite.ts";
import { begin, pixelRatio, strokeEdges, strokeLinks, strokesTell, type Window } from "./draw.ts";
import { Painter } from "./painter.ts";

export interface BaseScene extends Scene {
  readonly links: readonly (readonly [query: number, key: number])[];
}

export class BasePicture {
  readonly canvas = h("canvas", { class: "base", role: "img", "aria-label": "attention lines" });
  readonly #painter: Painter;
  readonly #painted: () => void;
  #key = "";
  #window: Window | undefined;
  #busy = false;
  #next: (() => void) | undefined;

  constructor(lifetime: Lifetime, painted: () => void) {
    this.#painter = new Painter(lifetime);
    this.#painted = painted;
  }

  /** The part of the content it covers. */
  get window(): Window | undefined {
    return this.#window;
  }

  /**
   * Draw a scene unless it is the one drawn last. A drawing under way gives place to one of another
   * window; other lines in the same one wait for it, the last of them only, so that maps that come faster
   * than pictures still show. Only what is `complete` counts as painted: the rest has lines still to come.
   */
  draw(key: string, window: Window, complete: boolean, scene: () => BaseScene): void {
    const ratio = pixelRatio(window);
    const full = JSON.stringify([key, window, ratio, complete]);
    if (full === this.#key) return;
    const moved = JSON.stringify(window) !== JSON.stringify(this.#window);
    this.#key = full;
    this.#window = window;
    const made = scene();
    const start = () => this.#start(made, window, ratio, complete);
    if (this.#busy && !moved) this.#next = start;
    else start();
  }

  #start(made: BaseScene, window: Window, ratio: number, complete: boolean): void {
    this.#busy = true;
    this.#next = undefined;
    const put = (draw: (context: CanvasRenderingContext2D) => void, final: boolean) => {
      const context = begin(this.canvas, window, ratio);
      if (context) {
        draw(context);
        strokeLinks(context, made.links, made.geometry, getComputedStyle(this.canvas).color);
      }
      if (final) this.#busy = false;
      if (complete && final) this.#painted();
      this.#next?.();
    };
    if (!made.fog && strokesTell(made.edges, made.geometry)) {
      this.#painter.stop();
      put((context) => strokeEdges(context, made.edges, made.geometry, made.colour, Infinity), true);
      return;
    }
    this.#painter.paint(made, { ...window, ratio }, (raster, final) =>
      put((context) => putRaster(context, raster), final),
    );
  }
}

/** Pixels come as they are, whatever the scale of the canvas. */
export function putRaster(context: CanvasRenderingContext2D, { width, height, data }: Raster): void {
  if (width > 0 && height > 0) context.putImageData(new ImageData(data, width, height), 0, 0);
}
