import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pack } from "../pack.mjs";
import { expanded, squeezed } from "../squeeze.mjs";

const source = readFileSync(new URL("../squeeze.mjs", import.meta.url));

function noise(length: number): Uint8Array {
  let word = 1;
  return Uint8Array.from({ length }, () => {
    word = Math.imul(word, 1_103_515_245) + 12_345;
    return word >>> 24;
  });
}

describe("squeezed bytes", () => {
  it.each([
    ["nothing", new Uint8Array(0)],
    ["one byte", Uint8Array.of(255)],
    ["noise", noise(5000)],
    ["one byte over and over", new Uint8Array(20_000).fill(65)],
    ["a long stretch twice", Uint8Array.from([...noise(900), ...noise(900)])],
    ["text", source],
    ["letters of every alphabet", new TextEncoder().encode("× 4,096 → “weights” … 注意 انتباه ".repeat(40))],
  ])("come back: %s", (_, bytes) => {
    expect(expanded(squeezed(bytes), bytes.length)).toEqual(Uint8Array.from(bytes));
  });

  it("take less room than deflate needs", () => {
    expect(squeezed(source).length).toBeLessThan(0.95 * deflateRawSync(source, { level: 9 }).length);
    expect(squeezed(noise(5000)).length).toBeLessThan(5200);
  });
});

describe("a packed module", () => {
  const code = 'let made = 0; export default () => ({ text: "“<\\"", made: ++made });';

  it("exports what the module exports, once for all who load it", async () => {
    const packed = await pack(code);
    const load = (mark: string) => import(`data:text/javascript,${encodeURIComponent(packed + mark)}`);
    const [one, other] = await Promise.all([load("// one"), load("// other")]);
    expect(await one.default()).toEqual({ text: '“<"', made: 1 });
    expect(await other.default()).toEqual({ text: '“<"', made: 2 });
  });

  it("has letters that neither JSON nor pages escape", async () => {
    const text = /"([^"]{100,})"/.exec(await pack(source.toString()))?.[1] ?? "";
    expect(text.length).toBeGreaterThan(1000);
    expect(text).toMatch(/^[!#-;=-[\]-~]+$/);
  });
});
