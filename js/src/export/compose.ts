/** One picture of all views on screen: what is said above them, the legend below. Colours are those of widget.css. */

import type { Rgb } from "../lines/scene.ts";
import type { Theme } from "../theme.ts";
import type { LineArea, Part, Picture, Text } from "./picture.ts";

/** What stands around the views. */
export interface Words {
  readonly title: string;
  readonly sentence: string;
  readonly legend: readonly string[];
  readonly font: string;
}

export interface Ink {
  readonly text: Rgb;
  readonly muted: Rgb;
  readonly surface: Rgb;
  readonly accent: Rgb;
  readonly soft: Rgb;
}

export const INK: Readonly<Record<Theme, Ink>> = {
  light: {
    text: [31, 35, 40],
    muted: [91, 100, 112],
    surface: [255, 255, 255],
    accent: [0, 114, 178],
    soft: [219, 234, 244],
  },
  dark: {
    text: [230, 232, 235],
    muted: [154, 163, 174],
    surface: [23, 25, 28],
    accent: [86, 180, 233],
    soft: [29, 58, 77],
  },
};

const MARGIN = 12;
const SENTENCE_HEIGHT = 18;
const LEGEND_LINE = 17;
const LEAST_WIDTH = 420;
/** From the end of a picture to the baseline of what is written below it. */
const FOOTER_GAP = 10;
const GAP = 24;
const SENTENCE_SIZE = 13;
const LEGEND_SIZE = 11.5;
/** Mean width of a letter in its text size, and that of a wide one. */
const LETTER = 0.54;
const WIDE_LETTER = 1;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/u;

/** Views side by side, with the sentence above and the legend below. */
export function composePicture(parts: readonly Part[], words: Words, theme: Theme): Picture {
  const ink = INK[theme];
  const inner = parts.reduce((sum, { width }) => sum + width + GAP, -GAP);
  const room = Math.max(LEAST_WIDTH, inner);
  const sentence = wrap(words.sentence, room / SENTENCE_SIZE);
  const top = MARGIN + sentence.length * SENTENCE_HEIGHT + 8;
  const legend = words.legend.flatMap((line) => wrap(line, room / LEGEND_SIZE));
  const below = top + Math.max(0, ...parts.map(({ height }) => height)) + 10;
  const said = (lines: readonly string[], y: number, pitch: number, size: number, colour: Rgb) =>
    lines.map((text, i): Text => ({ x: MARGIN, y: y + 12 + i * pitch, align: "left", text, size, colour }));
  let x = MARGIN;
  const placed = parts.map((part) => {
    const at = moved(part, x, top);
    x += part.width + GAP;
    return at;
  });
  return {
    title: words.title,
    width: room + 2 * MARGIN,
    height: below + legend.length * LEGEND_LINE + MARGIN,
    background: ink.surface,
    font: words.font,
    lines: placed.flatMap(({ lines }) => lines),
    images: placed.flatMap(({ images }) => images),
    boxes: placed.flatMap(({ boxes }) => boxes),
    texts: [
      ...said(sentence, MARGIN, SENTENCE_HEIGHT, SENTENCE_SIZE, ink.text),
      ...said(legend, below, LEGEND_LINE, LEGEND_SIZE, ink.muted),
      ...placed.flatMap(({ texts }) => texts),
    ],
    sentence: words.sentence,
    notes: words.legend,
  };
}

function moved(part: Part, dx: number, dy: number): Part {
  const all = <T extends Pick<LineArea, "x" | "y">>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, x: item.x + dx, y: item.y + dy }));
  const { lines, images, boxes, texts } = part;
  return { ...part, lines: all(lines), images: all(images), boxes: all(boxes), texts: all(texts) };
}

/** Width of a letter in its text size; files have no font to measure with. */
const letterWidth = (letter: string): number => (WIDE.test(letter) ? WIDE_LETTER : LETTER);
const widthOf = (text: string): number => [...text].reduce((sum, letter) => sum + letterWidth(letter), 0);

/** As much of a text as fits, in its text size. */
export function fitting(text: string, room: number): string {
  if (widthOf(text) <= room + LETTER) return text;
  return `${pieces(text, Math.max(WIDE_LETTER, room - LETTER))[0]}…`;
}

/** Texts below a picture, as its legend is written: what only a file knows of itself. */
export function below(picture: Pick<Picture, "width" | "height">, lines: readonly string[], colour: Rgb) {
  const wrapped = lines.flatMap((line) => wrap(line, (picture.width - 2 * MARGIN) / LEGEND_SIZE));
  const texts = wrapped.map((text, i): Text => {
    const y = picture.height + FOOTER_GAP + i * LEGEND_LINE;
    return { x: MARGIN, y, align: "left", text, size: LEGEND_SIZE, colour };
  });
  const last = texts.at(-1);
  return { texts, height: last ? last.y + MARGIN : picture.height };
}

/** A text cut into pieces that fit, wherever they end. */
function pieces(text: string, room: number): string[] {
  const found: string[] = [];
  let width = Infinity;
  for (const letter of text) {
    const more = letterWidth(letter);
    if (width + more > room) {
      found.push("");
      width = 0;
    }
    found[found.length - 1] += letter;
    width += more;
  }
  return found;
}

/** Lines that fit, broken at spaces, and within words that don't fit a line. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((long) => pieces(long, room))) {
    if (line !== "" && widthOf(line) + LETTER + widthOf(word) > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
