/** The anywidget entry: the only file that knows anywidget. */

import type { AnyModel } from "@anywidget/types";
import { mount } from "./frame.ts";
import { type Host, Model } from "./model.ts";
import { Store } from "./store.ts";

interface Context {
  readonly model: AnyModel;
  readonly signal?: AbortSignal;
}

/** What the views of a model share: its state, and the weights decoded once. */
class Shared {
  readonly model: Model;
  readonly store: Store;
  readonly #controller = new AbortController();

  constructor(host: AnyModel) {
    this.model = new Model(host as unknown as Host, this.#controller.signal);
    this.store = new Store(this.model, this.#controller.signal);
  }

  /** Hosts wrap a model anew for every call: it is known by the very object its data is. */
  isOf(host: AnyModel): boolean {
    const content: unknown = host.get("_content");
    return content !== undefined && this.model.data("_content") === content;
  }

  end(): void {
    this.#controller.abort();
  }
}

/** Some hosts abort, some call what they were given, some do both. */
function ending(end: () => void, signal: AbortSignal | undefined): () => void {
  if (signal?.aborted) end();
  else signal?.addEventListener("abort", end, { once: true });
  return end;
}

/** Everything lives in the factory: hosts share or reload the module as they like. */
export default () => {
  const all = new Set<Shared>();

  return {
    initialize({ model, signal }: Context) {
      const shared = new Shared(model);
      all.add(shared);
      return ending(() => {
        shared.end();
        all.delete(shared);
      }, signal);
    },
    render({ model, el, signal }: Context & { readonly el: HTMLElement }) {
      const found = [...all].find((shared) => shared.isOf(model));
      const shared = found ?? new Shared(model);
      const view = new AbortController();
      mount(el, shared.model, shared.store, view.signal);
      return ending(() => {
        view.abort();
        if (!found) shared.end();
      }, signal);
    },
  };
};
