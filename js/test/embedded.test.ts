import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decode, type Packed } from "../src/codec.ts";
import { EmbeddedHost, type Manifest, type PageMap } from "../src/embedded.ts";
import { inflate } from "../src/inflate.ts";
import { Model } from "../src/model.ts";
import { Store } from "../src/store.ts";
import { attention, rowsOf, tokens } from "./fakes.ts";

/** Blobs of a page, made as Python makes them. */
class Blobs {
  readonly texts: string[] = [];

  add(dtype: string, shape: number[], values: Float32Array | Uint8Array | Uint16Array) {
    const size = values.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const planes = new Uint8Array(bytes.length);
    const count = bytes.length / size;
    bytes.forEach((byte, i) => {
      planes[(i % size) * count + Math.floor(i / size)] = byte;
    });
    this.texts.push(deflateRawSync(planes).toString("base64"));
    return { dtype, shape, data: this.texts.length - 1 };
  }
}

const LAYERS = [attention(2, 5, 4, 1), attention(2, 5, 4, 2), attention(2, 5, 4, 3)] as const;
const STATE = { map: "one", step: 0, layer: 0, heads: [], pinned_queries: [4], pinned_keys: [], links: [] };

interface Of {
  readonly layers?: readonly number[];
  readonly answers?: (blobs: Blobs) => PageMap["answers"];
  readonly state?: object;
  readonly more?: (blobs: Blobs) => PageMap[];
  readonly parts?: readonly unknown[];
  readonly images?: PageMap["content"]["images"];
  readonly mechanism?: string;
  readonly copies?: (blobs: Blobs) => Manifest["images"];
}

async function page({ layers = [0, 1, 2], answers = () => [], state = {}, more = () => [], ...of }: Of = {}) {
  const { parts = [], images = {}, copies = () => [], mechanism = null } = of;
  const blobs = new Blobs();
  const block = (layer: number) => ({
    layers: [layer, layer + 1] as const,
    queries: [0, 5] as const,
    full: [0.5 + layer],
    arrays: { weights: blobs.add("f4", [1, 2, 5, 4], LAYERS[layer]?.values as Float32Array) },
  });
  const axis = (count: number, name: string) => ({
    ...tokens(count, name),
    exact: {},
    special: [],
    parts: count === 5 ? parts : [],
    words: null,
  });
  const content = {
    v: 1,
    maps: ["one", "two"],
    steps: 1,
    name: "",
    kind: "weight",
    shape: [3, 2, 5, 4] as const,
    mechanism,
    images,
    queries: 0,
    keys: 1,
  };
  const map: PageMap = {
    name: "one",
    step: 0,
    content,
    blocks: layers.map(block),
    answers: answers(blobs),
    here: "layer 0",
    missing: "layers 1–2",
  };
  const manifest: Manifest = {
    v: 1,
    limit: 25,
    state: { ...STATE, ...state },
    axes: [axis(5, "q"), axis(4, "k"), axis(2, "z")],
    images: copies(blobs),
    maps: [map, ...more(blobs)],
  };
  const host = await EmbeddedHost.open(manifest, (blob) => blobs.texts[blob] ?? "");
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  return { host, model, store: new Store(model, signal) };
}

const other = (blobs: Blobs): PageMap => ({
  name: "two",
  step: 0,
  content: {
    v: 1,
    maps: ["one", "two"],
    steps: 1,
    name: "",
    kind: "weight",
    shape: [1, 1, 2, 2],
    images: {},
    queries: 2,
    keys: null,
  },
  blocks: [
    {
      layers: [0, 1],
      queries: [0, 2],
      full: [1],
      arrays: { weights: blobs.add("f4", [1, 1, 2, 2], Float32Array.of(1, 0, 0.25, 0.75)) },
    },
  ],
  answers: [],
  here: "layer 0",
  missing: "",
});

const until = async (met: () => boolean) => {
  for (let turn = 0; turn < 400 && !met(); turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(met()).toBe(true);
};

/** Ask as the views do. */
const ask = async (host: EmbeddedHost, request: object) => {
  const reply = new Promise<{ content: Record<string, unknown>; buffers: unknown[] }>((resolve) => {
    const heard = (content: Record<string, unknown>, buffers: unknown[]) => {
      host.off("msg:custom", heard as never);
      resolve({ content, buffers });
    };
    host.on("msg:custom", heard as never);
  });
  host.send({ v: 1, id: "a", ...request });
  const { content, buffers } = await reply;
  const arrays = Object.entries((content.arrays ?? {}) as Record<string, Omit<Packed, "data">>);
  const decoded = arrays.map(([name, array], i) => [name, decode({ ...array, data: buffers[i] })] as const);
  return { content, arrays: Object.fromEntries(decoded) };
};

describe("what was deflated", () => {
  test.each([1, 2, 4])("comes back, numbers of %d bytes", async (size) => {
    const values = { 1: Uint8Array, 2: Uint16Array, 4: Float32Array }[size as 1 | 2 | 4].from([
      1, 2, 300, 0.5,
    ]);
    const blobs = new Blobs();
    blobs.add("", [4], values);
    const bytes = await inflate(blobs.texts[0] as string, size);
    expect([...bytes]).toEqual([...new Uint8Array(values.buffer)]);
  });
});

describe("what is shown", () => {
  test("is there at once: state, map and the layer shown", async () => {
    const { model, store } = await page({ state: { layer: 1, heads: [1] } });
    expect(model.state).toMatchObject({ map: "one", layer: 1, heads: [1], pinned_queries: [4] });
    expect(store.content).toMatchObject({ layers: 3, heads: 2 });
    expect(store.layer(1)?.values).toEqual(LAYERS[1].values);
    expect(store.full(1)).toBe(1.5);
    expect(store.layer(0)).toBeUndefined();
  });

  test("is joined by the other layers", async () => {
    const { host, store } = await page();
    await host.bringOthers();
    for (const layer of [0, 1, 2]) expect(store.layer(layer)?.values).toEqual(LAYERS[layer]?.values);
  });

  test("changes with the layer", async () => {
    const { model, store } = await page();
    model.change({ layer: 2 });
    await until(() => store.layer(2) !== undefined);
    expect(store.layer(2)?.values).toEqual(LAYERS[2].values);
  });

  test("changes with the map, which the state is made to fit", async () => {
    const { model, store } = await page({
      more: (blobs) => [other(blobs)],
      state: {
        layer: 1,
        heads: [0, 1],
        links: [
          [0, 0],
          [4, 3],
        ],
        pinned_queries: [1, 4],
      },
    });
    const revision = store.content?.revision ?? 0;
    model.change({ map: "two" });
    await until(() => store.content?.layers === 1);
    expect(store.content?.revision).toBe(revision + 1);
    expect(store.layer(0)?.values).toEqual(Float32Array.of(1, 0, 0.25, 0.75));
    expect(model.state).toMatchObject({ layer: 0, heads: [0], links: [[0, 0]], pinned_queries: [1] });
    model.change({ map: "one" });
    await until(() => store.content?.layers === 3);
    expect(store.layer(0)?.values).toEqual(LAYERS[0].values);
  });

  test("stays where the map is not in the page", async () => {
    const { model } = await page();
    model.change({ map: "two" });
    await until(() => model.state.map === "one");
  });

  test("is the last of what is asked for in a row", async () => {
    const { model, store } = await page({ more: (blobs) => [other(blobs)] });
    for (const map of ["two", "one", "two"]) {
      model.change({ map });
      await new Promise((resolve) => setTimeout(resolve, 61));
    }
    await until(() => store.content?.layers === 1);
    expect(model.state.map).toBe("two");
  });
});

describe("images", () => {
  const size = { width: 20, height: 10 };
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 256);

  test("are given as Python gives them, or not at all", async () => {
    const { host, store } = await page({
      images: { here: size, missing: size },
      copies: (blobs) => [
        {
          id: "here",
          fields: { type: "image/png", width: 2, height: 1 },
          arrays: { bytes: blobs.add("u1", [300], bytes) },
        },
      ],
      more: (blobs) => [other(blobs)],
    });
    expect(store.content?.images).toEqual({ here: size, missing: size });
    expect(host.get("_images")).toEqual({
      here: { type: "image/png", width: 2, height: 1, data: bytes },
      missing: null,
    });
    // Node has no decoder.
    await until(() => store.pictures.get("here")?.failed !== undefined);
    expect(store.pictures.get("missing")).toMatchObject({ ...size, failed: "There was no room for it." });
    host.set("map", "two");
    host.save_changes();
    await until(() => store.content?.layers === 1);
    expect(host.get("_images")).toEqual({});
    expect(store.pictures.get("here")).toBeUndefined();
  });

  test("have a view only where there are any", async () => {
    const place = { kind: "boxes", start: 0, stop: 1, image: null, boxes: [[0, 0, 1, 1]] };
    const { model, store } = await page({
      more: (blobs) => [other(blobs)],
      parts: [place],
      state: { view: "overlay", beside: "lines", aside: [0, 3] },
    });
    expect(model.state).toMatchObject({ view: "overlay", beside: "lines", aside: [0, 3] });
    model.change({ map: "two" });
    await until(() => store.content?.layers === 1);
    expect(model.state).toMatchObject({ view: "lines", beside: null, aside: [0] });
  });
});

describe("mechanisms", () => {
  test("are there where they were on screen, and come for other heads", async () => {
    const held = (head: number) => (blobs: Blobs) => ({
      kind: "mechanism",
      request: { layer: 0, head },
      fields: { layer: 0, head, panels: [] },
      arrays: { "0 query": blobs.add("f4", [1, 2], Float32Array.of(head, 0.5)) },
      held: head === 1,
    });
    const { host, store } = await page({
      mechanism: "whole",
      answers: (blobs) => [held(0)(blobs), held(1)(blobs)],
      state: { view: "mechanism" },
    });
    expect(store.content?.mechanism).toBe("whole");
    expect(store.slices.held("mechanism")?.fields).toMatchObject({ layer: 0, head: 1 });
    const { content, arrays } = await ask(host, { kind: "mechanism", layer: 0, head: 0 });
    expect(content).toMatchObject({ ok: true, head: 0 });
    expect(arrays["0 query"]?.values).toEqual(Float32Array.of(0, 0.5));
    const missing = await ask(host, { kind: "mechanism", layer: 1, head: 0 });
    expect(missing.content).toMatchObject({ ok: false });
  });

  test("have a view only where there are any", async () => {
    const { model, store } = await page({
      more: (blobs) => [other(blobs)],
      mechanism: "row",
      state: { view: "mechanism", beside: null },
    });
    expect(model.state.view).toBe("mechanism");
    model.change({ map: "two" });
    await until(() => store.content?.layers === 1);
    expect(model.state).toMatchObject({ view: "lines" });
    expect([store.has("mechanism"), store.has("overlay"), store.has("matrix")]).toEqual([false, false, true]);
  });
});

describe("what is asked for", () => {
  test.each(["query", "key"] as const)("is answered from layers: rows of a %s", async (side) => {
    const { host } = await page();
    const { content, arrays } = await ask(host, { kind: "rows", layer: 2, side, start: 1, stop: 3 });
    expect(content).toMatchObject({ ok: true, id: "a", revision: 1, side, start: 1, stop: 3 });
    expect(arrays.weights?.shape).toEqual(side === "query" ? [2, 2, 4] : [2, 5, 2]);
    expect(arrays.weights?.values).toEqual(rowsOf(LAYERS[2], side, 1, 3));
  });

  test("is answered from columns, where they hold all of it", async () => {
    const columns = rowsOf(LAYERS[1], "key", 1, 4);
    const { host } = await page({
      layers: [0],
      answers: (blobs) => [
        {
          kind: "rows",
          request: {},
          fields: { layer: 1, side: "key", start: 1, stop: 4 },
          arrays: { weights: blobs.add("f4", [2, 5, 3], columns) },
          held: false,
        },
      ],
    });
    const found = await ask(host, { kind: "rows", layer: 1, side: "key", start: 2, stop: 4 });
    expect(found.arrays.weights?.values).toEqual(rowsOf(LAYERS[1], "key", 2, 4));
    const beyond = await ask(host, { kind: "rows", layer: 1, side: "key", start: 0, stop: 4 });
    expect(beyond.content.ok).toBe(false);
  });

  test("is answered from thumbnails, cut to the layers asked for", async () => {
    const codes = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => i);
    const { host } = await page({
      answers: (blobs) => [
        {
          kind: "thumbnails",
          request: {},
          fields: { layers: [0, 3], size: [2, 2], exact: false },
          arrays: {
            max: blobs.add("u1", [3, 2, 2, 2], codes),
            full: blobs.add("f4", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)),
          },
          held: false,
        },
      ],
    });
    const { content, arrays } = await ask(host, { kind: "thumbnails", layers: [1, 2], size: [48, 48] });
    expect(content).toMatchObject({ ok: true, layers: [1, 2], size: [2, 2], exact: false });
    expect(arrays.max).toEqual({ shape: [1, 2, 2, 2], values: codes.slice(8, 16) });
    expect(arrays.full?.values).toEqual(Float32Array.of(3, 4));
  });

  const region = { layer: 1, heads: [0], combine: "mean", rows: [0, 5], cols: [0, 4], size: [2, 2] };
  const answered = (exact: boolean) => (blobs: Blobs) => [
    {
      kind: "region",
      request: { ...region, words: false, exact },
      fields: { ...region, exact },
      arrays: { max: blobs.add("u2", [2, 2], Uint16Array.of(1, 2, 3, 4)) },
      held: true,
    },
  ];

  test("is answered where it equals what was answered before, in whatever order", async () => {
    const { host, store } = await page({ layers: [0], answers: answered(true) });
    expect(store.slices.held("region")?.arrays.max?.values).toEqual(Uint16Array.of(1, 2, 3, 4));
    const asked = { exact: false, words: false, ...region };
    const { content, arrays } = await ask(host, { kind: "region", ...asked });
    expect(content).toMatchObject({ ok: true, exact: true });
    expect(arrays.max?.values).toEqual(Uint16Array.of(1, 2, 3, 4));
    const elsewhere = await ask(host, { kind: "region", ...asked, heads: [1] });
    expect(elsewhere.content.ok).toBe(false);
  });

  test("comes as a trait where it is on screen", async () => {
    const { host, store } = await page({ layers: [0], answers: answered(true) });
    const asked = { words: false, ...region, exact: true };
    store.slices.want("overview", "region", asked, { hold: true });
    await until(() => store.slices.get("region", asked) !== undefined);
    expect(store.slices.held("region")?.arrays.max?.values).toEqual(Uint16Array.of(1, 2, 3, 4));
    const { content } = await ask(host, { kind: "region", ...asked, hold: true });
    expect(content).toMatchObject({ ok: true, held: true });
    expect(host.get("_region")).toMatchObject({ request: asked, revision: 1 });
  });

  test("is refused exactly where only a preview is here", async () => {
    const { host } = await page({ layers: [0], answers: answered(false) });
    const asked = { kind: "region", words: false, ...region };
    expect((await ask(host, { ...asked, exact: false })).content.ok).toBe(true);
    expect((await ask(host, { ...asked, exact: true })).content.ok).toBe(false);
  });

  test("is refused in words that say what is here and what is not", async () => {
    const { host, store } = await page({ layers: [0] });
    const { content } = await ask(host, { kind: "rows", layer: 1, side: "query", start: 0, stop: 1 });
    const words = "This page holds layer 0; left out to stay below 25 MB: layers 1–2.";
    expect(content).toMatchObject({ ok: false, error: words });
    store.want(1, "query", 0, 2);
    await until(() => store.refusal(1, "query", [0]) !== undefined);
    expect(store.refusal(1, "query", [0])).toBe(words);
  });
});

test("a page of another version is refused", async () => {
  const manifest = { v: 2, limit: 25, state: {}, axes: [], images: [], maps: [] };
  await expect(EmbeddedHost.open(manifest, () => "")).rejects.toThrow(
    "expected a page of version 1; got version 2",
  );
});
