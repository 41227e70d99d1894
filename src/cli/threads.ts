/** `--parallel`: the main thread's part of a start. The program is loaded in worker threads (worker.ts), never here. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { AdminThreads } from "../admin/mod.ts";
import { type Check, FailedElsewhere } from "../admin/ready.ts";
import { handover } from "../net/handover.ts";
import type { Resolved } from "../options/resolve.ts";
import { threadCount } from "../parallel/count.ts";
import { EXECUTABLE_WORKER } from "../parallel/executable-worker.ts";
import { merged } from "../parallel/merge.ts";
import type { CheckName, WorkerData } from "../parallel/messages.ts";
import { Pool } from "../parallel/pool.ts";
import { announce, logLine } from "../runtime/log.ts";
import { shareTicketKeys } from "../tls/ticket-keys.ts";
import type { Beside } from "./beside.ts";
import { ofProgram, programLoaded } from "./beside.ts";
import { endOnSignals, type RunningApp } from "./ending.ts";
import { die } from "./errors.ts";
import { tell } from "./output.ts";
import { openAddress } from "./serving.ts";
import type { StartSettings } from "./start.ts";

/** How many threads the option comes to here. */
export function threadsOf({ settings }: Resolved): number {
  return threadCount(settings.parallel);
}

export interface ThreadsStart extends StartSettings {
  readonly early: Resolved;
  readonly beside: Beside;
}

/** Starts them; resolves once all accept connections. Undefined when the program listens on its own. */
export async function startThreads(start: ThreadsStart, count: number): Promise<RunningApp | undefined> {
  const { file, program, flags, bundle, early, beside } = start;
  const { supervised } = beside;
  // Here nothing is loaded that could listen: what is served when, the pool knows.
  programLoaded(beside);
  if (early.settings.traceStalls) logLine("--trace-stalls: with --parallel the line that holds a thread is not found");
  shareTicketKeys();
  let known = early;
  const pool: Pool = new Pool({
    count,
    common: {
      ...{ file, program, flags, bundle },
      argv: process.argv,
      activated: supervised?.sockets.map(({ fd }) => fd) ?? [],
    },
    spawn,
    open: start.open ?? ((address) => openAddress(address, supervised?.descriptor)),
    async opening(resolved, ready) {
      known = resolved;
      try {
        await beside.open(resolved, remote(ready, pool), adminThreads(pool));
      } catch (error) {
        die(error, program);
      }
      return resolved.settings.admin !== undefined;
    },
    server: () => handover.serving?.(pool),
    late: ({ shown = [], drainTimeout }) => {
      endOnSignals(announced(shown, drainTimeout), program);
      void beside.serving(shown.join(", "));
    },
    failed(text, code) {
      if (text !== "") tell(`${text}\n`);
      process.exit(code);
    },
  });
  const announced = (shown: readonly string[], drainTimeout: number | undefined): RunningApp => {
    const app: RunningApp = { drainTimeout, drain: () => pool.drain() };
    if (start.onReady === undefined) for (const one of shown) announce(`Listening on ${one}`);
    else start.onReady(shown, app, known);
    return app;
  };
  const { shown, drainTimeout, listening } = await pool.start();
  if (shown === undefined) {
    if (!listening) return undefined;
    await beside.open(ofProgram(early), undefined, adminThreads(pool));
    await beside.serving();
    return undefined;
  }
  const app = announced(shown, drainTimeout);
  await beside.serving(shown.join(", "));
  return app;
}

/** The threads' part of /metrics. */
function adminThreads(pool: Pool): AdminThreads {
  return {
    collect: (forMs) => pool.collect(forMs),
    each: () => pool.countedByThread(),
    merged: (family) => merged(family, () => pool.counted()),
    get size() {
      return pool.size;
    },
    get deaths() {
      return pool.deaths;
    },
  };
}

/** Checks of readiness whose functions are in the workers. */
function remote(ready: readonly CheckName[] | undefined, pool: Pool): object | undefined {
  if (ready === undefined) return undefined;
  return Object.fromEntries(
    ready.map(({ name, timeout }) => {
      const check: Check = async (signal) => {
        const reason = await pool.check(name, signal);
        return reason === undefined ? undefined : new FailedElsewhere(reason);
      };
      return [name, { check, timeout }];
    }),
  );
}

function spawn(data: WorkerData): Worker {
  // Files that its program has open, or is opening, as it dies are closed by Node, which knows those of its own open(2)
  // alone; what goes from thread to thread it has never seen (src/parallel/shared.ts has the owners of that).
  const own = { trackUnmanagedFds: true, name: `slipway ${data.number}` };
  const options = { workerData: data, transferList: [data.answers], ...own };
  if (process.getBuiltinModule("node:sea").isSea()) {
    return new Worker(EXECUTABLE_WORKER, { ...options, eval: true, execArgv: [] });
  }
  // The npm package holds the same files as JavaScript.
  const main = import.meta.url.endsWith(".ts") ? "worker-main.ts" : "worker-main.js";
  return new Worker(fileURLToPath(new URL(main, import.meta.url)), options);
}
