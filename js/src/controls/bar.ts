/** The one quiet row: which map, layer and heads are shown. */

import { cssColour, h, set, setText } from "../dom.ts";
import { type Lifetime, on } from "../lifetime.ts";
import type { Model, State } from "../model.ts";
import { headColour } from "../scale/palette.ts";
import type { Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { ViewName } from "../view.ts";
import { options, select } from "./fields.ts";
import { MethodSwitch } from "./method.ts";
import { Player } from "./player.ts";

const VIEWS: readonly (readonly [view: ViewName, title: string])[] = [
  ["lines", "lines from targets to sources ( 1 )"],
  ["matrix", "weights as a heat map ( 2 )"],
  ["heads", "every layer and head at a glance ( 3 )"],
  ["overlay", "weights on the image ( 4 )"],
  ["mechanism", "how a weight arises ( 5 )"],
];

/** More heads than this have a row of their own. */
const MANY_HEADS = 8;

export class Bar {
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #map = h("select", { "aria-label": "map" });
  readonly #layer = h("select", { "aria-label": "layer" });
  readonly #previous = h(
    "button",
    { type: "button", "aria-label": "previous layer", title: "previous layer ( [ )" },
    "‹",
  );
  readonly #next = h(
    "button",
    { type: "button", "aria-label": "next layer", title: "next layer ( ] )" },
    "›",
  );
  readonly #method: MethodSwitch;
  readonly #groups: Record<"view" | "map" | "step" | "layer" | "method" | "heads", HTMLElement>;
  readonly #slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "step" });
  readonly #stepText = h("span");
  readonly #steps: Player;
  readonly #layers: Player;
  readonly #chips = h("div", { class: "chips", role: "group", "aria-label": "heads" });
  readonly #all = h("button", { type: "button", title: "show all heads ( a )" }, "all");
  readonly #none = h("button", { type: "button", title: "show no head" }, "none");
  readonly #combine = select("how heads are combined", [
    ["each", "each"],
    ["mean", "mean"],
    ["max", "max"],
  ]);
  #theme: Theme = "light";

  constructor(model: Model, store: Store, end: readonly HTMLElement[], lifetime: Lifetime) {
    const { signal } = lifetime;
    this.#model = model;
    this.#store = store;
    const steps = () => ({ at: model.state.step, last: (store.content?.steps ?? 1) - 1 });
    const layers = () => ({ at: model.state.layer, last: (store.content?.layers ?? 1) - 1 });
    const goStep = (step: number) => model.change({ step });
    const goLayer = (layer: number) => model.change({ layer });
    this.#steps = new Player({ name: "play", now: steps, go: goStep }, lifetime);
    this.#layers = new Player({ name: "show the layers in turn", now: layers, go: goLayer }, lifetime);
    this.#method = new MethodSwitch(model, store, signal);
    this.#groups = {
      view: h("div", { class: "group views-switch", role: "group", "aria-label": "view" }),
      map: h("div", { class: "group" }, this.#map),
      step: h(
        "div",
        { class: "group" },
        h("span", {}, "step"),
        this.#steps.button,
        this.#slider,
        this.#stepText,
      ),
      layer: h(
        "div",
        { class: "group" },
        h("span", {}, "layer"),
        this.#previous,
        this.#layer,
        this.#next,
        this.#layers.button,
      ),
      method: this.#method.element,
      heads: h(
        "div",
        { class: "group" },
        h("span", {}, "heads"),
        this.#chips,
        this.#all,
        this.#none,
        this.#combine,
      ),
    };
    this.element = h(
      "div",
      { class: "bar" },
      ...Object.values(this.#groups),
      h("div", { class: "group end" }, ...end),
    );
    on(this.#map, "change", () => model.change({ map: this.#map.value }), signal);
    for (const [view, title] of VIEWS) {
      const button = h("button", { type: "button", title, "data-choose": view }, view);
      on(button, "click", () => model.change({ view }), signal);
      this.#groups.view.append(button);
    }
    on(this.#layer, "change", () => model.change({ layer: Number(this.#layer.value) }), signal);
    on(this.#slider, "input", () => this.#steps.go(Number(this.#slider.value)), signal);
    on(this.#previous, "click", () => this.moveLayer(-1), signal);
    on(this.#next, "click", () => this.moveLayer(1), signal);
    on(this.#all, "click", () => model.change({ heads: [] }), signal);
    on(this.#none, "click", () => model.change({ heads: null }), signal);
    on(
      this.#combine,
      "change",
      () => model.change({ combine: this.#combine.value as State["combine"] }),
      signal,
    );
    on(this.#chips, "click", (event) => this.#chipClicked(event), signal);
    on(this.#chips, "dblclick", (event) => this.#isolate(headOf(event)), signal);
    model.subscribe(() => this.#update(), signal);
    store.subscribe(() => this.#update(), signal);
    this.#update();
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    this.#update();
  }

  /** A picture is complete: a player may go on. */
  painted(): void {
    this.#steps.painted();
    this.#layers.painted();
  }

  /** Stop what is being computed; whether there was anything. */
  cancel(): boolean {
    return this.#method.cancel();
  }

  moveLayer(by: number): void {
    const layers = this.#store.content?.layers ?? 1;
    const layer = this.#model.state.layer + by;
    if (layer >= 0 && layer < layers) this.#model.change({ layer });
  }

  /** Show one head alone: the one after (1) or before (−1) the one shown. */
  moveHead(by: number): void {
    const heads = this.#store.content?.heads ?? 1;
    const shown = this.#shown();
    const from = shown.length === 1 ? (shown[0] as number) : by > 0 ? -1 : heads;
    this.#isolate((from + by + heads) % heads);
  }

  /** The heads shown, in words. */
  get headsText(): string {
    const shown = this.#shown();
    const { heads, combine } = this.#model.state;
    if (shown.length === 0) return "no head";
    const which = heads?.length === 0 ? `all ${shown.length} heads` : `heads ${shown.join(", ")}`;
    const named = shown.length === 1 ? `head ${shown[0]}` : which;
    return combine === "each" || shown.length === 1 ? named : `${combine} of ${named}`;
  }

  #shown(): number[] {
    const { heads } = this.#model.state;
    if (heads === null) return [];
    if (heads.length > 0) return [...heads];
    return Array.from({ length: this.#store.content?.heads ?? 0 }, (_, head) => head);
  }

  #chipClicked(event: MouseEvent): void {
    const head = headOf(event);
    if (head === null) return;
    if (event.altKey || event.metaKey || event.ctrlKey || event.shiftKey) {
      this.#isolate(head);
      return;
    }
    const shown = this.#shown();
    const next = shown.includes(head) ? shown.filter((other) => other !== head) : [...shown, head];
    this.#model.change({ heads: normalHeads(next, this.#store.content?.heads ?? 0) });
  }

  #isolate(head: number | null): void {
    if (head !== null) this.#model.change({ heads: normalHeads([head], this.#store.content?.heads ?? 0) });
  }

  #update(): void {
    const { content } = this.#store;
    if (!content) return;
    const { state } = this.#model;
    options(
      this.#map,
      content.maps.map((name) => [name, name]),
      state.map,
    );
    for (const button of this.#groups.view.children) {
      const { choose } = (button as HTMLElement).dataset;
      set(button, "aria-pressed", String(choose === state.view));
      set(button, "hidden", !this.#store.has(choose as ViewName));
    }
    options(this.#layer, count(content.layers), String(state.layer));
    // Positions count from 0, as in Python: "of 6" would mislead.
    set(this.#layer, "title", `layers 0–${content.layers - 1}`);
    const last = content.steps - 1;
    set(this.#groups.step, "hidden", last < 1);
    this.#slider.max = String(last);
    this.#slider.value = String(state.step);
    const named = content.name && content.name !== state.map ? ` · ${content.name}` : "";
    setText(this.#stepText, `${state.step} of 0–${last}${named}`);
    set(this.#groups.map, "hidden", content.maps.length < 2);
    set(this.#groups.layer, "hidden", content.layers < 2);
    set(this.#groups.heads, "hidden", content.heads < 2);
    set(this.#groups.heads, "data-many", content.heads > MANY_HEADS);
    this.#previous.disabled = state.layer <= 0;
    this.#next.disabled = state.layer >= content.layers - 1;
    this.#combine.value = state.combine;
    this.#updateChips(content.heads);
  }

  #updateChips(heads: number): void {
    const shown = new Set(this.#shown());
    while (this.#chips.childElementCount > heads) this.#chips.lastElementChild?.remove();
    for (let head = 0; head < heads; head++) {
      const chip =
        (this.#chips.children[head] as HTMLElement | undefined) ??
        this.#chips.appendChild(
          h("button", {
            type: "button",
            class: "chip",
            "data-head": head,
            "aria-label": `head ${head}`,
            title: `head ${head}: click toggles, double-click or Shift-click shows it alone`,
          }),
        );
      setText(chip, String(head));
      set(chip, "aria-pressed", String(shown.has(head)));
      chip.style.setProperty("--head", cssColour(headColour(head, this.#theme)));
    }
  }
}

/** All heads are written as none in particular, no head as null: see the `heads` trait. */
function normalHeads(heads: readonly number[], count: number): readonly number[] | null {
  if (heads.length === 0) return null;
  return heads.length === count ? [] : [...heads].sort((a, b) => a - b);
}

const headOf = (event: Event): number | null => {
  const chip = (event.target as Element).closest<HTMLElement>(".chip");
  return chip ? Number(chip.dataset.head) : null;
};

const count = (length: number): [string, string][] =>
  Array.from({ length }, (_, index) => [String(index), String(index)]);
