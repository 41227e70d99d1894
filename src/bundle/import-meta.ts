/**
 * What a module knows of itself: `import.meta`, and `__filename` and `__dirname` in CommonJS. In one bundle all modules
 * would share them, so every file that mentions one gets an import of its own: appended, since imports are hoisted
 * anyway and what stands above keeps its lines and columns. CommonJS gets a declaration instead.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, relative, resolve, sep } from "node:path";
import type { Loader, Plugin } from "esbuild";
import { IMPORT, withComputedImports } from "./computed-imports.ts";
import { inPackage, moduleId } from "./ids.ts";
import { jsxMark } from "./jsx.ts";
import { isModule, needsModuleMark } from "./module-kind.ts";
import { withParametersFirst } from "./parameter-properties.ts";
import { workersIn } from "./worker-programs.ts";

const META = "slipway-meta";

/** What esbuild is told of a file whose contents we hand to it. */
const loaders: Record<string, Loader> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
};

/** How the plugin's caller learns what it saw, and what it has to know. */
export interface Seen {
  /** True when a file of the project imports what only the running program knows. */
  computed: boolean;
  /** Files that workers are made of, absolute. */
  readonly workers: Set<string>;
  /** True when compiler options say how JSX is to be read. */
  readonly jsxKnown: boolean;
}

/**
 * The plugin; `base` is where relative names start, `entry` the file that is the main module. `given`: what the entry
 * holds, when there is no such file.
 */
export function importMeta(base: string, entry: string | undefined, seen: Seen, given?: string): Plugin {
  return {
    name: "slipway-import-meta",
    setup(build) {
      if (given !== undefined) {
        build.onResolve({ filter: /^\.\// }, ({ path, resolveDir }) =>
          resolve(resolveDir, path) === entry ? { path: entry } : undefined,
        );
      }
      build.onLoad({ filter: /\.([cm]?[jt]s|[jt]sx)$/, namespace: "file" }, async ({ path, with: attributes }) => {
        const loader = loaders[extname(path)];
        if (loader === undefined || Object.keys(attributes).length > 0) return undefined;
        const isGiven = given !== undefined && path === entry;
        const written = isGiven ? given : await readFile(path, "utf8");
        const source = (await withParametersFirst(written, path)) ?? written;
        const own = !inPackage(path);
        for (const name of workersIn(source)) {
          const worker = name === "" ? path : resolve(dirname(path), decodeURIComponent(name.replace(/[?#].*$/s, "")));
          if (existsSync(worker)) seen.workers.add(worker);
        }
        // A package is what its package.json says; a project's own file may disagree with the project's.
        const mark = own && needsModuleMark(path, source) ? "\nexport {};" : "";
        const computed = own && isModule(path, source) ? await withComputedImports(source, path) : undefined;
        if (computed !== undefined) seen.computed = true;
        const jsx = own && /sx$/.test(path) ? jsxMark(source, seen.jsxKnown) : "";
        const contents = (withMeta(computed ?? source, path, computed !== undefined) ?? source) + mark + jsx;
        return contents === written && !isGiven ? undefined : { contents, loader, resolveDir: dirname(path) };
      });
      build.onResolve({ filter: new RegExp(`^${META}:`) }, ({ path }) => ({
        path: name(path.slice(META.length + 1)),
        pluginData: path.slice(META.length + 1) === entry,
        namespace: META,
        // Unless something reads it (the mention was in a comment), it leaves no trace.
        sideEffects: false,
      }));
      build.onLoad({ filter: /.*/, namespace: META }, ({ path, pluginData: main }) => ({
        contents: `export const meta = __slipway.meta(${JSON.stringify(path)}${main ? ", true" : ""});
export const __slipway_load = (specifier, options) => __slipway.import(specifier, meta, options);`,
      }));
    },
  };

  /** The source with what it needs to know of itself; undefined when it asks for nothing. */
  function withMeta(source: string, path: string, computed: boolean): string | undefined {
    const named = /\bimport\s*\.\s*meta\b|\b__(file|dir)name\b/.test(source);
    if (!named && !computed) return undefined;
    if (isModule(path, source)) {
      const names = [
        ...(named ? ["meta as __slipway_meta"] : []),
        ...(computed ? [`__slipway_load as ${IMPORT}`] : []),
      ];
      return `${source}\nimport { ${names.join(", ")} } from ${JSON.stringify(`${META}:${path}`)};`;
    }
    // In front, on the first line, or the second where the first is for the shell: no line moves.
    const start = source.startsWith("#!") ? source.indexOf("\n") + 1 : 0;
    const declared = `var __slipway_meta = __slipway.meta(${JSON.stringify(name(path))}${path === entry ? ", true" : ""});`;
    return source.slice(0, start) + declared + source.slice(start);
  }

  /** The same on every machine: packages by their id, the project's files relative to the entry's directory. */
  function name(file: string): string {
    return inPackage(file) ? moduleId(file, base) : relative(base, resolve(file)).split(sep).join("/");
  }
}
