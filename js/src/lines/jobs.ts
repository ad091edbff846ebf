/**
 * Pictures to be drawn, step by step, for several painters: of each the last one asked for, and where it
 * will take a while the strongest lines first. Free of the DOM; runs in the worker and on the page's thread.
 */
import { type Composite, createComposite, type Raster, type Scene, type Viewport } from "./composite.ts";
import { quickly } from "./fog.ts";
import type { Rgb } from "./scene.ts";

/** What can be sent to a worker. */
export interface Job {
  readonly painter: number;
  readonly number: number;
  readonly scene: Omit<Scene, "colour">;
  /** Colours of the heads in the scene. */
  readonly colours: readonly (readonly [head: number, colour: Rgb])[];
  readonly viewport: Viewport;
}

export interface Drawn {
  readonly painter: number;
  readonly number: number;
  readonly raster: Raster;
  /** False for a first picture, which the true one follows. */
  readonly final: boolean;
}

/** Scenes of more lines and blocks get a quick first picture. */
const LONG = 60_000;

export class Jobs {
  readonly #put: (drawn: Drawn) => void;
  readonly #waiting = new Map<number, Job>();
  #current: { readonly job: Job; readonly work: Composite; readonly final: boolean } | undefined;

  constructor(put: (drawn: Drawn) => void) {
    this.#put = put;
  }

  /** Draw this instead of what the painter asked for before. */
  add(job: Job): void {
    this.drop(job.painter);
    this.#waiting.set(job.painter, job);
  }

  drop(painter: number): void {
    this.#waiting.delete(painter);
    if (this.#current?.job.painter === painter) this.#current = undefined;
  }

  /** Draws on for about `ms` milliseconds; returns whether there is more to draw. */
  step(ms: number): boolean {
    const end = performance.now() + ms;
    do {
      this.#current ??= this.#next();
      if (!this.#current) return false;
      const { job, work, final } = this.#current;
      if (!work.step(end - performance.now())) continue;
      this.#current = final ? undefined : begin(job, true);
      this.#put({ painter: job.painter, number: job.number, raster: work.raster, final });
    } while (performance.now() < end);
    return true;
  }

  #next() {
    for (const [painter, job] of this.#waiting) {
      this.#waiting.delete(painter);
      return begin(job, costOf(job.scene) <= LONG);
    }
    return undefined;
  }
}

function begin(job: Job, final: boolean) {
  const { scene, viewport } = job;
  const { query, key } = scene.geometry;
  const colours = new Map(job.colours);
  const colour = (head: number): Rgb => colours.get(head) ?? [0, 0, 0];
  const quick = final ? {} : quickly(scene.edges, scene.fog, [query.length, key.length]);
  return { job, final, work: createComposite({ ...scene, ...quick, colour }, viewport) };
}

function costOf({ edges, fog }: Job["scene"]): number {
  return edges.count + (fog ? fog.rows * fog.cols * fog.heads.length : 0);
}
