/**
 * Pictures of whole maps against every line drawn by itself: of real heads (MiniLM's third layer on 512
 * tokens of prose, see the fixture's queries and keys), of uniform and of made-up ones; of weights that are
 * in the page and of what a kernel sends instead.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decode } from "../src/codec.ts";
import { composite, type Viewport } from "../src/lines/composite.ts";
import { FOG, poolLines, quickly, strongest } from "../src/lines/fog.ts";
import type { Edges, Fog, Geometry } from "../src/lines/scene.ts";
import { EDGES_LIMIT, LAYER_BYTES } from "../src/protocol.ts";
import { type Drawn, difference, exact, onWhite } from "./exact.ts";
import { colour, edgesOf, linesOf, softmax } from "./pictures.ts";

const HEADS = 12;
const SIZE = 32;
const LONGEST = 512;

/** An array of the fixture, `(12, 512, 32)`: a .npy file says its size in bytes 8 and 9. */
function fixture(name: string): Float32Array {
  const file = readFileSync(new URL(`data/minilm-${name}.npy`, import.meta.url));
  const start = 10 + file.readUInt16LE(8);
  const data = new Uint8Array(file.subarray(start));
  return decode({ dtype: "f2", shape: [HEADS, LONGEST, SIZE], data }).values as Float32Array;
}

/** softmax(q·k / √32) of the first tokens, of shape (heads, tokens, tokens). */
function minilm(heads: number, tokens: number): Float32Array {
  const [q, k] = [fixture("q"), fixture("k")];
  const weights = new Float32Array(heads * tokens * tokens);
  for (let head = 0; head < heads; head++) {
    for (let query = 0; query < tokens; query++) {
      const row = weights.subarray((head * tokens + query) * tokens, (head * tokens + query + 1) * tokens);
      const from = (head * LONGEST + query) * SIZE;
      let sum = 0;
      for (let key = 0; key < tokens; key++) {
        const to = (head * LONGEST + key) * SIZE;
        let score = 0;
        for (let i = 0; i < SIZE; i++) score += q[from + i]! * k[to + i]!;
        row[key] = Math.exp(score / Math.sqrt(SIZE));
        sum += row[key]!;
      }
      for (let key = 0; key < tokens; key++) row[key]! /= sum;
    }
  }
  return weights;
}

const uniform = (heads: number, tokens: number): Float32Array =>
  new Float32Array(heads * tokens * tokens).fill(1 / tokens);

/** Lines as columns, without a list of them: maps of millions of lines are drawn here. */
function allLines(weights: Float32Array, tokens: number): Edges {
  const count = weights.length;
  const edges = {
    count,
    query: new Uint32Array(count),
    key: new Uint32Array(count),
    head: new Uint16Array(count),
    weight: weights,
    strength: weights,
    mark: new Uint8Array(count),
  };
  for (let i = 0; i < count; i++) {
    edges.key[i] = i % tokens;
    edges.query[i] = Math.floor(i / tokens) % tokens;
    edges.head[i] = Math.floor(i / tokens / tokens);
  }
  return edges;
}

/** The strongest lines one by one and the others pooled, as the kernel sends them. */
function fromKernel(edges: Edges, tokens: number): { readonly edges: Edges; readonly fog: Fog } {
  const least = strongest(edges.strength, EDGES_LIMIT);
  const fog = poolLines(edges, least, [tokens, tokens], FOG);
  return { edges: edgesOf(linesOf(edges.strength, tokens, least)), fog };
}

interface Place {
  readonly geometry: Geometry;
  readonly viewport: Viewport;
}

const WIDTH = 252;

/** Tokens of this height, seen through a window in the middle. */
function place(tokens: number, pitch: number): Place {
  const places = Float32Array.from({ length: tokens }, (_, i) => (i + 0.5) * pitch);
  const height = Math.min(400, Math.ceil(tokens * pitch));
  const top = Math.floor((tokens * pitch - height) / 2);
  return {
    geometry: { vertical: true, along: { query: 6, key: WIDTH - 6 }, query: places, key: places, pitch },
    viewport: { left: 0, top, width: WIDTH, height, ratio: 1 },
  };
}

/** Columns to compare, from end to end. */
const COLUMNS = Array.from({ length: 12 }, (_, i) => 7 + 21 * i + (i % 4));

function differenceFrom(
  truth: Float64Array,
  scene: Omit<Drawn, "colour"> & { fog?: Fog },
  at: Place,
): number {
  return difference(onWhite(composite({ ...scene, colour }, at.viewport), COLUMNS), truth);
}

describe("a picture of the whole map, against every line drawn exactly", { timeout: 120_000 }, () => {
  it.each([
    ["12 real heads × 32 tokens", minilm(HEADS, 32), 32, 24],
    ["12 real heads × 128 tokens, as the view opens", minilm(HEADS, 128), 128, 24],
    ["12 real heads × 128 tokens at a glance", minilm(HEADS, 128), 128, 3.75],
    ["12 real heads × 512 tokens, as the view opens", minilm(HEADS, 512), 512, 24],
    ["12 real heads × 512 tokens at a glance", minilm(HEADS, 512), 512, 1],
    ["12 uniform heads × 128 tokens", uniform(HEADS, 128), 128, 24],
    ["2 uniform heads × 512 tokens", uniform(2, 512), 512, 4],
    ["4 sharp heads × 128 tokens", softmax(4, 128, 3), 128, 8],
  ])("%s", (_, weights, tokens, pitch) => {
    const at = place(tokens, pitch);
    const edges = allLines(weights, tokens);
    const { geometry } = at;
    const truth = exact({ edges, geometry, colour }, at.viewport, COLUMNS);
    const off = (scene: { readonly edges: Edges; readonly fog?: Fog }) =>
      differenceFrom(truth, { ...scene, geometry }, at);
    if (weights.byteLength <= LAYER_BYTES) expect(off({ edges })).toBeLessThan(2);
    expect(off(fromKernel(edges, tokens))).toBeLessThan(2);
    // What stands for a moment until the true picture comes.
    expect(off(quickly(edges, undefined, [tokens, tokens]))).toBeLessThan(8);
  });
});

describe("uniform attention", () => {
  it.each([1024, 2048])("over %i tokens leaves no part of the picture blank", (tokens) => {
    const at = place(tokens, 1);
    const { edges, fog } = fromKernel(allLines(uniform(1, tokens), tokens), tokens);
    expect(edges.count).toBe(0);
    const { data, width, height } = composite({ edges, fog, geometry: at.geometry, colour }, at.viewport);
    for (const x of [8, WIDTH / 2, WIDTH - 9]) {
      const alphas = Array.from({ length: height }, (_, y) => data[(y * width + x) * 4 + 3]!);
      expect(Math.min(...alphas)).toBeGreaterThan(100);
    }
  });
});
