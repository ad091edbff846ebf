import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { axesOf } from "../src/lines/picture.ts";
import { Mark } from "../src/lines/scene.ts";
import { blocksOf } from "../src/lines/units.ts";
import { LinesRequest, requestOf } from "../src/lines/whole.ts";
import { Model, type State } from "../src/model.ts";
import { Store } from "../src/store.ts";
import { attention, FakeHost, type HostKind, mapTraits, pack, type Sent } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function make(kind: HostKind = {}, tokens: [number, number] = [4, 3]) {
  const { _content } = mapTraits({ layers: [attention(2, ...tokens)] });
  const host = new FakeHost({ _content }, kind);
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  const store = new Store(model, signal);
  const changed = vi.fn();
  store.subscribe(changed, signal);
  const whole = new LinesRequest(store, "lines", true);
  const want = (more: Partial<State> = {}) => {
    const { content } = store;
    if (!content) throw new Error("no content");
    const state = { ...model.state, ...more };
    whole.want(requestOf(content, state, axesOf(content, state)));
  };
  return { host, whole, changed, want, store };
}

const ARRAYS = {
  query: pack(Uint32Array.of(0, 3)),
  key: pack(Uint32Array.of(2, 1)),
  head: pack(Uint16Array.of(0, 1)),
  weight: pack(Float32Array.of(0.5, -Infinity)),
  strength: pack(Float32Array.of(0.5, 1)),
  fog: pack(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3]),
};
const FIELDS = { total: 8, kept: 6, missing: 1, special: 0, fog_heads: [1] };

/** Answers as the kernel does: what is on screen goes into the trait. */
function answer(host: FakeHost, index: number, arrays: object = ARRAYS, fields: object = {}): void {
  const { v, id, kind, hold, ...request } = host.sent[index] as Sent;
  expect({ v, kind, hold }).toEqual({ v: 1, kind: "edges", hold: true });
  host.fromPython({ _edges: { revision: 1, request, ...FIELDS, ...fields, arrays } });
  host.reply({ ...request, v, id, kind } as Sent, {}, { held: true });
}
const flush = () => vi.advanceTimersByTimeAsync(0);

describe("the picture of a layer that is not here", () => {
  it("is asked for with all that decides it, to be kept on screen", () => {
    const { host, want } = make();
    want({ layer: 0, heads: [1], mass: 0.9, top_k: 4, special: "hide", whole: true });
    expect(host.sent).toHaveLength(1);
    expect(host.sent[0]).toMatchObject({
      kind: "edges",
      hold: true,
      layer: 0,
      heads: [1],
      mass: 0.9,
      top_k: 4,
      special: "hide",
      limit: 20_000,
    });
    expect(host.sent[0]).not.toHaveProperty("blocks");
  });

  it("is lines and fog", async () => {
    const { host, whole, changed, want } = make();
    want();
    expect(whole.found).toBeUndefined();
    answer(host, 0);
    await flush();
    expect(changed).toHaveBeenCalled();
    const { selection, fog, how } = whole.found as NonNullable<typeof whole.found>;
    expect(selection).toMatchObject({ total: 8, kept: 6, missing: 1, special: 0 });
    expect(selection.edges.count).toBe(2);
    expect([...selection.edges.key]).toEqual([2, 1]);
    expect([...selection.edges.mark]).toEqual([0, Mark.negative | Mark.infinite]);
    const heads = [{ head: 1, strength: Float32Array.of(1, 2, 3, 4, 5, 6) }];
    expect(fog).toEqual({ rows: 2, cols: 3, heads });
    expect(how).toBe("");
    expect(whole.found).toBe(whole.found);
  });

  it("has fog for either end where the kernel sends it, and says how numbers were made", async () => {
    const { host, whole, want } = make();
    want();
    const fog_query = pack(Float32Array.of(1, 2, 3, 15), [1, 4, 1]);
    const fog_key = pack(Float32Array.of(6, 7, 8), [1, 1, 3]);
    answer(host, 0, { ...ARRAYS, fog_query, fog_key }, { exact: false, how: "from 2 of 4 queries" });
    await flush();
    const { fog, how } = whole.found as NonNullable<typeof whole.found>;
    expect([fog.ends?.query, fog.ends?.key]).toMatchObject([
      { rows: 4, cols: 1 },
      { rows: 1, cols: 3 },
    ]);
    expect(how).toBe("from 2 of 4 queries");
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
    const { host, whole, want } = make();
    for (const mass of [0.9, 0.8, 0.7, 0.6]) want({ mass });
    expect(host.sent).toHaveLength(1);
    answer(host, 0);
    await flush();
    expect(whole.found).toBeUndefined();
    expect(host.sent.map(({ mass }) => mass)).toEqual([0.9, 0.6]);
    answer(host, 1);
    await flush();
    expect(whole.found).toBeDefined();
    expect(host.sent).toHaveLength(2);
  });

  it("is there in a saved notebook", async () => {
    const { host, whole, want, store } = make({ sends: false });
    const content = store.content as NonNullable<typeof store.content>;
    const model = new Model(host, new AbortController().signal);
    const request = requestOf(content, model.state, axesOf(content, model.state));
    host.fromPython({ _edges: { revision: 1, request, ...FIELDS, arrays: ARRAYS } });
    want();
    await flush();
    expect(whole.failure).toBeUndefined();
    expect(whole.found?.selection.edges.count).toBe(2);
  });
});

describe("lines of a focus", () => {
  it("are asked for by the side whose positions are in focus, between blocks where there are blocks", () => {
    const { store } = make({}, [2100, 3]);
    const content = store.content as NonNullable<typeof store.content>;
    const state = new Model(new FakeHost({}), new AbortController().signal).state;
    const axes = axesOf(content, state);
    expect(requestOf(content, state, axes, { query: [], key: [2] })).toMatchObject({
      focus: { side: "key", positions: [2] },
    });
    const blocked = { query: blocksOf(axes.query), key: blocksOf(axes.key) };
    expect(requestOf(content, state, blocked, { query: [2], key: [1] })).toMatchObject({
      blocks: [256, 3],
      focus: { side: "query", positions: [2] },
    });
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
    expect(host.sent).toHaveLength(1);
    want({ mass: 0.5 });
    expect(whole.failure).toBeUndefined();
    expect(host.sent).toHaveLength(2);
  });

  it("is a page without a kernel", async () => {
    const { whole, want } = make({ sends: false });
    want();
    await flush();
    expect(whole.failure).toBe("This part of the map is not stored in the page and needs a running kernel.");
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
    expect(whole.found).toBeUndefined();
  });
});
