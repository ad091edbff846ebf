/** The matrix view: events in, pins and windows out. What is painted is in scene.ts, its weights in source.ts. */

import type { ListPlace } from "../a11y.ts";
import { h } from "../dom.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import { type Lifetime, on, oncePerFrame, whenCalm } from "../lifetime.ts";
import { nextPins } from "../lines/gestures.ts";
import { pinnedFocus } from "../lines/picture.ts";
import { plain } from "../lines/reading.ts";
import { tokensOf, type Units, unitOf } from "../lines/units.ts";
import type { Model, State } from "../model.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";
import { listenAxis, listenPlot } from "./gestures.ts";
import * as lay from "./layout.ts";
import { MatrixLegend } from "./legend.ts";
import { MATRIX_HELP, matrixOptions } from "./options.ts";
import { Scene } from "./scene.ts";
import { Source } from "./source.ts";
import { matrixRows } from "./still.ts";
import { type Cell, findUnit, hoveredAt, strongestIn, tell } from "./telling.ts";
import { Overview, Tools } from "./tools.ts";

const NOWHERE: Cell = { row: null, col: null };
const SIDES = ["query", "key"] as const;
/** How far a button or key zooms, and what share of the part in sight an arrow with Shift moves. */
const ZOOM = 1.6;
const PAN = 0.2;

export class MatrixView implements View {
  readonly element: HTMLElement;
  readonly options: readonly HTMLElement[];
  readonly help = MATRIX_HELP;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #lifetime: Lifetime;
  readonly #source: Source;
  readonly #scene: Scene;
  readonly #tools: Tools;
  readonly #redraw: () => void;
  readonly #prefetch: () => void;
  readonly #refocus: () => void;
  #theme: Theme = "light";
  #width = 0;
  #sight: lay.Sight = lay.wholeOf(0, 0);
  #hover: Cell = NOWHERE;
  #found: { side: Side; unit: number } = { side: "key", unit: -1 };
  #beforeClick: Pick<State, "pinned_queries" | "pinned_keys"> | undefined;

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    this.#lifetime = lifetime;
    const { signal } = lifetime;
    this.#redraw = oncePerFrame(lifetime, () => this.#draw());
    this.#refocus = oncePerFrame(lifetime, () => this.#drawFocus());
    this.#source = new Source(model, store);
    this.#prefetch = whenCalm(lifetime, () => this.#source.prefetch());
    this.options = matrixOptions(model, signal);
    const tools = {
      zoom: (direction: 1 | -1) => this.zoom(direction),
      whole: () => this.#look(this.#whole),
      find: (text: string) => this.#find(text),
      centre: (x: number, y: number) => {
        const { rows, cols } = this.#counts;
        const [row, col] = [y * rows - middleOf(this.#sight.rows), x * cols - middleOf(this.#sight.cols)];
        this.#look(lay.panned(this.#sight, row, col, this.#counts));
      },
    };
    this.#tools = new Tools(tools, signal);
    const legend = new MatrixLegend((scale) => model.change({ scale }), signal);
    this.#scene = new Scene(new Overview(tools, signal), legend);
    this.element = h(
      "div",
      { class: "stage matrix", "data-view": "matrix", "data-lm-suppress-shortcuts": "true" },
      this.#tools.element,
      this.#scene.element,
    );
    this.#listen(signal);
    model.subscribe((changed) => this.#stateChanged(changed), signal);
    store.subscribe(() => this.#redraw(), signal);
    lifetime.onEnd(() => this.element.remove());
  }

  // --- what the frame asks ----------------------------------------------------------------------

  get legend(): HTMLElement {
    return this.#scene.legend;
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    this.#redraw();
  }

  resize(width: number): void {
    if (width <= 0 || Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    this.#redraw();
  }

  refresh(): void {
    this.#scene.forget();
    this.#redraw();
  }

  /** Zoom at the crosshair, else at the middle. */
  zoom(direction: 1 | -1): void {
    const { row, col } = this.#hover;
    const { rows, cols } = this.#sight;
    const at = {
      row: row === null ? middleOf(rows) : row + 0.5,
      col: col === null ? middleOf(cols) : col + 0.5,
    };
    this.#zoom(direction > 0 ? ZOOM : 1 / ZOOM, at);
  }

  still(): Part | null {
    return this.#scene.still(this.#source, this.#model.state);
  }

  rows(): Row[] {
    return matrixRows(this.#source, this.#model.state, this.#sight);
  }

  // --- what changes -----------------------------------------------------------------------------

  #stateChanged(changed: ReadonlySet<keyof State>): void {
    if (changed.has("window")) this.#followWindow();
    const focusOnly = [...changed].every((name) => name === "pinned_queries" || name === "pinned_keys");
    if (focusOnly) this.#refocus();
    else this.#redraw();
  }

  #followWindow(): void {
    const { axes } = this.#source;
    const { window } = this.#model.state;
    const now = lay.windowOf(this.#sight, axes.query.starts, axes.key.starts);
    if (JSON.stringify(window) === JSON.stringify(now)) return;
    this.#sight = this.#sightOf(window);
  }

  /** What a window in tokens means on the axes shown. */
  #sightOf(window: State["window"]): lay.Sight {
    const { query, key } = this.#source.axes;
    const [top, bottom, left, right] = window ?? [];
    const span = (units: Units, start?: number, end?: number): readonly [number, number] => {
      const tokens = units.starts[units.count] as number;
      if (start === undefined || end === undefined || start >= end || start < 0 || end > tokens)
        return [0, units.count];
      return [unitOf(units, start), unitOf(units, end - 1) + 1];
    };
    return { rows: span(query, top, bottom), cols: span(key, left, right) };
  }

  get #counts(): { rows: number; cols: number } {
    const { query, key } = this.#source.axes;
    return { rows: query.count, cols: key.count };
  }

  get #whole(): lay.Sight {
    const { rows, cols } = this.#counts;
    return lay.wholeOf(rows, cols);
  }

  /** Show another part, and tell Python of it. */
  #look(sight: lay.Sight): void {
    this.#sight = sight;
    const { query, key } = this.#source.axes;
    this.#model.change({ window: lay.windowOf(sight, query.starts, key.starts) });
    this.#redraw();
  }

  #zoom(factor: number, at: { row: number; col: number }): void {
    const { layout } = this.#scene;
    if (layout) this.#look(lay.zoomed(this.#sight, factor, at, this.#counts, layout));
  }

  #setHover(hover: Cell): void {
    if (hover.row === this.#hover.row && hover.col === this.#hover.col) return;
    this.#hover = hover;
    this.#refocus();
  }

  /** The cell at a place of the plot; of those under one pixel the strongest, where that is known. */
  #cellAt(x: number, y: number): { row: number; col: number } | undefined {
    const { plot } = this.#scene.layout ?? {};
    const { rows, cols } = this.#counts;
    if (!plot || rows * cols === 0 || x < 0 || y < 0 || x >= plot.width || y >= plot.height) return undefined;
    const [down, across] = [
      lay.scaleOf(this.#sight.rows, plot.height),
      lay.scaleOf(this.#sight.cols, plot.width),
    ];
    const span = (start: number, cell: number, at: number, count: number): readonly [number, number] => {
      const first = Math.max(0, Math.min(count - 1, Math.floor(start + at / cell)));
      return [first, Math.max(first + 1, Math.min(count, Math.floor(start + (at + 1) / cell)))];
    };
    const rowSpan = span(this.#sight.rows[0], down.cell, y, rows);
    const colSpan = span(this.#sight.cols[0], across.cell, x, cols);
    return strongestIn(this.#source, rowSpan, colSpan) ?? { row: rowSpan[0], col: colSpan[0] };
  }

  #pin(side: Side, position: number, add: boolean): void {
    const { axes } = this.#source;
    const { state } = this.#model;
    this.#scene.labels[side].reach(position, false);
    const tokens = tokensOf(axes[side], position);
    this.#model.change(nextPins(state, pinnedFocus(state, axes), side, position, tokens, add));
    this.#announce();
  }

  /** Pin both ends of a cell, or unpin them where they are what is pinned. */
  #pinCell({ row, col }: { row: number; col: number }, add: boolean): void {
    const { axes } = this.#source;
    const { pinned_queries, pinned_keys } = this.#model.state;
    const [queries, keys] = [tokensOf(axes.query, row), tokensOf(axes.key, col)];
    const has = (pins: readonly number[], tokens: readonly number[]) =>
      tokens.every((token) => pins.includes(token));
    const was = has(pinned_queries, queries) && has(pinned_keys, keys);
    const alone = pinned_queries.length === queries.length && pinned_keys.length === keys.length;
    const joined = (pins: readonly number[], tokens: readonly number[]) => {
      const rest = pins.filter((pin) => !tokens.includes(pin));
      return was ? rest : [...rest, ...tokens];
    };
    if (add)
      this.#model.change({
        pinned_queries: joined(pinned_queries, queries),
        pinned_keys: joined(pinned_keys, keys),
      });
    else if (was && alone) this.#model.change({ pinned_queries: [], pinned_keys: [] });
    else this.#model.change({ pinned_queries: queries, pinned_keys: keys });
    this.#announce();
  }

  #find(text: string): boolean {
    const found = findUnit(this.#source.axes, text, this.#found);
    if (!found) return false;
    this.#found = found;
    this.#goTo(found.side, found.unit, false);
    return true;
  }

  #goTo(side: Side, position: number, focus: boolean): void {
    const [row, col] = side === "query" ? [position, null] : [null, position];
    const sight = lay.revealed(this.#sight, row, col, this.#counts);
    this.#hover = { row, col };
    this.#scene.labels[side].reach(position, focus);
    this.#look(sight);
    this.#announce();
  }

  #announce(): void {
    this.#lifetime.after(0, () => {
      this.#drawFocus();
      this.#around.announce(plain(this.#sentence()));
    });
  }

  #listen(signal: AbortSignal): void {
    const handlers = {
      hover: (x: number, y: number) => this.#setHover(this.#cellAt(x, y) ?? NOWHERE),
      hoverToken: (side: Side, position: number) =>
        this.#setHover(side === "query" ? { row: position, col: null } : { row: null, col: position }),
      leave: () => this.#setHover(NOWHERE),
      pan: (dx: number, dy: number) => {
        const { plot } = this.#scene.layout ?? {};
        if (!plot) return;
        const { rows, cols } = this.#sight;
        const [down, across] = [lay.scaleOf(rows, plot.height).cell, lay.scaleOf(cols, plot.width).cell];
        this.#look(lay.panned(this.#sight, -dy / down, -dx / across, this.#counts));
      },
      zoomAt: (factor: number, x: number, y: number) => {
        const { plot } = this.#scene.layout ?? {};
        if (!plot) return;
        const { rows, cols } = this.#sight;
        this.#zoom(factor, {
          row: rows[0] + (y / plot.height) * (rows[1] - rows[0]),
          col: cols[0] + (x / plot.width) * (cols[1] - cols[0]),
        });
      },
      pinAt: (x: number, y: number, add: boolean) => {
        const cell = this.#cellAt(x, y);
        const { pinned_queries, pinned_keys } = this.#model.state;
        this.#beforeClick = { pinned_queries, pinned_keys };
        if (cell) this.#pinCell(cell, add);
      },
      unpinClick: () => {
        if (this.#beforeClick) this.#model.change(this.#beforeClick);
      },
      pinToken: (side: Side, position: number, add: boolean) => this.#pin(side, position, add),
      reached: (side: Side, position: number) => {
        this.#scene.labels[side].reach(position, false);
        this.#setHover(side === "query" ? { row: position, col: null } : { row: null, col: position });
        this.#announce();
      },
      place: (side: Side): ListPlace => {
        const span = side === "query" ? this.#sight.rows : this.#sight.cols;
        const { count } = this.#source.axes[side];
        const page = Math.max(1, Math.floor(span[1] - span[0]) - 1);
        return {
          index: this.#scene.labels[side].tabStop,
          count,
          page,
          vertical: side === "query",
          rtl: false,
        };
      },
      goTo: (side: Side, position: number) => this.#goTo(side, position, true),
      key: (event: KeyboardEvent) => this.#keyed(event),
    };
    listenPlot(this.#scene.plot, handlers, signal);
    for (const side of SIDES) listenAxis(this.#scene.labels[side].element, side, handlers, signal);
    for (const [strip, side] of [
      [this.#scene.top, "key"],
      [this.#scene.right, "query"],
    ] as const) {
      on(
        strip,
        "pointermove",
        (event) => {
          const box = this.#scene.plot.getBoundingClientRect();
          const [x, y] = side === "key" ? [event.clientX - box.left, 0] : [0, event.clientY - box.top];
          const cell = this.#cellAt(x, y);
          if (cell) handlers.hoverToken(side, side === "key" ? cell.col : cell.row);
        },
        signal,
      );
      on(strip, "pointerleave", handlers.leave, signal);
    }
  }

  #keyed(event: KeyboardEvent): boolean {
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { rows, cols } = this.#counts;
    if (rows * cols === 0) return false;
    const steps: Record<string, readonly [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const { rows: down, cols: across } = this.#sight;
    const [high, wide] = [down[1] - down[0], across[1] - across[0]];
    const page = Math.max(1, Math.floor(high) - 1);
    const pages: Record<string, readonly [number, number]> = {
      PageUp: [-page, 0],
      PageDown: [page, 0],
      Home: [0, -cols],
      End: [0, cols],
    };
    if (key === "0") {
      this.#look(this.#whole);
      return true;
    }
    const step = steps[key] ?? pages[key];
    if (step && shiftKey && steps[key]) {
      this.#look(lay.panned(this.#sight, step[0] * high * PAN, step[1] * wide * PAN, this.#counts));
      return true;
    }
    if (step) {
      const known = this.#hover.row !== null && this.#hover.col !== null;
      const from = {
        row: this.#hover.row ?? Math.floor(middleOf(down)),
        col: this.#hover.col ?? Math.floor(middleOf(across)),
      };
      const clip = (at: number, count: number) => Math.max(0, Math.min(count - 1, at));
      const row = clip(from.row + (known ? step[0] : 0), rows);
      const col = clip(from.col + (known ? step[1] : 0), cols);
      this.#hover = { row, col };
      this.#look(lay.revealed(this.#sight, row, col, this.#counts));
      this.#refocus();
      this.#announce();
      return true;
    }
    const { row, col } = this.#hover;
    if ((key === "Enter" || key === " ") && row !== null && col !== null) {
      this.#pinCell({ row, col }, shiftKey);
      return true;
    }
    return false;
  }

  // --- what is drawn ----------------------------------------------------------------------------

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) {
      this.#around.status(failure ? "error" : "loading", failure);
      return;
    }
    if (this.#width <= 0) return;
    const { state } = this.#model;
    if (this.#source.update(content)) {
      this.#scene.setAxes(this.#source);
      this.#sight = this.#sightOf(state.window);
      this.#hover = NOWHERE;
    }
    const drawn = this.#scene.draw({
      source: this.#source,
      state,
      sight: this.#sight,
      theme: this.#theme,
      width: this.#width,
      failure,
    });
    this.#tools.update(lay.isWhole(this.#sight, this.#counts.rows, this.#counts.cols));
    this.#drawFocus();
    if (drawn === "waiting") this.#around.status("loading");
    else if (drawn === "painted") this.#around.painted();
    this.#prefetch();
  }

  /** Draw what is hovered or pinned. The base stays as it is. */
  #drawFocus(): void {
    if (!this.#scene.layout) return;
    const { state } = this.#model;
    const { axes } = this.#source;
    const pinned = pinnedFocus(state, axes);
    this.#scene.drawFocus(this.#hover, pinned, axes);
    const { row, col } = this.#hover;
    const nothing = row === null && col === null && pinned.query.length + pinned.key.length === 0;
    this.#around.readout(this.#sentence(), nothing);
    this.#around.hovered(hoveredAt(this.#source, state, this.#hover));
  }

  #sentence() {
    const { state } = this.#model;
    return tell(this.#source, state, this.#hover, pinnedFocus(state, this.#source.axes));
  }
}

const middleOf = ([start, end]: readonly [number, number]): number => (start + end) / 2;
