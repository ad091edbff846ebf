/** The mechanism view: how one weight arises, number by number. Events in, one canvas and tokens out. */

import { type Axis, labelOf } from "../content.ts";
import { cssColour, h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { Row } from "../export/csv.ts";
import type { Part } from "../export/picture.ts";
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
import { Numbers } from "./numbers.ts";
import { number, type Step } from "./sheet.ts";
import { type Shown, Sight } from "./sight.ts";
import { n } from "./steps.ts";
import { Trial } from "./trial.ts";

/** Panels stand side by side from this width on. */
const SIDE_BY_SIDE = 620;
const GAP = 28;
/** With more queries than this, only so many before and after the chosen one are listed. */
const MOST_WORDS = 2048;
const AROUND = 200;
const NONE = new Float32Array(0);

export class MechanismView implements View {
  readonly help = [
    ["hover a number, arrows", "how it comes about"],
    ["click a query or key", "chooses it"],
    [",  .", "one step back, on"],
    ["+  −", "more, fewer keys"],
  ] as const;
  readonly options: readonly HTMLElement[] = [];
  readonly element: HTMLElement;
  readonly legend: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #around: Surroundings;
  readonly #signal: AbortSignal;
  readonly #sight: Sight;
  readonly #trial: Trial;
  readonly #numbers: Numbers;
  readonly #queries = new Words("query");
  readonly #keys: KeyNames[] = [];
  readonly #names = h("div");
  readonly #body: HTMLElement;
  readonly #message = h("div", { class: "message" });
  readonly #ramp = h("i", { class: "ramp" });
  readonly #stepText = h("span");
  readonly #what = h("span", { class: "care" });
  readonly #redraw: () => void;

  #theme: Theme = "light";
  #width = 0;
  #revision = -1;
  #shown: Shown | undefined;
  #panels: readonly Panel[] = [];
  #step: Step | null = null;
  /** The query that the words are listed around. */
  #centre = -Infinity;

  constructor(model: Model, store: Store, around: Surroundings, lifetime: Lifetime) {
    this.#model = model;
    this.#store = store;
    this.#around = around;
    this.#signal = lifetime.signal;
    this.#redraw = oncePerFrame(lifetime, () => this.#draw());
    this.#sight = new Sight(model, store);
    this.#trial = new Trial(this.#redraw, this.#signal);
    this.#numbers = new Numbers(() => this.#tell(), this.#signal);
    const button = (text: string, title: string, by: 1 | -1) => {
      const element = h("button", { type: "button", title, "aria-label": title }, text);
      on(element, "click", () => this.#go(by), this.#signal);
      return element;
    };
    const stepper = h(
      "div",
      { class: "group", role: "group", "aria-label": "steps" },
      button("‹", "one step back ( , )", -1),
      button("›", "one step on ( . )", 1),
      this.#stepText,
    );
    this.legend = h(
      "div",
      { class: "legend", "data-role": "legend" },
      h("span", {}, this.#ramp, "negative to positive, each step to its own largest"),
      h("span", {}, "bars: exp and weight from 0 to 1"),
      this.#what,
    );
    this.#body = h("div", { class: "mechanism" }, this.#numbers.element, this.#names);
    this.element = h(
      "div",
      { class: "stage", "data-view": "mechanism", "data-lm-suppress-shortcuts": "true" },
      this.#queries.row,
      h("div", { class: "choices" }, stepper, ...this.#trial.elements),
      this.#message,
      this.#body,
    );
    on(
      this.element,
      "keydown",
      (event) => {
        if (event.key !== "," && event.key !== ".") return;
        event.stopPropagation();
        this.#go(event.key === "." ? 1 : -1);
      },
      this.#signal,
    );
    this.#listen(this.#queries);
    model.subscribe(this.#redraw, this.#signal);
    store.subscribe(this.#redraw, this.#signal);
    lifetime.onEnd(() => this.element.remove());
  }

  // --- what the frame asks ----------------------------------------------------------------------

  set theme(theme: Theme) {
    this.#theme = theme;
    const anchors = anchorsOf("auto", true, theme);
    const ends = [0, 0.25, 0.5, 0.75, 1].map((share) => cssColour(colourAt(anchors, share)));
    this.#ramp.style.background = `linear-gradient(90deg,${ends})`;
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
    const colour = INK[this.#theme].text;
    const names = this.#panels.flatMap(({ places }) =>
      places.map(({ key, x, y }) => ({
        ...{ x: x + 2, y: y + 15, align: "left" as const, size: 12.5, colour },
        text: this.#sight.label("key", key),
      })),
    );
    return {
      ...{ width: this.#width, height: Math.max(...this.#panels.map(({ bottom }) => bottom)) },
      ...{ lines: [], images: [] },
      boxes: this.#panels.flatMap(({ boxes }) => boxes),
      texts: [...this.#panels.flatMap(({ texts }) => texts), ...names],
    };
  }

  /** The weights of all keys; those of a what-if say so. */
  rows(): Row[] {
    const { content } = this.#store;
    const { head, query, panels } = this.#shown ?? { head: 0, query: 0, panels: [] };
    const { layer } = this.#model.state;
    if (!content) return [];
    return panels.flatMap(({ steps, row }) => {
      const name = panels.length > 1 ? ` ${titleOf(steps)}` : "";
      return Array.from(row.weights, (weight, key) => ({
        ...{ layer, head: head + name + (this.#trial.changed ? " what-if" : ""), query, key, weight },
        queryLabel: labelOf(content.queries, query),
        keyLabel: labelOf(content.keys, key),
      }));
    });
  }

  // --- what changes -----------------------------------------------------------------------------

  #listen(list: Words | KeyNames): void {
    const isQueries = list === this.#queries;
    const [side, other] = isQueries ? (["query", "key"] as const) : (["key", "query"] as const);
    const of = (on: Side) =>
      on === side ? list : other === "query" ? this.#queries : (this.#keys[0] as KeyNames);
    const nothing = () => {};
    listenAxis(
      list.element,
      side,
      {
        hoverToken: nothing,
        leave: nothing,
        reached: (_, at) => list.reach(at, false),
        pinToken: (_, at) => this.#choose(side, list.tokenOf(at)),
        place: (on) => ({
          index: of(on).tabStop,
          count: of(on).count,
          page: 8,
          vertical: on === "key",
          rtl: false,
        }),
        goTo: (on, at) => of(on).reach(at, true),
      },
      this.#signal,
    );
  }

  #choose(side: Side, at: number): void {
    const { pinned_keys } = this.#model.state;
    const again = pinned_keys[0] === at;
    if (side === "query") this.#model.change({ pinned_queries: [at] });
    else this.#model.change({ pinned_queries: [this.#shown?.query ?? 0], pinned_keys: again ? [] : [at] });
  }

  /** The step before or after; beyond either end all steps are alike. */
  #go(by: 1 | -1): void {
    const steps = [...new Set(this.#panels.flatMap(({ told }) => [...told.keys()]))].sort(
      (a, b) => ORDER.indexOf(a) - ORDER.indexOf(b),
    );
    const from = this.#step === null ? (by > 0 ? -1 : steps.length) : steps.indexOf(this.#step);
    this.#step = steps[from + by] ?? null;
    setText(this.#stepText, this.#step === null ? "" : `step ${from + by + 1} of ${steps.length}`);
    this.#draw();
    this.#around.announce(plain(this.#sentence()));
  }

  // --- what is drawn ----------------------------------------------------------------------------

  #draw(): void {
    const { content, failure } = this.#store;
    if (!content) this.#around.status(failure ? "error" : "loading", failure);
    if (!content || this.#width <= 0) return;
    if (content.revision !== this.#revision) {
      this.#revision = content.revision;
      this.#centre = -Infinity;
      this.#shown = undefined;
      this.#trial.reset();
    }
    const found = this.#sight.look(this.#trial);
    if (found === undefined) this.#around.status("loading");
    // What is on its way comes soon: nothing flickers meanwhile.
    if (found === undefined && this.#shown) return;
    this.#shown = typeof found === "object" ? found : undefined;
    setText(this.#message, typeof found === "string" ? found : "");
    set(this.#message, "hidden", typeof found !== "string");
    set(this.#body, "hidden", !this.#shown);
    if (this.#shown) {
      this.#layOut(this.#shown);
      this.#dress(content.queries, this.#shown.query);
    } else this.#tell();
    if (found !== undefined) this.#around.painted();
  }

  #layOut({ panels, query, key, shown, head }: Shown): void {
    const across = this.#width >= SIDE_BY_SIDE ? panels.length : 1;
    const width = (this.#width - (across - 1) * GAP) / across;
    const keys = this.#store.content?.keys.labels ?? [];
    const whatIf = this.#trial.changed;
    const named = { query: this.#sight.label("query", query), keys, key, shown, head, whatIf };
    let top = 0;
    const lay = (least: number) =>
      panels.map((panel, at) => {
        const place = [(at % across) * (width + GAP), top] as const;
        const laid = layoutPanel({ ...panel, ...named }, width, this.#theme, this.#step, place, least);
        if (across === 1) top = laid.bottom + GAP;
        return laid;
      });
    // Keys of panels side by side stand in line.
    this.#panels = lay(across > 1 ? Math.max(...lay(0).map(({ keysAt }) => keysAt)) : 0);
    this.#panels.forEach((panel, at) => {
      let names = this.#keys[at];
      if (!names) {
        names = this.#keys[at] = new KeyNames();
        this.#names.append(names.element);
        this.#listen(names);
      }
      names.show(this.#store.content, panel, key);
    });
    this.#keys.forEach(({ element }, at) => {
      set(element, "hidden", at >= panels.length);
    });
    this.#trial.update(panels.map(({ steps }) => steps));
    this.#numbers.show(this.#panels, this.#width, this.#theme);
    const { height } = this.#model.state;
    this.#body.style.maxHeight = height === null ? "" : `${height}px`;
  }

  /** List the queries: of long axes, those around the one that is shown. */
  #dress(axis: Axis, query: number): void {
    const { length } = axis.labels;
    if (Math.abs(query - this.#centre) > (length > MOST_WORDS ? AROUND / 2 : length)) {
      this.#centre = query;
      const part = (start: number, stop: number) => ({
        kind: "boxes" as const,
        start,
        stop,
        image: null,
        boxes: [],
      });
      const beyond = [part(0, query - AROUND), part(query + AROUND, length)];
      this.#queries.setAxis({ ...axis, parts: length > MOST_WORDS ? beyond : [] }, false);
    }
    const chosen = this.#queries.chips([query]);
    this.#queries.dress({
      ...{ tints: NONE, weights: NONE, numbered: new Set(), colour: () => INK.light.text },
      ...{ pinned: chosen, active: chosen, hiddenSpecial: false },
    });
    this.#queries.reveal(query);
    set(this.element, "data-panels", this.#panels.length);
    setText(this.#what, this.#trial.changed ? "what-if: not the numbers of the model" : "");
  }

  // --- what is said -----------------------------------------------------------------------------

  #tell(): void {
    const { head, query, key, panels } = this.#shown ?? { panels: [] };
    const { layer, beside } = this.#model.state;
    const { pointed } = this.#numbers;
    // Beside another view, what is pinned there is said by that one.
    const idle = beside !== null && !pointed && this.#step === null;
    this.#around.readout(this.#sentence(), panels.length === 0 || idle);
    const weight = panels[0]?.row.weights[key ?? 0] ?? null;
    this.#around.hovered(
      pointed && head !== undefined ? { layer, head, query: query ?? null, key: key ?? null, weight } : null,
    );
  }

  #sentence(): Piece[] {
    const { pointed } = this.#numbers;
    if (!this.#shown) return [{ text: this.#message.textContent ?? "" }];
    if (pointed) {
      const full = String(Number(pointed.value.toPrecision(9)))
        .replaceAll("-", "−")
        .replace("Infinity", "∞");
      return [{ text: full, strong: true }, { text: ` = ${pointed.says}` }];
    }
    const step = this.#step;
    const told = step && this.#panels.map((panel) => panel.told.get(step)).find((text) => text);
    if (told) return [{ text: told }];
    const { query, key, panels } = this.#shown;
    return [
      { text: this.#sight.label("query", query), strong: true },
      { text: " attends to " },
      { text: this.#sight.label("key", key), strong: true },
      ...panels.flatMap(({ steps, row }, at): Piece[] => [
        { text: at > 0 ? "; " : " " },
        { text: number(n(row.weights, key)), strong: true },
        { text: ` = ${weightText(row, key)}${panels.length > 1 ? ` (${titleOf(steps)})` : ""}` },
      ]),
    ];
  }
}

/** Steps of all mechanisms, in the order in which they come. */
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
