/** What is hovered or pinned, drawn above the base picture: at once by strokes, truly once it is calm. */

import { h } from "../dom.ts";
import { type Lifetime, whenCalm } from "../lifetime.ts";
import { putRaster } from "./base.ts";
import { begin, pixelRatio, strokeEdges, strokeLinks, type Window } from "./draw.ts";
import { Painter } from "./painter.ts";
import type { Edges, Geometry, Rgb } from "./scene.ts";

/** Lines that are stroked at once; where there are more, all are added up when nothing has changed a while. */
const MOST_STROKES = 3000;

export interface FocusScene {
  readonly edges: Edges;
  readonly links: readonly (readonly [query: number, key: number])[];
  readonly geometry: Geometry;
  readonly window: Window;
  readonly colour: (head: number) => Rgb;
}

export class FocusPicture {
  readonly canvas = h("canvas", { class: "overlay", "aria-hidden": "true" });
  readonly #painter: Painter;
  readonly #exactly: () => void;
  #scene: FocusScene | undefined;
  #blank = true;

  constructor(lifetime: Lifetime) {
    this.#painter = new Painter(lifetime);
    this.#exactly = whenCalm(lifetime, () => this.#composite());
  }

  clear(window: Window): void {
    this.#scene = undefined;
    this.#painter.stop();
    if (this.#blank) return;
    begin(this.canvas, window, pixelRatio(window));
    this.#blank = true;
  }

  draw(scene: FocusScene): void {
    const { edges, geometry, window, colour } = scene;
    const context = begin(this.canvas, window, pixelRatio(window));
    this.#scene = undefined;
    this.#painter.stop();
    if (!context) return;
    this.#blank = false;
    if (!strokeEdges(context, edges, geometry, colour, MOST_STROKES)) {
      this.#scene = scene;
      this.#exactly();
    }
    this.#strokeLinks(context, scene);
  }

  /** Add all lines up, unless something else is drawn meanwhile. */
  #composite(): void {
    const scene = this.#scene;
    if (!scene) return;
    const { window } = scene;
    const ratio = pixelRatio(window);
    this.#painter.paint(scene, { ...window, ratio }, (raster, final) => {
      if (this.#scene !== scene || !final) return;
      const context = begin(this.canvas, window, ratio);
      if (!context) return;
      putRaster(context, raster);
      this.#strokeLinks(context, scene);
    });
  }

  #strokeLinks(context: CanvasRenderingContext2D, { links, geometry }: FocusScene): void {
    if (links.length > 0) strokeLinks(context, links, geometry, getComputedStyle(this.canvas).color);
  }
}
