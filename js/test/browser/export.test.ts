import { describe, expect, it } from "vitest";
import type { Box, LineArea, Picture, Text } from "../../src/export/picture.ts";
import { paintPicture, toPng } from "../../src/export/png.ts";
import { toSvg } from "../../src/export/svg.ts";
import { type Edges, Mark, type Rgb } from "../../src/lines/scene.ts";

const BLUE: Rgb = [0, 114, 178];
const RED: Rgb = [200, 30, 30];

const edges: Edges = {
  count: 3,
  head: Uint16Array.of(0, 1, 0),
  query: Uint32Array.of(0, 1, 2),
  key: Uint32Array.of(0, 2, 1),
  weight: Float32Array.of(0.9, 0.6, 0.3),
  strength: Float32Array.of(0.9, 0.6, 0.3),
  mark: Uint8Array.of(0, 0, Mark.negative),
};

const text = (content: string, more: Partial<Text> = {}): Text => ({
  x: 90,
  y: 35,
  align: "right",
  text: content,
  size: 14,
  colour: [20, 20, 20],
  ...more,
});

const box: Box = { x: 210, y: 22, width: 40, height: 20, radius: 4, fill: RED, opacity: 0.5, stroke: null };

function pictureOf(more: Partial<Picture> = {}, area: Partial<LineArea> = {}): Picture {
  return {
    title: "Attention",
    width: 300,
    height: 100,
    background: [250, 250, 250],
    font: "sans-serif",
    lines: [
      {
        x: 100,
        y: 10,
        window: { left: 0, top: 0, width: 100, height: 80 },
        geometry: {
          vertical: true,
          along: { query: 0, key: 100 },
          query: Float32Array.of(20, 40, 60),
          key: Float32Array.of(20, 40, 60),
          pitch: 20,
        },
        colour: (head) => (head === 0 ? BLUE : RED),
        groups: [{ name: "lines", edges, opacity: 1, total: 1.8 }],
        links: [],
        linkColour: [0, 0, 0],
        ...area,
      },
    ],
    images: [],
    boxes: [],
    texts: [],
    sentence: "",
    notes: [],
    ...more,
  };
}

function parse(svg: string): Document {
  const document = new DOMParser().parseFromString(svg, "image/svg+xml");
  expect(document.querySelector("parsererror")).toBeNull();
  return document;
}

/** What a browser paints of an SVG document that it gets as a file. */
async function rendered(svg: string, width: number, height: number): Promise<ImageData> {
  const image = new Image(width, height);
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  URL.revokeObjectURL(image.src);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}

const pixel = ({ data, width }: ImageData, x: number, y: number): number[] => [
  ...data.slice((y * width + x) * 4, (y * width + x) * 4 + 3),
];

const difference = (a: ImageData, b: ImageData): number => {
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  let sum = 0;
  a.data.forEach((value, i) => {
    sum += Math.abs(value - (b.data[i] as number));
  });
  return sum / a.data.length;
};

const pixelsOf = (canvas: HTMLCanvasElement): ImageData =>
  (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);

const TOKENS = [
  "</script>",
  "<![CDATA[",
  "]]>",
  "&amp;",
  "--><!--",
  "a\u0000b\u0008\u001f\u007f",
  "\ud83d",
  "\udc00x\ud800",
  "\ufffe\uffff",
  " two  spaces ",
  "line\nfeed\ttab",
  "שלום עולם",
  "👩‍🔬",
  "漢字",
  "<s>",
  '"quoted\'"',
  "",
];

describe("toSvg", () => {
  it.each(TOKENS)("stays valid XML with the token %j", (token) => {
    const svg = toSvg(
      pictureOf({
        title: token,
        sentence: token,
        notes: [token],
        texts: [text(token)],
        font: token,
      }),
    );
    const document = parse(svg);
    expect(document.documentElement.namespaceURI).toBe("http://www.w3.org/2000/svg");
    const written = document.querySelector("text")?.textContent ?? "";
    expect(written).toHaveLength(token.length);
    expect(document.querySelector("title")?.textContent).toBe(written);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be gone.
    const kept = token.replace(/[\u0000-\u001f\u007f\ufffe\uffff\p{Surrogate}]/gu, "");
    for (const character of kept) expect(written).toContain(character);
  });

  it("holds what the picture holds, for editors and screen readers", () => {
    const texts = [
      text("mon"),
      text("0.9", { align: "left", bold: true, struck: true }),
      text("שלום", { rtl: true }),
    ];
    const document = parse(toSvg(pictureOf({ texts, boxes: [box] }, { links: [[0, 1]] })));
    expect(document.documentElement.getAttribute("role")).toBe("img");
    expect(document.querySelectorAll("[data-lines] path")).toHaveLength(3);
    expect(document.querySelectorAll("circle")).toHaveLength(2);
    expect(document.querySelectorAll("path[stroke-dasharray='7 4']")).toHaveLength(1);
    expect(document.querySelector("desc")?.textContent).toBe(
      "lines: 3 lines, which carry 100 % of the weight.",
    );
    const anchors = [...document.querySelectorAll("text")].map((element) =>
      element.getAttribute("text-anchor"),
    );
    // Aligned at its right end, right-to-left text starts there.
    expect(anchors.slice(0, 3)).toEqual(["end", "start", "start"]);
    const below = [...document.querySelectorAll("text")].slice(3).map(({ textContent }) => textContent);
    expect(below.join(" ")).toBe("lines: 3 lines, which carry 100 % of the weight.");
  });

  it("draws lines, tints and text where they belong", async () => {
    const image = await rendered(
      toSvg(pictureOf({ boxes: [box], texts: [text("mon", { bold: true })] })),
      300,
      100,
    );
    expect(pixel(image, 5, 95)).toEqual([250, 250, 250]);
    const [red = 0, , blue = 0] = pixel(image, 150, 30);
    expect(blue).toBeGreaterThan(red + 80);
    expect(pixel(image, 230, 26)).toEqual([225, 140, 140]);
    const inked = Array.from({ length: 40 }, (_, x) => pixel(image, 52 + x, 30)[0] as number);
    expect(Math.min(...inked)).toBeLessThan(120);
  });

  it("cuts lines at the edges of the window", async () => {
    const window = { left: 0, top: 30, width: 100, height: 20 };
    const image = await rendered(toSvg(pictureOf({}, { window })), 300, 100);
    const inked = Array.from({ length: 100 }, (_, y) =>
      image.data.subarray(y * 1200, (y + 1) * 1200).some((channel, i) => i % 4 < 3 && channel !== 250),
    );
    expect(inked.indexOf(true)).toBeGreaterThanOrEqual(10);
    expect(inked.lastIndexOf(true)).toBeLessThan(30);
    expect(pixel(image, 106, 20)[1]).toBeLessThan(200);
  });
});

describe("toPng", () => {
  it("makes a PNG of twice the size", async () => {
    const blob = await toPng(pictureOf());
    expect(blob.type).toBe("image/png");
    const bitmap = await createImageBitmap(blob);
    expect([bitmap.width, bitmap.height]).toEqual([600, 200]);
  });

  it("makes fewer pixels of what is too large for a canvas", async () => {
    const bitmap = await createImageBitmap(await toPng(pictureOf({ width: 10_000, height: 500 })));
    expect(bitmap.width).toBe(8192);
    expect(bitmap.height).toBe(410);
  });

  it.each([true, false])("paints the same picture as the SVG (vertical: %s)", async (vertical) => {
    const upright = pictureOf();
    const [area] = upright.lines as [LineArea];
    const { geometry } = area;
    const turned = {
      window: vertical ? area.window : { left: 0, top: 0, width: 80, height: 80 },
      geometry: vertical ? geometry : { ...geometry, vertical, along: { query: 0, key: 80 } },
    };
    const picture = pictureOf({ boxes: [box], texts: [text("mon")] }, { ...turned, links: [[2, 2]] });
    const painted = pixelsOf(await paintPicture(picture, 1));
    const drawn = await rendered(toSvg(picture), 300, 100);
    expect(difference(painted, drawn)).toBeLessThan(0.6);
    const empty = pixelsOf(await paintPicture(pictureOf({}, { groups: [] }), 1));
    expect(difference(painted, empty)).toBeGreaterThan(2);
  });

  it("draws the context faintly and what is pinned in full", async () => {
    const [group] = (pictureOf().lines[0] as LineArea).groups;
    if (!group) throw new Error("no group");
    const faint = { ...group, opacity: 0.16 };
    const level = async (groups: (typeof group)[]) =>
      pixel(pixelsOf(await paintPicture(pictureOf({}, { groups }), 1)), 150, 30)[0] as number;
    expect(await level([faint])).toBeGreaterThan(200);
    expect(await level([faint, group])).toBeLessThan(60);
  });
});
