/** What the overlay's colours and hatchings mean, in numbers. */

import type { Content } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { paintRamp } from "../matrix/draw.ts";
import { paintSwatch, rampNumbers, SCALES, show, swatch } from "../matrix/legend.ts";
import { headsText } from "../matrix/telling.ts";
import type { State } from "../model.ts";
import { MISSING, packed } from "../scale/codes.ts";
import { type Anchors, colourAt, MARKS } from "../scale/colormap.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";

const RAMP = { width: 132, height: 9 };
/** What stands for a picture under a veil. */
const PICTURE = 128;

export interface OverlayLegendInput {
  readonly content: Content;
  readonly state: State;
  readonly heads: readonly number[];
  /** The side whose weights are painted. */
  readonly other: Side;
  readonly signed: boolean;
  /** The magnitude at full strength. */
  readonly full: number;
  /** Whether all weights that it is the largest of are here. */
  readonly complete: boolean;
  readonly anchors: Anchors;
  /** What is on screen. */
  readonly missing: boolean;
  readonly theme: Theme;
}

export class OverlayLegend {
  readonly element: HTMLElement;
  readonly #ramp = h("canvas", { role: "img" });
  readonly #ramps = h("span", { class: "ramp" }, this.#ramp);
  readonly #scale = h("span");
  readonly #heads = h("span");
  readonly #missing = swatch("missing (NaN)");
  readonly #size = h("span", { class: "end" });
  #painted = "";

  constructor() {
    this.element = h(
      "div",
      { class: "legend", "data-role": "legend" },
      h("span", { class: "matrix-ramp" }, this.#ramps, " ", this.#scale),
      this.#heads,
      this.#missing.element,
      this.#size,
    );
  }

  update(input: OverlayLegendInput): void {
    const { content, state, heads, other, anchors, missing, theme } = input;
    const { paint, opacity, combine } = state;
    const text = scaleText(input);
    setText(this.#scale, text);
    set(this.#ramp, "aria-label", text);
    const ramped = paint === "heat" || paint === "dim";
    set(this.#ramps, "hidden", !ramped);
    const { surface } = INK[theme];
    const dimmed = (share: number): Rgb => {
      const channel = (at: 0 | 1 | 2) => PICTURE + (surface[at] - PICTURE) * opacity * (1 - share);
      return [channel(0), channel(1), channel(2)];
    };
    const painted = JSON.stringify([paint, opacity, anchors, theme]);
    if (ramped && painted !== this.#painted) {
      paintRamp(
        this.#ramp,
        paint === "dim" ? dimmed : (share) => colourAt(anchors, share),
        RAMP.width,
        RAMP.height,
      );
      this.#painted = painted;
    }
    const of = combine === "each" && heads.length > 1 ? "" : headsText(heads, combine).slice(2, -1);
    show(this.#heads, content.heads > 1 && heads.length > 0 ? of : "");
    const { element, canvas } = this.#missing;
    set(element, "hidden", !missing);
    const table = new Uint32Array(missing ? MISSING + 1 : 0).fill(packed(MARKS[theme].missing));
    if (missing) paintSwatch(canvas, MISSING, table, theme);
    const size = `${content.queries.labels.length} × ${content.keys.labels.length} ${content.kind}s`;
    const shows = other === "key" ? "shown: what is attended to (source)" : "shown: what attends (target)";
    setText(this.#size, `${shows} · ${size}`);
  }
}

/** "weight 0 – 0.46, absolute · nearest". */
export function scaleText(
  input: Pick<OverlayLegendInput, "content" | "state" | "signed" | "full" | "complete">,
): string {
  const { content, state, signed, full, complete } = input;
  const { paint, scale, interpolation, contours } = state;
  const { kind } = content;
  if (paint === "contours" || paint === "outline") {
    const shares = contours.map((share) => `${Math.round(100 * share)} %`).join(", ");
    return `${paint === "contours" ? "lines enclose" : "outlined: the strongest, with"} ${shares} of the ${kind} on the image`;
  }
  const [weak, , strong] = rampNumbers(scale, full, signed);
  const known = complete || scale === "row" || scale === "times_uniform" ? "" : " (the largest so far)";
  return `${kind} ${weak} – ${strong}${known}, ${SCALES[scale]} · ${interpolation}`;
}
