import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pack } from "../pack.mjs";
import { expanded, squeezed } from "../squeeze.mjs";

const source = readFileSync(new URL("../squeeze.mjs", import.meta.url), "utf8");
/** A letter of a squeezed text holds less than a byte. */
const LETTERS_A_BYTE = 8 / Math.log2(92);

function noise(length: number): string {
  let word = 1;
  const codes = Array.from({ length }, () => {
    word = Math.imul(word, 1_103_515_245) + 12_345;
    return word >>> 25;
  });
  return String.fromCharCode(...codes);
}

describe("a squeezed text", () => {
  it.each([
    ["nothing", ""],
    ["one letter", "\x7f"],
    ["noise", noise(5000)],
    ["one letter over and over", "A".repeat(20_000)],
    ["a long stretch twice", noise(900).repeat(2)],
    ["a script", source],
    ["brackets that do not match", "))(]{".repeat(200)],
  ])("comes back: %s", (_, text) => {
    expect(expanded(squeezed(text), text.length)).toBe(text);
  });

  it("takes less room than deflate needs", () => {
    const deflated = deflateRawSync(source, { level: 9 }).length;
    expect(squeezed(source).length).toBeLessThan(0.95 * LETTERS_A_BYTE * deflated);
    expect(squeezed(noise(5000)).length).toBeLessThan((1.05 * LETTERS_A_BYTE * 7 * 5000) / 8);
  });

  it("is made of ASCII alone", () => {
    expect(() => squeezed("4 × 4")).toThrow("only ASCII can be squeezed");
  });
});

describe("a packed module", () => {
  const code = 'let made = 0; export default () => ({ text: "\\u201c<\\"", made: ++made });';

  it("exports what the module exports, once for all who load it", async () => {
    const packed = await pack(code);
    const load = (mark: string) => import(`data:text/javascript,${encodeURIComponent(packed + mark)}`);
    const [one, other] = await Promise.all([load("// one"), load("// other")]);
    expect(await one.default()).toEqual({ text: '“<"', made: 1 });
    expect(await other.default()).toEqual({ text: '“<"', made: 2 });
  });

  it("has letters that neither JSON nor pages escape", async () => {
    const text = /\("([^"]{100,})",\d+\)/.exec(await pack(source))?.[1] ?? "";
    expect(text.length).toBeGreaterThan(1000);
    expect(text).toMatch(/^[ !#-;=-[\]-~]+$/);
  });
});
