/**
 * Readiness: may this process be sent requests now? Programs answer beside their handler, with one check or several:
 *
 * ```ts
 * export default {
 *   fetch: handler,
 *   ready: {
 *     db: (signal) => pool.query("select 1", { signal }),
 *     cache: { check: () => cache.isConnected(), timeout: "200ms" },
 *   },
 * };
 * ```
 *
 * A check that throws, rejects, gives false or takes longer than its timeout fails. Its signal aborts at the timeout.
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

interface Named {
  readonly name: string;
  readonly run: Check;
  readonly timeout: number;
}

/** The checks of one program. Whoever asks while they run shares the run. */
export class Readiness {
  readonly #checks: readonly Named[];
  /** Since when a check runs that has not come to its end, in spite of its signal perhaps: no second one is started. */
  readonly #running = new Map<string, number>();
  readonly #failing = new Set<string>();
  #current: Promise<readonly CheckResult[]> | undefined;

  /** Throws an AdminError when `checks` are none. */
  constructor(checks: unknown) {
    this.#checks = readChecks(checks);
  }

  /** Runs all checks beside each other; never rejects. */
  run(): Promise<readonly CheckResult[]> {
    return (this.#current ??= Promise.all(this.#checks.map((check) => this.#run(check))).finally(() => {
      this.#current = undefined;
    }));
  }

  /** Names of checks, and whether each failed when it last ran. */
  states(): { name: string; ok: boolean }[] {
    return this.#checks.map(({ name }) => ({ name, ok: !this.#failing.has(name) }));
  }

  async #run(check: Named): Promise<CheckResult> {
    const began = performance.now();
    const reason = await this.#outcome(check);
    const ok = reason === undefined;
    const { name } = check;
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
    const since = this.#running.get(name);
    if (since !== undefined) {
      return `its run of ${Math.round((performance.now() - since) / 1000)} s ago has not ended: it should end when its signal aborts`;
    }
    const controller = new AbortController();
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => {
      const reason = `timed out after ${timeout} ms`;
      controller.abort(new DOMException(`readiness check "${name}" ${reason}`, "TimeoutError"));
      late.resolve(reason);
    }, timeout);
    this.#running.set(name, performance.now());
    const done = settle(run, controller.signal).finally(() => {
      clearTimeout(timer);
      this.#running.delete(name);
    });
    return Promise.race([done, late.promise]);
  }
}

async function settle(run: Check, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await run(signal)) === false ? "it gave false" : undefined;
  } catch (error) {
    return why(error);
  }
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

function readChecks(checks: unknown): Named[] {
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
