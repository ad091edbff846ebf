/** The scrolled grid: how it is laid out in the room there is, and which heads are in sight. */

import { h, set } from "../dom.ts";
import { arrange, cellAt, cellsIn, type Grid, labelStep, linesIn, PITCHES, placeOf } from "./layout.ts";
import { PREVIEW } from "./preview.ts";

const MOST_HEIGHT = 520;
const SCROLLBAR = 12;
/** The preview stands beside the grid from this width on. */
const DOCKED = 560;
const DOCK = PREVIEW + 16;
const NAME_WIDTH = 26;
/** Room for frames around the outermost cells. */
const EDGE = 3;

export interface Room {
  readonly layers: number;
  readonly heads: number;
  readonly order: Int32Array | null;
  readonly aspect: number;
  readonly width: number;
  readonly height: number | null;
}

export class Sight {
  readonly grid = h("div", {
    class: "heads-grid",
    role: "listbox",
    tabindex: 0,
    "aria-multiselectable": "true",
  });
  readonly scroller = h("div", { class: "heads-scroller" }, this.grid);
  readonly #names = h("div", { class: "head-names", "aria-hidden": "true" });
  readonly element = h("div", {}, this.#names, this.scroller);
  /** Width of a cell, once somebody has chosen one. */
  pitch: number | null = null;
  /** The preview has room beside the grid. */
  docked = false;
  #layout: Grid | undefined;

  get layout(): Grid | undefined {
    return this.#layout;
  }

  get range(): readonly [top: number, bottom: number] {
    const { scrollTop, clientHeight } = this.scroller;
    return [scrollTop - EDGE, scrollTop + clientHeight - EDGE];
  }

  /** Cells in sight. */
  get cells(): Int32Array {
    return this.#layout ? cellsIn(this.#layout, ...linesIn(this.#layout, ...this.range)) : new Int32Array();
  }

  /** Lines that Page Up and Page Down move by. */
  get page(): number {
    return Math.max(1, Math.floor(this.scroller.clientHeight / (this.#layout?.pitch.y ?? 1)) - 1);
  }

  /** Names of the columns, where they have one: the middle of each, and what it says. */
  get names(): readonly (readonly [x: number, text: string])[] {
    const grid = this.#layout;
    if (grid?.perLayer !== 1) return [];
    const step = labelStep(grid.pitch.x, NAME_WIDTH);
    return Array.from({ length: Math.ceil(grid.columns / step) }, (_, i) => [
      grid.left + i * step * grid.pitch.x + grid.box.width / 2,
      `H${i * step}`,
    ]);
  }

  update({ width, height, ...cells }: Room): Grid {
    const most = height ?? MOST_HEIGHT;
    const within = (room: number) => {
      const grid = arrange({ ...cells, pitch: this.pitch, width: room });
      if (grid.height <= most) return grid;
      return arrange({ ...cells, pitch: this.pitch, width: room - SCROLLBAR });
    };
    const whole = within(width);
    const beside = width >= DOCKED ? within(width - DOCK) : undefined;
    // Layers broken into lines would cost more than a preview that floats.
    this.docked = beside !== undefined && (beside.perLayer <= 1 || whole.perLayer > 1);
    const grid = this.docked && beside ? beside : whole;
    this.#layout = grid;
    const bar = grid.height > most ? SCROLLBAR : 0;
    Object.assign(this.grid.style, { width: `${grid.width}px`, height: `${grid.height}px` });
    Object.assign(this.scroller.style, {
      width: `${grid.width + bar + 2 * EDGE}px`,
      height: `${Math.min(most, grid.height) + 2 * EDGE}px`,
    });
    set(this.#names, "hidden", grid.perLayer !== 1);
    this.#names.replaceChildren(
      ...this.names.map(([x, text]) => {
        const name = h("span", { class: "axis" }, text);
        name.style.left = `${x}px`;
        return name;
      }),
    );
    return grid;
  }

  /** The cell under the pointer; −1 where there is none. */
  under({ clientX, clientY }: MouseEvent): number {
    const box = this.grid.getBoundingClientRect();
    return this.#layout ? cellAt(this.#layout, clientX - box.left, clientY - box.top) : -1;
  }

  /** The next larger (1) or smaller (−1) cells, once `draw` has run; what is in the middle stays there. */
  zoom(direction: 1 | -1, draw: () => void): void {
    const now = this.#layout?.pitch.x;
    if (now === undefined) return;
    const next = direction > 0 ? PITCHES.find((x) => x > now) : PITCHES.filter((x) => x < now).at(-1);
    if (next === undefined) return;
    const { cells } = this;
    const cell = cells[cells.length >> 1] ?? 0;
    this.pitch = next;
    draw();
    if (this.#layout)
      this.scroller.scrollTop = placeOf(this.#layout, cell).y - this.scroller.clientHeight / 2;
  }

  /** Scroll as little as brings a cell into sight. */
  reveal(cell: number): void {
    if (!this.#layout) return;
    const { y } = placeOf(this.#layout, cell);
    const [top, bottom] = this.range;
    const below = y + this.#layout.pitch.y;
    if (y < top) this.scroller.scrollTop = y;
    else if (below > bottom) this.scroller.scrollTop += below - bottom;
  }

  /** What stands before a line: its layer, or the first head of a line that goes on with one. */
  lineLabel(line: number): string {
    const { perLayer, columns } = this.#layout as Grid;
    const part = line % perLayer;
    return part === 0 ? `L${line / perLayer}` : `H${part * columns}`;
  }
}
