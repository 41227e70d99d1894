/** The live page's numbers, put together: what metrics have, tasks, the drain, and each thread of `--parallel`. */
import { parseDuration } from "../../options/duration.ts";
import { allTasks } from "../../runtime/task-table.ts";
import { drainingFor } from "../draining.ts";
import type { Family } from "../metrics/family.ts";
import type { LoopDelay } from "../metrics/loop-delay.ts";
import type { AdminThreads } from "../mod.ts";
import type { ConfigEntry } from "../pages.ts";
import type { Readiness } from "../ready.ts";
import type { Reserve } from "../reserve.ts";
import { LiveFeed } from "./feed.ts";
import { countedIn, samplesByName, workerIn } from "./numbers.ts";
import { type DrainSnapshot, type Snapshot, tasksOf } from "./snapshot.ts";

export interface LiveSettings {
  /** With those of all threads in them. */
  readonly families: readonly Family[];
  readonly readiness: Readiness;
  readonly config: () => readonly ConfigEntry[];
  readonly threads: AdminThreads | undefined;
  readonly reserve: Reserve;
  readonly delay: LoopDelay;
}

/** The loop's delay is measured for a little longer than until the next snapshot: not once nobody looks any more. */
const WATCHED_MS = 2_500;

export function openLive({ families, readiness, config, threads, reserve, delay }: LiveSettings): LiveFeed {
  const samples = samplesByName(families);
  return new LiveFeed(async (): Promise<Snapshot> => {
    delay.watch(WATCHED_MS);
    const [rows] = await Promise.all([allTasks(), threads?.collect(WATCHED_MS)]);
    return {
      time: Date.now(),
      pid: process.pid,
      drain: drain(config),
      // Resident memory is read from a file.
      ...reserve.lend(() => countedIn(samples)),
      tasks: tasksOf(rows),
      checks: readiness.states(),
      workers: threads === undefined ? [] : workers(threads),
      deaths: threads?.deaths ?? 0,
    };
  });
}

function workers(threads: AdminThreads): Snapshot["workers"] {
  const all = Array.from(threads.each(), ({ number, counted }) =>
    workerIn(number, (name) => counted.find((one) => one.name === name)?.samples ?? []),
  );
  return all.sort((a, b) => a.number - b.number);
}

function drain(config: LiveSettings["config"]): DrainSnapshot | undefined {
  const sinceMs = drainingFor();
  if (sinceMs === undefined) return undefined;
  const entries = config();
  return {
    sinceMs: Math.round(sinceMs),
    delayMs: durationOf(entries, "drainDelay"),
    timeoutMs: durationOf(entries, "drainTimeout"),
  };
}

function durationOf(entries: readonly ConfigEntry[], name: string): number | null {
  const value = entries.find((entry) => entry.name === name)?.value;
  try {
    const ms =
      value === undefined
        ? Number.NaN
        : parseDuration(value, name, { min: 0, max: Number.MAX_SAFE_INTEGER, none: true });
    return Number.isFinite(ms) ? ms : null;
  } catch {
    return null;
  }
}
