/** The canvas of the view, and its numbers as one grid that pointer and keyboard reach. */

import { h, set } from "../dom.ts";
import { INK } from "../export/compose.ts";
import { paintMarks } from "../export/png.ts";
import { on } from "../lifetime.ts";
import type { Theme } from "../theme.ts";
import type { Panel } from "./layout.ts";
import type { Cell } from "./sheet.ts";

export class Numbers {
  readonly #canvas = h("canvas", { "aria-hidden": "true" });
  readonly #frames = h("canvas", { "aria-hidden": "true" });
  readonly #cursor = h("div", { role: "option", id: "mechanism-cursor", "aria-selected": "true" });
  readonly element = h(
    "div",
    {
      class: "numbers",
      role: "listbox",
      tabindex: 0,
      "aria-label": "numbers",
      "aria-activedescendant": this.#cursor.id,
    },
    this.#canvas,
    this.#frames,
    this.#cursor,
  );
  #panels: readonly Panel[] = [];
  /** Numbers line by line. */
  #lines: readonly (readonly Cell[])[] = [];
  #theme: Theme = "light";
  #width = 0;
  #height = 0;
  /** Line and place of the number that the keyboard is at, and the one that is hovered. */
  #at: readonly [line: number, place: number] = [0, 0];
  #focused = false;
  #hover: Cell | undefined;
  readonly #changed: () => void;

  /** @param changed - another number is pointed at. */
  constructor(changed: () => void, signal: AbortSignal) {
    this.#changed = changed;
    const { element } = this;
    const point = (cell: Cell | undefined) => {
      if (cell === this.#hover) return;
      this.#hover = cell;
      this.#mark();
    };
    for (const type of ["pointermove", "pointerdown"] as const)
      on(element, type, (event) => point(this.#under(event)), signal);
    on(element, "pointerleave", () => point(undefined), signal);
    for (const type of ["focus", "blur"] as const)
      on(
        element,
        type,
        () => {
          this.#focused = element.matches(":focus-visible");
          this.#mark();
        },
        signal,
      );
    on(element, "keydown", (event) => this.#keyed(event), signal);
  }

  /** The number under the pointer or at the keyboard's place. */
  get pointed(): Cell | undefined {
    return this.#hover ?? (this.#focused ? this.#cell : undefined);
  }

  show(panels: readonly Panel[], width: number, theme: Theme): void {
    this.#theme = theme;
    this.#width = width;
    this.#panels = panels;
    this.#lines = panels.flatMap(({ cells }) => cells);
    this.#height = Math.max(...panels.map(({ bottom }) => bottom));
    const { x, y } = this.#hover ?? {};
    this.#hover = this.#lines.flat().find((cell) => cell.x === x && cell.y === y);
    this.element.style.height = `${this.#height}px`;
    const context = this.#fit(this.#canvas);
    const font = getComputedStyle(this.element).fontFamily;
    for (const { boxes, texts } of panels) if (context) paintMarks(context, boxes, texts, font);
    this.#mark();
  }

  get #cell(): Cell | undefined {
    return this.#lines[this.#at[0]]?.[this.#at[1]];
  }

  #under(event: PointerEvent): Cell | undefined {
    const { left, top } = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const within = (cell: Cell) =>
      x >= cell.x && x < cell.x + cell.width && y >= cell.y && y < cell.y + cell.height;
    return this.#lines.flat().find(within);
  }

  #keyed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [line, place] = this.#at;
    const { length } = this.#lines[line] ?? [];
    const to: Record<string, readonly [number, number]> = {
      ArrowLeft: [line, place - 1],
      ArrowRight: [line, place + 1],
      Home: [line, 0],
      End: [line, length - 1],
      ArrowUp: [line - 1, this.#nearest(line - 1)],
      ArrowDown: [line + 1, this.#nearest(line + 1)],
    };
    const next = to[event.key];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    if (!this.#lines[next[0]]?.[next[1]]) return;
    this.#at = next;
    this.#focused = true;
    this.#hover = undefined;
    this.#mark();
  }

  /** The place of the number of a line nearest to where the keyboard is. */
  #nearest(line: number): number {
    const cells = this.#lines[line] ?? [];
    const from = this.#cell?.x ?? 0;
    const away = cells.map(({ x }) => Math.abs(x - from));
    return away.indexOf(Math.min(...away));
  }

  /** Frame the number at hand, and those of the same place in the other vectors. */
  #mark(): void {
    const context = this.#fit(this.#frames);
    const cell = this.pointed;
    if (context && cell) {
      context.strokeStyle = `rgb(${INK[this.#theme].text})`;
      const own = this.#panels.map(({ cells }) => cells.flat()).find((cells) => cells.includes(cell));
      for (const { x, y, width, height, index } of cell.index < 0 ? [] : (own ?? [])) {
        if (index === cell.index) context.strokeRect(x, y, width, height);
      }
      context.lineWidth = 2;
      context.strokeRect(cell.x, cell.y, cell.width, cell.height);
    }
    this.#changed();
    set(this.#cursor, "aria-label", this.#cell ? `${this.#cell.value} = ${this.#cell.says}` : "");
  }

  /** An empty canvas as large as the view. */
  #fit(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
    const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
    Object.assign(canvas.style, { width: `${this.#width}px`, height: `${this.#height}px` });
    canvas.width = Math.round(this.#width * ratio);
    canvas.height = Math.round(this.#height * ratio);
    const context = canvas.getContext("2d");
    context?.scale(ratio, ratio);
    return context;
  }
}
