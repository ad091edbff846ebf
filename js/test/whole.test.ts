import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { axesOf } from "../src/lines/picture.ts";
import { Mark } from "../src/lines/scene.ts";
import { WholeRequest } from "../src/lines/whole.ts";
import { Model, type State } from "../src/model.ts";
import { Store } from "../src/store.ts";
import { attention, FakeHost, type HostKind, mapTraits, pack, type Sent } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function make(kind: HostKind = {}) {
  const { _content } = mapTraits({ layers: [attention(2, 4, 3)] });
  const host = new FakeHost({ _content }, kind);
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  const store = new Store(model, signal);
  const changed = vi.fn();
  const whole = new WholeRequest(store, changed);
  const want = (more: Partial<State> = {}) => {
    const { content } = store;
    if (!content) throw new Error("no content");
    const state = { ...model.state, ...more };
    whole.want(content, state, axesOf(content, state));
  };
  return { host, whole, changed, want };
}

const ARRAYS = {
  query: pack(Uint32Array.of(0, 3)),
  key: pack(Uint32Array.of(2, 1)),
  head: pack(Uint16Array.of(0, 1)),
  weight: pack(Float32Array.of(0.5, -Infinity)),
  strength: pack(Float32Array.of(0.5, 1)),
  fog: pack(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3]),
};
const FIELDS = { total: 8, kept: 6, missing: 1, fog_heads: [1] };
const answer = (host: FakeHost, index: number, arrays: object = ARRAYS, fields: object = {}) =>
  host.reply(host.sent[index] as Sent, arrays as typeof ARRAYS, { ...FIELDS, ...fields });
const flush = () => vi.advanceTimersByTimeAsync(0);

describe("the picture of a layer that is not here", () => {
  it("is asked for with all that decides it", () => {
    const { host, want } = make();
    want({ layer: 0, heads: [1], mass: 0.9, top_k: 4, special: "hide", whole: true });
    expect(host.sent).toHaveLength(1);
    expect(host.sent[0]).toMatchObject({
      kind: "edges",
      layer: 0,
      heads: [1],
      mass: 0.9,
      top_k: 4,
      special: "hide",
      shape: [4, 3],
      limit: 20_000,
    });
  });

  it("is lines and fog", async () => {
    const { host, whole, changed, want } = make();
    want();
    expect(whole.selection).toBeUndefined();
    answer(host, 0);
    await flush();
    expect(changed).toHaveBeenCalledTimes(1);
    expect(whole.selection).toMatchObject({ total: 8, kept: 6, missing: 1 });
    const { edges } = whole.selection as NonNullable<typeof whole.selection>;
    expect(edges.count).toBe(2);
    expect([...edges.key]).toEqual([2, 1]);
    expect([...edges.mark]).toEqual([0, Mark.negative | Mark.infinite]);
    expect(whole.fog).toEqual({
      rows: 2,
      cols: 3,
      heads: [{ head: 1, strength: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    });
  });

  it("is asked for once, however often it is wanted", async () => {
    const { host, want } = make();
    want();
    want();
    answer(host, 0);
    await flush();
    want({ pinned_keys: [1] });
    expect(host.sent).toHaveLength(1);
  });

  it("is asked for one at a time while a slider moves, and then the last", async () => {
    const { host, whole, changed, want } = make();
    for (const mass of [0.9, 0.8, 0.7, 0.6]) want({ mass });
    expect(host.sent).toHaveLength(1);
    answer(host, 0);
    await flush();
    expect(whole.selection).toBeUndefined();
    expect(changed).not.toHaveBeenCalled();
    expect(host.sent.map(({ mass }) => mass)).toEqual([0.9, 0.6]);
    answer(host, 1);
    await flush();
    expect(whole.selection).toBeDefined();
    expect(changed).toHaveBeenCalledTimes(1);
    expect(host.sent).toHaveLength(2);
  });

  it("is not asked for again when one comes back to it", async () => {
    const { host, whole, want } = make();
    want({ mass: 0.9 });
    answer(host, 0);
    await flush();
    want({ mass: 0.8 });
    want({ mass: 0.9 });
    expect(whole.selection).toBeDefined();
    answer(host, 1);
    await flush();
    expect(host.sent).toHaveLength(2);
    expect(whole.selection).toBeDefined();
  });

  it("is none of another map", async () => {
    const { host, whole, want } = make();
    want();
    answer(host, 0, ARRAYS, { revision: 2 });
    await flush();
    expect(whole.selection).toBeUndefined();
    expect(whole.failure).toMatch("has changed");
  });
});

describe("what fails", () => {
  it("is said, and not asked for again by every picture", async () => {
    const { host, whole, changed, want } = make();
    changed.mockImplementation(() => want());
    want();
    host.deliver({ id: host.sent[0]?.id, ok: false, error: "MemoryError: too large" });
    await flush();
    expect(whole.failure).toBe("MemoryError: too large");
    expect(changed).toHaveBeenCalledTimes(1);
    expect(host.sent).toHaveLength(1);
    want({ mass: 0.5 });
    expect(whole.failure).toBeUndefined();
    expect(host.sent).toHaveLength(2);
  });

  it("is a page without a kernel", async () => {
    const { whole, changed, want } = make({ sends: false });
    want();
    await flush();
    expect(whole.failure).toBe("This layer is not stored in the page and needs a running kernel.");
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it("is a kernel that does not answer", async () => {
    const { whole, want } = make();
    want();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(whole.failure).toMatch("needs a running kernel");
  });

  it.each(Object.keys(ARRAYS))("is a reply without %s", async (name) => {
    const { host, whole, want } = make();
    want();
    answer(host, 0, Object.fromEntries(Object.entries(ARRAYS).filter(([other]) => other !== name)));
    await flush();
    expect(whole.failure).toBe(`The kernel sent no ${name}.`);
    expect(whole.selection).toBeUndefined();
  });
});
