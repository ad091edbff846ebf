/** The legend of the lines: what side, colour, opacity and width mean, and where the weight went. Always there, always small. */

import type { Content } from "../content.ts";
import { cssColour, h, set, setText } from "../dom.ts";
import type { State } from "../model.ts";
import { verb } from "../scale/kinds.ts";
import { headColour } from "../scale/palette.ts";
import { formatWeight, legendOf } from "../scale/scale.ts";
import type { Theme } from "../theme.ts";
import type { Account } from "./depiction.ts";
import { FULL_OPACITY, lineWidth } from "./ink.ts";

const LARGE_SPECIAL_SHARE = 0.3;
/** Sums of float16 weights stray this far. */
const ROUNDING = 0.005;
const RAMP = { width: 76, height: 10, steps: 6 };

export class Legend {
  readonly element: HTMLElement;
  readonly #ramp = h("canvas", { role: "img", "aria-label": "weight as opacity and width" });
  readonly #scale = h("span");
  readonly #sides = h("span");
  readonly #colour = h("span");
  readonly #links = h("span", {}, "○ given link");
  readonly #hidden = h("span", { class: "care" });
  readonly #special = h("span");
  readonly #missing = h("span", { class: "care" });
  readonly #size = h("span", { class: "end" });

  constructor() {
    this.element = h(
      "div",
      { class: "legend", "data-role": "legend" },
      this.#sides,
      h("span", {}, this.#ramp, this.#scale),
      this.#colour,
      this.#links,
      this.#hidden,
      this.#special,
      this.#missing,
      this.#size,
    );
  }

  update(content: Content, state: State, account: Account, theme: Theme): void {
    this.#drawRamp(theme);
    const [from, to] = state.orientation === "vertical" ? ["left", "right"] : ["above", "below"];
    setText(this.#sides, `target (${from}) ${verb(content.kind, "query")} source (${to})`);
    setText(
      this.#scale,
      `opacity and width: ${content.kind} ${legendOf(state.scale, content.kind, account.full)}`,
    );
    const many = content.heads > 1;
    setText(this.#colour, state.combine === "each" ? "colour: head" : `${state.combine} of the heads shown`);
    set(this.#colour, "hidden", !many);
    set(this.#links, "hidden", state.links.length === 0);
    setText(this.#hidden, `${percent(account.hidden)} of the ${content.kind} is hidden`);
    set(this.#hidden, "hidden", !(account.hidden > 0.0005));
    setText(this.#special, `${percent(account.special)} of the ${content.kind} is on special tokens`);
    set(this.#special, "hidden", !(account.special >= LARGE_SPECIAL_SHARE));
    setText(
      this.#missing,
      `${account.missing} ${content.kind}${account.missing === 1 ? " is" : "s are"} missing (NaN)`,
    );
    set(this.#missing, "hidden", account.missing === 0);
    const [queries, keys] = [content.queries.labels.length, content.keys.labels.length];
    setText(
      this.#size,
      [`${queries} × ${keys} ${content.kind}s`, account.blocks, sumText(account)].filter(Boolean).join(" · "),
    );
  }

  #drawRamp(theme: Theme): void {
    const ratio = Math.min(3, globalThis.devicePixelRatio || 1);
    this.#ramp.width = RAMP.width * ratio;
    this.#ramp.height = RAMP.height * ratio;
    const context = this.#ramp.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    const [red, green, blue] = headColour(0, theme);
    context.fillStyle = cssColour([red, green, blue]);
    for (let step = 0; step < RAMP.steps; step++) {
      const strength = (step + 0.5) / RAMP.steps;
      const width = lineWidth(strength, 24);
      context.globalAlpha = FULL_OPACITY * strength;
      const x = (step * RAMP.width) / RAMP.steps;
      context.fillRect(x, (RAMP.height - width) / 2, RAMP.width / RAMP.steps, width);
    }
  }
}

export const percent = (share: number): string =>
  share > 0 && share < 0.01 ? "less than 1 %" : `${Math.round(100 * share)} %`;

/** What rows sum to: weights need not sum to 1, and a reader must know. */
function sumText({ rowSums }: Account): string {
  if (!rowSums) return "";
  const [least, most] = rowSums;
  if (least > 1 - ROUNDING && most < 1 + ROUNDING) return "rows sum to 1";
  if (most - least < ROUNDING) return `rows sum to ${formatWeight(most)}`;
  return `rows sum to ${formatWeight(least)} – ${formatWeight(most)}`;
}
