/** The overlay view: weights on the images they lie on. Events in, pins out. */

import type { Content } from "../content.ts";
import { h } from "../dom.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
import { type Lifetime, on, oncePerFrame, whenCalm } from "../lifetime.ts";
import { nextPins } from "../lines/gestures.ts";
import { type Piece, plain } from "../lines/reading.ts";
import type { Hovered } from "../lines/telling.ts";
import { listenPlot } from "../matrix/gestures.ts";
import type { Model, State } from "../model.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Surroundings, View } from "../view.ts";
import { Chips } from "./chips.ts";
import * as lay from "./layout.ts";
import { OVERLAY_HELP, overlayOptions } from "./options.ts";
import { AccountPanel } from "./panel.ts";
import type { Panel } from "./panels.ts";
import { type Cursor, type Picture, summary } from "./picture.ts";
import { overlayRows } from "./rows.ts";
import { rectOn, Scene, type SceneInput } from "./scene.ts";
import { type Focus, otherSide, Source } from "./source.ts";
import { overlayPart } from "./still.ts";
import { hoveredAt, tell } from "./telling.ts";

const ZOOM = 1.6;
const PAN = 0.2;
const STEPS: Readonly<Record<string, readonly [-1 | 0 | 1, -1 | 0 | 1]>> = {
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
};

export class OverlayView implements View {
  readonly element: HTMLElement;
  readonly options: readonly HTMLElement[];
  readonly help = OVERLAY_HELP;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #lifetime: Lifetime;
  readonly #source: Source;
  readonly #redraw: () => void;
  readonly #refocus: () => void;
  readonly #prefetch: () => void;
  readonly #chips: Chips;
  readonly #scene: Scene;
  readonly #tools: HTMLElement;
  #theme: Theme = "light";
  #width = 0;
  #axes = "";
  #faced: Side = "query";
  #painted = "";
  #hover: Cursor | null = null;
  /** What is pointed at in a view beside this one. */
  #pointed: Focus | null = null;
  #cursor: Cursor | null = null;
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
    this.#prefetch = whenCalm(lifetime, () => this.#source.prefetch(this.#focus));
    this.options = overlayOptions(model, signal);
    const account = new AccountPanel(
      {
        setAside: () => model.change({ aside: this.#source.sinks(), special: "renormalise" }),
        putBack: () => model.change({ aside: [], special: "show" }),
      },
      signal,
    );
    this.#scene = new Scene(store, account, (picture) => this.#listenPicture(picture, signal));
    this.#chips = new Chips(
      model,
      this.#source,
      {
        hover: (cursor) => this.#setHover(cursor),
        reached: (cursor) => {
          this.#setHover(cursor);
          this.#announce();
        },
        pin: (cursor, add) => this.#pin(cursor, add),
        stepped: () => this.#announce(),
        cross: () => this.#scene.pictures[0]?.element.focus({ preventScroll: true }),
      },
      lifetime,
    );
    const button = (text: string, title: string, action: () => void) => {
      const element = h("button", { type: "button", title, "aria-label": title }, text);
      on(element, "click", action, signal);
      return element;
    };
    this.#tools = h(
      "div",
      { class: "group", role: "group", "aria-label": "zoom" },
      button("−", "zoom out ( − )", () => this.zoom(-1)),
      button("+", "zoom in ( + )", () => this.zoom(1)),
      button("whole", "show the whole picture ( 0 )", () => this.#whole()),
    );
    this.element = h(
      "div",
      { class: "stage overlay", "data-view": "overlay", "data-lm-suppress-shortcuts": "true" },
      ...this.#chips.rows,
      h("div", { class: "overlay-tools" }, this.#chips.steps, this.#tools),
      this.#scene.element,
    );
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

  /** Zoom at the cursor, else at the middle. */
  zoom(direction: 1 | -1): void {
    const factor = direction > 0 ? ZOOM : 1 / ZOOM;
    for (const { place } of this.#ofPanels()) {
      const panel = this.#panel(place);
      const look = this.#scene.look(panel);
      const rect = this.#hover && rectOn(panel, this.#hover);
      const [x, y] = rect
        ? lay.toScreen(place, panel, look, (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2)
        : [place.width / 2, place.height / 2];
      this.#show(panel, lay.zoomed(place, panel, look, factor, x, y));
    }
  }

  still(): Part | null {
    const pictures = this.#scene.pictures.flatMap(({ still }) => still ?? []);
    return pictures.length > 0 ? overlayPart(this.element, pictures) : null;
  }

  rows(): Row[] {
    return overlayRows(this.#source, this.#model.state, this.#focus);
  }

  /** What is pointed at in another view lights up. */
  point(hovered: Hovered | null): void {
    const { query = null, key = null } = hovered ?? {};
    const pointed: Focus | null =
      query !== null
        ? { side: "query", positions: [query] }
        : key !== null
          ? { side: "key", positions: [key] }
          : null;
    if (JSON.stringify(pointed) === JSON.stringify(this.#pointed)) return;
    this.#pointed = pointed;
    this.#refocus();
  }

  // --- what changes -----------------------------------------------------------------------------

  #stateChanged(changed: ReadonlySet<keyof State>): void {
    const focusOnly = [...changed].every((name) => name === "pinned_queries" || name === "pinned_keys");
    if (focusOnly) this.#refocus();
    else this.#redraw();
  }

  get #focus(): Focus | null {
    const hover = this.#hover && { side: this.#hover.side, positions: [this.#hover.position] };
    return this.#source.focus(hover ?? this.#pointed);
  }

  get #shared(): boolean {
    const { content } = this.#store;
    return content !== undefined && content.queries === content.keys;
  }

  /** The side that a position shared by both stands for. */
  get #facing(): Side {
    return this.#model.state.direction === "attends_to" ? "query" : "key";
  }

  #panel({ panel }: lay.Placed): Panel {
    return this.#source.panels[panel] as Panel;
  }

  /** One picture of each panel. */
  #ofPanels(): readonly Picture[] {
    return this.#scene.pictures.filter(({ place: { head } }) => head <= 0);
  }

  #show(panel: Panel, look: lay.Look): void {
    this.#scene.show(panel, look);
    this.#redraw();
  }

  #whole(): void {
    this.#scene.showWhole();
    this.#redraw();
  }

  #setHover(hover: Cursor | null): void {
    if (JSON.stringify(hover) === JSON.stringify(this.#hover)) return;
    this.#hover = hover;
    if (hover) this.#cursor = hover;
    this.#refocus();
    this.#lifetime.after(0, () => {
      const focus = this.#hover && { side: this.#hover.side, positions: [this.#hover.position] };
      this.#around.hovered(hoveredAt(this.#model.state, focus));
    });
  }

  /** What lies at a place of a picture: of both sides the one that is asked about. */
  #at(picture: Picture, x: number, y: number): Cursor | null {
    const { place } = picture;
    const panel = this.#panel(place);
    const [atX, atY] = lay.toImage(place, panel, this.#scene.look(panel), x, y);
    for (const side of [this.#facing, otherSide(this.#facing)]) {
      const position = lay.positionAt(panel, side, atX, atY);
      if (position !== undefined) return { side, position };
    }
    return null;
  }

  #pin({ side, position }: Cursor, add: boolean): void {
    const { state } = this.#model;
    const pinned = { query: state.pinned_queries, key: state.pinned_keys };
    this.#model.change(nextPins(state, pinned, side, position, [position], add));
    this.#announce();
  }

  #announce(): void {
    this.#lifetime.after(0, () => {
      this.#drawFocus();
      this.#around.announce(plain(this.#sentence()));
    });
  }

  // --- events -----------------------------------------------------------------------------------

  #listenPicture(picture: Picture, signal: AbortSignal): void {
    const look = () => this.#scene.look(this.#panel(picture.place));
    listenPlot(
      picture.element,
      {
        hover: (x, y) => this.#setHover(this.#at(picture, x, y)),
        leave: () => this.#setHover(null),
        pan: (dx, dy) => {
          const panel = this.#panel(picture.place);
          this.#show(panel, lay.panned(picture.place, panel, look(), dx, dy));
        },
        zoomAt: (factor, x, y) => {
          const panel = this.#panel(picture.place);
          this.#show(panel, lay.zoomed(picture.place, panel, look(), factor, x, y));
        },
        pinAt: (x, y, add) => {
          const { pinned_queries, pinned_keys } = this.#model.state;
          this.#beforeClick = { pinned_queries, pinned_keys };
          const found = this.#at(picture, x, y);
          if (!found) return;
          this.#cursor = found;
          this.#pin(found, add);
        },
        unpinClick: () => this.#beforeClick && this.#model.change(this.#beforeClick),
        key: (event) => this.#keyed(picture, event),
      },
      signal,
    );
    on(
      picture.element,
      "focus",
      () => {
        const cursor =
          picture.element.matches(":focus-visible") && this.#cursorOn(this.#panel(picture.place));
        if (!cursor) return;
        this.#setHover(cursor);
        this.#announce();
      },
      signal,
    );
    on(picture.element, "blur", () => this.#setHover(null), signal);
  }

  /** Where the keyboard stands on a picture: at the last place, at what is pinned, at the first. */
  #cursorOn(panel: Panel): Cursor | undefined {
    const { pinned_queries, pinned_keys } = this.#model.state;
    const pins: Readonly<Record<Side, readonly number[]>> = { query: pinned_queries, key: pinned_keys };
    const sides = [this.#facing, otherSide(this.#facing)];
    const wanted = [
      ...(this.#cursor ? [this.#cursor] : []),
      ...sides.flatMap((side) => pins[side].map((position) => ({ side, position }))),
      ...sides.flatMap((side) => {
        const position = lay.firstOf(panel, side);
        return position === undefined ? [] : [{ side, position }];
      }),
    ];
    return wanted.find((cursor) => rectOn(panel, cursor));
  }

  #keyed(picture: Picture, event: KeyboardEvent): boolean {
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { place } = picture;
    const panel = this.#panel(place);
    if (key === "0") {
      this.#whole();
      return true;
    }
    const cursor = this.#cursorOn(panel);
    const [dx, dy] = STEPS[key] ?? [0, 0];
    if (!cursor) return false;
    if (key === "Enter" || key === " ") {
      this.#pin(cursor, shiftKey);
      return true;
    }
    if (!dx && !dy) return false;
    const look = this.#scene.look(panel);
    if (shiftKey) {
      const [wide, high] = [place.width * PAN, place.height * PAN];
      this.#show(panel, lay.panned(place, panel, look, -dx * wide, -dy * high));
      return true;
    }
    // The first key shows where the cursor is.
    const { side } = cursor;
    const position = this.#hover ? lay.moved(panel, side, cursor.position, dx, dy) : cursor.position;
    this.#setHover({ side, position });
    this.#reveal(place, panel, { side, position });
    this.#announce();
    return true;
  }

  /** Bring a position into sight. */
  #reveal(place: lay.Placed, panel: Panel, cursor: Cursor): void {
    const rect = rectOn(panel, cursor);
    const look = this.#scene.look(panel);
    if (!rect || look.zoom === 1) return;
    const [left, top] = lay.toScreen(place, panel, look, rect[0], rect[1]);
    const [right, bottom] = lay.toScreen(place, panel, look, rect[2], rect[3]);
    const by = (from: number, to: number, size: number) => (from < 0 ? -from : Math.min(0, size - to));
    this.#show(
      panel,
      lay.panned(place, panel, look, by(left, right, place.width), by(top, bottom, place.height)),
    );
  }

  // --- what is drawn ----------------------------------------------------------------------------

  get #input(): SceneInput {
    const masks = (this.#model.data("_masks") ?? {}) as SceneInput["masks"];
    return { source: this.#source, state: this.#model.state, theme: this.#theme, width: this.#width, masks };
  }

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) {
      this.#around.status(failure ? "error" : "loading", failure);
      return;
    }
    if (this.#width <= 0) return;
    this.#setAxes(content);
    const drawn = this.#scene.draw(this.#input);
    this.#drawFocus();
    const { pinned_queries, pinned_keys, ...rest } = this.#model.state;
    const painted = JSON.stringify([content.revision, rest, this.#source.complete, this.#theme]);
    const resting = this.#source.focus(null);
    const missing = resting && !this.#source.shown(resting) && !this.#source.refusal(resting);
    if (drawn === "waiting" || missing) this.#around.status("loading");
    else if (drawn === "painted" || painted !== this.#painted) {
      this.#painted = painted;
      this.#around.painted();
    }
    this.#prefetch();
  }

  #setAxes(content: Content): void {
    const { queries, keys } = content;
    const axes = JSON.stringify([queries, this.#shared ? null : keys]);
    const facing = this.#facing;
    if (axes === this.#axes && (!this.#shared || facing === this.#faced)) return;
    // A position of a shared axis stands for the other side now; on other axes it means nothing.
    const turned = (cursor: Cursor | null) =>
      cursor && axes === this.#axes ? { side: facing, position: cursor.position } : null;
    [this.#hover, this.#cursor] = [turned(this.#hover), turned(this.#cursor)];
    [this.#axes, this.#faced] = [axes, facing];
    this.#chips.setAxes(content, facing);
  }

  /** Draw what is hovered or pinned. The pictures stay as they are. */
  #drawFocus(): void {
    if (this.#scene.pictures.length === 0 && this.#painted === "") return;
    const focus = this.#focus;
    const shown = this.#source.shown(focus);
    this.#scene.drawFocus(this.#input, focus, this.#hover);
    this.#chips.dress(focus, shown, this.#theme);
    const [out, , whole] = this.#tools.children as unknown as HTMLButtonElement[];
    for (const button of [out, whole]) if (button) button.disabled = this.#scene.whole;
    for (const picture of this.#scene.pictures) {
      const cursor = this.#cursorOn(this.#panel(picture.place));
      picture.tell(cursor, summary(this.#source, picture.place, cursor, shown));
    }
    if (!this.#pointed) this.#around.readout(this.#sentence(), focus === null);
    if (shown) this.#chips.painted();
  }

  #sentence(): Piece[] {
    return tell(this.#source, this.#model.state, this.#focus);
  }
}
