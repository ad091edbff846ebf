/** The words of both sides, what they wear, and stepping from one to the next. */

import type { ListPlace } from "../a11y.ts";
import type { Content } from "../content.ts";
import { Player } from "../controls/player.ts";
import { h, set, setText } from "../dom.ts";
import { type Lifetime, on } from "../lifetime.ts";
import { isRightToLeft } from "../lines/layout.ts";
import { LEAST_NUMBER } from "../lines/tokens.ts";
import { listenAxis } from "../matrix/gestures.ts";
import type { Model } from "../model.ts";
import { headColour } from "../scale/palette.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Cursor } from "./picture.ts";
import type { Focus, Shown, Source } from "./source.ts";
import { Words } from "./words.ts";

const SIDES = ["query", "key"] as const;

export interface ChipHandlers {
  hover(cursor: Cursor | null): void;
  /** The keyboard has come to a word. */
  reached(cursor: Cursor): void;
  pin(cursor: Cursor, add: boolean): void;
  stepped(): void;
  /** A key leads from the words to the pictures. */
  cross(): void;
}

export class Chips {
  readonly rows: readonly HTMLElement[];
  readonly steps: HTMLElement;
  readonly #model: Model;
  readonly #source: Source;
  readonly #handlers: ChipHandlers;
  readonly #words: Readonly<Record<Side, Words>> = { query: new Words("query"), key: new Words("key") };
  readonly #player: Player;
  readonly #previous: HTMLButtonElement;
  readonly #next: HTMLButtonElement;
  readonly #step = h("span");
  #facing: Side = "query";
  #revealed = "";

  constructor(model: Model, source: Source, handlers: ChipHandlers, lifetime: Lifetime) {
    this.#model = model;
    this.#source = source;
    this.#handlers = handlers;
    const { signal } = lifetime;
    this.rows = SIDES.map((side) => this.#words[side].row);
    const now = () => this.#now();
    const go = (to: number) => this.#go(to);
    this.#player = new Player({ name: "show one after the other", now, go }, lifetime);
    const button = (text: string, by: -1 | 1) => {
      const element = h("button", { type: "button" }, text);
      on(element, "click", () => go(Math.max(0, now().at + by)), signal);
      return element;
    };
    this.#previous = button("‹", -1);
    this.#next = button("›", 1);
    this.steps = h("div", { class: "group" }, this.#previous, this.#player.button, this.#next, this.#step);
    this.#listen(signal);
  }

  /** @param facing - The side that words of a shared axis stand for. */
  setAxes({ queries, keys }: Content, facing: Side): void {
    const shared = queries === keys;
    this.#facing = facing;
    for (const side of SIDES) {
      const axis = side === "query" ? queries : keys;
      this.#words[side].setAxis(shared && side !== facing ? undefined : axis, shared);
    }
  }

  /** A word's picture is complete: the next may come. */
  painted(): void {
    this.#player.painted();
  }

  /** Words wear the strongest of the heads shown. */
  dress(focus: Focus | null, shown: Shown | undefined, theme: Theme): void {
    const { content } = this.#source;
    const { pinned_queries, pinned_keys, special } = this.#model.state;
    const pinned = { query: pinned_queries, key: pinned_keys };
    const shared = content?.queries === content?.keys;
    const pins = (side: Side) => (shared ? [...pinned.query, ...pinned.key] : pinned[side]);
    this.#reveal(pins);
    for (const side of SIDES) {
      const words = this.#words[side];
      if (!content || words.count === 0) continue;
      const told = focus && shown && (shared || shown.other === side) ? shown : undefined;
      const { length } = (side === "query" ? content.queries : content.keys).labels;
      const [weights, tints] = [new Float32Array(length), new Float32Array(length)];
      const heads = new Int32Array(length);
      told?.rows.forEach((row, at) => {
        const strength = this.#source.strength(told, at);
        for (const token of words.tokensShown) {
          const weight = row[token] as number;
          if (!(Math.abs(weight) > Math.abs(weights[token] as number))) continue;
          weights[token] = weight;
          tints[token] = strength(weight);
          heads[token] = told.heads[at] ?? 0;
        }
      });
      const numbers = words.pick(weights);
      words.dress({
        tints: words.pick(tints),
        weights: numbers,
        numbered: new Set(
          [...numbers.keys()].filter((at) => Math.abs(numbers[at] as number) >= LEAST_NUMBER),
        ),
        colour: (chip) => headColour(Math.max(0, heads[words.tokenOf(chip)] as number), theme),
        pinned: words.chips(pins(side)),
        active: words.chips(focus && (shared || focus.side === side) ? focus.positions : []),
        hiddenSpecial: special !== "show",
      });
    }
    this.#tellSteps();
  }

  /** Bring what has been pinned last into sight, once. */
  #reveal(pins: (side: Side) => readonly number[]): void {
    const key = JSON.stringify(SIDES.map(pins));
    if (key === this.#revealed || !SIDES.some((side) => this.#words[side].element.clientHeight > 0)) return;
    this.#revealed = key;
    for (const side of SIDES) this.#words[side].reveal(pins(side).at(-1) ?? -1);
  }

  get #track(): { readonly side: Side; readonly tokens: readonly number[] } {
    const side = this.#words[this.#facing].count > 1 ? this.#facing : "query";
    return { side, tokens: this.#words[side].steps };
  }

  #now(): { at: number; last: number } {
    const { side, tokens } = this.#track;
    const { pinned_queries, pinned_keys } = this.#model.state;
    const pins = side === "query" ? pinned_queries : pinned_keys;
    return { at: pins.length === 1 ? tokens.indexOf(pins[0] as number) : -1, last: tokens.length - 1 };
  }

  #go(to: number): void {
    const { side, tokens } = this.#track;
    const token = tokens[to];
    if (token === undefined) return;
    this.#model.change({
      pinned_queries: side === "query" ? [token] : [],
      pinned_keys: side === "key" ? [token] : [],
    });
    this.#words[side].reveal(token);
    this.#handlers.stepped();
  }

  #tellSteps(): void {
    const { at, last } = this.#now();
    set(this.steps, "hidden", last < 1);
    const { noun } = this.#words[this.#track.side];
    const plural = noun === "box" ? "boxes" : "words";
    setText(this.#step, at < 0 ? `${last + 1} ${plural}` : `${noun} ${at + 1} of ${last + 1}`);
    for (const [button, which] of [
      [this.#previous, "previous"],
      [this.#next, "next"],
    ] as const) {
      set(button, "title", `${which} ${noun}`);
      set(button, "aria-label", `${which} ${noun}`);
    }
    this.#previous.disabled = at <= 0;
    this.#next.disabled = at >= last;
  }

  #listen(signal: AbortSignal): void {
    const cursorOf = (side: Side, chip: number): Cursor => ({
      side,
      position: this.#words[side].tokenOf(chip),
    });
    const handlers = {
      hoverToken: (side: Side, chip: number) => this.#handlers.hover(cursorOf(side, chip)),
      leave: () => this.#handlers.hover(null),
      pinToken: (side: Side, chip: number, add: boolean) => {
        this.#words[side].reach(chip, false);
        this.#handlers.pin(cursorOf(side, chip), add);
      },
      reached: (side: Side, chip: number) => {
        this.#words[side].reach(chip, false);
        this.#handlers.reached(cursorOf(side, chip));
      },
      // Where the other side has no words, keys that cross lead to the pictures.
      place: (side: Side): ListPlace => {
        const { count, tabStop, labels } = this.#words[side];
        return { index: tabStop, count: count || 1, page: 8, vertical: false, rtl: isRightToLeft(labels) };
      },
      goTo: (side: Side, chip: number) => {
        const words = this.#words[side];
        if (words.count === 0) this.#handlers.cross();
        else {
          words.reach(chip, true);
          words.reveal(words.tokenOf(chip));
        }
      },
    };
    for (const side of SIDES) listenAxis(this.#words[side].element, side, handlers, signal);
  }
}
