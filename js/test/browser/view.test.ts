import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, blockTrait, mapTraits } from "../fakes.ts";
import {
  all,
  base,
  endAll,
  expectState,
  find,
  frame,
  framesOf,
  inked,
  overlay,
  pixels,
  pointAway,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";
import { KEYS, LAYERS, QUERIES, strongest, traits } from "./translation.ts";

afterEach(endAll);

describe("a view", () => {
  it("draws, then says it is ready", async () => {
    const { root } = await ready(traits());
    expect(root.dataset.status).toBe("ready");
    expect(framesOf(root)).toBeGreaterThan(0);
    expect(inked(base(root))).toBeGreaterThan(1000);
    expect(inked(overlay(root))).toBe(0);
    expect(all(root, '[data-side="query"]').map((element) => element.textContent)).toEqual(QUERIES);
    expect(all(root, '[data-side="key"]').map((element) => element.textContent)).toEqual(KEYS);
    expect(find(root, '[data-view="lines"]')).toBeDefined();
    expect(readout(root)).toMatch(/^hover a token or a line/);
    expect(base(root).getAttribute("aria-label")).toBe(
      `${3 * 6 * 7} attention lines of attention, layer 0: 6 queries, 7 keys`,
    );
  });

  it("draws its first picture once", async () => {
    const { root } = await ready(traits());
    expect(framesOf(root)).toBe(1);
  });

  it("draws anew, and counts it, when what it shows changes", async () => {
    const { root, host } = await ready(traits());
    for (const change of [
      { layer: 1 },
      { heads: [1] },
      { combine: "mean" },
      { mass: 0.5 },
      { orientation: "horizontal" },
    ]) {
      const [before, shown] = [framesOf(root), pixels(base(root))];
      host.fromPython(change);
      await settled(root);
      expect(framesOf(root), JSON.stringify(change)).toBe(before + 1);
      // One head alone is the same by itself and as a mean, but for its colour.
      expect(pixels(base(root)), JSON.stringify(change)).not.toBe(shown);
    }
  });

  it("draws nothing where no head is shown", async () => {
    const { root, host } = await ready(traits());
    host.fromPython({ heads: null });
    await settled(root);
    expect(inked(base(root))).toBe(0);
    expect(readout(root)).toMatch(/^no head is shown/);
  });
});

describe("hovering", () => {
  it.each(["query", "key"] as const)("a %s leaves the base as it is", async (side) => {
    const { root, host } = await ready(traits());
    const [frames, still] = [framesOf(root), pixels(base(root))];
    await userEvent.hover(token(root, side, 2));
    await until(() => inked(overlay(root)), "lines of the token");
    const verb = side === "query" ? "attends to" : "is attended by";
    const label = side === "query" ? "my" : "mon";
    expect(readout(root)).toMatch(new RegExp(`^${label} ${verb} \\S+ 0\\.\\d+ \\(head \\d\\), `));
    expect(framesOf(root)).toBe(frames);
    expect(pixels(base(root))).toBe(still);
    const other = side === "query" ? "key" : "query";
    const tinted = all(root, `[data-side="${other}"]`).filter((element) =>
      element.style.getPropertyValue("--tint"),
    );
    expect(tinted.length).toBe(side === "query" ? 7 : 6);
    expect(tinted.some((element) => /0\.\d{3}$/.test(element.textContent ?? ""))).toBe(true);
    await pointAway();
    await until(() => inked(overlay(root)) === 0, "an empty overlay");
    expect(readout(root)).toMatch(/^hover/);
    expect(framesOf(root)).toBe(frames);
    expect(pixels(base(root))).toBe(still);
    expect(host.sets).toEqual([]);
    expect(host.sent).toEqual([]);
  });

  it("a query tells its strongest key first", async () => {
    const { root } = await ready(traits());
    for (const query of [0, 3, 5]) {
      await userEvent.hover(token(root, "query", query));
      const start = `${QUERIES[query]} attends to ${strongest(query)} `;
      await until(() => readout(root).startsWith(start), start);
    }
  });

  it("a line tells both its ends and its value", async () => {
    const { root } = await ready(traits({ heads: [1], mass: 0.2 }));
    const scene = find(root, ".scene");
    const [canvas, box] = [base(root).getBoundingClientRect(), scene.getBoundingClientRect()];
    const middle = canvas.left - box.left + canvas.width / 2;
    let told = "";
    for (let y = 10; y < canvas.height && !told; y += 6) {
      await userEvent.hover(scene, { position: { x: middle, y } });
      await frame();
      await frame();
      if (!readout(root).startsWith("hover")) told = readout(root);
    }
    expect(told).toMatch(/^\S+ attends to \S+ 0\.\d+ \(head 1\)$/);
    expect(all(root, "[data-active]")).toHaveLength(2);
    await userEvent.click(scene, { position: { x: 2, y: 2 } });
  });

  it("another layer meanwhile shows that layer's lines", async () => {
    const { root, host } = await ready(traits());
    await userEvent.hover(token(root, "query", 3));
    await until(() => readout(root).startsWith("beautiful attends"), "the token");
    host.fromPython({ layer: 1 });
    const start = `beautiful attends to ${strongest(3, 1)} `;
    await until(() => readout(root).startsWith(start), start);
  });
});

describe("a line under the pointer", () => {
  /** Rests on the first line that is found down the middle; the place within the scene. */
  async function restOnLine(root: HTMLElement): Promise<{ x: number; y: number }> {
    const scene = find(root, ".scene");
    const [canvas, box] = [base(root).getBoundingClientRect(), scene.getBoundingClientRect()];
    const x = canvas.left - box.left + canvas.width / 2;
    for (let y = canvas.height - 4; y > 0; y -= 5) {
      await userEvent.hover(scene, { position: { x, y } });
      await frame();
      await frame();
      if (!readout(root).startsWith("hover")) return { x, y };
    }
    throw new Error("no line");
  }

  it("is none of another layer's when that comes", async () => {
    const { root, host } = await ready(traits({ mass: 0.3 }));
    await restOnLine(root);
    const frames = framesOf(root);
    host.fromPython({ layer: 1 });
    await until(() => framesOf(root) > frames, "the layer");
    await settled(root);
    expect(readout(root)).toMatch(/^hover/);
    expect(inked(overlay(root))).toBe(0);
  });

  it("gives way to what is pinned by a click on it", async () => {
    const { root, host } = await ready(traits());
    const position = await restOnLine(root);
    await userEvent.click(find(root, ".scene"), { position });
    await frame();
    await frame();
    const { pinned_queries, pinned_keys } = host.values as Record<string, number[]>;
    const [query, key] = [QUERIES[pinned_queries?.[0] ?? -1], KEYS[pinned_keys?.[0] ?? -1]];
    expect(readout(root).startsWith(`${query} attends to ${key} 0.`)).toBe(true);
    const here = readout(root);
    await pointAway();
    await frame();
    await frame();
    expect(readout(root)).toBe(here);
  });
});

describe("hovering, where Python observes", () => {
  it("tells what is hovered, at most ten times a second, and when nothing is", async () => {
    const { root, host } = await ready(traits({ observe_hover: true }));
    await userEvent.hover(token(root, "query", 3));
    await until(() => host.sent.some(({ hovered }) => hovered), "a report");
    expect(host.sent.at(-1)).toMatchObject({
      kind: "hover",
      hovered: { layer: 0, query: 3, key: null, head: null, weight: null },
    });
    const before = host.sent.length;
    const start = performance.now();
    for (let i = 0; i < 40; i++) {
      const target = token(root, i % 2 ? "query" : "key", i % 6);
      target.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, composed: true }));
      await frame();
    }
    const seconds = (performance.now() - start) / 1000;
    expect(host.sent.length - before).toBeLessThanOrEqual(Math.ceil(10 * seconds) + 1);
    await pointAway();
    await until(() => host.sent.at(-1)?.hovered === null, "the end of hovering");
  });

  it("is not told where it does not", async () => {
    const { root, host } = await ready(traits());
    await userEvent.hover(token(root, "query", 3));
    await until(() => inked(overlay(root)), "lines");
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(host.sent).toEqual([]);
  });
});

describe("data that change", () => {
  it("keep the view alive, with the state that fits", async () => {
    const { root, host } = await ready(traits({ pinned_queries: [2], heads: [1] }));
    const frames = framesOf(root);
    await userEvent.hover(token(root, "key", 1));
    const next = [attention(3, 6, 7, 9)];
    host.fromPython(
      mapTraits({ revision: 2, layers: next, queries: { labels: QUERIES }, keys: { labels: KEYS } }),
    );
    await until(() => framesOf(root) > frames, "a new picture");
    await settled(root);
    expect(all(root, '[aria-selected="true"]').map(({ dataset }) => dataset.index)).toEqual(["2"]);
    expectState(host, { pinned_queries: [2], heads: [1] });
    expect(root.dataset.status).toBe("ready");
  });

  it("may be of another size and other tokens", async () => {
    const { root, host } = await ready(traits());
    const labels = ["a", "b", "c"];
    host.fromPython(
      mapTraits({ revision: 2, layers: [attention(1, 3, 3)], queries: { labels }, keys: null }),
    );
    await until(() => all(root, '[data-side="query"]').length === 3, "other tokens");
    await settled(root);
    expect(all(root, '[data-side="key"]').map((element) => element.textContent)).toEqual(labels);
    expect(inked(base(root))).toBeGreaterThan(100);
    await userEvent.hover(token(root, "query", 1));
    await until(() => readout(root).startsWith("b attends to"), "their lines");
  });

  it("that come layer by layer are drawn when they come", async () => {
    const content = traits()._content;
    const { root, host } = await ready({
      _content: content,
      _block: blockTrait({ layers: LAYERS.slice(0, 1) }),
    });
    const frames = framesOf(root);
    host.onSend = () => {};
    host.fromPython({ layer: 1 });
    const message = find(root, ".message");
    await until(() => !message.hidden && message.textContent === "loading this layer …", "word of loading");
    host.fromPython({ _block: blockTrait({ first: 1, layers: LAYERS.slice(1) }) });
    await until(() => message.hidden, "the layer");
    await settled(root);
    expect(framesOf(root)).toBeGreaterThan(frames);
    await userEvent.hover(token(root, "query", 0));
    await until(() => readout(root).startsWith(`I attends to ${strongest(0, 1)} `), "its lines");
  });
});
