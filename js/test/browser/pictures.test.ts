/** Images of a map, from the bytes that Python makes of them to pixels. */
import { afterEach, expect, test, vi } from "vitest";
import wire from "../../../tests/wire/images.json";
import type { ImageSize } from "../../src/content.ts";
import { Model } from "../../src/model.ts";
import type { Picture } from "../../src/pictures.ts";
import { Store } from "../../src/store.ts";
import { FakeHost, mapTraits } from "../fakes.ts";
import { until } from "./mounted.ts";

type Case = (typeof wire)[number];
const cases = wire.map((case_) => [case_.name, case_] as const);
const [drawing, photograph] = wire as [Case, Case];

const controllers: AbortController[] = [];
afterEach(() => {
  for (const controller of controllers.splice(0)) controller.abort();
});

function made(traits: Record<string, unknown>) {
  const controller = new AbortController();
  controllers.push(controller);
  const host = new FakeHost(traits);
  const store = new Store(new Model(host, controller.signal), controller.signal);
  const heard = vi.fn();
  store.subscribe(heard, controller.signal);
  return { host, store, heard, controller };
}

/** A copy as Jupyter delivers it. */
function imageOf({ id, copy }: Case): Record<string, unknown> {
  const bytes = Uint8Array.from(atob(copy.data), (letter) => letter.charCodeAt(0));
  return { [id]: { ...copy, data: new DataView(bytes.buffer) } };
}

const sizesOf = (...shown: Case[]): Record<string, ImageSize> =>
  Object.assign({}, ...shown.map(({ sizes }) => sizes));

const content = (revision: number, ...shown: Case[]) => mapTraits({ revision, images: sizesOf(...shown) });

const decoded = (store: Store, { id }: Case): Promise<Picture & { source: ImageBitmap }> =>
  until(() => {
    const picture = store.pictures.get(id);
    return picture?.source ? { ...picture, source: picture.source } : undefined;
  }, "a decoded picture");

function pixelsOf(source: ImageBitmap): (x: number, y: number) => number[] {
  const canvas = new OffscreenCanvas(source.width, source.height);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  context.drawImage(source, 0, 0);
  return (x, y) => [
    ...context.getImageData(Math.floor(x * source.width), Math.floor(y * source.height), 1, 1).data,
  ];
}

test.each(cases)("a %s looks as it does in Python", async (_, shown) => {
  const { store, heard } = made({ ...content(1, shown), _images: imageOf(shown) });
  const { source, ...size } = await decoded(store, shown);
  expect(size).toEqual((shown.sizes as Record<string, ImageSize>)[shown.id]);
  expect([source.width, source.height]).toEqual([shown.copy.width, shown.copy.height]);
  const at = pixelsOf(source);
  for (const [x, y, ...colour] of shown.pixels) {
    const found = at(x as number, y as number);
    for (const [channel, level] of colour.entries()) {
      expect(Math.abs((found[channel] as number) - level)).toBeLessThanOrEqual(shown.tolerance + 1);
    }
  }
  expect(heard).toHaveBeenCalledTimes(1);
});

test("bytes may come after what is said of them", async () => {
  const { host, store } = made(content(1, drawing));
  expect(store.pictures.get(drawing.id)).toBeUndefined();
  host.fromPython({ _images: imageOf(drawing) });
  expect(store.pictures.get(drawing.id)).toMatchObject({ width: 18, height: 12, source: undefined });
  await decoded(store, drawing);
});

test("what stays is decoded once, and what is gone is let go", async () => {
  const { host, store, controller } = made({ ...content(1, drawing), _images: imageOf(drawing) });
  const { source } = await decoded(store, drawing);
  host.fromPython(content(2, drawing, photograph));
  host.fromPython({ _images: { ...imageOf(drawing), ...imageOf(photograph) } });
  const other = (await decoded(store, photograph)).source;
  expect(store.pictures.get(drawing.id)?.source).toBe(source);
  host.fromPython({ ...content(3, photograph), _images: imageOf(photograph) });
  expect(store.pictures.get(drawing.id)).toBeUndefined();
  expect(source.width).toBe(0);
  expect(store.pictures.get(photograph.id)?.source).toBe(other);
  controller.abort();
  expect(other.width).toBe(0);
});

test("what is overtaken while it is decoded does not come back", async () => {
  const { host, store, heard } = made({ ...content(1, photograph), _images: imageOf(photograph) });
  host.fromPython({ ...content(2, drawing), _images: imageOf(drawing) });
  await decoded(store, drawing);
  const calls = heard.mock.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(store.pictures.get(photograph.id)).toBeUndefined();
  expect(heard).toHaveBeenCalledTimes(calls);
});

test("what can't be shown says why", async () => {
  const { id, copy } = drawing;
  const broken = { ...copy, data: new Uint8Array(40) };
  const { host, store } = made({ ...content(1, drawing), _images: { [id]: broken } });
  await until(() => store.pictures.get(id)?.failed, "the refusal");
  expect(store.pictures.get(id)).toMatchObject({ width: 18, height: 12, source: undefined });
  expect(store.pictures.get(id)?.failed).toMatch(/^The image can't be decoded: /);
  host.fromPython(content(2));
  host.fromPython({ ...content(3, drawing), _images: { [id]: { ...copy, data: "text" } } });
  await until(() => store.pictures.get(id)?.failed, "the refusal");
  expect(store.pictures.get(id)?.failed).toContain("expected binary data");
  host.fromPython(content(4));
  host.fromPython({ ...content(5, drawing), _images: { [id]: null } });
  expect(store.pictures.get(id)?.failed).toBe("There was no room for it.");
});
