/**
 * `import.meta` of each module. In one bundle all modules would share it, so every file that mentions it gets an
 * import of its own: appended, since imports are hoisted anyway and what stands above keeps its lines and columns.
 */
import { readFile } from "node:fs/promises";
import { dirname, extname, relative, resolve, sep } from "node:path";
import type { Loader, Plugin } from "esbuild";
import { inPackage, moduleId } from "./ids.ts";

const META = "slipway-meta";

/** What esbuild is told of a file whose contents we hand to it. */
const loaders: Record<string, Loader> = {
  ".ts": "ts",
  ".mts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".jsx": "jsx",
};

/** The plugin; `base` is where relative names start. */
export function importMeta(base: string, entry: string): Plugin {
  return {
    name: "slipway-import-meta",
    setup(build) {
      build.onLoad({ filter: /\.([cm]?ts|tsx|m?js|jsx)$/, namespace: "file" }, async ({ path, with: attributes }) => {
        const loader = loaders[extname(path)];
        if (loader === undefined || Object.keys(attributes).length > 0) return undefined;
        const contents = await readFile(path, "utf8");
        if (!/\bimport\s*\.\s*meta\b/.test(contents) || !isModule(path, contents)) {
          // A program such as `Deno.serve(…)` alone imports and exports nothing; esbuild would take it for CommonJS.
          const plain = path === entry && !/\b(import|export|require|exports)\b/.test(contents);
          return plain ? { contents: `${contents}\nexport {};`, loader, resolveDir: dirname(path) } : undefined;
        }
        const specifier = JSON.stringify(`${META}:${path}`);
        return {
          contents: `${contents}\nimport { meta as __slipway_meta } from ${specifier};`,
          loader,
          resolveDir: dirname(path),
        };
      });
      build.onResolve({ filter: new RegExp(`^${META}:`) }, ({ path }) => ({
        path: name(path.slice(META.length + 1)),
        pluginData: path.slice(META.length + 1) === entry,
        namespace: META,
        // Unless something reads it (the mention was in a comment), it leaves no trace.
        sideEffects: false,
      }));
      build.onLoad({ filter: /.*/, namespace: META }, ({ path, pluginData: main }) => ({
        contents: `export const meta = __slipway.meta(${JSON.stringify(path)}${main ? ", true" : ""});`,
      }));
    },
  };

  /** The same on every machine: packages by their id, the project's files relative to the entry's directory. */
  function name(file: string): string {
    return inPackage(file) ? moduleId(file, base) : relative(base, resolve(file)).split(sep).join("/");
  }
}

/** An import appended to a CommonJS file would turn it into a module; those only mention import.meta in passing. */
function isModule(path: string, contents: string): boolean {
  return !/\.js$/.test(path) || /^\s*(import\b[^(.]|export\b)/m.test(contents);
}
