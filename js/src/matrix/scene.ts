/** What of the matrix is on screen: cells, labels, strips, marks and legend. */

import { h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { Part } from "../export/picture.ts";
import { type Axes, type Focus, pinnedFocus } from "../lines/picture.ts";
import type { Rgb } from "../lines/scene.ts";
import { unitOf } from "../lines/units.ts";
import type { State } from "../model.ts";
import { colourTable } from "../scale/codes.ts";
import { anchorsOf, colourAt } from "../scale/colormap.ts";
import { formatWeight, type Scale, strengthOf } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import { AxisLabels } from "./axes.ts";
import * as paint from "./draw.ts";
import type { Strip } from "./field.ts";
import * as lay from "./layout.ts";
import { type MatrixLegend, rampNumbers } from "./legend.ts";
import { along, bounds, cover } from "./pool.ts";
import type { Source } from "./source.ts";
import { matrixPart } from "./still.ts";
import { type Cell, headsText } from "./telling.ts";
import type { Overview } from "./tools.ts";

const FONT_SIZE = 12;
/** Of more labels, those with the most letters are measured. */
const MEASURED = 300;

export interface SceneInput {
  readonly source: Source;
  readonly state: State;
  readonly sight: lay.Sight;
  readonly theme: Theme;
  readonly width: number;
  readonly failure: string | undefined;
}

export class Scene {
  readonly element: HTMLElement;
  readonly labels: Readonly<Record<Side, AxisLabels>> = {
    query: new AxisLabels("query"),
    key: new AxisLabels("key"),
  };
  readonly plot = h("div", {
    class: "plot",
    tabindex: 0,
    role: "application",
    "aria-roledescription": "heat map",
  });
  readonly top = h("canvas", { class: "strip", "aria-hidden": "true" });
  readonly right = h("canvas", { class: "strip", "aria-hidden": "true" });
  readonly #base = h("canvas", { class: "base", role: "img" });
  readonly #overlay = h("canvas", { class: "overlay", "aria-hidden": "true" });
  readonly #message = h("div", { class: "message", hidden: true });
  readonly #heading = h("div", { class: "heading query" }, "target · query ↓");
  readonly #keyHeading = h("div", { class: "heading key" }, "source · key →");
  readonly #overview: Overview;
  readonly #legend: MatrixLegend;
  #widths: Readonly<Record<Side, number>> | undefined;
  #layout: lay.Layout | undefined;
  #layoutKey = "";
  #input: SceneInput | undefined;
  #drawn: readonly unknown[] = [];
  #overviewDrawn: readonly unknown[] = [];
  #table: Uint32Array = new Uint32Array(0);
  #tableKey = "";
  #seen: paint.Seen = { masked: false, missing: false, infinite: false, strong: 1 };

  constructor(overview: Overview, legend: MatrixLegend) {
    this.#overview = overview;
    this.#legend = legend;
    this.plot.append(this.#base, this.#overlay);
    this.element = h(
      "div",
      { class: "matrix-scene" },
      this.#heading,
      this.#keyHeading,
      overview.element,
      this.labels.query.element,
      this.labels.key.element,
      this.top,
      this.plot,
      this.right,
      this.#message,
    );
  }

  get legend(): HTMLElement {
    return this.#legend.element;
  }

  get layout(): lay.Layout | undefined {
    return this.#layout;
  }

  /** Fonts or pixels of the screen are other ones: measure and draw again. */
  forget(): void {
    this.#widths = undefined;
    this.#drawn = [];
  }

  setAxes({ axes, content }: Source): void {
    const exact = (side: Side) => (position: number) => {
      const units = axes[side];
      const axis = side === "query" ? content?.queries : content?.keys;
      const merged = units.starts[units.count] !== units.count;
      return (merged ? undefined : axis?.exact.get(position)) ?? units.labels[position] ?? "";
    };
    for (const side of ["query", "key"] as const) this.labels[side].setUnits(axes[side], exact(side));
    this.forget();
  }

  /** Returns whether the picture is a new one, the same, or waits for weights. */
  draw(input: SceneInput): "painted" | "same" | "waiting" {
    this.#input = input;
    const { source, state, sight, theme } = input;
    const layout = this.#layOut(input);
    const { plot } = layout;
    const ratio = paint.ratioNow();
    const [height, width] = [Math.round(plot.height * ratio), Math.round(plot.width * ratio)];
    source.want(sight, height, width);
    const { here } = source;
    const message = this.#messageOf(input);
    set(this.#message, "hidden", message === null);
    setText(this.#message, message ?? "");
    this.#place(layout, input);
    const { scale, pool, colormap, special, links, combine, layer } = state;
    const parts = [
      source.content?.revision,
      here,
      sight,
      layout,
      theme,
      scale,
      pool,
      colormap,
      special,
      links,
    ];
    const now = [...parts, combine, source.progress, ratio, message];
    if (now.length === this.#drawn.length && now.every((part, at) => part === this.#drawn[at])) return "same";
    this.#drawn = now;
    this.#updateTable(input);
    this.#drawCells(input, layout, ratio);
    this.#drawStrips(input, layout, ratio);
    this.#drawOverview(input, layout);
    this.#updateLegend(input, [height, width]);
    const [rows, cols] = [source.axes.query.count, source.axes.key.count];
    set(
      this.#base,
      "aria-label",
      `heat map of ${source.content?.name || "a map"}, layer ${layer}${headsText(source.heads, combine)}: ${rows} queries, ${cols} keys`,
    );
    set(
      this.plot,
      "aria-label",
      "heat map: arrows move from cell to cell, Enter pins, Shift and arrows move the part in sight",
    );
    return here.grids.length === 0 &&
      message !== null &&
      !input.failure &&
      !source.failure &&
      this.#loading(input)
      ? "waiting"
      : "painted";
  }

  drawFocus({ row, col }: Cell, pinned: Focus, axes: Axes): void {
    const [layout, input] = [this.#layout, this.#input];
    if (!layout || !input) return;
    const { sight, state, theme } = input;
    const marked = { rows: pinned.query, cols: pinned.key, row, col };
    paint.paintMarks(this.#overlay, marked, sight, layout.plot, INK[theme], paint.ratioNow());
    const hiddenSpecial = state.special !== "show";
    const lying = this.#lying(layout, axes);
    this.labels.query.show(sight.rows, layout, true, { pinned: pinned.query, hovered: row, hiddenSpecial });
    this.labels.key.show(sight.cols, layout, lying, { pinned: pinned.key, hovered: col, hiddenSpecial });
  }

  still(source: Source, state: State): Part | null {
    const [layout, input] = [this.#layout, this.#input];
    if (!layout || !input || source.here.grids.length === 0) return null;
    const { sight, theme } = input;
    const { axes, here, signed } = source;
    const pinned = pinnedFocus(state, axes);
    const [ink, ratio] = [INK[theme], paint.ratioNow()];
    // What is pinned is part of the picture, what the pointer happens to be on is not.
    const marks = h("canvas");
    paint.occupy(marks, layout.plot, ratio);
    paint.paintMarks(
      marks,
      { rows: pinned.query, cols: pinned.key, row: null, col: null },
      sight,
      layout.plot,
      ink,
      ratio,
    );
    return matrixPart({
      layout,
      sight,
      cells: [this.#base, marks],
      strips: [this.top, this.right],
      axes,
      shown: { query: this.labels.query.shown, key: this.labels.key.shown },
      lying: this.#lying(layout, axes),
      pinned,
      colour: this.#colour,
      numbers: rampNumbers(state.scale, here.full, signed),
      title: `${this.#base.getAttribute("aria-label") ?? ""}${here.how ? `, preview: ${here.how}` : ""}`,
      ink,
    });
  }

  readonly #colour = (share: number): Rgb => {
    const { source, state, theme } = this.#input as SceneInput;
    return colourAt(anchorsOf(state.colormap, source.signed, theme), share);
  };

  #loading({ source }: SceneInput): boolean {
    return source.heads.length > 0 && source.axes.query.count * source.axes.key.count > 0;
  }

  /** Why nothing is where cells would be; null where nothing is missing. */
  #messageOf(input: SceneInput): string | null {
    const { source, failure } = input;
    const { content, axes, heads, here } = source;
    if (!content) return null;
    if (axes.query.count === 0 || axes.key.count === 0) return "This map is empty: it has no positions.";
    if (content.layers === 0 || content.heads === 0) return "This map has no layers or heads.";
    if (failure) return failure;
    if (heads.length === 0) return "No head is shown: choose heads above.";
    if (here.grids.length > 0) return null;
    const share = source.progress;
    return source.failure ?? `loading this head …${share ? ` ${Math.round(100 * share)} %` : ""}`;
  }

  /** Labels of keys lie where each has room; else they stand. */
  #lying(layout: lay.Layout, { key }: Axes): boolean {
    const sight = this.#input?.sight;
    if (!sight || !this.#widths) return false;
    const cell = layout.plot.width / (sight.cols[1] - sight.cols[0]);
    return key.count > 0 && this.#widths.key + 8 <= cell;
  }

  #layOut({ source, state, width }: SceneInput): lay.Layout {
    const { axes } = source;
    const { query, key } = axes;
    this.#widths ??= { query: widest(this.element, query.labels), key: widest(this.element, key.labels) };
    const layoutKey = JSON.stringify([width, state.height, query.count, key.count, this.#widths]);
    if (this.#layout && layoutKey === this.#layoutKey) return this.#layout;
    this.#layoutKey = layoutKey;
    this.#layout = lay.layOut({
      width,
      height: state.height,
      rows: query.count,
      cols: key.count,
      rowLabel: this.#widths.query,
      colLabel: this.#widths.key,
    });
    return this.#layout;
  }

  #place(layout: lay.Layout, { source, sight }: SceneInput): void {
    const { plot, gutter } = layout;
    const ratio = paint.ratioNow();
    Object.assign(this.element.style, { width: `${layout.width}px`, height: `${layout.height}px` });
    occupy(this.plot, plot);
    const inside = { ...plot, x: 0, y: 0 };
    paint.occupy(this.#base, inside, ratio);
    paint.occupy(this.#overlay, inside, ratio);
    paint.occupy(this.top, layout.top, ratio);
    paint.occupy(this.right, layout.right, ratio);
    const corner = (line: number) => ({
      width: `${gutter - 8}px`,
      top: `${layout.top.y - 6 + line * lay.HEADING}px`,
    });
    Object.assign(this.#keyHeading.style, corner(0));
    Object.assign(this.#heading.style, corner(1));
    const { query, key } = source.axes;
    const empty = query.count * key.count === 0;
    set(this.element, "data-empty", empty);
    occupy(this.#message, empty ? null : plot);
    if (empty) occupy(this.element, null);
    set(this.plot, "data-zoomed", !lay.isWhole(sight, query.count, key.count));
  }

  #updateTable({ source, state, theme }: SceneInput): void {
    const { signed, here, axes } = source;
    // Codes are against the largest of their row already.
    const scale: Scale = state.scale === "row" ? "absolute" : state.scale;
    const anchors = anchorsOf(state.colormap, signed, theme);
    const key = JSON.stringify([scale, here.full, axes.key.count, signed, state.colormap, theme]);
    if (key === this.#tableKey) return;
    this.#tableKey = key;
    this.#table = colourTable({ scale, full: here.full, keys: axes.key.count, signed, anchors, theme });
  }

  #drawCells({ source, state, sight, theme }: SceneInput, { plot }: lay.Layout, ratio: number): void {
    const { here, signed, axes, field } = source;
    const raster = paint.rasterOf(
      here.grids,
      sight,
      [this.#base.height, this.#base.width],
      state.pool,
      signed,
    );
    const { image, seen } = paint.imageOf(raster, this.#table, theme, sight, ratio);
    this.#seen = seen;
    const context = paint.begin(this.#base, ratio);
    if (!context) return;
    context.putImageData(image, 0, 0);
    if (here.grids.length === 0) return;
    const ink = INK[theme];
    paint.paintGaps(context, sight, plot, ink);
    if (field) {
      const codes = here.grids[0]?.max;
      const pixel = new Uint8Array(4);
      const word = new Uint32Array(pixel.buffer);
      const colourOf = (row: number, col: number): Rgb => {
        word[0] = this.#table[codes?.[row * field.cols + col] ?? 0] as number;
        return [pixel[0] as number, pixel[1] as number, pixel[2] as number];
      };
      const textOf = (row: number, col: number) => cellNumber(field.values[row * field.cols + col] as number);
      paint.paintNumbers(
        context,
        sight,
        plot,
        textOf,
        colourOf,
        () => getComputedStyle(this.element).fontFamily,
      );
    }
    if (state.special !== "show") {
      paint.paintVeil(context, axes.query.special, axes.key.special, sight, plot, ink);
    }
    const [queries, keys] = [
      axes.query.starts[axes.query.count] as number,
      axes.key.starts[axes.key.count] as number,
    ];
    const links = state.links
      .filter(([query, key]) => query < queries && key < keys)
      .map(([query, key]) => [unitOf(axes.query, query), unitOf(axes.key, key)] as const);
    if (links.length > 0) paint.paintLinks(context, sight, plot, links, ink);
  }

  #drawStrips({ source, state, sight, theme }: SceneInput, layout: lay.Layout, ratio: number): void {
    const { totals, entropy } = source.here;
    // Numbers of a strip follow the colours where these tell small ones apart.
    const scale = state.scale === "sqrt" || state.scale === "log" ? state.scale : "absolute";
    const shares = (numbers: Strip | null, span: readonly [number, number], pixels: number, by: Scale) => {
      if (!numbers) return new Float32Array(pixels);
      const covered = cover(bounds(numbers.span, numbers.values.length), lay.sightline(span, pixels));
      const context = { full: numbers.most || 1, rowMost: 1, keys: 1 };
      return along(numbers.values, covered).map((value) => strengthOf(value, by, context) || 0);
    };
    const strip = (canvas: HTMLCanvasElement, span: readonly [number, number], upright: boolean) => {
      const pixels = upright ? canvas.width : canvas.height;
      const place = { ...lay.scaleOf(span, upright ? layout.plot.width : layout.plot.height), span };
      const drawn = upright ? shares(totals, span, pixels, scale) : shares(entropy, span, pixels, "absolute");
      paint.paintStrip(canvas, drawn, place, upright, ratio, INK[theme]);
    };
    strip(this.top, sight.cols, true);
    strip(this.right, sight.rows, false);
  }

  #drawOverview({ source, state, sight, theme }: SceneInput, layout: lay.Layout): void {
    const { query, key } = source.axes;
    const shown = source.here.grids.length > 0 && !lay.isWhole(sight, query.count, key.count);
    const size = this.#overview.place(layout, shown);
    if (!shown) return;
    const now = [source.here, this.#table, state.pool, ...size];
    if (now.some((part, at) => part !== this.#overviewDrawn[at])) {
      this.#overviewDrawn = now;
      const whole = lay.wholeOf(query.count, key.count);
      const raster = paint.rasterOf(source.here.grids.slice(0, 1), whole, size, state.pool, source.signed);
      const { image } = paint.imageOf(raster, this.#table, theme, whole, 1);
      this.#overview.canvas.getContext("2d")?.putImageData(image, 0, 0);
    }
    this.#overview.mark(sight, query.count, key.count, INK[theme]);
  }

  #updateLegend(
    { source, state, sight, theme }: SceneInput,
    [height, width]: readonly [number, number],
  ): void {
    const { content, here, axes, heads, signed } = source;
    if (!content) return;
    const finest = here.grids.at(-1);
    const pooled = (span: readonly [number, number], pixels: number, ofGrid: number) =>
      Math.max(1, Math.ceil((span[1] - span[0]) / pixels - 1e-6), Math.ceil(ofGrid - 1e-6));
    const perRow = finest ? (finest.rows[1] - finest.rows[0]) / finest.height : 1;
    const perCol = finest ? (finest.cols[1] - finest.cols[0]) / finest.width : 1;
    this.#legend.update({
      kind: content.kind,
      state,
      heads,
      signed,
      full: here.full,
      pooled: [pooled(sight.rows, height, perRow), pooled(sight.cols, width, perCol)],
      seen: this.#seen,
      causal: here.causal,
      how: here.how,
      progress: source.progress,
      aboutRows: here.aboutRows,
      totals: here.totals?.most ?? null,
      entropy: here.entropy?.most ?? null,
      shape: [axes.query.count, axes.key.count],
      theme,
      table: this.#table,
      colour: this.#colour,
    });
  }
}

/** Give an element a place in CSS pixels; null leaves it to the style sheet. */
function occupy({ style }: HTMLElement, place: lay.Place | null): void {
  for (const [name, value] of [
    ["left", place?.x],
    ["top", place?.y],
    ["width", place?.width],
    ["height", place?.height],
  ] as const) {
    style[name] = value === undefined ? "" : `${value}px`;
  }
}

/** What there is room for in a cell: two decimals, and nothing where they say nothing. */
function cellNumber(weight: number): string {
  const size = Math.abs(weight);
  if (!(size >= 0.005 && size < Infinity)) return "";
  return size < 10 ? weight.toFixed(2).replace("-", "−") : formatWeight(weight);
}

/** Width of the longest label in the font of an element. */
function widest(element: HTMLElement, labels: readonly string[]): number {
  const context = document.createElement("canvas").getContext("2d");
  if (context) context.font = `600 ${FONT_SIZE}px ${getComputedStyle(element).fontFamily}`;
  const longest =
    labels.length <= MEASURED ? labels : [...labels].sort((a, b) => b.length - a.length).slice(0, MEASURED);
  return longest.reduce(
    (most, label) => Math.max(most, context?.measureText(label).width ?? 7 * label.length),
    0,
  );
}
