/** The canvases that hold what is in sight and a margin, a band of lines each: scrolling moves them as they are. */

import { h } from "../dom.ts";
import { type Lifetime, oncePerFrame } from "../lifetime.ts";
import type { Painter } from "./draw.ts";
import { bandLines, cellsIn, type Grid, labelStep, placeOf } from "./layout.ts";
import type { Thumbnail } from "./thumbnails.ts";

/** Browsers scale what is wider. */
const MOST_PIXELS = 2400;
/** Labels need that much height. */
const LABEL = 14;

export interface Scene {
  readonly grid: Grid;
  readonly painter: Painter;
  thumbnail(cell: number): Thumbnail | undefined;
  faint(cell: number): boolean;
  /** What stands under a thumbnail; null where nothing does. */
  label(cell: number): string | null;
  /** What stands before a line. */
  lineLabel(line: number): string;
  /** Changes with everything that all thumbnails depend on. */
  readonly key: string;
  /** Changes with the thumbnails of a cell. */
  stamp(cell: number): number;
}

interface Band {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly labels: HTMLElement;
  key: string;
}

export class Atlas {
  readonly element = h("div", { class: "atlas", "aria-hidden": "true" });
  readonly #bands = new Map<number, Band>();
  readonly #spare: Band[] = [];
  readonly #more: () => void;
  #scene: Scene | undefined;
  #sight: readonly [top: number, bottom: number] = [0, 0];

  constructor(lifetime: Lifetime) {
    this.#more = oncePerFrame(lifetime, () => this.#drawMargin());
  }

  /** Pixels of the canvases for each CSS pixel. */
  get ratio(): number {
    const width = this.#scene?.grid.width ?? 1;
    return Math.min(globalThis.devicePixelRatio || 1, 3, MOST_PIXELS / width);
  }

  /** Draw what is in sight now, and the margin in later frames; true if anything had to be painted. */
  draw(scene: Scene, top: number, bottom: number): boolean {
    this.#scene = scene;
    this.#sight = [top, bottom];
    const [first, last] = this.#range(0);
    let painted = false;
    for (let band = first; band < last; band++) painted = this.#ensure(band) || painted;
    this.#more();
    return painted;
  }

  /** The bands in sight, for pictures: where each begins, and its pixels. */
  *inSight(): Generator<readonly [y: number, canvas: HTMLCanvasElement]> {
    const { grid } = this.#scene as Scene;
    const [first, last] = this.#range(0);
    for (let at = first; at < last; at++) {
      const band = this.#bands.get(at);
      if (band) yield [at * bandLines(grid) * grid.pitch.y, band.canvas];
    }
  }

  #range(margin: number): [first: number, last: number] {
    const { grid } = this.#scene as Scene;
    const [height, [top, bottom]] = [bandLines(grid) * grid.pitch.y, this.#sight];
    const count = Math.ceil(grid.height / height);
    return [
      Math.max(0, Math.floor((top - margin) / height)),
      Math.min(count, Math.ceil((bottom + margin) / height)),
    ];
  }

  #drawMargin(): void {
    const [top, bottom] = this.#sight;
    const [first, last] = this.#range(bottom - top);
    for (const [at, band] of this.#bands) {
      if (at >= first && at < last) continue;
      this.#bands.delete(at);
      this.#spare.push(band);
      band.element.remove();
    }
    for (let band = first; band < last; band++) {
      if (!this.#ensure(band)) continue;
      this.#more();
      return;
    }
  }

  /** Paint a band unless it is as it should be; true if it had to be painted. */
  #ensure(at: number): boolean {
    const { grid, key, stamp } = this.#scene as Scene;
    const first = at * bandLines(grid);
    const last = Math.min(grid.lines, first + bandLines(grid));
    const cells = cellsIn(grid, first, last);
    const stamps = [...new Set(Array.from(cells, stamp))].join();
    const whole = `${key} ${this.ratio} ${stamps}`;
    let band = this.#bands.get(at);
    if (band?.key === whole) return false;
    band ??= this.#spare.pop() ?? make();
    band.key = whole;
    this.#bands.set(at, band);
    this.#paint(band, cells, first, last);
    if (!band.element.parentNode) this.element.append(band.element);
    return true;
  }

  #paint({ element, canvas, labels }: Band, cells: Int32Array, first: number, last: number): void {
    const { grid, painter, thumbnail, faint } = this.#scene as Scene;
    const { ratio } = this;
    const top = first * grid.pitch.y;
    const [width, height] = [grid.width, (last - first) * grid.pitch.y];
    canvas.width = Math.ceil(width * ratio);
    canvas.height = Math.ceil(height * ratio);
    Object.assign(canvas.style, { width: `${canvas.width / ratio}px`, height: `${canvas.height / ratio}px` });
    element.style.top = `${top}px`;
    labels.replaceChildren(...this.#labels(cells, first, last));
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(canvas.width, canvas.height);
    const box = [Math.floor(grid.box.width * ratio), Math.floor(grid.box.height * ratio)] as const;
    const style = getComputedStyle(this.element);
    const empty = new Path2D();
    const outlines = new Path2D();
    for (const cell of cells) {
      const place = placeOf(grid, cell);
      const [x, y] = [Math.round(place.x * ratio), Math.round((place.y - top) * ratio)];
      const found = thumbnail(cell);
      if (found) painter.paint(image, x, y, ...box, found, faint(cell));
      else empty.rect(x, y, ...box);
      outlines.rect(x - 0.5, y - 0.5, box[0] + 1, box[1] + 1);
    }
    context.putImageData(image, 0, 0);
    context.fillStyle = style.getPropertyValue("--raised");
    context.fill(empty);
    // Light thumbnails would run into each other.
    context.strokeStyle = style.getPropertyValue("--line");
    context.stroke(outlines);
  }

  #labels(cells: Int32Array, first: number, last: number): HTMLElement[] {
    const { grid, label, lineLabel } = this.#scene as Scene;
    const found: HTMLElement[] = [];
    const step = labelStep(grid.pitch.y, LABEL);
    for (let line = first; grid.perLayer > 0 && line < last; line++) {
      const text = line % step === 0 ? lineLabel(line) : "";
      if (text === "") continue;
      const middle = (line - first) * grid.pitch.y + grid.box.height / 2;
      found.push(place(h("span", { class: "layer" }, text), 0, middle - LABEL / 2));
    }
    for (const cell of cells) {
      const text = label(cell);
      if (text === null) continue;
      const { x, y } = placeOf(grid, cell);
      const under = y - first * grid.pitch.y + grid.box.height;
      const element = place(h("span", { class: "under" }, text), x, under);
      element.style.width = `${grid.pitch.x}px`;
      found.push(element);
    }
    return found;
  }
}

function make(): Band {
  const [canvas, labels] = [h("canvas"), h("div")];
  return { element: h("div", { class: "band" }, canvas, labels), canvas, labels, key: "" };
}

function place(element: HTMLElement, x: number, y: number): HTMLElement {
  Object.assign(element.style, { left: `${x}px`, top: `${y}px` });
  return element;
}
