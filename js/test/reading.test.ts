import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Kind } from "../src/content.ts";
import { jointOf, lineSentence, plain, sentence } from "../src/lines/reading.ts";
import { COMBINED, type Edges, NO_EDGES } from "../src/lines/scene.ts";
import { hoveredAt, type Told, tell } from "../src/lines/telling.ts";
import type { Units } from "../src/lines/units.ts";
import { adds, verb } from "../src/scale/kinds.ts";

type Line = readonly [head: number, query: number, key: number, weight: number, strength?: number];

const edgesOf = (...lines: readonly Line[]): Edges => ({
  count: lines.length,
  head: Uint16Array.from(lines, ([head]) => head),
  query: Uint32Array.from(lines, ([, query]) => query),
  key: Uint32Array.from(lines, ([, , key]) => key),
  weight: Float32Array.from(lines, ([, , , weight]) => weight),
  strength: Float32Array.from(lines, ([, , , weight, strength]) => strength ?? Math.abs(weight)),
  mark: new Uint8Array(lines.length),
});

const LABELS = ["je", "vois", "mon", "beau", "chat", "."];

describe("jointOf", () => {
  it("is the weight of each position, NaN where there is no line", () => {
    const joint = jointOf(edgesOf([3, 0, 1, 0.75], [3, 0, 4, 0.25]), "query", 1, 5);
    expect([...joint.weights]).toEqual([NaN, 0.75, NaN, NaN, 0.25]);
    expect([...joint.strengths]).toEqual([0, 0.75, 0, 0, 0.25]);
    expect([joint.heads[1], joint.heads[0]]).toEqual([3, COMBINED]);
  });

  it("is the strongest head at each position, by magnitude", () => {
    const edges = edgesOf([0, 0, 0, 0.25], [1, 0, 0, -0.5], [0, 0, 1, 0.75], [1, 0, 1, 0.5]);
    const joint = jointOf(edges, "query", 1, 2);
    expect([...joint.weights]).toEqual([-0.5, 0.75]);
    expect([...joint.heads]).toEqual([1, 0]);
    expect([...joint.strengths]).toEqual([0.5, 0.75]);
  });

  it("is the mean over the tokens in focus, missing lines counting as none", () => {
    const edges = edgesOf([0, 2, 0, 0.5], [0, 3, 0, 0.25], [0, 3, 1, 0.5]);
    expect([...jointOf(edges, "query", 2, 2).weights]).toEqual([0.375, 0.25]);
  });

  it("averages each head by itself before it looks for the strongest", () => {
    const edges = edgesOf([0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0.625], [1, 1, 0, 0.625]);
    const joint = jointOf(edges, "query", 2, 1);
    expect(joint.weights[0]).toBe(0.625);
    expect(joint.heads[0]).toBe(1);
  });

  it("looks along the other side for keys", () => {
    expect([...jointOf(edgesOf([0, 2, 5, 0.5]), "key", 1, 3).weights]).toEqual([NaN, NaN, 0.5]);
  });

  it("is nothing where there are no lines", () => {
    const joint = jointOf(NO_EDGES, "query", 3, 2);
    expect([...joint.weights]).toEqual([NaN, NaN]);
    expect([...joint.strengths]).toEqual([0, 0]);
  });
});

describe("sentence", () => {
  const joint = (...lines: readonly Line[]) => jointOf(edgesOf(...lines), "query", 1, LABELS.length);
  const base = {
    kind: "weight",
    side: "query",
    focus: ["my"],
    labels: LABELS,
    manyHeads: false,
    combine: "each",
  } as const;
  const row = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625].map((weight, key): Line => [0, 0, key, weight]);

  it("names the strongest, in order, and sums up the rest", () => {
    const pieces = sentence({ ...base, joint: joint(...[...row].reverse()) });
    expect(plain(pieces)).toBe(
      "my attends to je 0.5, vois 0.25, mon 0.125, beau 0.0625; 2 more share 0.0469",
    );
    const strong = pieces.filter((piece) => piece.strong).map(({ text }) => text);
    expect(strong).toEqual(["my", "je", "vois", "mon", "beau"]);
  });

  it("leaves out the rest where there is none", () => {
    expect(plain(sentence({ ...base, joint: joint([0, 0, 2, 0.75], [0, 0, 4, 0.25]) }))).toBe(
      "my attends to mon 0.75, chat 0.25",
    );
  });

  it("turns around for keys", () => {
    expect(plain(sentence({ ...base, side: "key", focus: ["mon"], joint: joint([0, 0, 0, 0.5]) }))).toBe(
      "mon is attended by je 0.5",
    );
    expect(plain(sentence({ ...base, side: "key", focus: ["a", "b"], joint: joint([0, 0, 0, 0.5]) }))).toBe(
      "a + b are attended by je 0.5 (mean of 2)",
    );
  });

  it("says which head a number belongs to, and adds nothing up over heads", () => {
    const lines = row.map(([, ...line], i): Line => [i % 2 ? 7 : 2, ...line]);
    expect(plain(sentence({ ...base, manyHeads: true, joint: joint(...lines) }))).toBe(
      "my attends to je 0.5 (head 2), vois 0.25 (head 7), mon 0.125 (head 2), beau 0.0625 (head 7); " +
        "2 more, at most 0.0313",
    );
  });

  it("adds nothing up over maxima, but does over means", () => {
    expect(plain(sentence({ ...base, combine: "max", joint: joint(...row) }))).toMatch(
      /; 2 more, at most 0.0313$/,
    );
    expect(plain(sentence({ ...base, combine: "mean", joint: joint(...row) }))).toMatch(
      /; 2 more share 0.0469$/,
    );
  });

  it("names three of many tokens in focus", () => {
    const focus = ["a", "b", "c", "d", "e"];
    expect(plain(sentence({ ...base, focus, joint: joint([0, 0, 1, 1]) }))).toBe(
      "a + b + c + 2 more attend to vois 1 (mean of 5)",
    );
  });

  it("orders by magnitude, ties by position, and writes signs", () => {
    const lines: Line[] = [
      [0, 0, 3, 0.5],
      [0, 0, 1, -0.75],
      [0, 0, 0, 0.5],
      [0, 0, 2, Infinity],
    ];
    expect(plain(sentence({ ...base, joint: joint(...lines) }))).toBe(
      "my attends to mon ∞, vois −0.75, je 0.5, beau 0.5",
    );
  });

  it("leaves masks out", () => {
    const lines: Line[] = [
      [0, 0, 0, -Infinity],
      [0, 0, 1, -0.75],
    ];
    expect(plain(sentence({ ...base, joint: joint(...lines) }))).toBe("my attends to vois −0.75");
  });

  it("says so where nothing is left", () => {
    expect(plain(sentence({ ...base, joint: joint() }))).toBe("my attends to nothing that is shown");
  });

  it("shortens long labels, never within a character", () => {
    const long = "👩‍🔬".repeat(40);
    const text = plain(
      sentence({ ...base, focus: [long], labels: ["x".repeat(10_000)], joint: joint([0, 0, 0, 1]) }),
    );
    expect(text.length).toBeLessThan(200);
    expect(text).toMatch(/x{39}… 1$/);
    expect(() => encodeURIComponent(text)).not.toThrow();
    const exactly = "y".repeat(40);
    expect(plain(sentence({ ...base, focus: [exactly], joint: joint([0, 0, 0, 1]) }))).toContain(exactly);
  });
});

it("a line has both its ends and its value, and its head unless heads are combined", () => {
  expect(plain(lineSentence("weight", "mon", "my", 0.8171, 2))).toBe("mon attends to my 0.817 (head 2)");
  expect(plain(lineSentence("weight", "mon", "my", -2, COMBINED))).toBe("mon attends to my −2");
});

describe("each kind", () => {
  const file = new URL("../../tests/wire/kinds.json", import.meta.url);
  const cases = JSON.parse(readFileSync(file, "utf8")) as {
    kind: Kind;
    query: string[];
    key: string[];
    adds: boolean;
  }[];
  it.each(cases)("says what Python says of a $kind", ({ kind, query, key, adds: added }) => {
    expect([verb(kind, "query"), verb(kind, "query", 2)]).toEqual(query);
    expect([verb(kind, "key"), verb(kind, "key", 2)]).toEqual(key);
    expect(adds(kind)).toBe(added);
  });

  it("is named in sentences, which add up only what may be added", () => {
    const lines = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625].map(
      (weight, key): Line => [0, 0, key, weight],
    );
    const joint = jointOf(edgesOf(...lines), "query", 1, LABELS.length);
    const said = (kind: Kind) =>
      plain(
        sentence({
          kind,
          side: "query",
          focus: ["my"],
          joint,
          labels: LABELS,
          manyHeads: false,
          combine: "each",
        }),
      );
    expect(said("relevance")).toMatch(/^my draws on je 0\.5, .*; 2 more share 0\.0469$/);
    expect(said("norm")).toMatch(/^my receives from je 0\.5, .*; 2 more, at most 0\.0313$/);
    expect(plain(lineSentence("relevance", "mon", "my", 0.5, COMBINED))).toBe("mon draws on my 0.5");
  });
});

describe("tell", () => {
  const units = (labels: readonly string[]): Units => ({
    count: labels.length,
    labels,
    special: [],
    starts: Uint32Array.from({ length: labels.length + 1 }, (_, i) => i),
  });
  const axes = { query: units(["I", "see", "my", "cat"]), key: units(LABELS) };
  const told = (more: Partial<Told>): string =>
    plain(
      tell({
        kind: "weight",
        axes,
        focus: { query: [], key: [] },
        edges: NO_EDGES,
        heads: 2,
        combine: "each",
        focusOnly: false,
        failure: undefined,
        ...more,
      }),
    );

  it("hints at what can be done where nothing is in focus", () => {
    expect(told({})).toBe("hover a token or a line; click a token to pin it");
    expect(told({ focusOnly: true })).toBe("hover a token to see its lines; click to pin it");
    expect(told({ heads: 0 })).toBe("no head is shown: choose heads above");
  });

  it("says what is awaited and what failed", () => {
    const focus = { query: [2], key: [] };
    expect(told({ focus, edges: undefined })).toBe("my — loading …");
    expect(told({ focus, edges: undefined, failure: "no kernel" })).toBe("my — no kernel");
    expect(told({ focus: { query: [2, 3], key: [] }, edges: undefined })).toBe("my + cat — loading …");
  });

  it("reads a query, a key, and a line", () => {
    const edges = edgesOf([1, 2, 4, 0.5]);
    expect(told({ focus: { query: [2], key: [] }, edges })).toBe("my attends to chat 0.5 (head 1)");
    expect(told({ focus: { query: [], key: [4] }, edges })).toBe("chat is attended by my 0.5 (head 1)");
    expect(told({ focus: { query: [2], key: [4] }, edges })).toBe("my attends to chat 0.5 (head 1)");
    expect(told({ focus: { query: [2], key: [] }, edges, heads: 1 })).toBe("my attends to chat 0.5");
  });

  it("reads several lines between two tokens from the query", () => {
    const edges = edgesOf([0, 2, 4, 0.25], [1, 2, 4, 0.5]);
    expect(told({ focus: { query: [2], key: [4] }, edges })).toBe("my attends to chat 0.5 (head 1)");
  });

  it("says that a focus has no line", () => {
    expect(told({ focus: { query: [2], key: [4] } })).toBe("my attends to nothing that is shown");
  });
});

describe("hoveredAt", () => {
  // The second word is of tokens 1 and 2.
  const units: Units = { count: 3, labels: ["a", "b", "c"], special: [], starts: Uint32Array.of(0, 1, 3, 4) };
  const axes = { query: units, key: units };

  it("reports tokens, not positions", () => {
    expect(hoveredAt({ side: "key", position: 2 }, undefined, axes, 5)).toEqual({
      layer: 5,
      head: null,
      query: null,
      key: 3,
      weight: null,
    });
    const line = hoveredAt({ line: 0 }, edgesOf([4, 1, 2, 0.25]), axes, 0);
    expect(line).toEqual({ layer: 0, head: 4, query: 1, key: 3, weight: 0.25 });
  });

  it("has no head for combined ones, and nothing for nothing", () => {
    expect(hoveredAt({ line: 0 }, edgesOf([COMBINED, 0, 0, 1]), axes, 0)?.head).toBeNull();
    expect(hoveredAt(null, NO_EDGES, axes, 0)).toBeNull();
    expect(hoveredAt({ line: 0 }, NO_EDGES, axes, 0)).toBeNull();
    expect(hoveredAt({ line: 0 }, undefined, axes, 0)).toBeNull();
  });
});
