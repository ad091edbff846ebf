import { describe, expect, it } from "vitest";
import { riseAlong } from "../src/lines/curve.ts";
import { nextPins } from "../src/lines/gestures.ts";
import { lineAt } from "../src/lines/hit.ts";
import {
  axesOf,
  type Focus,
  focusEdges,
  jointsOf,
  pinnedFocus,
  rowSelection,
  rowSums,
  shownHeads,
  unknowable,
  wholeSelection,
} from "../src/lines/picture.ts";
import type { Edges, Geometry } from "../src/lines/scene.ts";
import { tokensOf, type Units, unitOf, unitsOf } from "../src/lines/units.ts";
import { Model, type State } from "../src/model.ts";
import { type Side, Store, type Weights } from "../src/store.ts";
import { answerRows, attention, FakeHost, mapTraits, random, type WireAxis } from "./fakes.ts";

const QUERIES = 9;
const KEYS = 7;
const words = (starts: number[], special: number[] = []) => ({
  starts,
  labels: starts.map((start) => `w${start}`),
  special,
});
const AXES: { queries: WireAxis; keys: WireAxis } = {
  queries: {
    labels: [..."abcdefghi"],
    special: [0, 8],
    words: words([0, 1, 4, 5, 8], [0, 4]),
  },
  keys: { labels: [..."ABCDEFG"], special: [0], words: words([0, 1, 2, 5], [0]) },
};

/** A map that is here whole, and the same map of which nothing is here but can be asked for. */
function pair(weights: Weights, axes = AXES) {
  const traits = mapTraits({ layers: [weights], ...axes });
  const hostOf = (values: object) => new FakeHost({ ...values });
  const [here, away] = [hostOf(traits), hostOf({ ...traits, _block: undefined })];
  away.onSend = (request) => answerRows(away, request, weights);
  const stores = [here, away].map((host) => {
    const { signal } = new AbortController();
    return new Store(new Model(host, signal), signal);
  }) as [Store, Store];
  return { whole: stores[0], rows: stores[1] };
}

const STATE = new Model(new FakeHost(), new AbortController().signal).state;

const sorted = (edges: Edges): string[] =>
  Array.from(
    { length: edges.count },
    (_, i) =>
      `${edges.head[i]} ${edges.query[i]} ${edges.key[i]} ${edges.weight[i]} ${edges.strength[i]} ${edges.mark[i]}`,
  ).sort();

async function fetched(store: Store, side: Side, positions: readonly number[]): Promise<void> {
  for (const position of positions) store.want(0, side, position, position + 1);
  await new Promise((resolve) => setTimeout(resolve));
}

/** Filters under which the rows of a side are all there is to know. */
function states(side: Side): Partial<State>[] {
  const found: Partial<State>[] = [];
  const direction = side === "query" ? "attends_to" : "attended_by";
  const specials =
    side === "query" ? (["show", "hide", "renormalise"] as const) : (["show", "hide"] as const);
  for (const combine of ["each", "mean", "max"] as const) {
    for (const special of specials) {
      for (const merged of [false, true]) {
        for (const [mass, threshold, top_k] of [
          [1, 0, null],
          [0.6, 0, null],
          [1, 0.1, 2],
          [0.9, 0.05, 3],
        ] as const) {
          for (const heads of [[], [2, 0]]) {
            found.push({
              combine,
              special,
              words: merged,
              mass,
              threshold,
              top_k,
              heads,
              direction,
              scale: "row",
            });
          }
        }
      }
    }
  }
  return found;
}

describe.each(["query", "key"] as const)("lines from the rows of a %s", (side) => {
  const weights = attention(3, QUERIES, KEYS, 5);
  weights.values[17] = NaN;
  weights.values[33] = -0.25;
  weights.values[50] = Infinity;

  it("are those of the whole layer", async () => {
    const { whole, rows } = pair(weights);
    const content = whole.content as NonNullable<typeof whole.content>;
    await fetched(
      rows,
      side,
      Array.from({ length: side === "query" ? QUERIES : KEYS }, (_, i) => i),
    );
    const next = random(4);
    for (const change of states(side)) {
      const state = { ...STATE, ...change };
      const axes = axesOf(content, state);
      const all = wholeSelection(whole, state, axes);
      const other = side === "query" ? "key" : "query";
      const some = (units: Units, count: number) => [
        ...new Set(Array.from({ length: count }, () => Math.floor(units.count * next()))),
      ];
      for (const count of [1, 3]) {
        for (const between of [0, 2]) {
          // Pins on both sides are read from the rows of the queries.
          if (side === "key" && between > 0) continue;
          const focus = {
            [side]: some(axes[side], count),
            [other]: some(axes[other], between),
          } as unknown as Focus;
          const expected = focusEdges((all as NonNullable<typeof all>).edges, focus);
          const found = rowSelection(rows, state, axes, focus);
          expect(sorted((found as NonNullable<typeof found>).edges), JSON.stringify([change, focus])).toEqual(
            sorted(expected),
          );
        }
      }
    }
  });

  it("are not known before the rows are here", () => {
    const { rows } = pair(weights);
    const axes = axesOf(rows.content as NonNullable<typeof rows.content>, STATE);
    expect(rowSelection(rows, STATE, axes, { query: [], key: [], [side]: [2] })).toBeUndefined();
  });
});

describe("renormalised weights of a key", () => {
  const { whole, rows } = pair(attention(2, QUERIES, KEYS));
  const axes = axesOf(whole.content as NonNullable<typeof whole.content>, STATE);
  const state: State = { ...STATE, special: "renormalise" };

  it("can't be known from its column, and are not made up", async () => {
    await fetched(rows, "key", [3]);
    const focus = { query: [], key: [3] };
    expect(rowSelection(rows, STATE, axes, focus)).toBeDefined();
    expect(rowSelection(rows, state, axes, focus)).toBeUndefined();
    expect(unknowable(state, axes, focus)).toMatch("need the whole row");
    expect(unknowable(state, axes, { query: [1], key: [3] })).toBeUndefined();
    expect(unknowable(STATE, axes, focus)).toBeUndefined();
  });

  it("are what they were where nothing is special", () => {
    const plain = { query: { ...axes.query, special: [] }, key: { ...axes.key, special: [] } };
    expect(unknowable(state, plain, { query: [], key: [3] })).toBeUndefined();
  });
});

describe("filters across the rows at hand", () => {
  const { rows } = pair(attention(2, QUERIES, KEYS));
  const axes = axesOf(rows.content as NonNullable<typeof rows.content>, STATE);
  const key = { query: [], key: [3] };
  const query = { query: [1], key: [] };

  it.each([{ mass: 0.6 }, { top_k: 2 }, { scale: "row" }] as Partial<State>[])(
    "%o are not made up",
    async (change) => {
      await fetched(rows, "key", [3]);
      await fetched(rows, "query", [1]);
      const state = { ...STATE, ...change };
      expect(rowSelection(rows, STATE, axes, key)).toBeDefined();
      expect(rowSelection(rows, state, axes, key)).toBeUndefined();
      expect(unknowable(state, axes, key)).toMatch("hover a query");
      expect(rowSelection(rows, state, axes, query)).toBeDefined();
      const across: State = { ...state, direction: "attended_by" };
      expect(rowSelection(rows, across, axes, query)).toBeUndefined();
      expect(unknowable(across, axes, query)).toMatch("hover a key");
      expect(rowSelection(rows, across, axes, key)).toBeDefined();
    },
  );
});

describe("focusEdges", () => {
  it("finds the lines a search finds, in their order", () => {
    const { whole } = pair(attention(3, QUERIES, KEYS, 8));
    const axes = axesOf(whole.content as NonNullable<typeof whole.content>, STATE);
    const { edges } = wholeSelection(whole, { ...STATE, mass: 0.7 }, axes) as { edges: Edges };
    for (const focus of [
      { query: [4], key: [] },
      { query: [], key: [6] },
      { query: [7, 1, 7], key: [] },
      { query: [2, 3], key: [0, 5] },
      { query: [], key: [3, 2, 1, 0] },
      { query: [99], key: [] },
    ]) {
      const expected = Array.from({ length: edges.count }, (_, i) => i).filter(
        (i) =>
          (focus.query.length === 0 || focus.query.includes(edges.query[i] as number)) &&
          (focus.key.length === 0 || focus.key.includes(edges.key[i] as number)),
      );
      const found = focusEdges(edges, focus);
      expect([...found.weight]).toEqual(expected.map((i) => edges.weight[i]));
      expect([...found.query]).toEqual(expected.map((i) => edges.query[i]));
      expect([...found.head]).toEqual(expected.map((i) => edges.head[i]));
    }
  });
});

describe("jointsOf", () => {
  it("is at the other end, or at both", () => {
    const { whole } = pair(attention(1, QUERIES, KEYS));
    const axes = axesOf(whole.content as NonNullable<typeof whole.content>, STATE);
    const { edges } = wholeSelection(whole, STATE, axes) as { edges: Edges };
    const joints = (query: number[], key: number[]) =>
      jointsOf(focusEdges(edges, { query, key }), { query, key }, axes);
    expect(joints([1], []).key?.weights).toHaveLength(KEYS);
    expect(joints([1], []).query).toBeUndefined();
    expect(joints([], [1]).query?.weights).toHaveLength(QUERIES);
    expect(Object.keys(joints([1], [2])).sort()).toEqual(["key", "query"]);
    expect(joints([], [])).toEqual({});
  });
});

describe("what is shown", () => {
  const content = pair(attention(3, QUERIES, KEYS)).whole.content as NonNullable<Store["content"]>;

  it("is all heads, some in their order, or none", () => {
    expect(shownHeads(content, { ...STATE, heads: [] })).toEqual([0, 1, 2]);
    expect(shownHeads(content, { ...STATE, heads: [2, 0] })).toEqual([0, 2]);
    expect(shownHeads(content, { ...STATE, heads: null })).toEqual([]);
  });

  it("has pins as positions of words, each once, without those the map lacks", () => {
    const pins = { ...STATE, pinned_queries: [2, 3, 7, 99], pinned_keys: [6, 7] };
    expect(pinnedFocus(pins, axesOf(content, pins))).toEqual({ query: [2, 3, 7], key: [6] });
    const merged = { ...pins, words: true };
    expect(pinnedFocus(merged, axesOf(content, merged))).toEqual({ query: [1, 3], key: [3] });
    const none: Units = { count: 0, labels: [], special: [], starts: Uint32Array.of(0) };
    expect(pinnedFocus(pins, { query: none, key: none })).toEqual({ query: [], key: [] });
  });

  it("has one axis where queries and keys are the same", () => {
    const { whole } = pair(attention(1, 4, 4), { queries: { labels: [..."abcd"] }, keys: null as never });
    const axes = axesOf(whole.content as NonNullable<typeof whole.content>, STATE);
    expect(axes.query).toBe(axes.key);
  });

  it("sums rows over the heads shown", () => {
    const weights: Weights = {
      heads: 2,
      queries: 2,
      keys: 2,
      values: Float32Array.of(0.5, 0.5, 0.25, 0.5, 0, 0, NaN, 1),
    };
    const two = { ...content, heads: 2 };
    expect(rowSums(weights, two, STATE)).toEqual([0, 1]);
    expect(rowSums(weights, two, { ...STATE, heads: [0] })).toEqual([0.75, 1]);
    expect(rowSums(weights, two, { ...STATE, heads: null })).toBeNull();
  });
});

describe("units", () => {
  const axis = {
    labels: [..."abcdefgh"],
    exact: new Map(),
    special: [0],
    parts: [],
    words: words([0, 2, 3, 7]),
  };

  it("are tokens, or words of them", () => {
    const plain = unitsOf(axis, false);
    expect(plain).toMatchObject({ count: 8, labels: axis.labels });
    const merged = unitsOf(axis, true);
    expect(merged.labels).toEqual(["w0", "w2", "w3", "w7"]);
    expect(tokensOf(merged, 0)).toEqual([0, 1]);
    expect(tokensOf(merged, 2)).toEqual([3, 4, 5, 6]);
    expect(tokensOf(merged, 3)).toEqual([7]);
    expect(unitsOf({ ...axis, words: null }, true).count).toBe(8);
  });

  it("set aside are special, and words all of whose tokens are", () => {
    expect(unitsOf(axis, false, [5, 2]).special).toEqual([0, 2, 5]);
    expect(unitsOf({ ...axis, words: null }, true, [1]).special).toEqual([0, 1]);
    // Words: 0–1, 2, 3–6, 7; the first token is special itself.
    expect(unitsOf(axis, true, [2, 4]).special).toEqual([1]);
    expect(unitsOf(axis, true, [1, 3, 4, 5, 6]).special).toEqual([0, 2]);
  });

  it("hold every token once", () => {
    for (const units of [unitsOf(axis, false), unitsOf(axis, true)]) {
      const all = Array.from({ length: units.count }, (_, unit) => tokensOf(units, unit));
      expect(all.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      all.forEach((tokens, unit) => {
        for (const token of tokens) expect(unitOf(units, token)).toBe(unit);
      });
    }
  });
});

describe("lineAt", () => {
  const edges: Edges = {
    count: 3,
    query: Uint32Array.of(0, 1, 0),
    key: Uint32Array.of(0, 0, 1),
    head: Uint16Array.of(0, 0, 1),
    weight: Float32Array.of(0.9, 0.2, 0.5),
    strength: Float32Array.of(0.9, 0.2, 0.5),
    mark: new Uint8Array(3),
  };
  const geometry: Geometry = {
    vertical: true,
    along: { query: 100, key: 300 },
    query: Float32Array.of(50, 250),
    key: Float32Array.of(50, 250),
    pitch: 24,
  };
  /** The place of a line at a share of its way along. */
  const placeOf = (line: number, share: number): [along: number, across: number] => {
    const start = geometry.query[edges.query[line] as number] as number;
    const end = geometry.key[edges.key[line] as number] as number;
    return [100 + 200 * share, start + (end - start) * riseAlong(share)];
  };

  it("finds each line along its way, in both layouts", () => {
    for (const line of [0, 1, 2]) {
      for (const share of [0.3, 0.42, 0.6]) {
        const [along, across] = placeOf(line, share);
        expect(lineAt(edges, geometry, along, across)).toBe(line);
        expect(lineAt(edges, { ...geometry, vertical: false }, across, along)).toBe(line);
      }
    }
  });

  it("prefers the stronger one where lines meet", () => {
    expect(lineAt(edges, geometry, 100, 50)).toBe(0);
    expect(lineAt(edges, geometry, 200, 150)).toBe(2);
  });

  it("finds nothing away from lines, nor beside their ends", () => {
    const [along, across] = placeOf(1, 0.3);
    expect(lineAt(edges, geometry, along, across + 12)).toBe(-1);
    expect(lineAt(edges, geometry, 99, 50)).toBe(-1);
    expect(lineAt(edges, geometry, 301, 50)).toBe(-1);
    expect(lineAt({ ...edges, count: 0 }, geometry, 200, 50)).toBe(-1);
  });

  it("reaches a little beyond the ink", () => {
    expect(lineAt(edges, geometry, 200, 54)).toBe(0);
    expect(lineAt(edges, geometry, 200, 62)).toBe(-1);
  });
});

describe("nextPins", () => {
  const pins = { pinned_queries: [1, 2], pinned_keys: [5] };
  const click = (
    state: typeof pins,
    side: Side,
    token: number,
    add = false,
  ): [readonly number[], readonly number[]] => {
    const pinned = { query: state.pinned_queries, key: state.pinned_keys };
    const next = nextPins(state, pinned, side, token, [token], add);
    return [next.pinned_queries, next.pinned_keys];
  };

  it("pins alone by a click, and beside what is pinned by an adding one", () => {
    expect(click(pins, "query", 4)).toEqual([[4], []]);
    expect(click(pins, "key", 4)).toEqual([[], [4]]);
    expect(click(pins, "query", 4, true)).toEqual([[1, 2, 4], [5]]);
    expect(click(pins, "key", 4, true)).toEqual([
      [1, 2],
      [5, 4],
    ]);
  });

  it("leaves only what is clicked of several", () => {
    expect(click(pins, "query", 2)).toEqual([[2], []]);
  });

  it("unpins what is pinned alone, or by an adding click", () => {
    expect(click({ pinned_queries: [3], pinned_keys: [] }, "query", 3)).toEqual([[], []]);
    expect(click(pins, "query", 2, true)).toEqual([[1], [5]]);
    expect(click(pins, "key", 5, true)).toEqual([[1, 2], []]);
  });

  it("pins all tokens of a word, and unpins them together", () => {
    const none = { pinned_queries: [], pinned_keys: [] };
    expect(nextPins(none, { query: [], key: [] }, "query", 1, [3, 4, 5], false).pinned_queries).toEqual([
      3, 4, 5,
    ]);
    const held = { pinned_queries: [4], pinned_keys: [] };
    expect(nextPins(held, { query: [1], key: [] }, "query", 1, [3, 4, 5], false).pinned_queries).toEqual([]);
  });
});
