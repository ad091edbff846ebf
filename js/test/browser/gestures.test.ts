import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { large, send } from "./heatmap.ts";
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
import { KEYS, QUERIES, traits } from "./translation.ts";

afterEach(endAll);

/** Text selected in a shadow root, which only Chromium tells. */
const selected = (root: HTMLElement): string =>
  (root.getRootNode() as unknown as { getSelection(): Selection | null }).getSelection()?.toString() ?? "";

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

describe("the map of the whole length", () => {
  it("scrolls to where it is dragged", async () => {
    const { root } = await ready(large(200, { view: "lines" }));
    const [scroller, minimap] = [find(root, ".scroller"), find(root, ".minimap")];
    const { left, top, height } = minimap.getBoundingClientRect();
    const middle = () => (scroller.scrollTop + scroller.clientHeight / 2) / scroller.scrollHeight;
    const drag = (type: string, share: number, buttons: number) =>
      send(minimap, type, [left + 5, top + share * height], { buttons });
    drag("pointermove", 0.5, 0);
    expect(scroller.scrollTop).toBe(0);
    drag("pointerdown", 0.5, 1);
    expect(middle()).toBeCloseTo(0.5, 1);
    drag("pointermove", 0.75, 1);
    expect(middle()).toBeCloseTo(0.75, 1);
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
