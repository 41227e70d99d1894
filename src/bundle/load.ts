/** Evaluates a bundled program: from memory, in this process, with the runtime's own modules for what it imports of ours. */
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { withoutDrive } from "../runtime/assets.ts";
import { installFileFetch } from "./file-fetch.ts";
import { inPackage } from "./ids.ts";
import { type ImportMap, mapSpecifier } from "./import-map.ts";
import type { Bundle, Program } from "./mod.ts";
import { needsModuleMark } from "./module-kind.ts";
import { runtimeModules } from "./provided.ts";
import { mapStacks } from "./stack.ts";
import { workerPrograms } from "./worker-programs.ts";

/** What importing a module gives. */
type Namespace = Record<string, unknown>;
/** A project's modules by their paths; a module is evaluated by the first call. */
type Modules = Map<string, () => Promise<object>>;

/** Marks what stands for an ES module in the code of a bundle: its names are its exports. */
const ES_MODULE = Symbol("ES module");

/** A module's `import.meta`. */
interface Meta {
  readonly url: string;
  resolve(specifier: string): string;
}

/** Bundles a file that is imported by a computed name; mod.ts puts it here where there is a bundler. */
export const lateImports: { bundle?: (file: string, known: ReadonlySet<string>) => Promise<Bundle> } = {};

/** Where an evaluated program finds itself. */
export interface LoadOptions {
  /** The directory that module ids are relative to: a real one for `run`, a made-up one in a compiled program. */
  readonly root: string;
  /** True in a compiled program, which has no files beside it. */
  readonly sealed?: boolean;
  /** Where a module of a package really lies, by its id; needed when that is not below the root. */
  readonly locate?: (id: string) => string | undefined;
  /** Modules that the runtime has beside the ones that programs may import: the command line's. */
  readonly shared?: Readonly<Record<string, () => unknown>>;
  /** Of the wrapper's own line: -1 unless the source map counts it, as debuggers want it (src/cli/dev/inspect.ts). */
  readonly lineOffset?: number | undefined;
  /** Gives the source map, asked when the first stack trace is read. */
  readonly map: () => string;
  /** The modules of the program that imports this one. */
  readonly modules?: Modules;
  /** Told when the first of it has run, up to what it awaits. */
  readonly begun?: (() => void) | undefined;
}

/** What stands in front of a program's code in the script that is evaluated. */
export const programHead = '(function(require,__slipway){return(async()=>{"use strict";\n';

/** Runs a bundle where its sources are, and gives the entry's exports. `lineOffset`: as LoadOptions has it. */
export function loadBundle(bundle: Bundle, lineOffset?: number, begun?: () => void): Promise<Record<string, unknown>> {
  const { root, packaged, workers } = bundle;
  if (workers !== undefined) workerPrograms.bundles = workers;
  return loadProgram(bundle, { root, map: () => bundle.map, locate: (id) => packaged[id], lineOffset, begun });
}

/** Runs the program's modules and gives the entry's exports. */
export async function loadProgram(
  program: Pick<Program, "code" | "entry" | "provided" | "importMap"> & { readonly borrowed?: readonly string[] },
  options: LoadOptions,
): Promise<Record<string, unknown>> {
  const { root } = options;
  const entryFile = posix.join(root, program.entry);
  const provided = new Map<string, unknown>();
  for (const name of program.provided) provided.set(name, await runtimeModules[name]());

  const modules = options.modules ?? (new Map() as Modules);
  const borrowed = new Map<string, object>();
  for (const path of program.borrowed ?? []) borrowed.set(path, asModule((await modules.get(path)?.()) ?? {}));
  const map = program.importMap === undefined ? undefined : located(program.importMap, root);
  const filename = posix.join(root, options.modules === undefined ? "(bundle)" : `(bundle of ${program.entry})`);
  mapStacks(filename, options.sealed ? "" : root, options.map);
  const script = new Script(`${programHead}${program.code}\n})()})`, {
    filename,
    // The wrapper stands on a line of its own above the code's first, which the source map calls 1.
    lineOffset: options.lineOffset ?? -1,
  });
  const slipway = {
    exports: {} as Record<string, unknown>,
    commonjs: false,
    require: load,
    meta: metaOf,
    /** Says how a module is imported, by its name relative to the entry's directory; called when there are computed imports. */
    module: (name: string, load: () => Promise<object>) => void modules.set(pathOf(name), load),
    borrowed: (path: string) => borrowed.get(path),
    import: importComputed,
    esm: ES_MODULE,
    name: setName,
  };
  // Decorators keep their metadata there; V8 knows no such symbol yet.
  if (!Object.hasOwn(Symbol, "metadata")) {
    Object.defineProperty(Symbol, "metadata", { value: Symbol.for("Symbol.metadata") });
  }
  modules.set(entryFile, async () => slipway.exports);
  installFileFetch();
  const evaluated = orStuck(script.runInThisContext()(Object.assign(load, { resolve, cache: {} }), slipway));
  options.begun?.();
  await evaluated;
  return slipway.commonjs ? ofCommonJs(slipway.exports) : slipway.exports;

  function load(specifier: string): unknown {
    if (provided.has(specifier)) return provided.get(specifier);
    const builtin = process.getBuiltinModule(specifier) ?? options.shared?.[specifier]?.();
    if (builtin !== undefined) return builtin;
    if (options.sealed) throw notBundled(specifier, load);
    loadModulesAsSuch();
    const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier;
    const require = requireFrom(entryFile);
    try {
      return require(path);
    } catch (error) {
      // Node's own message shows where its loader was; when it is another module that is missing, that is told.
      const { code, requireStack } = error as { code?: unknown; requireStack?: unknown[] };
      if (code !== "MODULE_NOT_FOUND" || requireStack?.length !== 1) throw error;
      throw missing(`Cannot find module '${specifier}' from ${entryFile}`, load);
    }
  }

  /** `import(specifier)` of what was not written out, in the module with this `meta`. */
  async function importComputed(specifier: unknown, meta: Meta, attributes?: ImportCallOptions): Promise<object> {
    const name = String(specifier);
    const builtin = provided.get(name) ?? process.getBuiltinModule(name);
    if (builtin !== undefined) return { ...(builtin as object), default: builtin };
    const url = meta.resolve(name);
    if (/^https?:/.test(url))
      throw notFound(`Cannot import "${url}": nothing is fetched from the network`, importComputed);
    // Node's loader reads no blobs, and no TypeScript of data: URLs.
    if (/^blob:|^data:(?:application|text)\/typescript\b/.test(url)) return importText(new URL(url));
    if (!url.startsWith("file:")) return hostImport(url);
    const file = fileURLToPath(url.replace(/[?#].*$/, ""));
    // The made-up folder of a compiled program is on no drive.
    const path = options.sealed ? withoutDrive(file) : file;
    const type = attributes?.with?.type;
    const known = type === "text" || type === "bytes" ? undefined : modules.get(path);
    if (known !== undefined) return known();
    if (!existsSync(path)) {
      throw notFound(
        `Module not found "${url}"${options.sealed ? ": it is not in this program (slipway compile --include)" : ""}`,
        importComputed,
      );
    }
    if (type !== undefined) return { default: dataOf(path, type) };
    if (options.sealed) throw notFound(`Module "${url}" is in this program as a file, not as a module`, importComputed);
    return late(path);
  }

  /** A file of the project that the bundle did not need: it is made a program of its own, on the modules that are there. */
  async function late(path: string): Promise<object> {
    const { bundle } = lateImports;
    if (bundle === undefined || inPackage(path) || !/\.[cm]?[jt]sx?$/.test(path)) {
      loadModulesAsSuch();
      return hostImport(pathToFileURL(path).href);
    }
    const evaluated = bundle(path, new Set(modules.keys())).then((made) =>
      loadProgram(made, { root: made.root, map: () => made.map, locate: (id) => made.packaged[id], modules }),
    );
    modules.set(path, () => evaluated);
    // What failed may be mended, and asked for again.
    evaluated.catch(() => modules.delete(path));
    return evaluated;
  }

  function resolve(specifier: string): string {
    if (provided.has(specifier) || process.getBuiltinModule(specifier) !== undefined) return specifier;
    if (options.sealed) throw notBundled(specifier, resolve);
    return requireFrom(entryFile).resolve(specifier);
  }

  function metaOf(name: string, main = false): object {
    const path = pathOf(name);
    const url = pathToFileURL(path).href;
    return {
      url,
      filename: path,
      dirname: posix.dirname(path),
      main,
      resolve(specifier: string): string {
        const mapped = map === undefined ? undefined : mapSpecifier(map, specifier, url);
        if (mapped === null) throw notFound(`the import map forbids "${specifier}"`);
        const wanted = mapped?.replace(/^npm:\/?(@?[^@]*)(@[^/]*)?/, "$1") ?? specifier;
        if (process.getBuiltinModule(wanted) !== undefined) return wanted.replace(/^(node:)?/, "node:");
        if (/^([./]|[a-z]+:)/i.test(wanted)) return new URL(wanted, url).href;
        if (options.sealed) throw notFound(notBundledText(specifier));
        try {
          return pathToFileURL(requireFrom(path).resolve(wanted)).href;
        } catch {
          throw notFound(`Import "${specifier}" is in no import map and no node_modules`);
        }
      },
    };
  }

  /** Files of packages are named by their id, others relative to the entry's directory. */
  function pathOf(name: string): string {
    return name.startsWith("node_modules/")
      ? (options.locate?.(name) ?? posix.join(root, name))
      : posix.join(posix.dirname(entryFile), name);
  }
}

/** The import map with the places that its files have here. */
function located(map: string, root: string): ImportMap {
  return JSON.parse(map.replaceAll("root:/", () => pathToFileURL(posix.join(root, "/")).href));
}

/** What the bundler has renamed says what the author called it; a static `name` of the class itself stays. */
function setName(target: object, name: string): void {
  const { value, writable } = Object.getOwnPropertyDescriptor(target, "name") ?? { value: "", writable: false };
  if (typeof value === "string" && !writable)
    Object.defineProperty(target, "name", { value: name, configurable: true });
}

/** A module that one bundle takes from another. */
function asModule(namespace: object): object {
  const getters = Object.keys(namespace).map((name) => [
    name,
    { enumerable: true, get: () => (namespace as Namespace)[name] },
  ]);
  return Object.defineProperties({ [ES_MODULE]: true }, Object.fromEntries(getters));
}

function dataOf(path: string, type: string): unknown {
  if (type === "bytes") return new Uint8Array(readFileSync(path));
  const text = readFileSync(path, "utf8");
  return type === "json" ? JSON.parse(text) : text;
}

/** Node's own import(), which a script that was compiled by itself has not. */
export function hostImport(url: string): Promise<object> {
  const { constants, runInThisContext } = process.getBuiltinModule("node:vm");
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const { emitWarning } = process;
  // That this is experimental is no news for the program's users.
  process.emitWarning = () => {};
  try {
    return runInThisContext("url => import(url)", { importModuleDynamically })(url);
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function importText(url: URL): Promise<object> {
  const { blobAt, moduleText } = await import("./module-text.ts");
  const text = await moduleText(url, blobAt(url));
  return hostImport(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

/**
 * A CommonJS program's exports as a module's. Every CommonJS module has a `module.exports`, also one that exports
 * nothing: it is a default export only if it can serve.
 */
function ofCommonJs(namespace: Record<string, unknown>): Record<string, unknown> {
  const { default: exported, ...named } = namespace;
  // Compiled from an ES module, by TypeScript say: its default export is the author's.
  if ((exported as Namespace | undefined)?.__esModule === true) return exported as Namespace;
  if (typeof exported !== "object" || exported === null) return namespace;
  if (Object.getPrototypeOf(exported) !== Object.prototype) return namespace;
  return "fetch" in exported || "connect" in exported ? namespace : named;
}

/** Loaded when asked for: no compiled program needs Node's loader. */
function requireFrom(file: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(file);
}

let hooked = false;

/**
 * Files that only a computed import() names are Node's to load. Where package.json says "type": "commonjs" it would
 * not see that one is an ES module, as the bundler does.
 */
function loadModulesAsSuch(): void {
  if (hooked) return;
  hooked = true;
  process.getBuiltinModule("node:module").registerHooks({
    load(url, context, next) {
      const typed = context.format === "commonjs-typescript";
      if (!typed && context.format !== "commonjs") return next(url, context);
      const path = url.startsWith("file:") ? fileURLToPath(url) : "";
      if (path === "" || inPackage(path) || !needsModuleMark(path, readFileSync(path, "utf8")))
        return next(url, context);
      return next(url, { ...context, format: typed ? "module-typescript" : "module" });
    },
  });
}

/**
 * Awaits the program's evaluation, or finds that it waits for nothing: as Node does (exit code 13) for its own main
 * module, which here is another. No timer, no descriptor is left then that could let it go on.
 */
function orStuck(evaluation: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const stuck = () => {
      const error = new Error("an await at its top level never ends: nothing is left that it could wait for");
      // Where we noticed helps nobody.
      error.stack = error.message;
      reject(error);
    };
    process.once("beforeExit", stuck);
    const settled = () => process.removeListener("beforeExit", stuck);
    evaluation.then(settled, settled);
    evaluation.then(resolve, reject);
  });
}

function notBundled(specifier: string, above: (specifier: string) => unknown = notBundled): Error {
  return missing(notBundledText(specifier), above);
}

function notBundledText(specifier: string): string {
  return `Cannot find module '${specifier}': it is not in this program; only imports by a literal name were compiled into it`;
}

/** As Node and Deno reject import(); the stack begins where `above` was called. */
function notFound(message: string, above: (...args: never[]) => unknown = notFound): TypeError {
  const error = Object.assign(new TypeError(message), { code: "ERR_MODULE_NOT_FOUND" });
  Error.captureStackTrace(error, above);
  return error;
}

/** The error for a module that is not there; its stack begins where `above` was called. */
function missing(message: string, above: (specifier: string) => unknown): Error {
  const error = Object.assign(new Error(message), { code: "MODULE_NOT_FOUND" });
  Error.captureStackTrace(error, above);
  return error;
}
