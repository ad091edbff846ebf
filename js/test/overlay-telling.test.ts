import { describe, expect, it } from "vitest";
import type { State } from "../src/model.ts";
import { hatchesOf, scaleText } from "../src/overlay/legend.ts";
import { overlayRows } from "../src/overlay/rows.ts";
import { hoveredAt } from "../src/overlay/telling.ts";
import { attention, tokens } from "./fakes.ts";
import { key, type Made, make, patches, query, rowOf, vision } from "./overlays.ts";

describe("the sentence", () => {
  const values = Float32Array.from(
    [
      [0.5, 0.2, 0.1, 0.1, 0.1],
      [0, 0.6, 0.2, 0.2, 0],
    ].flat(),
  );
  const caption = (more: Partial<Made> = {}) =>
    make({
      weights: { heads: 1, queries: 2, keys: 5, values },
      queries: { labels: ["orange", "star"] },
      keys: patches(2, 2),
      ...more,
    });

  it("names the strongest places and the share on the image", () => {
    const { said, model } = caption();
    expect(said(query(1))).toBe(
      "star attends to row 1, column 1 0.6, row 1, column 2 0.2, row 2, column 1 0.2 · 100 % on the image",
    );
    expect(said(query(0))).toBe(
      "orange attends to [CLS] 0.5, row 1, column 1 0.2, row 1, column 2 0.1, row 2, column 1 0.1; " +
        "1 more share 0.1 · 50 % on the image",
    );
    model.change({ special: "renormalise" });
    expect(said(query(0))).toMatch(/row 1, column 1 0\.4, .* · 50 % on the image, 50 % set aside$/);
  });

  it("says who attends, and how several come to one", () => {
    const { said } = caption();
    expect(said(key(1))).toBe("row 1, column 1 is attended by star 0.6, orange 0.2");
    expect(said(key(1, 2))).toBe(
      "row 1, column 1 + row 1, column 2 are attended by star 0.8, orange 0.3 (sum of 2 keys)",
    );
    expect(said(query(0, 1))).toMatch(
      /^orange \+ star attend to row 1, column 1 0\.4, .* \(mean of 2 queries\) · 75 %/,
    );
    expect(said()).toMatch(/^the mean of 2 queries attends to .* hover a patch or a token to see its own$/);
  });

  it("says which heads the numbers are of", () => {
    const weights = attention(2, 10, 10);
    expect(vision({ weights }).said(query(3))).toMatch(/ \(head [01]\), .*; 6 more, at most /);
    expect(vision({ weights, state: { combine: "mean" } }).said(query(3))).toContain("(mean of 2 heads)");
    const both = vision({ weights, state: { combine: "max" } }).said(query(3, 4));
    expect(both).toContain("(mean of 2 queries, max of 2 heads)");
    expect(vision({ weights, state: { heads: [1] } }).said(query(3))).toContain("(head 1)");
    expect(vision({ weights, state: { heads: null } }).said(query(3))).toMatch(/no head is shown/);
  });

  it("says what is set aside by name", () => {
    expect(caption({ state: { special: "hide" } }).said(key(0))).toBe("[CLS] is set aside");
  });
});

describe("reports", () => {
  const weights = attention(2, 3, 5);
  const caption = (state: Partial<State>) =>
    make({
      weights,
      queries: { ...tokens(3), exact: { 1: "▁t1" } },
      keys: patches(2, 2),
      state: { special: "hide", ...state },
    });

  it("list the weights on screen by head, query and key", () => {
    const { source, model } = caption({ heads: [1] });
    const rows = overlayRows(source, model.state, query(2, 1));
    expect(rows).toHaveLength(8);
    expect(rows[0]).toEqual({
      layer: 0,
      head: 1,
      query: 1,
      queryLabel: "▁t1",
      key: 1,
      keyLabel: "row 1, column 1",
      weight: rowOf(weights, 1, 1)[1],
    });
    expect(rows.map((row) => row.query)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
    const columns = overlayRows(source, model.state, key(2));
    expect(columns.map((row) => [row.query, row.key])).toEqual([0, 1, 2].map((row) => [row, 2]));
  });

  it("say of a mean that it is one", () => {
    const { source, model } = caption({ combine: "mean" });
    expect(overlayRows(source, model.state, null)[0]).toMatchObject({
      head: "mean",
      query: -1,
      queryLabel: "mean of 3 queries",
    });
  });

  it("tell Python what is hovered", () => {
    const { model } = caption({});
    expect(hoveredAt(model.state, null)).toBeNull();
    expect(hoveredAt(model.state, key(4))).toEqual({
      layer: 0,
      head: null,
      query: null,
      key: 4,
      weight: null,
    });
  });

  it("say in the legend what colours mean, in numbers", () => {
    const { source, model } = caption({});
    const text = (more: Partial<State> = {}, complete = true, full = 0.455) => {
      const { content } = source;
      if (!content) throw new Error("no content");
      return scaleText(content, { ...model.state, ...more }, false, full, complete);
    };
    expect(text()).toBe("weight 0 – 0.455, absolute · nearest");
    expect(text({ interpolation: "bilinear", scale: "sqrt" })).toBe(
      "weight 0 – 0.455, square root · bilinear",
    );
    expect(text({}, false)).toBe("weight 0 – 0.455 (the largest so far), absolute · nearest");
    expect(text({ scale: "times_uniform" }, false)).toBe(
      "weight 0 – ≥ 10×, times uniform attention · nearest",
    );
    expect(text({ paint: "contours" })).toBe("lines enclose 50 %, 90 % of the weight on the image");
  });

  it("say in the legend which hatchings there are", () => {
    const NONE = new Set<number>();
    const found = (grid: object, apart: ReadonlySet<number> = NONE, rows: readonly Float32Array[] = []) => {
      const { source } = make({ weights: attention(1, 10, 10), queries: grid, keys: null });
      return [...hatchesOf(source.panels, source.roles.key, apart, rows)];
    };
    expect(found(patches(3, 3))).toEqual([]);
    expect(found(patches(3, 3, -20))).toEqual(["unseen"]);
    expect(found(patches(3, 3, 20))).toEqual(["padding"]);
    expect(found(patches(3, 3, -20, null))).toEqual([]);
    expect(found(patches(3, 3), new Set([0]))).toEqual([]);
    expect(found(patches(3, 3), new Set([0, 4]))).toEqual(["aside"]);
    const row = Float32Array.of(NaN, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0);
    expect(found(patches(3, 3), NONE, [row])).toEqual([]);
    expect(found(patches(3, 3), NONE, [row, row.map((weight) => 1 / weight)])).toEqual(["infinite"]);
    const masked = row.map((weight, at) => (at === 3 ? -Infinity : weight));
    expect(found(patches(3, 3), NONE, [masked])).toEqual(["masked"]);
    expect(found(patches(3, 3), new Set([4]), [row.fill(NaN, 4, 5)])).toEqual(["aside"]);
    expect(found(patches(3, 3), NONE, [row])).toEqual(["missing"]);
    const [grid] = patches(3, 3).parts;
    const order = [0, 1, 2, 3, 4, 5, 6, 7, -1];
    expect(found({ ...patches(3, 3), parts: [{ ...grid, order }] })).toEqual(["unseen"]);
  });
});
