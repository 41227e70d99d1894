/**
 * Notices when something holds the main thread: a loop, a synchronous call, a regular expression that never ends. All
 * connections wait then, and no timeout fires. As Go's sysmon: a second thread looks from outside.
 *
 * While there is network traffic, a timer on the main thread beats every 50 ms. A beat that comes late is a stall over:
 * that is what is counted. A worker (stall-worker.ts) watches the beats while one lasts; it marks the stall in shared
 * memory, so that the call that made it is recognised when it returns, and can look which line it is at. After 200 ms
 * without a turn the beats stop and the worker sleeps in the kernel until the next turn wakes it: an idle process uses
 * no CPU. So a block that begins while there is no traffic at all, in a timer of the program's own, is not seen.
 */
import { monotonicNow } from "./clock.ts";
import { logEvent, logIsJson } from "./log.ts";
import { trackRequests } from "./request-context.ts";
import { answerStalls, takeSighting } from "./stall-ask.ts";
import {
  BEAT_AT,
  CALLS,
  clock,
  forgetLastHolder,
  HELD,
  type Holder,
  lastHolder,
  listenToStalls,
  memory,
  ONE,
  PARKED,
  REPORTED,
  showHolder,
  TURN_AT,
  threadName,
  times,
  turnStats,
} from "./stall-clock.ts";
import { STALL_WORKER, type StallWorkerData } from "./stall-worker.ts";

const BEAT_MS = 50;
/** Beats without a turn before the process may sleep: 200 ms. */
const QUIET_BEATS = 4;
/** The worker is started by a beat this long after the monitor: 15 ms of CPU are not for a process that just starts. */
const WORKER_AFTER_MS = 250;
/** The worker reports a stall that has lasted so long: the main thread may never come back to do so. */
const HUNG_MS = 5000;

export interface StallOptions {
  /** How long the main thread may be held, in milliseconds (`--stall-warning`); Infinity for no monitor. */
  readonly warningMs: number;
  /** Find the line that holds it (`--trace-stalls`). The worker starts at once then. */
  readonly trace?: boolean;
  /** When the worker itself speaks; tests have less patience. @internal */
  readonly hungMs?: number;
}

/** Stalls since the process began, for metrics. */
export const stallStats: { count: number; totalMs: number; longestMs: number } = {
  count: 0,
  totalMs: 0,
  longestMs: 0,
};

/** Whom nobody can name: the call that began it has returned long ago. */
const AFTERWARDS = "code that runs after an await or in a timer";

let active: Monitor | undefined;

/** Starts the monitor of this thread, once; it never keeps the process alive. Returns a function that ends it. */
export function startStallMonitor(options: StallOptions): () => void {
  if (options.warningMs === Number.POSITIVE_INFINITY) return () => {};
  active ??= new Monitor(options);
  const monitor = active;
  return () => {
    if (active === monitor) active = undefined;
    monitor.stop();
  };
}

/** What this thread has used; asking takes 0.6 µs. Deno does not tell. */
function threadCpuMs(): number {
  const used = process.threadCpuUsage?.();
  return used === undefined ? Number.NaN : (used.user + used.system) / 1000;
}

class Monitor {
  readonly #warningMs: number;
  readonly #trace: boolean;
  readonly #hungMs: number;
  readonly #startedAt: number = monotonicNow();
  #timer: ReturnType<typeof setInterval> | undefined;
  #worker: { terminate(): unknown } | undefined;
  #workerFailed = false;
  #quiet = 0;
  #turns = 0;
  #calls = 0;
  #reportedAt = 0;
  #cpuAt = 0;

  constructor({ warningMs, trace = false, hungMs = HUNG_MS }: StallOptions) {
    this.#warningMs = warningMs;
    this.#trace = trace;
    this.#hungMs = hungMs;
    listenToStalls(this);
    answerStalls();
    clock[PARKED] = 1;
    if (trace) {
      // Awaits must be seen through to name what holds the thread after one.
      trackRequests();
      this.#startWorker();
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    clock[PARKED] = 0;
    clock[HELD] = 0;
    listenToStalls(undefined);
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** A turn began after a while without any. */
  unpark(): void {
    const now = monotonicNow();
    times[BEAT_AT] = now;
    this.#cpuAt = threadCpuMs();
    this.#quiet = 0;
    this.#turns = turnStats.turns;
    this.#calls = clock[CALLS];
    Atomics.store(clock, PARKED, 0);
    Atomics.notify(clock, PARKED);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref?.();
  }

  /** The worker has seen a stall, and something has ended since: the holder itself, or what came after it. */
  over(by: Holder | undefined, how: "call" | "turn" | "await" | "between"): void {
    const held = clock[HELD];
    Atomics.store(clock, HELD, 0);
    const now = monotonicNow();
    const since = Math.max(times[TURN_AT], times[BEAT_AT], this.#reportedAt);
    // The worker may have marked what was over by then.
    if (now - since < this.#warningMs) return;
    if (how === "turn") this.#report(now, since, `${clock[CALLS] - this.#calls} calls in one turn`);
    else if (how === "between" || by === undefined) this.#report(now, since, AFTERWARDS);
    else if (how === "await") this.#report(now, since, `probably ${showHolder(by)}, after an await or in a timer`);
    else if (held === ONE || clock[CALLS] - this.#calls === 1) this.#report(now, since, showHolder(by));
    // Only the last of many: the turn's end will say how many.
    else Atomics.store(clock, HELD, held);
  }

  #beat(): void {
    const now = monotonicNow();
    const due = Math.max(times[BEAT_AT], this.#reportedAt) + BEAT_MS;
    if (now - due >= this.#warningMs) this.#late(now);
    clock[HELD] = 0;
    times[BEAT_AT] = now;
    this.#cpuAt = threadCpuMs();
    if (this.#worker === undefined && now - this.#startedAt >= WORKER_AFTER_MS) this.#startWorker();
    this.#calls = clock[CALLS];
    forgetLastHolder();
    if (this.#turns !== turnStats.turns) this.#quiet = 0;
    else if (++this.#quiet >= QUIET_BEATS) {
      clearInterval(this.#timer);
      clock[PARKED] = 1;
    }
    this.#turns = turnStats.turns;
  }

  /** A stall that nobody claimed: the worker is not up, or missed it, or it was no call of ours. */
  #late(now: number): void {
    const turnAt = times[TURN_AT];
    const since = Math.max(now - turnAt >= this.#warningMs ? turnAt : 0, times[BEAT_AT], this.#reportedAt);
    const calls = clock[CALLS] - this.#calls;
    const last = lastHolder === undefined || calls === 0 ? undefined : showHolder(lastHolder);
    const who = calls === 1 ? `probably ${last}` : `one of ${calls} calls, the last ${last}`;
    this.#report(now, since, last === undefined ? AFTERWARDS : who);
  }

  #report(now: number, since: number, who: string): void {
    this.#reportedAt = now;
    clock[REPORTED]++;
    const ms = now - since;
    const cpuMs = threadCpuMs();
    stallStats.count++;
    stallStats.totalMs += ms;
    if (ms > stallStats.longestMs) stallStats.longestMs = ms;
    const seen = takeSighting(since);
    // What was seen in the middle of it is more certain than what ended after it.
    const [at, ...callers] = seen?.frames ?? [];
    const hint = at !== undefined || this.#trace || threadName !== undefined ? "" : "; --trace-stalls shows the line";
    logEvent("warn", `${threadName ?? "the main thread"} was blocked${hint}`, {
      ms: Math.round(ms),
      // Much less than the time: it waited in a system call, or the machine had no CPU for it.
      cpuMs: Number.isNaN(cpuMs) ? undefined : Math.round(Math.min(ms, cpuMs - this.#cpuAt)),
      by: seen?.by ?? who,
      at,
      calledBy: callers.length > 0 ? callers.join(", ") : undefined,
    });
    this.#cpuAt = cpuMs;
  }

  /** Nothing depends on it: where there are no workers, stalls are counted but not looked into. */
  #startWorker(): void {
    if (
      this.#worker !== undefined ||
      this.#workerFailed ||
      threadName !== undefined ||
      ("Deno" in globalThis && process.versions["deno"] !== undefined)
    )
      return;
    this.#workerFailed = true;
    try {
      const { Worker } = process.getBuiltinModule("node:worker_threads");
      const [seconds, nanoseconds] = process.hrtime();
      const data: StallWorkerData = {
        memory,
        base: performance.now() - seconds * 1000 - nanoseconds / 1e6,
        warningMs: this.#warningMs,
        hungMs: this.#hungMs,
        beatMs: BEAT_MS,
        trace: this.#trace,
        json: logIsJson(),
      };
      const worker = new Worker(STALL_WORKER, {
        eval: true,
        workerData: data,
        name: "stall monitor",
        env: {},
        execArgv: [],
        trackUnmanagedFds: false,
        // It keeps nothing. Less than this, and Node's own start fails in it.
        resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
      });
      worker.on("error", () => {
        this.#worker = undefined;
      });
      worker.unref();
      this.#worker = worker;
      this.#workerFailed = false;
    } catch {
      // No threads to be had.
    }
  }
}
