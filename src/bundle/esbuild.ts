/**
 * Finds esbuild: the npm package when we run from source, and inside our own executable otherwise. There its
 * JavaScript API is part of the command line's bundle and its program a part of the payload, which
 * is started from memory (or from a private cache file where the kernel forbids that).
 */
import type { BuildOptions, BuildResult } from "esbuild";
import { type EmbeddedFile, materialize } from "../../ffi/embedded.ts";
import { BundleError } from "./errors.ts";
import { ownPayload } from "./executable.ts";

let api: typeof import("esbuild") | undefined;
let program: EmbeddedFile | undefined;

/** One build. esbuild's process stays for the next one until `stopEsbuild()`. */
export async function esbuild(options: BuildOptions): Promise<BuildResult> {
  api ??= await load();
  try {
    return await api.build(options);
  } catch (error) {
    // It reads the pipes of its process before it hears that this could not be started.
    if (!(error instanceof TypeError && /ensureServiceIsRunning/.test(error.stack ?? ""))) throw error;
    const text =
      "the bundler could not be started: raise the limit on open files (ulimit -n 1024), or that on processes";
    throw new BundleError([{ text }]);
  }
}

/** Ends esbuild's process and gives its memory back; a later build starts it again. */
export async function stopEsbuild(): Promise<void> {
  await api?.stop();
}

async function load(): Promise<typeof import("esbuild")> {
  const payload = ownPayload();
  if (!payload?.has("esbuild")) return import("esbuild");
  try {
    program = materialize("esbuild", payload.digest("esbuild"), payload.read("esbuild"), "execute");
  } catch (error) {
    throw new BundleError([{ text: (error as Error).message }]);
  }
  // The API reads this variable once, when it loads. The program's file stays open for as long as we live, for
  // `run --watch` starts it again and again; the variable goes, since handlers and their children see ours.
  process.env.ESBUILD_BINARY_PATH = program.path;
  try {
    return await import("esbuild");
  } finally {
    delete process.env.ESBUILD_BINARY_PATH;
  }
}
