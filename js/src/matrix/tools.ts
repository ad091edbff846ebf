/** Buttons that zoom, the field that finds a token, and the whole map in small with the part in sight. */

import { h, set } from "../dom.ts";
import { onDrag } from "../drag.ts";
import type { Ink } from "../export/compose.ts";
import { on } from "../lifetime.ts";
import { begin, css, occupy, ratioNow } from "./draw.ts";
import type { Layout, Sight } from "./layout.ts";

export interface ToolHandlers {
  zoom(direction: 1 | -1): void;
  whole(): void;
  /** Go to the next token that fits; returns whether there is one. */
  find(text: string): boolean;
  /** Bring a place of the whole map, in shares of it, into the middle. */
  centre(x: number, y: number): void;
}

export class Tools {
  readonly element: HTMLElement;
  readonly #out: HTMLButtonElement;
  readonly #fit: HTMLButtonElement;

  constructor(handlers: ToolHandlers, signal: AbortSignal) {
    const button = (text: string, title: string, action: () => void) => {
      const element = h("button", { type: "button", title, "aria-label": title }, text);
      on(element, "click", action, signal);
      return element;
    };
    const field = h("input", {
      type: "search",
      class: "find",
      placeholder: "go to token",
      "aria-label": "go to a token: type its label or number, Enter finds the next",
      autocomplete: "off",
      spellcheck: "false",
    });
    on(
      field,
      "keydown",
      (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        set(field, "aria-invalid", handlers.find(field.value) ? null : "true");
      },
      signal,
    );
    on(field, "input", () => set(field, "aria-invalid", null), signal);
    this.#out = button("−", "zoom out", () => handlers.zoom(-1));
    this.#fit = button("fit", "fit: show the whole map", () => handlers.whole());
    this.element = h(
      "div",
      { class: "matrix-tools", role: "group", "aria-label": "zoom and find" },
      button("+", "zoom in", () => handlers.zoom(1)),
      this.#out,
      this.#fit,
      field,
    );
  }

  update(whole: boolean): void {
    this.#out.disabled = whole;
    this.#fit.disabled = whole;
  }
}

/** The whole map in the corner between the labels, where a part of it is in sight. */
export class Overview {
  readonly element: HTMLElement;
  readonly canvas = h("canvas");
  readonly #marks = h("canvas");

  constructor(handlers: ToolHandlers, signal: AbortSignal) {
    this.element = h(
      "div",
      { class: "matrix-overview", "aria-hidden": "true", hidden: true, title: "drag to move" },
      this.canvas,
      this.#marks,
    );
    onDrag(this.element, (x, y) => handlers.centre(x, y), signal);
  }

  /** Place it in the corner; returns its size in pixels of the screen. */
  place({ gutter, plot, top }: Layout, shown: boolean): readonly [height: number, width: number] {
    set(this.element, "hidden", !shown);
    const [wide, high] = [gutter - 16, top.y - 10];
    const share = plot.height / plot.width;
    const width = Math.max(16, Math.min(wide, high / share, 96));
    const height = Math.max(16, Math.min(high, width * share));
    const place = { x: 0, y: 0, width: Math.round(width), height: Math.round(height) };
    Object.assign(this.element.style, {
      left: `${gutter - place.width - 8}px`,
      top: `${top.y - place.height - 10}px`,
      width: `${place.width}px`,
      height: `${place.height}px`,
    });
    occupy(this.canvas, place, ratioNow());
    occupy(this.#marks, place, ratioNow());
    return [this.canvas.height, this.canvas.width];
  }

  mark({ rows, cols }: Sight, height: number, width: number, ink: Ink): void {
    const context = begin(this.#marks, 1);
    if (!context) return;
    const { width: wide, height: high } = this.#marks;
    const [x, y] = [(cols[0] / width) * wide, (rows[0] / height) * high];
    const w = Math.max(5, ((cols[1] - cols[0]) / width) * wide);
    const t = Math.max(5, ((rows[1] - rows[0]) / height) * high);
    context.fillStyle = css(ink.surface, 0.5);
    context.fillRect(0, 0, wide, high);
    context.clearRect(x, y, w, t);
    context.strokeStyle = css(ink.accent);
    context.lineWidth = Math.max(1.5, ratioNow());
    context.strokeRect(Math.min(x, wide - w) + 0.5, Math.min(y, high - t) + 0.5, w - 1, t - 1);
  }
}
