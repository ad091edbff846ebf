/** The matrix of a head that is not in the page: overview, parts, exact rows, and what is said meanwhile. */
import { afterEach, describe, expect, it } from "vitest";
import { codeOf } from "../../src/scale/codes.ts";
import type { Weights } from "../../src/store.ts";
import { answerRows, attention, FakeHost, mapTraits, pack, type Sent, tokens } from "../fakes.ts";
import { centre, colours, hover } from "./heatmap.ts";
import {
  base,
  endAll,
  find,
  framesOf,
  inked,
  type Mounted,
  mount,
  readout,
  settled,
  until,
} from "./mounted.ts";

afterEach(endAll);

const COUNT = 1200;
const BRIGHT = [700, 123] as const;
/** Faint noise, and one weight that a reader must not miss. */
const WEIGHTS: Weights = (() => {
  const made = attention(1, COUNT, COUNT, 5, 2);
  made.values[BRIGHT[0] * COUNT + BRIGHT[1]] = 1;
  return made;
})();

type Span = [number, number];

/** The region that a request asks for, as Python answers it. */
function regionOf(request: Sent) {
  const { rows, cols, size } = request as unknown as { rows: Span; cols: Span; size: Span };
  const [height, width] = size;
  const max = new Uint16Array(height * width);
  const sums = new Float64Array(height * width);
  const counts = new Uint32Array(height * width);
  for (let row = rows[0]; row < rows[1]; row++) {
    const y = Math.floor(((row - rows[0]) * height) / (rows[1] - rows[0]));
    for (let col = cols[0]; col < cols[1]; col++) {
      const at = y * width + Math.floor(((col - cols[0]) * width) / (cols[1] - cols[0]));
      const weight = WEIGHTS.values[row * COUNT + col] as number;
      max[at] = Math.max(max[at] as number, codeOf(weight, 1, false));
      sums[at] = (sums[at] as number) + weight;
      counts[at] = (counts[at] as number) + 1;
    }
  }
  const mean = Uint16Array.from(sums, (sum, at) => codeOf(sum / (counts[at] as number), 1, false));
  const { v, id, kind, hold, ...fields } = request;
  return {
    arrays: { max: pack(max, size), mean: pack(mean, size) },
    fields: { ...fields, full: 1, signed: false, exact: true, how: "" },
  };
}

function answer(host: FakeHost, request: Sent, more: Record<string, unknown> = {}): void {
  const { arrays, fields } = regionOf(request);
  const { v, id, kind, hold, ...asked } = request;
  if (!hold) {
    host.reply(request, arrays, { ...fields, ...more });
    return;
  }
  host.fromPython({ _region: { revision: 1, request: asked, ...fields, ...more, arrays } });
  host.reply(request, {}, { held: true });
}

const large = (more: Record<string, unknown> = {}, sends = true): FakeHost => {
  const { _content } = mapTraits({ layers: [WEIGHTS], queries: tokens(COUNT, "q"), keys: tokens(COUNT) });
  const state = {
    view: "matrix",
    map: "attention",
    layer: 0,
    heads: [],
    pinned_queries: [],
    pinned_keys: [],
    window: null,
  };
  return new FakeHost({ _content, ...state, ...more }, { sends });
};

const answering = (host: FakeHost): FakeHost => {
  host.onSend = (request) => {
    if (request.kind === "region") queueMicrotask(() => answer(host, request));
    if (request.kind === "rows") queueMicrotask(() => answerRows(host, request, WEIGHTS));
  };
  return host;
};

const shown = (host: FakeHost): Mounted => mount({}, { host, width: 700 });
const regions = (host: FakeHost) => host.sent.filter(({ kind }) => kind === "region");

describe("a head that is not in the page", () => {
  it("is asked for as an overview that is held, and keeps its one bright cell", async () => {
    const host = answering(large());
    const { root } = shown(host);
    await settled(root);
    expect(
      regions(host).map(({ rows, cols, size, hold, exact }) => ({ rows, cols, size, hold, exact })),
    ).toEqual([{ rows: [0, COUNT], cols: [0, COUNT], size: [512, 512], hold: true, exact: false }]);
    const canvas = base(root);
    expect(inked(canvas)).toBe(canvas.width * canvas.height);
    expect(colours(canvas, 0, 0, canvas.width, canvas.height)).toContain("13,36,79");
    expect(find(root, ".legend").textContent).toContain("each pixel: the largest of 3 × 3 weights");
  });

  it("is asked for in part where a part is in sight, in no more cells than pixels", async () => {
    const host = answering(large());
    const { root } = shown(host);
    await settled(root);
    host.fromPython({ window: [600, 900, 0, 300] });
    await until(() => regions(host).length > 1, "a second request");
    const [, part] = regions(host) as [Sent, Sent];
    const { rows, cols, size } = part as unknown as { rows: Span; cols: Span; size: Span };
    expect(rows[0]).toBeLessThanOrEqual(600);
    expect(rows[1]).toBeGreaterThanOrEqual(900);
    expect(cols[0]).toBe(0);
    expect(part.hold).toBe(true);
    const canvas = base(root);
    expect(size[0]).toBeLessThanOrEqual((canvas.height * (rows[1] - rows[0])) / 300 + 1);
    expect(size[1]).toBeLessThanOrEqual((canvas.width * (cols[1] - cols[0])) / 300 + 1);
    await until(() => !/each pixel/.test(find(root, ".legend").textContent ?? ""), "single weights");
    const { left, top } = find(root, ".plot").getBoundingClientRect();
    const [x, y] = centre(root, BRIGHT[0] - 600, BRIGHT[1], [300, 300]);
    expect(colours(canvas, Math.floor(x - left), Math.floor(y - top), 1, 1)).toEqual(new Set(["13,36,79"]));
  });

  it("asks for little while it is moved", async () => {
    const host = answering(large({ window: [400, 700, 400, 700] }));
    const { root } = shown(host);
    await settled(root);
    const before = regions(host).length;
    for (let step = 1; step <= 20; step++) {
      const frames = framesOf(root);
      host.fromPython({ window: [400 + 2 * step, 700 + 2 * step, 400 + step, 700 + step] });
      await until(() => framesOf(root) > frames, "the next part");
    }
    expect(regions(host).length - before).toBeLessThanOrEqual(1);
  });

  it("shows a preview as one, tells how far the exact part is, and then shows that", async () => {
    const host = large();
    host.onSend = (request) => {
      if (request.kind !== "region" || request.exact) return;
      queueMicrotask(() => answer(host, request, { exact: false, how: "from 40 of 1200 queries" }));
    };
    const { root } = shown(host);
    const legend = () => find(root, ".legend").textContent ?? "";
    await until(() => legend().includes("preview, from 40 of 1200 queries"), "the preview");
    const exact = await until(
      () => regions(host).find((request) => request.exact === true),
      "the exact part",
    );
    await until(() => legend().includes("exact 0 % done"), "patience");
    host.deliver({ v: 1, id: exact.id, progress: 0.4 });
    await until(() => legend().includes("exact 40 % done"), "progress");
    answer(host, exact);
    await until(() => !legend().includes("preview"), "the exact part on screen");
    expect(inked(base(root))).toBeGreaterThan(0);
  });

  it("reads exact weights from rows that it asks for", async () => {
    const host = answering(large({ window: [690, 720, 110, 140] }));
    const { root } = shown(host);
    await settled(root);
    hover(root, centre(root, BRIGHT[0] - 690, BRIGHT[1] - 110, [30, 30]));
    await until(() => readout(root) === "q700 attends to t123 1 (head 0)", "the exact weight");
    expect(host.sent.find(({ kind }) => kind === "rows")).toMatchObject({
      side: "query",
      start: 700,
      stop: 701,
    });
  });

  it("reads about what it shows until they come", async () => {
    const host = large({ window: [690, 720, 110, 140] });
    host.onSend = (request) => {
      if (request.kind === "region") queueMicrotask(() => answer(host, request));
    };
    const { root } = shown(host);
    await settled(root);
    hover(root, centre(root, BRIGHT[0] - 690, BRIGHT[1] - 110, [30, 30]));
    await until(() => /^q700 attends to t123 ≈ 1 \(head 0\)$/.test(readout(root)), "about the weight");
  });
});

describe("the layers next to the one shown", () => {
  it("are asked for when nothing else is wanted, and drawn at once when turned to", async () => {
    const host = answering(large({ layer: 1 }));
    (host.values._content as { shape: number[] }).shape[0] = 3;
    const { root } = shown(host);
    await settled(root);
    const asked = () => regions(host).map(({ layer }) => layer);
    await until(() => asked().includes(2) && asked().includes(0), "both neighbours");
    await settled(root);
    // From here on the kernel is busy.
    host.onSend = () => {};
    const before = framesOf(root);
    host.fromPython({ layer: 2 });
    await until(() => framesOf(root) > before, "the next layer");
  });
});

describe("a page without a kernel", () => {
  it("says what is not here, in its place", async () => {
    const { root } = shown(large({}, false));
    await until(
      () => /needs a running kernel/.test(find(root, ".matrix .message").textContent ?? ""),
      "the reason",
    );
    expect(root.dataset.status).toBe("ready");
  });

  it("shows what was on screen when it was saved", async () => {
    const saved = answering(large());
    const first = shown(saved);
    await settled(first.root);
    const host = large({ _region: saved.values._region }, false);
    const { root } = shown(host);
    await settled(root);
    expect(inked(base(root))).toBe(base(root).width * base(root).height);
    expect(find(root, ".matrix .message").hidden).toBe(true);
  });
});
