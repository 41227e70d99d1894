/**
 * A worker's first script in an executable, as text: there is no file that a Worker could start from. It does what
 * src/cli/boot.ts does for the main thread: evaluates the runtime, an asset, with its code cache.
 */
import { LOADED_BY } from "../../ffi/koffi.ts";
import { BASE_SCRIPT, codeCache } from "../bundle/base-script.ts";
import { IN_THREAD } from "./in-thread.ts";

export const EXECUTABLE_WORKER: string = `"use strict";
globalThis[${JSON.stringify(IN_THREAD)}] = true;
globalThis[${JSON.stringify(LOADED_BY)}] = process.getBuiltinModule("node:worker_threads").workerData.koffi;
const sea = process.getBuiltinModule("node:sea");
const { Script } = process.getBuiltinModule("node:vm");
const parts = {};
let shared = {};
function load(name) {
  return process.getBuiltinModule(name) ?? shared[name]?.() ?? (parts[name] ??= evaluate(name, unpacked(name)));
}
function evaluate(name, source, cachedData) {
  const script = new Script(source, { filename: name, lineOffset: -1, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(load, module, module.exports);
  return module.exports;
}
function unpacked(name) {
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  return zstdDecompressSync(new Uint8Array(sea.getRawAsset(name))).toString();
}
process.execArgv = [];
const name = ${JSON.stringify(BASE_SCRIPT)};
const source = Buffer.from(sea.getRawAsset(name)).toString("latin1");
const runtime = evaluate(name, source, (${codeCache})(sea.getRawAsset("code cache")));
shared = runtime.shared;
runtime.start();
`;
