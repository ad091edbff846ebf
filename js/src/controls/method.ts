/** Which method is applied to the map shown: computed by the kernel while the old picture stays. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model } from "../model.ts";
import { type Asking, messageOf, NoKernel, Superseded } from "../protocol.ts";
import type { Store } from "../store.ts";
import { options, select } from "./fields.ts";

export class MethodSwitch {
  readonly element: HTMLElement;
  readonly #model: Model;
  readonly #store: Store;
  readonly #select = select("method", []);
  readonly #said = h("span", { class: "quiet", "data-role": "progress", "aria-live": "polite" });
  readonly #stop = h("button", { type: "button", title: "cancel ( Esc )", "aria-label": "cancel" }, "×");
  /** What is being computed. */
  #asked: { readonly name: string; readonly asking: Asking } | undefined;

  constructor(model: Model, store: Store, signal: AbortSignal) {
    this.#model = model;
    this.#store = store;
    this.element = h(
      "div",
      { class: "group" },
      h("span", {}, "method"),
      this.#select,
      this.#said,
      this.#stop,
    );
    on(this.#select, "change", () => void this.#choose(this.#select.value), signal);
    on(this.#stop, "click", () => this.cancel(), signal);
    model.subscribe(() => this.#update(), signal);
    store.subscribe(() => this.#update(), signal);
    this.#say("");
    this.#update();
  }

  /** Stop what is being computed; whether there was anything. */
  cancel(): boolean {
    this.#asked?.asking.cancel();
    return this.#asked !== undefined;
  }

  async #choose(name: string): Promise<void> {
    this.cancel();
    const asking = this.#store.ask("method", { method: name }, (share) => {
      this.#say(`${Math.round(100 * share)} %`, true);
    });
    const asked = { name, asking };
    this.#asked = asked;
    let said = "";
    try {
      await asking.reply;
    } catch (error) {
      if (error instanceof NoKernel) said = "needs a running kernel";
      else if (!(error instanceof Superseded)) said = messageOf(error);
    }
    if (this.#asked !== asked) return;
    this.#asked = undefined;
    this.#say(said);
    this.#update();
  }

  #say(text: string, computing = false): void {
    setText(this.#said, text);
    set(this.#said, "hidden", text === "");
    set(this.#stop, "hidden", !computing);
  }

  #update(): void {
    const methods = this.#store.content?.methods ?? [];
    set(this.element, "hidden", methods.length === 0);
    const shown = this.#asked?.name ?? this.#model.state.method ?? methods[0]?.[0] ?? "";
    options(
      this.#select,
      methods.map(([name, label]) => [name, label]),
      shown,
    );
    methods.forEach(([name, , description], at) => {
      set(this.#select.options[at] as HTMLElement, "title", description);
      if (name === shown) set(this.#select, "title", description);
    });
  }
}
