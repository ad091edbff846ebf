/** What has no place on a picture, or a box on one: tokens of a side as chips, tinted by their weights. */

import type { Axis } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { TokenColumn } from "../lines/tokens.ts";
import type { Units } from "../lines/units.ts";
import type { Side } from "../store.ts";

/** More boxes than this are left to their pictures. */
const MOST_BOXES = 200;

export class Words extends TokenColumn {
  readonly row: HTMLElement;
  readonly #heading = h("span", { class: "heading" });
  #at = new Map<number, number>();

  constructor(side: Side) {
    super(side);
    this.row = h("div", { class: "words" }, this.#heading, this.element);
    set(this.element, "aria-orientation", "horizontal");
  }

  get count(): number {
    return this.units?.count ?? 0;
  }

  setAxis(axis: Axis, shared: boolean): void {
    const units = chipsOf(axis);
    this.setUnits(units, (at) => axis.exact.get(units.starts[at] as number) ?? units.labels[at] ?? "");
    this.keep(units, units.labels.keys());
    this.#at = new Map(units.labels.map((_, at) => [units.starts[at] as number, at]));
    for (const [at, token] of this.tokens) {
      // Patches lie between this word and the one before it.
      set(token, "data-gap", at > 0 && (units.starts[at] as number) > (units.starts[at - 1] as number) + 1);
    }
    setText(this.#heading, shared ? "tokens" : this.side === "query" ? "queries" : "keys");
    set(this.row, "hidden", units.count === 0);
  }

  /** The chip of a token of the axis. */
  chipOf(token: number): number | undefined {
    return this.#at.get(token);
  }

  tokenOf(chip: number): number {
    return this.units?.starts[chip] ?? 0;
  }

  /** Tokens to step through: all but the special ones. */
  get steps(): readonly number[] {
    return [...this.#at].flatMap(([token, at]) => (this.special.has(at) ? [] : [token]));
  }

  /** Numbers over the axis as numbers over the chips. */
  pick(values: ArrayLike<number>): Float32Array {
    return Float32Array.from({ length: this.count }, (_, at) => values[this.tokenOf(at)] ?? 0);
  }

  chips(tokens: readonly number[]): ReadonlySet<number> {
    return new Set(tokens.flatMap((token) => this.#at.get(token) ?? []));
  }
}

function chipsOf({ labels, special, parts }: Axis): Units {
  const placed = new Set<number>();
  for (const { kind, start, stop } of parts) {
    if (kind === "boxes" && stop - start <= MOST_BOXES) continue;
    for (let position = start; position < stop; position++) placed.add(position);
  }
  const shown = [...labels.keys()].filter((position) => !placed.has(position));
  const apart = new Set(special);
  return {
    count: shown.length,
    labels: shown.map((position) => labels[position] ?? ""),
    special: shown.flatMap((position, at) => (apart.has(position) ? [at] : [])),
    starts: Uint32Array.from([...shown, labels.length]),
  };
}
