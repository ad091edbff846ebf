/**
 * Bundles the front end: `index.ts` into the module that anywidget loads, `standalone.ts` into the
 * script of exported pages. `--watch` rebuilds on every change and leaves the sources readable.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context, transform } from "esbuild";
import { minify } from "terser";
import { pack } from "./pack.mjs";
import { workerScript } from "./worker-plugin.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const outputs = resolve(root, "attn_widget", "static");
const watching = process.argv.includes("--watch");

// anywidget sends the module with every widget and stores it in every notebook saved with state.
const WIDGET_BUDGET = 100_000;

const bundles = [
  { entry: "index.ts", file: "widget.js", format: "esm", budget: WIDGET_BUDGET },
  { entry: "standalone.ts", file: "standalone.js", format: "iife", budget: Infinity },
];

/** Names in the order of the alphabet follow from each other: they pack better than those that are the shortest. */
const names = {
  /** @param {number} nth */
  get: (nth) => {
    const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const before = Math.floor(nth / letters.length);
    return `${before > 0 ? names.get(before - 1) : ""}${letters[nth % letters.length]}`;
  },
};

/** esbuild leaves imported text as it is; a style sheet has white space to lose. */
const smallStyles = {
  name: "small-styles",
  /** @param {import("esbuild").PluginBuild} build */
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/** @returns {import("esbuild").BuildOptions} */
const options = ({ entry, file, format }) => ({
  entryPoints: [resolve(here, "src", entry)],
  outfile: resolve(outputs, file),
  bundle: true,
  format,
  target: "es2022",
  minify: !watching,
  sourcemap: watching ? "inline" : false,
  legalComments: "none",
  charset: "utf8",
  plugins: watching ? [workerScript] : [workerScript, smallStyles],
  loader: { ".css": "text" },
  // Pages that load RequireJS (nbconvert, Shiny) must not have the bundle register itself there.
  define: { "define.amd": "false" },
  logLevel: "warning",
});

await mkdir(outputs, { recursive: true });

if (watching) {
  for (const bundle of bundles) {
    const watcher = await context({ ...options(bundle), logLevel: "info" });
    await watcher.watch();
  }
} else {
  for (const bundle of bundles) {
    const { outputFiles } = await build({ ...options(bundle), write: false });
    // A second minifier sees through what the first leaves: a fifteenth less to send with every widget.
    const module = bundle.format === "esm";
    const { code } = await minify(outputFiles[0].text, {
      module,
      ecma: 2022,
      compress: { passes: 4, hoist_funs: true, lhs_constants: false, reduce_funcs: false },
      mangle: { nth_identifier: names },
      format: { ascii_only: module },
    });
    const file = resolve(outputs, bundle.file);
    const written = module ? await pack(code) : code;
    await writeFile(file, written);
    const size = Buffer.byteLength(written);
    const limit = Number.isFinite(bundle.budget) ? ` of at most ${bundle.budget}` : "";
    console.log(`${relative(root, file)}: ${size} bytes${limit} (${Buffer.byteLength(code)} unpacked)`);
    if (size > bundle.budget) {
      console.error(`${bundle.file} must be at most ${bundle.budget} bytes; got ${size}`);
      process.exitCode = 1;
    }
  }
}
