/** The heads view, as a person finds it. */
import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { STATISTICS, statisticsOf } from "../../src/heads/statistics.ts";
import { thumbnailOf } from "../../src/heads/thumbnails.ts";
import { HeadsView } from "../../src/heads/view.ts";
import { createLifetime } from "../../src/lifetime.ts";
import { Model } from "../../src/model.ts";
import { Store } from "../../src/store.ts";
import type { Theme } from "../../src/theme.ts";
import { attention, FakeHost, type HostKind, mapTraits, pack, type Sent, tokens } from "../fakes.ts";
import {
  all,
  choose,
  endAll,
  expectState,
  find,
  frame,
  framesOf,
  inked,
  type Mounted,
  mount,
  pixels,
  readout,
  ready,
  settled,
  until,
} from "./mounted.ts";

afterEach(async () => {
  await endAll();
  document.body.removeAttribute("style");
});

const LAYERS = [attention(4, 9, 9, 1, 9), attention(4, 9, 9, 2, 2), attention(4, 9, 9, 3, 14)];
const traits = (more: Record<string, unknown> = {}) => ({
  ...mapTraits({ layers: LAYERS, keys: null }),
  ...{ view: "heads", map: "attention", layer: 1, heads: [2], pinned_queries: [], pinned_keys: [] },
  ...more,
});

/** A kernel that holds a map too large for the page, and answers when it is told to. */
class Kernel {
  readonly host: FakeHost;
  readonly asked: Sent[] = [];
  readonly #shape: readonly [layers: number, heads: number, size: number];
  readonly #revision: number;
  exact = true;

  constructor(
    layers: number,
    heads: number,
    size: number,
    more: Record<string, unknown> = {},
    kind: HostKind = {},
  ) {
    this.#shape = [layers, heads, size];
    this.#revision = 1;
    const map = mapTraits({ queries: tokens(size), keys: null, layers: [attention(1, 1, 1)] });
    const _content = { ...(map._content as object), shape: [layers, heads, size, size] };
    this.host = new FakeHost({ view: "heads", map: "m", layer: 0, heads: [], _content, ...more }, kind);
    this.host.onSend = (message) => {
      if (message.kind === "thumbnails") this.asked.push(message);
    };
  }

  /** Answer what has been asked for and not yet answered. */
  answer(): void {
    for (const request of this.asked.splice(0)) {
      const { layers, size, hold } = request as unknown as Record<"layers" | "size", [number, number]> & {
        hold: boolean;
      };
      const [, heads] = this.#shape;
      const [[first, last], [rows, columns]] = [layers, size];
      const count = (last - first) * heads;
      const weights = attention(heads, 24, 24, 5, 9);
      const codes = new Uint8Array(count * rows * columns);
      const full = new Float32Array(count);
      const statistics = new Float32Array(count * STATISTICS.length);
      for (let layer = first; layer < last; layer++) {
        statistics.set(statisticsOf(weights), (layer - first) * heads * STATISTICS.length);
        for (let head = 0; head < heads; head++) {
          const at = (layer - first) * heads + head;
          const found = thumbnailOf(weights, head, rows, columns, false);
          codes.set(found.codes, at * rows * columns);
          full[at] = found.full;
        }
      }
      const arrays = {
        max: pack(codes, [last - first, heads, rows, columns]),
        full: pack(full, [last - first, heads]),
        statistics: pack(statistics, [last - first, heads, STATISTICS.length]),
      };
      const fields = { layers, size, signed: false, exact: this.exact };
      if (!hold) this.host.reply(request, arrays, fields);
      else {
        this.host.fromPython({
          _thumbnails: { revision: this.#revision, request: { layers, size }, ...fields, arrays },
        });
        this.host.reply(request, {}, { held: true });
      }
    }
  }
}

const grid = (root: HTMLElement) => find(root, ".heads-grid");
const frameAt = (root: HTMLElement) => find(root, ".frame.outer");
const count = (root: HTMLElement) => find(root, ".choices .end").textContent ?? "";
const canvases = (root: HTMLElement) => all(root, ".band canvas") as HTMLCanvasElement[];

/** Where a head is on the page, found by asking the view. */
function pointOf(root: HTMLElement, layer: number, head: number): { clientX: number; clientY: number } {
  const box = grid(root).getBoundingClientRect();
  for (let y = 2; y < box.height; y += 5) {
    for (let x = 30; x < box.width; x += 5) {
      const point = { clientX: box.left + x, clientY: box.top + y };
      grid(root).dispatchEvent(new PointerEvent("pointermove", point));
      const { dataset, hidden } = frameAt(root);
      if (!hidden && dataset.layer === String(layer) && dataset.head === String(head)) return point;
    }
  }
  throw new Error(`no head ${head} of layer ${layer}`);
}

const click = (root: HTMLElement, layer: number, head: number, more: MouseEventInit = {}) =>
  grid(root).dispatchEvent(
    new MouseEvent("click", { ...pointOf(root, layer, head), bubbles: true, ...more }),
  );

describe("a map that is in the page", () => {
  it("shows every head, and asks for nothing", async () => {
    const { root, host } = await ready(traits());
    expect(find(root, "[data-view]").dataset.view).toBe("heads");
    expect(canvases(root).reduce((sum, canvas) => sum + inked(canvas), 0)).toBeGreaterThan(10_000);
    expect(all(root, ".axis").map(({ textContent }) => textContent)).toEqual(["H0", "H1", "H2", "H3"]);
    expect(all(root, ".band .layer").map(({ textContent }) => textContent)).toEqual(["L0", "L1", "L2"]);
    expect(host.sent.filter(({ kind }) => kind === "thumbnails")).toEqual([]);
    expect(count(root)).toBe("");
  });

  it("says a hovered head's numbers, and redraws nothing", async () => {
    const { root } = await ready(traits());
    const [frames, before] = [framesOf(root), canvases(root).map(pixels)];
    pointOf(root, 2, 1);
    await frame();
    const [entropy = 0] = statisticsOf(LAYERS[2] as (typeof LAYERS)[0]).slice(STATISTICS.length);
    expect(readout(root)).toMatch(`layer 2, head 1: entropy ${entropy.toFixed(2)}, confidence 0.`);
    expect(find(root, ".preview").textContent).toContain("layer 2, head 1");
    expect(inked(find(root, ".preview canvas"))).toBeGreaterThan(10_000);
    expect([framesOf(root), canvases(root).map(pixels)]).toEqual([frames, before]);
    grid(root).dispatchEvent(new PointerEvent("pointerleave"));
    expect(frameAt(root).hidden).toBe(true);
    expect(readout(root)).toMatch(/^layer 1, head 2: /);
  });

  it("chooses by clicks, together with others of the layer", async () => {
    const { root, host } = await ready(traits());
    click(root, 2, 1);
    expectState(host, { layer: 2, heads: [1] });
    click(root, 2, 3, { shiftKey: true });
    expectState(host, { layer: 2, heads: [1, 3] });
    click(root, 2, 1, { ctrlKey: true });
    expectState(host, { layer: 2, heads: [3] });
    click(root, 0, 0, { ctrlKey: true });
    expectState(host, { layer: 0, heads: [0], view: "heads" });
    await settled(root);
    expect(all(root, ".frame:not(.outer, .cursor, .whole)")).toHaveLength(1);
  });

  it("frames all heads of the layer as one", async () => {
    const { root } = await ready(traits({ heads: [] }));
    expect(find(root, ".frame.whole").hidden).toBe(false);
    expect(readout(root)).toMatch(/^hover a head/);
  });

  it("opens a head by a double click, in lines while it is short", async () => {
    const { root, host } = await ready(traits());
    const point = pointOf(root, 0, 3);
    grid(root).dispatchEvent(new MouseEvent("dblclick", { ...point, bubbles: true }));
    expectState(host, { view: "lines", layer: 0, heads: [3] });
    await until(() => root.querySelector('[data-view="lines"]'), "the lines");
  });

  it("leaves a second view where it is", async () => {
    const { root, host } = await ready(traits({ beside: "lines" }));
    grid(root).dispatchEvent(new MouseEvent("dblclick", { ...pointOf(root, 0, 3), bubbles: true }));
    expectState(host, { view: "heads", layer: 0, heads: [3] });
  });

  it("sorts by a statistic, largest first, with the number under each", async () => {
    const { root, host } = await ready(traits());
    choose(find(root, '.choices select[aria-label="order"]'), "confidence");
    expectState(host, { sort: "confidence" });
    await until(() => all(root, ".under").length === 12, "labels");
    const shown = all(root, ".under").map(({ textContent }) => textContent ?? "");
    const numbers = shown.map((text) => Number(text.split(" ")[2]));
    expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
    const most = LAYERS.flatMap((layer, l) =>
      [0, 1, 2, 3].map(
        (head) => [statisticsOf(layer)[head * STATISTICS.length + 1] as number, `L${l} H${head}`] as const,
      ),
    ).sort((a, b) => b[0] - a[0])[0];
    expect(shown[0]).toBe(`${most?.[1]} ${most?.[0].toFixed(2)}`);
    expect(find(root, ".legend").textContent).toContain("mean of the rows' largest weights");
  });

  it("leaves heads that do not fit a pattern faint, and counts those that do", async () => {
    const { root } = await ready(traits());
    const before = canvases(root).map(pixels);
    choose(find(root, '.choices select[aria-label="highlight"]'), "uniform");
    await until(() => count(root) !== "", "the count");
    const fitting = LAYERS.flatMap((layer) =>
      [0, 1, 2, 3].map((head) => statisticsOf(layer)[head * STATISTICS.length] as number),
    );
    const many = fitting.filter((entropy) => entropy >= 0.85).length;
    expect(many).toBeGreaterThan(0);
    expect(count(root)).toBe(`${many} of 12 heads`);
    expect(find(root, ".legend").textContent).toContain(`at least 0.85; ${many} of 12 heads`);
    expect(canvases(root).map(pixels)).not.toEqual(before);
  });

  it("follows the scale: each head against its own largest, or all alike", async () => {
    const { root, host } = await ready(traits());
    const [before, frames] = [canvases(root).map(pixels), framesOf(root)];
    expect(find(root, ".legend").textContent).toContain("all heads alike");
    host.fromPython({ scale: "row" });
    await until(() => framesOf(root) > frames, "another picture");
    expect(find(root, ".legend").textContent).toContain("each head against its own largest");
    expect(canvases(root).map(pixels)).not.toEqual(before);
  });

  it("grows and shrinks, and keeps its size when it comes back", async () => {
    const { root, host } = await ready(traits());
    const width = () => grid(root).getBoundingClientRect().width;
    const before = width();
    grid(root).focus();
    await userEvent.keyboard("-");
    await until(() => width() < before, "smaller thumbnails");
    const small = width();
    host.fromPython({ view: "lines" });
    await until(() => root.querySelector('[data-view="lines"]'), "the lines");
    host.fromPython({ view: "heads" });
    await until(() => root.querySelector(".heads-grid") && width() === small, "the same size");
  });
});

describe("the keyboard", () => {
  it("moves, chooses and opens, and every head has a name", async () => {
    const { root, host } = await ready(traits({ layer: 0, heads: [0] }));
    grid(root).focus();
    expect(grid(root).dataset.cursor).toBe("0");
    await userEvent.keyboard("{ArrowRight}{ArrowDown}");
    expect(grid(root).dataset.cursor).toBe("5");
    const cursor = find(root, `#${grid(root).getAttribute("aria-activedescendant")}`);
    expect(cursor.dataset).toMatchObject({ layer: "1", head: "1" });
    expect(cursor.getAttribute("aria-label")).toMatch(/^layer 1, head 1: entropy 0/);
    expect([cursor.ariaPosInSet, cursor.ariaSetSize, cursor.ariaSelected]).toEqual(["6", "12", "false"]);
    expect(readout(root)).toMatch(/^layer 1, head 1: /);
    await userEvent.keyboard(" ");
    expectState(host, { layer: 1, heads: [1] });
    expect(cursor.ariaSelected).toBe("true");
    await userEvent.keyboard("{End}{Shift>} {/Shift}");
    expectState(host, { layer: 1, heads: [1, 3] });
    await userEvent.keyboard("{Home}{PageDown}{Enter}");
    expectState(host, { layer: 2, heads: [0], view: "lines" });
  });
});

describe("a file of it", () => {
  const alone = async (more: Record<string, unknown> = {}) => {
    const lifetime = createLifetime();
    const model = new Model(new FakeHost(traits(more)), lifetime.signal);
    const around = {
      readout() {},
      announce() {},
      status() {},
      hovered() {},
      lastView: undefined,
      painted: vi.fn(),
    };
    const view = new HeadsView(model, new Store(model, lifetime.signal), around, lifetime);
    document.body.append(view.element);
    view.resize(600);
    await until(() => around.painted.mock.calls.length > 0, "the first picture");
    return { view, lifetime };
  };

  it("holds what is on screen: pixels, names and frames", async () => {
    const { view, lifetime } = await alone({ heads: [1, 2] });
    const part = view.still();
    const [image] = part!.images;
    expect(inked(image!.canvas)).toBeGreaterThan(10_000);
    expect(image!.title).toContain("3 layers × 4 heads");
    expect(part!.texts.map(({ text }) => text)).toEqual(["H0", "H1", "H2", "H3", "L0", "L1", "L2"]);
    expect(part!.boxes).toHaveLength(2);
    for (const { x, y, width, height } of part!.boxes) {
      expect([x + width <= part!.width + 2, y + height <= part!.height + 2]).toEqual([true, true]);
    }
    lifetime.end();
    expect(document.querySelector('[data-view="heads"]')).toBe(null);
  });

  it("holds the weights of the heads chosen", async () => {
    const { view, lifetime } = await alone({ heads: [1, 2] });
    const rows = view.rows();
    expect(rows).toHaveLength(2 * 9 * 9);
    const weight = (LAYERS[1] as (typeof LAYERS)[0]).values[2 * 81 + 4 * 9 + 7];
    expect(rows[81 + 4 * 9 + 7]).toEqual({
      ...{ layer: 1, head: 2, query: 4, queryLabel: "t4", key: 7, keyLabel: "t7", weight },
    });
    lifetime.end();
  });

  it("of a flow names every head", async () => {
    const { view, lifetime } = await alone({ sort: "sink" });
    expect(view.still()!.texts.filter(({ text }) => /^L\d H\d 0\.\d\d$/.test(text))).toHaveLength(12);
    lifetime.end();
  });
});

describe("a map that the kernel holds", () => {
  it("comes in parts, tells how many are here, and is kept", async () => {
    const kernel = new Kernel(12, 32, 4096);
    const { root, host } = mount({}, { host: kernel.host });
    await until(() => kernel.asked.length > 0, "a request");
    expect(count(root)).toBe("0 of 384 heads are here");
    expect(root.dataset.status).toBe("loading");
    const [first] = kernel.asked;
    const [from, to] = first!.layers as [number, number];
    expect((to - from) * 32 * 48 * 48).toBeLessThanOrEqual(256_000);
    kernel.answer();
    await until(() => count(root) === `${(to - from) * 32} of 384 heads are here`, "the first part");
    expect(canvases(root).reduce((sum, canvas) => sum + inked(canvas), 0)).toBeGreaterThan(1_000);
    await until(() => {
      kernel.answer();
      return count(root) === "";
    }, "all heads");
    await until(() => {
      kernel.answer();
      return host.values._thumbnails;
    }, "what is kept");
    const held = host.values._thumbnails as { request: { layers: number[]; size: number[] } };
    expect(held.request.layers).toEqual([0, 12]);
    expect(384 * (held.request.size[0] as number) * (held.request.size[1] as number)).toBeLessThanOrEqual(
      1_000_000,
    );
    await settled(root);
  });

  it("begins with what is in sight", async () => {
    const kernel = new Kernel(48, 16, 1024, { layer: 40 });
    mount({}, { host: kernel.host });
    await until(() => kernel.asked.length > 0, "a request");
    const [from, to] = kernel.asked[0]!.layers as [number, number];
    expect(from).toBeLessThanOrEqual(40);
    expect(to).toBeGreaterThan(40);
  });

  it("says that it is from a sample", async () => {
    const kernel = new Kernel(2, 4, 4096);
    kernel.exact = false;
    const { root } = mount({}, { host: kernel.host });
    await until(() => {
      kernel.answer();
      return root.dataset.status === "ready";
    }, "the heads");
    const care = all(root, ".legend .care").find(({ textContent }) => textContent?.startsWith("approximate"));
    expect(care?.hidden).toBe(false);
  });

  it("is whole again in a page without a kernel", async () => {
    const kernel = new Kernel(2, 4, 1024);
    mount({}, { host: kernel.host });
    await until(() => {
      kernel.answer();
      return kernel.host.values._thumbnails;
    }, "what is kept");
    const { root } = await ready(kernel.host.values, { kind: { sends: false } });
    expect(count(root)).toBe("");
    expect(canvases(root).reduce((sum, canvas) => sum + inked(canvas), 0)).toBeGreaterThan(1_000);
    expect(find(root, ".note").hidden).toBe(true);
  });

  it("says in its place that it needs a kernel", async () => {
    const kernel = new Kernel(2, 4, 1024, {}, { sends: false });
    const { root } = await ready({}, { host: kernel.host });
    expect(find(root, ".note").textContent).toContain("needs a running kernel");
    expect(count(root)).toBe("0 of 8 heads are here");
    pointOf(root, 1, 1);
    expect(readout(root)).toBe("layer 1, head 1 is not here yet");
  });

  it("draws what is in sight of 48 × 48 heads, and a margin", async () => {
    const kernel = new Kernel(48, 48, 4096, { sort: "entropy" });
    const { root } = mount({}, { host: kernel.host });
    await until(() => {
      kernel.answer();
      return root.dataset.status === "ready" && count(root) === "";
    }, "all heads");
    await settled(root);
    const scroller = find(root, ".heads-scroller");
    expect(scroller.scrollHeight).toBeGreaterThan(10 * scroller.clientHeight);
    for (const top of [0, 3000, scroller.scrollHeight]) {
      scroller.scrollTop = top;
      await settled(root);
      await frame();
      const seen = scroller.getBoundingClientRect();
      const bands = canvases(root).map((canvas) => canvas.getBoundingClientRect());
      expect(bands.some((band) => band.top <= seen.top + 3 && band.bottom > seen.top)).toBe(true);
      expect(bands.reduce((sum, { height }) => sum + height, 0)).toBeLessThan(4 * seen.height);
    }
  });

  it("forgets what belonged to another map", async () => {
    const kernel = new Kernel(2, 4, 1024);
    const { root, host } = mount({}, { host: kernel.host });
    await until(() => {
      kernel.answer();
      return root.dataset.status === "ready";
    }, "the heads");
    host.fromPython(mapTraits({ revision: 2, layers: LAYERS, keys: null }));
    await until(() => all(root, ".band .layer").length === 3, "the other map");
    expect(count(root)).toBe("");
  });
});

type Scene = readonly [name: string, open: (theme: Theme) => Promise<Mounted>];
const SCENES: readonly Scene[] = [
  ["by layer", (theme) => ready(traits({ theme }))],
  ["sorted, with a pattern", (theme) => ready(traits({ theme, sort: "sink", pattern: "sharp" }))],
  ["narrow", (theme) => ready(traits({ theme }), { width: 320 })],
  [
    "with the keyboard at a head",
    async (theme) => {
      const made = await ready(traits({ theme }));
      grid(made.root).focus();
      await userEvent.keyboard("{ArrowRight}");
      return made;
    },
  ],
  [
    "without a kernel",
    (theme) => ready({}, { host: new Kernel(2, 4, 1024, { theme }, { sends: false }).host }),
  ],
];

describe.each(["light", "dark"] as const)("axe finds nothing wrong in the %s theme", (theme) => {
  it.each(SCENES)("%s", async (_, open) => {
    document.body.style.background = theme === "dark" ? "#111" : "#fff";
    const { el, root } = await open(theme);
    expect(root.dataset.theme).toBe(theme);
    const { violations, passes } = await axe.run(el, { rules: { region: { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    expect(passes.map(({ id }) => id)).toContain("color-contrast");
  });
});

describe("every shape of map", () => {
  it.each([
    [1, 1, 5, 5],
    [1, 144, 3, 4],
    [2, 3, 3, 2],
    [3, 2, 4, 60],
    [3, 2, 60, 4],
  ])("%i layers × %i heads of %i × %i", async (layers, heads, queries, keys) => {
    for (const width of [320, 900]) {
      const parts = Array.from({ length: layers }, (_, i) => attention(heads, queries, keys, i + 1));
      const { root, end } = await ready(
        { ...mapTraits({ layers: parts }), view: "heads", map: "attention", layer: 0, heads: [] },
        { width },
      );
      const scroller = find(root, ".heads-scroller");
      expect(scroller.scrollWidth).toBeLessThanOrEqual(scroller.clientWidth);
      expect(find(root, "[data-view]").scrollWidth).toBeLessThanOrEqual(width);
      expect(canvases(root).reduce((sum, canvas) => sum + inked(canvas), 0)).toBeGreaterThan(500);
      pointOf(root, layers - 1, 0);
      end();
    }
  });
});
