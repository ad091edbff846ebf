/** What the matrix gives to files. */
import { afterEach, describe, expect, it } from "vitest";
import { createLifetime, type Lifetime } from "../../src/lifetime.ts";
import { MatrixView } from "../../src/matrix/view.ts";
import { Model } from "../../src/model.ts";
import { Store } from "../../src/store.ts";
import { FakeHost } from "../fakes.ts";
import { large, mapOf, matrix } from "./heatmap.ts";
import { until } from "./mounted.ts";
import { KEYS, QUERIES } from "./translation.ts";

let lifetime: Lifetime | undefined;
afterEach(() => lifetime?.end());

/** A view by itself, once it is painted. */
async function painted(traits: Record<string, unknown>): Promise<MatrixView> {
  lifetime = createLifetime();
  const model = new Model(new FakeHost(traits), lifetime.signal);
  const store = new Store(model, lifetime.signal);
  let paints = 0;
  const around = {
    readout() {},
    announce() {},
    status() {},
    hovered() {},
    lastView: undefined,
    painted: () => paints++,
  };
  const view = new MatrixView(model, store, around, lifetime);
  document.body.append(view.element);
  view.resize(600);
  await until(() => paints > 0, "the picture");
  return view;
}

describe("a still picture", () => {
  it("has the cells, the strips and a ramp as pixels, and labels and numbers as text", async () => {
    const view = await painted(matrix({ scale: "sqrt" }));
    const part = view.still();
    if (!part) throw new Error("no picture");
    expect(part.images.map(({ title }) => title)).toEqual([
      "heat map of attention, layer 0 (head 1): 6 queries, 7 keys",
      "totals of the keys",
      "entropy of the rows",
      "colours from 0 to 1",
    ]);
    const texts = part.texts.map(({ text }) => text);
    expect(texts).toEqual(
      expect.arrayContaining([...QUERIES, ...KEYS, "0", "0.25", "1", "target · query ↓", "source · key →"]),
    );
    for (const { x, y, width, height } of part.images) {
      expect(x + width).toBeLessThanOrEqual(part.width);
      expect(y + height).toBeLessThanOrEqual(part.height);
    }
  });

  it("turns labels of keys that have no room to lie", async () => {
    const view = await painted(large(80));
    const texts = view.still()?.texts ?? [];
    expect(texts.filter(({ turned }) => turned).every(({ text }) => /^t\d+$/.test(text))).toBe(true);
    expect(texts.some(({ turned }) => turned)).toBe(true);
  });

  it("keeps its pixels when the view goes on", async () => {
    const view = await painted(large(30));
    const cells = view.still()?.images[0]?.canvas;
    const data = () => cells?.toDataURL();
    const before = data();
    view.zoom(1);
    await until(() => view.still()?.images[0]?.canvas.toDataURL() !== before, "another picture");
    expect(data()).toBe(before);
  });

  it("is none where there is nothing", async () => {
    expect((await painted(mapOf(0, 3, []))).still()).toBeNull();
  });
});

describe("rows of numbers", () => {
  it("are the weights in sight", async () => {
    const view = await painted(large(20, { window: [2, 4, 5, 8] }));
    expect(view.rows().map(({ query, key }) => [query, key])).toEqual([
      [2, 5],
      [2, 6],
      [2, 7],
      [3, 5],
      [3, 6],
      [3, 7],
    ]);
  });

  it("are those of what is pinned", async () => {
    const pinned = (await painted(mapOf(2, 3, [1, 2, 3, 4, 5, 6], { pinned_keys: [1] }))).rows();
    expect(pinned).toMatchObject([
      { layer: 0, head: 0, query: 0, queryLabel: "q0", key: 1, keyLabel: "t1", weight: 2 },
      { query: 1, key: 1, weight: 5 },
    ]);
    const cell = (
      await painted(mapOf(2, 3, [1, 2, 3, 4, 5, 6], { pinned_keys: [1], pinned_queries: [1] }))
    ).rows();
    expect(cell.map(({ weight }) => weight)).toEqual([5]);
  });

  it("stop at what a spreadsheet opens", async () => {
    expect((await painted(mapOf(400, 400, new Float32Array(160_000).fill(0.1)))).rows().length).toBe(100_000);
  });
});
