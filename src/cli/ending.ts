/**
 * How a server ends: SIGTERM and SIGINT drain it (DESIGN section 6) and the exit code says whether anything was lost; a
 * second signal ends it at once. On Windows, where nobody can be sent SIGTERM, Ctrl-Break and the end of the console do so.
 */
import { defaultLimits } from "../options/limits.ts";
import { logEvent } from "../runtime/log.ts";
import { noticeDrain } from "./drain-notice.ts";
import { endTasks } from "./ending-tasks.ts";
import { errorText } from "./errors.ts";
import { tell } from "./output.ts";

export interface Drained {
  /** Requests, or connections of a raw server, that were still at work when time ran out. */
  readonly cut: number;
  /** Tasks of requests that were cut, of which a line has been said already. */
  readonly tasks?: number;
}

export interface RunningApp {
  /** Stops accepting, finishes what runs, cuts what takes too long; resolves when all is over. */
  drain(): Promise<Drained>;
  /** How long that may take, in milliseconds; Infinity without a limit, undefined where nobody but the app knows. */
  readonly drainTimeout?: number;
}

/** A server that does not keep to its own bound is ended so much later. */
const behindMs = 3_000;

interface Ending {
  readonly app: RunningApp;
  readonly yields: boolean;
}
const ending: Ending[] = [];

/** What else is to be done: as the end begins, and when every server has ended. Must not throw. */
export const atEnd: { began: ((withinMs: number) => void)[]; over: (() => unknown)[] } = { began: [], over: [] };

type EndSignal = "SIGINT" | "SIGTERM" | "SIGBREAK" | "SIGHUP" | "SIGUSR2";

/**
 * With what each ends a process that it finds ending. On Windows SIGBREAK is Ctrl-Break, which service managers send as
 * well, and SIGHUP says that the console closes: the system ends the process some seconds later, whatever it still does.
 */
const endSignals: readonly (readonly [signal: EndSignal, code: number])[] = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ...(process.platform === "win32"
    ? ([
        ["SIGBREAK", 149],
        ["SIGHUP", 129],
      ] as const)
    : []),
];

let end: ((signal: EndSignal, code: number) => void) | undefined;

/**
 * SIGINT and SIGTERM drain the app: exit code 0, or 1 when something had to be cut. With `yields`, a program that
 * listens to the signal itself is left to it.
 */
export function endOnSignals(app: RunningApp, program: string, yields = false): void {
  ending.push({ app, yields });
  if (end !== undefined) return;
  let began = false;
  let finishing = false;
  end = (signal, code) => {
    if (ending.every((one) => one.yields) && process.listenerCount(signal) > 1) return;
    // By SIGUSR2 nobody has asked this process to end: the first to do so is no second signal. systemd, which stops a
    // service that was just restarted, sends SIGTERM to the old process as well.
    if (signal !== "SIGUSR2") {
      if (began) process.exit(code);
      began = true;
    }
    if (finishing) return;
    finishing = true;
    void finish(program, signal);
  };
  for (const [signal, code] of endSignals) process.on(signal, () => end?.(signal, code));
}

/** Another process has taken over: drains as at a signal; false when that is not ours to do. */
export function endReplaced(): boolean {
  if (end === undefined || (ending.every((one) => one.yields) && process.listenerCount("SIGTERM") > 1)) return false;
  end("SIGUSR2", 0);
  return true;
}

async function finish(program: string, signal: string): Promise<void> {
  const since = Date.now();
  const bound = Math.max(0, ...ending.map(({ app }) => app.drainTimeout ?? Number.POSITIVE_INFINITY));
  for (const begin of atEnd.began) begin(bound);
  if (signal === "SIGINT" || signal === "SIGBREAK") noticeDrain(program);
  if (Number.isFinite(bound)) {
    setTimeout(() => {
      logEvent("error", `not finished ${seconds(since)} after ${signal}: ending now`);
      process.exit(1);
    }, bound + behindMs);
  }
  const { cut, tasks, failed } = await drainAll(program, signal);
  await Promise.allSettled(atEnd.over.map((over) => over()));
  process.exit(cut > 0 || tasks > 0 || failed ? 1 : 0);
}

/** How everything ended. */
export interface AllDrained extends Drained {
  readonly tasks: number;
  readonly failed: boolean;
}

/** Finishes what runs in this thread: servers, then tasks. Says what had to be cut; of requests only with `says`. */
export async function drainAll(program: string, signal: string, says = true): Promise<AllDrained> {
  const since = Date.now();
  // A plain program's servers know their own bound; its tasks get what is usual.
  const taskBound = Math.max(0, ...ending.map(({ app }) => app.drainTimeout ?? defaultLimits.drainTimeout));
  let cut = 0;
  let tasks = 0;
  let failed = false;
  try {
    for (const drained of await Promise.all(ending.map(({ app }) => app.drain()))) {
      cut += drained.cut;
      tasks += drained.tasks ?? 0;
    }
  } catch (error) {
    tell(`${errorText(error, program)}\n`);
    failed = true;
  }
  const left = await endTasks(taskBound - (Date.now() - since));
  if (cut > 0 && says) logEvent("warn", `${cut} still at work ${seconds(since)} after ${signal}: cut (drainTimeout)`);
  if (left.length > 0) {
    const names = [...new Set(left.map(({ name }) => name))].slice(0, 5).join(", ");
    logEvent("warn", `tasks of requests still ran ${seconds(since)} after ${signal}: cut (drainTimeout)`, {
      tasks: left.length,
      names,
    });
  }
  return { cut, tasks: tasks + left.length, failed };
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1).replace(/\.0$/, "")} s`;
}
