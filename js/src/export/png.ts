/** A picture as a PNG, painted on a canvas of its own. */
import { createComposite } from "../lines/composite.ts";
import type { Rgb } from "../lines/scene.ts";
import type { Box, LineArea, Picture, Text } from "./picture.ts";

/** The most pixels every browser gives a canvas. */
const MOST_PIXELS = 16_000_000;
const LONGEST_SIDE = 8_192;

/** Milliseconds of drawing between two chances for the page to do something else. */
const SLICE_MS = 8;

/**
 * Paints a picture and encodes it, at `ratio` pixels each CSS pixel, or fewer where that would be too
 * many for a canvas.
 *
 * @throws Error if the browser gives no canvas or can't encode it.
 */
export async function toPng(picture: Picture, ratio = 2): Promise<Blob> {
  const canvas = await paintPicture(picture, fittingRatio(picture, ratio));
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the browser could not encode the picture as PNG"))),
      "image/png",
    );
  });
}

const fittingRatio = ({ width, height }: Picture, wanted: number): number =>
  Math.min(wanted, LONGEST_SIDE / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)));

/** Paints a picture on a canvas that is in no document. */
export async function paintPicture(picture: Picture, ratio: number): Promise<HTMLCanvasElement> {
  const { width, height, background, lines, images, boxes, texts } = picture;
  const [canvas, context] = blankCanvas(Math.round(width * ratio), Math.round(height * ratio));
  context.fillStyle = css(background);
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const area of lines) await paintLines(context, area, ratio);
  context.scale(ratio, ratio);
  for (const area of lines) paintLinks(context, area);
  context.imageSmoothingEnabled = false;
  for (const { canvas: cells, x, y, width, height } of images) context.drawImage(cells, x, y, width, height);
  paintMarks(context, boxes, texts, picture.font);
  return canvas;
}

/** Paints boxes, and texts over them. */
export function paintMarks(
  context: CanvasRenderingContext2D,
  boxes: readonly Box[],
  texts: readonly Text[],
  font: string,
): void {
  for (const box of boxes) paintBox(context, box);
  for (const text of texts) paintText(context, text, font);
}

function blankCanvas(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error(`the browser gave no canvas of ${width} × ${height} pixels`);
  return [canvas, context];
}

async function paintLines(context: CanvasRenderingContext2D, area: LineArea, ratio: number): Promise<void> {
  const { x, y, window, geometry, colour, groups } = area;
  for (const { edges, fog, opacity } of groups) {
    const drawing = createComposite({ edges, fog, geometry, colour }, { ...window, ratio });
    while (!drawing.step(SLICE_MS)) await new Promise((resolve) => setTimeout(resolve));
    const { width, height, data } = drawing.raster;
    if (width === 0 || height === 0) continue;
    const [sheet, onSheet] = blankCanvas(width, height);
    onSheet.putImageData(new ImageData(data, width, height), 0, 0);
    context.globalAlpha = opacity;
    context.drawImage(sheet, Math.round(x * ratio), Math.round(y * ratio));
  }
  context.globalAlpha = 1;
}

function paintLinks(context: CanvasRenderingContext2D, area: LineArea): void {
  const { x, y, window, geometry, links, linkColour } = area;
  const { vertical, along } = geometry;
  const point = (at: number, across: number): [number, number] => (vertical ? [at, across] : [across, at]);
  const middle = (along.query + along.key) / 2;
  context.save();
  context.beginPath();
  context.rect(x, y, window.width, window.height);
  context.clip();
  context.translate(x - window.left, y - window.top);
  context.strokeStyle = css(linkColour);
  context.lineWidth = 1.25;
  for (const [query, key] of links) {
    const [start, end] = [geometry.query[query] as number, geometry.key[key] as number];
    for (const centre of [point(along.query, start), point(along.key, end)]) {
      context.beginPath();
      context.arc(...centre, 4, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 0.6;
    context.setLineDash([1, 3]);
    context.beginPath();
    context.moveTo(...point(along.query, start));
    context.bezierCurveTo(...point(middle, start), ...point(middle, end), ...point(along.key, end));
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
  }
  context.restore();
}

function paintBox(context: CanvasRenderingContext2D, box: Box): void {
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, box.radius);
  if (box.fill) {
    context.globalAlpha = box.opacity;
    context.fillStyle = css(box.fill);
    context.fill();
    context.globalAlpha = 1;
  }
  if (box.stroke) {
    context.lineWidth = 1;
    context.strokeStyle = css(box.stroke);
    context.stroke();
  }
}

function paintText(context: CanvasRenderingContext2D, item: Text, font: string): void {
  if (item.turned) {
    context.save();
    context.translate(item.x, item.y);
    context.rotate(-Math.PI / 2);
    paintText(context, { ...item, x: 0, y: 0, turned: false }, font);
    context.restore();
    return;
  }
  const { x, y, align, text, size, colour, bold, struck, rtl } = item;
  context.font = `${bold ? "600 " : ""}${size}px ${font}`;
  context.textAlign = align;
  context.direction = rtl ? "rtl" : "ltr";
  context.fillStyle = css(colour);
  context.fillText(text, x, y);
  if (!struck) return;
  const { width } = context.measureText(text);
  const left = align === "left" ? x : align === "right" ? x - width : x - width / 2;
  context.fillRect(left, y - size * 0.3, width, Math.max(1, size / 14));
}

const css = ([red, green, blue]: Rgb): string => `rgb(${red} ${green} ${blue})`;
