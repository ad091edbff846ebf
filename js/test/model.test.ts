import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Model, type StateName } from "../src/model.ts";
import { FakeHost, type HostKind } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const HOSTS: readonly (readonly [name: string, kind: HostKind])[] = [
  ["Jupyter", { args: 3 }],
  ["a host whose changes come without arguments", { args: 0 }],
  ["a host whose set always fires", { args: 3, alwaysFires: true }],
  ["a host whose set always fires, without arguments", { args: 0, alwaysFires: true }],
  ["a page without a kernel", { sends: false }],
];

function make(values: Record<string, unknown> = {}, kind: HostKind = {}) {
  const host = new FakeHost(values, kind);
  const controller = new AbortController();
  const model = new Model(host, controller.signal);
  const heard: StateName[][] = [];
  model.subscribe((changed) => heard.push([...changed].sort()), controller.signal);
  return { host, model, heard, end: () => controller.abort() };
}

describe.each(HOSTS)("the model in %s", (_, kind) => {
  it("takes missing traits as their defaults, and null as null", () => {
    const { model } = make({ layer: 3, heads: null }, kind);
    expect(model.state.layer).toBe(3);
    expect(model.state.heads).toBeNull();
    expect(model.state.pinned_keys).toEqual([]);
    expect(model.state.height).toBeNull();
    expect(model.state.mass).toBe(1);
  });

  it("applies a change at once, tells it once and saves it once", () => {
    const { host, model, heard } = make({ layer: 0 }, kind);
    model.change({ layer: 2 });
    expect(model.state.layer).toBe(2);
    expect(host.values.layer).toBe(2);
    expect(heard).toEqual([["layer"]]);
    expect(host.saved).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(host.saved).toEqual([{ layer: 2 }]);
  });

  it("changes several traits together", () => {
    const { host, model, heard } = make({ pinned_queries: [1], pinned_keys: [2, 3] }, kind);
    model.change({ pinned_queries: [4], pinned_keys: [] });
    expect(model.state).toMatchObject({ pinned_queries: [4], pinned_keys: [] });
    expect(host.values).toMatchObject({ pinned_queries: [4], pinned_keys: [] });
    expect(heard).toEqual([["pinned_keys", "pinned_queries"]]);
    vi.runAllTimers();
    expect(host.saved).toEqual([{ pinned_queries: [4], pinned_keys: [] }]);
  });

  it("saves a burst once, with its last values", () => {
    const { host, model } = make({ mass: 1 }, kind);
    for (let step = 99; step >= 50; step--) {
      model.change({ mass: step / 100 });
      vi.advanceTimersByTime(10);
    }
    expect(model.state.mass).toBe(0.5);
    vi.runAllTimers();
    expect(host.saved).toEqual([{ mass: 0.5 }]);
  });

  it("neither sets nor saves what is already so", () => {
    const { host, model, heard } = make({ heads: [1, 2], layer: 1 }, kind);
    model.change({ heads: [1, 2], layer: 1 });
    vi.runAllTimers();
    expect(host.sets).toEqual([]);
    expect(host.saved).toEqual([]);
    expect(heard).toEqual([]);
  });

  it("sets only what differs", () => {
    const { host, model } = make({ heads: [1, 2], layer: 1 }, kind);
    model.change({ heads: [1, 2], layer: 0 });
    expect(host.sets).toEqual([["layer", 0]]);
  });

  it("hears Python once for each message, with all that changed", () => {
    const { host, model, heard } = make({ layer: 0, heads: [] }, kind);
    host.fromPython({ layer: 5, heads: [1], special: "hide" });
    expect(heard).toEqual([["heads", "layer", "special"]]);
    expect(model.state).toMatchObject({ layer: 5, heads: [1], special: "hide" });
    host.fromPython({ layer: 5 });
    expect(heard).toHaveLength(1);
    vi.runAllTimers();
    expect(host.saved).toEqual([]);
  });

  it("leaves nothing behind when it ends, and saves what is unsaved", () => {
    const { host, model, heard, end } = make({ layer: 0 }, kind);
    const { signal } = new AbortController();
    model.onData(() => {}, signal);
    model.change({ layer: 1 });
    end();
    expect(host.listening).toBe(0);
    expect(host.saved).toEqual([{ layer: 1 }]);
    host.fromPython({ layer: 2, _content: {} });
    expect(heard).toEqual([["layer"]]);
    vi.runAllTimers();
    expect(host.saved).toHaveLength(1);
  });
});

describe("the model", () => {
  it("tells of data as they come, and passes them through untouched", () => {
    const { host, model } = make();
    const listener = vi.fn();
    const controller = new AbortController();
    model.onData(listener, controller.signal);
    const content = { revision: 1 };
    host.fromPython({ _content: content });
    expect(listener).toHaveBeenCalledTimes(1);
    expect(model.data("_content")).toBe(content);
    host.fromPython({ _block: {} });
    expect(listener).toHaveBeenCalledTimes(2);
    controller.abort();
    host.fromPython({ _block: {} });
    expect(listener).toHaveBeenCalledTimes(2);
  });

  it("passes messages on, with their buffers or with none", () => {
    const { host, model } = make();
    const listener = vi.fn();
    const controller = new AbortController();
    model.onMessage(listener, controller.signal);
    const buffers = [new DataView(new ArrayBuffer(2))];
    host.deliver({ id: "a" }, buffers);
    host.deliver({ id: "b" });
    expect(listener.mock.calls).toEqual([
      [{ id: "a" }, buffers],
      [{ id: "b" }, []],
    ]);
    const before = host.listening;
    controller.abort();
    expect(host.listening).toBe(before - 1);
  });

  it("ends one listener without the others", () => {
    const { host, model, heard } = make({ layer: 0 });
    const controller = new AbortController();
    const other = vi.fn();
    model.subscribe(other, controller.signal);
    controller.abort();
    host.fromPython({ layer: 1 });
    expect(other).not.toHaveBeenCalled();
    expect(heard).toEqual([["layer"]]);
  });

  it("takes what a listener changes in turn", () => {
    const { host, model } = make({ layer: 0, heads: [] });
    const controller = new AbortController();
    model.subscribe((changed) => {
      if (changed.has("layer")) model.change({ heads: [model.state.layer] });
    }, controller.signal);
    model.change({ layer: 2 });
    expect(model.state).toMatchObject({ layer: 2, heads: [2] });
    vi.runAllTimers();
    expect(host.saved).toEqual([{ layer: 2, heads: [2] }]);
  });

  it("keeps Python's answer where Python refuses or adjusts a change", () => {
    const { host, model } = make({ layer: 0 });
    model.change({ layer: 9 });
    vi.runAllTimers();
    host.fromPython({ layer: 3 });
    expect(model.state.layer).toBe(3);
  });

  it("outlives a dead kernel connection", () => {
    const { host, model, heard } = make({ layer: 0 });
    host.save_changes = () => {
      throw new Error("Comm is disposed");
    };
    host.onSend = () => {
      throw new Error("Kernel is dead");
    };
    model.change({ layer: 1 });
    expect(() => vi.runAllTimers()).not.toThrow();
    expect(model.send({ kind: "hover", hovered: null })).toBe(false);
    expect(model.state.layer).toBe(1);
    expect(heard).toEqual([["layer"]]);
  });

  it("lets a host reject later", async () => {
    const { host, model } = make();
    const rejected = vi.fn(() => Promise.reject(new Error("closed")));
    Object.assign(host, { send: rejected, save_changes: rejected });
    expect(model.send({})).toBe(true);
    model.change({ layer: 1 });
    await vi.runAllTimersAsync();
    expect(rejected).toHaveBeenCalledTimes(2);
  });

  it("knows whether it can send", () => {
    expect(make().model.canSend).toBe(true);
    const { model } = make({}, { sends: false });
    expect(model.canSend).toBe(false);
    expect(model.send({})).toBe(false);
  });
});
