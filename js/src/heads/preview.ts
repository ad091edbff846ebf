/** One head larger, with its numbers: beside the grid, or in a corner over it where there is no room. */

import { h, set, setText } from "../dom.ts";
import type { Painter } from "./draw.ts";
import { known, short } from "./reading.ts";
import { NAMES, STATISTICS, type Statistic } from "./statistics.ts";
import type { Thumbnail } from "./thumbnails.ts";

/** Longest side, in CSS pixels. */
export const PREVIEW = 160;

export class Preview {
  readonly #canvas = h("canvas");
  readonly #title = h("b");
  readonly #numbers = new Map<Statistic, HTMLElement>(STATISTICS.map((name) => [name, h("dd")]));
  /** What it shows is said by the readout and by the head itself. */
  readonly element = h(
    "div",
    { class: "preview", "aria-hidden": "true", hidden: true },
    this.#canvas,
    this.#title,
    h("dl", {}, ...STATISTICS.flatMap((name) => [h("dt", {}, NAMES[name]), this.#numbers.get(name) ?? null])),
  );
  #shown = "";

  hide(): void {
    set(this.element, "hidden", true);
    this.#shown = "";
  }

  /** @param key - changes with everything the picture depends on. */
  show(
    key: string,
    name: string,
    found: Thumbnail | undefined,
    painter: Painter,
    aspect: number,
    value: (statistic: Statistic) => number,
  ): void {
    if (key === this.#shown) return;
    this.#shown = key;
    set(this.element, "hidden", false);
    setText(this.#title, name);
    const told = known(value);
    for (const [statistic, element] of this.#numbers) {
      setText(element, short(value(statistic)));
      const hidden = !told.includes(statistic);
      set(element, "hidden", hidden);
      set(element.previousElementSibling as HTMLElement, "hidden", hidden);
    }
    const shape = Math.min(2, Math.max(0.5, aspect));
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    const [width, height] = [PREVIEW / Math.max(1, shape), PREVIEW * Math.min(1, shape)];
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    Object.assign(this.#canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = this.#canvas.getContext("2d");
    if (!context || !found) return;
    const image = context.createImageData(this.#canvas.width, this.#canvas.height);
    painter.paint(image, 0, 0, image.width, image.height, found, false);
    context.putImageData(image, 0, 0);
  }
}
