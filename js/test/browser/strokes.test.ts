import { describe, expect, it } from "vitest";
import { begin, strokeEdges, strokesTell } from "../../src/lines/draw.ts";
import type { Edges, Geometry, Rgb } from "../../src/lines/scene.ts";
import { difference, exact, onWhite } from "../exact.ts";
import { edgesOf, linesOf, softmax } from "../pictures.ts";

const WIDTH = 240;
const COLUMNS = [2, 9, 20, 45, 80, 119, 150, 171, 203, 222, 236];
const blue = (): Rgb => [0, 114, 178];

function geometryOf(tokens: number, pitch: number): Geometry {
  const places = Float32Array.from({ length: tokens }, (_, i) => (i + 0.5) * pitch);
  return { vertical: true, along: { query: 0, key: WIDTH }, query: places, key: places, pitch };
}

/** How far strokes are from every line drawn exactly. */
function off(edges: Edges, geometry: Geometry): number {
  const window = { left: 0, top: 0, width: WIDTH, height: geometry.query.length * geometry.pitch };
  const canvas = document.createElement("canvas");
  const context = begin(canvas, window, 1) as CanvasRenderingContext2D;
  strokeEdges(context, edges, geometry, blue, Infinity);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const raster = { width: canvas.width, height: canvas.height, data };
  const truth = exact({ edges, geometry, colour: blue }, { ...window, ratio: 1 }, COLUMNS);
  return difference(onWhite(raster, COLUMNS), truth);
}

const mapped = (tokens: number, deviation: number, strength = (weight: number) => weight) =>
  edgesOf(linesOf(softmax(1, tokens, deviation).map(strength), tokens));

describe("strokes, where they stand for the exact picture", () => {
  it.each([
    ["a sentence", true, mapped(12, 2), 12, 24],
    ["a flat head", true, mapped(24, 0.1), 24, 24],
    ["an ordinary head", true, mapped(24, 1), 24, 24],
    ["many flat lines", false, mapped(44, 0.1), 44, 24],
    ["many lines in little room", false, mapped(24, 2), 24, 11],
    ["lines all at full strength", false, mapped(20, 2, () => 1), 20, 24],
  ])("%s: %s", (_, tell, edges, tokens, pitch) => {
    const geometry = geometryOf(tokens, pitch);
    expect(strokesTell(edges, geometry)).toBe(tell);
    if (tell) expect(off(edges, geometry)).toBeLessThan(2);
  });

  it("but not of several colours, whose order would show", () => {
    const edges = { ...mapped(12, 2), head: Uint16Array.from({ length: 144 }, (_, i) => i % 2) };
    expect(strokesTell(edges, geometryOf(12, 24))).toBe(false);
  });

  it("nothing at all", () => {
    expect(strokesTell(edgesOf([]), geometryOf(12, 24))).toBe(true);
  });
});
