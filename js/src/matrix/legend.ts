/** What the colours of the matrix mean, in numbers, and what a cell stands for. */

import type { Kind } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Rgb } from "../lines/scene.ts";
import type { State } from "../model.ts";
import { INFINITE, MASKED, MISSING } from "../scale/codes.ts";
import { verb } from "../scale/kinds.ts";
import { formatWeight, LOG_DECADES, type Scale, TIMES_UNIFORM_FULL } from "../scale/scale.ts";
import type { Theme } from "../theme.ts";
import { imageOf, paintRamp, ratioNow, type Seen } from "./draw.ts";
import { headsText } from "./telling.ts";

/** With fewer strong cells than this share, a scale that shows more is offered. */
const FAINT = 0.02;
const RAMP = { width: 132, height: 9 };
export const SCALES: Readonly<Record<Scale, string>> = {
  absolute: "absolute",
  row: "share of the row's largest",
  sqrt: "square root",
  log: "logarithmic",
  times_uniform: "times uniform attention",
};

export interface LegendInput {
  readonly kind: Kind;
  readonly state: State;
  readonly heads: readonly number[];
  readonly signed: boolean;
  readonly full: number;
  /** Weights that a pixel pools, on each side; 1 where it pools none. */
  readonly pooled: readonly [rows: number, cols: number];
  readonly seen: Seen;
  readonly causal: boolean;
  readonly how: string | null;
  readonly progress: number | undefined;
  readonly aboutRows: boolean;
  readonly totals: number | null;
  readonly entropy: number | null;
  readonly shape: readonly [number, number];
  readonly theme: Theme;
  readonly table: Uint32Array;
  readonly colour: (share: number) => Rgb;
}

/** The numbers at the weak end, the middle and the strong end of the colours. */
export function rampNumbers(scale: Scale, full: number, signed: boolean): readonly [string, string, string] {
  if (signed) {
    const most = scale === "row" ? 1 : scale === "times_uniform" ? TIMES_UNIFORM_FULL : full;
    return [formatWeight(-most), "0", formatWeight(most)];
  }
  switch (scale) {
    case "row":
      return ["0", "0.5", "1"];
    case "sqrt":
      return ["0", formatWeight(full / 4), formatWeight(full)];
    case "log":
      return [full / 10 ** LOG_DECADES, full / 10 ** (LOG_DECADES / 2), full].map(formatWeight) as [
        string,
        string,
        string,
      ];
    case "times_uniform":
      return ["0", `${TIMES_UNIFORM_FULL / 2}×`, `≥ ${TIMES_UNIFORM_FULL}×`];
    case "absolute":
      return ["0", formatWeight(full / 2), formatWeight(full)];
  }
}

export class MatrixLegend {
  readonly element: HTMLElement;
  #painted: Uint32Array | undefined;
  #shape: LegendInput["shape"] = [0, 0];
  readonly #ramp = h("canvas", { role: "img" });
  readonly #numbers = [h("span"), h("span"), h("span")] as const;
  readonly #sides = h("span");
  readonly #scale = h("span");
  readonly #heads = h("span");
  readonly #pool = h("span");
  readonly #masked = swatch("masked: may not attend");
  readonly #missing = swatch("missing (NaN)");
  readonly #infinite = swatch("infinite");
  readonly #how = h("span", { class: "care", role: "status" });
  readonly #strips = h("span");
  readonly #faint = h("button", { type: "button", class: "faint", hidden: true });
  readonly #size = h("span", { class: "end" });

  /** @param rescale - called with the scale a person takes up. */
  constructor(rescale: (scale: Scale) => void, signal: AbortSignal) {
    on(this.#faint, "click", () => rescale(brighter(this.#shape)), signal);
    const [weak, middle, strong] = this.#numbers;
    this.element = h(
      "div",
      { class: "legend", "data-role": "legend" },
      this.#sides,
      h(
        "span",
        { class: "matrix-ramp" },
        h(
          "span",
          { class: "ramp" },
          this.#ramp,
          h("span", { class: "ticks" }, weak, " ", middle, " ", strong),
        ),
        " ",
        this.#scale,
      ),
      this.#heads,
      this.#pool,
      this.#masked.element,
      this.#missing.element,
      this.#infinite.element,
      this.#how,
      this.#faint,
      this.#strips,
      this.#size,
    );
  }

  update(input: LegendInput): void {
    this.#shape = input.shape;
    const { kind, state, heads, signed, full, pooled, seen, how, progress, totals, entropy, shape } = input;
    const fresh = input.table !== this.#painted;
    this.#painted = input.table;
    if (fresh) paintRamp(this.#ramp, input.colour, RAMP.width, RAMP.height);
    const numbers = rampNumbers(state.scale, full, signed);
    for (const [at, text] of numbers.entries()) setText(this.#numbers[at] as HTMLElement, text);
    const about = input.aboutRows ? " (the largest as far as the overview tells)" : "";
    const scale = `${kind}, ${SCALES[state.scale]}${about}`;
    setText(this.#scale, scale);
    setText(this.#sides, `target (row) ${verb(kind, "query")} source (column)`);
    set(this.#ramp, "aria-label", `colours from ${numbers[0]} to ${numbers[2]}: ${scale}`);
    const each = state.combine === "each" ? ": a cell has room for one number" : "";
    show(this.#heads, heads.length > 1 ? `${headsText(heads, state.combine).slice(2, -1)}${each}` : "");
    const [rows, cols] = pooled;
    const word = state.pool === "max" ? "largest" : "mean";
    // What a preview holds is said by how it was made.
    show(
      this.#pool,
      rows * cols > 1 && how === null ? `each pixel: the ${word} of ${rows} × ${cols} ${kind}s` : "",
    );
    for (const [mark, shown, code] of [
      [this.#masked, seen.masked, MASKED],
      [this.#missing, seen.missing, MISSING],
      [this.#infinite, seen.infinite, INFINITE],
    ] as const) {
      const repaint = shown && (fresh || mark.element.hidden);
      set(mark.element, "hidden", !shown);
      if (repaint) paintSwatch(mark.canvas, code, input.table, input.theme);
    }
    const done = progress === undefined ? "" : ` · exact ${Math.round(100 * progress)} % done`;
    show(
      this.#how,
      how === null ? (progress === undefined ? "" : `loading${done}`) : `preview, ${how}${done}`,
    );
    const said = [
      totals === null ? "" : `above: what each key receives, at most ${formatWeight(totals)}`,
      entropy === null ? "" : `right: entropy of each row, 0 – ${formatWeight(entropy)} nats`,
    ];
    // An absolute scale is honest, and of long texts nearly blank.
    const faint = !signed && kind === "weight" && state.scale === "absolute" && seen.strong < FAINT;
    set(this.#faint, "hidden", !faint);
    const as = brighter(shape) === "sqrt" ? "square roots" : "multiples of uniform attention";
    setText(this.#faint, `most weights here are faint: show ${as}`);
    show(this.#strips, said.filter(Boolean).join(" · "));
    setText(this.#size, `${shape[0]} × ${shape[1]} ${kind}s`);
  }
}

/** Uniform attention tells more of many keys than roots do. */
const brighter = ([, keys]: LegendInput["shape"]): Scale => (keys > 200 ? "times_uniform" : "sqrt");

export function show(element: HTMLElement, text: string): void {
  setText(element, text);
  set(element, "hidden", text === "");
}

export function swatch(text: string): { element: HTMLElement; canvas: HTMLCanvasElement } {
  const canvas = h("canvas", { class: "swatch", "aria-hidden": "true" });
  return { element: h("span", { hidden: true }, canvas, text), canvas };
}

function paintSwatch(canvas: HTMLCanvasElement, code: number, table: Uint32Array, theme: Theme): void {
  const ratio = ratioNow();
  const [width, height] = [Math.round(16 * ratio), Math.round(10 * ratio)];
  canvas.width = width;
  canvas.height = height;
  const codes = new Uint16Array(width * height).fill(code);
  const raster = { width, height, codes, here: new Uint8Array(width * height).fill(1) };
  const still = { rows: [0, 1], cols: [0, 1] } as const;
  canvas.getContext("2d")?.putImageData(imageOf(raster, table, theme, still, ratio).image, 0, 0);
}
