/**
 * Finds koffi, the FFI library everything here stands on: in node_modules when we run from source or as an
 * npm package, and inside our own executable otherwise, where its addon is an asset of the single executable
 * (scripts/build.ts puts it there).
 */
import { createRequire } from "node:module";
import { materialize } from "./embedded.ts";

type Koffi = typeof import("koffi").default;

/** The library, loaded once. */
export const koffi: Koffi = load();

function load(): Koffi {
  const sea = process.getBuiltinModule("node:sea");
  if (sea?.isSea() !== true) return createRequire(import.meta.url)("koffi").default;
  const digest = sea.getAsset("koffi.digest", "utf8");
  const file = materialize("koffi.node", digest, new Uint8Array(sea.getRawAsset("koffi.node") as ArrayBuffer), "load");
  // The addon itself, without the package's JavaScript: that only adds deprecated names.
  const module = { exports: {} as Koffi };
  process.dlopen(module, file.path);
  file.release();
  return module.exports;
}
