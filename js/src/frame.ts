/** One view of one model: the frame around it, its controls, its legend, and what they tell each other. */

import { createAnnouncer } from "./a11y.ts";
import { Bar } from "./controls/bar.ts";
import { exportPanel } from "./controls/export.ts";
import { help } from "./controls/help.ts";
import { filterSummary, Options } from "./controls/options.ts";
import { h, set, setText } from "./dom.ts";
import { Legend } from "./legend.ts";
import { createLifetime, type Lifetime, on } from "./lifetime.ts";
import type { Account } from "./lines/depiction.ts";
import type { Picture } from "./lines/export.ts";
import type { Piece } from "./lines/reading.ts";
import { stillPicture, stillRows } from "./lines/still.ts";
import type { Hovered } from "./lines/telling.ts";
import { LinesView, type Surroundings } from "./lines/view.ts";
import type { Model } from "./model.ts";
import type { Store } from "./store.ts";
import { observeTheme, type Theme } from "./theme.ts";
import css from "./widget.css?inline";

/** Python hears of at most this many hovers a second. */
const HOVER_INTERVAL_MS = 100;

/** Mount a view into `host`; it goes when `signal` aborts. */
export function mount(host: HTMLElement, model: Model, store: Store, signal: AbortSignal): void {
  const lifetime = createLifetime(signal);
  new Frame(host, model, store, lifetime);
}

class Frame implements Surroundings {
  readonly #root: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #lifetime: Lifetime;
  readonly #readout = h("div", { class: "readout", "data-role": "readout" });
  readonly #live = h("div", { class: "live", "aria-live": "polite" });
  readonly #say: (text: string) => void;
  readonly #failed = h("div", { class: "failed", role: "alert", hidden: true });
  readonly #legend = new Legend();
  readonly #view: LinesView;
  readonly #bar: Bar;
  readonly #panels: readonly (readonly [button: HTMLButtonElement, panel: HTMLElement])[];
  readonly #optionsButton: HTMLButtonElement;
  #look = () => {};
  #inSight = false;
  #theme: Theme = "light";
  #account: Account | undefined;
  #frames = 0;
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

    this.#view = new LinesView(model, store, this, lifetime);
    this.#optionsButton = h("button", { type: "button", title: "filters and ways to draw" }, "options");
    const exportButton = h("button", { type: "button", title: "save what is on screen" }, "export");
    const helpButton = h(
      "button",
      { type: "button", title: "gestures and keys ( ? )", "aria-label": "help" },
      "?",
    );
    const wholeNow = () => !this.#view.focusOnly;
    const options = new Options(model, store, this.#view, wholeNow, signal);
    const exports = this.#exportPanel();
    this.#panels = [
      [this.#optionsButton, options.element],
      [exportButton, exports],
      [helpButton, help()],
    ];
    this.#bar = new Bar(
      model,
      store,
      this.#panels.map(([button]) => button),
      signal,
    );
    this.#root = h(
      "div",
      {
        class: "attn-widget",
        "data-status": "loading",
        "data-frame": 0,
      },
      this.#bar.element,
      ...this.#panels.map(([, panel]) => panel),
      this.#readout,
      this.#failed,
      this.#view.element,
      this.#legend.element,
      this.#live,
    );
    shadow.append(h("style", {}, css), this.#root);
    host.append(outer);
    lifetime.onEnd(() => outer.remove());

    for (const [button, panel] of this.#panels) {
      set(button, "aria-expanded", "false");
      on(button, "click", () => this.#toggle(panel), signal);
    }
    on(this.#root, "keydown", (event) => this.#keyed(event), signal);
    this.#look = observeTheme(
      this.#root,
      () => model.state.theme,
      (theme) => this.#setTheme(theme),
      signal,
    );
    this.#watchSize();
    model.subscribe((changed) => {
      if (changed.has("theme")) this.#look();
      this.#updateLegend();
    }, signal);
  }

  // --- what the view tells ----------------------------------------------------------------------

  readout(pieces: readonly Piece[], hint: boolean): void {
    this.#readout.replaceChildren(
      ...pieces.map(({ text, strong }) => (strong ? h("b", {}, text) : document.createTextNode(text))),
    );
    set(this.#readout, "data-hint", hint);
  }

  announce(text: string): void {
    this.#say(text);
  }

  account(account: Account): void {
    this.#account = account;
    this.#updateLegend();
  }

  status(status: "loading" | "ready" | "error", message?: string): void {
    set(this.#root, "data-status", status);
    const failed = status === "error";
    set(this.#failed, "hidden", !failed);
    setText(this.#failed, failed ? (message ?? "the map can't be shown") : "");
    for (const part of [this.#view.element, this.#legend.element, this.#readout]) set(part, "hidden", failed);
  }

  painted(): void {
    this.status("ready");
    set(this.#root, "data-frame", ++this.#frames);
  }

  hovered(hovered: Hovered | null): void {
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

  #updateLegend(): void {
    const { content } = this.#store;
    const { state } = this.#model;
    if (content && this.#account) this.#legend.update(content, state, this.#account, this.#theme);
    setText(this.#optionsButton, filterSummary(state) || "options");
  }

  #setTheme(theme: Theme): void {
    this.#theme = theme;
    set(this.#root, "data-theme", theme);
    this.#bar.theme = theme;
    this.#view.theme = theme;
    this.#updateLegend();
  }

  #watchSize(): void {
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this.#root);
    this.#lifetime.onEnd(() => observer.disconnect());
    this.#lifetime.frame(() => this.#resized());
    this.#watchPixels();
    // Labels change their width when a web font arrives.
    document.fonts?.ready.then(() => {
      if (!this.#lifetime.signal.aborted) this.#view.refresh();
    });
  }

  #resized(): void {
    const width = this.#root.clientWidth;
    // A host may attach the element long after it was rendered: its surroundings are known only then.
    if (width > 0 && !this.#inSight) this.#look();
    this.#inSight = width > 0;
    const style = getComputedStyle(this.#root);
    const padding = Number.parseFloat(style.paddingLeft) + Number.parseFloat(style.paddingRight);
    this.#view.resize(width - (Number.isFinite(padding) ? padding : 0));
  }

  /** A move to another screen changes the device pixel ratio; each query tells of one change only. */
  #watchPixels(): void {
    const query = matchMedia(`(resolution: ${globalThis.devicePixelRatio}dppx)`);
    const changed = () => {
      this.#view.refresh();
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
      this.#view.clearPins();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      "[": () => this.#bar.moveLayer(-1),
      "]": () => this.#bar.moveLayer(1),
      "{": () => this.#bar.moveHead(-1),
      "}": () => this.#bar.moveHead(1),
      a: () => this.#model.change({ heads: [] }),
      "+": () => this.#view.zoom(1),
      "=": () => this.#view.zoom(1),
      "-": () => this.#view.zoom(-1),
      "?": () => this.#toggle(this.#panels[2]?.[1] as HTMLElement),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  #picture(): Picture | null {
    const shown = this.#view.shown;
    if (!shown) return null;
    const { layer, map } = this.#model.state;
    return stillPicture(
      shown,
      {
        title: `${map}, layer ${layer}`,
        sentence: this.#readout.hasAttribute("data-hint") ? "" : (this.#readout.textContent ?? ""),
        legend: [`layer ${layer} · ${this.#bar.headsText}`, ...this.#legend.lines],
        font: getComputedStyle(this.#root).fontFamily,
      },
      this.#theme,
    );
  }

  #exportPanel(): HTMLElement {
    return exportPanel(
      {
        picture: () => this.#picture(),
        rows: () => {
          const shown = this.#view.shown;
          return shown ? stillRows(shown, this.#model.state) : [];
        },
        name: () => `attention-layer${this.#model.state.layer}`,
      },
      this.#lifetime.signal,
    );
  }
}
