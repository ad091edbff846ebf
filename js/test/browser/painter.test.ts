import { afterEach, describe, expect, it, vi } from "vitest";
import { createLifetime, type Lifetime } from "../../src/lifetime.ts";
import { composite, type Raster, type Scene } from "../../src/lines/composite.ts";
import { Painter } from "../../src/lines/painter.ts";
import { colour, edgesOf, geometryOf, linesOf, mostDifferent, softmax, WHOLE } from "../pictures.ts";
import { frame, until } from "./mounted.ts";

const sceneOf = (tokens: number, heads = 4, deviation = 2): Scene => ({
  edges: edgesOf(linesOf(softmax(heads, tokens, deviation), tokens)),
  geometry: geometryOf(tokens),
  colour,
});
const SMALL = sceneOf(12);
const LARGE = sceneOf(64);
const HUGE = sceneOf(140);

const lives: Lifetime[] = [];
function painterOf(): { readonly painter: Painter; readonly life: Lifetime } {
  const life = createLifetime();
  lives.push(life);
  return { painter: new Painter(life), life };
}
afterEach(() => {
  for (const life of lives.splice(0)) life.end();
  vi.unstubAllGlobals();
  // A page that refused one worker asks for no other.
  for (const key of Object.getOwnPropertySymbols(globalThis)) {
    if (key.description?.startsWith("attn-widget painter")) Reflect.deleteProperty(globalThis, key);
  }
});

/** All that a painter puts until the true picture. */
async function painted(painter: Painter, scene: Scene): Promise<{ raster: Raster; final: boolean }[]> {
  const put: { raster: Raster; final: boolean }[] = [];
  painter.paint(scene, WHOLE, (raster, final) => put.push({ raster, final }));
  await until(() => put.at(-1)?.final, "the picture");
  return put;
}

const expectTrue = (raster: Raster | undefined, scene: Scene) =>
  expect(mostDifferent(raster?.data ?? [], composite(scene, WHOLE).data)).toBe(0);

/** A worker that tells how many there are, and how often it was asked. */
function countWorkers(): { made: number; ended: number; sent: unknown[] } {
  const counts = { made: 0, ended: 0, sent: [] as unknown[] };
  class Counted extends Worker {
    constructor(url: string | URL) {
      super(url);
      counts.made++;
    }
    override postMessage(message: unknown, transfer: unknown): void {
      counts.sent.push(message);
      super.postMessage(message, transfer as Transferable[]);
    }
    override terminate(): void {
      counts.ended++;
      super.terminate();
    }
  }
  vi.stubGlobal("Worker", Counted);
  return counts;
}

describe("a painter", () => {
  it("draws a small picture without a worker", async () => {
    const counts = countWorkers();
    const pictures = await painted(painterOf().painter, SMALL);
    expect(pictures).toHaveLength(1);
    expectTrue(pictures[0]?.raster, SMALL);
    expect(counts.made).toBe(0);
  });

  it("has a large one drawn by the page's one worker, which ends with the last painter", async () => {
    const counts = countWorkers();
    const [one, two] = [painterOf(), painterOf()];
    const found = await Promise.all([painted(one.painter, LARGE), painted(two.painter, sceneOf(50))]);
    expectTrue(found[0].at(-1)?.raster, LARGE);
    expectTrue(found[1].at(-1)?.raster, sceneOf(50));
    expect(counts).toMatchObject({ made: 1, ended: 0 });
    one.life.end();
    expect(counts.ended).toBe(0);
    two.life.end();
    expect(counts.ended).toBe(1);
  });

  it("keeps what it sends", async () => {
    const { painter } = painterOf();
    await painted(painter, LARGE);
    expect(LARGE.edges.strength.length).toBe(LARGE.edges.count);
    expect(LARGE.geometry.query.length).toBe(64);
  });

  it("shows the strongest lines of a huge one first", async () => {
    const put = await painted(painterOf().painter, HUGE);
    expect(put.map(({ final }) => final)).toEqual([false, true]);
    expectTrue(put[1]?.raster, HUGE);
    expect(put[0]?.raster.data.some(Boolean)).toBe(true);
  });

  it("draws the last of what it is asked for, and nothing after it is told to stop", async () => {
    const { painter } = painterOf();
    const early = vi.fn();
    painter.paint(HUGE, WHOLE, early);
    const put = await painted(painter, LARGE);
    expect(early).not.toHaveBeenCalled();
    expect(put).toHaveLength(1);
    expectTrue(put[0]?.raster, LARGE);
    const late = vi.fn();
    painter.paint(HUGE, WHOLE, late);
    painter.stop();
    expectTrue((await painted(painterOf().painter, HUGE)).at(-1)?.raster, HUGE);
    expect(late).not.toHaveBeenCalled();
  });
});

describe("where workers are refused", () => {
  it("at once, the page's own thread draws", async () => {
    class Refused {
      constructor() {
        throw new DOMException("refused", "SecurityError");
      }
    }
    vi.stubGlobal("Worker", Refused);
    const { painter } = painterOf();
    expectTrue((await painted(painter, LARGE)).at(-1)?.raster, LARGE);
    expect((await painted(painter, HUGE)).map(({ final }) => final)).toEqual([false, true]);
  });

  it("later, by a policy, it goes on with what was asked for", async () => {
    const terminated = vi.fn();
    class Refused {
      onerror: (event: Event) => void = () => {};
      onmessage = () => {};
      postMessage = vi.fn();
      terminate = terminated;
      constructor() {
        requestAnimationFrame(() => this.onerror(new Event("error")));
      }
    }
    vi.stubGlobal("Worker", Refused);
    const { painter } = painterOf();
    const put = painted(painter, LARGE);
    await frame();
    expectTrue((await put).at(-1)?.raster, LARGE);
    expect(terminated).toHaveBeenCalled();
  });
});
