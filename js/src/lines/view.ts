/** The lines view: events in, canvases and tokens out. What is shown is decided in depiction.ts. */

import type { ListPlace } from "../a11y.ts";
import { h, set, setText } from "../dom.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import { type Lifetime, on, oncePerFrame, whenCalm } from "../lifetime.ts";
import type { Model, State } from "../model.ts";
import { headColour } from "../scale/palette.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";
import { BasePicture } from "./base.ts";
import { BeyondMarks } from "./beyond.ts";
import { Depiction } from "./depiction.ts";
import { listen, nextPins, pinsKey, type Target } from "./gestures.ts";
import { lineAt } from "./hit.ts";
import { isRightToLeft, type Layout, legible, visible } from "./layout.ts";
import { Legend } from "./legend.ts";
import { Minimap } from "./minimap.ts";
import { LINES_HELP, lineOptions } from "./options.ts";
import { FocusPicture } from "./overlay.ts";
import { type Focus, isEmpty, jointsOf, NO_FOCUS, shownHeads } from "./picture.ts";
import { type Piece, plain } from "./reading.ts";
import { type Edges, lineOf, NO_EDGES, type Rgb } from "./scene.ts";
import { Sight } from "./sight.ts";
import { type Shown, stillPart, stillRows } from "./still.ts";
import { hoveredAt, tell } from "./telling.ts";
import { LEAST_NUMBER, TokenColumn } from "./tokens.ts";
import { tokensOf } from "./units.ts";

const SIDES = ["query", "key"] as const;

export class LinesView implements View {
  readonly element: HTMLElement;
  readonly help = LINES_HELP;
  readonly options: readonly HTMLElement[];
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #lifetime: Lifetime;
  readonly #depiction: Depiction;
  readonly #sight: Sight;
  readonly #base: BasePicture;
  readonly #overlay: FocusPicture;
  readonly #columns: Record<Side, TokenColumn> = {
    query: new TokenColumn("query"),
    key: new TokenColumn("key"),
  };
  readonly #minimap: Minimap;
  readonly #beyond: BeyondMarks;
  readonly #legend = new Legend();
  readonly #message = h("div", { class: "message", hidden: true });
  readonly #redraw: () => void;
  readonly #refocus: () => void;
  readonly #prefetch: () => void;

  #theme: Theme = "light";
  #hover: Target = null;
  #focus: Focus = NO_FOCUS;
  #focusEdges: Edges | undefined;
  /** Pins made in this view, which must not scroll it. */
  #ownPins = "";

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    this.#lifetime = lifetime;
    const { signal } = lifetime;
    const columns = { query: this.#columns.query.element, key: this.#columns.key.element };
    this.#redraw = oncePerFrame(lifetime, () => this.#draw());
    this.#refocus = oncePerFrame(lifetime, () => this.#drawFocus());
    this.#prefetch = whenCalm(lifetime, () => this.#fetchVisible());
    this.#overlay = new FocusPicture(lifetime);
    this.#depiction = new Depiction(model, store);
    this.options = lineOptions(model, store, () => !this.#depiction.focusOnly, signal);
    this.#base = new BasePicture(lifetime, () => this.#basePainted());
    this.#sight = new Sight(this.#base.canvas, this.#overlay.canvas, columns.query, columns.key);
    this.#beyond = new BeyondMarks((side, position) => this.#sight.centre(side, position), signal);
    this.#minimap = new Minimap((scroll) => {
      this.#sight.scroll = scroll;
    }, signal);
    const sightline = h("div", { class: "sightline" }, this.#sight.scroller, ...this.#beyond.elements);
    this.element = h(
      "div",
      { class: "stage", "data-view": "lines", "data-lm-suppress-shortcuts": "true" },
      this.#sight.headings,
      h("div", { class: "body" }, sightline, this.#minimap.element, this.#message),
    );
    listen(
      this.#sight.scene,
      columns,
      {
        hover: (target) => this.#setHover(target),
        reached: (side, position) => {
          this.#columns[side].reach(position, false);
          this.#setHover({ side, position });
          this.#announce();
        },
        pin: (side, position, add) => this.#pin(side, position, add),
        pinLine: () => this.#pinLine(),
        lineAt: (x, y) => this.#lineAt(x, y),
        place: (side) => this.#place(side),
        goTo: (side, position) => this.#goTo(side, position),
      },
      signal,
    );
    on(this.#sight.scroller, "scroll", () => this.#scrolled(), signal, { passive: true });
    model.subscribe((changed) => this.#stateChanged(changed), signal);
    store.subscribe(() => {
      this.#dropLine();
      this.#redraw();
    }, signal);
    lifetime.onEnd(() => this.element.remove());
  }

  /** What is on screen now, for exports. */
  get #shown(): Shown | null {
    const { layout, scroll } = this.#sight;
    const { axes, base, fog, pinned, links } = this.#depiction;
    if (!layout) return null;
    return {
      layout,
      scroll,
      axes,
      base,
      fog,
      focus: this.#focus,
      pinned,
      focusEdges: this.#focusEdges,
      links,
      hiddenSpecial: this.#model.state.special !== "show",
      colour: this.#colour,
      label: (side, position) => this.#depiction.label(side, position),
    };
  }

  get legend(): HTMLElement {
    return this.#legend.element;
  }

  still(): Part | null {
    const shown = this.#shown;
    return shown && stillPart(shown, this.#theme);
  }

  rows(): Row[] {
    const shown = this.#shown;
    return shown ? stillRows(shown, this.#model.state) : [];
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    this.#redraw();
  }

  resize(width: number): void {
    if (width <= 0 || Math.abs(width - this.#sight.width) < 1) return;
    this.#sight.width = width;
    this.#redraw();
  }

  /** Fonts arrived or the device pixel ratio changed: measure and draw again. */
  refresh(): void {
    this.#sight.forget();
    this.#redraw();
  }

  /** Make tokens larger (1) or smaller (−1). */
  zoom(direction: 1 | -1): void {
    this.#sight.zoom(direction, () => this.#draw());
  }

  #stateChanged(changed: ReadonlySet<keyof State>): void {
    this.#dropLine();
    const pins = changed.has("pinned_queries") || changed.has("pinned_keys");
    if (pins && pinsKey(this.#model.state) !== this.#ownPins) {
      this.#lifetime.frame(() => this.#revealPins());
    }
    const rest = [...changed].some((name) => name !== "pinned_queries" && name !== "pinned_keys");
    if (rest) this.#redraw();
    else this.#refocus();
  }

  /** Lines have other numbers after every change: the one under the pointer is found anew when it moves. */
  #dropLine(): void {
    if (this.#hover && "line" in this.#hover) this.#hover = null;
  }

  #setHover(target: Target): void {
    if (JSON.stringify(target) === JSON.stringify(this.#hover)) return;
    this.#hover = target;
    this.#refocus();
  }

  #lineAt(x: number, y: number): number {
    const { geometry } = this.#sight;
    const edges = this.#hitEdges();
    return geometry && edges ? lineAt(edges, geometry, x, y) : -1;
  }

  /** The lines that can be pointed at: those of the pinned tokens, or all. */
  #hitEdges(): Edges | undefined {
    const { pinned, base } = this.#depiction;
    return isEmpty(pinned) ? base?.edges : this.#depiction.edgesOf(pinned);
  }

  #pin(side: Side, position: number, add: boolean): void {
    const { axes, pinned } = this.#depiction;
    this.#columns[side].reach(position, false);
    const tokens = tokensOf(axes[side], position);
    this.#changePins(nextPins(this.#model.state, pinned, side, position, tokens, add));
    this.#announce();
  }

  /** Pin both ends of the line under the pointer. */
  #pinLine(): void {
    const edges = this.#hitEdges();
    if (!edges || !this.#hover || !("line" in this.#hover)) return;
    const { axes } = this.#depiction;
    const { line } = this.#hover;
    this.#changePins({
      pinned_queries: tokensOf(axes.query, edges.query[line] as number),
      pinned_keys: tokensOf(axes.key, edges.key[line] as number),
    });
  }

  #changePins(pins: Pick<State, "pinned_queries" | "pinned_keys">): void {
    this.#ownPins = pinsKey(pins);
    this.#model.change(pins);
  }

  /** Bring pins that came from elsewhere into sight. */
  #revealPins(): void {
    const { pinned } = this.#depiction;
    for (const side of SIDES) {
      const position = pinned[side][0];
      if (position === undefined) continue;
      if (!this.#sight.inSight(side, position)) this.#sight.centre(side, position);
      return;
    }
  }

  #place(side: Side): ListPlace {
    const { layout, seen } = this.#sight;
    const { count, labels } = this.#depiction.axes[side];
    return {
      index: this.#columns[side].tabStop,
      count,
      page: Math.max(1, Math.floor(seen / (layout?.pitch ?? 1)) - 1),
      vertical: layout?.vertical ?? true,
      rtl: isRightToLeft(labels),
    };
  }

  /** Bring a token into sight and give it the keyboard's focus. */
  #goTo(side: Side, position: number): void {
    this.#sight.reveal(side, position);
    this.#showTokens();
    this.#columns[side].reach(position, true);
    this.#setHover({ side, position });
  }

  /** Say the focus aloud, once it is drawn. */
  #announce(): void {
    this.#lifetime.after(0, () => {
      this.#drawFocus();
      this.#around.announce(plain(this.#sentence()));
    });
  }

  #scrolled(): void {
    this.#sight.readScroll();
    this.#showTokens();
    this.#drawBase();
    this.#drawFocus();
    this.#prefetch();
  }

  readonly #colour = (head: number): Rgb => headColour(head, this.#theme);

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) {
      this.#around.status(failure ? "error" : "loading", failure);
      return;
    }
    if (this.#sight.width <= 0) return;
    if (this.#depiction.update(content)) {
      const { axes } = this.#depiction;
      for (const side of SIDES) {
        this.#columns[side].setUnits(axes[side], (position) => this.#depiction.label(side, position));
      }
      this.#hover = null;
      this.#sight.forget();
    }
    const first = this.#sight.layout === undefined;
    if (this.#sight.update(this.#depiction.axes, this.#model.state)) {
      const layout = this.#sight.layout as Layout;
      set(this.element, "data-orientation", layout.vertical ? "vertical" : "horizontal");
      this.#minimap.layout(layout, this.#sight.width, this.#sight.scrolls);
      if (first) this.#revealPins();
    }
    this.#showTokens();
    this.#drawBase();
    this.#drawFocus();
    this.#prefetch();
    this.#legend.update(content, this.#model.state, this.#depiction.account, this.#theme);
  }

  /** The positions of a side in sight, and some around them. */
  #near(side: Side, margin: number): [first: number, last: number] {
    const { layout, scroll, seen } = this.#sight;
    if (!layout) return [0, 0];
    const place = layout[side];
    if (place.sticky) return [0, place.centres.length];
    return visible(place, scroll - margin, scroll + seen + margin);
  }

  #showTokens(): void {
    const { layout, scroll, seen } = this.#sight;
    if (!layout) return;
    for (const side of SIDES) {
      const [first, last] = this.#near(side, seen / 2);
      this.#columns[side].show(layout, layout[side], first, last, scroll);
    }
  }

  /** Ask for the rows of the tokens in sight before they are hovered. */
  #fetchVisible(): void {
    for (const side of SIDES) this.#depiction.prefetch(side, ...this.#near(side, 0));
  }

  #drawBase(): void {
    const { layout } = this.#sight;
    if (!layout) return;
    const { base, fog, links, baseKey, message } = this.#depiction;
    const held = this.#base.window;
    const window = held && this.#sight.covers(held) ? held : this.#sight.window;
    // Lines to a side that stays in sight change their shape with every scroll.
    const shape = layout.query.sticky || layout.key.sticky ? this.#sight.scroll : 0;
    const { vertical, pitch, band, viewport, length } = layout;
    const places = [vertical, pitch, band, viewport, length, shape];
    const { settled } = this.#depiction;
    if (!settled) this.#around.status("loading");
    this.#base.draw(JSON.stringify([baseKey, this.#theme, places]), window, settled, () => ({
      edges: base?.edges ?? NO_EDGES,
      fog,
      links,
      geometry: this.#sight.geometry as NonNullable<Sight["geometry"]>,
      colour: this.#colour,
    }));
    set(this.#message, "hidden", message === null);
    setText(this.#message, message ?? "");
    const { content, axes } = this.#depiction;
    set(
      this.#base.canvas,
      "aria-label",
      `${base?.edges.count ?? 0} attention lines of ${content?.name || "a map"}, layer ` +
        `${this.#model.state.layer}: ${axes.query.count} queries, ${axes.key.count} keys`,
    );
  }

  #basePainted(): void {
    const { layout } = this.#sight;
    this.#around.painted();
    this.#lifetime.after(0, () => {
      if (layout) this.#minimap.drawBase(this.#depiction.base?.edges, layout, this.#colour);
    });
  }

  /** Draw what is hovered or pinned. The base stays as it is. */
  #drawFocus(): void {
    const { layout } = this.#sight;
    if (!layout) return;
    const { axes, pinned } = this.#depiction;
    const target = this.#hover;
    let focus = pinned;
    let edges: Edges | undefined;
    if (target && "line" in target) {
      const all = this.#hitEdges();
      if (all && target.line < all.count) {
        edges = lineOf(all, target.line);
        focus = { query: [edges.query[0] as number], key: [edges.key[0] as number] };
      }
    } else if (target) {
      focus = { ...NO_FOCUS, [target.side]: [target.position] };
    }
    const empty = isEmpty(focus);
    if (!empty) edges ??= this.#depiction.edgesOf(focus);
    this.#focus = focus;
    this.#focusEdges = empty ? undefined : edges;
    set(this.element, "data-focus", !empty);
    this.#drawOverlay(edges);
    this.#dress(layout, edges);
    this.#around.readout(this.#sentence(), empty);
    this.#around.hovered(hoveredAt(target, edges, axes, this.#model.state.layer));
  }

  #drawOverlay(edges: Edges | undefined): void {
    const window = this.#base.window ?? this.#sight.window;
    const { geometry } = this.#sight;
    if (!geometry || !edges) {
      this.#overlay.clear(window);
      return;
    }
    const { query, key } = this.#focus;
    const links = this.#depiction.links.filter(([q, k]) => query.includes(q) || key.includes(k));
    this.#overlay.draw({ edges, links, geometry, window, colour: this.#colour });
  }

  #dress(layout: Layout, edges: Edges | undefined): void {
    const { axes, pinned } = this.#depiction;
    const focus = this.#focus;
    const joints = edges ? jointsOf(edges, focus, axes) : {};
    for (const side of SIDES) {
      const joint = joints[side];
      const strengths = joint?.strengths ?? new Float32Array(0);
      this.#columns[side].dress({
        tints: strengths,
        weights: joint?.weights ?? strengths,
        numbered: legible(layout, layout[side], strengths, LEAST_NUMBER),
        colour: (position) => this.#colour(joint?.heads[position] ?? 0),
        pinned: new Set(pinned[side]),
        active: new Set(focus[side]),
        hiddenSpecial: this.#model.state.special !== "show",
      });
    }
    const { scroll } = this.#sight;
    this.#minimap.drawFocus(layout, focus, joints, scroll, headColour(0, this.#theme));
    this.#beyond.show(layout, joints, { query: axes.query.labels, key: axes.key.labels }, scroll);
  }

  #sentence(): Piece[] {
    const { axes, content, focusOnly } = this.#depiction;
    const { state } = this.#model;
    return tell({
      kind: content?.kind ?? "weight",
      axes,
      focus: this.#focus,
      edges: this.#focusEdges,
      heads: content ? shownHeads(content, state).length : 0,
      combine: state.combine,
      focusOnly,
      failure: this.#depiction.failureOf(this.#focus),
    });
  }
}
