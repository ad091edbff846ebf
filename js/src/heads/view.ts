/** The heads view: every layer × head at a glance. Events in, thumbnails and frames out. */

import type { Content } from "../content.ts";
import { cssColour, h, set, setText } from "../dom.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import { type Lifetime, on, oncePerFrame, whenCalm } from "../lifetime.ts";
import { plain } from "../lines/reading.ts";
import type { Model, State } from "../model.ts";
import { headColour } from "../scale/palette.ts";
import { fullValue } from "../scale/scale.ts";
import type { Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";
import { Atlas } from "./atlas.ts";
import { choose, chosenHeads, opensIn } from "./chosen.ts";
import { Painter } from "./draw.ts";
import { Gallery } from "./gallery.ts";
import { type Grid, moved, placeOf } from "./layout.ts";
import { HeadsLegend } from "./legend.ts";
import { Marks } from "./marks.ts";
import { HEADS_HELP, headsChoices } from "./options.ts";
import { PREVIEW, Preview } from "./preview.ts";
import { chosenPieces, countText, headPieces, short } from "./reading.ts";
import { Sight } from "./sight.ts";
import { matches, orderBy, type Statistic } from "./statistics.ts";
import { stillPart, stillRows } from "./still.ts";

/** What a view that comes back finds again. */
interface Place {
  readonly revision: number;
  readonly pitch: number | null;
  readonly scroll: number;
}
const places = new WeakMap<Model, Place>();
/** What all thumbnails depend on. */
const LOOKS: readonly (keyof State)[] = ["scale", "colormap", "sort", "pattern", "height", "map", "step"];

interface Shown {
  readonly grid: Grid;
  readonly painter: Painter;
  readonly key: string;
}

export class HeadsView implements View {
  readonly help = HEADS_HELP;
  readonly options: readonly HTMLElement[] = [];
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #gallery: Gallery;
  readonly #atlas: Atlas;
  readonly #sight = new Sight();
  readonly #marks = new Marks();
  readonly #preview = new Preview();
  readonly #legend = new HeadsLegend();
  readonly #count = h("span", { class: "end" });
  readonly #note = h("div", { class: "note", role: "status", hidden: true });
  readonly #redraw: () => void;

  #theme: Theme = "light";
  #width = 0;
  #revision = -1;
  #shown: Shown | undefined;
  #order: { readonly key: string; readonly order: Int32Array } | undefined;
  /** The head under the pointer, −1 for none, and the one the keyboard is at. */
  #hover = -1;
  #at = 0;
  #focused = false;
  /** Nothing in sight was still to come. */
  #settled = false;
  /** A choice made here, which must not scroll. */
  #own = "";

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    const { signal } = lifetime;
    this.#gallery = new Gallery(store);
    this.#atlas = new Atlas(lifetime);
    this.#redraw = oncePerFrame(lifetime, () => this.#draw());
    const { grid } = this.#sight;
    grid.append(this.#atlas.element, ...this.#marks.elements);
    set(grid, "aria-activedescendant", this.#marks.cursorId);
    this.element = h(
      "div",
      { class: "stage", "data-view": "heads", "data-lm-suppress-shortcuts": "true" },
      h("div", { class: "choices" }, ...headsChoices(model, signal), this.#count),
      this.#note,
      h("div", { class: "gallery" }, this.#sight.element, this.#preview.element),
    );
    this.#listen(lifetime);
    model.subscribe((changed) => this.#stateChanged(changed), signal);
    store.subscribe(this.#redraw, signal);
    lifetime.onEnd(() => {
      const { pitch, scroller } = this.#sight;
      places.set(model, { revision: this.#revision, pitch, scroll: scroller.scrollTop });
      this.element.remove();
    });
    this.#redraw();
  }

  // --- what the frame asks ----------------------------------------------------------------------

  get legend(): HTMLElement {
    return this.#legend.element;
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

  refresh = (): void => this.#redraw();

  /** Make thumbnails larger (1) or smaller (−1). */
  zoom(direction: 1 | -1): void {
    this.#sight.zoom(direction, () => this.#draw());
  }

  still(): Part | null {
    const { content } = this.#store;
    if (!content || !this.#shown) return null;
    return stillPart({
      grid: this.#shown.grid,
      atlas: this.#atlas,
      theme: this.#theme,
      title: this.#sight.grid.getAttribute("aria-label") ?? "",
      range: this.#sight.range,
      names: this.#sight.names,
      label: (cell) => this.#label(cell),
      lineLabel: (line) => this.#sight.lineLabel(line),
      chosen: this.#chosen(content).map(([cell, head]) => [cell, headColour(head, this.#theme)]),
    });
  }

  rows(): Row[] {
    const { content } = this.#store;
    const { state } = this.#model;
    const weights = this.#store.layer(state.layer);
    if (!content || !weights) return [];
    return stillRows(content, state.layer, chosenHeads(state, content.heads), weights);
  }

  // --- what changes -----------------------------------------------------------------------------

  #stateChanged(changed: ReadonlySet<keyof State>): void {
    const { state } = this.#model;
    if (changed.has("sort")) this.#sight.scroller.scrollTop = 0;
    if (LOOKS.some((name) => changed.has(name))) this.#redraw();
    if (!changed.has("layer") && !changed.has("heads")) return;
    const { content } = this.#store;
    if (content && choiceKey(state) !== this.#own) {
      this.#at = this.#chosen(content)[0]?.[0] ?? this.#at;
      this.#sight.reveal(this.#at);
    }
    this.#mark();
  }

  #listen(lifetime: Lifetime): void {
    const { signal } = lifetime;
    const { grid, scroller } = this.#sight;
    const adds = ({ shiftKey, ctrlKey, metaKey }: MouseEvent) => shiftKey || ctrlKey || metaKey;
    on(grid, "pointermove", (event) => this.#setHover(this.#sight.under(event)), signal);
    on(grid, "pointerleave", () => this.#setHover(-1), signal);
    on(grid, "click", (event) => this.#choose(this.#sight.under(event), adds(event)), signal);
    on(grid, "dblclick", (event) => this.#open(this.#sight.under(event)), signal);
    on(grid, "keydown", (event) => this.#keyed(event), signal);
    const focus = (focused: boolean) => {
      this.#focused = focused;
      this.#point();
    };
    on(grid, "focus", () => focus(grid.matches(":focus-visible")), signal);
    on(grid, "blur", () => focus(false), signal);
    // What comes into sight is drawn at once and asked for when the scrolling has ended.
    const calm = whenCalm(lifetime, this.#redraw);
    const scrolled = oncePerFrame(lifetime, () => {
      if (this.#shown) this.#drawAtlas(this.#shown);
      calm();
    });
    on(scroller, "scroll", scrolled, signal, { passive: true });
  }

  #keyed(event: KeyboardEvent): void {
    const { layout, page } = this.#sight;
    if (!layout || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = moved(layout, this.#at, event.key, page);
    if (next === null && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    this.#focused = true;
    this.#hover = -1;
    if (event.key === "Enter") this.#open(this.#at);
    else if (next === null) this.#choose(this.#at, event.shiftKey);
    else {
      this.#at = next;
      this.#sight.reveal(next);
      this.#mark();
    }
  }

  #setHover(cell: number): void {
    if (cell === this.#hover) return;
    this.#hover = cell;
    this.#point();
  }

  #choose(cell: number, add: boolean, more: Partial<State> = {}): void {
    const { content } = this.#store;
    if (!content || cell < 0) return;
    const [layer, head] = [Math.floor(cell / content.heads), cell % content.heads];
    const change = choose(this.#model.state, layer, head, add, content.heads);
    this.#at = cell;
    this.#own = choiceKey(change);
    this.#model.change({ ...change, ...more });
    this.#mark();
  }

  /** Choose a head and show its weights, where they are not shown already. */
  #open(cell: number): void {
    const { content } = this.#store;
    const { beside } = this.#model.state;
    if (!content) return;
    const tokens = Math.max(content.queries.labels.length, content.keys.labels.length);
    const view = this.#around.lastView ?? opensIn(tokens);
    this.#choose(cell, false, beside && beside !== "heads" ? {} : { view });
  }

  // --- what is drawn ----------------------------------------------------------------------------

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content || failure !== undefined) {
      this.#around.status(failure === undefined ? "loading" : "error", failure);
      return;
    }
    if (this.#width <= 0) return;
    const first = content.revision !== this.#revision;
    if (first) this.#begin(content);
    const gallery = this.#gallery;
    // What is in sight, and how large, decides what is asked for; what comes may decide the order.
    if (first) {
      this.#layOut(content);
      this.#goToPlace(content);
    }
    gallery.update(content, this.#layersBySight(content), this.#pixels);
    const grid = this.#layOut(content);
    const { kind, keys } = content;
    const { scale, colormap, pattern, sort } = this.#model.state;
    const full = fullValue(gallery.largest, kind);
    const colouring = {
      ...{ scale, colormap, full, theme: this.#theme },
      keys: keys.labels.length,
      signed: gallery.signed,
    };
    const key = JSON.stringify([content.revision, colouring, pattern, sort]);
    const painter = this.#shown?.key === key ? this.#shown.painter : new Painter(colouring);
    this.#shown = { grid, painter, key };
    const painted = this.#drawAtlas(this.#shown);
    this.#tell(content, full);
    this.#mark();
    const settled =
      gallery.failure !== undefined || this.#sight.cells.every((cell) => gallery.thumbnail(cell));
    if (!settled) this.#around.status("loading");
    else if (painted || first || !this.#settled) this.#around.painted();
    this.#settled = settled;
  }

  #layOut(content: Content): Grid {
    const { layers, heads, queries, keys } = content;
    const aspect = queries.labels.length / keys.labels.length;
    const { height } = this.#model.state;
    const order = this.#sorted(content);
    const grid = this.#sight.update({ layers, heads, aspect, order, height, width: this.#width });
    set(this.#preview.element, "data-over", !this.#sight.docked);
    return grid;
  }

  /** Another map, or the first. */
  #begin(content: Content): void {
    this.#revision = content.revision;
    this.#hover = -1;
    const start = this.#chosen(content)[0]?.[0] ?? this.#model.state.layer * content.heads;
    this.#at = Math.min(content.layers * content.heads - 1, start);
    this.#sight.pitch ??= places.get(this.#model)?.pitch ?? null;
  }

  /** Back to where a view of this map was left, else to what is chosen; an order begins at its top. */
  #goToPlace({ revision }: Content): void {
    const place = places.get(this.#model);
    if (place?.revision === revision) this.#sight.scroller.scrollTop = place.scroll;
    else if (this.#model.state.sort === "layer") this.#sight.reveal(this.#at);
  }

  #sorted({ layers, heads, revision }: Content): Int32Array | null {
    const { sort } = this.#model.state;
    if (sort === "layer") return null;
    const key = `${sort} ${revision} ${this.#gallery.stamp}`;
    if (this.#order?.key !== key) {
      this.#order = { key, order: orderBy(this.#gallery.statistic, layers * heads, sort) };
    }
    return this.#order.order;
  }

  /** Draw what is in sight; true if anything had to be painted. */
  #drawAtlas({ grid, painter, key }: Shown): boolean {
    const gallery = this.#gallery;
    const { pattern, sort } = this.#model.state;
    const heads = this.#store.content?.heads ?? 1;
    const { columns, left, pitch } = grid;
    const flow = sort === "layer" ? "" : gallery.stamp;
    return this.#atlas.draw(
      {
        ...{ grid, painter },
        key: JSON.stringify([key, columns, left, pitch, flow]),
        thumbnail: (cell) => gallery.thumbnail(cell),
        faint: (cell) => !matches(gallery.statistic, cell, pattern),
        label: (cell) => this.#label(cell),
        lineLabel: (line) => this.#sight.lineLabel(line),
        stamp: (cell) => gallery.sheet(Math.floor(cell / heads))?.stamp ?? 0,
      },
      ...this.#sight.range,
    );
  }

  /** What stands under a thumbnail in a flow. */
  #label(cell: number): string | null {
    const { sort } = this.#model.state;
    if (sort === "layer") return null;
    const heads = this.#store.content?.heads ?? 1;
    return `L${Math.floor(cell / heads)} H${cell % heads} ${short(this.#gallery.statistic(cell, sort))}`;
  }

  /** How many heads are here, what does not come, and what is seen. */
  #tell(content: Content, full: number): void {
    const { state } = this.#model;
    const { here, failure, exact, signed, statistic } = this.#gallery;
    const total = content.layers * content.heads;
    let matching = 0;
    for (let cell = 0; cell < total; cell++) if (matches(statistic, cell, state.pattern)) matching++;
    setText(this.#count, countText(here, total, state.pattern === null ? null : matching));
    set(this.#note, "hidden", failure === undefined);
    setText(this.#note, failure ?? "");
    const has = (code: number) => this.#gallery.has(code);
    this.#legend.update({ content, state, theme: this.#theme, signed, full, matching, here, exact, has });
    const order = state.sort === "layer" ? "by layer" : `by ${state.sort}, largest first`;
    const size = `${content.layers} layers × ${content.heads} heads`;
    set(this.#sight.grid, "aria-label", `heads of ${content.name || "a map"}, ${order}: ${size}`);
  }

  // --- what is pointed at -----------------------------------------------------------------------

  /** Frame what is chosen, and where the keyboard is. */
  #mark(): void {
    const { content } = this.#store;
    const grid = this.#shown?.grid;
    if (!content || !grid) return;
    const chosen = this.#chosen(content);
    this.#marks.choose(
      grid,
      chosen.map(([cell, head]) => [cell, cssColour(headColour(head, this.#theme))] as const),
      chosen.length === content.heads,
    );
    const says = plain(this.#sentence(content, this.#at));
    this.#marks.cursor(
      grid,
      this.#at,
      content.heads,
      says,
      chosen.some(([cell]) => cell === this.#at),
    );
    set(this.#sight.grid, "data-cursor", this.#at);
    this.#point();
  }

  /** Say and show what the pointer or the keyboard is at, else what is chosen. Nothing is redrawn. */
  #point(): void {
    const { content } = this.#store;
    if (!content || !this.#shown) return;
    const at = this.#hover >= 0 ? this.#hover : this.#focused ? this.#at : -1;
    this.#marks.hover(this.#shown.grid, this.#hover, content.heads);
    const chosen = this.#chosen(content);
    const said = at < 0 && chosen.length === 1 ? (chosen[0]?.[0] ?? -1) : at;
    const heads = chosen.map(([, head]) => head);
    const pieces =
      said >= 0 ? this.#sentence(content, said) : chosenPieces(this.#model.state.layer, heads, content.heads);
    this.#around.readout(pieces, said < 0 && (heads.length === 0 || heads.length === content.heads));
    const [hoveredLayer, head] = [Math.floor(at / content.heads), at % content.heads];
    this.#around.hovered(at < 0 ? null : { layer: hoveredLayer, head, query: null, key: null, weight: null });
    const idle = this.#sight.docked ? (chosen[0]?.[0] ?? this.#at) : -1;
    this.#picture(content, this.#shown, at >= 0 ? at : idle);
  }

  /** The head at hand, larger. */
  #picture({ heads, queries, keys }: Content, { grid, painter, key }: Shown, cell: number): void {
    if (cell < 0) {
      this.#preview.hide();
      return;
    }
    const found = this.#gallery.close(cell, PREVIEW);
    // In the corner where the pointer isn't.
    const right = !this.#sight.docked && placeOf(grid, cell).x < grid.width / 2;
    set(this.#preview.element, "data-right", right);
    this.#preview.show(
      `${key} ${cell} ${found?.columns} ${this.#gallery.stamp}`,
      `layer ${Math.floor(cell / heads)}, head ${cell % heads}`,
      found,
      painter,
      queries.labels.length / keys.labels.length,
      (statistic) => this.#gallery.statistic(cell, statistic),
    );
  }

  #sentence({ heads }: Content, cell: number) {
    const value = (statistic: Statistic) => this.#gallery.statistic(cell, statistic);
    return headPieces(Math.floor(cell / heads), cell % heads, value, this.#model.state.sort);
  }

  #chosen({ heads }: Content): (readonly [cell: number, head: number])[] {
    const { state } = this.#model;
    return chosenHeads(state, heads).map((head) => [state.layer * heads + head, head]);
  }

  /** All layers: the one shown, those in sight, the others. */
  #layersBySight({ layers, heads }: Content): number[] {
    const inSight = Array.from(this.#sight.cells, (cell) => Math.floor(cell / heads));
    const shown = Math.min(layers - 1, this.#model.state.layer);
    return [...new Set([shown, ...inSight, ...Array(layers).keys()])];
  }

  /** Pixels that a thumbnail is wide. */
  get #pixels(): number {
    return (this.#sight.layout?.box.width ?? 0) * this.#atlas.ratio;
  }
}

const choiceKey = ({ layer, heads }: Pick<State, "layer" | "heads">): string =>
  JSON.stringify([layer, heads]);
