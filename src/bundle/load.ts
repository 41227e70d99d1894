/** Evaluates a bundled program: from memory, in this process, with the runtime's own modules for what it imports of ours. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { installFileFetch } from "./file-fetch.ts";
import { inPackage } from "./ids.ts";
import type { Bundle, Program } from "./mod.ts";
import { needsModuleMark } from "./module-kind.ts";
import { runtimeModules } from "./provided.ts";
import { mapStacks } from "./stack.ts";

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
}

/** What stands in front of a program's code in the script that is evaluated. */
export const programHead = '(function(require,__slipway){return(async()=>{"use strict";\n';

/** Runs a bundle where its sources are, and gives the entry's exports. `lineOffset`: as LoadOptions has it. */
export function loadBundle(bundle: Bundle, lineOffset?: number): Promise<Record<string, unknown>> {
  const { root, packaged } = bundle;
  return loadProgram(bundle, { root, map: () => bundle.map, locate: (id) => packaged[id], lineOffset });
}

/** Runs the program's modules and gives the entry's exports. */
export async function loadProgram(
  program: Pick<Program, "code" | "entry" | "provided">,
  options: LoadOptions,
): Promise<Record<string, unknown>> {
  const { root } = options;
  const entryFile = posix.join(root, program.entry);
  const provided = new Map<string, unknown>();
  for (const name of program.provided) provided.set(name, await runtimeModules[name]());

  const filename = posix.join(root, "(bundle)");
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
  };
  installFileFetch();
  await orStuck(script.runInThisContext()(Object.assign(load, { resolve, cache: {} }), slipway));
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

  function resolve(specifier: string): string {
    if (provided.has(specifier) || process.getBuiltinModule(specifier) !== undefined) return specifier;
    if (options.sealed) throw notBundled(specifier, resolve);
    return requireFrom(entryFile).resolve(specifier);
  }

  function metaOf(name: string, main = false): object {
    // Files of packages are named by their id, others relative to the entry's directory.
    const path = name.startsWith("node_modules/")
      ? (options.locate?.(name) ?? posix.join(root, name))
      : posix.join(posix.dirname(entryFile), name);
    const url = pathToFileURL(path).href;
    return {
      url,
      filename: path,
      dirname: posix.dirname(path),
      main,
      resolve(specifier: string): string {
        if (process.getBuiltinModule(specifier) !== undefined) return specifier.replace(/^(node:)?/, "node:");
        if (/^([./]|[a-z]+:)/i.test(specifier)) return new URL(specifier, url).href;
        if (options.sealed) throw notBundled(specifier);
        return pathToFileURL(requireFrom(path).resolve(specifier)).href;
      },
    };
  }
}

/**
 * A CommonJS program's exports as a module's. Every CommonJS module has a `module.exports`, also one that exports
 * nothing: it is a default export only if it can serve.
 */
function ofCommonJs(namespace: Record<string, unknown>): Record<string, unknown> {
  const { default: exported, ...named } = namespace;
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
  return missing(
    `Cannot find module '${specifier}': it is not in this program; only imports by a literal name were compiled into it`,
    above,
  );
}

/** The error for a module that is not there; its stack begins where `above` was called. */
function missing(message: string, above: (specifier: string) => unknown): Error {
  const error = Object.assign(new Error(message), { code: "MODULE_NOT_FOUND" });
  Error.captureStackTrace(error, above);
  return error;
}
