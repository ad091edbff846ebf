/** What has no place on a picture, or a box on one: tokens of a side as chips, tinted by their weights. */

import type { Axis } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { isRightToLeft } from "../lines/layout.ts";
import { TokenColumn } from "../lines/tokens.ts";
import type { Units } from "../lines/units.ts";
import type { Side } from "../store.ts";

/** More boxes than this are left to their pictures. */
const MOST_BOXES = 200;

const NO_UNITS: Units = { count: 0, labels: [], special: [], starts: Uint32Array.of(0) };

export class Words extends TokenColumn {
  readonly row: HTMLElement;
  /** What its items are. */
  noun = "word";
  readonly #heading = h("span", { class: "words-name" });
  #at = new Map<number, number>();

  constructor(side: Side) {
    super(side);
    this.row = h("div", { class: "words" }, this.#heading, this.element);
    set(this.element, "aria-orientation", "horizontal");
  }

  get count(): number {
    return this.units?.count ?? 0;
  }

  /** Show the words of an axis, or none. */
  setAxis(axis: Axis | undefined, shared: boolean): void {
    const units = axis ? chipsOf(axis) : NO_UNITS;
    this.setUnits(units, (at) => axis?.exact.get(units.starts[at] as number) ?? units.labels[at] ?? "");
    this.keep(units, units.labels.keys());
    this.#at = new Map(units.labels.map((_, at) => [units.starts[at] as number, at]));
    for (const [at, token] of this.tokens) {
      // Patches lie between this word and the one before it.
      set(token, "data-gap", at > 0 && (units.starts[at] as number) > (units.starts[at - 1] as number) + 1);
    }
    set(this.element, "dir", isRightToLeft(units.labels) ? "rtl" : null);
    this.noun = axis?.parts.some(({ kind }) => kind === "boxes") ? "box" : "word";
    setText(this.#heading, shared ? "tokens" : this.side === "query" ? "queries" : "keys");
    set(this.row, "hidden", units.count === 0);
  }

  get labels(): readonly string[] {
    return this.units?.labels ?? [];
  }

  tokenOf(chip: number): number {
    return this.units?.starts[chip] ?? 0;
  }

  get tokensShown(): Iterable<number> {
    return this.#at.keys();
  }

  /** Tokens to step through: all but the special ones. */
  get steps(): readonly number[] {
    return [...this.#at].flatMap(([token, at]) => (this.special.has(at) ? [] : [token]));
  }

  /** Numbers over the axis as numbers over the chips. */
  pick(values: ArrayLike<number>): Float32Array {
    return Float32Array.from({ length: this.count }, (_, at) => values[this.tokenOf(at)] ?? 0);
  }

  /** Scroll the list, and nothing around it, to a token. */
  reveal(token: number): void {
    const chip = this.tokens.get(this.#at.get(token) ?? -1);
    if (!chip) return;
    const { element } = this;
    const most = chip.offsetTop;
    const least = most + chip.offsetHeight - element.clientHeight;
    element.scrollTop = Math.max(least, Math.min(most, element.scrollTop));
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
