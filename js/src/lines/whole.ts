/** The base picture of a layer too large to be here: its strongest lines, and a haze for the rest. */

import type { Content } from "../content.ts";
import type { State } from "../model.ts";
import { EDGES_LIMIT, NoKernel, type Reply } from "../protocol.ts";
import type { Store } from "../store.ts";
import type { Selection } from "./edges.ts";
import { type Axes, shownHeads } from "./picture.ts";
import { type Fog, Mark } from "./scene.ts";

interface Wanted {
  readonly key: string;
  readonly revision: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class WholeRequest {
  readonly #store: Store;
  readonly #changed: () => void;
  #wanted: Wanted | undefined;
  #asking = false;
  #held = "";
  #selection: Selection | undefined;
  #fog: Fog | undefined;
  #failure: string | undefined;

  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  get selection(): Selection | undefined {
    return this.#held === this.#wanted?.key ? this.#selection : undefined;
  }

  get fog(): Fog | undefined {
    return this.#held === this.#wanted?.key ? this.#fog : undefined;
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
    const { revision } = content;
    const key = JSON.stringify([revision, fields]);
    if (key === this.#wanted?.key) return;
    this.#wanted = { key, revision, fields };
    this.#failure = undefined;
    void this.#ask();
  }

  /** Asks for one picture at a time: of those wanted meanwhile, as while a slider is dragged, for the last. */
  async #ask(): Promise<void> {
    const asked = this.#wanted;
    if (this.#asking || !asked || asked.key === this.#held) return;
    this.#asking = true;
    try {
      const reply = await this.#store.edges(asked.fields);
      if (asked === this.#wanted) {
        if (reply.revision !== asked.revision)
          throw new Error("The map has changed: waiting for the new one.");
        this.#take(reply);
        this.#held = asked.key;
      }
    } catch (error) {
      if (asked === this.#wanted) {
        this.#failure =
          error instanceof NoKernel
            ? "This layer is not stored in the page and needs a running kernel."
            : String(error instanceof Error ? error.message : error);
      }
    }
    this.#asking = false;
    if (asked === this.#wanted) this.#changed();
    else void this.#ask();
  }

  #take({ fields, arrays }: Reply): void {
    const array = <T>(name: string): { readonly shape: readonly number[]; readonly values: T } => {
      const found = arrays[name];
      if (!found) throw new Error(`The kernel sent no ${name}.`);
      return found as { readonly shape: readonly number[]; readonly values: T };
    };
    const weight = array<Float32Array>("weight").values;
    const edges = {
      count: weight.length,
      query: array<Uint32Array>("query").values,
      key: array<Uint32Array>("key").values,
      head: array<Uint16Array>("head").values,
      weight,
      strength: array<Float32Array>("strength").values,
      mark: Uint8Array.from(
        weight,
        (w) => (w < 0 ? Mark.negative : 0) | (Math.abs(w) === Infinity ? Mark.infinite : 0),
      ),
    };
    const { shape, values: strength } = array<Float32Array>("fog");
    const [, rows = 0, cols = 0] = shape;
    const size = rows * cols;
    const heads = (fields.fog_heads as number[]).map((head, i) => ({
      head,
      strength: strength.subarray(i * size, (i + 1) * size),
    }));
    this.#fog = { rows, cols, heads };
    this.#selection = {
      edges,
      total: fields.total as number,
      kept: fields.kept as number,
      missing: fields.missing as number,
      special: fields.special as number,
    };
  }
}
