/** Outlines of masks given as the truth: dashes, unlike the lines around shares of the weight. */

import { css } from "../matrix/draw.ts";
import { HALO, LINE, type Paint } from "./ground.ts";
import { scaleOf, toScreen } from "./layout.ts";

/** @param path - in pixels of the original image, as Python's `outlines.py` writes it. */
export function paintTruth(context: CanvasRenderingContext2D, paint: Paint, path: string): void {
  const { panel, place, look, ratio } = paint;
  const scale = scaleOf(place, panel, look) * ratio;
  const [x, y] = toScreen(place, panel, look, 0, 0);
  const shape = new Path2D();
  shape.addPath(new Path2D(path), new DOMMatrix([scale, 0, 0, scale, x * ratio, y * ratio]));
  strokeTruth(context, shape, ratio);
}

export function strokeTruth(context: CanvasRenderingContext2D, shape: Path2D, ratio: number): void {
  context.lineWidth = 3.5 * ratio;
  context.strokeStyle = css(HALO, 0.85);
  context.stroke(shape);
  context.lineWidth = 1.75 * ratio;
  context.strokeStyle = css(LINE);
  context.setLineDash([5 * ratio, 4 * ratio]);
  context.stroke(shape);
  context.setLineDash([]);
}
