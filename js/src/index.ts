/** The anywidget entry: the only file that knows anywidget. */

import type { AnyModel } from "@anywidget/types";
import { mount } from "./frame.ts";
import { type Host, Model } from "./model.ts";
import { Store } from "./store.ts";

interface Shared {
  readonly model: Model;
  readonly store: Store;
  readonly controller: AbortController;
  views: number;
}

interface View {
  model: AnyModel;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** Everything lives in the factory: hosts share or reload the module as they like. */
export default () => {
  /** Some hosts hand the same model to each view; others a proxy of it, and views then share the traits alone. */
  const shared = new WeakMap<AnyModel, Shared>();

  const hold = (model: AnyModel): Shared => {
    const held = shared.get(model);
    if (held) {
      held.views++;
      return held;
    }
    const controller = new AbortController();
    const state = new Model(model as unknown as Host, controller.signal);
    const made = { model: state, store: new Store(state, controller.signal), controller, views: 1 };
    shared.set(model, made);
    return made;
  };

  const release = (model: AnyModel, held: Shared) => {
    if (--held.views > 0) return;
    held.controller.abort();
    shared.delete(model);
  };

  return {
    render({ model, el, signal }: View) {
      if (signal?.aborted) return;
      const held = hold(model);
      const controller = new AbortController();
      // Hosts abort the signal, call what render returns, or do both.
      const end = () => {
        if (controller.signal.aborted) return;
        controller.abort();
        release(model, held);
      };
      signal?.addEventListener("abort", end, { signal: controller.signal });
      mount(el, held.model, held.store, controller.signal);
      return end;
    },
  };
};
