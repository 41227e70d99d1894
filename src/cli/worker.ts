/**
 * A worker thread of `--parallel`: loads the program and serves what it exports, as the main thread does without it, but
 * what it listens on, its supervisor and its admin port are the main thread's.
 */
import type { Family } from "../admin/metrics/family.ts";
import { loadBundle } from "../bundle/load.ts";
import { hasFailed, isHandled } from "../deno/global-events.ts";
import { counters } from "../http/counters.ts";
import { handover } from "../net/handover.ts";
import type { Resolved } from "../options/resolve.ts";
import { unwrap } from "../parallel/feeds.ts";
import { type FamilySamples, samplesOf } from "../parallel/merge.ts";
import type { Ask, CheckName, Told, ToWorker } from "../parallel/messages.ts";
import { ownOutput } from "../parallel/stdio.ts";
import { WorkerSide } from "../parallel/worker.ts";
import { announceNothing, hushLines } from "../runtime/log.ts";
import { nameThread } from "../runtime/stall-clock.ts";
import { taskTable } from "../runtime/task-table.ts";
import { standInThread } from "./beside.ts";
import { drainAll, endOnSignals } from "./ending.ts";
import { errorText, Failure, stackOf, UsageError } from "./errors.ts";
import { networkUse } from "./listening.ts";
import { noteWrites, outliveOutput, tell } from "./output.ts";
import { loadAndStart, type Namespace } from "./start.ts";

/** How long a program may take to load until it says again what another thread has said. */
const LOADS_MS = 5_000;

type Checks = ReadonlyMap<string, (signal: AbortSignal) => Promise<string | undefined>>;

/** `load` gives the program of an executable; else it comes with the worker's data. */
export async function runWorker(load?: () => Promise<Namespace>): Promise<void> {
  ownOutput(noteWrites());
  const side = new WorkerSide();
  const { data, feeds } = side;
  const { file, program, flags, bundle, activated, speaks } = data;
  const thread = new ProgramThread(side);
  process.argv = [...data.argv];
  nameThread(`worker thread ${data.number}`);
  if (!speaks) {
    announceNothing();
    hushLines(true);
    // One that accepts at its top level never ends loading.
    setTimeout(hushLines, LOADS_MS, false).unref();
  }
  outliveOutput();
  process.on("uncaughtException", thread.uncaught);
  side.told = (message) => thread.told(message);
  networkUse.asked = () => feeds.used;
  feeds.install();
  handover.serving = (server) => {
    side.post({ type: "server" });
    endOnSignals({ drain: () => server.drain() }, program, true);
  };
  let alone = false;
  side.awaitGo();
  try {
    const app = await loadAndStart(
      bundle === undefined && load !== undefined ? load : () => loadBundle(given(bundle)),
      {
        ...{ file, program, flags },
        thread: {
          speaks,
          beside: (early) =>
            standInThread(early, activated.map(unnamed), (resolved, ready) => thread.opening(resolved, ready)),
        },
        open: (address) => orFailure(() => feeds.listen({ by: "options", address })),
        onNodeServer: () => {
          alone = true;
        },
        onReady: (shown, { drainTimeout = Number.POSITIVE_INFINITY }) =>
          side.post({ type: "serving", shown, drainTimeout }),
      },
    );
    feeds.loaded();
    hushLines(false);
    if (app === undefined) side.post({ type: "loaded", listening: feeds.used || alone, alone });
    else endOnSignals(app, program);
  } catch (error) {
    side.post({ type: "failed", text: errorText(error, program), code: error instanceof Failure ? error.exitCode : 1 });
    side.leave(1);
  }
}

/** What people can mend is so here as well, though it was the main thread that failed. */
function orFailure<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    const { name, message } = error as Error;
    if (name === "UsageError") throw new UsageError(message);
    throw name === "Failure" ? new Failure(message) : error;
  }
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a worker thread was started without a program");
  return value;
}

function unnamed(fd: number): { fd: number; name: string } {
  return { fd, name: "unknown" };
}

/** What the main thread asks of a loaded program. */
class ProgramThread {
  readonly #side: WorkerSide;
  readonly #asked = new Map<number, AbortController>();
  #checks: Checks = new Map();
  #families: Promise<readonly Family[]> | undefined;
  /** They are there without waiting: for the last words. */
  #loaded: readonly Family[] | undefined;
  /** For how long somebody is going to look at them, if not as long as a scraper. */
  #watchedMs: number | undefined;

  constructor(side: WorkerSide) {
    this.#side = side;
  }

  /** The main thread opens the admin port, if there is to be one. */
  async opening(resolved: Resolved, ready: unknown): Promise<void> {
    if (resolved.settings.admin !== undefined) this.#checks = await checksOf(ready);
    const answer = this.#side.call({ call: "opening", resolved, ready: names(ready) });
    counters.timed = unwrap(answer) === true;
  }

  told(message: ToWorker): void {
    switch (message.type) {
      case "drain":
        this.#side.feeds.draining = true;
        void drainAll(this.#side.data.program, "the signal", false).then(({ cut, tasks, failed }) =>
          this.#side.post({ type: "drained", cut, tasks, failed }),
        );
        return;
      case "forget":
        this.#asked.get(message.id)?.abort(new DOMException("nobody waits for it any more", "TimeoutError"));
        return;
      case "ask": {
        const { id, what } = message;
        const controller = new AbortController();
        this.#asked.set(id, controller);
        void this.#answer(what, controller.signal).then((told) => {
          this.#asked.delete(id);
          this.#side.post({ type: "told", id, what: told });
        });
      }
    }
  }

  async #answer(what: Ask, signal: AbortSignal): Promise<Told> {
    switch (what.ask) {
      case "metrics":
        this.#watchedMs = what.forMs;
        this.#loaded = await (this.#families ??= families(() => this.#watchedMs));
        return { families: samplesOf(this.#loaded) };
      case "tasks":
        return { tasks: taskTable() };
      case "check": {
        const reason = await this.#checks.get(what.name)?.(signal);
        return { passed: reason === undefined, reason };
      }
    }
  }

  /** An error that nobody caught ends this thread, and nothing else. */
  readonly uncaught = (error: unknown, origin: string): void => {
    if (isHandled(error, origin)) return;
    // A program with a listener of its own decides for itself, as in Node.
    if (process.listenerCount("uncaughtException") > 1) return;
    tell(`${origin === "unhandledRejection" ? "Uncaught (in promise)" : "Uncaught"} ${stackOf(error)}\n`);
    hasFailed();
    const counted: readonly FamilySamples[] | undefined = this.#loaded && samplesOf(this.#loaded);
    this.#side.post({ type: "died", reason: "an error that nobody caught", families: counted });
    this.#side.die();
  };
}

async function checksOf(ready: unknown): Promise<Checks> {
  const [{ readChecks, runCheck }, { AdminError }] = await Promise.all([
    import("../admin/ready.ts"),
    import("../admin/errors.ts"),
  ]);
  try {
    return new Map(readChecks(ready).map(({ name, run }) => [name, (signal) => runCheck(run, signal)]));
  } catch (error) {
    throw error instanceof AdminError ? new Failure(error.message) : error;
  }
}

/** What can be told of the checks without running them. */
function names(ready: unknown): readonly CheckName[] | undefined {
  if (ready === undefined) return undefined;
  if (typeof ready === "function") return [{ name: "ready" }];
  if (typeof ready !== "object" || ready === null || Array.isArray(ready)) return [];
  return Object.entries(ready as Record<string, unknown>).map(([name, value]) => {
    const { timeout } = typeof value === "object" && value !== null ? (value as { timeout?: unknown }) : {};
    return typeof timeout === "number" || typeof timeout === "string" ? { name, timeout } : { name };
  });
}

async function families(watchedMs: () => number | undefined): Promise<readonly Family[]> {
  const [http, tls, client, sockets, runtimes, processes, delay, { servers }, { handshakeCounters }, { runtime }] =
    await Promise.all([
      import("../admin/metrics/http.ts"),
      import("../admin/metrics/tls.ts"),
      import("../admin/metrics/client.ts"),
      import("../admin/metrics/websocket.ts"),
      import("../admin/metrics/runtime.ts"),
      import("../admin/metrics/process.ts"),
      import("../admin/metrics/loop-delay.ts"),
      import("../http/servers.ts"),
      import("../http/handshakes.ts"),
      import("../runtime/turn.ts"),
    ]);
  const rt = runtime();
  const late = new delay.LoopDelay(() => rt.stats.turns);
  const all = [
    ...http.httpFamilies(counters, servers),
    ...tls.tlsFamilies(handshakeCounters, servers),
    ...client.clientFamilies(),
    ...sockets.webSocketFamilies(),
    ...runtimes.runtimeFamilies(),
    ...processes.processFamilies(late),
  ];
  // Somebody scrapes: from here on, and for a while after each time.
  const [first, ...rest] = all;
  const read = (): ReturnType<Family["read"]> => {
    late.watch(watchedMs());
    return first.read();
  };
  return [{ ...first, read }, ...rest];
}
