/**
 * The main script of the base, and all that V8 has to read of our source at a start: the runtime itself (base.ts and
 * everything below it) is an asset beside a cache of its compiled functions, made by scripts/code-cache.ts as it
 * served. That saves about a quarter of the time between exec and the first response which is ours to save.
 */
import { BASE_SCRIPT, CODE_CACHE, codeCache } from "../bundle/base-script.ts";

type Exports = Record<string, unknown>;

// Until somebody listens to SIGUSR1, Node opens a debugger's port on it; the runtime begins with the listener that counts.
const early = () => {};
if (process.platform !== "win32") process.on("SIGUSR1", early);

const sea = process.getBuiltinModule("node:sea");
const { Script } = process.getBuiltinModule("node:vm");
const parts: Record<string, Exports> = {};
let shared: Readonly<Record<string, () => unknown>> = {};

/**
 * Built-ins, and what scripts/base-kit.ts keeps apart because few programs touch it: assets of the module's name, to
 * which the runtime gives of its own modules.
 */
function load(name: string): unknown {
  return process.getBuiltinModule(name) ?? shared[name]?.() ?? (parts[name] ??= evaluate(name, unpacked(name)));
}

function evaluate(name: string, source: string, cachedData?: Uint8Array): Exports {
  // Should V8 refuse the cache, it compiles as usual.
  const script = new Script(source, { filename: name, lineOffset: -1, cachedData });
  const module = { exports: {} as Exports };
  script.runInThisContext()(load, module, module.exports);
  return module.exports;
}

/** ASCII, as esbuild prints: copied, where decoding UTF-8 would look at all of it first. */
function text(name: string): string {
  return Buffer.from(sea.getRawAsset(name) as ArrayBuffer).toString("latin1");
}

function unpacked(name: string): string {
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  return zstdDecompressSync(new Uint8Array(sea.getRawAsset(name) as ArrayBuffer)).toString();
}

// What make-base.ts put there is V8's, and nothing for the processes that a program forks.
process.execArgv = [];
const cache = codeCache(sea.getRawAsset(CODE_CACHE) as ArrayBuffer);
const runtime = evaluate(BASE_SCRIPT, text(BASE_SCRIPT), cache) as unknown as {
  start(): Promise<void>;
  readonly shared: typeof shared;
};
shared = runtime.shared;
runtime.start();
process.off("SIGUSR1", early);
