import { afterEach, describe, expect, it } from "vitest";
import entry from "../../src/index.ts";
import { attention, FakeHost, mapTraits } from "../fakes.ts";
import { base, endAll, find, frame, framesOf, mount, settled, token, until } from "./mounted.ts";

afterEach(endAll);

const traits = () => ({
  ...mapTraits({ layers: [attention(3, 6, 7), attention(3, 6, 7, 2)] }),
  map: "attention",
  layer: 0,
  heads: [],
  pinned_queries: [1],
  pinned_keys: [],
  observe_hover: true,
});

type Patchable = Record<string, (...args: never[]) => unknown>;

/** Counts what a page holds on to: listeners beyond the widget, observers, frames and timers under way. */
function watch() {
  const restore: (() => void)[] = [];
  const counts = { listeners: 0, observers: 0, frames: 0, timers: 0 };

  const patch = (
    object: object,
    name: string,
    make: (original: (...args: unknown[]) => unknown) => unknown,
  ) => {
    const target = object as Patchable;
    const original = target[name] as unknown as (...args: unknown[]) => unknown;
    target[name] = make(original) as never;
    restore.push(() => {
      target[name] = original as never;
    });
  };

  const global = (target: unknown): boolean =>
    target === window ||
    target === document ||
    target === document.body ||
    target === document.documentElement ||
    target instanceof MediaQueryList;
  const held = new Map<unknown, Set<string>>();
  let callbacks = 0;
  const ids = new WeakMap<object, number>();
  const nameOf = (type: unknown, callback: unknown) => {
    const key = callback as object;
    if (!ids.has(key)) ids.set(key, callbacks++);
    return `${type} ${ids.get(key)}`;
  };
  const drop = (target: unknown, name: string) => {
    if (held.get(target)?.delete(name)) counts.listeners--;
  };
  patch(
    EventTarget.prototype,
    "addEventListener",
    (original) =>
      function (this: EventTarget, type: unknown, callback: unknown, options: unknown) {
        const { signal } = (options ?? {}) as AddEventListenerOptions;
        if (global(this) && callback && !signal?.aborted) {
          const name = nameOf(type, callback);
          const names = held.get(this) ?? new Set();
          if (!names.has(name)) counts.listeners++;
          held.set(this, names.add(name));
          if (signal) original.call(signal, "abort", () => drop(this, name));
        }
        return original.call(this, type, callback, options);
      },
  );
  patch(
    EventTarget.prototype,
    "removeEventListener",
    (original) =>
      function (this: EventTarget, type: unknown, callback: unknown, options: unknown) {
        if (callback) drop(this, nameOf(type, callback));
        return original.call(this, type, callback, options);
      },
  );
  const watching = new Set<object>();
  for (const { prototype } of [ResizeObserver, MutationObserver, IntersectionObserver]) {
    patch(
      prototype,
      "observe",
      (original) =>
        function (this: object, ...args: unknown[]) {
          watching.add(this);
          counts.observers = watching.size;
          return original.apply(this, args);
        },
    );
    patch(
      prototype,
      "disconnect",
      (original) =>
        function (this: object, ...args: unknown[]) {
          watching.delete(this);
          counts.observers = watching.size;
          return original.apply(this, args);
        },
    );
  }
  const pending = (start: string, end: string, count: "frames" | "timers") => {
    const waiting = new Set<unknown>();
    patch(window, start, (original) => (callback: (...args: unknown[]) => void, ...rest: unknown[]) => {
      const id: unknown = original.call(
        window,
        (...args: unknown[]) => {
          waiting.delete(id);
          counts[count] = waiting.size;
          callback(...args);
        },
        ...rest,
      );
      waiting.add(id);
      counts[count] = waiting.size;
      return id;
    });
    patch(window, end, (original) => (id: unknown) => {
      waiting.delete(id);
      counts[count] = waiting.size;
      return original.call(window, id);
    });
  };
  pending("requestAnimationFrame", "cancelAnimationFrame", "frames");
  pending("setTimeout", "clearTimeout", "timers");
  return {
    counts,
    end: () => {
      for (const undo of restore) undo();
    },
  };
}

describe("50 views that come and go", () => {
  it("leave no listener, observer, timer or element behind", async () => {
    const host = new FakeHost(traits());
    const elements = document.querySelectorAll("*").length;
    const watched = watch();
    try {
      const one = mount({}, { host });
      await settled(one.root);
      expect(watched.counts.listeners).toBeGreaterThan(0);
      expect(watched.counts.observers).toBeGreaterThan(0);
      expect(host.listening).toBeGreaterThan(5);
      one.end();
      const before = { ...watched.counts };
      expect(before).toMatchObject({ listeners: 0, observers: 0 });
      for (let i = 0; i < 50; i++) {
        const { root, end } = mount({}, { host });
        if (i % 5 === 0) {
          await until(() => root.dataset.status === "ready", "a picture");
          token(root, "query", 2).dispatchEvent(
            new PointerEvent("pointerover", { bubbles: true, composed: true }),
          );
          find(root, ".chip").click();
        }
        if (i % 3 === 0) host.fromPython({ layer: i % 2, theme: i % 2 ? "dark" : "light" });
        if (i % 7 === 0) await frame();
        end();
      }
      expect(host.listening).toBe(0);
      expect(watched.counts).toEqual({ listeners: 0, observers: 0, frames: 0, timers: 0 });
    } finally {
      watched.end();
    }
    expect(document.querySelectorAll("*").length).toBe(elements);
  });
});

describe("the end of a view", () => {
  const view = (host: FakeHost, el: HTMLElement, signal?: AbortSignal) =>
    ({ model: host, el, signal }) as unknown as Parameters<ReturnType<typeof entry>["render"]>[0];

  it("may be told by the signal, by the clean-up, or by both in any order", async () => {
    for (const order of [["abort"], ["clean"], ["abort", "clean"], ["clean", "abort"], ["clean", "clean"]]) {
      const host = new FakeHost(traits());
      const el = document.createElement("div");
      document.body.append(el);
      const controller = new AbortController();
      const clean = entry().render(view(host, el, controller.signal));
      await frame();
      for (const way of order) {
        if (way === "abort") controller.abort();
        else clean?.();
      }
      expect(host.listening, order.join()).toBe(0);
      expect(el.childElementCount, order.join()).toBe(0);
      el.remove();
    }
  });

  it("may come without a signal, and before the beginning", () => {
    const host = new FakeHost(traits());
    const el = document.createElement("div");
    entry().render(view(host, el))?.();
    expect(el.childElementCount).toBe(0);
    entry().render(view(host, el, AbortSignal.abort()));
    expect(el.childElementCount).toBe(0);
    expect(host.listening).toBe(0);
  });

  it("of one of two leaves the other alive, and what they share ends with the last", async () => {
    const host = new FakeHost(traits());
    const widget = entry();
    const [one, two] = [mount({}, { host, widget }), mount({}, { host, widget })];
    await settled(two.root);
    one.end();
    one.end();
    expect(host.listening).toBeGreaterThan(0);
    host.fromPython({ layer: 1 });
    await settled(two.root);
    two.end();
    expect(host.listening).toBe(0);
    const again = mount({}, { host, widget });
    await settled(again.root);
  });

  it("saves what has not been saved", async () => {
    const { root, host, end } = mount(traits());
    await settled(root);
    find(root, ".chip").click();
    end();
    expect(host.saved).toEqual([{ heads: [1, 2] }]);
  });

  it("while a large picture is under way stops it", async () => {
    const watched = watch();
    try {
      const large = mapTraits({ layers: [attention(12, 160, 160), attention(12, 160, 160, 2)] });
      const { root, host, end } = mount({ ...traits(), ...large });
      await settled(root);
      const frames = framesOf(root);
      host.fromPython({ layer: 1 });
      await until(() => base(root).getAttribute("aria-label")?.includes("layer 1"), "a picture under way");
      expect(framesOf(root)).toBe(frames);
      expect(watched.counts.timers).toBeGreaterThan(0);
      end();
      await frame();
      expect(watched.counts).toEqual({ listeners: 0, observers: 0, frames: 0, timers: 0 });
    } finally {
      watched.end();
    }
  });
});
