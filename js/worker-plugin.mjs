/**
 * Puts `src/lines/worker.ts`, with all it imports, into one function that needs nothing around it. The page
 * calls it for these modules, and `worker-text.ts` gives the function's text to a worker: nothing is stored twice.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const lines = resolve(dirname(fileURLToPath(import.meta.url)), "src", "lines");
const TEXT = resolve(lines, "worker-text.ts");

/** @param {import("esbuild").BuildOptions} options */
const bundled = (options) =>
  build({ bundle: true, write: false, metafile: true, format: "esm", target: "es2022", ...options });

/** @returns {Promise<{ code: string, names: string[], files: Set<string> }>} */
async function modulesOfWorker() {
  const { metafile } = await bundled({ entryPoints: [resolve(lines, "worker.ts")] });
  const files = Object.keys(metafile.inputs).map((file) => resolve(file));
  const contents = files.map((file) => `export * from ${JSON.stringify(file)};`).join("\n");
  const all = await bundled({ stdin: { contents, resolveDir: lines } });
  const [output] = Object.values(all.metafile.outputs);
  const names = output?.exports ?? [];
  const code = all.outputFiles[0]?.text.replace(
    /^export (\{[^}]*\});\s*$/m,
    (_, list) => `return ${list.replace(/(\w+) as (\w+)/g, "$2: $1")};`,
  );
  return { code: `() => {\n${code}}`, names, files: new Set(files) };
}

/** @type {import("esbuild").Plugin} */
export const workerScript = {
  name: "worker-script",
  setup({ onStart, onResolve, onLoad }) {
    let modules = modulesOfWorker();
    onStart(() => {
      modules = modulesOfWorker();
    });
    onResolve({ filter: /\.ts$/ }, async ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      const { files } = await modules;
      return file === TEXT || files.has(file) ? { path: "modules", namespace: "worker" } : undefined;
    });
    onLoad({ filter: /./, namespace: "worker" }, async () => {
      const { code, names, files } = await modules;
      const contents = `const modules = ${code};
        export const { ${names.join(", ")} } = modules();
        export const script = \`(\${modules})().serve()\`;`;
      return { contents, watchFiles: [...files] };
    });
  },
};

/** The same for Vite, which runs the tests: there the page has these modules as they are. */
export const viteWorkerScript = {
  name: "worker-script",
  enforce: /** @type {const} */ ("pre"),
  /** @param {string} id */
  async load(id) {
    if (resolve(id) !== TEXT) return null;
    const { code } = await modulesOfWorker();
    return `export const script = ${JSON.stringify(`(${code})().serve()`)};`;
  },
};
