import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { selectEdges } from "../../src/lines/edges.ts";
import { answerRows, attention, blockTrait, type FakeHost, mapTraits, pack, type Sent } from "../fakes.ts";
import {
  all,
  base,
  endAll,
  find,
  focused,
  frame,
  framesOf,
  inked,
  mount,
  overlay,
  pixels,
  pointAway,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(endAll);

const TOKENS = 512;
const HEADS = 12;
const weights = attention(HEADS, TOKENS, TOKENS, 3, 9);
/** As many rows as come unasked with a layer of this size. */
const FIRST = 42;
const STATE = { map: "attention", layer: 0, heads: [], pinned_queries: [], pinned_keys: [], whole: null };
const traits = (more: Record<string, unknown> = {}) => ({
  _content: mapTraits({ layers: [weights], keys: null })._content,
  _block: blockTrait({ layers: [weights], rows: [0, FIRST] }),
  ...STATE,
  ...more,
});

const ids = (root: HTMLElement, side: string) =>
  all(root, `[data-side="${side}"]`).map(({ dataset }) => Number(dataset.index));
const rowsAsked = (host: FakeHost) => host.sent.filter(({ kind }) => kind === "rows");
const loaded = (root: HTMLElement, name: string) =>
  until(
    () => new RegExp(`^${name} (attends to|is attended by) t\\d+ `).test(readout(root)),
    `the lines of ${name}`,
  );

/** Answers as the kernel does. */
function answering(host: FakeHost): void {
  host.onSend = (request) => {
    if (request.kind === "rows") answerRows(host, request, weights);
    if (request.kind === "edges") answerEdges(host, request);
  };
}

function answerEdges(host: FakeHost, request: Sent): void {
  const { edges, total, kept, missing } = selectEdges(weights, {
    combine: "each",
    direction: "attends_to",
    mass: 1,
    threshold: 0,
    top_k: 6,
    special: "show",
    scale: "absolute",
    kind: "weight",
    heads: request.heads as number[],
    full: 1,
    querySpecial: new Set(),
    keySpecial: new Set(),
    keyCount: TOKENS,
  });
  const { query, key, head, weight, strength } = edges;
  const fog = new Float32Array(HEADS * 8 * 8).fill(2);
  const arrays = {
    query: pack(query),
    key: pack(key),
    head: pack(head),
    weight: pack(weight),
    strength: pack(strength),
    fog: pack(fog, [HEADS, 8, 8]),
  };
  const { v, id, kind, hold, ...asked } = request;
  const fields = { total, kept, missing, special: 0, fog_heads: [...Array(HEADS).keys()] };
  host.fromPython({ _edges: { revision: 1, request: asked, ...fields, arrays } });
  host.reply(request, {}, { held: hold });
}

describe("512 tokens × 12 heads, of which the first rows are here", () => {
  it("opens with the hovered and pinned tokens only, ready without the kernel", async () => {
    const { root, host } = await ready(traits());
    expect(inked(base(root))).toBe(0);
    expect(readout(root)).toMatch(/^hover a token to see its lines/);
    expect(host.sent.filter(({ kind }) => kind === "edges")).toEqual([]);
    const whole = all(root, ".panel label").find(({ textContent }) => textContent?.includes("all lines"));
    expect(whole?.querySelector("input")?.checked).toBe(false);
    await userEvent.hover(token(root, "query", 3));
    await loaded(root, "t3");
    expect(inked(overlay(root))).toBeGreaterThan(100);
    expect(rowsAsked(host).some(({ side, start }) => side === "query" && Number(start) < FIRST)).toBe(false);
  });

  it("has elements for what is in sight only", async () => {
    const { root } = await ready(traits());
    expect(all(root, ".token").length).toBeLessThan(150);
    expect(ids(root, "query")).toEqual(ids(root, "key"));
    const scroller = find(root, ".scroller");
    scroller.scrollTop = 6000;
    await until(() => ids(root, "query").includes(250), "other tokens");
    expect(all(root, ".token").length).toBeLessThan(150);
    // The one that Tab reaches stays.
    expect(ids(root, "query")).toContain(0);
  });

  it("asks once for a row that is not here, with its neighbours, and shows it", async () => {
    const { root, host } = await ready(traits());
    find(root, ".scroller").scrollTop = 24 * 200;
    await until(() => ids(root, "query").includes(210), "other tokens");
    await userEvent.hover(token(root, "query", 210));
    await until(() => readout(root) === "t210 — loading …", "word of loading");
    const asked = rowsAsked(host).filter(
      ({ side, start, stop }) => side === "query" && Number(start) <= 210 && Number(stop) > 210,
    );
    expect(asked).toHaveLength(1);
    for (const request of rowsAsked(host)) answerRows(host, request, weights);
    await loaded(root, "t210");
    const before = rowsAsked(host).length;
    await userEvent.hover(token(root, "query", 211));
    await loaded(root, "t211");
    expect(rowsAsked(host).length - before).toBeLessThanOrEqual(1);
  });

  it("fetches what is in sight before it is hovered", async () => {
    const { root, host } = mount(traits());
    answering(host);
    await settled(root);
    await until(() => rowsAsked(host).some(({ side }) => side === "key"), "columns asked for");
    await frame();
    const before = host.sent.length;
    await userEvent.hover(token(root, "key", 5));
    await loaded(root, "t5");
    expect(host.sent.length).toBe(before);
  });

  it("shows the same numbers on both sides of a weight", async () => {
    const { root, host } = mount(traits({ heads: [4] }));
    answering(host);
    await settled(root);
    const number = (side: "query" | "key", index: number) =>
      find(token(root, side, index), ".number").textContent;
    const strongestKey = [
      ...weights.values.subarray((4 * TOKENS + 2) * TOKENS, (4 * TOKENS + 2) * TOKENS + 15),
    ];
    const key = strongestKey.indexOf(Math.max(...strongestKey));
    await userEvent.hover(token(root, "query", 2));
    await loaded(root, "t2");
    const fromQuery = number("key", key);
    await userEvent.hover(token(root, "key", key));
    await loaded(root, `t${key}`);
    expect(fromQuery).toMatch(/^0\.\d{3}$/);
    expect(number("query", 2)).toBe(fromQuery);
  });

  it("shows pins that Python sets, wherever they are", async () => {
    const { root, host } = mount(traits());
    answering(host);
    await settled(root);
    host.fromPython({ pinned_queries: [400], pinned_keys: [] });
    await until(() => ids(root, "query").includes(400), "the token in sight");
    await loaded(root, "t400");
    const box = token(root, "query", 400).getBoundingClientRect();
    const view = find(root, ".scroller").getBoundingClientRect();
    expect(box.top).toBeGreaterThanOrEqual(view.top);
    expect(box.bottom).toBeLessThanOrEqual(view.bottom);
  });

  it("goes to any token by the keyboard", async () => {
    const { root, host } = mount(traits());
    answering(host);
    await settled(root);
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    await userEvent.keyboard("{End}");
    expect(focused()?.dataset.index).toBe("511");
    await loaded(root, "t511");
    await userEvent.keyboard("{ArrowRight}{PageUp}");
    const index = Number(focused()?.dataset.index);
    expect(index).toBeGreaterThan(480);
    expect(index).toBeLessThan(511);
    expect(focused()?.dataset.side).toBe("key");
    await loaded(root, `t${index}`);
    await userEvent.keyboard("{Home}");
    expect(focused()?.dataset.index).toBe("0");
    expect(find(root, ".scroller").scrollTop).toBeLessThanOrEqual(4);
  });

  it("says what lies out of sight, and goes there", async () => {
    const { root, host } = mount(traits({ heads: [0] }));
    answering(host);
    await settled(root);
    await userEvent.click(token(root, "query", 0));
    await pointAway();
    await loaded(root, "t0");
    const mark = await until(() => all(root, ".beyond").find((element) => !element.hidden), "a mark");
    expect(mark.textContent).toMatch(/^↓ t\d+ 0\.\d{3}/);
    const index = Number(/t(\d+)/.exec(mark.textContent ?? "")?.[1]);
    await userEvent.click(mark);
    await until(() => ids(root, "key").includes(index), "the token");
  });

  it("draws all lines when asked to, from lines and fog of the kernel", async () => {
    const { root, host } = mount(traits());
    answering(host);
    await settled(root);
    host.fromPython({ whole: true });
    await until(() => inked(base(root)) > 10_000, "the lines");
    await settled(root);
    expect(host.sent.filter(({ kind }) => kind === "edges")).toHaveLength(1);
    expect(base(root).getAttribute("aria-label")).toMatch(/^36864 attention lines/);
    const [still, frames] = [pixels(base(root)), framesOf(root)];
    await userEvent.hover(token(root, "query", 4));
    await loaded(root, "t4");
    expect(pixels(base(root))).toBe(still);
    expect(framesOf(root)).toBe(frames);
    const scroller = find(root, ".scroller");
    scroller.scrollTop = 4000;
    await until(() => framesOf(root) > frames, "the lines further down");
    await settled(root);
    expect(inked(base(root))).toBeGreaterThan(10_000);
    expect(host.sent.filter(({ kind }) => kind === "edges")).toHaveLength(1);
  });

  it("says where rows need a kernel that is not there, and rests", async () => {
    const { root } = await ready(traits(), { kind: { sends: false } });
    await userEvent.hover(token(root, "query", 3));
    await loaded(root, "t3");
    await userEvent.hover(token(root, "key", 3));
    const words = "t3 — These weights are not stored in the page and need a running kernel.";
    await until(() => readout(root) === words, words);
    await userEvent.hover(token(root, "query", 4));
    await loaded(root, "t4");
    await userEvent.hover(token(root, "key", 3));
    await until(() => readout(root) === words, words);
    let changes = 0;
    const observer = new MutationObserver((records) => {
      changes += records.length;
    });
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    for (let i = 0; i < 40; i++) await frame();
    observer.disconnect();
    expect(changes).toBeLessThan(10);
  });

  it("says so where all lines need it", async () => {
    const { root } = await ready(traits({ whole: true }), { kind: { sends: false } });
    expect(find(root, ".message").textContent).toMatch("needs a running kernel");
    expect(find(root, ".message").hidden).toBe(false);
    await userEvent.hover(token(root, "query", 3));
    await loaded(root, "t3");
  });
});
