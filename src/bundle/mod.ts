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
import { esbuild, stopEsbuild } from "./esbuild.ts";
import { withExports } from "./exports.ts";
import { commonDirectory, inPackage, moduleId, withoutAttributes } from "./ids.ts";
import { importMeta, type Seen } from "./import-meta.ts";
import { imports } from "./imports.ts";
import { lateImports } from "./load.ts";
import { moreFiles } from "./more-files.ts";
import { withNames } from "./names.ts";
import { type DenoConfig, denoConfig, hasTsconfig } from "./project.ts";
import { runtimeModules } from "./provided.ts";
import { borrowedBy, borrowing, importable, MODULES, registry, rootedMap } from "./registry.ts";
import { type WorkerBundles, workerPrograms } from "./worker-programs.ts";

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
  /** The import map for names that are asked for at run time: JSON, in which `root:/` stands for the root's URL. */
  readonly importMap?: string;
}

/** A program, and where on this machine it came from. */
export interface Bundle extends Program {
  /** The directory that ids start from: the deepest that holds every source file outside node_modules. */
  readonly root: string;
  /** Every file that was read, absolute: what a watcher watches. */
  readonly inputs: readonly string[];
  /** Where on this machine the modules in node_modules are, by id. */
  readonly packaged: Readonly<Record<string, string>>;
  /** Modules that are taken from another program, by their paths: some of `known`. */
  readonly borrowed: readonly string[];
  /** What esbuild found odd in the project's own files, one line each. */
  readonly warnings: readonly string[];
  /** Programs of its web workers, and of theirs; absent in one of them. */
  readonly workers?: WorkerBundles;
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
  /** Paths of modules that are there already: this is a part of a program that runs. */
  readonly known?: ReadonlySet<string>;
  /** Files that may be made workers by names which only the running program knows. */
  readonly workerFiles?: readonly string[];
  /** Has ids of all programs start from one directory: they go into one executable. */
  readonly oneRoot?: boolean;
  /** Collects the files of its web workers, for who bundles this as one of several. @internal */
  readonly workers?: Set<string>;
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

/** Builds of what is imported late, which share esbuild's process: the last to end ends it. */
let lateBuilds = 0;

lateImports.bundle = async (file, known) => {
  lateBuilds++;
  try {
    return await bundle(file, { known });
  } finally {
    if (--lateBuilds === 0) await stopEsbuild();
  }
};

workerPrograms.bundle = bundleWorker;

/** The program of a web worker that only the running program has named. */
export async function bundleWorker(file: string): Promise<Bundle> {
  lateBuilds++;
  try {
    return await bundleOne(file, { workers: new Set() });
  } finally {
    if (--lateBuilds === 0) await stopEsbuild();
  }
}

/**
 * Joins `entry` and everything that it imports into one program, and each of its web workers into one of their own;
 * throws a BundleError that says what is wrong where.
 */
export async function bundle(entry: string, options: BundleOptions = {}): Promise<Bundle> {
  const workers = new Set<string>();
  let main = await bundleOne(entry, { ...options, workers });
  if (/\bWorker\b/.test(main.code)) for (const file of options.workerFiles ?? []) workers.add(resolve(file));
  if (workers.size === 0) return main;
  const programs: Record<string, Bundle> = {};
  // While it grows: workers make workers.
  for (const file of workers) programs[file] = await bundleOne(file, { also: options.also ?? [], workers });
  if (options.oneRoot) {
    const files = [main, ...Object.values(programs)].flatMap(({ inputs }) => inputs);
    const also = [...(options.also ?? []), ...files.filter((path) => !inPackage(path))];
    main = await bundleOne(entry, { ...options, also, workers });
    for (const file of workers) programs[file] = await bundleOne(file, { also, workers });
  }
  const all = Object.values(programs);
  return {
    ...main,
    inputs: [...new Set([main, ...all].flatMap(({ inputs }) => inputs))],
    warnings: [...new Set([main, ...all].flatMap(({ warnings }) => warnings))],
    workers: programs,
  };
}

async function bundleOne(entry: string, options: BundleOptions): Promise<Bundle> {
  const file = resolve(entry);
  if (options.contents === undefined) mustBeFile(file, entry);
  // esbuild prints paths relative to this directory: naming it makes the output independent of where we were called.
  const base = dirname(file);
  const config = denoConfig(base);
  const tsconfig = hasTsconfig(base, config);
  const workers = options.workers ?? new Set();
  const seen: Seen = { computed: false, workers, jsxKnown: tsconfig || config?.compilerOptions?.jsx !== undefined };
  const build = (modules: readonly string[]) =>
    esbuild(buildOptions(file, base, config, seen, tsconfig, modules, options)).catch(async (error: BuildFailure) => {
      throw Array.isArray(error.errors) ? new BundleError(await withExports(problemsOf(error.errors), base)) : error;
    });
  let result = await build([]);
  // Which modules there are is known now, and that one of them asks for others by computed names.
  if (seen.computed || options.known !== undefined) result = await build(importable(result.metafile, base, file));
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
    code:
      asNodeImports(portable(withNames(code, map), base, root, names)) +
      (commonjs ? "__slipway.commonjs = true;\n" : ""),
    map: mapWithIds(map, ids),
    entry: moduleId(file, root),
    provided: Object.keys(runtimeModules).filter(
      (name) => code.includes(`__slipway.require("${name}")`) || code.includes(`__require("${name}")`),
    ),
    ...(config !== undefined &&
      (seen.computed || code.includes("__slipway.meta(")) && { importMap: rootedMap(config.map, root) }),
    borrowed: borrowedBy(metafile),
    root,
    packaged: Object.fromEntries(files.filter(inPackage).map((path) => [moduleId(path, root), path])),
    inputs: [...new Set([file, ...files])],
    warnings: [
      ...warnings
        .filter(({ location }) => location !== null && !inPackage(location.file))
        .map(({ text, location }) => `${location?.file}:${location?.line}: ${text}`),
      ...(!tsconfig && config !== undefined ? warningsOf(config) : []),
    ],
  };
}

function mustBeFile(file: string, entry: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new BundleError([{ text: "no such file", file: entry }]);
  if (stat.isDirectory()) throw new BundleError([{ text: "a directory; name the handler's file in it", file: entry }]);
}

function warningsOf({ file, compilerOptions }: DenoConfig): string[] {
  if (compilerOptions?.emitDecoratorMetadata !== true) return [];
  return [
    `${file}: emitDecoratorMetadata is not supported: Reflect.getMetadata finds no "design:type"; name the types in the decorators' arguments`,
  ];
}

/** A module's default import of CommonJS is `module.exports` for Node and Deno, whatever an `__esModule` in it says. */
function asNodeImports(code: string): string {
  return code.replace("isNodeMode || !mod || !mod.__esModule ?", "!mod || !mod[__slipway.esm] ?");
}

function buildOptions(
  file: string,
  base: string,
  config: DenoConfig | undefined,
  seen: Seen,
  tsconfig: boolean,
  modules: readonly string[],
  { minify, known, plugins = [], main = true, contents, whole = false }: BundleOptions,
): BuildOptions {
  const compilerOptions = tsconfig ? undefined : config?.compilerOptions;
  return {
    stdin: {
      // By its name alone: a path's length would shift columns in the source map.
      contents: `${modules.length > 0 ? `import "${MODULES}"; ` : ""}import * as main from ${JSON.stringify(`./${basename(file)}`)}; __slipway.exports = main;`,
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
    // What Deno takes first, since the program finds a `Deno`; the other is esbuild's own.
    conditions: ["deno", "module"],
    target: "esnext",
    // import() of what is not bundled becomes our require, which can say what is wrong; V8 knows no decorators yet.
    // `using` at the top of a module ends with that module, not with the bundle.
    supported: { "dynamic-import": false, decorators: false, using: false },
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
    plugins: [
      ...plugins,
      importMeta(base, known === undefined && main ? file : undefined, seen, contents),
      moreFiles(),
      registry(base, modules),
      ...(known === undefined ? [] : [borrowing(known)]),
      imports(config),
    ],
  };
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
