/** Puts `src/lines/worker.ts`, with all it imports, into `worker-text.ts` as the text of one small script. */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const lines = resolve(dirname(fileURLToPath(import.meta.url)), "src", "lines");
const TEXT = /[\\/]src[\\/]lines[\\/]worker-text\.ts$/;

async function workerText() {
  const { outputFiles, metafile } = await build({
    entryPoints: [resolve(lines, "worker.ts")],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  return {
    contents: `export const script = ${JSON.stringify(outputFiles[0].text.trim())};`,
    files: Object.keys(metafile.inputs).map((file) => resolve(file)),
  };
}

/** @type {import("esbuild").Plugin} */
export const workerScript = {
  name: "worker-script",
  setup({ onLoad }) {
    onLoad({ filter: TEXT }, async () => {
      const { contents, files } = await workerText();
      return { contents, loader: "ts", watchFiles: files };
    });
  },
};

/** The same for Vite, which runs the tests. */
export const viteWorkerScript = {
  name: "worker-script",
  enforce: /** @type {const} */ ("pre"),
  /** @param {string} id */
  async load(id) {
    return TEXT.test(id) ? (await workerText()).contents : null;
  },
};
