/// <reference types="@vitest/browser-playwright" />
import { afterEach, describe, expect, it } from "vitest";
import { cdp, userEvent } from "vitest/browser";
import entry from "../../src/index.ts";
import { attention, blockTrait, FakeHost, mapTraits } from "../fakes.ts";
import {
  all,
  base,
  endAll,
  expectState,
  find,
  frame,
  framesOf,
  inked,
  mount,
  overlay,
  pixels,
  pointAway,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(async () => {
  await endAll();
  document.body.removeAttribute("data-jp-theme-light");
});

const STATE = { map: "attention", layer: 0, heads: [], pinned_queries: [], pinned_keys: [] };
const traits = (more: Record<string, unknown> = {}, seed = 1) => ({
  ...mapTraits({ layers: [attention(3, 6, 7, seed), attention(3, 6, 7, seed + 1)] }),
  ...STATE,
  ...more,
});
const height = (root: HTMLElement) => token(root, "query", 0).getBoundingClientRect().height;

describe("two views of one model", () => {
  /** As Jupyter does it: each view has a proxy of the model. */
  const proxyOf = (host: FakeHost): FakeHost =>
    ({
      get: (name: string) => host.get(name),
      set: (name: string, value: unknown) => host.set(name, value),
      save_changes: () => host.save_changes(),
      on: (event: string, callback: () => void) => host.on(event, callback),
      off: (event: string, callback: () => void) => host.off(event, callback),
      send: (content: unknown) => host.send?.(content),
    }) as unknown as FakeHost;

  it.each([
    ["the model itself", (host: FakeHost) => host],
    ["a proxy each", proxyOf],
  ])("share pins and layer, but neither text size nor hover: %s", async (_, hand) => {
    const host = new FakeHost(traits());
    const widget = entry();
    const one = await ready({}, { widget, host: hand(host), width: 600 });
    const two = await ready({}, { widget, host: hand(host), width: 400 });
    await userEvent.click(token(one.root, "query", 2));
    await until(() => all(two.root, "[aria-selected=true]").length === 1, "the pin in the other view");
    await pointAway();
    await until(() => readout(two.root) === readout(one.root), "the same words");
    expect(readout(one.root)).toMatch(/^t2 attends to/);
    expect(host.sets).toEqual([["pinned_queries", [2]]]);

    await userEvent.click(token(two.root, "query", 2));
    await until(() => all(one.root, "[aria-selected=true]").length === 0, "no pin");
    token(one.root, "query", 1).focus();
    await userEvent.keyboard("+");
    expect(height(one.root)).toBeGreaterThan(height(two.root));
    await userEvent.hover(token(one.root, "key", 1));
    await until(() => readout(one.root).startsWith("k1 is attended by"), "a hover");
    expect(readout(two.root)).toMatch(/^hover/);
    expect(inked(overlay(two.root))).toBe(0);

    two.end();
    await userEvent.keyboard("]");
    await settled(one.root);
    expectState(host, { layer: 1 });
    expect(base(one.root).getAttribute("aria-label")).toMatch("layer 1");
    one.end();
    expect(host.listening).toBe(0);
  });
});

it("two widgets mind their own business", async () => {
  const one = await ready(traits());
  const two = await ready(traits({}, 5));
  const [shown, frames] = [pixels(base(two.root)), framesOf(two.root)];
  await userEvent.click(token(one.root, "query", 2));
  await userEvent.keyboard("]");
  await settled(one.root);
  expect(two.host.sets).toEqual([]);
  expect([pixels(base(two.root)), framesOf(two.root)]).toEqual([shown, frames]);
  expect(readout(two.root)).toMatch(/^hover/);
});

describe("a place", () => {
  it.each(["dark", "light"])("may be attached after rendering, where it is %s", async (theme) => {
    const { el, root } = mount(traits(), { attach: false });
    for (let i = 0; i < 10; i++) await frame();
    expect(root.dataset.status).toBe("loading");
    const around = document.createElement("div");
    around.className = theme;
    document.body.append(around);
    around.append(el);
    await settled(root);
    expect(inked(base(root))).toBeGreaterThan(1000);
    await until(() => root.dataset.theme === theme, theme);
    around.remove();
  });

  it("may be taken away and come back, as JupyterLab does with cells out of sight", async () => {
    const { el, root } = await ready(traits());
    const shown = pixels(base(root));
    const parent = el.parentElement as HTMLElement;
    el.remove();
    for (let i = 0; i < 5; i++) await frame();
    parent.append(el);
    await settled(root);
    expect(pixels(base(root))).toBe(shown);
    await userEvent.hover(token(root, "query", 2));
    await until(() => readout(root).startsWith("t2 attends to"), "life in it");
  });

  it("may be hidden first and grow later", async () => {
    const { el, root } = mount(traits(), { attach: false });
    el.style.display = "none";
    document.body.append(el);
    for (let i = 0; i < 10; i++) await frame();
    expect(framesOf(root)).toBe(0);
    el.style.display = "";
    await settled(root);
    expect(inked(base(root))).toBeGreaterThan(1000);
  });

  it("may have no width first", async () => {
    const { el, root } = mount(traits(), { width: 0 });
    for (let i = 0; i < 10; i++) await frame();
    el.style.width = "600px";
    await until(() => inked(base(root)) > 1000, "a picture");
    await settled(root);
    expect(root.dataset.status).toBe("ready");
  });

  it.each([
    [320, ["a", "somewhat longer", "x".repeat(300), "end"]],
    [320, ["a", "b", "c", "d"]],
    [480, ["a", "somewhat longer", "x".repeat(300), "end"]],
    [480, ["a", "b", "c", "d"]],
    [1200, ["a", "somewhat longer", "x".repeat(300), "end"]],
  ])("may be %i px wide, and nothing overlaps or sticks out: %j", async (width, labels) => {
    const { el, root } = await ready(
      { ...mapTraits({ layers: [attention(12, 4, 4)], queries: { labels }, keys: { labels } }), ...STATE },
      { width },
    );
    const around = el.getBoundingClientRect();
    for (const part of all(root, ".token, canvas.base, .bar > *, .readout, .legend, .chip, .heading")) {
      if (part.offsetParent === null) continue;
      const { left, right } = part.getBoundingClientRect();
      expect(left, part.className).toBeGreaterThanOrEqual(around.left - 0.5);
      expect(right, part.className).toBeLessThanOrEqual(around.right + 0.5);
    }
    const [query, key] = [token(root, "query", 2), token(root, "key", 2)].map((t) =>
      t.getBoundingClientRect(),
    );
    expect(query?.right).toBeLessThan(key?.left as number);
    expect(root.scrollWidth).toBeLessThanOrEqual(root.clientWidth);
  });

  it("may change its width", async () => {
    const { el, root } = await ready(traits(), { width: 700 });
    const before = token(root, "key", 0).getBoundingClientRect().left;
    const frames = framesOf(root);
    el.style.width = "360px";
    await until(() => framesOf(root) > frames, "a new picture");
    await settled(root);
    expect(token(root, "key", 0).getBoundingClientRect().left).toBeLessThan(before);
    expect(root.scrollWidth).toBeLessThanOrEqual(root.clientWidth);
  });

  it("may move to a screen of more pixels", async () => {
    const { root } = await ready(traits());
    const canvas = base(root);
    const ratio = () => canvas.width / canvas.clientWidth;
    const before = ratio();
    expect(before).toBeCloseTo(devicePixelRatio, 1);
    const { innerWidth, innerHeight } = window.top as Window;
    const screen = devicePixelRatio;
    // An emulated screen tells its media queries only of a change of size.
    const setScreen = (deviceScaleFactor: number, wider: number) =>
      cdp().send("Emulation.setDeviceMetricsOverride", {
        width: innerWidth + wider,
        height: innerHeight,
        deviceScaleFactor,
        mobile: false,
      });
    await setScreen(2 * screen, 1);
    await until(() => ratio() > 1.9 * before, "more pixels");
    await settled(root);
    expect(inked(canvas)).toBeGreaterThan(1000);
    await setScreen(screen, 0);
    await until(() => ratio() < 1.1 * before, "fewer pixels");
  });
});

describe("the theme", () => {
  it("follows the notebook, with other colours", async () => {
    document.body.setAttribute("data-jp-theme-light", "true");
    const { root } = await ready(traits());
    const [light, frames] = [pixels(base(root)), framesOf(root)];
    expect(root.dataset.theme).toBe("light");
    document.body.setAttribute("data-jp-theme-light", "false");
    await until(() => root.dataset.theme === "dark" && framesOf(root) > frames, "the dark picture");
    await settled(root);
    expect(framesOf(root)).toBe(frames + 1);
    expect(pixels(base(root))).not.toBe(light);
    document.body.setAttribute("data-jp-theme-light", "true");
    await until(() => pixels(base(root)) === light, "the light picture again");
  });

  it("is what Python says", async () => {
    document.body.setAttribute("data-jp-theme-light", "true");
    const { root, host } = await ready(traits({ theme: "dark" }));
    expect(root.dataset.theme).toBe("dark");
    host.fromPython({ theme: "light" });
    await until(() => root.dataset.theme === "light", "light");
    host.fromPython({ theme: "auto" });
    document.body.setAttribute("data-jp-theme-light", "false");
    await until(() => root.dataset.theme === "dark", "the notebook's");
  });
});

describe("a map", () => {
  const shownBy = (root: HTMLElement) => {
    const message = find(root, ".message");
    return message.hidden ? null : message.textContent;
  };

  it("of another version is refused, in words, until one of this version comes", async () => {
    const { root, host } = mount({ ...traits(), ...mapTraits({ v: 9 }) });
    await until(() => root.dataset.status === "error", "the refusal");
    const failed = find(root, ".failed");
    expect(failed.hidden).toBe(false);
    expect(failed.textContent).toMatch(/version 1 .* version 9: reload the page/);
    expect(find(root, ".views").hidden).toBe(true);
    host.fromPython(mapTraits());
    await settled(root);
    expect(failed.hidden).toBe(true);
    expect(find(root, ".views").hidden).toBe(false);
  });

  it("that has not come is awaited", async () => {
    const { root, host } = mount({ ...STATE });
    for (let i = 0; i < 10; i++) await frame();
    expect(root.dataset.status).toBe("loading");
    host.fromPython(traits());
    await settled(root);
    expect(inked(base(root))).toBeGreaterThan(1000);
  });

  it.each([
    [
      "without positions",
      { heads: 2, queries: 0, keys: 0, values: new Float32Array(0) },
      "it has no positions",
    ],
    ["without keys", { heads: 2, queries: 3, keys: 0, values: new Float32Array(0) }, "it has no positions"],
    ["without heads", { heads: 0, queries: 3, keys: 3, values: new Float32Array(0) }, "no layers or heads"],
  ])("%s says so", async (_, layer, words) => {
    const { root } = await ready({ ...mapTraits({ layers: [layer] }), ...STATE });
    expect(shownBy(root)).toMatch(words);
  });

  it("of one weight is drawn", async () => {
    const one = { heads: 1, queries: 1, keys: 1, values: Float32Array.of(1) };
    const { root } = await ready({ ...mapTraits({ layers: [one] }), ...STATE });
    expect(inked(base(root))).toBeGreaterThan(100);
    await userEvent.hover(token(root, "query", 0));
    await until(() => readout(root) === "t0 attends to k0 1", "its weight");
  });

  it("with missing, infinite and negative weights is drawn, and says what is missing", async () => {
    const values = Float32Array.of(NaN, 0.5, Infinity, -0.25, 0, 1);
    const { root } = await ready({
      ...mapTraits({ layers: [{ heads: 1, queries: 2, keys: 3, values }], kind: "score" }),
      ...STATE,
    });
    expect(inked(base(root))).toBeGreaterThan(100);
    expect(find(root, ".legend").textContent).toMatch("1 score is missing (NaN)");
    await userEvent.hover(token(root, "query", 0));
    await until(() => readout(root) === "t0 scores k2 ∞, k1 0.5", "the infinite first");
    await userEvent.hover(token(root, "query", 1));
    await until(() => readout(root) === "t1 scores k2 1, k0 −0.25", "signs");
  });

  it("says which part of a layer is hidden", async () => {
    const { root, host } = await ready(traits());
    expect(find(root, ".legend").textContent).toMatch("rows sum to 1");
    host.fromPython({ top_k: 1 });
    await until(() => /\d+ % of the weight is hidden/.test(find(root, ".legend").innerText), "the share");
  });

  it("has a layer that neither is here nor comes: the page says so in its place", async () => {
    const layers = [attention(3, 6, 7, 1), attention(3, 6, 7, 2)];
    const { root, host } = await ready(
      { ...traits(), _block: blockTrait({ layers: layers.slice(0, 1) }) },
      { kind: { sends: false } },
    );
    host.fromPython({ layer: 1 });
    await until(
      () => shownBy(root)?.includes("not stored in the page and needs a running kernel"),
      "the reason",
    );
    await settled(root);
    expect(inked(base(root))).toBe(0);
    host.fromPython({ layer: 0 });
    await until(() => shownBy(root) === null, "the layer that is here");
    await settled(root);
    expect(inked(base(root))).toBeGreaterThan(1000);
  });

  it("is not ready before its first complete picture", async () => {
    const layers = [attention(3, 6, 7, 1)];
    const { root, host } = mount({ ...traits(), _block: undefined });
    await until(() => shownBy(root) === "loading this layer …", "word of loading");
    for (let i = 0; i < 10; i++) await frame();
    expect(root.dataset.status).toBe("loading");
    host.fromPython({ _block: blockTrait({ layers }) });
    await settled(root);
    expect(shownBy(root)).toBeNull();
  });
});

describe("text that is not to be trusted", () => {
  const NASTY = [
    "<img src=x onerror=globalThis.harmed=true>",
    "</script><script>globalThis.harmed=true</script>",
    "</style><svg onload=globalThis.harmed=true>",
    "\"'><b>bold</b>",
    "&lt;i&gt;",
    "a\u0000b\u202ec\n\td",
    "",
    "x".repeat(10_000),
  ];

  it("is text wherever it stands", async () => {
    const labels = NASTY;
    const special = [0];
    const words = { starts: [0, 1, 2], labels: NASTY.slice(0, 3), special };
    const exact = Object.fromEntries(labels.map((label, i) => [i, `${label}!`]));
    const count = labels.length;
    const { root, host } = await ready({
      ...mapTraits({
        layers: [attention(3, count, count)],
        queries: { labels, exact, special, words },
        keys: { labels, exact, special, words },
        maps: NASTY.slice(0, 4),
      }),
      ...STATE,
      map: NASTY[0],
      observe_hover: true,
    });
    const harmless = () => {
      expect((globalThis as { harmed?: boolean }).harmed).toBeUndefined();
      expect(all(root, "img, script, svg, i, iframe, object, [onerror], [onload]")).toEqual([]);
      for (const bold of all(root, "b")) expect(bold.children).toHaveLength(0);
    };
    expect(all(root, '[data-side="query"]').map((element) => find(element, ".label").textContent)).toEqual(
      labels,
    );
    harmless();
    for (let i = 0; i < count; i++) {
      token(root, i % 2 ? "query" : "key", i).dispatchEvent(
        new PointerEvent("pointerover", { bubbles: true, composed: true }),
      );
      await frame();
      await frame();
      harmless();
    }
    token(root, "query", 0).focus();
    await userEvent.keyboard("{Enter}?");
    host.fromPython({ pinned_keys: [1, 2, 3], words: true });
    await settled(root);
    harmless();
    host.fromPython({ words: false, orientation: "horizontal" });
    await settled(root);
    harmless();
    host.fromPython({ pinned_keys: [], pinned_queries: [], height: 200 });
    host.fromPython({ _content: { ...(mapTraits({ v: 3 })._content as object), v: NASTY[0] }, _block: {} });
    await settled(root);
    harmless();
  });
});
