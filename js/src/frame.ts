/** One frame of one model: its controls, the views it shows, and what they tell each other. */

import { createAnnouncer } from "./a11y.ts";
import { Bar } from "./controls/bar.ts";
import { exportPanel } from "./controls/export.ts";
import { helpLines } from "./controls/help.ts";
import { Notes } from "./controls/notes.ts";
import { filterSummary, Options } from "./controls/options.ts";
import { h, set, setText } from "./dom.ts";
import { composePicture } from "./export/compose.ts";
import type { Picture } from "./export/picture.ts";
import headsCss from "./heads/heads.css?inline";
import { HeadsView } from "./heads/view.ts";
import { createLifetime, type Lifetime, on } from "./lifetime.ts";
import type { Piece } from "./lines/reading.ts";
import type { Hovered } from "./lines/telling.ts";
import { LinesView } from "./lines/view.ts";
import matrixCss from "./matrix/matrix.css?inline";
import { MatrixView } from "./matrix/view.ts";
import mechanismCss from "./mechanism/mechanism.css?inline";
import { MechanismView } from "./mechanism/view.ts";
import type { Model, State } from "./model.ts";
import overlayCss from "./overlay/overlay.css?inline";
import { OverlayView } from "./overlay/view.ts";
import { VERSION } from "./protocol.ts";
import type { Store } from "./store.ts";
import { observeTheme, type Theme } from "./theme.ts";
import type { Status, Surroundings, View, ViewName } from "./view.ts";
import css from "./widget.css?inline";

/** Python hears of at most this many hovers a second. */
const HOVER_INTERVAL_MS = 100;
/** Two views stand side by side from this width on, else one below the other. */
const SIDE_BY_SIDE = 640;
const GAP = 24;

type Make = new (model: Model, store: Store, around: Surroundings, lifetime: Lifetime) => View;

const VIEWS: Readonly<Record<ViewName, Make>> = {
  lines: LinesView,
  matrix: MatrixView,
  heads: HeadsView,
  overlay: OverlayView,
  mechanism: MechanismView,
};

/** What a view said last. */
interface Told {
  pieces: readonly Piece[];
  hint: boolean;
  status: Status;
  message: string | undefined;
}

/** A view on screen. */
interface Seat {
  readonly name: ViewName;
  readonly view: View;
  readonly column: HTMLElement;
  readonly lifetime: Lifetime;
  readonly told: Told;
}

/** Mount a frame into `host`; it goes when `signal` aborts. */
export function mount(host: HTMLElement, model: Model, store: Store, signal: AbortSignal): void {
  const lifetime = createLifetime(signal);
  new Frame(host, model, store, lifetime);
}

class Frame {
  readonly #root: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #lifetime: Lifetime;
  readonly #readout = h("div", { class: "readout", "data-role": "readout" });
  readonly #why = h("button", { type: "button", class: "why", hidden: true });
  readonly #live = h("div", { class: "live", "aria-live": "polite" });
  readonly #say: (text: string) => void;
  readonly #failed = h("div", { class: "failed", role: "alert", hidden: true });
  readonly #views = h("div", { class: "views" });
  readonly #about = h("div", { class: "about", "data-role": "about" });
  readonly #bar: Bar;
  readonly #options: Options;
  readonly #notes: Notes;
  readonly #help = h("div", { class: "panel help", hidden: true });
  readonly #panels: readonly (readonly [button: HTMLButtonElement, panel: HTMLElement])[];
  readonly #optionsButton: HTMLButtonElement;
  #seats: Seat[] = [];
  #lastView: ViewName | undefined;
  /** What is pointed at, and the last weight that was. */
  #pointed: Hovered | null = null;
  #weight: Hovered | null = null;
  /** What a weight's mechanism was opened from. */
  #back: Partial<State> | undefined;
  #look = () => {};
  #inSight = false;
  #theme: Theme = "light";
  #frames = 0;
  #drawn = Infinity;
  #hovered: string | undefined;
  #lastHover = 0;
  #cancelHover = () => {};

  constructor(host: HTMLElement, model: Model, store: Store, lifetime: Lifetime) {
    const { signal } = lifetime;
    this.#model = model;
    this.#store = store;
    this.#lifetime = lifetime;
    this.#say = createAnnouncer(this.#live, lifetime);
    // JupyterLab must not take the keys of a focused token for commands on the cell: it sees only the host.
    const outer = h("div", { "data-lm-suppress-shortcuts": "true" });
    const shadow = outer.attachShadow({ mode: "open" });

    this.#optionsButton = h("button", { type: "button", title: "filters and ways to draw" }, "options");
    const exportButton = h("button", { type: "button", title: "save what is on screen" }, "export");
    const helpButton = h(
      "button",
      { type: "button", title: "gestures and keys ( ? )", "aria-label": "help" },
      "?",
    );
    this.#options = new Options(model, store, (direction) => this.#zoom(direction), signal);
    this.#notes = new Notes(model, this.#say, signal);
    this.#panels = [
      [this.#optionsButton, this.#options.element],
      [exportButton, this.#exportPanel()],
      [helpButton, this.#help],
    ];
    const buttons = this.#panels.map(([button]) => button);
    this.#bar = new Bar(model, store, buttons, lifetime);
    this.#root = h(
      "div",
      { class: "attn-widget", "data-status": "loading", "data-frame": 0 },
      this.#bar.element,
      ...this.#panels.map(([, panel]) => panel),
      h("div", { class: "said" }, this.#readout, this.#why),
      this.#failed,
      this.#views,
      this.#about,
      this.#notes.element,
      this.#live,
    );
    shadow.append(h("style", {}, css + matrixCss + headsCss + overlayCss + mechanismCss), this.#root);
    host.append(outer);
    lifetime.onEnd(() => outer.remove());

    for (const [button, panel] of this.#panels) {
      set(button, "aria-expanded", "false");
      on(button, "click", () => this.#toggle(panel), signal);
    }
    on(this.#why, "click", () => this.#explain(), signal);
    on(this.#root, "keydown", (event) => this.#keyed(event), signal);
    this.#seatViews();
    this.#look = observeTheme(
      this.#root,
      () => model.state.theme,
      (theme) => this.#setTheme(theme),
      signal,
    );
    this.#watchSize();
    model.subscribe((changed) => {
      if (changed.has("theme")) this.#look();
      if (changed.has("view") && model.state.view !== "mechanism") this.#back = undefined;
      if (changed.has("view") || changed.has("beside")) this.#seatViews();
      this.#tellFilters();
    }, signal);
    this.#tellFilters();
    store.subscribe(() => this.#tellAbout(), signal);
    this.#tellAbout();
  }

  // --- the views --------------------------------------------------------------------------------

  /** Show the views that the state names; those that stay keep their place. */
  #seatViews(): void {
    const { view, beside } = this.#model.state;
    if (view !== "heads") this.#lastView = view;
    const names = beside && beside !== view ? [view, beside] : [view];
    const held = this.#seats;
    this.#seats = names.map((name) => held.find((seat) => seat.name === name) ?? this.#seat(name));
    for (const seat of held) {
      if (this.#seats.includes(seat)) continue;
      seat.lifetime.end();
      seat.column.remove();
    }
    this.#views.replaceChildren(...this.#seats.map(({ column }) => column));
    const views = this.#seats.map((seat) => seat.view);
    this.#options.show(views);
    this.#help.replaceChildren(...helpLines(views), this.#notes.restore);
    set(this.#root, "data-beside", names.length > 1);
    this.#tellStatus();
    this.#tellReadout((this.#seats[0] as Seat).told);
    this.#resized();
  }

  #seat(name: ViewName): Seat {
    const lifetime = createLifetime(this.#lifetime.signal);
    const told: Told = { pieces: [], hint: true, status: "loading", message: undefined };
    const lastView = () => this.#lastView;
    const around: Surroundings = {
      readout: (pieces, hint) => {
        Object.assign(told, { pieces, hint });
        this.#tellReadout(told);
      },
      announce: (text) => this.#say(text),
      status: (status, message) => {
        Object.assign(told, { status, message });
        this.#tellStatus();
      },
      painted: () => {
        told.status = "ready";
        this.#painted();
      },
      hovered: (hovered) => {
        this.#pointed = hovered;
        if (hovered?.key != null && hovered.query !== null) this.#weight = hovered;
        this.#hover(hovered);
        for (const seat of this.#seats) if (seat.name !== name) seat.view.point?.(hovered);
      },
      get lastView() {
        return lastView();
      },
    };
    const view = new VIEWS[name](this.#model, this.#store, around, lifetime);
    const column = h("div", { class: "column" }, view.element, view.legend);
    view.theme = this.#theme;
    return { name, view, column, lifetime, told };
  }

  /** What a view points at is said, else what is pinned in another, else the hint of this one. */
  #tellReadout(teller: Told): void {
    const others = this.#seats.map(({ told }) => told);
    const told = teller.hint ? (others.find(({ hint }) => !hint) ?? others[0] ?? teller) : teller;
    this.#readout.replaceChildren(
      ...told.pieces.map(({ text, strong }) => (strong ? h("b", {}, text) : document.createTextNode(text))),
    );
    set(this.#readout, "data-hint", told.hint);
    const { view, pinned_queries } = this.#model.state;
    const [word, title] =
      view === "mechanism" ? ["back", "back ( Esc )"] : ["why?", "how this weight arises ( w )"];
    const asks = view !== "mechanism" && this.#store.has("mechanism") && pinned_queries.length > 0;
    set(this.#why, "hidden", !(this.#back ?? asks));
    set(this.#why, "title", title);
    setText(this.#why, word);
  }

  /** Why this weight: pin it and open its head's mechanism; from there back to where that was asked. */
  #explain(): void {
    const { state } = this.#model;
    const { view, heads, beside } = state;
    const { query = null, key = null } = this.#pointed ?? {};
    const pinned_queries = query === null ? state.pinned_queries : [query];
    const pinned_keys = query === null ? state.pinned_keys : key === null ? [] : [key];
    if (this.#back) this.#model.change(this.#back);
    else if (view !== "mechanism" && this.#store.has("mechanism") && pinned_queries.length > 0) {
      const last = this.#weight;
      const meant =
        last && last.query === pinned_queries[0] && last.key === pinned_keys[0] ? last.head : null;
      const change = { pinned_queries, pinned_keys, heads: meant === null ? heads : [meant] };
      if (beside !== "mechanism") {
        const { pinned_queries, pinned_keys } = state;
        this.#back = { view, beside, heads, pinned_queries, pinned_keys };
      }
      this.#model.change(beside === "mechanism" ? change : { ...change, view: "mechanism" });
    }
    // The view that had the focus may be gone.
    this.#root
      .querySelector<HTMLElement>('[data-choose][aria-pressed="true"]')
      ?.focus({ preventScroll: true });
  }

  #tellStatus(): void {
    const failed = this.#seats.find(({ told }) => told.status === "error");
    const loading = this.#seats.some(({ told }) => told.status === "loading");
    set(this.#root, "data-status", failed ? "error" : loading ? "loading" : "ready");
    set(this.#failed, "hidden", !failed);
    setText(this.#failed, failed ? (failed.told.message ?? "the map can't be shown") : "");
    for (const part of [this.#views, this.#readout, this.#about]) set(part, "hidden", failed !== undefined);
  }

  #painted(): void {
    this.#tellStatus();
    set(this.#root, "data-frame", ++this.#frames);
    this.#bar.painted();
    const revision = this.#store.content?.revision ?? 0;
    // A training loop sends its next map once this one is seen.
    if (revision > this.#drawn) this.#model.send({ v: VERSION, kind: "drawn", revision });
    this.#drawn = revision;
  }

  #hover(hovered: Hovered | null): void {
    if (!this.#model.state.observe_hover) return;
    const told = JSON.stringify(hovered);
    if (told === this.#hovered) return;
    this.#hovered = told;
    this.#cancelHover();
    const wait = Math.max(0, this.#lastHover + HOVER_INTERVAL_MS - performance.now());
    this.#cancelHover = this.#lifetime.after(wait, () => {
      this.#lastHover = performance.now();
      this.#model.send({ kind: "hover", hovered });
    });
  }

  // --- the frame --------------------------------------------------------------------------------

  #tellFilters(): void {
    setText(this.#optionsButton, filterSummary(this.#model.state) || "options");
  }

  #tellAbout(): void {
    const { made = "", cost = "" } = this.#store.content ?? {};
    setText(this.#about, [made, cost].filter(Boolean).join(" · "));
  }

  #setTheme(theme: Theme): void {
    this.#theme = theme;
    set(this.#root, "data-theme", theme);
    this.#bar.theme = theme;
    for (const { view } of this.#seats) view.theme = theme;
  }

  #watchSize(): void {
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this.#root);
    this.#lifetime.onEnd(() => observer.disconnect());
    this.#lifetime.frame(() => this.#resized());
    this.#watchPixels();
    // Labels change their width when a web font arrives.
    document.fonts?.ready.then(() => {
      if (!this.#lifetime.signal.aborted) this.#refresh();
    });
  }

  #resized(): void {
    const width = this.#root.clientWidth;
    // A host may attach the element long after it was rendered: its surroundings are known only then.
    if (width > 0 && !this.#inSight) this.#look();
    this.#inSight = width > 0;
    const style = getComputedStyle(this.#root);
    const padding = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
    const room = width - (Number.isFinite(padding) ? padding : 0);
    const columns = room < SIDE_BY_SIDE ? 1 : this.#seats.length;
    set(this.#views, "data-columns", columns);
    for (const { view } of this.#seats) view.resize((room - (columns - 1) * GAP) / columns);
  }

  #refresh(): void {
    for (const { view } of this.#seats) view.refresh();
  }

  #zoom(direction: 1 | -1): void {
    for (const { view } of this.#seats) view.zoom(direction);
  }

  /** A move to another screen changes the device pixel ratio; each query tells of one change only. */
  #watchPixels(): void {
    const query = matchMedia(`(resolution: ${globalThis.devicePixelRatio}dppx)`);
    const changed = () => {
      this.#refresh();
      this.#watchPixels();
    };
    query.addEventListener("change", changed, { once: true, signal: this.#lifetime.signal });
  }

  #toggle(shown: HTMLElement): void {
    for (const [button, panel] of this.#panels) {
      const open = panel === shown && panel.hidden;
      set(panel, "hidden", !open);
      set(button, "aria-expanded", String(open));
    }
  }

  #keyed(event: KeyboardEvent): void {
    const target = event.composedPath()[0];
    const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
    // Escape clears, and still reaches the notebook, which leaves its edit mode by it.
    if (event.key === "Escape") {
      if (this.#bar.cancel()) return;
      if (this.#back) this.#explain();
      else this.#model.change({ pinned_queries: [], pinned_keys: [] });
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      "[": () => this.#bar.moveLayer(-1),
      "]": () => this.#bar.moveLayer(1),
      "{": () => this.#bar.moveHead(-1),
      "}": () => this.#bar.moveHead(1),
      a: () => this.#model.change({ heads: [] }),
      w: () => this.#explain(),
      "+": () => this.#zoom(1),
      "=": () => this.#zoom(1),
      "-": () => this.#zoom(-1),
      "?": () => this.#toggle(this.#panels[2]?.[1] as HTMLElement),
    };
    const view = (Object.keys(VIEWS) as ViewName[])[Number(event.key) - 1];
    const action = view ? () => this.#store.has(view) && this.#model.change({ view }) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  #picture(): Picture | null {
    const parts = this.#seats.flatMap(({ view }) => view.still() ?? []);
    if (parts.length === 0) return null;
    const { layer, map } = this.#model.state;
    return composePicture(
      parts,
      {
        title: `${map}, layer ${layer}`,
        sentence: this.#readout.hasAttribute("data-hint") ? "" : (this.#readout.textContent ?? ""),
        legend: [
          `layer ${layer} · ${this.#bar.headsText}`,
          ...this.#seats.map(({ view }) => legendText(view.legend)),
          this.#store.content?.made ?? "",
          ...this.#notes.texts,
        ],
        font: getComputedStyle(this.#root).fontFamily,
      },
      this.#theme,
    );
  }

  #exportPanel(): HTMLElement {
    return exportPanel(
      {
        picture: () => this.#picture(),
        rows: () => this.#seats[0]?.view.rows() ?? [],
        name: () => `attention-layer${this.#model.state.layer}`,
      },
      this.#lifetime.signal,
    );
  }
}

const legendText = (legend: HTMLElement): string =>
  [...legend.children]
    .filter((part) => !(part as HTMLElement).hidden)
    .map((part) => part.textContent ?? "")
    .filter(Boolean)
    .join(" · ");
