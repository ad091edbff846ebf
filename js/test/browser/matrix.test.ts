import axe from "axe-core";
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { MARKS } from "../../src/scale/colormap.ts";
import type { Weights } from "../../src/store.ts";
import { mapTraits } from "../fakes.ts";
import { centre, click, colours, hover, large, mapOf, matrix } from "./heatmap.ts";
import {
  all,
  base,
  choose,
  endAll,
  expectState,
  find,
  framesOf,
  inked,
  overlay,
  pixels,
  readout,
  ready,
  token,
  until,
} from "./mounted.ts";
import { KEYS, LAYERS, QUERIES } from "./translation.ts";

afterEach(endAll);

describe("the matrix", () => {
  it("draws cells, labels and a legend, and says it is ready", async () => {
    const { root } = await ready(matrix());
    expect(find(root, '[data-view="matrix"]')).toBeDefined();
    expect(inked(base(root))).toBe(base(root).width * base(root).height);
    expect(all(root, '[data-side="query"]').map((label) => label.textContent)).toEqual(QUERIES);
    expect(all(root, '[data-side="key"]').map((label) => label.textContent)).toEqual(KEYS);
    const legend = find(root, ".legend").textContent ?? "";
    expect(legend).toContain("weight, absolute");
    expect(legend).toContain("0 0.5 1");
    expect(legend).toContain("6 × 7 weights");
    expect(base(root).getAttribute("aria-label")).toMatch(/layer 0 \(head 1\): 6 queries, 7 keys$/);
  });

  it("offers a scale that shows more, where most weights are faint", async () => {
    for (const [count, scale] of [
      [40, "sqrt"],
      [260, "times_uniform"],
    ] as const) {
      const { root, host } = await ready(large(count));
      const offer = find(root, ".legend .faint");
      expect(offer.textContent).toContain("most weights here are faint");
      await userEvent.click(offer);
      expectState(host, { scale });
      await until(() => offer.hidden, "the offer to go");
    }
    const { root } = await ready(matrix());
    expect(find(root, ".legend .faint").hidden).toBe(true);
  });

  it("draws anew when what it shows changes", async () => {
    const { root, host } = await ready(matrix());
    for (const change of [
      { layer: 1 },
      { heads: [0] },
      { scale: "sqrt" },
      { colormap: "viridis" },
      { special: "hide" },
      { heads: [], combine: "max" },
    ]) {
      const [frames, shown] = [framesOf(root), pixels(base(root))];
      host.fromPython(change);
      await until(() => framesOf(root) > frames, JSON.stringify(change));
      expect(pixels(base(root)), JSON.stringify(change)).not.toBe(shown);
    }
  });

  it.each(["absolute", "row", "sqrt", "log", "times_uniform"])(
    "has a legend in numbers on the %s scale",
    async (scale) => {
      const { root } = await ready(matrix({ scale }));
      const numbers = all(root, ".ticks span").map((span) => span.textContent);
      expect(numbers).toEqual(
        {
          absolute: ["0", "0.5", "1"],
          row: ["0", "0.5", "1"],
          sqrt: ["0", "0.25", "1"],
          log: ["0.0001", "0.01", "1"],
          times_uniform: ["0", "5×", "≥ 10×"],
        }[scale],
      );
    },
  );

  it("says that several heads are a mean", async () => {
    const { root } = await ready(matrix({ heads: [0, 2] }));
    expect(find(root, ".legend").textContent).toContain("mean of 2 heads: a cell has room for one number");
  });

  it("shows a single bright cell of many, and says how many a pixel holds", async () => {
    const count = 900;
    const values = new Float32Array(count * count);
    values[700 * count + 123] = 1;
    const { root } = await ready(mapOf(count, count, values), { width: 400 });
    const canvas = base(root);
    expect(colours(canvas, 0, 0, canvas.width, canvas.height)).toContain("13,36,79");
    expect(find(root, ".legend").textContent).toMatch(/each pixel: the largest of \d+ × \d+ weights/);
    const shown = pixels(canvas);
    choose(find<HTMLSelectElement>(root, 'select[aria-label="a pixel shows"]'), "mean");
    await until(() => pixels(base(root)) !== shown, "the mean");
    expect(colours(base(root), 0, 0, canvas.width, canvas.height)).not.toContain("13,36,79");
    expect(find(root, ".legend").textContent).toMatch(/each pixel: the mean of/);
  });

  it("marks cells that are masked, missing or infinite, and small weights not", async () => {
    const values = [0.2, 0, 0, Number.NaN, 1, 0, Infinity, 1e-6, 1];
    const { root } = await ready(mapOf(3, 3, values));
    const canvas = base(root);
    const cell = Math.floor(canvas.width / 3);
    const inside = (row: number, col: number) =>
      colours(canvas, col * cell + 4, row * cell + 4, cell - 8, cell - 8);
    const { masked, maskedLine, missing, missingLine, infinite } = MARKS.light;
    for (const [row, col] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      expect(inside(row, col)).toEqual(new Set([String(masked), String(maskedLine)]));
    }
    expect(inside(1, 0)).toEqual(new Set([String(missing), String(missingLine)]));
    expect(inside(2, 0)).toContain(String(infinite));
    expect(inside(2, 1)).toEqual(new Set(["255,255,255"]));
    const legend = find(root, ".legend").textContent ?? "";
    for (const name of ["masked", "missing (NaN)", "infinite"]) expect(legend).toContain(name);
  });

  it("follows words", async () => {
    const words = { starts: [0, 2], labels: ["ab", "c"], special: [] };
    const axis = { labels: ["a", "##b", "c"], words };
    const weights = {
      heads: 1,
      queries: 3,
      keys: 3,
      values: Float32Array.of(0.5, 0.25, 0.25, 0.1, 0.1, 0.8, 0, 0, 1),
    };
    const { root, host } = await ready({
      ...mapTraits({ layers: [weights], queries: axis, keys: null }),
      view: "matrix",
      heads: [],
      words: true,
    });
    expect(all(root, '[data-side="key"]').map((label) => label.textContent)).toEqual(["ab", "c"]);
    hover(root, centre(root, 0, 0, [2, 2]));
    await until(() => readout(root).startsWith("ab attends to ab 0.475"), "the merged weight");
    click(root, centre(root, 1, 0, [2, 2]));
    expectState(host, { pinned_queries: [2], pinned_keys: [0, 1] });
  });
});

describe("states", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["an empty map", mapOf(0, 4, []), /This map is empty/],
    ["no head", matrix({ heads: null }), /No head is shown/],
  ])("has a place for %s", async (_, given, text) => {
    const { root } = await ready(given);
    expect(find(root, ".matrix .message").textContent).toMatch(text);
  });

  it.each([
    [1, 1],
    [5, 3],
    [1, 5000],
    [2000, 1],
  ])("shows %d × %d", async (rows, cols) => {
    for (const width of [320, 1600]) {
      const { root, end } = await ready(mapOf(rows, cols, new Float32Array(rows * cols).fill(0.3)), {
        width,
      });
      const canvas = base(root);
      expect(inked(canvas)).toBe(canvas.width * canvas.height);
      expect(root.scrollWidth).toBeLessThanOrEqual(root.clientWidth);
      end();
    }
  });
});

describe("hovering a cell", () => {
  it("reads its exact weight and leaves the base as it is", async () => {
    const { root } = await ready(matrix());
    const [frames, still] = [framesOf(root), pixels(base(root))];
    hover(root, centre(root, 2, 4, [6, 7]));
    await until(() => inked(overlay(root)) > 0, "the crosshair");
    const { values } = LAYERS[0] as Weights;
    const weight = values[(6 + 2) * 7 + 4] as number;
    expect(readout(root)).toBe(`my attends to chat ${Number(weight.toPrecision(3))} (head 1)`);
    expect(framesOf(root)).toBe(frames);
    expect(pixels(base(root))).toBe(still);
  });

  it("finds the strongest of those under one pixel", async () => {
    const count = 900;
    const values = new Float32Array(count * count);
    values[700 * count + 123] = 0.75;
    const { root } = await ready(mapOf(count, count, values), { width: 400 });
    hover(root, centre(root, 700, 123, [count, count]));
    await until(() => readout(root) === "q700 attends to t123 0.75 (head 0)", "the weight");
  });

  it("tells of a row, with its entropy, and of a column, with its total", async () => {
    const { root } = await ready(matrix());
    await userEvent.hover(token(root, "query", 1));
    await until(() => /^see attends to .* · entropy [\d.]+ nats$/.test(readout(root)), "the row");
    await userEvent.hover(token(root, "key", 1));
    await until(() => /^vois is attended by .* · receives [\d.]+ in all$/.test(readout(root)), "the column");
  });
});

describe("labels", () => {
  it("do not overlap", async () => {
    for (const [count, width] of [
      [12, 320],
      [60, 700],
      [400, 700],
    ] as const) {
      const { root, end } = await ready(large(count), { width });
      for (const [side, from, to] of [
        ["query", "top", "bottom"],
        ["key", "left", "right"],
      ] as const) {
        const boxes = all(root, `[data-side="${side}"]:not([data-away])`).map((label) =>
          label.getBoundingClientRect(),
        );
        expect(boxes.length).toBeGreaterThan(3);
        boxes.sort((a, b) => a[from] - b[from]);
        for (let at = 1; at < boxes.length; at++) {
          expect(boxes[at]?.[from] as number).toBeGreaterThanOrEqual((boxes[at - 1]?.[to] as number) - 0.5);
        }
      }
      end();
    }
  });
});

describe.each(["light", "dark"])("in the %s theme", (theme) => {
  it.each([
    ["a few tokens", matrix({ theme, pinned_queries: [1] })],
    ["part of many", large(120, { theme, window: [0, 60, 0, 60], scale: "sqrt" })],
  ])("%s are accessible", async (_, given) => {
    const { el } = await ready(given);
    const { violations } = await axe.run(el, {
      rules: { region: { enabled: false } },
    });
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual(
      [],
    );
  });
});
