/**
 * Where every executable of ours begins, once boot.ts has evaluated the runtime. It finds the payload behind the base and runs
 * it: somebody's compiled program, or our own command line, which is a program like any other.
 *
 * scripts/build.ts makes this file and all below it one CommonJS script: an ES module starts 1.6 times slower.
 */
import { posix } from "node:path";
import { BASE_SCRIPT } from "../bundle/base-script.ts";
import { ownPayload, type Payload } from "../bundle/executable.ts";
import { loadProgram } from "../bundle/load.ts";
import { mapStacks } from "../bundle/stack.ts";
import { workerPrograms } from "../bundle/worker-programs.ts";
import { IN_THREAD } from "../parallel/in-thread.ts";
import { PROGRAM_ROOT, provideAssets } from "../runtime/assets.ts";
import { installTaskSignal } from "../runtime/task-signal.ts";
import { runApp } from "./app.ts";
import { outliveOutput } from "./output.ts";
import { reportUncaught } from "./uncaught.ts";

const FILE = "file:";

/** Runs the payload. `shared`: modules of this script which the command line uses too, by their path in the repository. */
export async function start(shared: Readonly<Record<string, () => unknown>>): Promise<void> {
  installTaskSignal();
  let payload: Payload | undefined;
  try {
    payload = ownPayload();
  } catch (error) {
    return fail((error as Error).message);
  }
  if (payload === undefined)
    return fail(`${process.execPath}: this is only the base of executables, without a program in it`);
  const program = payload;
  const argv = process.argv.slice(2);
  mapStacks(BASE_SCRIPT, "slipway:", ownMap);
  if (IN_THREAD in globalThis) {
    const { web } = process.getBuiltinModule("node:worker_threads").workerData as { web?: object };
    if (web !== undefined) {
      const part = (id: string, begun: () => void) => load(program, {}, id, begun);
      return (await import("./web-worker/thread.ts")).runWebWorker(part);
    }
    return (await import("./worker.ts")).runWorker(() => load(program, {}));
  }
  reportUncaught();
  if (payload.kind === "cli") {
    await load(payload, shared);
  } else {
    outliveOutput();
    const { entry, slipway } = payload.meta as { entry: string; slipway: string };
    await runApp(() => load(program, {}), argv, { file: entry, version: slipway });
  }
}

interface ProgramMeta {
  readonly entry: string;
  readonly provided: string[];
  readonly importMap?: string;
}

/** Loads the payload's program; with `worker`, that one of its web workers. */
async function load(
  payload: Payload,
  shared: Readonly<Record<string, () => unknown>>,
  worker?: string,
  begun?: () => void,
): Promise<Record<string, unknown>> {
  const files = payload.names().filter((name) => name.startsWith(FILE));
  if (files.length > 0) {
    provideAssets({
      read: (name) => (payload.has(FILE + name) ? payload.read(FILE + name) : undefined),
      size: (name) => (payload.has(FILE + name) ? payload.size(FILE + name) : undefined),
      executable: (name) => payload.executable(FILE + name),
      place: (name) => payload.place(FILE + name),
      names: () => files.map((name) => name.slice(FILE.length)),
    });
    (await import("../bundle/embedded-fs.ts")).installEmbeddedFs();
  }
  const meta = payload.meta as unknown as ProgramMeta & { readonly workers?: readonly ProgramMeta[] };
  if (payload.kind === "program") {
    const { workers = [] } = meta;
    workerPrograms.sealed = Object.fromEntries(workers.map(({ entry }) => [posix.join(PROGRAM_ROOT, entry), entry]));
  }
  const { entry, provided, importMap } = meta.workers?.find((one) => one.entry === worker) ?? meta;
  const part = worker === undefined ? "" : `:${worker}`;
  const code = payload.read(`code${part}`).toString();
  return loadProgram(
    { code, entry, provided, importMap },
    { root: PROGRAM_ROOT, sealed: true, shared, map: () => unpacked(payload.read(`map${part}`)), begun },
  );
}

/** The map of this very script. */
function ownMap(): string {
  return unpacked(new Uint8Array(process.getBuiltinModule("node:sea").getRawAsset("base.map") as ArrayBuffer));
}

function unpacked(map: Uint8Array): string {
  return process.getBuiltinModule("node:zlib").zstdDecompressSync(map).toString();
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
