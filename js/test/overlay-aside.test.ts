/** What the overlay sets aside, and patches by name, in lines and matrix. */
import { describe, expect, it } from "vitest";
import type { Selection } from "../src/lines/edges.ts";
import { axesOf, rowSelection, wholeSelection } from "../src/lines/picture.ts";
import { unitsOf } from "../src/lines/units.ts";
import { requestOf } from "../src/lines/whole.ts";
import { findUnit } from "../src/matrix/telling.ts";
import { Model, type State } from "../src/model.ts";
import { Store } from "../src/store.ts";
import { answerRows, attention, FakeHost, mapTraits, type WireAxis } from "./fakes.ts";

const STATE = new Model(new FakeHost(), new AbortController().signal).state;

describe("keys set aside", () => {
  const weights = attention(2, 6, 6);
  const shared = { queries: { labels: [..."abcdef"], special: [0] }, keys: null as unknown as WireAxis };
  const traits = mapTraits({ layers: [weights], ...shared });
  const [whole, rows] = [traits, { ...traits, _block: undefined }].map((values) => {
    const host = new FakeHost({ ...values });
    host.onSend = (request) => answerRows(host, request, weights);
    const { signal } = new AbortController();
    return new Store(new Model(host, signal), signal);
  }) as [Store, Store];
  const state: State = { ...STATE, special: "hide", aside: [3] };

  it("have no lines to them, and keep those of their own queries", () => {
    const { content } = whole;
    if (!content) throw new Error("no content");
    const axes = axesOf(content, state);
    expect(axes.key.labels).toBe(axes.query.labels);
    const { edges } = wholeSelection(whole, state, axes) as Selection;
    expect(new Set(edges.key)).toEqual(new Set([1, 2, 4, 5]));
    expect(new Set(edges.query)).toEqual(new Set([1, 2, 3, 4, 5]));
  });

  it("count as special where only rows are here", async () => {
    const { content } = rows;
    if (!content) throw new Error("no content");
    const axes = axesOf(content, state);
    rows.want(0, "query", 2, 3);
    await new Promise((done) => setTimeout(done));
    const found = rowSelection(rows, state, axes, { query: [2], key: [] });
    expect(new Set(found?.edges.key)).toEqual(new Set([1, 2, 4, 5]));
    const row = (head: number, key: number) => weights.values[(head * 6 + 2) * 6 + key] as number;
    expect(found?.special).toBeCloseTo((row(0, 0) + row(0, 3) + row(1, 0) + row(1, 3)) / 2, 5);
  });

  it("are told to the kernel where it draws the lines", () => {
    const content = whole.content as NonNullable<typeof whole.content>;
    expect(requestOf(content, state, axesOf(content, state))).toMatchObject({ aside: [3] });
    expect(requestOf(content, STATE, axesOf(content, STATE))).not.toHaveProperty("aside");
  });
});

describe("a label looked for", () => {
  const labels = Array.from({ length: 12 * 2 }, (_, at) => `row ${1 + (at >> 1)}, column ${1 + (at % 2)}`);
  const units = unitsOf({ labels, exact: new Map(), special: [], parts: [], words: null }, false);
  const from = (unit: number) => ({ side: "key", unit }) as const;
  const find = (text: string, unit: number) => findUnit({ query: units, key: units }, text, from(unit))?.unit;

  it("is found by its row, and by all of it", () => {
    expect(find("row 4", 0)).toBe(6);
    expect(find("row 4", 6)).toBe(7);
    expect(find("row 4", 7)).toBe(6);
    expect(find("Row 4, column 2", 0)).toBe(7);
    expect(find("row 13", 0)).toBeUndefined();
  });

  it("is not one that goes on with more digits", () => {
    expect(find("row 1", 8)).toBe(0);
    expect(find("row 1", 1)).toBe(0);
    expect(find("row 10", 0)).toBe(18);
  });
});
