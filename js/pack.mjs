/**
 * Packs the widget's module into a smaller one that unpacks it. anywidget sends the module with every
 * widget and stores it in every notebook saved with state: packed it takes little more than a third of the room,
 * and all widgets of a page share the one module unpacked.
 */
import { createHash } from "node:crypto";
import { minify } from "terser";
import { expanded, modelled, squeezed } from "./squeeze.mjs";

/**
 * Base 91: 13 bits in two letters, which cost 3/13 more than bytes (base 64: a third). The letters are those of
 * ASCII from "!" on but for `"` and `\`, which JSON escapes, and `<`, which pages do.
 *
 * @param {Uint8Array} bytes
 */
function base91(bytes) {
  const letters = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at));
  const digits = letters.filter((letter) => !'"<\\'.includes(letter));
  let text = "";
  let held = 0;
  let bits = 0;
  const put = () => {
    const word = held & 8191;
    text += `${digits[word % 91]}${digits[Math.floor(word / 91)]}`;
    held >>>= 13;
    bits -= 13;
  };
  for (const byte of bytes) {
    held |= byte << bits;
    bits += 8;
    if (bits >= 13) put();
  }
  if (bits > 0) put();
  return text;
}

/**
 * @param {string} code - a module whose default export makes a widget.
 * @returns {Promise<string>} A module of the same default export, made asynchronously.
 */
export async function pack(code) {
  const bytes = Buffer.from(code);
  const name = `attn_widget ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}`;
  const loader = LOADER.replace("NAME", () => JSON.stringify(name))
    .replace("PACKED", () => JSON.stringify(base91(squeezed(bytes))))
    .replace("LENGTH", () => String(bytes.length));
  const format = { comments: /@vite-ignore/ };
  return (await minify(loader, { module: true, ecma: 2022, format })).code ?? loader;
}

// Hosts import the widget from a blob themselves; the few that forbid blobs may allow data addresses.
const LOADER = `const key = Symbol.for(NAME);
const packed = PACKED;
const digit = (at) => {
  const code = packed.charCodeAt(at);
  return code - 33 - (code > 34) - (code > 60) - (code > 92);
};
const unpacked = () => {
  const bytes = [];
  for (let at = 0, held = 0, bits = 0; at < packed.length; at += 2) {
    held |= (digit(at) + digit(at + 1) * 91) << bits;
    for (bits += 13; bits >= 8; bits -= 8) {
      bytes.push(held & 255);
      held >>>= 8;
    }
  }
  return expanded(bytes, LENGTH);
};
${modelled}
${expanded}
const load = async () => {
  const module = new Blob([unpacked()], { type: "text/javascript" });
  const address = URL.createObjectURL(module);
  try {
    return await import(/* @vite-ignore */ address);
  } catch {
    const text = encodeURIComponent(await module.text());
    return import(/* @vite-ignore */ "data:text/javascript," + text);
  } finally {
    URL.revokeObjectURL(address);
  }
};
const forget = (error) => {
  delete globalThis[key];
  throw error;
};
export default async () => (await (globalThis[key] ??= load().catch(forget))).default();
`;
