/** The base picture of a layer too large to be here: its strongest lines, and a haze for the rest. */

import type { Content } from "../content.ts";
import type { State } from "../model.ts";
import { EDGES_LIMIT, NoKernel, type Reply } from "../protocol.ts";
import type { Store } from "../store.ts";
import type { Selection } from "./edges.ts";
import { type Axes, shownHeads } from "./picture.ts";
import { type Fog, Mark } from "./scene.ts";

export class WholeRequest {
  readonly #store: Store;
  readonly #changed: () => void;
  #asked = "";
  #held = "";
  #selection: Selection | undefined;
  #fog: Fog | undefined;
  #failure: string | undefined;

  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  get selection(): Selection | undefined {
    return this.#held === this.#asked ? this.#selection : undefined;
  }

  get fog(): Fog | undefined {
    return this.#held === this.#asked ? this.#fog : undefined;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** What is held, to compare pictures by. */
  get key(): string {
    return this.#held;
  }

  want(content: Content, state: State, axes: Axes): void {
    const { layer, combine, direction, mass, threshold, top_k, special, scale, words } = state;
    const fields = {
      layer,
      combine,
      direction,
      mass,
      threshold,
      top_k,
      special,
      scale,
      words,
      heads: shownHeads(content, state),
      shape: [axes.query.count, axes.key.count],
      limit: EDGES_LIMIT,
    };
    const key = JSON.stringify([content.revision, fields]);
    if (key === this.#asked) return;
    this.#asked = key;
    this.#failure = undefined;
    this.#store
      .edges(fields)
      .then((reply) => {
        if (key !== this.#asked) return;
        this.#take(reply);
        this.#held = key;
      })
      .catch((error: unknown) => {
        if (key !== this.#asked) return;
        this.#failure =
          error instanceof NoKernel
            ? "This layer is not stored in the page and needs a running kernel."
            : String(error instanceof Error ? error.message : error);
      })
      .finally(() => this.#changed());
  }

  #take({ fields, arrays }: Reply): void {
    const weight = (arrays.weight?.values ?? new Float32Array(0)) as Float32Array;
    const [, rows = 0, cols = 0] = arrays.fog?.shape ?? [];
    const fog = (arrays.fog?.values ?? new Float32Array(0)) as Float32Array;
    const heads = fields.fog_heads as number[];
    this.#fog = {
      rows,
      cols,
      heads: heads.map((head, i) => ({
        head,
        strength: fog.subarray(i * rows * cols, (i + 1) * rows * cols),
      })),
    };
    this.#selection = {
      edges: {
        count: weight.length,
        query: arrays.query?.values as Uint32Array,
        key: arrays.key?.values as Uint32Array,
        head: arrays.head?.values as Uint16Array,
        weight,
        strength: arrays.strength?.values as Float32Array,
        mark: Uint8Array.from(
          weight,
          (w) => (w < 0 ? Mark.negative : 0) | (Math.abs(w) === Infinity ? Mark.infinite : 0),
        ),
      },
      total: fields.total as number,
      kept: fields.kept as number,
      missing: fields.missing as number,
      special: 0,
    };
  }
}
