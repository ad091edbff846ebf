import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Shown } from "../src/overlay/source.ts";
import { answerRows, attention, type Sent, tokens } from "./fakes.ts";
import { key, type Made, make, patches, query, rowOf, rowsIn, vision } from "./overlays.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const flush = () => vi.advanceTimersByTimeAsync(0);

describe("what is in focus", () => {
  it("is what is hovered, else pinned queries, else pinned keys", () => {
    const { source, model } = vision();
    expect(source.focus(null)).toBeNull();
    model.change({ pinned_keys: [3] });
    expect(source.focus(null)).toEqual(key(3));
    model.change({ pinned_queries: [1, 2] });
    expect(source.focus(null)).toEqual(query(1, 2));
    expect(source.focus(key(5))).toEqual(key(5));
  });

  it("has no positions that the map lacks: state may come first", () => {
    const { source } = vision({ state: { pinned_queries: [99], pinned_keys: [2, 10] } });
    expect(source.focus(null)).toEqual(key(2));
    expect(source.focus(query(10))).toEqual(key(2));
  });
});

describe("weights that are here", () => {
  it("are one row a head, or one where heads are combined", () => {
    const weights = attention(2, 10, 10);
    const { source, model } = vision({ weights });
    const each = source.shown(query(4));
    expect(each?.heads).toEqual([0, 1]);
    expect(rowsIn(each)).toEqual([rowOf(weights, 0, 4), rowOf(weights, 1, 4)]);
    model.change({ combine: "max" });
    const max = source.shown(query(4));
    expect(max?.heads).toEqual([-1]);
    const [one, other] = [rowOf(weights, 0, 4), rowOf(weights, 1, 4)];
    expect(rowsIn(max)).toEqual([one.map((weight, at) => Math.max(weight, other[at] as number))]);
    model.change({ heads: [1] });
    expect(source.shown(query(4))?.heads).toEqual([1]);
    model.change({ heads: null });
    expect(source.shown(query(4))).toBeUndefined();
  });

  it("of several queries are averaged, of several keys summed up, missing ones left out", () => {
    const values = Float32Array.of(0.1, 0.2, NaN, 0.5, 0.4, NaN);
    const { source } = make({ weights: { heads: 1, queries: 2, keys: 3, values } });
    const [mean] = rowsIn(source.shown(query(0, 1)));
    expect(mean?.[0]).toBeCloseTo(0.3);
    expect(mean?.[1]).toBeCloseTo(0.3);
    expect(mean?.[2]).toBeNaN();
    const [sum] = rowsIn(source.shown(key(1, 2)));
    expect(sum?.[0]).toBeCloseTo(0.2);
    expect(sum?.[1]).toBeCloseTo(0.4);
  });

  it("are the mean over all queries where nothing is in focus, without special ones where those are hidden", () => {
    const weights = attention(1, 10, 10);
    const { source, model } = vision({ weights });
    const meanOf = (from: number) =>
      Float32Array.from({ length: 10 }, (_, at) => {
        let sum = 0;
        for (let row = from; row < 10; row++) sum += weights.values[row * 10 + at] as number;
        return sum / (10 - from);
      });
    expect(rowsIn(source.shown(null))).toEqual([meanOf(0)]);
    model.change({ special: "hide" });
    const hidden = source.shown(null);
    expect(hidden?.count).toBe(9);
    expect([...(rowsIn(hidden)[0] ?? [])]).toEqual([0, ...meanOf(1).slice(1)]);
  });

  it("are read once for a focus, and again when what is shown changes", () => {
    const { source, model } = vision();
    const first = source.shown(query(4));
    source.shown(query(5));
    expect(source.shown(query(4))).toBe(first);
    model.change({ special: "hide" });
    expect(source.shown(query(4))).not.toBe(first);
    expect(source.shown(query(4))?.rows[0]?.[0]).toBe(0);
  });

  it("of no positions are none", () => {
    const { source, said } = make({
      weights: { heads: 1, queries: 0, keys: 0, values: new Float32Array(0) },
    });
    expect(source.shown(null)?.rows[0]).toHaveLength(0);
    expect(said()).toContain("nothing that is shown");
  });
});

describe("positions set aside", () => {
  it("take no part in what is left, which is 1 again", () => {
    const weights = attention(3, 10, 10);
    const { source, model } = vision({ weights, state: { special: "renormalise", aside: [4, 7] } });
    for (let at = 0; at < 10; at++) {
      const shown = source.shown(query(at));
      for (const [head, row] of rowsIn(shown).entries()) {
        expect([row[0], row[4], row[7]]).toEqual([0, 0, 0]);
        expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
        const before = rowOf(weights, head, at);
        expect((row[1] as number) / (row[2] as number)).toBeCloseTo(
          (before[1] as number) / (before[2] as number),
          4,
        );
      }
      const lost = [0, 1, 2].flatMap((head) =>
        [0, 4, 7].map((key) => rowOf(weights, head, at)[key] as number),
      );
      expect(shown?.setAside).toBeCloseTo(lost.reduce((sum, weight) => sum + weight, 0) / 3, 5);
    }
    model.change({ special: "show" });
    expect(source.shown(query(2))?.setAside).toBe(0);
  });

  it("stay queries, also where both sides are one axis", () => {
    const { source } = vision({ state: { special: "hide", aside: [4] } });
    expect([...source.apart.key]).toEqual([0, 4]);
    expect([...source.apart.query]).toEqual([0]);
    const [row] = rowsIn(source.shown(key(3)));
    expect(row?.[0]).toBe(0);
    expect(row?.[4]).toBeGreaterThan(0);
    expect(rowsIn(source.shown(key(4)))[0]).toEqual(new Float32Array(10));
  });
});

describe("the full value", () => {
  const values = Float32Array.from({ length: 100 }, () => 0.01);
  const at = (row: number, col: number, weight: number) => {
    values[row * 10 + col] = weight;
  };
  at(3, 0, 0.9); // on the class token
  at(5, 6, 0.4); // on the image
  at(0, 2, 0.6); // the class token's, on the image
  const weights = { heads: 1, queries: 10, keys: 10, values };

  it("is the largest weight that lies on the image, of either direction", () => {
    const { source, model } = vision({ weights });
    expect(source.fullOf("query")).toBeCloseTo(0.6);
    expect(source.fullOf("key")).toBeCloseTo(0.9);
    model.change({ special: "hide" });
    expect(source.fullOf("key")).toBeCloseTo(0.4);
  });

  it("leaves padding out", () => {
    // Three columns on 60 pixels: the last lies beside the image of 40.
    const { source } = vision({ weights, queries: patches(3, 3, 20) });
    expect(source.roles.key[6]).toBe("padding");
    expect(source.fullOf("query")).toBeCloseTo(0.6);
    const shown = source.shown(query(5));
    expect(shown?.mosts[0]).toBeCloseTo(0.01);
    expect(shown?.account.shares.map(({ name }) => name)).toEqual(["image", "padding", "[CLS]"]);
  });

  it("is that of all where nothing of the other side is on an image", () => {
    const { source } = make({ weights, queries: tokens(10), keys: patches(3, 3) });
    expect(source.fullOf("query")).toBeCloseTo(0.6);
    expect(source.fullOf("key")).toBeCloseTo(0.9);
    expect(source.shown(key(6))?.mosts[0]).toBeCloseTo(0.4);
  });

  it("is the largest so far where the layer is not here", async () => {
    const { source, host } = vision({ weights, here: false });
    expect(source.fullOf("query")).toBe(1);
    for (const [row, full] of [
      [5, 0.4],
      [6, 0.4],
      [0, 0.6],
    ] as const) {
      source.shown(query(row));
      answerRows(host, host.sent.at(-1) as Sent, weights);
      await flush();
      source.shown(query(row));
      expect(source.fullOf("query")).toBeCloseTo(full);
    }
  });

  it("is what strengths are measured by, the row's own on the row scale", () => {
    const { source, model } = vision({ weights });
    const shown = source.shown(query(5)) as Shown;
    expect(source.strength(shown, 0)(0.3)).toBeCloseTo(0.5);
    model.change({ scale: "row" });
    expect(source.strength(shown, 0)(0.2)).toBeCloseTo(0.5);
    expect(source.strength(shown, 0)(NaN)).toBeNaN();
  });
});

describe("sinks", () => {
  const weights = attention(2, 17, 17, 3, 1);
  for (let row = 0; row < 34; row++) {
    const part = weights.values.subarray(row * 17, (row + 1) * 17);
    part.forEach((weight, at) => {
      part[at] = at === 6 ? 0.7 + 0.3 * weight : 0.3 * weight;
    });
  }
  const made = (more: Partial<Made> = {}) => make({ weights, queries: patches(4, 4), keys: null, ...more });

  it("are patches that all queries look at, with the share they take", () => {
    const { source, model } = made();
    expect(source.sinks()).toEqual([6]);
    expect(source.shown(query(2))?.sinks).toBeCloseTo(rowOf(weights, 0, 2)[6] as number, 1);
    model.change({ special: "renormalise", aside: [6] });
    expect(source.sinks()).toEqual([6]);
    expect(source.shown(query(2))?.sinks).toBe(0);
    expect(source.shown(query(2))?.setAside).toBeGreaterThan(0.7);
  });

  it("are not known without the layer", () => {
    expect(made({ here: false }).source.sinks()).toEqual([]);
  });

  it("are of weights: relevance may well lie in one place", () => {
    expect(made({ kind: "relevance" }).source.sinks()).toEqual([]);
  });
});

describe("weights that are not here", () => {
  const weights = attention(2, 10, 10);

  it("are asked for once, and shown as they come", async () => {
    const { source, host, said } = vision({ weights, here: false });
    expect(source.shown(query(4))).toBeUndefined();
    expect(source.shown(query(4))).toBeUndefined();
    expect(said(query(4))).toBe("row 2, column 1 — loading …");
    expect(host.sent).toHaveLength(1);
    expect(host.sent[0]).toMatchObject({ kind: "rows", layer: 0, side: "query", start: 4, stop: 5 });
    answerRows(host, host.sent[0] as Sent, weights);
    await flush();
    expect(rowsIn(source.shown(query(4)))).toEqual([rowOf(weights, 0, 4), rowOf(weights, 1, 4)]);
  });

  it("come in stretches for positions apart, and of columns too", async () => {
    const { source, host } = vision({ weights, here: false, state: { combine: "mean" } });
    source.shown(key(7, 2, 3));
    expect(host.sent.map(({ start, stop }) => [start, stop])).toEqual([
      [2, 4],
      [7, 8],
    ]);
    for (const request of [...host.sent]) answerRows(host, request, weights);
    await flush();
    const whole = vision({ weights, state: { combine: "mean" } }).source;
    expect(rowsIn(source.shown(key(7, 2, 3)))).toEqual(rowsIn(whole.shown(key(2, 3, 7))));
  });

  it("set aside are so in rows alone", async () => {
    const state = { special: "renormalise", aside: [4] } as const;
    const { source, host, said } = vision({ weights, here: false, state });
    source.shown(query(1));
    answerRows(host, host.sent[0] as Sent, weights);
    await flush();
    expect(rowsIn(source.shown(query(1)))).toEqual(rowsIn(vision({ weights, state }).source.shown(query(1))));
    expect(source.shown(key(2))).toBeUndefined();
    expect(source.refusal(key(2))).toMatch(/whole row of each query/);
    expect(said(key(2))).toMatch(/^row 1, column 2 — Renormalised weights need/);
    expect(host.sent).toHaveLength(1);
  });

  it("say where there is no kernel to ask", async () => {
    const { source, said } = vision({ weights, here: false, host: { sends: false } });
    source.shown(query(4));
    await flush();
    expect(source.refusal(query(4))).toMatch(/need a running kernel/);
    expect(said(query(4))).toBe(`row 2, column 1 — ${source.refusal(query(4))}`);
    expect(source.shown(null)).toBeUndefined();
    expect(said()).toBe("hover a patch or a token to see its weights; click to pin it");
  });

  it("next to a patch are those beside, above and below it", () => {
    const big = attention(1, 65, 65);
    const { source, host } = make({ weights: big, queries: patches(8, 8), keys: null, here: false });
    source.prefetch(query(30));
    const asked = new Set(
      host.sent.flatMap(({ start, stop }) =>
        Array.from({ length: (stop as number) - (start as number) }, (_, at) => (start as number) + at),
      ),
    );
    for (const near of [29, 31, 22, 38, 21, 39]) expect(asked).toContain(near);
    expect(asked.size).toBe(15);
  });
});
