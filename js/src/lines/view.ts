/** The lines view: events in, canvases and tokens out. What is shown is decided in picture.ts. */

import type { Content } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { type Lifetime, on, oncePerFrame } from "../lifetime.ts";
import type { Model, State } from "../model.ts";
import { FOCUS_ABOVE } from "../protocol.ts";
import { headColour } from "../scale/palette.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import { BeyondMarks } from "./beyond.ts";
import { type Composite, composite, createComposite } from "./composite.ts";
import { begin, pixelRatio, strokeEdges, strokeLinks, type Window } from "./draw.ts";
import { hiddenShare, type Selection } from "./edges.ts";
import { lineAt } from "./hit.ts";
import {
  DEFAULT_PITCH,
  fontSize,
  geometryOf,
  isRightToLeft,
  type Layout,
  layOut,
  legible,
  PITCHES,
  visible,
} from "./layout.ts";
import { Minimap, minimapRoom, SCROLLBAR } from "./minimap.ts";
import * as picture from "./picture.ts";
import { lineSentence, type Piece, plain, sentence } from "./reading.ts";
import type { Edges, Rgb } from "./scene.ts";
import type { Shown } from "./still.ts";
import { type Dress, LEAST_NUMBER, TokenColumn } from "./tokens.ts";
import { tokensOf, type Units } from "./units.ts";
import { WholeRequest } from "./whole.ts";

/** What stands around the view and shows what it finds. */
export interface Surroundings {
  readout(pieces: readonly Piece[], hint: boolean): void;
  announce(text: string): void;
  account(account: Account): void;
  status(status: "loading" | "ready" | "error", message?: string): void;
  painted(): void;
  hovered(hovered: Hovered | null): void;
}

export interface Hovered {
  layer: number;
  head: number | null;
  query: number | null;
  key: number | null;
  weight: number | null;
}

/** Where the weight went, for the legend. */
export interface Account {
  readonly hidden: number;
  readonly special: number;
  readonly missing: number;
  readonly lines: number;
  readonly full: number;
  /** Least and largest sum of a row, where the layer is here and holds weights. */
  readonly rowSums: readonly [least: number, most: number] | null;
}

const HEADING_WIDTH = 110;
const HEADING_HEIGHT = 20;
/** Rings stand on the ends of the lines and reach this far beyond them. */
const RING_ROOM = 6;
/** More lines than this are composited even on the overlay. */
const MOST_STROKES = 400;
/** Time a frame may spend on the base picture. */
const SLICE_MS = 8;
/** Rows asked for around the one wanted. */
const NEIGHBOURS = 12;

type Target = { side: Side; position: number } | { line: number } | null;

export class LinesView {
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #lifetime: Lifetime;
  readonly #scroller: HTMLElement;
  readonly #scene: HTMLElement;
  readonly #base: HTMLCanvasElement;
  readonly #overlay: HTMLCanvasElement;
  readonly #message: HTMLElement;
  readonly #headings: Record<Side, HTMLElement>;
  readonly #columns: Record<Side, TokenColumn>;
  readonly #minimap: Minimap;
  readonly #beyond: BeyondMarks;
  readonly #whole: WholeRequest;
  readonly #relayout: () => void;
  readonly #redress: () => void;

  #theme: Theme = "light";
  #width = 0;
  #pitch = DEFAULT_PITCH;
  #hover: Target = null;
  #axes: picture.Axes | undefined;
  #axesKey = "";
  #layout: Layout | undefined;
  #selection: Selection | undefined;
  #selectionKey = "";
  #focus: picture.Focus = picture.NO_FOCUS;
  #focusShown: Edges | undefined;
  #rowSums: readonly [number, number] | null = null;
  #composite: Composite | undefined;
  #baseKey = "";
  #baseWindow: Window | undefined;

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    this.#lifetime = lifetime;
    this.#columns = { query: new TokenColumn("query"), key: new TokenColumn("key") };
    this.#base = h("canvas", { class: "base", role: "img", "aria-label": "attention lines" });
    this.#overlay = h("canvas", { class: "overlay", "aria-hidden": "true" });
    this.#scene = h(
      "div",
      { class: "scene" },
      this.#base,
      this.#overlay,
      this.#columns.query.element,
      this.#columns.key.element,
    );
    this.#scroller = h("div", { class: "scroller" }, this.#scene);
    this.#beyond = new BeyondMarks((side, position) => this.#centre(side, position), lifetime.signal);
    const sight = h("div", { class: "sightline" }, this.#scroller, ...this.#beyond.elements);
    this.#message = h("div", { class: "message", hidden: true });
    this.#headings = {
      query: h("div", { class: "heading query" }, "target · query"),
      key: h("div", { class: "heading key" }, "source · key"),
    };
    this.#minimap = new Minimap((scroll) => this.scrollTo(scroll), lifetime);
    this.element = h(
      "div",
      { class: "stage", "data-view": "lines", "data-lm-suppress-shortcuts": "true" },
      h("div", { class: "headings" }, this.#headings.query, this.#headings.key),
      h("div", { class: "body" }, sight, this.#minimap.element, this.#message),
    );
    this.#relayout = oncePerFrame(lifetime, () => this.#draw());
    this.#redress = oncePerFrame(lifetime, () => this.#drawFocus());
    this.#whole = new WholeRequest(store, () => this.#relayout());
    this.#listen();
    model.subscribe((changed) => this.#stateChanged(changed), lifetime.signal);
    store.subscribe(() => this.#relayout(), lifetime.signal);
    lifetime.onEnd(() => this.element.remove());
  }

  /** What is on screen now, for exports. */
  get shown(): Shown | null {
    const layout = this.#layout;
    const axes = this.#axes;
    const { content } = this.#store;
    if (!layout || !axes || !content) return null;
    const exact = { query: content.queries.exact, key: content.keys.exact };
    return {
      layout,
      scroll: this.#scroll,
      axes,
      base: this.#baseSelection(),
      fog: this.#selection ? undefined : this.#whole.fog,
      focus: this.#focus,
      pinned: this.#pinned(),
      focusEdges: this.#focusShown,
      links: this.#unitLinks(),
      colour: this.#colour,
      label: (side, position) => {
        const units = axes[side];
        const token = units.starts[position] as number;
        const merged = (units.starts[units.count] as number) !== units.count;
        return (merged ? undefined : exact[side].get(token)) ?? units.labels[position] ?? "";
      },
    };
  }

  get pitch(): number {
    return this.#pitch;
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    this.#baseKey = "";
    this.#relayout();
  }

  resize(width: number): void {
    if (width <= 0 || Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    this.#relayout();
  }

  /** Fonts arrived or the device pixel ratio changed: measure and draw again. */
  refresh(): void {
    this.#layout = undefined;
    this.#baseKey = "";
    this.#relayout();
  }

  /** Make tokens larger (1) or smaller (−1). */
  zoom(direction: 1 | -1): void {
    const at = PITCHES.findIndex((pitch) => pitch >= this.#pitch);
    const next = PITCHES[Math.max(0, Math.min(PITCHES.length - 1, at + direction))];
    if (next === undefined || next === this.#pitch) return;
    const centre = (this.#scroll + this.#seen / 2) / this.#pitch;
    this.#pitch = next;
    this.#draw();
    this.scrollTo(centre * next - this.#seen / 2);
  }

  scrollTo(scroll: number): void {
    if (this.#layout?.vertical) this.#scroller.scrollTop = scroll;
    else this.#scroller.scrollLeft = scroll;
  }

  /** True where only hovered and pinned tokens show their lines. */
  get focusOnly(): boolean {
    const { whole } = this.#model.state;
    if (whole !== null) return !whole;
    const axes = this.#axes;
    return !!axes && Math.max(axes.query.count, axes.key.count) > FOCUS_ABOVE;
  }

  // --- events -----------------------------------------------------------------------------------

  #listen(): void {
    const { signal } = this.#lifetime;
    for (const side of ["query", "key"] as const) {
      const { element } = this.#columns[side];
      on(element, "pointerover", (event) => this.#setHover(targetOf(event, side)), signal);
      on(element, "click", (event) => this.#clicked(event, side), signal);
      on(
        element,
        "focusin",
        (event) => {
          const target = targetOf(event, side);
          if (!target || !(event.target as Element).matches(":focus-visible")) return;
          this.#columns[side].reach(target.position, false);
          this.#setHover(target);
          this.#lifetime.after(0, () => this.#around.announce(plain(this.#sentence())));
        },
        signal,
      );
      on(element, "focusout", () => this.#setHover(null), signal);
      on(element, "keydown", (event) => this.#keyed(event, side), signal);
    }
    on(this.#scene, "pointermove", (event) => this.#pointerMoved(event), signal);
    on(this.#scene, "pointerleave", () => this.#setHover(null), signal);
    on(
      this.#scene,
      "click",
      (event) => {
        if (event.target === this.#overlay || event.target === this.#scene) this.#lineClicked();
      },
      signal,
    );
    on(this.#scroller, "scroll", () => this.#scrolled(), signal, { passive: true });
  }

  #stateChanged(changed: ReadonlySet<keyof State>): void {
    const pinsOnly = [...changed].every((name) => name === "pinned_queries" || name === "pinned_keys");
    if (pinsOnly) this.#redress();
    else this.#relayout();
  }

  #pointerMoved(event: PointerEvent): void {
    if (event.pointerType === "touch" || (event.target as Element).closest(".token")) return;
    const layout = this.#layout;
    const edges = this.#hitEdges();
    if (!layout || !edges) {
      this.#setHover(null);
      return;
    }
    const box = this.#scene.getBoundingClientRect();
    const geometry = geometryOf(layout, this.#scroll);
    const line = lineAt(edges, geometry, event.clientX - box.left, event.clientY - box.top);
    this.#setHover(line < 0 ? null : { line });
  }

  /** The lines that can be pointed at: those of the pinned tokens, or all. */
  #hitEdges(): Edges | undefined {
    const pinned = this.#pinned();
    if (!picture.isEmpty(pinned)) return this.#edgesOf(pinned);
    return this.#baseSelection()?.edges;
  }

  #setHover(target: Target): void {
    if (JSON.stringify(target) === JSON.stringify(this.#hover)) return;
    this.#hover = target;
    this.#redress();
  }

  #clicked(event: MouseEvent, side: Side): void {
    const target = targetOf(event, side);
    if (!target) return;
    const root = this.element.getRootNode() as Document | ShadowRoot;
    const selected = ("getSelection" in root ? root.getSelection() : document.getSelection())?.toString();
    if (selected && selected.length > 0 && !event.shiftKey) return;
    this.#columns[side].reach(target.position, false);
    this.#pin(side, target.position, event.shiftKey || event.metaKey || event.ctrlKey);
  }

  /** Click a line to pin both its ends. */
  #lineClicked(): void {
    const edges = this.#hitEdges();
    const axes = this.#axes;
    if (!axes || !edges || !this.#hover || !("line" in this.#hover)) return;
    const { line } = this.#hover;
    this.#model.change({
      pinned_queries: tokensOf(axes.query, edges.query[line] as number),
      pinned_keys: tokensOf(axes.key, edges.key[line] as number),
    });
  }

  /** Pin a position, or unpin it; alone, or beside what is pinned. */
  #pin(side: Side, position: number, add: boolean): void {
    const axes = this.#axes;
    if (!axes) return;
    const pinned = this.#pinned();
    const was = pinned[side].includes(position);
    const alone = pinned.query.length + pinned.key.length === 1;
    const tokens = tokensOf(axes[side], position);
    const { pinned_queries, pinned_keys } = this.#model.state;
    const held = side === "query" ? pinned_queries : pinned_keys;
    const others = held.filter((token) => !tokens.includes(token));
    const mine = was && (add || alone) ? others : add ? [...others, ...tokens] : tokens;
    const kept = add ? (side === "query" ? pinned_keys : pinned_queries) : [];
    this.#model.change(
      side === "query"
        ? { pinned_queries: mine, pinned_keys: kept }
        : { pinned_keys: mine, pinned_queries: kept },
    );
    this.#lifetime.after(0, () => this.#around.announce(plain(this.#sentence())));
  }

  clearPins(): void {
    this.#model.change({ pinned_queries: [], pinned_keys: [] });
  }

  #keyed(event: KeyboardEvent, side: Side): void {
    const layout = this.#layout;
    const axes = this.#axes;
    if (!layout || !axes) return;
    const position = this.#columns[side].tabStop;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#pin(side, position, event.shiftKey);
      return;
    }
    const other: Side = side === "query" ? "key" : "query";
    const forward = layout.vertical
      ? "ArrowDown"
      : isRightToLeft(axes[side].labels)
        ? "ArrowLeft"
        : "ArrowRight";
    const backward = { ArrowDown: "ArrowUp", ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" }[forward];
    const crossing = layout.vertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const page = Math.max(1, Math.floor(this.#seen / layout.pitch) - 1);
    const last = axes[side].count - 1;
    const moves: Record<string, number> = {
      [forward]: position + 1,
      [backward as string]: position - 1,
      PageDown: position + page,
      PageUp: position - page,
      Home: 0,
      End: last,
    };
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      this.#goTo(side, Math.max(0, Math.min(last, next)));
    } else if (crossing.includes(event.key) && axes[other].count > 0) {
      event.preventDefault();
      this.#goTo(other, Math.min(axes[other].count - 1, position));
    }
  }

  /** Bring a token into sight and focus it. */
  #goTo(side: Side, position: number): void {
    this.reveal(side, position);
    this.#showTokens();
    this.#columns[side].reach(position, true);
    this.#setHover({ side, position });
  }

  /** Scroll as little as brings a token into sight. */
  reveal(side: Side, position: number): void {
    const place = this.#layout?.[side];
    if (!place || place.sticky) return;
    const half = (place.extents[position] as number) / 2;
    const centre = place.centres[position] as number;
    if (centre - half < this.#scroll) this.scrollTo(centre - half);
    else if (centre + half > this.#scroll + this.#seen) this.scrollTo(centre + half - this.#seen);
  }

  #centre(side: Side, position: number): void {
    const centre = this.#layout?.[side].centres[position];
    if (centre !== undefined) this.scrollTo(centre - this.#seen / 2);
  }

  #scrolled(): void {
    this.#showTokens();
    const sticky = this.#layout?.query.sticky || this.#layout?.key.sticky;
    if (sticky) this.#baseKey = "";
    this.#drawBase();
    this.#drawFocus();
  }

  // --- drawing ----------------------------------------------------------------------------------

  get #scroll(): number {
    return this.#layout?.vertical === false ? this.#scroller.scrollLeft : this.#scroller.scrollTop;
  }

  get #seen(): number {
    const viewport = this.#layout?.viewport;
    return viewport ? (this.#layout?.vertical ? viewport.height : viewport.width) : 0;
  }

  readonly #colour = (head: number): Rgb => headColour(head, this.#theme);

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) {
      this.#around.status(failure ? "error" : "loading", failure ?? "waiting for the map");
      return;
    }
    if (this.#width <= 0) return;
    this.#updateAxes(content);
    this.#updateLayout();
    this.#updateSelection(content);
    this.#showTokens();
    this.#drawBase();
    this.#drawFocus();
  }

  #updateAxes(content: Content): void {
    const { state } = this.#model;
    const key = `${content.revision}:${state.words}`;
    if (key === this.#axesKey) return;
    this.#axesKey = key;
    const axes = picture.axesOf(content, state);
    this.#axes = axes;
    const exact = (axis: Content["queries"]) => (state.words && axis.words ? new Map() : axis.exact);
    this.#columns.query.setUnits(axes.query, exact(content.queries));
    this.#columns.key.setUnits(axes.key, exact(content.keys));
    this.#hover = null;
    this.#layout = undefined;
  }

  #updateLayout(): void {
    const axes = this.#axes as picture.Axes;
    const { orientation, height } = this.#model.state;
    const measure = textMeasure(this.element, fontSize(this.#pitch));
    const input = (units: Units) => ({ widths: measure(units.labels), rtl: isRightToLeft(units.labels) });
    const queryInput = input(axes.query);
    const wanted = {
      vertical: orientation === "vertical",
      width: this.#width,
      height,
      pitch: this.#pitch,
      query: queryInput,
      key: axes.key === axes.query ? queryInput : input(axes.key),
    };
    const layout = layOut(wanted);
    const scrolls = layout.vertical && layout.length > layout.viewport.height;
    this.#layout = scrolls ? layOut({ ...wanted, width: this.#width - minimapRoom(this.#width) }) : layout;
    this.#placeScene(this.#layout);
  }

  #placeScene(layout: Layout): void {
    const { viewport, length, vertical } = layout;
    set(this.element, "data-orientation", vertical ? "vertical" : "horizontal");
    const across = vertical ? viewport.width : viewport.height;
    Object.assign(this.#scene.style, {
      width: `${vertical ? across : length}px`,
      height: `${vertical ? length : across}px`,
    });
    const scrolls = length > this.#seen;
    const bar = scrolls && !vertical ? SCROLLBAR : 0;
    Object.assign(this.#scroller.style, {
      width: `${viewport.width + (scrolls && vertical ? SCROLLBAR : 0)}px`,
      height: `${viewport.height + bar}px`,
    });
    set(this.#scroller, "data-scrolls", scrolls);
    this.#minimap.layout(layout, this.#width, scrolls);
    for (const side of ["query", "key"] as const) {
      const place = layout[side];
      const { style } = this.#headings[side];
      // A heading may be wider than its tokens: it keeps the edge that the lines leave from.
      const edge = vertical && side === "query" ? place.start + place.size - HEADING_WIDTH : place.start;
      style.left = vertical ? `${edge}px` : "0";
      style.width = vertical ? `${HEADING_WIDTH}px` : "auto";
      style.top = vertical || side === "query" ? "" : `${HEADING_HEIGHT + viewport.height + bar + 2}px`;
    }
  }

  #updateSelection(content: Content): void {
    const { state } = this.#model;
    const axes = this.#axes as picture.Axes;
    const here = this.#store.layer(state.layer) !== undefined;
    const { layer, heads, combine, direction, mass, threshold, top_k, special, scale, words } = state;
    const choices = { layer, heads, combine, direction, mass, threshold, top_k, special, scale, words };
    const key = JSON.stringify([content.revision, here, choices]);
    if (key === this.#selectionKey) return;
    this.#selectionKey = key;
    this.#selection = picture.wholeSelection(this.#store, state, axes);
    const weights = this.#store.layer(layer);
    this.#rowSums = weights && content.kind === "weight" ? picture.rowSums(weights, content, state) : null;
  }

  /** All lines of the base picture, where it is wanted and here. */
  #baseSelection(): Selection | undefined {
    if (this.focusOnly) return undefined;
    return this.#selection ?? this.#whole.selection;
  }

  #showTokens(): void {
    const layout = this.#layout;
    if (!layout) return;
    const scroll = this.#scroll;
    const margin = this.#seen / 2;
    for (const side of ["query", "key"] as const) {
      const place = layout[side];
      const [first, last] = place.sticky
        ? [0, place.centres.length]
        : visible(place, scroll - margin, scroll + this.#seen + margin);
      this.#columns[side].show(layout, place, first, last, scroll);
    }
  }

  /** A window of the content half a view larger than what is seen on both ends, so that scrolling is calm. */
  #window(layout: Layout): Window {
    const { band, length, vertical } = layout;
    const scroll = this.#scroll;
    const start = Math.max(0, Math.floor(scroll - this.#seen / 2));
    const extent = Math.max(1, Math.min(length, Math.ceil(scroll + this.#seen * 1.5)) - start);
    const [along, size] = [band.start - RING_ROOM, band.size + 2 * RING_ROOM];
    return vertical
      ? { left: along, top: start, width: size, height: extent }
      : { left: start, top: along, width: extent, height: size };
  }

  #drawBase(): void {
    const layout = this.#layout;
    const { state } = this.#model;
    const { content } = this.#store;
    if (!layout || !content) return;
    const held = this.#baseWindow;
    const window = held && this.#covers(held, layout) ? held : this.#window(layout);
    if (!this.focusOnly && !this.#selection) this.#whole.want(content, state, this.#axes as picture.Axes);
    const selection = this.#baseSelection();
    const layoutKey = [layout.vertical, layout.pitch, layout.band, layout.viewport, layout.length];
    const key = JSON.stringify([
      this.#selectionKey,
      this.#whole.key,
      this.focusOnly,
      this.#theme,
      state.links,
      layoutKey,
      window,
      globalThis.devicePixelRatio,
    ]);
    this.#describe(content, selection);
    if (key === this.#baseKey) return;
    this.#baseKey = key;
    this.#baseWindow = window;
    const ratio = pixelRatio(window);
    const geometry = geometryOf(layout, this.#scroll);
    const scene = {
      edges: selection?.edges ?? NO_EDGES,
      fog: this.#selection ? undefined : this.#whole.fog,
      geometry,
      colour: this.#colour,
    };
    const drawing = createComposite(scene, { ...window, ratio });
    this.#composite = drawing;
    const proceed = () => {
      if (this.#composite !== drawing) return;
      if (!drawing.step(SLICE_MS)) {
        this.#lifetime.frame(proceed);
        return;
      }
      const context = begin(this.#base, window, ratio);
      const { width, height, data } = drawing.raster;
      if (context && width > 0 && height > 0) {
        context.putImageData(new ImageData(data, width, height), 0, 0);
        strokeLinks(context, this.#unitLinks(), geometry, this.#ink());
      }
      this.#minimap.drawBase(selection?.edges, layout, this.#colour);
      this.#around.painted();
    };
    proceed();
  }

  #covers(window: Window, layout: Layout): boolean {
    const fresh = this.#window(layout);
    const [start, extent, begin_, seen] = layout.vertical
      ? [window.top, window.height, this.#scroll, this.#seen]
      : [window.left, window.width, this.#scroll, this.#seen];
    const across = layout.vertical
      ? window.left === fresh.left && window.width === fresh.width
      : window.top === fresh.top && window.height === fresh.height;
    const ends = begin_ >= start && Math.min(begin_ + seen, layout.length) <= start + extent;
    return across && ends && start + extent <= layout.length && extent >= Math.min(layout.length, seen);
  }

  #unitLinks(): [query: number, key: number][] {
    const axes = this.#axes as picture.Axes;
    return this.#model.state.links.map(([query, key]) => {
      const focus = picture.pinnedFocus(
        { ...this.#model.state, pinned_queries: [query], pinned_keys: [key] },
        axes,
      );
      return [focus.query[0] as number, focus.key[0] as number];
    });
  }

  #ink(): string {
    return getComputedStyle(this.element).color;
  }

  #pinned(): picture.Focus {
    return this.#axes ? picture.pinnedFocus(this.#model.state, this.#axes) : picture.NO_FOCUS;
  }

  #edgesOf(focus: picture.Focus): Edges | undefined {
    if (this.#selection) return picture.focusEdges(this.#selection.edges, focus);
    const { state } = this.#model;
    const axes = this.#axes as picture.Axes;
    const found = picture.rowSelection(this.#store, state, axes, focus);
    if (found) return found.edges;
    const side: Side = focus.query.length > 0 ? "query" : "key";
    for (const position of focus[side]) {
      const [first = 0, ...rest] = tokensOf(axes[side], position);
      const last = rest.at(-1) ?? first;
      this.#store.want(state.layer, side, first - NEIGHBOURS, last + 1 + NEIGHBOURS);
    }
    return undefined;
  }

  /** Draw what is hovered or pinned. The base stays as it is. */
  #drawFocus(): void {
    const layout = this.#layout;
    const axes = this.#axes;
    if (!layout || !axes) return;
    const pinned = this.#pinned();
    const target = this.#hover;
    let focus = pinned;
    let edges: Edges | undefined;
    if (target && "line" in target) {
      const all = this.#hitEdges();
      const { line } = target;
      if (all && line < all.count) {
        edges = oneEdge(all, line);
        focus = { query: [all.query[line] as number], key: [all.key[line] as number] };
      }
    } else if (target) {
      focus = { query: [], key: [], [target.side]: [target.position] };
    }
    const empty = picture.isEmpty(focus);
    if (!empty) edges ??= this.#edgesOf(focus);
    this.#focus = focus;
    this.#focusShown = empty ? undefined : edges;
    set(this.element, "data-focus", !empty);
    this.#drawOverlay(layout, edges);
    this.#dress(axes, focus, pinned, edges);
    const pieces = this.#sentence();
    this.#around.readout(pieces, empty);
    this.#around.hovered(this.#hoveredNow(target, edges));
  }

  #drawOverlay(layout: Layout, edges: Edges | undefined): void {
    const window = this.#baseWindow ?? this.#window(layout);
    const ratio = pixelRatio(window);
    const context = begin(this.#overlay, window, ratio);
    if (!context || !edges || edges.count === 0) return;
    const geometry = geometryOf(layout, this.#scroll);
    if (edges.count <= MOST_STROKES) {
      strokeEdges(context, edges, geometry, this.#colour);
      return;
    }
    const { width, height, data } = composite(
      { edges, geometry, colour: this.#colour },
      { ...window, ratio },
    );
    context.putImageData(new ImageData(data, width, height), 0, 0);
  }

  #dress(axes: picture.Axes, focus: picture.Focus, pinned: picture.Focus, edges: Edges | undefined): void {
    const joints = edges ? picture.jointsOf(edges, focus, axes) : {};
    const { special } = this.#model.state;
    const layout = this.#layout;
    for (const side of ["query", "key"] as const) {
      const joint = joints[side];
      const dress: Dress = {
        tints: joint?.strengths ?? new Float32Array(0),
        weights: joint?.weights ?? new Float32Array(0),
        numbered: joint && layout ? legible(layout, layout[side], joint.strengths, LEAST_NUMBER) : new Set(),
        colour: (position) => this.#colour(joint?.heads[position] ?? 0),
        pinned: new Set(pinned[side]),
        active: new Set(focus[side]),
        hiddenSpecial: special !== "show",
      };
      this.#columns[side].dress(dress);
    }
    if (!layout) return;
    this.#minimap.drawFocus(layout, focus, joints, this.#scroll);
    const labels = { query: axes.query.labels, key: axes.key.labels };
    this.#beyond.show(layout, joints, labels, this.#scroll);
  }

  #sentence(): Piece[] {
    const axes = this.#axes;
    const focus = this.#focus;
    const { content } = this.#store;
    if (!axes || !content || picture.isEmpty(focus)) return [{ text: this.#hint() }];
    const edges = this.#focusShown;
    const side: Side = focus.query.length > 0 ? "query" : "key";
    const other: Side = side === "query" ? "key" : "query";
    const named = focus[side].map((position) => axes[side].labels[position] ?? "");
    if (!edges) {
      const { failure } = this.#store;
      return [
        ...named.map((text): Piece => ({ text, strong: true })),
        { text: ` — ${failure ?? "loading …"}` },
      ];
    }
    if (edges.count === 1 && focus.query.length === 1 && focus.key.length === 1) {
      const [query, key] = [edges.query[0] as number, edges.key[0] as number];
      return lineSentence(
        axes.query.labels[query] ?? "",
        axes.key.labels[key] ?? "",
        edges.weight[0] as number,
        edges.head[0] as number,
      );
    }
    const joint = picture.jointsOf(edges, { ...picture.NO_FOCUS, [side]: focus[side] }, axes)[other];
    if (!joint) return [];
    const { combine } = this.#model.state;
    return sentence({
      side,
      focus: named,
      joint,
      labels: axes[other].labels,
      manyHeads: combine === "each" && picture.shownHeads(content, this.#model.state).length > 1,
      combine,
    });
  }

  #hint(): string {
    const heads = this.#model.state.heads;
    if (heads === null) return "no head is shown: choose heads above";
    return this.focusOnly
      ? "hover a token to see its lines; click to pin it"
      : "hover a token or a line; click a token to pin it";
  }

  #hoveredNow(target: Target, edges: Edges | undefined): Hovered | null {
    const axes = this.#axes;
    if (!target || !axes) return null;
    const { layer } = this.#model.state;
    if (!("line" in target)) {
      const token = axes[target.side].starts[target.position] as number;
      const place = { query: null, key: null, [target.side]: token };
      return { layer, head: null, weight: null, ...place };
    }
    if (!edges || edges.count === 0) return null;
    return {
      layer,
      head: edges.head[0] === 0xffff ? null : (edges.head[0] as number),
      query: axes.query.starts[edges.query[0] as number] as number,
      key: axes.key.starts[edges.key[0] as number] as number,
      weight: edges.weight[0] as number,
    };
  }

  /** Tell the surroundings what is shown and what is not, and why nothing is where nothing is. */
  #describe(content: Content, selection: Selection | undefined): void {
    const { state } = this.#model;
    const known = this.#selection ?? selection;
    this.#around.account({
      hidden: known ? hiddenShare(known) : 0,
      special: known?.special ?? 0,
      missing: known?.missing ?? 0,
      lines: selection?.edges.count ?? 0,
      full: this.#store.full(state.layer),
      rowSums: this.#rowSums,
    });
    const message = this.#messageFor(content, selection);
    set(this.#message, "hidden", message === null);
    setText(this.#message, message ?? "");
    set(
      this.#base,
      "aria-label",
      `${selection?.edges.count ?? 0} attention lines, layer ${state.layer}, ` +
        `${content.queries.labels.length} queries, ${content.keys.labels.length} keys`,
    );
  }

  #messageFor(content: Content, selection: Selection | undefined): string | null {
    const axes = this.#axes as picture.Axes;
    if (axes.query.count === 0 || axes.key.count === 0) return "This map is empty: it has no positions.";
    if (content.layers === 0 || content.heads === 0) return "This map has no layers or heads.";
    if (this.#store.failure) return this.#store.failure;
    if (this.focusOnly || selection) return null;
    return this.#whole.failure ?? "loading this layer …";
  }
}

const NO_EDGES: Edges = {
  count: 0,
  query: new Uint32Array(0),
  key: new Uint32Array(0),
  head: new Uint16Array(0),
  weight: new Float32Array(0),
  strength: new Float32Array(0),
  mark: new Uint8Array(0),
};

const oneEdge = ({ query, key, head, weight, strength, mark }: Edges, line: number): Edges => ({
  count: 1,
  query: query.slice(line, line + 1),
  key: key.slice(line, line + 1),
  head: head.slice(line, line + 1),
  weight: weight.slice(line, line + 1),
  strength: strength.slice(line, line + 1),
  mark: mark.slice(line, line + 1),
});

function targetOf(event: Event, side: Side): { side: Side; position: number } | null {
  const token = (event.target as Element | null)?.closest<HTMLElement>(".token");
  return token ? { side, position: Number(token.dataset.position) } : null;
}

/** Widths of labels in the view's font. */
function textMeasure(element: HTMLElement, size: number): (labels: readonly string[]) => Float32Array {
  const context = document.createElement("canvas").getContext("2d");
  // Measured as bold as they get, so that a token in focus keeps its place.
  if (context) context.font = `600 ${size}px ${getComputedStyle(element).fontFamily}`;
  return (labels) =>
    Float32Array.from(labels, (label) => context?.measureText(label).width ?? label.length * size * 0.6);
}
