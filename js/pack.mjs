/**
 * Packs the widget's module into a smaller one that inflates it. anywidget sends the module with every
 * widget and stores it in every notebook saved with state: packed it takes half the room, and all
 * widgets of a page share the one module inflated.
 */
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";

/**
 * @param {string} code - a module whose default export makes a widget.
 * @returns {string} A module of the same default export, made asynchronously.
 */
export function pack(code) {
  const packed = deflateRawSync(code, { level: 9 }).toString("base64");
  const name = `attn_widget ${createHash("sha256").update(code).digest("hex").slice(0, 16)}`;
  return LOADER.replace("NAME", () => JSON.stringify(name)).replace("PACKED", () => JSON.stringify(packed));
}

// Hosts import the widget from a blob themselves; the few that forbid blobs may allow data addresses.
const LOADER = `const key = Symbol.for(NAME);
const load = async () => {
  const packed = Uint8Array.from(atob(PACKED), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const code = await new Response(stream).blob();
  const module = new Blob([code], { type: "text/javascript" });
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
