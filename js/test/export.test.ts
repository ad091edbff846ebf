import { describe, expect, it } from "vitest";
import { type Row, toCsv } from "../src/export/csv.ts";
import {
  chooseLines,
  describe as describePicture,
  type LineArea,
  type LineGroup,
  type Picture,
} from "../src/export/picture.ts";
import { toSvg, xmlText } from "../src/export/svg.ts";
import type { Edges, Geometry } from "../src/lines/scene.ts";

const geometry: Geometry = {
  vertical: true,
  along: { query: 0, key: 100 },
  query: Float32Array.of(10, 30, 50, 70),
  key: Float32Array.of(10, 30, 50, 70),
  pitch: 20,
};

type Line = readonly [query: number, key: number, weight: number];

const edgesOf = (lines: readonly Line[]): Edges => ({
  count: lines.length,
  head: new Uint16Array(lines.length),
  query: Uint32Array.from(lines, ([query]) => query),
  key: Uint32Array.from(lines, ([, key]) => key),
  weight: Float32Array.from(lines, ([, , weight]) => weight),
  strength: Float32Array.from(lines, ([, , weight]) => Math.min(1, Math.abs(weight))),
  mark: new Uint8Array(lines.length),
});

const group = (name: string, lines: readonly Line[], total: number, opacity = 1): LineGroup => ({
  name,
  edges: edgesOf(lines),
  opacity,
  total,
});

function pictureOf(...groups: LineGroup[]): Picture {
  return {
    title: "Attention of layer 2",
    width: 300,
    height: 120,
    background: [255, 255, 255],
    font: "sans-serif",
    lines: [
      {
        x: 100,
        y: 20,
        window: { left: 0, top: 0, width: 100, height: 80 },
        geometry,
        colour: () => [0, 114, 178],
        groups,
        links: [],
        linkColour: [0, 0, 0],
      },
    ],
    images: [],
    boxes: [],
    texts: [],
    sentence: "mon attends to my 0.817",
    notes: [],
  };
}

const areasOf = (...groups: LineGroup[]) => pictureOf(...groups).lines as [LineArea];

const LINES: readonly Line[] = [
  [0, 0, 0.5],
  [0, 1, 0.25],
  [1, 1, 0.125],
  [2, 3, 0.125],
];

describe("chooseLines", () => {
  it("takes the strongest, weakest first", () => {
    const [lines] = areasOf(group("lines", LINES, 1));
    expect(chooseLines(lines)).toEqual([[2, 3, 1, 0]]);
    expect(chooseLines(lines, 2)).toEqual([[1, 0]]);
    expect(chooseLines(lines, 0)).toEqual([[]]);
  });

  it("fills later groups first", () => {
    const [lines] = areasOf(group("context", LINES, 1), group("pinned", LINES.slice(0, 2), 1));
    expect(chooseLines(lines, 3)).toEqual([[0], [1, 0]]);
    expect(chooseLines(lines, 1)).toEqual([[], [0]]);
  });

  it("leaves out lines that are out of sight, and what is no line", () => {
    const [lines] = areasOf(group("lines", [...LINES, [0, 0, Number.NaN], [0, 0, 0]], 1));
    const lower = { ...lines, window: { left: 0, top: 45, width: 100, height: 35 } };
    expect(chooseLines(lower)).toEqual([[3]]);
    const lying = { ...lines, geometry: { ...geometry, vertical: false } };
    expect(chooseLines({ ...lying, window: { left: 45, top: 0, width: 35, height: 100 } })).toEqual([[3]]);
  });
});

describe("describe", () => {
  const words = (picture: Picture, limit?: number) =>
    describePicture(
      picture,
      picture.lines.flatMap((area) => chooseLines(area, limit)),
    );

  it("says how many lines there are and what they carry", () => {
    expect(words(pictureOf(group("lines", LINES, 1)))).toBe(
      "mon attends to my 0.817 lines: 4 lines, which carry 100 % of the weight.",
    );
    expect(words(pictureOf(group("lines", LINES, 4)), 2)).toBe(
      "mon attends to my 0.817 lines: 2 of 4 lines, which carry 19 % of the weight.",
    );
  });

  it.each([
    [1.001, "more than 99 %"],
    [1000, "less than 1 %"],
    [0, undefined],
  ])("never rounds to all or nothing (of %d)", (total, share) => {
    const text = words(pictureOf(group("lines", LINES, total)));
    expect(text).toContain(share ? `carry ${share} of` : "4 lines.");
  });

  it("counts infinite weights as lines, not as weight", () => {
    const picture = pictureOf(group("lines", [...LINES, [3, 3, Infinity]], 2));
    expect(words(picture)).toContain("5 lines, which carry 50 % of the weight.");
  });

  it("counts weight that is pooled as left out", () => {
    const fog = { rows: 1, cols: 1, heads: [{ head: 0, strength: Float32Array.of(9) }] };
    const picture = pictureOf({ ...group("lines", LINES, 10), fog });
    expect(words(picture)).toContain("4 lines, which carry 10 % of the weight.");
    const written = [...toSvg(picture).matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text).join(" ");
    expect(written).toContain("carry 10 % of the weight.");
  });

  it("passes notes on", () => {
    expect(words({ ...pictureOf(), notes: ["3 weights are missing (NaN)."] })).toBe(
      "mon attends to my 0.817 3 weights are missing (NaN).",
    );
  });
});

describe("toSvg", () => {
  it("writes a path a line, with the shape and ink of the view", () => {
    const svg = toSvg(pictureOf(group("lines", [[0, 1, 0.5]], 1)));
    expect(svg.match(/<path/g)).toHaveLength(1);
    // Pitch 20 gives a width of 0.75 + 0.5 · 5.25, half strength an opacity of 0.45.
    expect(svg).toContain(
      '<path d="M0 10C50 10 50 30 100 30" stroke="#0072b2" stroke-width="3.38" stroke-opacity="0.45"/>',
    );
    const lying = pictureOf(group("lines", [[0, 1, 0.5]], 1));
    const turned = {
      ...lying,
      lines: lying.lines.map((area) => ({ ...area, geometry: { ...geometry, vertical: false } })),
    };
    expect(toSvg(turned)).toContain('d="M10 0C10 50 30 50 30 100"');
  });

  it("writes at most 20,000 paths and says so", () => {
    const many = Array.from({ length: 20_500 }, (_, i): Line => [i % 4, i % 3, (i + 1) / 20_500]);
    const svg = toSvg(pictureOf(group("lines", many, many.length)));
    expect(svg.match(/<path/g)).toHaveLength(20_000);
    expect(svg).toContain("20000 of 20500 lines, which carry 50 % of the weight.");
  });

  it("refers to nothing outside itself", () => {
    const svg = toSvg(pictureOf(group("lines", LINES, 1)));
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|href|url\(|@import/);
  });
});

describe("xmlText", () => {
  it.each([
    ["</script><a>&amp;", "&lt;/script&gt;&lt;a&gt;&amp;amp;"],
    ['say "no"', "say &quot;no&quot;"],
    ["a\u0000b\u001b\n\t\r", "a␀b␛␊␉␍"],
    ["\u007f\u0085\ufffe\uffff", "␡���"],
    ["\ud83d", "�"],
    ["\udc00\ud800", "��"],
    ["👩‍🔬 שלום 漢字", "👩‍🔬 שלום 漢字"],
    ["", ""],
  ])("writes %j", (text, written) => {
    expect(xmlText(text)).toBe(written);
  });
});

describe("toCsv", () => {
  const row: Row = { layer: 1, head: 2, query: 3, queryLabel: "mon", key: 4, keyLabel: "my", weight: 0.5 };

  it("writes the columns of Python's selection", () => {
    expect(toCsv([row, { ...row, head: "mean", weight: -1 }])).toBe(
      "layer,head,query,query_label,key,key_label,weight\r\n1,2,3,mon,4,my,0.5\r\n1,mean,3,mon,4,my,-1\r\n",
    );
    expect(toCsv([])).toBe("layer,head,query,query_label,key,key_label,weight\r\n");
  });

  it.each([
    "plain",
    "",
    " ",
    "a,b",
    'say "no"',
    "two\nlines\r\n",
    "=SUM(A1)",
    "+1",
    "-",
    "@x",
    "</script>",
    "▁the",
    "\u0000",
    "שלום",
    "👩‍🔬",
  ])("holds the label %j exactly", (label) => {
    const [, fields] = parse(toCsv([{ ...row, queryLabel: label }]));
    expect(fields).toEqual(["1", "2", "3", label, "4", "my", "0.5"]);
  });

  it("writes the shortest decimal of each float32", () => {
    let state = 1;
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    for (let i = 0; i < 5000; i++) {
      state = (state * 1664525 + 1013904223) >>> 0;
      bits[0] = state;
      const weight = float[0]!;
      const text = parse(toCsv([{ ...row, weight }]))[1]?.[6] ?? "";
      if (!Object.is(Math.fround(Number(text)), weight)) expect.fail(`${weight} is written ${text}`);
    }
    const written = (weight: number) => parse(toCsv([{ ...row, weight: Math.fround(weight) }]))[1]?.[6];
    expect([0.817, 1e-7, 1 / 3, 0, 16777216].map(written)).toEqual([
      "0.817",
      "1e-7",
      "0.33333334",
      "0",
      "16777216",
    ]);
    expect([Number.NaN, Infinity, -Infinity].map(written)).toEqual(["NaN", "Infinity", "-Infinity"]);
  });
});

/** A reader of RFC 4180 that knows nothing of the writer. */
function parse(csv: string): string[][] {
  const rows: string[][] = [];
  let fields: string[] = [];
  let at = 0;
  while (at < csv.length) {
    let field = "";
    if (csv[at] === '"') {
      for (at++; !(csv[at] === '"' && csv[at + 1] !== '"'); at++) {
        if (csv[at] === '"') at++;
        field += csv[at];
      }
      at++;
    } else {
      while (csv[at] !== "," && csv[at] !== "\r") field += csv[at++];
    }
    fields.push(field);
    if (csv[at] === ",") at++;
    else {
      expect(csv.slice(at, at + 2)).toBe("\r\n");
      rows.push(fields);
      fields = [];
      at += 2;
    }
  }
  return rows;
}
