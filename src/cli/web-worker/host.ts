/**
 * Threads of web workers, as who makes them sees them. A thread that uses our network must let go of it itself: while Node
 * takes it down, koffi's watch on its poller may fire into JavaScript that is gone, and koffi aborts the process (see
 * src/parallel/worker.ts). So such a thread is asked to end, and only if it computes without end its watched descriptor
 * is closed from here, after which the watch cannot fire. All others end at once.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SHARE_ENV, Worker, type WorkerOptions, workerData } from "node:worker_threads";
import { koffiPath } from "../../../ffi/koffi.ts";
import { system } from "../../../ffi/libc.ts";
import { lateImports } from "../../bundle/load.ts";
import type { Bundle } from "../../bundle/mod.ts";
import { moduleText } from "../../bundle/module-text.ts";
import { workerPrograms } from "../../bundle/worker-programs.ts";
import type { ThreadEvents, Wanted, WorkerThread } from "../../deno/worker.ts";
import { handover } from "../../net/handover.ts";
import type { Level } from "../../options/resolve.ts";
import { EXECUTABLE_WORKER } from "../../parallel/executable-worker.ts";
import { freeHoldings, Holdings } from "../../parallel/holdings.ts";
import { Owners } from "../../parallel/shared.ts";
import { tell } from "../output.ts";
import {
  type Control,
  ENDED,
  NETWORK,
  type Runs,
  SLOTS,
  STOP,
  type ToHost,
  type ToThread,
  WATCHED,
  type WebWorkerData,
} from "./messages.ts";

/** A thread that is not held up needs a millisecond or two. */
const PATIENCE_MS = 1000;
const SHUT_RDWR = 2;
/** The table of owners has one number for all that is a thread's own. */
const OWN = 1;

/** What the threads are given of the command line. */
export interface HostSettings {
  readonly flags: Level;
  readonly program: string;
}

const threads = new Set<WebWorkerThread>();
/** In a worker: its own, and those above it. */
const above: readonly Control[] = (workerData as { web?: WebWorkerData } | null)?.web?.controls ?? [];

/** Starts one; an error that it cannot be loaded with is told as in Deno. */
export async function startThread(wanted: Wanted, events: ThreadEvents, settings: HostSettings): Promise<WorkerThread> {
  let runs: Runs;
  try {
    runs = await programOf(wanted);
  } catch (error) {
    tell(`Uncaught (in worker "${wanted.name}") ${(error as Error).message}\n`);
    throw error;
  }
  if (threads.size === 0) process.once("exit", endAll);
  const thread = new WebWorkerThread(wanted, runs, events, settings);
  threads.add(thread);
  return thread;
}

async function programOf({ url, blob }: Wanted): Promise<Runs> {
  if (url.protocol !== "file:") return { kind: "text", text: await moduleText(url, blob) };
  const path = fileURLToPath(new URL(url.pathname, url));
  const id = workerPrograms.sealed?.[path];
  if (id !== undefined) return { kind: "part", id };
  const made = workerPrograms.bundles[path];
  if (made !== undefined) return { kind: "bundle", bundle: made };
  if (workerPrograms.sealed !== undefined) {
    throw new TypeError(
      `Module not found "${url}": it is not in this program; write new Worker(new URL("./…", import.meta.url)), or name the file with slipway compile --include`,
    );
  }
  if (!existsSync(path)) throw new TypeError(`Module not found "${url}".`);
  const { bundle } = workerPrograms;
  if (bundle === undefined) throw new TypeError(`There is no bundler here for the worker "${url}"`);
  return { kind: "bundle", bundle: await bundle(path) };
}

class WebWorkerThread implements WorkerThread {
  readonly #control: Control = new Int32Array(new SharedArrayBuffer(SLOTS * 4));
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  #owners: Owners | undefined;
  #holdings: Holdings | undefined;
  #drained: ((cut: number) => void) | undefined;
  #gone = false;

  constructor({ url, name, port }: Wanted, runs: Runs, events: ThreadEvents, { flags, program }: HostSettings) {
    this.#events = events;
    const { bundles, bundle } = workerPrograms;
    const web: WebWorkerData = {
      ...{ url: url.href, name, runs, port, flags, program, bundles },
      controls: [this.#control, ...above],
      argv: process.argv,
      bundler: bundle !== undefined,
    };
    this.#worker = spawn(web);
    this.#worker.on("error", (error: Error) => {
      // Out of memory, say: what its program throws the thread tells itself.
      tell(`Uncaught (in worker "${name}") ${error.message}\n`);
      events.failed({ type: "error", message: `Uncaught ${error.message}`, fileName: url.href });
    });
    this.#worker.on("message", (said: ToHost) => this.#told(said));
    this.#worker.on("exit", () => this.#exited());
  }

  get networked(): boolean {
    return !this.#gone && Atomics.load(this.#control, NETWORK) === 1;
  }

  end(): void {
    Atomics.store(this.#control, STOP, 1);
    if (!this.networked) return void this.#worker.terminate();
    this.#post({ say: "stop" });
    setTimeout(() => {
      if (!this.#gone) this.#force();
    }, PATIENCE_MS).unref();
  }

  /** The process ends, or the thread that made it. */
  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    this.#post({ say: "stop" });
  }

  awaitEnd(until: number): void {
    while (Atomics.load(this.#control, ENDED) === 0) {
      const left = until - performance.now();
      if (left <= 0) return this.#closeWatched();
      Atomics.wait(this.#control, ENDED, 0, left);
    }
  }

  #told(said: ToHost): void {
    switch (said.say) {
      case "network":
        this.#owners = new Owners(said.owners);
        this.#holdings = new Holdings(said.holdings);
        return;
      case "server":
        handover.serving?.({
          shutdown: async () => void (await this.#drain()),
          drain: () => this.#drain(),
        });
        return;
      case "drained":
        return this.#drained?.(said.cut);
      case "bundle":
        void this.#bundle(said);
    }
  }

  #post(what: ToThread): void {
    this.#worker.postMessage(what);
  }

  async #drain(): Promise<{ readonly cut: number }> {
    if (this.#gone) return { cut: 0 };
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#drained = resolve;
    this.#post({ say: "drain" });
    return { cut: await promise };
  }

  async #bundle({ id, file, known }: ToHost & { say: "bundle" }): Promise<void> {
    try {
      const make = known === undefined ? workerPrograms.bundle : lateImports.bundle;
      if (make === undefined) throw new TypeError(`There is no bundler here for ${file}`);
      const bundle: Bundle = await make(file, known ?? new Set());
      this.#post({ say: "bundled", id, bundle });
    } catch (error) {
      this.#post({ say: "bundled", id, error: (error as Error).message });
    }
  }

  #force(): void {
    this.#closeWatched();
    void this.#worker.terminate();
  }

  /** It was an epoll set's last descriptor: gone from the loop that watched it as well (epoll(7)). */
  #closeWatched(): void {
    const fd = Atomics.exchange(this.#control, WATCHED, 0) - 1;
    if (fd < 0) return;
    this.#owners?.set(fd, 0);
    system().close(fd);
  }

  #exited(): void {
    this.#gone = true;
    threads.delete(this);
    if (threads.size === 0) process.off("exit", endAll);
    this.#drained?.(0);
    const libc = system();
    for (const fd of this.#owners?.release(OWN) ?? []) {
      // First, for a socket that the kernel still works on for the thread.
      libc.shutdown(fd, SHUT_RDWR);
      libc.close(fd);
    }
    if (this.#holdings !== undefined) freeHoldings(this.#holdings);
    this.#events.exited();
  }
}

function spawn(web: WebWorkerData): Worker {
  // Files that it has open as it ends are closed by Node; what our network has is in the table of owners.
  const options: WorkerOptions = {
    workerData: { web, koffi: koffiPath },
    transferList: [web.port],
    env: SHARE_ENV,
    trackUnmanagedFds: true,
    name: web.name,
  };
  if (process.getBuiltinModule("node:sea").isSea()) {
    return new Worker(EXECUTABLE_WORKER, { ...options, eval: true, execArgv: [] });
  }
  // The npm package holds the same files as JavaScript.
  const main = import.meta.url.endsWith(".ts") ? "main.ts" : "main.js";
  return new Worker(fileURLToPath(new URL(main, import.meta.url)), options);
}

/** Those that nothing is left of when Node takes them down are left to it. */
function endAll(): void {
  const all = [...threads].filter((thread) => thread.networked);
  for (const thread of all) thread.stop();
  const until = performance.now() + PATIENCE_MS;
  for (const thread of all) thread.awaitEnd(until);
}
