/** Maps for the matrix view, and what a person does in it. */
import type { Weights } from "../../src/store.ts";
import { attention, blockTrait, mapTraits, tokens } from "../fakes.ts";
import { find } from "./mounted.ts";
import { traits } from "./translation.ts";

export const matrix = (more: Record<string, unknown> = {}) => traits({ view: "matrix", heads: [1], ...more });
export const plotOf = (root: HTMLElement) => find(root, ".plot");

/** One head with these weights. */
export const mapOf = (
  queries: number,
  keys: number,
  values: ArrayLike<number>,
  more: Record<string, unknown> = {},
) => {
  const weights: Weights = { heads: 1, queries, keys, values: Float32Array.from(values) };
  return {
    ...mapTraits({ layers: [weights], queries: tokens(queries, "q"), keys: tokens(keys) }),
    _block: blockTrait({ layers: [weights], full: 1 }),
    view: "matrix",
    map: "attention",
    layer: 0,
    heads: [],
    pinned_queries: [],
    pinned_keys: [],
    window: null,
    ...more,
  };
};
export const large = (count: number, more: Record<string, unknown> = {}) =>
  mapOf(count, count, attention(1, count, count, 3, 4).values, more);

/** Where the middle of a cell is, in a plot that shows the whole map or a part of it. */
export function centre(
  root: HTMLElement,
  row: number,
  col: number,
  [rows, cols]: readonly [number, number],
): [number, number] {
  const { left, top, width, height } = plotOf(root).getBoundingClientRect();
  return [left + ((col + 0.5) * width) / cols, top + ((row + 0.5) * height) / rows];
}

export function send(
  target: HTMLElement,
  type: string,
  [clientX, clientY]: readonly [number, number],
  more: PointerEventInit = {},
): void {
  target.dispatchEvent(
    new PointerEvent(type, {
      bubbles: true,
      composed: true,
      cancelable: true,
      pointerId: 1,
      clientX,
      clientY,
      ...more,
    }),
  );
}

export function click(root: HTMLElement, at: readonly [number, number], more: PointerEventInit = {}): void {
  const plot = plotOf(root);
  send(plot, "pointerdown", at, { buttons: 1, ...more });
  send(plot, "pointerup", at, more);
  const [clientX, clientY] = at;
  plot.dispatchEvent(
    new MouseEvent("click", {
      bubbles: true,
      composed: true,
      detail: 1,
      clientX,
      clientY,
      shiftKey: more.shiftKey ?? false,
    }),
  );
}

export const hover = (root: HTMLElement, at: readonly [number, number]) =>
  send(plotOf(root), "pointermove", at);

/** The colours of a canvas in a rectangle of it. */
export function colours(
  canvas: HTMLCanvasElement,
  x: number,
  y: number,
  width: number,
  height: number,
): Set<string> {
  const data = canvas.getContext("2d")?.getImageData(x, y, width, height).data ?? new Uint8ClampedArray();
  const found = new Set<string>();
  for (let at = 0; at < data.length; at += 4) found.add(String([...data.slice(at, at + 3)]));
  return found;
}
