/** Frames over the thumbnails: what is chosen, what the pointer is at, where the keyboard is. Elements, so that nothing is redrawn. */

import { h, set } from "../dom.ts";
import { type Grid, placeOf } from "./layout.ts";

export class Marks {
  readonly #chosen = h("div", { "aria-hidden": "true" });
  readonly #whole = h("div", { class: "frame whole", "aria-hidden": "true", hidden: true });
  readonly #frame = h("div", { class: "frame outer", "aria-hidden": "true", hidden: true });
  readonly #cursor = h("div", { class: "frame cursor", role: "option", id: "heads-cursor" });
  readonly elements = [this.#whole, this.#chosen, this.#frame, this.#cursor];
  readonly cursorId = this.#cursor.id;

  /** Frame what is chosen, each head in its colour; all heads of a layer by one frame, where they stand together. */
  choose(grid: Grid, cells: readonly (readonly [cell: number, colour: string])[], all: boolean): void {
    const chosen = all && cells.length > 1 ? [] : cells;
    while (this.#chosen.childElementCount > chosen.length) this.#chosen.lastElementChild?.remove();
    chosen.forEach(([cell, colour], i) => {
      const held = this.#chosen.children[i] as HTMLElement | undefined;
      const mark = held ?? this.#chosen.appendChild(h("div", { class: "frame" }));
      mark.style.setProperty("--frame", colour);
      put(mark, grid, cell);
    });
    const whole = chosen !== cells && grid.perLayer > 0;
    set(this.#whole, "hidden", !whole);
    if (!whole) return;
    const { columns, perLayer, pitch, box } = grid;
    put(
      this.#whole,
      grid,
      cells[0]?.[0] ?? 0,
      (columns - 1) * pitch.x + box.width,
      (perLayer - 1) * pitch.y + box.height,
    );
  }

  hover(grid: Grid, cell: number, heads: number): void {
    set(this.#frame, "hidden", cell < 0);
    if (cell < 0) return;
    name(this.#frame, cell, heads);
    put(this.#frame, grid, cell);
  }

  /** @param says - what a screen reader says of the head. */
  cursor(grid: Grid, cell: number, heads: number, says: string, chosen: boolean): void {
    name(this.#cursor, cell, heads);
    put(this.#cursor, grid, cell);
    set(this.#cursor, "aria-label", says);
    set(this.#cursor, "aria-selected", String(chosen));
    set(this.#cursor, "aria-setsize", grid.slotOf.length);
    set(
      this.#cursor,
      "aria-posinset",
      grid.slots.subarray(0, grid.slotOf[cell]).filter((at) => at >= 0).length + 1,
    );
  }
}

function name(element: HTMLElement, cell: number, heads: number): void {
  set(element, "data-layer", Math.floor(cell / heads));
  set(element, "data-head", cell % heads);
}

function put(
  { style }: HTMLElement,
  grid: Grid,
  cell: number,
  width = grid.box.width,
  height = grid.box.height,
) {
  const { x, y } = placeOf(grid, cell);
  style.transform = `translate(${x}px, ${y}px)`;
  style.width = `${width + 4}px`;
  style.height = `${height + 4}px`;
}
