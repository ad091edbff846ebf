/** The anywidget entry: the only file that knows anywidget. */

import type { AnyModel } from "@anywidget/types";
import { mount } from "./frame.ts";
import { type Host, Model } from "./model.ts";
import { Store } from "./store.ts";

interface Shared {
  readonly model: Model;
  readonly store: Store;
  readonly end: () => void;
}

interface Context {
  model: AnyModel;
  signal?: AbortSignal;
}

/** Everything lives in the factory: hosts share or reload the module as they like. */
export default () => {
  const shared = new WeakMap<AnyModel, Shared>();

  /** What all views of a model share, made once and ended with the model. */
  const shareOf = (model: AnyModel): Shared => {
    const held = shared.get(model);
    if (held) return held;
    const controller = new AbortController();
    const state = new Model(model as unknown as Host, controller.signal);
    const store = new Store(state, controller.signal);
    const end = () => {
      controller.abort();
      shared.delete(model);
    };
    const made = { model: state, store, end };
    shared.set(model, made);
    return made;
  };

  return {
    initialize({ model, signal }: Context) {
      const { end } = shareOf(model);
      signal?.addEventListener("abort", end);
      return end;
    },
    render({ model, el, signal }: Context & { el: HTMLElement }) {
      const { model: state, store } = shareOf(model);
      const controller = new AbortController();
      const end = () => controller.abort();
      signal?.addEventListener("abort", end);
      mount(el, state, store, controller.signal);
      return end;
    },
  };
};
