import { describe, expect, it } from "vitest";
import { filterSummary } from "../src/controls/options.ts";
import { composePicture, type Words } from "../src/export/compose.ts";
import { toCsv } from "../src/export/csv.ts";
import type { LineArea, Picture } from "../src/export/picture.ts";
import { toSvg } from "../src/export/svg.ts";
import { beyond } from "../src/lines/beyond.ts";
import { selectEdges } from "../src/lines/edges.ts";
import { fontSize, layOut, type SideLayout } from "../src/lines/layout.ts";
import { type Focus, focusEdges, isEmpty } from "../src/lines/picture.ts";
import { COMBINED, type Edges } from "../src/lines/scene.ts";
import { type Shown, stillPart, stillRows } from "../src/lines/still.ts";
import type { Units } from "../src/lines/units.ts";
import { Model, type State } from "../src/model.ts";
import type { Theme } from "../src/theme.ts";
import { attention, FakeHost } from "./fakes.ts";

const STATE = new Model(new FakeHost(), new AbortController().signal).state;
const WIDE = /[\u2e80-\ua4cf\uac00-\ud7a3]|\p{Extended_Pictographic}/u;
const widthOf = (text: string, size: number): number =>
  [...text].reduce((sum, letter) => sum + size * (WIDE.test(letter) ? 1 : 0.54), 0);

const unitsOf = (labels: readonly string[], special: readonly number[] = []): Units => ({
  count: labels.length,
  labels,
  special,
  starts: Uint32Array.from({ length: labels.length + 1 }, (_, i) => i),
});

interface Wanted {
  readonly queries?: readonly string[];
  readonly keys?: readonly string[];
  readonly vertical?: boolean;
  readonly width?: number;
  readonly scroll?: number;
  readonly focus?: Focus;
  readonly pinned?: Focus;
  readonly pitch?: number;
  readonly special?: readonly number[];
  readonly hiddenSpecial?: boolean;
  readonly combined?: boolean;
}

const NONE: Focus = { query: [], key: [] };
const letters = (count: number, name = "token") => Array.from({ length: count }, (_, i) => `${name}${i}`);

function shownOf(wanted: Wanted = {}): Shown {
  const { queries = letters(6), keys = letters(5, "key"), vertical = true, width = 600, pitch = 24 } = wanted;
  const axes = { query: unitsOf(queries, wanted.special), key: unitsOf(keys) };
  const side = (labels: readonly string[]) => ({
    widths: Float32Array.from(labels, (label) => widthOf(label, fontSize(pitch))),
    rtl: false,
  });
  const layout = layOut({ vertical, width, height: null, pitch, query: side(queries), key: side(keys) });
  const heads = wanted.combined ? [COMBINED] : [0, 3];
  const weights = attention(heads.length, queries.length, keys.length);
  const base = selectEdges(weights, {
    ...STATE,
    kind: "weight",
    heads,
    full: 1,
    querySpecial: new Set(),
    keySpecial: new Set(),
    keyCount: keys.length,
  });
  const focus = wanted.focus ?? NONE;
  return {
    layout,
    scroll: wanted.scroll ?? 0,
    axes,
    base,
    fog: undefined,
    focus,
    pinned: wanted.pinned ?? NONE,
    focusEdges: isEmpty(focus) ? undefined : focusEdges(base.edges, focus),
    links: [],
    hiddenSpecial: wanted.hiddenSpecial ?? false,
    colour: (head) => [head, head, head],
    label: (at, position) => `exact ${axes[at].labels[position]}`,
  };
}

const stillPicture = (shown: Shown, words: Words, theme: Theme) =>
  composePicture([stillPart(shown, theme)], words, theme);

const areaOf = ({ lines }: Picture) => lines[0] as LineArea;

const WORDS: Words = {
  title: "attention, layer 0",
  sentence: "token0 attends to key1 0.5",
  legend: ["layer 0 · all 2 heads", "opacity and width: weight 0 – 1, absolute"],
  font: "sans-serif",
};

const CASES: readonly (readonly [string, Wanted])[] = [
  ["plain", {}],
  ["narrow", { width: 320 }],
  ["wide", { width: 1600 }],
  ["in rows", { vertical: false }],
  ["narrow, in rows, scrolled", { vertical: false, width: 320, queries: letters(40), scroll: 777 }],
  ["long, scrolled", { queries: letters(300), keys: letters(300, "key"), scroll: 3000 }],
  ["long beside short, scrolled", { queries: letters(300), scroll: 3000 }],
  ["long labels", { width: 320, queries: letters(5, "x".repeat(900)), keys: letters(5, "y z ".repeat(90)) }],
  ["wide letters", { width: 320, queries: letters(5, "你好世界".repeat(9)), keys: letters(5, "👩‍🔬") }],
  ["small", { pitch: 9 }],
  ["focus", { focus: { query: [2], key: [] } }],
  ["pins", { focus: { query: [2, 4], key: [] }, pinned: { query: [2, 4], key: [] } }],
  ["pins in rows", { vertical: false, focus: { query: [], key: [1] }, pinned: { query: [], key: [1] } }],
  ["nothing", { queries: [], keys: [] }],
];

describe.each(CASES)("a still picture: %s", (_, wanted) => {
  const shown = shownOf(wanted);
  const picture = stillPicture(shown, WORDS, "light");

  it("has its texts and boxes inside", () => {
    for (const { x, y, align, text, size } of picture.texts) {
      const width = widthOf(text, size);
      const left = align === "left" ? x : align === "right" ? x - width : x - width / 2;
      const where = `${text.slice(0, 50)} at ${left}`;
      expect(left, where).toBeGreaterThanOrEqual(0);
      expect(left + width, where).toBeLessThanOrEqual(picture.width);
      expect(y - size * 0.8, where).toBeGreaterThanOrEqual(0);
      expect(y, where).toBeLessThanOrEqual(picture.height);
    }
    for (const { x, width } of picture.boxes) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x + width).toBeLessThanOrEqual(picture.width);
    }
    const { x, y, window } = areaOf(picture);
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + window.width).toBeLessThanOrEqual(picture.width);
    expect(y + window.height).toBeLessThanOrEqual(picture.height);
  });

  it("has the tokens in sight, beside the lines' ends", () => {
    const { layout, scroll, axes } = shown;
    const seen = layout.vertical ? layout.viewport.height : layout.viewport.width;
    for (const side of ["query", "key"] as const) {
      const place: SideLayout = layout[side];
      const offset = place.sticky ? 0 : scroll;
      const inSight = [...place.centres.keys()].filter((i) => {
        const [centre, half] = [place.centres[i] as number, (place.extents[i] as number) / 2];
        return centre - half >= offset && centre + half <= offset + seen;
      });
      for (const position of inSight) {
        const label = axes[side].labels[position] as string;
        const start = [...label].slice(0, 2).join("");
        const found = picture.texts.find(({ text, x, y }) => {
          const at = layout.vertical ? y - areaOf(picture).y : x - areaOf(picture).x;
          return text.startsWith(start) && Math.abs(at - ((place.centres[position] as number) - offset)) < 9;
        });
        if (!found) expect.fail(`no ${side} ${label.slice(0, 40)}`);
      }
    }
  });

  it("makes an SVG that names no more than it shows", () => {
    expect(toSvg(picture)).toMatch(/^<svg /);
  });
});

describe("a still picture", () => {
  it("shows pins and what they attend to", () => {
    const pinned = { query: [2], key: [] };
    const picture = stillPicture(shownOf({ focus: pinned, pinned }), WORDS, "light");
    expect(areaOf(picture).groups.map(({ name }) => name)).toEqual(["context", "in focus"]);
    expect(areaOf(picture).groups[0]?.opacity).toBe(0.16);
    const bold = picture.texts.filter((text) => text.bold).map(({ text }) => text);
    expect(bold).toEqual(["token2"]);
    const stroked = picture.boxes.filter((box) => box.stroke);
    expect(stroked).toHaveLength(1);
    // Five tinted keys, each with its number.
    expect(picture.boxes.filter((box) => !box.stroke)).toHaveLength(5);
    expect(picture.texts.filter(({ text }) => /^0\.\d{3}$/.test(text))).toHaveLength(5);
  });

  it("is all lines where nothing is in focus", () => {
    const { lines, boxes } = stillPicture(shownOf(), WORDS, "dark");
    expect(lines[0]?.groups.map(({ name, opacity }) => [name, opacity])).toEqual([["lines", 1]]);
    expect(boxes).toEqual([]);
  });

  it("strikes hidden special tokens through", () => {
    const struck = (hiddenSpecial: boolean) =>
      stillPicture(shownOf({ special: [0, 5], hiddenSpecial }), WORDS, "light")
        .texts.filter((text) => text.struck)
        .map(({ text }) => text);
    expect(struck(true)).toEqual(["token0", "token5"]);
    expect(struck(false)).toEqual([]);
  });

  it("writes right-to-left tokens from the right", () => {
    const { texts } = stillPicture(shownOf({ queries: ["שלום", "world"] }), WORDS, "light");
    expect(texts.find(({ text }) => text === "שלום")?.rtl).toBe(true);
    expect(texts.find(({ text }) => text === "world")?.rtl).toBe(false);
  });

  it("shortens labels, never within a character", () => {
    const { texts } = stillPicture(
      shownOf({ width: 320, queries: ["🜁".repeat(99), "short"] }),
      WORDS,
      "light",
    );
    const label = texts.find(({ text }) => text.includes("…"))?.text ?? "";
    expect([...label].slice(0, -1).every((letter) => letter === "🜁")).toBe(true);
    expect(texts.some(({ text }) => text === "short")).toBe(true);
  });

  it("breaks a long sentence into lines that hold all of it", () => {
    const sentence = `${"nothing is left out of this ".repeat(12)}${"x".repeat(300)} end`;
    const { texts } = stillPicture(shownOf(), { ...WORDS, sentence }, "light");
    const text = texts.map((one) => one.text).join("");
    expect(text.replaceAll(" ", "")).toContain(sentence.replaceAll(" ", ""));
  });
});

describe("rows for a table", () => {
  it("are the lines in focus, or all", () => {
    const all = shownOf();
    const focus = { query: [1], key: [] };
    const some = shownOf({ focus });
    expect(stillRows(all, STATE)).toHaveLength(2 * 6 * 5);
    const rows = stillRows(some, { ...STATE, layer: 4 });
    expect(rows).toHaveLength(2 * 5);
    const { edges } = all.base as { edges: Edges };
    for (const row of rows) {
      expect(row).toMatchObject({ layer: 4, query: 1, queryLabel: "exact token1" });
      const i = [...edges.weight.keys()].find(
        (at) => edges.query[at] === 1 && edges.key[at] === row.key && edges.head[at] === row.head,
      ) as number;
      expect(row.weight).toBe(edges.weight[i]);
      expect(row.keyLabel).toBe(`exact key${row.key}`);
    }
  });

  it("name the way heads are combined, and the first tokens of words", () => {
    const shown = shownOf({ combined: true });
    const words: Units = {
      count: 6,
      labels: letters(6),
      special: [],
      starts: Uint32Array.of(0, 2, 4, 6, 8, 10, 12),
    };
    const rows = stillRows(
      { ...shown, axes: { ...shown.axes, query: words } },
      { ...STATE, combine: "mean" },
    );
    expect(new Set(rows.map(({ head }) => head))).toEqual(new Set(["mean"]));
    expect(new Set(rows.map(({ query }) => query))).toEqual(new Set([0, 2, 4, 6, 8, 10]));
  });

  it("are none where nothing is drawn", () => {
    expect(stillRows({ ...shownOf(), base: undefined }, STATE)).toEqual([]);
  });

  it("become a table with a line each", () => {
    const rows = stillRows(shownOf(), STATE);
    expect(toCsv(rows).trimEnd().split("\r\n")).toHaveLength(rows.length + 1);
  });
});

describe("beyond", () => {
  const place: SideLayout = {
    start: 0,
    size: 10,
    centres: Float32Array.of(10, 30, 50, 70, 90),
    extents: new Float32Array(5).fill(20),
    length: 100,
    sticky: false,
  };
  const joint = (...strengths: number[]) => ({
    strengths: Float32Array.from(strengths),
    weights: Float32Array.from(strengths, (strength) => 2 * strength),
    heads: new Uint16Array(5),
  });

  it("finds the strongest beyond either end, and how many there are", () => {
    expect(beyond(place, joint(0.25, 0.5, 1, 0.125, 0.75), 40, 60)).toEqual({
      before: { position: 1, weight: 1, count: 2 },
      after: { position: 4, weight: 1.5, count: 2 },
    });
  });

  it("finds nothing in sight, nothing weak and nothing missing", () => {
    expect(beyond(place, joint(1, 1, 1, 1, 1), 0, 100)).toEqual({});
    expect(beyond(place, joint(0.009, 0, NaN, 0.001, 0), 40, 60)).toEqual({});
    expect(beyond(place, joint(0.02, 0, 0, 0, 0), 40, 60)).toEqual({
      before: { position: 0, weight: Math.fround(2 * Math.fround(0.02)), count: 1 },
    });
  });
});

describe("filterSummary", () => {
  const summary = (more: Partial<State>) => filterSummary({ ...STATE, ...more });

  it.each([
    [{}, ""],
    [{ mass: 0.9 }, "mass 90 %"],
    [{ threshold: 0.05 }, "at least 0.05"],
    [{ top_k: 3 }, "top 3"],
    [{ special: "hide" }, "special hidden"],
    [{ special: "renormalise" }, "renormalised"],
    [{ words: true }, "words"],
    [{ mass: 0.5, top_k: 1, words: true, scale: "log" }, "mass 50 % · top 1 · words"],
    [{ direction: "attended_by", orientation: "horizontal" }, ""],
  ] as [Partial<State>, string][])("%j: %j", (more, expected) => {
    expect(summary(more)).toBe(expected);
  });
});
