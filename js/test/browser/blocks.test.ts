import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, type FakeHost, mapTraits, pack, type Sent } from "../fakes.ts";
import { all, base, endAll, find, inked, mount, readout, settled, token, until } from "./mounted.ts";

afterEach(endAll);

const TOKENS = 4096;
const labels = Array.from({ length: TOKENS }, (_, i) => `t${i}`);
const traits = (more: Record<string, unknown> = {}) => {
  const { _content } = mapTraits({ layers: [attention(1, 2, 2)], keys: null });
  const axis = { ...(_content as { queries: object }).queries, labels };
  return {
    _content: { ...(_content as object), queries: axis, keys: null },
    map: "attention",
    layer: 0,
    heads: [],
    pinned_queries: [],
    pinned_keys: [],
    whole: null,
    ...more,
  };
};

/** Answers with a line from every block to the one before it, or with those of a focus. */
function answering(host: FakeHost): void {
  host.onSend = (request) => {
    if (request.kind === "edges") answer(host, request);
  };
}

function answer(host: FakeHost, request: Sent): void {
  const [queries = 0] = (request.blocks as number[] | undefined) ?? [];
  const { side, positions } = (request.focus as { side: string; positions: number[] } | undefined) ?? {};
  const all = Array.from({ length: queries - 1 }, (_, i) => [i + 1, i] as const);
  const lines = all.filter(([q, k]) => !positions || positions.includes(side === "query" ? q : k));
  const arrays = {
    query: pack(Uint32Array.from(lines, ([q]) => q)),
    key: pack(Uint32Array.from(lines, ([, k]) => k)),
    head: pack(new Uint16Array(lines.length)),
    weight: pack(new Float32Array(lines.length).fill(0.5)),
    strength: pack(new Float32Array(lines.length).fill(0.5)),
    fog: pack(new Float32Array(4).fill(8), [1, 2, 2]),
  };
  const fields = {
    total: 256,
    kept: 128,
    missing: 0,
    special: 0,
    fog_heads: [0],
    exact: false,
    how: "from 512 of 4096 queries",
  };
  const { v, id, kind, hold, ...asked } = request;
  if (!hold) {
    host.reply(request, arrays, fields);
    return;
  }
  host.fromPython({ _edges: { revision: 1, request: asked, ...fields, arrays } });
  host.reply(request, {}, { held: true });
}

describe("all lines of 4,096 tokens", () => {
  it("run between blocks of them, with words to say so", async () => {
    const { root, host } = mount(traits());
    answering(host);
    await settled(root);
    expect(token(root, "query", 5).textContent).toBe("t5");
    host.fromPython({ whole: true });
    await until(() => inked(base(root)) > 1000, "the lines");
    await settled(root);
    expect(host.sent.find(({ kind }) => kind === "edges")).toMatchObject({ blocks: [256, 256], hold: true });
    expect(token(root, "query", 32).textContent).toBe("32–47");
    expect(all(root, ".token").length).toBeLessThan(150);
    expect(find(root, ".legend").textContent).toContain("blocks of 16 tokens, from 512 of 4096 queries");
    await userEvent.hover(token(root, "query", 32));
    await until(() => readout(root).includes("attends to"), "the lines of a block");
    expect(readout(root)).toBe("32–47 attends to 16–31 0.5 (blocks of 16 tokens)");
    expect(host.sent.at(-1)).toMatchObject({ focus: { side: "query", positions: [2] }, blocks: [256, 256] });
    await userEvent.click(token(root, "query", 32));
    expect(host.values.pinned_queries).toEqual(Array.from({ length: 16 }, (_, i) => 32 + i));
    host.fromPython({ whole: false });
    await until(() => all(root, ".token").some(({ textContent }) => textContent === "t5"), "tokens");
  });
});

describe("all lines of fewer tokens", () => {
  it("run between blocks where so many heads have more weights than the kernel goes through", async () => {
    const { _content, ...state } = traits({ whole: true });
    const shorter = { ..._content.queries, labels: labels.slice(0, 2000) };
    const { host } = mount({
      ...state,
      _content: { ..._content, queries: shorter, shape: [1, 12, 2000, 2000] },
    });
    const blocks = () => host.sent.filter(({ kind }) => kind === "edges").map((request) => request.blocks);
    await until(() => blocks().length > 0, "the request");
    expect(blocks()).toEqual([[256, 256]]);
    answer(host, host.sent.find(({ kind }) => kind === "edges") as Sent);
    // 8 heads of 2,000 × 2,000 are within the limit: token by token.
    host.fromPython({ heads: [0, 1, 2, 3, 4, 5, 6, 7] });
    await until(() => blocks().length > 1, "the other request");
    expect(blocks().at(-1)).toBeUndefined();
  });
});
