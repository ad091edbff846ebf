import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Model } from "../src/model.ts";
import { MESSAGE_BYTES } from "../src/protocol.ts";
import { runs, Store } from "../src/store.ts";
import {
  answerRows,
  attention,
  blockTrait,
  FakeHost,
  type HostKind,
  mapTraits,
  rowsOf,
  type Sent,
  tokens,
} from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function make(traits: Record<string, unknown> = {}, kind: HostKind = {}, memory?: number) {
  const host = new FakeHost(traits, kind);
  const controller = new AbortController();
  const store = new Store(new Model(host, controller.signal), controller.signal, memory);
  const heard = vi.fn();
  store.subscribe(heard, controller.signal);
  return { host, store, heard, end: () => controller.abort() };
}

/** A map of which nothing but the first rows is here. */
function partly(heads = 2, queries = 40, keys = 30, here: [number, number] = [0, 4], kind: HostKind = {}) {
  const weights = attention(heads, queries, keys);
  const { _content } = mapTraits({ layers: [weights] });
  return { weights, ...make({ _content, _block: blockTrait({ layers: [weights], rows: here }) }, kind) };
}

const flush = () => vi.advanceTimersByTimeAsync(0);
const asked = ({ sent }: FakeHost): [unknown, unknown, unknown][] =>
  sent.map(({ side, start, stop }) => [side, start, stop]);

describe("a map sent whole", () => {
  const layers = [attention(2, 3, 4, 1), attention(2, 3, 4, 2)];
  const first = layers[0] as (typeof layers)[0];

  it("has every layer, and how strong is full", () => {
    const { store } = make(mapTraits({ layers, kind: "score" }));
    expect(store.content).toMatchObject({ layers: 2, heads: 2, kind: "score", name: "attention" });
    expect(store.layer(0)).toEqual(layers[0]);
    expect(store.layer(1)).toEqual(layers[1]);
    expect(store.layer(2)).toBeUndefined();
    expect(store.full(1)).toBe(1);
    expect(store.failure).toBeUndefined();
  });

  it("has rows and columns in the order asked for", () => {
    const { store } = make(mapTraits({ layers }));
    const at = (h: number, q: number, k: number) => first.values[(h * 3 + q) * 4 + k];
    expect(store.rows(0, "query", [2, 0])?.values).toEqual(
      Float32Array.from(
        [0, 1].flatMap((h) => [2, 0].flatMap((q) => [0, 1, 2, 3].map((k) => at(h, q, k) ?? -1))),
      ),
    );
    expect(store.rows(0, "key", [3, 1])?.values).toEqual(
      Float32Array.from(
        [0, 1].flatMap((h) => [0, 1, 2].flatMap((q) => [3, 1].map((k) => at(h, q, k) ?? -1))),
      ),
    );
    expect(store.rows(0, "key", [3, 1])).toMatchObject({ heads: 2, queries: 3, keys: 2 });
  });

  it("asks for nothing", async () => {
    const { host, store } = make(mapTraits({ layers }));
    store.want(0, "query", 0, 3);
    store.want(1, "key", 0, 4);
    await flush();
    expect(host.sent).toEqual([]);
  });
});

describe("traits that come one after the other", () => {
  const weights = attention(2, 3, 3);
  const { _content, _block } = mapTraits({ layers: [weights], keys: null });

  it("wait for each other: block first", () => {
    const { host, store, heard } = make();
    host.fromPython({ _block });
    expect(store.content).toBeUndefined();
    expect(store.layer(0)).toBeUndefined();
    host.fromPython({ _content });
    expect(store.layer(0)).toEqual(weights);
    expect(heard).toHaveBeenCalledTimes(2);
  });

  it("wait for each other: content first", () => {
    const { host, store } = make();
    host.fromPython({ _content });
    expect(store.content?.revision).toBe(1);
    expect(store.content?.keys).toBe(store.content?.queries);
    expect(store.layer(0)).toBeUndefined();
    host.fromPython({ _block });
    expect(store.layer(0)).toEqual(weights);
  });

  it("of another revision are not mixed", () => {
    const { host, store } = make({ _content, _block });
    const next = attention(2, 3, 3, 7);
    host.fromPython({ _block: blockTrait({ revision: 2, layers: [next] }) });
    expect(store.layer(0)).toEqual(weights);
    host.fromPython({ _content: mapTraits({ revision: 2, layers: [next] })._content });
    expect(store.layer(0)).toEqual(next);
  });

  it("of a new revision make all else forgotten", () => {
    const { host, store } = make({ _content, _block });
    const layers = [attention(1, 2, 2)];
    host.fromPython({ _content: mapTraits({ revision: 2, layers })._content });
    expect(store.layer(0)).toBeUndefined();
    expect(store.rows(0, "query", [0])).toBeUndefined();
    expect(store.content?.heads).toBe(1);
  });

  it("keep the layers seen before", () => {
    const other = attention(2, 3, 3, 5);
    const content = mapTraits({ layers: [weights, other] })._content;
    const { host, store } = make({ _content: content, _block: blockTrait({ layers: [weights] }) });
    host.fromPython({ _block: blockTrait({ first: 1, layers: [other] }) });
    expect(store.layer(0)).toEqual(weights);
    expect(store.layer(1)).toEqual(other);
  });
});

describe("what can't be shown", () => {
  it("is a kernel of another version", () => {
    const { host, store, heard } = make(mapTraits({ v: 2 }));
    expect(store.content).toBeUndefined();
    expect(store.failure).toMatch(/version 1 .* version 2/);
    host.fromPython(mapTraits());
    expect(store.failure).toBeUndefined();
    expect(store.content).toBeDefined();
    expect(heard).toHaveBeenCalled();
  });

  it("is a block that can't be read, until another comes", () => {
    const traits = mapTraits();
    const broken = {
      ...(traits._block as object),
      weights: { dtype: "f4", shape: [1, 2, 4, 4], data: "blob:x" },
    };
    const { host, store } = make({ ...traits, _block: broken });
    expect(store.failure).toMatch("got string");
    host.fromPython({ height: 300, _content: traits._content });
    expect(store.failure).toMatch("got string");
    host.fromPython({ _block: traits._block });
    expect(store.failure).toBeUndefined();
    expect(store.layer(0)).toBeDefined();
  });

  it("is nothing yet", () => {
    const { store } = make();
    expect(store.content).toBeUndefined();
    expect(store.failure).toBeUndefined();
    expect(store.rows(0, "query", [0])).toBeUndefined();
    expect(() => store.want(0, "query", 0, 4)).not.toThrow();
    expect(make({ _content: {}, _block: {} }).store.content).toBeUndefined();
  });

  it("is no map without positions: those have nothing to show, and don't fail", () => {
    const nothing = { heads: 2, queries: 0, keys: 0, values: new Float32Array(0) };
    const { store } = make(mapTraits({ layers: [nothing] }));
    expect(store.failure).toBeUndefined();
    expect(store.layer(0)).toEqual(nothing);
  });
});

describe("rows that are here", () => {
  it("are those of the block", () => {
    const { store, weights } = partly();
    expect(store.layer(0)).toBeUndefined();
    expect(store.rows(0, "query", [3])?.values).toEqual(rowsOf(weights, "query", 3, 4));
    expect(store.rows(0, "query", [3, 4])).toBeUndefined();
    expect(store.rows(0, "key", [0])).toBeUndefined();
  });
});

describe("rows that are not here", () => {
  it("are asked for once, without those that are here, and kept", async () => {
    const { host, store, weights, heard } = partly();
    store.want(0, "query", 2, 9);
    store.want(0, "query", 6, 12);
    expect(asked(host)).toEqual([
      ["query", 4, 9],
      ["query", 9, 12],
    ]);
    for (const request of host.sent) answerRows(host, request, weights);
    await flush();
    expect(heard).toHaveBeenCalledTimes(2);
    expect(store.rows(0, "query", [11, 4])?.values).toEqual(
      Float32Array.from([0, 1].flatMap((h) => [11, 4].flatMap((q) => [...rowOf(weights, h, q)]))),
    );
    store.want(0, "query", 0, 12);
    expect(host.sent).toHaveLength(2);
  });

  it("are columns where keys are asked for", async () => {
    const { host, store, weights } = partly();
    store.want(0, "key", 28, 99);
    expect(asked(host)).toEqual([["key", 28, 30]]);
    answerRows(host, host.sent[0] as Sent, weights);
    await flush();
    expect(store.rows(0, "key", [29, 28])?.values).toEqual(
      Float32Array.from(
        [0, 1].flatMap((h) =>
          Array.from({ length: 40 }, (_, q) =>
            [29, 28].map((k) => weights.values[(h * 40 + q) * 30 + k] ?? -1),
          ).flat(),
        ),
      ),
    );
  });

  it("never go beyond the map", () => {
    const { host, store } = partly(1, 6, 6, [0, 0]);
    store.want(0, "query", -12, 3);
    store.want(0, "query", 5, 50);
    store.want(0, "query", 9, 7);
    expect(asked(host)).toEqual([
      ["query", 0, 3],
      ["query", 5, 6],
    ]);
  });

  it("come in messages that hosts let through", () => {
    const keys = 2_000;
    const { _content } = mapTraits({
      layers: [{ heads: 12, queries: 300, keys, values: new Float32Array(0) }],
      queries: tokens(300),
      keys: tokens(keys),
    });
    const { host, store } = make({ _content });
    store.want(0, "query", 0, 300);
    const counts = host.sent.map(({ start, stop }) => Number(stop) - Number(start));
    expect(counts.reduce((sum, count) => sum + count)).toBe(300);
    for (const count of counts) expect(count * 12 * keys * 4).toBeLessThanOrEqual(MESSAGE_BYTES);
    expect(counts).toHaveLength(8);
  });

  it("of another layer are others", async () => {
    const { host, store, weights } = partly();
    store.want(0, "query", 10, 11);
    answerRows(host, host.sent[0] as Sent, weights);
    await flush();
    expect(store.rows(1, "query", [10])).toBeUndefined();
    store.want(1, "query", 10, 11);
    expect(host.sent[1]).toMatchObject({ layer: 1, start: 10, stop: 11 });
  });

  it("of a map that has changed meanwhile are dropped, and asked for anew", async () => {
    const { host, store, weights } = partly();
    store.want(0, "query", 10, 11);
    host.fromPython({ _content: mapTraits({ revision: 2, layers: [weights] })._content });
    store.want(0, "query", 10, 11);
    expect(host.sent).toHaveLength(2);
    answerRows(host, host.sent[0] as Sent, weights, 1);
    await flush();
    expect(store.rows(0, "query", [10])).toBeUndefined();
    store.want(0, "query", 10, 11);
    expect(host.sent).toHaveLength(2);
    answerRows(host, host.sent[1] as Sent, weights, 2);
    await flush();
    expect(store.rows(0, "query", [10])?.values).toEqual(rowsOf(weights, "query", 10, 11));
  });

  it("of a map whose change has not been announced yet are not taken for its own", async () => {
    const { host, store, weights } = partly();
    store.want(0, "query", 10, 11);
    answerRows(host, host.sent[0] as Sent, weights, 2);
    await flush();
    expect(store.rows(0, "query", [10])).toBeUndefined();
    expect(store.refusal(0, "query", [10])).toMatch("has changed");
    host.fromPython({ _content: mapTraits({ revision: 2, layers: [weights] })._content });
    expect(store.refusal(0, "query", [10])).toBeUndefined();
  });

  it("of another shape are refused", async () => {
    const { host, store } = partly();
    store.want(0, "query", 10, 11);
    answerRows(host, host.sent[0] as Sent, attention(1, 40, 30));
    await flush();
    expect(store.refusal(0, "query", [10])).toBe("rows must have the shape (2, 1, 30); got (1, 1, 30)");
  });
});

describe("without a kernel", () => {
  it("says so of the rows that are wanted, and of no others", async () => {
    const { store, heard } = partly(2, 40, 30, [0, 4], { sends: false });
    expect(store.refusal(0, "query", [20])).toBeUndefined();
    store.want(0, "query", 20, 21);
    expect(store.refusal(0, "query", [20])).toBeUndefined();
    await flush();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(store.refusal(0, "query", [20])).toBe(
      "These weights are not stored in the page and need a running kernel.",
    );
    expect(store.refusal(0, "query", [3])).toBeUndefined();
    expect(store.refusal(0, "key", [20])).toBeUndefined();
    expect(store.failure).toBeUndefined();
  });

  it("does not spin when every picture asks again", async () => {
    const { store, heard } = partly(2, 40, 30, [0, 4], { sends: false });
    heard.mockImplementation(() => store.want(0, "query", 20, 21));
    store.want(0, "query", 20, 21);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it("waits for a dead one, and asks again when asked again later", async () => {
    const { host, store, weights } = partly();
    store.want(0, "query", 20, 21);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(store.refusal(0, "query", [20])).toMatch("need a running kernel");
    store.want(0, "query", 20, 21);
    expect(host.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5_000);
    store.want(0, "query", 20, 21);
    expect(host.sent).toHaveLength(2);
    expect(store.refusal(0, "query", [20])).toBeUndefined();
    answerRows(host, host.sent[1] as Sent, weights);
    await flush();
    expect(store.refusal(0, "query", [20])).toBeUndefined();
    expect(store.rows(0, "query", [20])).toBeDefined();
  });

  it("says what the kernel says", async () => {
    const { host, store } = partly();
    store.want(0, "query", 20, 21);
    host.deliver({ id: host.sent[0]?.id, ok: false, error: "ValueError: rows must fit" });
    await flush();
    expect(store.refusal(0, "query", [20])).toBe("ValueError: rows must fit");
  });
});

describe("memory", () => {
  const ROW = 2 * 30 * 4;

  it("forgets the rows used longest ago", async () => {
    const weights = attention(2, 40, 30);
    const { _content } = mapTraits({ layers: [weights] });
    const { host, store } = make({ _content }, {}, 3 * ROW);
    const fetch = async (position: number) => {
      store.want(0, "query", position, position + 1);
      const request = host.sent.at(-1) as Sent;
      answerRows(host, request, weights);
      await flush();
    };
    const here = () => [0, 1, 2, 3, 4].filter((q) => store.rows(0, "query", [q]));
    await fetch(0);
    await fetch(1);
    await fetch(2);
    expect(here()).toEqual([0, 1, 2]);
    store.rows(0, "query", [0]);
    await fetch(3);
    expect(here()).toEqual([0, 2, 3]);
    await fetch(4);
    expect(here()).toEqual([2, 3, 4]);
    await fetch(1);
    expect(here()).toEqual([1, 3, 4]);
  });

  it("forgets the layers used longest ago, never the one that came last", () => {
    const layers = [1, 2, 3].map((seed) => attention(1, 4, 4, seed)) as ReturnType<typeof attention>[];
    const { _content } = mapTraits({ layers });
    const { host, store } = make({ _content }, {}, 2 * 4 * 16);
    layers.forEach((layer, first) => {
      host.fromPython({ _block: blockTrait({ first, layers: [layer] }) });
      if (first === 1) store.layer(0);
    });
    expect(store.layer(1)).toBeUndefined();
    expect(store.layer(0)).toEqual(layers[0]);
    expect(store.layer(2)).toEqual(layers[2]);
  });

  it("holds one layer larger than itself", () => {
    const layers = [attention(1, 9, 9)];
    const { store } = make(mapTraits({ layers }), {}, 16);
    expect(store.layer(0)).toEqual(layers[0]);
  });

  it("takes a layer that comes again", () => {
    const layers = [attention(1, 4, 4, 1), attention(1, 4, 4, 2)];
    const { host, store } = make({ _content: mapTraits({ layers })._content }, {}, 4 * 16);
    const block = (first: number) => ({
      _block: blockTrait({ first, layers: [layers[first] as (typeof layers)[0]] }),
    });
    for (const first of [0, 1, 0]) host.fromPython(block(first));
    expect(store.layer(0)).toEqual(layers[0]);
    expect(store.layer(1)).toBeUndefined();
  });
});

it("hears nothing once it has ended", async () => {
  const { host, store, heard, end, weights } = partly();
  store.want(0, "query", 20, 21);
  end();
  expect(host.listening).toBe(0);
  answerRows(host, host.sent[0] as Sent, weights);
  host.fromPython(mapTraits({ revision: 5 }));
  await vi.runAllTimersAsync();
  expect(heard).not.toHaveBeenCalled();
  expect(store.content?.revision).toBe(1);
});

describe("runs", () => {
  it("joins what is consecutive, up to a length", () => {
    expect(runs([], 3)).toEqual([]);
    expect(runs([4], 1)).toEqual([[4, 5]]);
    expect(runs([0, 1, 2, 5, 6, 9], 9)).toEqual([
      [0, 3],
      [5, 7],
      [9, 10],
    ]);
    expect(runs([0, 1, 2, 3, 4], 2)).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
  });
});

function rowOf({ queries, keys, values }: ReturnType<typeof attention>, head: number, query: number) {
  return values.subarray((head * queries + query) * keys, (head * queries + query + 1) * keys);
}
