/**
 * Who draws large pictures: one worker for all views of the page, and the page's own thread where workers
 * are refused (content policies, files opened from disk).
 */
import type { Lifetime } from "../lifetime.ts";
import type { Raster, Scene, Viewport } from "./composite.ts";
import { type Drawn, type Job, Jobs } from "./jobs.ts";
import type { Edges, Fog, Pool, Rgb } from "./scene.ts";
import type { Order } from "./worker.ts";
import { script } from "./worker-text.ts";

/** Scenes of fewer lines are drawn at once: sooner than a worker could answer. */
const FEW = 2_000;
/** Time spent on a picture at a stretch on the page's thread; on the first one, when nothing else waits, more. */
const SLICE_MS = { first: 40, later: 8 };
/** A worker that says nothing for so long will not. */
const PATIENCE_MS = 4_000;

type Put = (raster: Raster, final: boolean) => void;

interface Member {
  drawn(drawn: Drawn): void;
  /** The worker is gone: go on without it. */
  refused(): void;
}

/** The worker of this page; other versions of this module have their own. */
interface Workshop {
  readonly worker: Worker;
  readonly members: Map<number, Member>;
  count: number;
}

/** Undefined until one was tried, null where workers are refused. */
interface Page {
  [name: symbol]: Workshop | null | undefined;
}

const page = globalThis as Page;
const KEY = Symbol.for(`attn-widget painter ${hash(script)}`);

function hash(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return sum;
}

function workshop(): Workshop | null {
  if (page[KEY] !== undefined) return page[KEY];
  page[KEY] = null;
  if (script === "") return null;
  try {
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const worker = new Worker(url);
    const made: Workshop = { worker, members: new Map(), count: 0 };
    const refuse = () => {
      if (page[KEY] === made) page[KEY] = null;
      worker.terminate();
      for (const member of [...made.members.values()]) member.refused();
    };
    const late = setTimeout(refuse, PATIENCE_MS);
    worker.onmessage = ({ data }: MessageEvent<"ready" | Drawn>) => {
      clearTimeout(late);
      URL.revokeObjectURL(url);
      if (data !== "ready") made.members.get(data.painter)?.drawn(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      clearTimeout(late);
      refuse();
    };
    page[KEY] = made;
  } catch {
    // The page's own thread draws.
  }
  return page[KEY] ?? null;
}

/** Draws one picture at a time, the last that was asked for. */
export class Painter {
  readonly #lifetime: Lifetime;
  readonly #jobs = new Jobs((drawn) => this.#drawn(drawn));
  #shop: Workshop | null | undefined;
  #number = 0;
  #id = 0;
  #put: Put | undefined;
  #again: (() => void) | undefined;
  #stepping = false;
  #first = true;

  constructor(lifetime: Lifetime) {
    this.#lifetime = lifetime;
    lifetime.onEnd(() => this.#leave());
  }

  /** Draws `scene`; `put` gets a first picture where it takes long, and the true one. */
  paint(scene: Scene, viewport: Viewport, put: Put): void {
    this.#put = put;
    const job = { painter: this.#id, number: ++this.#number, viewport };
    const here = () => {
      this.#jobs.add({ ...job, painter: 0, scene, colours: coloursOf(scene) });
      this.#proceed();
    };
    const shop = scene.fog || scene.edges.count > FEW ? this.#join() : null;
    if (!shop) {
      here();
      return;
    }
    this.#jobs.drop(0);
    this.#again = here;
    const sent = { ...job, painter: this.#id, ...copied(scene), colours: coloursOf(scene) };
    this.#send(sent, buffersOf(sent.scene));
  }

  /** Draw nothing more of what was asked for. */
  stop(): void {
    this.#put = undefined;
    this.#again = undefined;
    this.#jobs.drop(0);
    if (this.#shop) this.#send({ painter: this.#id });
  }

  #send(order: Order, transfer: ArrayBuffer[] = []): void {
    this.#shop?.worker.postMessage(order, transfer);
  }

  #join(): Workshop | null {
    if (this.#shop !== undefined) return this.#shop;
    this.#shop = workshop();
    if (!this.#shop) return null;
    this.#id = ++this.#shop.count;
    this.#shop.members.set(this.#id, {
      drawn: (drawn) => this.#drawn(drawn),
      refused: () => {
        this.#shop = null;
        this.#again?.();
      },
    });
    return this.#shop;
  }

  #leave(): void {
    this.stop();
    const shop = this.#shop;
    this.#shop = null;
    if (!shop) return;
    shop.members.delete(this.#id);
    if (shop.members.size > 0) return;
    shop.worker.terminate();
    if (page[KEY] === shop) page[KEY] = undefined;
  }

  #drawn({ number, raster, final }: Drawn): void {
    if (number !== this.#number || !this.#put) return;
    if (final) {
      this.#again = undefined;
      this.#first = false;
    }
    this.#put(raster, final);
  }

  #proceed(): void {
    if (this.#stepping) return;
    this.#stepping = this.#jobs.step(this.#first ? SLICE_MS.first : SLICE_MS.later);
    if (!this.#stepping) return;
    this.#lifetime.after(0, () => {
      this.#stepping = false;
      this.#proceed();
    });
  }
}

function coloursOf({ edges, fog, colour }: Scene): Job["colours"] {
  const heads = new Set(fog?.heads.map(({ head }) => head));
  for (let i = 0; i < edges.count; i++) heads.add(edges.head[i] as number);
  return [...heads].map((head): [number, Rgb] => [head, colour(head)]);
}

/** What is sent is given away, and the page keeps its own. */
function copied({ edges, fog, geometry }: Scene): { readonly scene: Job["scene"] } {
  const strength = edges.strength.slice();
  const lines: Edges = {
    count: edges.count,
    query: edges.query.slice(),
    key: edges.key.slice(),
    head: edges.head.slice(),
    strength,
    // Pictures need no numbers.
    weight: strength,
    mark: edges.mark.slice(),
  };
  const pool = ({ rows, cols, heads }: Pool): Pool => ({
    rows,
    cols,
    heads: heads.map(({ head, strength }) => ({ head, strength: strength.slice() })),
  });
  const haze: Fog | undefined = fog && {
    ...pool(fog),
    ends: fog.ends && { query: pool(fog.ends.query), key: pool(fog.ends.key) },
  };
  const { vertical, along, pitch } = geometry;
  const places = { query: geometry.query.slice(), key: geometry.key.slice() };
  return { scene: { edges: lines, fog: haze, geometry: { vertical, along, pitch, ...places } } };
}

function buffersOf({ edges, fog, geometry }: Job["scene"]): ArrayBuffer[] {
  const { query, key, head, strength, mark } = edges;
  const pools = fog ? [fog, fog.ends?.query, fog.ends?.key] : [];
  return [
    ...[query, key, head, strength, mark, geometry.query, geometry.key],
    ...pools.flatMap((pool) => pool?.heads.map(({ strength }) => strength) ?? []),
  ].map(({ buffer }) => buffer as ArrayBuffer);
}
