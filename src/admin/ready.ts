/**
 * Readiness: may this process be sent requests now? Programs answer beside their handler, with one check or several:
 *
 * ```ts
 * export default {
 *   fetch: handler,
 *   ready: {
 *     db: async (signal) => void (await pool.query("select 1", { signal })),
 *     cache: { check: () => cache.isConnected(), timeout: "200ms" },
 *     search: (signal) => fetch("http://search.internal/health", { signal }),
 *   },
 * };
 * ```
 *
 * A check passes when it gives true, nothing, or a Response whose status is 2xx. One that throws, rejects, gives anything
 * else or takes longer than its timeout fails: what is not understood must not pass. Its signal aborts at the timeout.
 */
import { parseDuration } from "../options/duration.ts";
import { logEvent } from "../runtime/log.ts";
import { AdminError } from "./errors.ts";
import { shown } from "./text.ts";

export type Check = (signal: AbortSignal) => unknown;
/** What `ready` may be. Timeouts are milliseconds or text like "2s"; 1 s when absent. */
export type ReadyChecks = Check | Readonly<Record<string, Check | { check: Check; timeout?: number | string }>>;

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly durationMs: number;
  /** Why it failed. */
  readonly reason?: string;
}

const TIMEOUT_MS = 1000;
/**
 * A run that ignores its signal may wait for ever for an answer that was lost, while a new one would pass. So another is
 * started beside it, after 10, 100 and 1000 times the timeout; not more, since each may hold a connection.
 */
const MOST_RUNS = 4;
const againAfter = (timeout: number, running: number): number => timeout * 10 ** running;

/** The runs of one check that have not ended. */
interface Runs {
  count: number;
  /** When the last of them was started. */
  since: number;
  /** When one more may be. */
  nextAt: number;
}

export interface Named {
  readonly name: string;
  readonly run: Check;
  readonly timeout: number;
}

/** The checks of one program. Whoever asks while they run shares the run. */
export class Readiness {
  readonly #checks: readonly Named[];
  readonly #running = new Map<string, Runs>();
  readonly #now: () => number;
  readonly #failing = new Set<string>();
  readonly #ran = new Set<string>();
  #current: Promise<readonly CheckResult[]> | undefined;

  /** Throws an AdminError when `checks` are none. `now` is a clock in milliseconds. */
  constructor(checks: unknown, now: () => number = () => performance.now()) {
    this.#checks = readChecks(checks);
    this.#now = now;
  }

  /** Runs all checks beside each other; never rejects. */
  run(): Promise<readonly CheckResult[]> {
    return (this.#current ??= Promise.all(this.#checks.map((check) => this.#run(check))).finally(() => {
      this.#current = undefined;
    }));
  }

  /** Names of checks, and whether each failed when it last ran, if it ever has. */
  states(): { name: string; ok: boolean; ran: boolean }[] {
    return this.#checks.map(({ name }) => ({ name, ok: !this.#failing.has(name), ran: this.#ran.has(name) }));
  }

  async #run(check: Named): Promise<CheckResult> {
    const began = performance.now();
    const reason = await this.#outcome(check);
    const ok = reason === undefined;
    const { name } = check;
    this.#ran.add(name);
    // Probes come every few seconds: only changes are worth a line.
    if (ok && this.#failing.delete(name)) logEvent("info", "a readiness check passes again", { check: name });
    if (!ok && !this.#failing.has(name)) {
      this.#failing.add(name);
      logEvent("warn", "a readiness check fails", { check: name, reason });
    }
    const durationMs = Math.round(performance.now() - began);
    return { name, ok, durationMs, ...(ok ? {} : { reason }) };
  }

  /** Why the check failed; undefined when it did not. */
  async #outcome({ name, run, timeout }: Named): Promise<string | undefined> {
    const runs = this.#running.get(name) ?? { count: 0, since: 0, nextAt: 0 };
    const now = this.#now();
    if (runs.count > 0) {
      const full = runs.count >= MOST_RUNS;
      if (full || now < runs.nextAt) return notEnded(runs, now, full);
      // One that passes again may leave runs behind for ever: that is no news each time.
      if (this.#failing.has(name)) {
        const fields = { check: name, running: runs.count };
        logEvent("warn", "a readiness check is started once more beside runs that have not ended", fields);
      }
    }
    runs.count++;
    runs.since = now;
    runs.nextAt = now + againAfter(timeout, runs.count);
    this.#running.set(name, runs);
    const controller = new AbortController();
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => {
      const reason = `timed out after ${timeout} ms`;
      controller.abort(new DOMException(`readiness check "${name}" ${reason}`, "TimeoutError"));
      late.resolve(reason);
    }, timeout);
    const done = runCheck(run, controller.signal).finally(() => {
      clearTimeout(timer);
      runs.count--;
      // Whatever it waited for has answered.
      runs.nextAt = 0;
    });
    return Promise.race([done, late.promise]);
  }
}

function notEnded({ count, since }: Runs, now: number, full: boolean): string {
  const ago = `${Math.round((now - since) / 1000)} s ago`;
  const which = count === 1 ? `its run of ${ago} has` : `${count} runs of it, the last of ${ago}, have`;
  const then = full ? "; no more are started until one of them does" : "";
  return `${which} not ended: it should end when its signal aborts${then}`;
}

/** A check that ran elsewhere, in another thread, gives one: why it failed, as it stands. */
export class FailedElsewhere {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Why the check failed; undefined when it passed. Never rejects. */
export async function runCheck(run: Check, signal: AbortSignal): Promise<string | undefined> {
  try {
    return verdict(await run(signal));
  } catch (error) {
    return why(error);
  }
}

/** Why what a check gave is no pass; undefined when it is one. */
function verdict(given: unknown): string | undefined {
  if (given === undefined || given === true) return undefined;
  if (given === false) return "it gave false";
  if (given instanceof FailedElsewhere) return given.reason;
  if (isResponse(given)) {
    // Nobody reads it: its connection is free again. Libraries' own have other bodies.
    if (given.body instanceof ReadableStream) given.body.cancel().catch(() => {});
    return given.ok ? undefined : `it gave a response with status ${given.status}`;
  }
  const what = given === null ? "null" : typeof given === "object" ? "an object" : `a ${typeof given}`;
  return `it gave ${what}: true, nothing or a Response with status 2xx passes, false fails`;
}

/** Ours, Node's or a library's. */
function isResponse(value: unknown): value is Response {
  return typeof value === "object" && value !== null && "ok" in value && "status" in value && "headers" in value;
}

/** One line of whatever was thrown; thrown things may throw when they are looked at. */
function why(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return shown(text, 300);
  } catch {
    return "it threw something that cannot be shown";
  }
}

/** The checks by name. Throws an AdminError when they are none. */
export function readChecks(checks: unknown): Named[] {
  if (checks === undefined) return [];
  if (typeof checks === "function") return [{ name: "ready", run: checks as Check, timeout: TIMEOUT_MS }];
  if (typeof checks !== "object" || checks === null || Array.isArray(checks)) {
    throw new AdminError("'ready' of the default export must be a function, or an object of functions by name");
  }
  return Object.entries(checks as Record<string, unknown>).map(([key, value]) => {
    const what = `'ready.${key}' of the default export`;
    const { check, timeout } = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    const run = check ?? value;
    if (typeof run !== "function") throw new AdminError(`${what} must be a function, or { check, timeout }`);
    if (timeout !== undefined && typeof timeout !== "number" && typeof timeout !== "string") {
      throw new AdminError(`${what} has a timeout that is neither a number of milliseconds nor text like "2s"`);
    }
    const owner = check === undefined ? checks : value;
    return {
      name: shown(key),
      run: (signal) => run.call(owner, signal),
      timeout: timeout === undefined ? TIMEOUT_MS : readTimeout(timeout, `${what}: timeout`),
    };
  });
}

function readTimeout(timeout: number | string, what: string): number {
  try {
    return parseDuration(timeout, what, { min: 1, max: 60_000 });
  } catch (error) {
    throw new AdminError((error as Error).message);
  }
}
