/**
 * Packs the widget's module into a smaller one that unpacks it. anywidget sends the module with every
 * widget and stores it in every notebook saved with state: packed it takes a third of the room,
 * and all widgets of a page share the one module unpacked.
 */
import { createHash } from "node:crypto";
import { minify } from "terser";
import { expanded, modelled, squeezed } from "./squeeze.mjs";

/**
 * @param {string} code - a module in ASCII whose default export makes a widget.
 * @returns {Promise<string>} A module of the same default export, made asynchronously.
 */
export async function pack(code) {
  const name = `attn_widget ${createHash("sha256").update(code).digest("hex").slice(0, 16)}`;
  const loader = LOADER.replace("NAME", () => JSON.stringify(name))
    .replace("PACKED", () => JSON.stringify(squeezed(code)))
    .replace("LENGTH", () => String(code.length));
  const format = { comments: /@vite-ignore/ };
  return (await minify(loader, { module: true, ecma: 2022, format })).code ?? loader;
}

// Hosts import the widget from a blob themselves; the few that forbid blobs may allow data addresses.
const LOADER = `const key = Symbol.for(NAME);
${modelled}
${expanded}
const load = async () => {
  const text = expanded(PACKED, LENGTH);
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return await import(/* @vite-ignore */ address);
  } catch {
    return import(/* @vite-ignore */ "data:text/javascript," + encodeURIComponent(text));
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
