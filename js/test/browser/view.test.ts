import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, blockTrait, mapTraits } from "../fakes.ts";
import {
  all,
  base,
  endAll,
  expectState,
  find,
  focused,
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

afterEach(endAll);

const QUERIES = ["I", "see", "my", "beautiful", "cat", "."];
const KEYS = ["je", "vois", "mon", "beau", "chat", ".", "</s>"];
const layers = [attention(3, 6, 7, 1), attention(3, 6, 7, 2)];
const traits = (more: Record<string, unknown> = {}) => ({
  ...mapTraits({ layers, queries: { labels: QUERIES }, keys: { labels: KEYS, special: [6] } }),
  map: "attention",
  layer: 0,
  heads: [],
  pinned_queries: [],
  pinned_keys: [],
  ...more,
});

/** Text selected in a shadow root, which only Chromium tells. */
const selected = (root: HTMLElement): string =>
  (root.getRootNode() as unknown as { getSelection(): Selection | null }).getSelection()?.toString() ?? "";

/** The strongest key of a query over the heads of a layer, as the readout has it. */
function strongest(query: number, layer = 0): string {
  const { heads, keys, values, queries } = layers[layer] as (typeof layers)[0];
  let [best, at] = [-1, 0];
  for (let head = 0; head < heads; head++) {
    for (let key = 0; key < keys; key++) {
      const weight = values[(head * queries + query) * keys + key] as number;
      if (weight > best) [best, at] = [weight, key];
    }
  }
  return KEYS[at] as string;
}

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

describe("pinning by pointer", () => {
  const pinned = (root: HTMLElement) =>
    all(root, '[aria-selected="true"]').map((element) => `${element.dataset.side} ${element.dataset.index}`);

  it("pins, adds, unpins and clears, and Python hears of it", async () => {
    const { root, host } = await ready(traits());
    const [frames, still] = [framesOf(root), pixels(base(root))];
    await userEvent.click(token(root, "query", 2));
    await until(() => pinned(root).length === 1, "a pin");
    expectState(host, { pinned_queries: [2], pinned_keys: [] });
    await userEvent.keyboard("{Shift>}");
    await userEvent.click(token(root, "query", 4));
    await userEvent.click(token(root, "key", 1));
    await userEvent.keyboard("{/Shift}");
    expectState(host, { pinned_queries: [2, 4], pinned_keys: [1] });
    await until(() => pinned(root).length === 3, "three pins");
    await pointAway();
    await until(() => readout(root).startsWith("my + cat attend to vois"), "their joint attention");
    expect(inked(overlay(root))).toBeGreaterThan(0);
    await userEvent.click(token(root, "query", 4));
    expectState(host, { pinned_queries: [4], pinned_keys: [] });
    await userEvent.click(token(root, "query", 4));
    expectState(host, { pinned_queries: [], pinned_keys: [] });
    await userEvent.click(token(root, "key", 3));
    await userEvent.keyboard("{Escape}");
    expectState(host, { pinned_queries: [], pinned_keys: [] });
    await until(() => pinned(root).length === 0, "no pin");
    expect(framesOf(root)).toBe(frames);
    expect(pixels(base(root))).toBe(still);
    await until(() => host.saved.length > 0, "a save");
    for (const saved of host.saved) {
      for (const name of Object.keys(saved)) expect(name).toMatch(/^pinned_(queries|keys)$/);
    }
  });

  it("sets only what a click changes", async () => {
    const { root, host } = await ready(traits());
    await userEvent.click(token(root, "query", 2));
    expect(host.sets).toEqual([["pinned_queries", [2]]]);
    await userEvent.click(token(root, "key", 3));
    expect(host.sets.slice(1)).toEqual([
      ["pinned_queries", []],
      ["pinned_keys", [3]],
    ]);
  });

  it("pins both ends of a line, and shows the lines between them", async () => {
    const { root, host } = await ready(traits({ mass: 0.2 }));
    const scene = find(root, ".scene");
    const [canvas, box] = [base(root).getBoundingClientRect(), scene.getBoundingClientRect()];
    const x = canvas.left - box.left + canvas.width / 2;
    let y = 4;
    for (; y < canvas.height; y += 6) {
      await userEvent.hover(scene, { position: { x, y } });
      await frame();
      await frame();
      if (!readout(root).startsWith("hover")) break;
    }
    await userEvent.click(scene, { position: { x, y } });
    const { pinned_queries, pinned_keys } = host.values as Record<string, number[]>;
    expect(pinned_queries).toHaveLength(1);
    expect(pinned_keys).toHaveLength(1);
    await pointAway();
    const [query, key] = [QUERIES[pinned_queries?.[0] ?? -1], KEYS[pinned_keys?.[0] ?? -1]];
    await until(() => readout(root).startsWith(`${query} attends to ${key} 0.`), "the line in words");
  });

  it("leaves text alone that is selected to be copied", async () => {
    const { root, host } = await ready(traits());
    const word = token(root, "query", 3);
    const { left, top, width } = find(word, ".label").getBoundingClientRect();
    const press = (type: string, clientX: number) =>
      word.dispatchEvent(new MouseEvent(type, { clientX, clientY: top + 5, bubbles: true, composed: true }));
    press("mousedown", left + 2);
    document.getSelection()?.selectAllChildren(find(word, ".label"));
    expect(selected(root)).toBe("beautiful");
    press("mouseup", left + width - 2);
    press("click", left + width - 2);
    expect(host.sets).toEqual([]);
    await userEvent.click(word);
    expectState(host, { pinned_queries: [3] });
  });

  it("shows what Python pins", async () => {
    const { root, host } = await ready(traits());
    host.fromPython({ pinned_queries: [0, 5] });
    await until(() => pinned(root).join() === "query 0,query 5", "Python's pins");
    expect(readout(root)).toMatch(/^I \+ \. attend to /);
    host.fromPython({ pinned_queries: [] });
    await until(() => pinned(root).length === 0, "none");
    expect(host.sets).toEqual([]);
  });

  it("starts with what was pinned before", async () => {
    const { root } = await ready(traits({ pinned_keys: [4] }));
    await until(() => pinned(root).join() === "key 4", "the pin");
    expect(readout(root)).toMatch(/^chat is attended by /);
    expect(inked(overlay(root))).toBeGreaterThan(0);
  });
});

describe("the keyboard", () => {
  const at = () => {
    const element = focused();
    return `${element?.dataset.side} ${element?.dataset.index}`;
  };

  it("reaches each side by one tab stop", async () => {
    const { root } = await ready(traits());
    for (const side of ["query", "key"]) {
      expect(all(root, `[data-side="${side}"][tabindex="0"]`)).toHaveLength(1);
    }
    const controls = all(root, ".bar button, .bar select").filter((element) => element.offsetParent !== null);
    controls.at(-1)?.focus();
    await userEvent.tab();
    expect(at()).toBe("query 0");
    await userEvent.tab();
    expect(at()).toBe("key 0");
    await userEvent.tab({ shift: true });
    expect(at()).toBe("query 0");
    await userEvent.keyboard("{ArrowDown}{ArrowDown}");
    await userEvent.tab();
    await userEvent.tab({ shift: true });
    expect(at()).toBe("query 2");
    expect(all(root, '[data-side="query"][tabindex="0"]')).toHaveLength(1);
  });

  it("moves, crosses, and shows what is reached", async () => {
    const { root } = await ready(traits());
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    await userEvent.keyboard("{ArrowDown}{ArrowDown}{ArrowUp}");
    expect(at()).toBe("query 1");
    await until(() => readout(root).startsWith("see attends to"), "the token in words");
    await until(() => find(root, ".live").textContent?.startsWith("see attends to"), "the token aloud");
    await userEvent.keyboard("{End}");
    expect(at()).toBe("query 5");
    await userEvent.keyboard("{ArrowRight}");
    expect(at()).toBe("key 5");
    await userEvent.keyboard("{ArrowDown}");
    expect(at()).toBe("key 6");
    await until(() => readout(root).startsWith("</s> is attended by"), "the key in words");
    await userEvent.keyboard("{ArrowLeft}");
    expect(at()).toBe("query 5");
    await userEvent.keyboard("{Home}{ArrowUp}");
    expect(at()).toBe("query 0");
    expect(inked(overlay(root))).toBeGreaterThan(0);
  });

  it("goes along rows where tokens stand in rows", async () => {
    const { root } = await ready(traits({ orientation: "horizontal" }));
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    await userEvent.keyboard("{ArrowRight}{ArrowRight}{ArrowLeft}");
    expect(at()).toBe("query 1");
    await userEvent.keyboard("{ArrowDown}");
    expect(at()).toBe("key 1");
    await userEvent.keyboard("{ArrowUp}");
    expect(at()).toBe("query 1");
  });

  it("pins, adds and clears", async () => {
    const { root, host } = await ready(traits());
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    await userEvent.keyboard("{ArrowDown}{Enter}");
    expectState(host, { pinned_queries: [1] });
    await userEvent.keyboard("{ArrowDown}{Shift>}{Enter}{/Shift}");
    expectState(host, { pinned_queries: [1, 2] });
    await userEvent.keyboard("{ArrowRight}{Shift>} {/Shift}");
    expectState(host, { pinned_queries: [1, 2], pinned_keys: [2] });
    expect(at()).toBe("key 2");
    await userEvent.keyboard("{Escape}");
    expectState(host, { pinned_queries: [], pinned_keys: [] });
    await userEvent.keyboard(" ");
    expectState(host, { pinned_keys: [2] });
    await userEvent.keyboard(" ");
    expectState(host, { pinned_keys: [] });
  });

  it("changes layer, heads and text size", async () => {
    const { root, host } = await ready(traits());
    token(root, "query", 0).focus();
    await userEvent.keyboard("]");
    expectState(host, { layer: 1 });
    await userEvent.keyboard("]");
    expectState(host, { layer: 1 });
    await userEvent.keyboard("[[[[");
    expectState(host, { layer: 0 });
    await userEvent.keyboard("}");
    expectState(host, { heads: [0] });
    await userEvent.keyboard("}");
    expectState(host, { heads: [1] });
    await userEvent.keyboard("{{");
    expectState(host, { heads: [0] });
    await userEvent.keyboard("{{");
    expectState(host, { heads: [2] });
    await userEvent.keyboard("a");
    expectState(host, { heads: [] });
    await settled(root);
    const size = () => Number.parseFloat(getComputedStyle(token(root, "query", 0)).height);
    const before = size();
    await userEvent.keyboard("+");
    expect(size()).toBeGreaterThan(before);
    await userEvent.keyboard("-");
    expect(size()).toBe(before);
    await userEvent.keyboard("-");
    expect(size()).toBeLessThan(before);
    expect(host.sets.every(([name]) => name === "layer" || name === "heads")).toBe(true);
  });

  it("opens and closes help", async () => {
    const { root } = await ready(traits());
    const help = find(root, ".help");
    expect(help.hidden).toBe(true);
    token(root, "query", 0).focus();
    await userEvent.keyboard("?");
    expect(help.hidden).toBe(false);
    expect(find(root, '[aria-label="help"]').getAttribute("aria-expanded")).toBe("true");
    await userEvent.keyboard("?");
    expect(help.hidden).toBe(true);
  });

  it("keeps its keys from the notebook, but Escape, Tab and shortcuts", async () => {
    const { root } = await ready(traits());
    const heard: string[] = [];
    const controller = new AbortController();
    document.addEventListener(
      "keydown",
      ({ key, defaultPrevented }) => heard.push(`${key} ${defaultPrevented}`),
      {
        signal: controller.signal,
      },
    );
    token(root, "query", 0).focus();
    await userEvent.keyboard("a]{Escape}x");
    token(root, "query", 0).dispatchEvent(
      new KeyboardEvent("keydown", {
        key: "a",
        ctrlKey: true,
        bubbles: true,
        composed: true,
        cancelable: true,
      }),
    );
    controller.abort();
    expect(heard).toEqual(["Escape false", "x false", "a false"]);
    // JupyterLab sees the host of the shadow root, not what stands inside.
    const { host: outer } = root.getRootNode() as ShadowRoot;
    expect((outer as HTMLElement).dataset.lmSuppressShortcuts).toBe("true");
  });

  it("shows where it is", async () => {
    const { root } = await ready(traits());
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    for (const element of [focused(), ...all(root, ".bar button:not(:disabled), .bar select")]) {
      if (!element || element.offsetParent === null) continue;
      element.focus();
      await userEvent.keyboard("{F9}");
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      expect([element.className || element.tagName, outlineStyle, outlineWidth]).toEqual([
        element.className || element.tagName,
        "solid",
        "2px",
      ]);
    }
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
      _block: blockTrait({ layers: layers.slice(0, 1) }),
    });
    const frames = framesOf(root);
    host.onSend = () => {};
    host.fromPython({ layer: 1 });
    const message = find(root, ".message");
    await until(() => !message.hidden && message.textContent === "loading this layer …", "word of loading");
    host.fromPython({ _block: blockTrait({ first: 1, layers: layers.slice(1) }) });
    await until(() => message.hidden, "the layer");
    await settled(root);
    expect(framesOf(root)).toBeGreaterThan(frames);
    await userEvent.hover(token(root, "query", 0));
    await until(() => readout(root).startsWith(`I attends to ${strongest(0, 1)} `), "its lines");
  });
});
