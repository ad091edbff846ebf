/** The tokens of one side as a list to choose from: elements for those in sight, and one that Tab reaches. */

import { h } from "./dom.ts";
import type { Units } from "./lines/units.ts";
import type { Side } from "./store.ts";

const NAMES: Readonly<Record<Side, string>> = { query: "queries (targets)", key: "keys (sources)" };

export abstract class TokenList {
  readonly element: HTMLElement;
  protected readonly side: Side;
  protected readonly tokens = new Map<number, HTMLElement>();
  protected units: Units | undefined;
  protected special: ReadonlySet<number> = new Set();
  #exact: (position: number) => string = () => "";
  /** Position that Tab reaches. */
  #tabStop = 0;

  constructor(side: Side, listClass: string) {
    this.side = side;
    this.element = h("div", {
      class: `${listClass} ${side}`,
      role: "listbox",
      "aria-label": NAMES[side],
      "aria-multiselectable": "true",
    });
  }

  get tabStop(): number {
    return this.#tabStop;
  }

  /** Start over with other labels. */
  setUnits(units: Units, exact: (position: number) => string): void {
    this.units = units;
    this.#exact = exact;
    this.special = new Set(units.special);
    this.#tabStop = Math.min(this.#tabStop, Math.max(0, units.count - 1));
    this.element.replaceChildren();
    this.tokens.clear();
  }

  /** Move the tab stop, and the focus with it if asked. */
  reach(position: number, focus: boolean): void {
    const before = this.tokens.get(this.#tabStop);
    if (before) before.tabIndex = -1;
    this.#tabStop = position;
    if (!this.units) return;
    const token = this.tokens.get(position) ?? this.#make(this.units, position);
    token.tabIndex = 0;
    if (focus) token.focus({ preventScroll: true });
  }

  /** Have elements for these positions and for the one Tab reaches, and for no others. */
  protected keep(units: Units, positions: Iterable<number>): void {
    const wanted = new Set(positions);
    if (units.count > 0) wanted.add(this.#tabStop);
    for (const [position, token] of this.tokens) {
      if (wanted.has(position)) continue;
      token.remove();
      this.tokens.delete(position);
    }
    for (const position of wanted) if (!this.tokens.has(position)) this.#make(units, position);
  }

  /** Add to a new element what only this list shows. */
  protected abstract complete(token: HTMLElement, label: string): void;

  #make(units: Units, position: number): HTMLElement {
    const index = units.starts[position] as number;
    const label = units.labels[position] ?? "";
    const exact = this.#exact(position);
    const token = h(
      "div",
      {
        role: "option",
        tabindex: position === this.#tabStop ? 0 : -1,
        // A label of spaces is no name to read out.
        "aria-label": label.trim() === "" ? `blank, position ${index}` : null,
        dir: "auto",
        "data-side": this.side,
        "data-index": index,
        "data-position": position,
        "aria-posinset": position + 1,
        "aria-setsize": units.count,
        title: exact === label ? label : `${label}  (${exact})`,
      },
      h("span", { class: "label" }, label),
    );
    this.complete(token, label);
    this.tokens.set(position, token);
    this.element.append(token);
    return token;
  }
}
