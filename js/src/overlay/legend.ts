/** What the overlay's colours and hatchings mean, in numbers. */

import type { Content } from "../content.ts";
import { h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { Rgb } from "../lines/scene.ts";
import { paintRamp, ratioNow } from "../matrix/draw.ts";
import { rampNumbers, SCALES, show, swatch } from "../matrix/legend.ts";
import { headsText } from "../matrix/telling.ts";
import type { State } from "../model.ts";
import { type Anchors, colourAt } from "../scale/colormap.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import { type Hatch, hatchOf } from "./hatch.ts";
import { oddityOf } from "./heat.ts";
import { type Panel, positionsOf, type Role } from "./panels.ts";
import { otherSide, type Shown, type Source } from "./source.ts";
import { strokeTruth } from "./truth.ts";

const RAMP = { width: 132, height: 9 };
const SWATCH = { width: 16, height: 10 };
/** What stands for a picture under a veil. */
const PICTURE = 128;
const HATCHES: readonly (readonly [Hatch, string])[] = [
  ["unseen", "not seen by the model"],
  ["padding", "padding beside the image"],
  ["aside", "set aside"],
  ["missing", "missing (NaN)"],
  ["masked", "masked: may not attend"],
  ["infinite", "infinite"],
];

export interface OverlayLegendInput {
  readonly source: Source;
  readonly state: State;
  /** What is painted. */
  readonly shown: Shown | undefined;
  readonly anchors: Anchors;
  readonly theme: Theme;
  /** Outlines of masks given as the truth, by image. */
  readonly masks: Readonly<Record<string, string>>;
}

export class OverlayLegend {
  readonly element: HTMLElement;
  readonly #ramp = h("canvas", { role: "img" });
  readonly #ramps = h("span", { class: "ramp" }, this.#ramp);
  readonly #scale = h("span");
  readonly #heads = h("span");
  readonly #hatches = HATCHES.map(([kind, text]) => ({ kind, ...swatch(text) }));
  readonly #truth = swatch("mask given as the truth");
  readonly #size = h("span", { class: "end" });
  #painted = "";

  constructor() {
    this.element = h(
      "div",
      { class: "legend", "data-role": "legend" },
      h("span", { class: "matrix-ramp" }, this.#ramps, " ", this.#scale),
      this.#heads,
      ...this.#hatches.map(({ element }) => element),
      this.#truth.element,
      this.#size,
    );
  }

  update({ source, state, shown, anchors, theme, masks }: OverlayLegendInput): void {
    const { content, heads, panels, roles, apart } = source;
    if (!content) return;
    const { paint, opacity, combine } = state;
    const other: Side = shown?.other ?? "key";
    const text = scaleText(content, state, source.signed, source.fullOf(otherSide(other)), source.complete);
    setText(this.#scale, text);
    set(this.#ramp, "aria-label", text);
    const ramped = paint === "heat" || paint === "dim";
    set(this.#ramps, "hidden", !ramped);
    const ratio = ratioNow();
    const painted = JSON.stringify([paint, opacity, anchors, theme, ratio]);
    if (painted !== this.#painted) {
      this.#painted = painted;
      const { surface } = INK[theme];
      const dimmed = (share: number): Rgb => {
        const channel = (at: 0 | 1 | 2) => PICTURE + (surface[at] - PICTURE) * opacity * (1 - share);
        return [channel(0), channel(1), channel(2)];
      };
      const colour = paint === "dim" ? dimmed : (share: number) => colourAt(anchors, share);
      if (ramped) paintRamp(this.#ramp, colour, RAMP.width, RAMP.height);
      for (const { kind, canvas } of this.#hatches) paintHatch(canvas, kind, theme, ratio);
      paintDashes(this.#truth.canvas, ratio);
    }
    set(this.#truth.element, "hidden", !panels.some(({ image }) => masks[image ?? ""]));
    const each = combine === "each" && heads.length > 1;
    const one = content.heads < 2 || heads.length === 0;
    show(this.#heads, each || one ? "" : headsText(heads, combine).slice(2, -1));
    const present = hatchesOf(panels, roles[other], apart[other], shown?.rows ?? []);
    for (const { kind, element } of this.#hatches) set(element, "hidden", !present.has(kind));
    const size = `${content.queries.labels.length} × ${content.keys.labels.length} ${content.kind}s`;
    const shows = other === "key" ? "shown: what is attended to (source)" : "shown: what attends (target)";
    setText(this.#size, `${shows} · ${size}`);
  }
}

function paintHatch(canvas: HTMLCanvasElement, kind: Hatch, theme: Theme, ratio: number): void {
  canvas.width = Math.round(SWATCH.width * ratio);
  canvas.height = Math.round(SWATCH.height * ratio);
  const context = canvas.getContext("2d");
  const pattern = context && hatchOf(context, kind, theme, ratio);
  if (!pattern) return;
  context.fillStyle = pattern;
  context.fillRect(0, 0, canvas.width, canvas.height);
}

function paintDashes(canvas: HTMLCanvasElement, ratio: number): void {
  canvas.width = Math.round(SWATCH.width * ratio);
  canvas.height = Math.round(SWATCH.height * ratio);
  const context = canvas.getContext("2d");
  const middle = canvas.height / 2;
  if (context) strokeTruth(context, new Path2D(`M0 ${middle}H${canvas.width}`), 0.6 * ratio);
}

/** "weight 0 – 0.46, absolute · nearest". */
export function scaleText(
  { kind }: Pick<Content, "kind">,
  { paint, scale, interpolation, contours }: State,
  signed: boolean,
  full: number,
  complete: boolean,
): string {
  if (paint === "contours" || paint === "outline") {
    const shares = contours.map((share) => `${Math.round(100 * share)} %`).join(", ");
    const what = paint === "contours" ? "lines enclose" : "outlined: the strongest, with";
    return `${what} ${shares} of the ${kind} on the image`;
  }
  const [weak, , strong] = rampNumbers(scale, full, signed);
  const known = complete || scale === "row" || scale === "times_uniform" ? "" : " (the largest so far)";
  return `${kind} ${weak} – ${strong}${known}, ${SCALES[scale]} · ${interpolation}`;
}

/** Which hatchings are on the pictures. */
export function hatchesOf(
  panels: readonly Panel[],
  roles: readonly Role[],
  apart: ReadonlySet<number>,
  rows: readonly Float32Array[],
): ReadonlySet<Hatch> {
  const found = new Set<Hatch>();
  if (panels.some(hasUnseen)) found.add("unseen");
  if (panels.some(({ extent, size }) => String(extent) !== String([0, 0, ...size]))) found.add("padding");
  const lies = (at: number) => roles[at] === "image" || roles[at] === "padding";
  for (const at of apart) if (lies(at)) found.add("aside");
  for (const row of rows) {
    row.forEach((weight, at) => {
      const oddity = oddityOf(weight);
      if (oddity && lies(at) && !apart.has(at)) found.add(oddity);
    });
  }
  return found;
}

const known = new WeakMap<Panel, boolean>();

/** Whether there is any of the image that no patch covers, where any patches are. */
function hasUnseen(panel: Panel): boolean {
  let unseen = known.get(panel);
  if (unseen !== undefined) return unseen;
  const grids = panel.parts.flatMap(({ part }) => (part.kind === "patches" ? [part] : []));
  const middles = (from: 0 | 1) => {
    const size = panel.size[from];
    const edges = [0, size, ...grids.flatMap(({ region }) => [region[from], region[from + 2] as number])];
    const inside = edges.filter((edge) => edge >= 0 && edge <= size).sort((a, b) => a - b);
    return inside.slice(1).flatMap((edge, at) => {
      const before = inside[at] as number;
      return edge - before > 1e-6 * size ? [(edge + before) / 2] : [];
    });
  };
  const across = middles(0);
  const covered = (x: number, y: number) =>
    grids.some(({ region: [left, top, right, bottom] }) => x > left && x < right && y > top && y < bottom);
  unseen =
    grids.some((part) => positionsOf(part).includes(-1)) ||
    (grids.length > 0 && middles(1).some((y) => across.some((x) => !covered(x, y))));
  known.set(panel, unseen);
  return unseen;
}
