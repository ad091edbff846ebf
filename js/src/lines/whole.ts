/** Lines that the kernel chooses: the strongest of a layer too large to be here, with the rest as fog. */

import type { Content } from "../content.ts";
import type { State } from "../model.ts";
import { EDGES_LIMIT, messageOf, type Reply } from "../protocol.ts";
import type { Fields } from "../slices.ts";
import type { Store } from "../store.ts";
import type { Selection } from "./edges.ts";
import { type Axes, type Focus, shownHeads, sideOf } from "./picture.ts";
import { type Fog, Mark, type Pool } from "./scene.ts";

export interface Found {
  readonly selection: Selection;
  readonly fog: Fog;
  /** How the numbers were made, where they are not exact. */
  readonly how: string;
}

/** What is asked of the kernel, about all lines or those of a focus. */
export function requestOf(content: Content, state: State, axes: Axes, focus?: Focus): Fields {
  const { layer, combine, direction, mass, threshold, top_k, special, scale, words } = state;
  const filters = { layer, combine, direction, mass, threshold, top_k, special, scale, words };
  const { query, key } = axes;
  const blocks = query.blocks || key.blocks ? { blocks: [query.count, key.count] } : {};
  const side = focus && sideOf(focus);
  const about = focus && side ? { focus: { side, positions: focus[side] } } : {};
  const aside = state.aside.length > 0 ? { aside: state.aside } : {};
  return { ...filters, ...aside, heads: shownHeads(content, state), limit: EDGES_LIMIT, ...blocks, ...about };
}

/** One thing on screen that the kernel answers, by its slot. */
export class LinesRequest {
  readonly #store: Store;
  readonly #slot: string;
  readonly #hold: boolean;
  #fields: Fields | undefined;

  /** @param hold - what is asked for stays on screen, also in a saved notebook. */
  constructor(store: Store, slot: string, hold: boolean) {
    this.#store = store;
    this.#slot = slot;
    this.#hold = hold;
  }

  want(fields: Fields): void {
    this.#fields = fields;
    this.#store.slices.want(this.#slot, "edges", fields, { hold: this.#hold });
  }

  /** What has come of what is wanted. */
  get found(): Found | undefined {
    const read = this.#read;
    return typeof read === "string" ? undefined : read;
  }

  get failure(): string | undefined {
    const read = this.#read;
    return typeof read === "string" ? read : read ? undefined : this.#store.slices.failure(this.#slot);
  }

  /** Equal where what has come is the same, to compare pictures by. */
  get key(): string {
    return this.found ? JSON.stringify(this.#fields) : "";
  }

  /** Share of a long answer that is there; undefined for a short one. */
  get progress(): number | undefined {
    return this.#store.slices.progress(this.#slot);
  }

  get #read(): Found | string | undefined {
    const reply = this.#fields && this.#store.slices.get("edges", this.#fields);
    if (!reply) return undefined;
    let read = readings.get(reply);
    if (read === undefined) {
      try {
        read = readReply(reply);
      } catch (error) {
        read = messageOf(error);
      }
      readings.set(reply, read);
    }
    return read;
  }
}

/** Lines, or why they can't be read. */
const readings = new WeakMap<Reply, Found | string>();

function readReply({ fields, arrays }: Reply): Found {
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
  const pool = (name: string): Pool => {
    const { shape, values } = array<Float32Array>(name);
    const [, rows = 0, cols = 0] = shape;
    const size = rows * cols;
    const heads = (fields.fog_heads as number[]).map((head, i) => ({
      head,
      strength: values.subarray(i * size, (i + 1) * size),
    }));
    return { rows, cols, heads };
  };
  const ends = arrays.fog_query && arrays.fog_key;
  return {
    selection: {
      edges,
      total: fields.total as number,
      kept: fields.kept as number,
      missing: fields.missing as number,
      special: fields.special as number,
    },
    fog: { ...pool("fog"), ...(ends ? { ends: { query: pool("fog_query"), key: pool("fog_key") } } : {}) },
    how: fields.exact === false ? String(fields.how) : "",
  };
}
