/** What there is to draw of the map shown: axes, lines, and what must be asked for. No DOM. */

import type { Axis, Content } from "../content.ts";
import type { Model, State } from "../model.ts";
import { EDGES_CELLS, FOCUS_ABOVE } from "../protocol.ts";
import type { Side, Store } from "../store.ts";
import { hiddenShare, type Selection } from "./edges.ts";
import * as picture from "./picture.ts";
import type { Edges, Fog } from "./scene.ts";
import { BLOCKS_ABOVE, blocksOf, countOf, tokensOf, type Units, unitOf } from "./units.ts";
import { LinesRequest, requestOf } from "./whole.ts";

/** Where the weight went, for the legend. */
export interface Account {
  /** Share of the weight that no line carries. */
  readonly hidden: number;
  /** Share of the weight on special keys. */
  readonly special: number;
  readonly missing: number;
  readonly full: number;
  /** Least and largest sum of a row, where the layer is here and holds weights. */
  readonly rowSums: readonly [least: number, most: number] | null;
  /** What lines run between, and how their numbers were made, where that is not plain. */
  readonly blocks: string;
}

/** Rows asked for around the one wanted. */
const NEIGHBOURS = 12;

export class Depiction {
  readonly #model: Model;
  readonly #store: Store;
  readonly #whole: LinesRequest;
  readonly #focused: LinesRequest;
  #content: Content | undefined;
  #axes: picture.Axes = { query: NO_UNITS, key: NO_UNITS };
  #selection: Selection | undefined;
  #selectionKey = "";
  /** The lines made last from rows: a scroll asks for the same again. */
  #rows: Edges | undefined;
  #rowsKey = "";
  #rowSums: readonly [number, number] | null = null;

  constructor(model: Model, store: Store) {
    this.#model = model;
    this.#store = store;
    this.#whole = new LinesRequest(store, "lines", true);
    this.#focused = new LinesRequest(store, "lines in focus", false);
  }

  get axes(): picture.Axes {
    return this.#axes;
  }

  get content(): Content | undefined {
    return this.#content;
  }

  /** True where only hovered and pinned tokens show their lines. */
  get focusOnly(): boolean {
    const { whole } = this.#model.state;
    return whole === null ? this.#longest > FOCUS_ABOVE : !whole;
  }

  /** True where lines run between blocks of tokens: there are too many tokens to draw all lines of each. */
  get #blocked(): boolean {
    return !this.focusOnly && (this.#longest > BLOCKS_ABOVE || this.#cells > EDGES_CELLS);
  }

  get #cells(): number {
    const { content } = this.#store;
    if (!content) return 0;
    const { queries, keys } = content;
    return picture.shownHeads(content, this.#model.state).length * queries.labels.length * keys.labels.length;
  }

  get #longest(): number {
    const { content } = this.#store;
    const { words } = this.#model.state;
    return content ? Math.max(countOf(content.queries, words), countOf(content.keys, words)) : 0;
  }

  /** All lines of the base picture, where it is wanted and here. */
  get base(): Selection | undefined {
    if (this.focusOnly) return undefined;
    return this.#selection ?? this.#whole.found?.selection;
  }

  /** What of the base picture is pooled. */
  get fog(): Fog | undefined {
    return this.#selection || this.focusOnly ? undefined : this.#whole.found?.fog;
  }

  /** Equal where the base picture holds the same lines. */
  get baseKey(): string {
    return JSON.stringify([this.#selectionKey, this.#whole.key, this.focusOnly, this.#model.state.links]);
  }

  get pinned(): picture.Focus {
    return picture.pinnedFocus(this.#model.state, this.#axes);
  }

  /** Given links, as positions on the axes shown. */
  get links(): [query: number, key: number][] {
    const { query, key } = this.#axes;
    const [queries, keys] = [query.starts[query.count] as number, key.starts[key.count] as number];
    return this.#model.state.links
      .filter(([q, k]) => q < queries && k < keys)
      .map(([q, k]) => [unitOf(query, q), unitOf(key, k)]);
  }

  get account(): Account {
    const known = this.#selection ?? this.base;
    const { blocks } = this.#blocked
      ? this.#axes.query.blocks
        ? this.#axes.query
        : this.#axes.key
      : NO_UNITS;
    const how = this.#selection || this.focusOnly ? "" : (this.#whole.found?.how ?? "");
    return {
      hidden: known ? hiddenShare(known) : 0,
      special: known?.special ?? 0,
      missing: known?.missing ?? 0,
      full: this.#store.full(this.#model.state.layer),
      rowSums: this.#rowSums,
      blocks: [blocks, how].filter(Boolean).join(", "),
    };
  }

  /** Why nothing is where lines would be; null where nothing is missing. */
  get message(): string | null {
    const content = this.#content;
    if (!content) return null;
    const { query, key } = this.#axes;
    if (query.count === 0 || key.count === 0) return "This map is empty: it has no positions.";
    if (content.layers === 0 || content.heads === 0) return "This map has no layers or heads.";
    if (this.#store.failure) return this.#store.failure;
    if (!this.waiting) return null;
    const { failure, progress } = this.#whole;
    return failure ?? `loading this layer …${progress ? ` ${Math.round(100 * progress)} %` : ""}`;
  }

  /** True while lines that are wanted are not here. */
  get waiting(): boolean {
    return !this.focusOnly && !this.base;
  }

  /** True where there is nothing more to come: all is here, or it failed to come. */
  get settled(): boolean {
    return !this.waiting || this.#whole.failure !== undefined || this.#store.failure !== undefined;
  }

  /** Follow state and data; returns whether the axes are other ones. */
  update(content: Content): boolean {
    const { state } = this.#model;
    const moved = this.#updateAxes(content, state);
    this.#content = content;
    this.#updateSelection(content, state);
    if (!this.focusOnly && !this.#selection) this.#whole.want(requestOf(content, state, this.#axes));
    return moved;
  }

  /** The exact label of a position: of a token as its tokenizer wrote it, of a word as it is shown. */
  label(side: Side, position: number): string {
    const units = this.#axes[side];
    const axis = side === "query" ? this.#content?.queries : this.#content?.keys;
    const merged = units.starts[units.count] !== units.count;
    const exact = merged ? undefined : axis?.exact.get(units.starts[position] as number);
    return exact ?? units.labels[position] ?? "";
  }

  /** The lines of a focus; undefined while they are on their way, which this asks for. */
  edgesOf(focus: picture.Focus): Edges | undefined {
    const here = this.#selection ?? this.#complete;
    if (here) return picture.focusEdges(here.edges, focus);
    const { state } = this.#model;
    if (this.#asks(focus)) {
      const request = this.#focused;
      request.want(requestOf(this.#content as Content, state, this.#axes, focus));
      return request.found && picture.focusEdges(request.found.selection.edges, focus);
    }
    const key = `${this.#selectionKey} ${JSON.stringify(focus)}`;
    if (key === this.#rowsKey) return this.#rows;
    const found = picture.rowSelection(this.#store, state, this.#axes, focus);
    if (found) {
      this.#rowsKey = key;
      this.#rows = found.edges;
      return found.edges;
    }
    const side = picture.sideOf(focus);
    for (const position of focus[side]) {
      const tokens = tokensOf(this.#axes[side], position);
      const [first, last] = [tokens[0] ?? 0, tokens.at(-1) ?? 0];
      this.#store.want(state.layer, side, first - NEIGHBOURS, last + 1 + NEIGHBOURS);
    }
    return undefined;
  }

  /** Why the lines of a focus have not come; undefined while they are here or on their way. */
  failureOf(focus: picture.Focus): string | undefined {
    if (this.#selection || this.#complete || picture.isEmpty(focus)) return undefined;
    const { state } = this.#model;
    if (this.#asks(focus)) {
      const unknowable = this.#blocked ? undefined : picture.unknowable(state, this.#axes, focus);
      return this.#model.canSend ? this.#focused.failure : (unknowable ?? this.#focused.failure);
    }
    const side = picture.sideOf(focus);
    const tokens = focus[side].flatMap((position) => tokensOf(this.#axes[side], position));
    return this.#store.refusal(state.layer, side, tokens);
  }

  /** Whether the kernel must say what the lines of a focus are: rows can't, or there would be too many. */
  #asks(focus: picture.Focus): boolean {
    return this.#blocked || picture.unknowable(this.#model.state, this.#axes, focus) !== undefined;
  }

  /** All lines, where the kernel has sent each by itself. */
  get #complete(): Selection | undefined {
    const found = this.focusOnly ? undefined : this.#whole.found;
    return found?.fog.heads.length === 0 ? found.selection : undefined;
  }

  /** Ask for the rows of positions `[first, last)`, which are likely to be wanted next. */
  prefetch(side: Side, first: number, last: number): void {
    const { starts } = this.#axes[side];
    if (this.#selection || this.#blocked || !this.#model.canSend) return;
    this.#store.want(this.#model.state.layer, side, starts[first] ?? 0, starts[last] ?? 0);
  }

  #updateAxes(content: Content, state: State): boolean {
    const held = this.#content;
    const units = `${state.words} ${this.#blocked} ${state.aside}`;
    const same = units === this.#unitsShown;
    if (held && same && sameAxis(held.queries, content.queries) && sameAxis(held.keys, content.keys)) {
      return false;
    }
    this.#unitsShown = units;
    const { query, key } = picture.axesOf(content, state);
    const blocks = this.#blocked ? blocksOf(query) : query;
    this.#axes = { query: blocks, key: key === query ? blocks : this.#blocked ? blocksOf(key) : key };
    return true;
  }

  #unitsShown = "";

  #updateSelection(content: Content, state: State): void {
    const here = this.#store.layer(state.layer);
    const { layer, heads, combine, direction, mass, threshold, top_k, special, scale, words } = state;
    const choices = { layer, heads, combine, direction, mass, threshold, top_k, special, scale, words };
    const key = JSON.stringify([content.revision, here !== undefined, choices, this.#unitsShown]);
    if (key === this.#selectionKey) return;
    this.#selectionKey = key;
    this.#selection = picture.wholeSelection(this.#store, state, this.#axes);
    this.#rowSums = here && content.kind === "weight" ? picture.rowSums(here, content, state) : null;
  }
}

const NO_UNITS: Units = { count: 0, labels: [], special: [], starts: Uint32Array.of(0) };

const sameAxis = (a: Axis, b: Axis): boolean =>
  a === b ||
  (a.labels.length === b.labels.length &&
    a.labels.every((label, i) => label === b.labels[i]) &&
    JSON.stringify([a.special, a.words]) === JSON.stringify([b.special, b.words]));
