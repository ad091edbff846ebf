/** What the thumbnails' colours mean, how they are ordered, and which stay faint and why. */

import type { Content } from "../content.ts";
import { cssColour, h, set, setText } from "../dom.ts";
import { percent } from "../lines/legend.ts";
import type { State } from "../model.ts";
import { anchorsOf, colourAt, MARKS } from "../scale/colormap.ts";
import { formatWeight, legendOf } from "../scale/scale.ts";
import type { Theme } from "../theme.ts";
import { MEANINGS, NAMES, PATTERNS } from "./statistics.ts";
import { INFINITE, MASKED, MISSING, MOST_CELLS } from "./thumbnails.ts";

const RAMP = { width: 76, height: 10 };
const ODD = [
  [MASKED, "masked", "masked"],
  [MISSING, "missing", "missing (NaN)"],
  [INFINITE, "infinite", "infinite"],
] as const;

export interface Told {
  readonly content: Content;
  readonly state: State;
  readonly theme: Theme;
  readonly signed: boolean;
  /** Magnitude at full strength. */
  readonly full: number;
  /** Heads here that match the pattern, and all that are here. */
  readonly matching: number;
  readonly here: number;
  readonly exact: boolean;
  has(code: number): boolean;
}

export class HeadsLegend {
  readonly #ramp = h("canvas", { role: "img", "aria-label": "weight as colour" });
  readonly #scale = h("span");
  readonly #sides = h("span");
  readonly #sort = h("span");
  readonly #pattern = h("span");
  readonly #odd = ODD.map(([, , text]) => h("span", { hidden: true }, h("i", { class: "swatch" }), text));
  readonly #sampled = h("span", { class: "care" }, "approximate: from a sample of the rows");
  readonly element = h(
    "div",
    { class: "legend", "data-role": "legend" },
    this.#sides,
    h("span", {}, this.#ramp, this.#scale),
    ...this.#odd,
    this.#sort,
    this.#pattern,
    this.#sampled,
  );

  update({ content, state, theme, signed, full, matching, here, exact, has }: Told): void {
    const { kind, queries, keys } = content;
    const pooled = Math.max(queries.labels.length, keys.labels.length) > MOST_CELLS;
    const cells = pooled ? ", each cell the largest weight in it" : "";
    setText(this.#sides, `queries downwards, keys to the right${cells}`);
    const own = state.scale === "row";
    const most = formatWeight(full);
    const range = legendOf(state.scale, kind, full).replace(`0 – ${most}, magnitude`, `−${most} – ${most}`);
    const scale = own ? "each head against its own largest" : `${range}, all heads alike`;
    setText(this.#scale, `${kind} ${scale}`);
    this.#drawRamp(state, signed, theme);
    ODD.forEach(([code, name], i) => {
      const part = this.#odd[i] as HTMLElement;
      set(part, "hidden", !has(code));
      (part.firstElementChild as HTMLElement).style.background = cssColour(MARKS[theme][name]);
    });
    const { sort, pattern } = state;
    set(this.#sort, "hidden", sort === "layer");
    if (sort !== "layer") setText(this.#sort, `${NAMES[sort]}: ${MEANINGS[sort]}`);
    set(this.#pattern, "hidden", pattern === null);
    if (pattern !== null) {
      const { name, statistic, least } = PATTERNS[pattern];
      const share = here > 0 ? ` (${percent(matching / here)})` : "";
      setText(
        this.#pattern,
        `${name}: ${MEANINGS[statistic]}, at least ${least}; ${matching} of ${here} heads${share}, the others faint`,
      );
    }
    set(this.#sampled, "hidden", exact);
  }

  #drawRamp({ colormap }: State, signed: boolean, theme: Theme): void {
    const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
    this.#ramp.width = RAMP.width * ratio;
    this.#ramp.height = RAMP.height * ratio;
    const context = this.#ramp.getContext("2d");
    if (!context) return;
    const anchors = anchorsOf(colormap, signed, theme);
    for (let x = 0; x < this.#ramp.width; x++) {
      context.fillStyle = cssColour(colourAt(anchors, x / (this.#ramp.width - 1)));
      context.fillRect(x, 0, 1, this.#ramp.height);
    }
  }
}
