/**
 * A handler's files → one module. `bundle` finds and joins them with esbuild; `loadBundle` (load.ts) evaluates the
 * result, in this process for `run`, in a compiled program from its payload; `executable.ts` writes that payload.
 *
 * The code that comes out is the body of an async function with two parameters, `require` and `__slipway`, and not a
 * module: top-level await works, no loader of the host's is involved, and it starts as fast as CommonJS does.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { BuildFailure, BuildOptions, Loader, Plugin } from "esbuild";
import { BundleError, problemsOf } from "./errors.ts";
import { esbuild } from "./esbuild.ts";
import { withExports } from "./exports.ts";
import { commonDirectory, inPackage, moduleId } from "./ids.ts";
import { importMeta } from "./import-meta.ts";
import { imports } from "./imports.ts";
import { type DenoConfig, denoConfig, hasTsconfig } from "./project.ts";
import { runtimeModules } from "./provided.ts";

export { BundleError, render } from "./errors.ts";
export { stopEsbuild } from "./esbuild.ts";
export { loadBundle } from "./load.ts";

/** A program in one piece. Paths in it are relative to `root`, with forward slashes, and nothing else is of this machine. */
export interface Program {
  /** The async function's body. */
  readonly code: string;
  /** Source map, JSON; its sources are module ids. */
  readonly map: string;
  /** The entry's id, `src/server.ts`. */
  readonly entry: string;
  /** Modules that the runtime has to bring: some of `runtimeModules`. */
  readonly provided: readonly string[];
}

/** A program, and where on this machine it came from. */
export interface Bundle extends Program {
  /** The directory that ids start from: the deepest that holds every source file outside node_modules. */
  readonly root: string;
  /** Every file that was read, absolute: what a watcher watches. */
  readonly inputs: readonly string[];
  /** Where on this machine the modules in node_modules are, by id. */
  readonly packaged: Readonly<Record<string, string>>;
  /** What esbuild found odd in the project's own files, one line each. */
  readonly warnings: readonly string[];
}

/** How to bundle. */
export interface BundleOptions {
  /** Directories or files which ids must be able to name too (`compile --include`). */
  readonly also?: readonly string[];
  /** Asked before our own plugins: how the command line itself is built. */
  readonly plugins?: readonly Plugin[];
  /** Whether the entry finds `import.meta.main` true, as programs do and tests do not; true by default. */
  readonly main?: boolean;
  /** What the entry holds, when it is no file: then its name only says where imports start and what kind it is. */
  readonly contents?: string;
  /** Keeps what nobody uses, as coverage must know of it; false by default. */
  readonly whole?: boolean;
  /** Shorter code, names kept; off by default: stack traces of what no map covers stay readable. */
  readonly minify?: boolean;
}

/** What a file is by its ending, beyond what esbuild knows; `with { type: … }` overrides it. */
const loaders: Record<string, Loader> = {
  ".txt": "text",
  ".md": "text",
  ".html": "text",
  ".sql": "text",
  ".css": "text",
  ".svg": "text",
  ".jsonc": "json",
};

/** Joins `entry` and everything that it imports into one program; throws a BundleError that says what is wrong where. */
export async function bundle(entry: string, options: BundleOptions = {}): Promise<Bundle> {
  const file = resolve(entry);
  if (options.contents === undefined) mustBeFile(file, entry);
  // esbuild prints paths relative to this directory: naming it makes the output independent of where we were called.
  const base = dirname(file);
  const config = denoConfig(base);
  const result = await esbuild({ ...buildOptions(file, base, config, options) }).catch(async (error: BuildFailure) => {
    throw Array.isArray(error.errors) ? new BundleError(await withExports(problemsOf(error.errors), base)) : error;
  });
  const { outputFiles = [], metafile, warnings } = result;
  const names = Object.keys(metafile?.inputs ?? {}).filter((name) => !/^[\w-]{2,}:|^</.test(name));
  const files = names.map((name) => resolve(base, withoutAttributes(name)));
  const root = commonDirectory([file, ...files.filter((path) => !inPackage(path)), ...(options.also ?? [])]);
  const ids = new Map(names.map((name, index) => [name, moduleId(files[index], root)]));
  const [map, code] = ["out.js.map", "out.js"].map(
    (name) => outputFiles.find(({ path }) => path === join(base, name))?.text ?? "",
  );
  // esbuild names what a link leads to.
  const main = metafile?.inputs[names[files.indexOf(options.contents === undefined ? realpathSync(file) : file)]];
  const commonjs = main?.format !== "esm" && /\.[cm]?[jt]sx?$/.test(file);
  return {
    code: portable(code, base, root, names) + (commonjs ? "__slipway.commonjs = true;\n" : ""),
    map: mapWithIds(map, ids),
    entry: moduleId(file, root),
    provided: Object.keys(runtimeModules).filter(
      (name) => code.includes(`__slipway.require("${name}")`) || code.includes(`__require("${name}")`),
    ),
    root,
    packaged: Object.fromEntries(files.filter(inPackage).map((path) => [moduleId(path, root), path])),
    inputs: [...new Set([file, ...files])],
    warnings: warnings
      .filter(({ location }) => location !== null && !inPackage(location.file))
      .map(({ text, location }) => `${location?.file}:${location?.line}: ${text}`),
  };
}

function mustBeFile(file: string, entry: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError([{ text: "no such file", file: entry }]);
  if (stat.isDirectory()) throw new BundleError([{ text: "a directory; name the handler's file in it", file: entry }]);
}

function buildOptions(
  file: string,
  base: string,
  config: DenoConfig | undefined,
  { minify, plugins = [], main = true, contents, whole = false }: BundleOptions,
): BuildOptions {
  const compilerOptions = hasTsconfig(base) ? undefined : config?.compilerOptions;
  return {
    stdin: {
      // By its name alone: a path's length would shift columns in the source map.
      contents: `import * as main from ${JSON.stringify(`./${basename(file)}`)}; __slipway.exports = main;`,
      resolveDir: base,
      sourcefile: "<entry>",
    },
    absWorkingDir: base,
    outfile: "out.js",
    bundle: true,
    write: false,
    metafile: true,
    // As ESM, since only that may await at its top; nothing imports or exports by the time it is printed.
    format: "esm",
    platform: "node",
    target: "esnext",
    // import() of what is not bundled becomes our require, which can say what is wrong; V8 knows no decorators yet.
    supported: { "dynamic-import": false, decorators: false },
    define: {
      "import.meta": "__slipway_meta",
      __filename: "__slipway_meta.filename",
      __dirname: "__slipway_meta.dirname",
    },
    jsx: "automatic",
    ...(compilerOptions && { tsconfigRaw: { compilerOptions } }),
    loader: loaders,
    treeShaking: !whole,
    minifyWhitespace: minify,
    minifySyntax: minify,
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "silent",
    plugins: [...plugins, importMeta(base, main ? file : undefined, contents), imports(config)],
  };
}

/** esbuild names an import with attributes `a.txt with { type: 'text' }`. */
function withoutAttributes(name: string): string {
  return name.replace(/ with \{.*\}$/s, "");
}

/**
 * esbuild names modules in comments and in the keys of its wrappers, each on a line of its own; where node_modules
 * lies on this machine must not show there, or two machines' builds would differ.
 */
function portable(code: string, base: string, root: string, names: readonly string[]): string {
  const renamed = new Map<string, string>();
  for (const name of names) {
    const id = moduleId(resolve(base, withoutAttributes(name)), root);
    if (inPackage(name) && name !== id) renamed.set(name, id);
  }
  if (renamed.size === 0) return code;
  return code.replace(/^(\/\/ |\s*(?:async )?")(.*?)(?=$|"\()/gm, (whole, start, name) => {
    const id = renamed.get(name);
    return id === undefined ? whole : start + id;
  });
}

function mapWithIds(text: string, ids: ReadonlyMap<string, string>): string {
  const { sources, names, mappings } = JSON.parse(text) as { sources: string[]; names: string[]; mappings: string };
  const renamed = sources.map((source) => {
    const name = decodeURIComponent(source);
    return ids.get(name) ?? name;
  });
  return JSON.stringify({ version: 3, sources: renamed, names, mappings });
}
