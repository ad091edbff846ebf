/** One picture on screen: itself, the weights and the marks on canvases above each other. */

import { cssColour, h, set, setText } from "../dom.ts";
import type { Rgb } from "../lines/scene.ts";
import { occupy, ratioNow } from "../matrix/draw.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side } from "../store.ts";
import type { Theme } from "../theme.ts";
import type { Look, Placed } from "./layout.ts";
import { type Heat, type Marks, type Paint, paintHeat, paintMarks, paintPicture } from "./paint.ts";
import type { Panel } from "./panels.ts";
import type { Shown, Source } from "./source.ts";
import type { StillPicture } from "./still.ts";

export interface Cursor {
  readonly side: Side;
  readonly position: number;
}

const NO_MARKS: Marks = { focus: null, pinned: [], hover: null, boxes: [] };

export class Picture {
  readonly element: HTMLElement;
  readonly #base = h("canvas", { class: "base" });
  readonly #heat = h("canvas", { class: "heat" });
  readonly #marks = h("canvas", { class: "overlay" });
  readonly #name = h("div", { class: "head-name", "aria-hidden": "true" });
  readonly #note = h("div", { class: "note" });
  #key = "";
  #paint: Paint | undefined;
  #source: CanvasImageSource | undefined;
  #held: Heat | undefined;
  #stressed: Marks = NO_MARKS;
  place: Placed = { panel: 0, head: -1, x: 0, y: 0, width: 1, height: 1 };

  constructor() {
    this.element = h(
      "div",
      { class: "picture", role: "application", tabindex: 0, "aria-roledescription": "picture with weights" },
      this.#name,
      this.#base,
      this.#heat,
      this.#marks,
      this.#note,
    );
  }

  /** Put it in its place; returns whether the picture itself was drawn anew. */
  draw(
    place: Placed,
    panel: Panel,
    look: Look,
    source: CanvasImageSource | undefined,
    theme: Theme,
    name: { readonly text: string; readonly colour: Rgb } | undefined,
    note: string,
  ): boolean {
    this.place = place;
    setText(this.#note, note);
    setText(this.#name, name?.text ?? "");
    if (name) this.#name.style.setProperty("--head", cssColour(name.colour));
    const ratio = ratioNow();
    const { x, y, width, height } = place;
    Object.assign(this.element.style, {
      left: `${x}px`,
      top: `${y}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    set(this.element, "data-zoomed", look.zoom > 1);
    const key = JSON.stringify([width, height, ratio, look, theme, panel.image, source !== undefined]);
    const font = getComputedStyle(this.element).fontFamily;
    this.#paint = { panel, look, place: { width, height }, ratio, theme, font };
    this.#source = source;
    if (key === this.#key) return false;
    this.#key = key;
    for (const canvas of [this.#base, this.#heat, this.#marks])
      occupy(canvas, { x: 0, y: 0, width, height }, ratio);
    this.#on(this.#base, (context, paint) => paintPicture(context, paint, source));
    return true;
  }

  forget(): void {
    this.#key = "";
  }

  heat(heat: Heat | undefined): void {
    this.#held = heat;
    this.#on(this.#heat, (context, paint) => heat && paintHeat(context, paint, heat));
  }

  marks(marks: Marks): void {
    this.#stressed = marks;
    this.#on(this.#marks, (context, paint) => paintMarks(context, paint, marks));
  }

  tell(cursor: Cursor | undefined, label: string): void {
    set(this.element, "data-side", cursor?.side ?? null);
    set(this.element, "data-index", cursor?.position ?? null);
    set(this.element, "data-cursor", cursor?.position ?? null);
    set(this.element, "aria-label", label);
  }

  /** What is on screen, for exports. */
  get still(): StillPicture | undefined {
    const { element } = this;
    const [paint, source, heat, marks] = [this.#paint, this.#source, this.#held, this.#stressed];
    return paint && { element, paint, source, heat, marks, title: element.ariaLabel ?? "" };
  }

  #on(canvas: HTMLCanvasElement, paint: (context: CanvasRenderingContext2D, paint: Paint) => void): void {
    const context = canvas.getContext("2d");
    if (!context || !this.#paint) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    paint(context, this.#paint);
  }
}

/** A picture and its cursor in words. */
export function summary(
  { panels, heads, content }: Source,
  place: Placed,
  cursor: Cursor | undefined,
  shown: Shown | undefined,
): string {
  const { size, image, parts } = panels[place.panel] as Panel;
  const grids = parts.map(({ part }) =>
    part.kind === "patches" ? `${part.rows} by ${part.cols} patches` : `${part.stop - part.start} boxes`,
  );
  const said = [
    panels.length > 1 ? `picture ${place.panel + 1} of ${panels.length}` : "picture",
    place.head >= 0 && `head ${heads[place.head]}`,
    image !== null && `${size[0]} by ${size[1]} pixels`,
    ...new Set(grids),
  ].filter(Boolean);
  if (!cursor || !content) return said.join(", ");
  const { side, position } = cursor;
  const weight = shown?.other === side ? shown.rows[Math.max(0, place.head)]?.[position] : undefined;
  const label = (side === "query" ? content.queries : content.keys).labels[position] ?? "";
  return `${said.join(", ")}; at ${label}${weight === undefined ? "" : `, ${formatWeight(weight)}`}`;
}
