/** Which query, key and head the view shows, and what of them is here. */

import type { Content } from "../content.ts";
import { shownHeads } from "../lines/picture.ts";
import type { Model } from "../model.ts";
import type { Side, Store } from "../store.ts";
import { n, type Row, recompute, type Steps, stepsOf } from "./steps.ts";
import type { Trial } from "./trial.ts";

export interface Shown {
  readonly head: number;
  readonly query: number;
  readonly key: number;
  /** Keys that have a line of their own. */
  readonly shown: readonly number[];
  readonly panels: readonly { readonly steps: Steps; readonly row: Row }[];
}

const LINES = 16;

export class Sight {
  readonly #model: Model;
  readonly #store: Store;
  #lines = LINES;

  constructor(model: Model, store: Store) {
    this.#model = model;
    this.#store = store;
  }

  /** More (1) or fewer (−1) keys. */
  zoom(direction: 1 | -1): void {
    this.#lines = Math.max(3, Math.min(LINES * 3, Math.round(this.#lines * 2 ** direction)));
  }

  label(side: Side, at: number): string {
    return this.#axis(side)?.labels[at] ?? "";
  }

  #axis(side: Side) {
    const { content } = this.#store;
    return side === "query" ? content?.queries : content?.keys;
  }

  /** What is shown; undefined while it is on its way, words where it does not come. */
  look(trial: Trial): Shown | string | undefined {
    const { content, slices } = this.#store;
    const { state } = this.#model;
    const { layer } = state;
    if (!content?.mechanism) return "This map is weights alone: how they arise is not known.";
    const [head] = shownHeads(content, state);
    if (head === undefined) return "no head is shown: choose heads above";
    const count = content.keys.labels.length;
    // State may come before the map it belongs to.
    const queries = content.queries.labels.length;
    const query = state.pinned_queries.find((at) => at < queries) ?? firstPlain(content);
    const pinned = state.pinned_keys.find((at) => at < count);
    const whole = content.mechanism === "whole";
    const fields = whole
      ? { layer, head }
      : { layer, head, query, keys: pinned === undefined ? [] : [pinned] };
    // A row that is here may hold the vectors of other keys too.
    const held = slices.held("mechanism");
    const serves =
      held?.fields.layer === layer &&
      held.fields.head === head &&
      (whole ||
        (held.fields.query === query &&
          [pinned].every((key) => key === undefined || (held.fields.keys as number[]).includes(key))));
    if (!serves) slices.want("mechanism", "mechanism", fields, { hold: true });
    const reply = serves ? held : slices.get("mechanism", fields);
    if (!reply) return slices.failure("mechanism");
    const panels = stepsOf(reply, query, count);
    if (queries === count) for (const steps of panels) trial.offer(steps, query);
    const rows = panels.map((steps) => {
      const as = { scale: 1, temperature: 1, masks: steps.on };
      return { steps, row: recompute(steps, trial.of(steps)), own: recompute(steps, as).weights };
    });
    const strength = Float64Array.from({ length: count }, (_, k) =>
      Math.max(...rows.map(({ own }) => n(own, k) || 0)),
    );
    const strongest = [...strength.keys()].sort((a, b) => n(strength, b) - n(strength, a));
    const own = rows[0]?.own ?? [];
    const key = pinned ?? strongest.reduce((best, k) => (n(own, k) > n(own, best) ? k : best), 0);
    const places = reply.fields.keys as readonly number[] | undefined;
    const here = places ? strongest.filter((k) => places.includes(k)) : strongest;
    const first = here.slice(0, this.#lines);
    if (!first.includes(key)) first[first.length - 1] = key;
    return { head, query, key, shown: first.sort((a, b) => a - b), panels: rows };
  }
}

const firstPlain = ({ queries: { labels, special } }: Content): number =>
  Math.max(
    0,
    labels.findIndex((_, at) => !special.includes(at)),
  );
