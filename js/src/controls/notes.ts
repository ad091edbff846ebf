/** Where the map must be read with care: quiet lines under the views. Python finds the notes: see `care.py`. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model, StateName } from "../model.ts";

interface Note {
  readonly kind: string;
  readonly text: string;
  readonly page: string;
  /** What the docs say of such notes: headings and texts. */
  readonly about: readonly (readonly [heading: string, text: string])[];
}

interface Wire {
  /** The state the notes are about. */
  readonly shown?: Readonly<Partial<Record<StateName, unknown>>>;
  readonly notes?: readonly Note[];
}

export class Notes {
  readonly element = h("div", { class: "notes", role: "note", "aria-label": "read with care", hidden: true });
  /** Brings back what was dismissed; for the help panel. */
  readonly restore = h("button", { type: "button", class: "link", hidden: true });
  readonly #model: Model;
  readonly #say: (text: string) => void;
  readonly #signal: AbortSignal;
  readonly #said = new Set<string>();
  readonly #layer = h("span");
  #listed: readonly Note[] = [];
  #drawn = "";
  #all = false;

  constructor(model: Model, say: (text: string) => void, signal: AbortSignal) {
    this.#model = model;
    this.#say = say;
    this.#signal = signal;
    on(this.restore, "click", () => model.change({ dismissed: [] }), signal);
    model.subscribe(() => this.#update(), signal);
    model.onData(() => this.#update(), signal);
    this.#update();
  }

  /** What is listed, for exports. */
  get texts(): readonly string[] {
    return this.#listed.map(({ text }) => text);
  }

  #update(): void {
    const { state } = this.#model;
    const { dismissed } = state;
    const { shown, notes = [] } = (this.#model.data("_notes") ?? {}) as Wire;
    const current = Object.entries(shown ?? { map: null }).every(
      ([name, value]) => JSON.stringify(state[name as StateName]) === JSON.stringify(value),
    );
    const left = state.notes ? notes.filter(({ kind }) => !dismissed.includes(kind)) : [];
    this.#listed = current ? left : [];
    set(this.restore, "hidden", dismissed.length === 0);
    setText(this.restore, `show ${dismissed.length} dismissed note${dismissed.length === 1 ? "" : "s"}`);
    set(this.element, "hidden", left.length === 0);
    // Until those of what is shown now are here their place stays, so that nothing jumps.
    set(this.element, "data-waiting", !current);
    // All layers are in sight there, and the notes are about one.
    const every = state.view === "heads" || state.beside === "heads";
    setText(this.#layer, every ? `layer ${state.layer}: ` : "");
    const drawn = JSON.stringify(left);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#all &&= left.length > 1;
    this.#draw(left);
    const news = this.texts.filter((text) => !this.#said.has(text));
    for (const text of news) this.#said.add(text);
    if (news.length > 0) this.#say(`Read with care. ${news.join(" ")}`);
  }

  #draw(notes: readonly Note[]): void {
    const lines = notes.map((note) => this.#line(note));
    const more = this.#button(`${lines.length - 1} more`, () => {
      this.#all = !this.#all;
      show();
    });
    const show = () => {
      lines.forEach((line, at) => {
        set(line, "hidden", at > 0 && !this.#all);
      });
      set(more, "aria-expanded", String(this.#all));
      setText(more, this.#all ? "less" : `${lines.length - 1} more`);
    };
    lines[0]?.prepend(this.#layer);
    this.element.replaceChildren(...lines);
    if (lines.length > 1) this.element.append(more);
    show();
  }

  #line({ kind, text, page, about }: Note): HTMLElement {
    const told = about.map(([heading, said]) => h("div", {}, h("b", {}, heading), ` ${said}`));
    const aside = h("div", { class: "explained", hidden: true }, ...told, h("div", {}, `More in ${page}`));
    const why = this.#button("what does this mean?", () => {
      set(aside, "hidden", !aside.hidden);
      set(why, "aria-expanded", String(!aside.hidden));
    });
    set(why, "aria-expanded", "false");
    const dismiss = this.#button("×", () => {
      this.#model.change({ dismissed: [...this.#model.state.dismissed, kind] });
      // What had the focus is gone.
      this.element.querySelector("button")?.focus({ preventScroll: true });
    });
    set(dismiss, "aria-label", "dismiss this note");
    set(dismiss, "title", "dismiss: ? brings it back");
    return h("div", { "data-note": kind }, text, " ", why, dismiss, aside);
  }

  #button(text: string, action: () => void): HTMLButtonElement {
    const button = h("button", { type: "button", class: "link" }, text);
    on(button, "click", action, this.#signal);
    return button;
  }
}
