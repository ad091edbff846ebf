/** The mechanism view: how one weight arises, number by number. Events in, one canvas and tokens out. */

import { cssColour, h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import { paintMarks } from "../export/png.ts";
import { type Lifetime, on, oncePerFrame } from "../lifetime.ts";
import { type Piece, plain } from "../lines/reading.ts";
import { listenAxis } from "../matrix/gestures.ts";
import type { Model } from "../model.ts";
import { Words } from "../overlay/words.ts";
import { anchorsOf, colourAt } from "../scale/colormap.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";
import { KeyNames } from "./keys.ts";
import { layoutPanel, type Panel, titleOf, weightText } from "./layout.ts";
import { type Cell, number, type Step } from "./sheet.ts";
import { Sight, type Shown } from "./sight.ts";
import { Trial } from "./trial.ts";

/** Panels stand side by side from this width on. */
const SIDE_BY_SIDE = 620;
const GAP = 28;
const ORDER: readonly Step[] = [
  "vectors",
  "projections",
  "sums",
  "tanh",
  "products",
  "score",
  "mask",
  "softmax",
  "output",
];

interface Placed extends Panel {
  readonly left: number;
  readonly top: number;
}

export class MechanismView implements View {
  readonly help = [
    ["hover a number", "how it comes about"],
    ["click a key, a query", "chooses it"],
    [",  .", "one step back, on"],
    ["arrows", "move between numbers"],
    ["+  −", "more, fewer keys"],
  ] as const;
  readonly options: readonly HTMLElement[] = [];
  readonly element: HTMLElement;
  readonly legend: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #sight: Sight;
  readonly #trial: Trial;
  readonly #queries = new Words("query");
  readonly #keys: KeyNames[] = [];
  readonly #canvas = h("canvas", { "aria-hidden": "true" });
  readonly #frames = h("canvas", { "aria-hidden": "true" });
  readonly #cursor = h("div", { role: "gridcell", id: "mechanism-cursor" });
  readonly #plot: HTMLElement;
  readonly #lists = h("div");
  readonly #message = h("div", { class: "message", hidden: true });
  readonly #ramp = h("i", { class: "ramp" });
  readonly #stepText = h("span", { class: "steps" });
  readonly #what = h("span", { class: "care" });
  readonly #redraw: () => void;

  #theme: Theme = "light";
  #width = 0;
  #revision = -1;
  #shown: Shown | undefined;
  #panels: readonly Placed[] = [];
  #step: Step | null = null;
  /** Line and place of the number that the keyboard is at, and the one that is hovered. */
  #at: readonly [line: number, place: number] = [0, 0];
  #focused = false;
  #hover: Cell | undefined;

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    const { signal } = lifetime;
    this.#redraw = oncePerFrame(lifetime, () => this.#draw());
    this.#sight = new Sight(model, store);
    this.#trial = new Trial(this.#redraw, signal);
    const button = (text: string, title: string, by: 1 | -1) => {
      const element = h("button", { type: "button", title, "aria-label": title }, text);
      on(element, "click", () => this.#go(by), signal);
      return element;
    };
    const stepper = h(
      "div",
      { class: "group", role: "group", "aria-label": "steps" },
      button("‹", "one step back ( , )", -1),
      button("›", "one step on ( . )", 1),
      this.#stepText,
    );
    this.#plot = h(
      "div",
      { class: "numbers", role: "grid", tabindex: 0, "aria-activedescendant": this.#cursor.id },
      this.#canvas,
      this.#frames,
      this.#cursor,
    );
    this.legend = h(
      "div",
      { class: "legend", "data-role": "legend" },
      h("span", {}, this.#ramp, "negative to positive, each step to its own largest"),
      h("span", {}, "bars: exp and weight from 0 to 1"),
      this.#what,
    );
    this.element = h(
      "div",
      { class: "stage", "data-view": "mechanism", "data-lm-suppress-shortcuts": "true" },
      this.#queries.row,
      h("div", { class: "choices" }, stepper, ...this.#trial.elements),
      h("div", { class: "mechanism" }, this.#plot, this.#lists, this.#message),
    );
    this.#listen(signal);
    model.subscribe(this.#redraw, signal);
    store.subscribe(this.#redraw, signal);
    lifetime.onEnd(() => this.element.remove());
  }

  // --- what the frame asks ----------------------------------------------------------------------

  set theme(theme: Theme) {
    this.#theme = theme;
    const anchors = anchorsOf("auto", true, theme);
    const ends = [0, 0.25, 0.5, 0.75, 1].map((share) => cssColour(colourAt(anchors, share)));
    this.#ramp.style.background = `linear-gradient(90deg, ${ends})`;
    this.#redraw();
  }

  resize(width: number): void {
    if (width <= 0 || Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    this.#redraw();
  }

  refresh = (): void => this.#redraw();

  zoom(direction: 1 | -1): void {
    this.#sight.zoom(direction);
    this.#redraw();
  }

  still(): Part | null {
    if (!this.#shown) return null;
    const { text } = INK[this.#theme];
    const names = this.#panels.flatMap(({ places, left, top }) =>
      places.map(({ key, x, y }) => ({
        ...{ x: left + x + 2, y: top + y + 15, align: "left" as const, size: 12.5, colour: text },
        text: this.#sight.label("key", key),
      })),
    );
    const { boxes, texts, height } = this.#part;
    return { width: this.#width, height, lines: [], images: [], boxes, texts: [...texts, ...names] };
  }

  /** The weights of all keys, those of a what-if marked as such. */
  rows(): Row[] {
    const { layer } = this.#model.state;
    const shown = this.#shown;
    if (!shown) return [];
    return shown.panels.flatMap(({ steps, row }) =>
      Array.from(row.weights, (weight, key) => ({
        layer,
        head: [shown.head, shown.panels.length > 1 && steps.name, this.#trial.changed && "what-if"].filter((part) => part !== false).join(" "),
        query: shown.query,
        queryLabel: this.#sight.exact("query", shown.query),
        key,
        keyLabel: this.#sight.exact("key", key),
        weight,
      })),
    );
  }

  // --- what changes -----------------------------------------------------------------------------

  #listen(signal: AbortSignal): void {
    on(this.#plot, "pointermove", (event) => this.#point(this.#under(event)), signal);
    on(this.#plot, "pointerleave", () => this.#point(undefined), signal);
    const focus = (focused: boolean) => {
      this.#focused = focused;
      this.#mark();
    };
    on(this.#plot, "focus", () => focus(this.#plot.matches(":focus-visible")), signal);
    on(this.#plot, "blur", () => focus(false), signal);
    on(this.#plot, "keydown", (event) => this.#keyed(event), signal);
    on(
      this.element,
      "keydown",
      (event) => {
        if (event.key !== "," && event.key !== ".") return;
        event.stopPropagation();
        this.#go(event.key === "." ? 1 : -1);
      },
      signal,
    );
    this.#listenSide(this.#queries.element, "query", this.#queries, signal);
  }

  #listenSide(element: HTMLElement, side: Side, list: Words | KeyNames, signal: AbortSignal): void {
    const lists = (of: Side) => (of === "query" ? this.#queries : of === side && list instanceof KeyNames ? list : this.#keys[0]);
    listenAxis(
      element,
      side,
      {
        hoverToken: () => {},
        leave: () => {},
        reached: (_, at) => list.reach(at, false),
        pinToken: (_, at) => this.#choose(side, list.tokenOf(at)),
        place: (of) => {
          const { count = 0, tabStop = 0 } = lists(of) ?? {};
          return { index: tabStop, count, page: 8, vertical: of === "key", rtl: false };
        },
        goTo: (of, at) => lists(of)?.reach(at, true),
      },
      signal,
    );
  }

  #choose(side: Side, at: number): void {
    const { query, key } = this.#shown ?? {};
    const { pinned_keys } = this.#model.state;
    if (side === "query") this.#model.change({ pinned_queries: [at] });
    else this.#model.change({ pinned_queries: [query ?? 0], pinned_keys: key === at && pinned_keys.length ? [] : [at] });
  }

  /** The step before or after; beyond either end all steps are alike. */
  #go(by: 1 | -1): void {
    const steps = ORDER.filter((step) => this.#panels.some(({ told }) => told.has(step)));
    const at = this.#step === null ? (by > 0 ? -1 : steps.length) : steps.indexOf(this.#step);
    this.#step = steps[at + by] ?? null;
    setText(this.#stepText, this.#step === null ? "all steps" : `step ${at + by + 1} of ${steps.length}`);
    this.#draw();
    this.#around.announce(plain(this.#sentence()));
  }

  #keyed(event: KeyboardEvent): void {
    const lines = this.#lines;
    const [line, place] = this.#at;
    const here = lines[line] ?? [];
    let next: readonly [number, number] | undefined;
    if (event.key === "ArrowLeft") next = [line, place - 1];
    if (event.key === "ArrowRight") next = [line, place + 1];
    if (event.key === "Home") next = [line, 0];
    if (event.key === "End") next = [line, here.length - 1];
    const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (by) {
      const to = lines[line + by] ?? [];
      const from = here[place]?.x ?? 0;
      const nearest = to.reduce((best, { x }, at) => (Math.abs(x - from) < Math.abs((to[best]?.x ?? 0) - from) ? at : best), 0);
      next = [line + by, nearest];
    }
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!lines[next[0]]?.[next[1]]) return;
    this.#at = next;
    this.#focused = true;
    this.#hover = undefined;
    this.#mark();
  }

  // --- what is drawn ----------------------------------------------------------------------------

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) {
      this.#around.status(failure ? "error" : "loading", failure);
      return;
    }
    if (this.#width <= 0) return;
    if (content.revision !== this.#revision) {
      this.#revision = content.revision;
      this.#queries.setAxis({ ...content.queries, parts: [] }, false);
      this.#trial.reset();
    }
    const found = this.#sight.look(this.#trial);
    // What is on its way comes soon: nothing flickers meanwhile.
    if (found === undefined && this.#shown) {
      this.#around.status("loading");
      return;
    }
    const missing = typeof found === "string" ? found : "";
    setText(this.#message, missing);
    set(this.#message, "hidden", missing === "");
    this.#shown = typeof found === "object" ? found : undefined;
    set(this.#plot, "hidden", !this.#shown);
    set(this.#lists, "hidden", !this.#shown);
    if (!this.#shown) {
      this.#around.readout([{ text: missing }], true);
      if (found === undefined) this.#around.status("loading");
      else this.#around.painted();
      return;
    }
    this.#layOut(this.#shown);
    this.#paint();
    this.#dress(this.#shown);
    this.#mark();
    this.#around.painted();
  }

  #layOut({ panels, query, key, shown, head }: Shown): void {
    const across = panels.length > 1 && this.#width >= SIDE_BY_SIDE ? panels.length : 1;
    const width = (this.#width - (across - 1) * GAP) / across;
    const keys = this.#store.content?.keys.labels ?? [];
    const whatIf = this.#trial.changed;
    const named = { query: this.#sight.label("query", query), keys, key, shown, head, whatIf };
    const lay = (least: number) =>
      panels.map((panel) => layoutPanel({ ...panel, ...named }, width, this.#theme, this.#step, least));
    // Keys of panels side by side stand in line.
    const laid = lay(across > 1 ? Math.max(...lay(0).map(({ keysAt }) => keysAt)) : 0);
    let top = 0;
    this.#panels = laid.map((panel, at) => {
      const placed = { ...panel, left: (at % across) * (width + GAP), top: across > 1 ? 0 : top };
      top += panel.height + GAP;
      return placed;
    });
    this.#panels.forEach((panel, at) => {
      this.#keys[at] ??= this.#newKeys();
      this.#keys[at]?.show(this.#store.content, panel, key);
    });
    this.#keys.forEach(({ element }, at) => {
      set(element, "hidden", at >= panels.length);
    });
    this.#trial.update(panels.map(({ steps }) => steps));
  }

  #newKeys(): KeyNames {
    const names = new KeyNames();
    this.#lists.append(names.element);
    this.#listenSide(names.element, "key", names, new AbortController().signal);
    return names;
  }

  get #part() {
    const moved = <T extends { readonly x: number; readonly y: number }>(items: readonly T[], { left, top }: Placed): T[] =>
      items.map((item) => ({ ...item, x: item.x + left, y: item.y + top }));
    return {
      boxes: this.#panels.flatMap((panel) => moved(panel.boxes, panel)),
      texts: this.#panels.flatMap((panel) => moved(panel.texts, panel)),
      height: Math.max(0, ...this.#panels.map(({ top, height }) => top + height)),
    };
  }

  get #lines(): readonly (readonly Cell[])[] {
    return this.#panels.flatMap(({ cells, left, top }) =>
      cells.map((line) => line.map((cell) => ({ ...cell, x: cell.x + left, y: cell.y + top }))),
    );
  }

  #paint(): void {
    const { boxes, texts, height } = this.#part;
    const context = this.#fit(this.#canvas, height);
    this.#plot.style.height = `${height}px`;
    if (context) paintMarks(context, boxes, texts, getComputedStyle(this.element).fontFamily);
  }

  #fit(canvas: HTMLCanvasElement, height: number): CanvasRenderingContext2D | null {
    const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
    const [wide, high] = [Math.round(this.#width * ratio), Math.round(height * ratio)];
    Object.assign(canvas.style, { width: `${this.#width}px`, height: `${height}px` });
    // Setting the size clears.
    canvas.width = wide;
    canvas.height = high;
    const context = canvas.getContext("2d");
    context?.scale(ratio, ratio);
    return context;
  }

  #dress({ query }: Shown): void {
    const none = new Float32Array(0);
    const chips = this.#queries.chips([query]);
    this.#queries.dress({ tints: none, weights: none, numbered: new Set(), colour: () => [0, 0, 0], pinned: chips, active: chips, hiddenSpecial: false });
    this.#queries.reveal(query);
    setText(this.#what, this.#trial.changed ? "what-if: not the numbers of the model" : "");
    set(this.element, "data-panels", this.#panels.length);
  }

  // --- what is pointed at -----------------------------------------------------------------------

  #under(event: PointerEvent): Cell | undefined {
    const { left, top } = this.#plot.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    return this.#lines.flat().find((cell) => x >= cell.x && x < cell.x + cell.width && y >= cell.y && y < cell.y + cell.height);
  }

  #point(cell: Cell | undefined): void {
    if (cell?.x === this.#hover?.x && cell?.y === this.#hover?.y) return;
    this.#hover = cell;
    this.#mark();
  }

  get #pointed(): Cell | undefined {
    return this.#hover ?? (this.#focused ? this.#lines[this.#at[0]]?.[this.#at[1]] : undefined);
  }

  /** Frame the number at hand, and those of the same place in the other vectors. */
  #mark(): void {
    const cell = this.#pointed;
    const context = this.#fit(this.#frames, this.#plot.clientHeight);
    if (context && cell) {
      const panel = this.#panels.find(({ left, top, height }) => cell.x >= left && cell.x < left + (this.#width + GAP) / (this.#panels.length) && cell.y >= top && cell.y < top + height);
      const { text } = INK[this.#theme];
      context.strokeStyle = `rgb(${text.join(" ")})`;
      const alike = cell.index < 0 ? [] : (panel?.cells.flat() ?? []).filter(({ index }) => index === cell.index);
      context.lineWidth = 1;
      for (const { x, y, width, height } of alike)
        context.strokeRect(x + (panel?.left ?? 0), y + (panel?.top ?? 0), width, height);
      context.lineWidth = 2;
      context.strokeRect(cell.x, cell.y, cell.width, cell.height);
    }
    const [at] = [this.#lines[this.#at[0]]?.[this.#at[1]]];
    set(this.#cursor, "aria-label", at ? plain(saysOf(at)) : "");
    set(this.#plot, "aria-label", `the numbers of ${this.#shown ? this.#sight.label("query", this.#shown.query) : ""}`);
    this.#around.readout(this.#sentence(), false);
    const { layer } = this.#model.state;
    if (this.#shown && cell) {
      const { head, query, key, panels } = this.#shown;
      this.#around.hovered({ layer, head, query, key, weight: panels[0]?.row.weights[key] ?? null });
    } else this.#around.hovered(null);
  }

  #sentence(): Piece[] {
    const cell = this.#pointed;
    if (cell) return saysOf(cell);
    const step = this.#step;
    const told = step && this.#panels.map((panel) => panel.told.get(step)).find((text) => text !== undefined);
    if (told) return [{ text: told }];
    if (!this.#shown) return [];
    const { query, key, panels } = this.#shown;
    const [from, to] = [this.#sight.label("query", query), this.#sight.label("key", key)];
    return [
      { text: from, strong: true },
      { text: " attends to " },
      { text: to, strong: true },
      ...panels.flatMap(({ steps, row }, at): Piece[] => {
        return [
          { text: at > 0 ? "; " : " " },
          { text: number(row.weights[key] as number), strong: true },
          { text: ` = ${weightText(row, key)}${panels.length > 1 ? ` (${titleOf(steps)})` : ""}` },
        ];
      }),
    ];
  }
}

/** The whole number, then how it comes about. */
function saysOf({ value, says }: Cell): Piece[] {
  const full = String(Number(value.toPrecision(9))).replaceAll("-", "−").replace("Infinity", "∞");
  return [{ text: full, strong: true }, { text: ` = ${says}` }];
}
