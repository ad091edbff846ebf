/** A picture as an SVG document: for editors, papers and slides. */

import { lineOpacity, lineWidth } from "../lines/ink.ts";
import { Mark, type Rgb } from "../lines/scene.ts";
import { below, INK } from "./compose.ts";
import {
  type Box,
  chooseLines,
  describe,
  heldLines,
  type Image,
  type LineArea,
  type LineGroup,
  type Picture,
  type Text,
} from "./picture.ts";

/**
 * Writes a picture as a self-contained SVG document, with one path a line.
 *
 * Title and description say what is shown; they and the last line of text say how many lines there are and
 * what share of the weight they carry. Fog is left out, and so is its weight. Characters that XML can't hold are shown by their
 * symbols (␀), halves of surrogate pairs by U+FFFD.
 *
 * @param limit Most lines to write; the strongest are.
 */
export function toSvg(picture: Picture, limit?: number): string {
  const { lines, images, boxes } = picture;
  const chosen = lines.map((area) => chooseLines(area, limit));
  const ink = isDark(picture.background) ? INK.dark : INK.light;
  const footer = below(picture, heldLines(picture, chosen.flat()), ink.muted);
  const texts = [...picture.texts, ...footer.texts];
  const [width, height] = [short(picture.width), short(footer.height)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${xmlText(picture.font)}" role="img">\n`,
    `<title>${xmlText(picture.title)}</title>\n`,
    `<desc>${xmlText(describe(picture, chosen.flat()))}</desc>\n`,
    `<rect width="${width}" height="${height}" fill="${hex(picture.background)}"/>\n`,
    ...lines.map((area, i) => areaSvg(area, chosen[i] as number[][])),
    ...images.map(imageSvg),
    ...boxes.map(boxSvg),
    ...texts.map(textSvg),
    "</svg>\n",
  ].join("");
}

const isDark = ([red, green, blue]: Rgb): boolean => red + green + blue < 384;

function areaSvg(area: LineArea, chosen: readonly number[][]): string {
  const { left, top, width, height } = area.window;
  return [
    `<svg x="${short(area.x)}" y="${short(area.y)}" width="${short(width)}" height="${short(height)}"`,
    ` viewBox="${[left, top, width, height].map(short).join(" ")}" overflow="hidden" fill="none">\n`,
    ...area.groups.map((group, i) => groupSvg(group, chosen[i] ?? [], area)),
    ...area.links.map((link) => linkSvg(link, area)),
    "</svg>\n",
  ].join("");
}

/** Pixels stay sharp in viewers that know the property, in either of its spellings. */
function imageSvg({ x, y, width, height, canvas, title }: Image): string {
  const place = `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
  return (
    `<image ${place} preserveAspectRatio="none" style="image-rendering:pixelated" href="${canvas.toDataURL()}">` +
    `<title>${xmlText(title)}</title></image>\n`
  );
}

function groupSvg({ name, edges, opacity }: LineGroup, chosen: readonly number[], area: LineArea): string {
  const { geometry, colour } = area;
  const paths = chosen.map((edge) => {
    const strength = edges.strength[edge] as number;
    const path = curve(area, edges.query[edge] as number, edges.key[edge] as number);
    const width = short(lineWidth(strength, geometry.pitch));
    const alpha = Number(lineOpacity(strength).toPrecision(3));
    const stroke = hex(colour(edges.head[edge] as number));
    const dash = dashes(edges.mark[edge] as number);
    return `<path d="${path}" stroke="${stroke}" stroke-width="${width}" stroke-opacity="${alpha}"${dash}/>\n`;
  });
  return `<g data-lines="${xmlText(name)}" opacity="${opacity}">\n${paths.join("")}</g>\n`;
}

/** A negative weight is dashed, an infinite one dotted. */
function dashes(mark: number): string {
  if (mark & Mark.infinite) return ' stroke-dasharray="2 4"';
  return mark & Mark.negative ? ' stroke-dasharray="7 4"' : "";
}

function linkSvg([query, key]: readonly [number, number], area: LineArea): string {
  const { geometry, linkColour } = area;
  const stroke = `stroke="${hex(linkColour)}" stroke-width="1.25"`;
  const rings = [
    [geometry.along.query, geometry.query[query] as number],
    [geometry.along.key, geometry.key[key] as number],
  ].map(([along, across]) => {
    const [x, y] = geometry.vertical ? [along, across] : [across, along];
    return `<circle cx="${short(x as number)}" cy="${short(y as number)}" r="4" ${stroke}/>\n`;
  });
  return `${rings.join("")}<path d="${curve(area, query, key)}" ${stroke} stroke-opacity="0.6" stroke-dasharray="1 3"/>\n`;
}

/** The line from a query to a key, with control points half way along: see `curve.ts`. */
function curve({ geometry }: LineArea, query: number, key: number): string {
  const { vertical, along } = geometry;
  const [start, end] = [geometry.query[query] as number, geometry.key[key] as number];
  const middle = (along.query + along.key) / 2;
  const point = (at: number, across: number) =>
    vertical ? `${short(at)} ${short(across)}` : `${short(across)} ${short(at)}`;
  return `M${point(along.query, start)}C${point(middle, start)} ${point(middle, end)} ${point(along.key, end)}`;
}

function boxSvg({ x, y, width, height, radius, fill, opacity, stroke }: Box): string {
  const place = `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" rx="${short(radius)}"`;
  const inside = fill ? `fill="${hex(fill)}" fill-opacity="${short(opacity)}"` : 'fill="none"';
  return `<rect ${place} ${inside}${stroke ? ` stroke="${hex(stroke)}"` : ""}/>\n`;
}

function textSvg({ x, y, align, text, size, colour, bold, struck, rtl, turned }: Text): string {
  // In right-to-left text the start is at the right.
  const anchor = align === "center" ? "middle" : (align === "left") === !rtl ? "start" : "end";
  return [
    `<text x="${short(x)}" y="${short(y)}" font-size="${short(size)}" fill="${hex(colour)}" text-anchor="${anchor}"`,
    bold ? ' font-weight="600"' : "",
    struck ? ' text-decoration="line-through"' : "",
    rtl ? ' direction="rtl"' : "",
    turned ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : "",
    ` style="white-space:pre;font-variant-numeric:tabular-nums">${xmlText(text)}</text>\n`,
  ].join("");
}

const short = (value: number): string => String(Math.round(value * 100) / 100);

const hex = (colour: Rgb): string =>
  `#${colour.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("")}`;

/** Text that is valid in an XML element and between double quotes, whatever it holds. */
export function xmlText(text: string): string {
  return text
    .replace(/[\p{Surrogate}\uFFFE\uFFFF]/gu, "\uFFFD")
    .replace(CONTROLS, symbol)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROLS = /[\u0000-\u001F\u007F-\u009F]/g;

/** The picture of a control character: ␀ to ␟ and ␡ have one each. */
function symbol(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\uFFFD";
}
