/**
 * Finds koffi, the FFI library everything here stands on: in node_modules when we run from source or as an
 * npm package, and inside our own executable otherwise, where its addon is an asset of the single executable
 * (scripts/build.ts puts it there).
 */
import { type EmbeddedFile, materialize, unnamedFile } from "./embedded.ts";

type Koffi = typeof import("koffi").default;

/**
 * Among a worker thread's globals (src/parallel): the path that the main thread loaded the addon by. dlopen(3) finds a
 * library that is loaded under that name without opening anything. One of its own, from another memory file, would be a
 * second copy, which goes when the thread does: a crash, where something of koffi's is still to be called.
 */
export const LOADED_BY = "__slipwayKoffi";

/** Where an executable has loaded it from. */
export let koffiPath: string | undefined;

function load(): Koffi {
  const sea = process.getBuiltinModule("node:sea");
  if (sea?.isSea() !== true)
    return process.getBuiltinModule("node:module").createRequire(import.meta.url)("koffi").default;
  const known = (globalThis as Readonly<Record<string, unknown>>)[LOADED_BY];
  if (typeof known === "string") return addon(known);
  const bytes = new Uint8Array(sea.getRawAsset("koffi.node") as ArrayBuffer);
  try {
    const file = unnamedFile(bytes);
    if (file !== undefined) return addonIn(file);
  } catch {
    // A policy may forbid to execute what lies there.
  }
  return addonIn(materialize("koffi.node", sea.getAsset("koffi.digest", "utf8"), bytes, "load"));
}

function addonIn(file: EmbeddedFile): Koffi {
  try {
    return addon(file.path);
  } finally {
    file.release();
  }
}

/** The addon itself, without the package's JavaScript: that only adds deprecated names. */
function addon(path: string): Koffi {
  const module = { exports: {} as Koffi };
  process.dlopen(module, path);
  koffiPath = path;
  return module.exports;
}

/** The library, loaded once. */
export const koffi: Koffi = load();
