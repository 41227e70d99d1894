/**
 * What the live page is told once a second: totals, not rates. So a viewer may miss some and still be right about what
 * lies between two, and one that sees another start of the process knows that they begin again.
 */
import { shown } from "../text.ts";

/** From the bucket bounds of a histogram, each with how many values lay at or below it; the last bound is null: none. */
export interface HistogramTotals {
  readonly bounds: readonly (number | null)[];
  readonly counts: readonly number[];
}

/** Totals by a name: of a limit, a status class, a way for a handshake to end. */
export type Totals = Readonly<Record<string, number>>;

export interface TaskSnapshot {
  readonly name: string;
  readonly count: number;
  readonly oldestMs: number;
  /** With `--trace-tasks`. */
  readonly startedAt?: string;
}

/** One thread of `--parallel`. */
export interface WorkerSnapshot {
  readonly number: number;
  readonly connections: number;
  readonly active: number;
  readonly requests: number;
  readonly turns: number;
  /** Seconds that its loop spent at work and waiting. */
  readonly loop: { readonly active: number; readonly idle: number };
  readonly heap: number;
}

export interface DrainSnapshot {
  readonly sinceMs: number;
  /** As far as the options say; null is "none". */
  readonly delayMs: number | null;
  readonly timeoutMs: number | null;
}

export interface Snapshot {
  /** Milliseconds since 1970, on this machine. */
  readonly time: number;
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  /** When the process began, in milliseconds since 1970. */
  readonly started: number;
  readonly poller: string;
  readonly servers: { readonly accepting: number; readonly draining: number; readonly waiting: number };
  readonly drain?: DrainSnapshot;
  readonly connections: {
    readonly active: number;
    readonly idle: number;
    readonly handshaking: number;
    readonly webSockets: number;
    /** Of fetch. */
    readonly outgoing: number;
    /** Of every kind, also those that are not HTTP. */
    readonly sockets: number;
    readonly accepted: number;
  };
  /** Requests that are being answered. */
  readonly atWork: number;
  /** By status class: "2xx", …; "none" for clients that were gone before there was an answer. */
  readonly requests: Totals;
  readonly duration: HistogramTotals;
  readonly bytes: { readonly received: number; readonly sent: number };
  readonly limits: Totals;
  readonly handshakes: Totals;
  readonly turns: { readonly count: number; readonly events: number };
  readonly loop: { readonly active: number; readonly idle: number; readonly delay: HistogramTotals };
  readonly stalls: number;
  readonly cpuSeconds: number;
  readonly memory: {
    readonly resident: number;
    readonly heap: number;
    readonly heapLimit: number;
    readonly external: number;
  };
  readonly descriptors: { readonly open: number; readonly most: number | null };
  readonly tasks: {
    /** 0–1 s, 1–10 s, 10–60 s and longer. */
    readonly ages: readonly number[];
    /** By name, those with the oldest first. */
    readonly oldest: readonly TaskSnapshot[];
    /** How many names there are. */
    readonly names: number;
    /** How many are neither connections nor requests, which the table has as well. */
    readonly own: number;
  };
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly ran: boolean }[];
  readonly workers: readonly WorkerSnapshot[];
  readonly deaths: number;
}

/** What servers put into the table of tasks (src/http/connections.ts). */
const OF_SERVERS = /^(?:http (?:connection|request)|(?:proxied )?websocket)\b/;
/** So many names of tasks are told. */
const MOST_TASKS = 20;

interface Row {
  readonly name: string;
  readonly count: number;
  readonly ages: readonly number[];
  readonly oldestMs: number;
  readonly startedAt?: string;
}

/** The part of a task table that the page shows. */
export function tasksOf(rows: readonly Row[]): Snapshot["tasks"] {
  const ages = [0, 0, 0, 0];
  let own = 0;
  for (const { name, count: running, ages: each } of rows) {
    for (const [i, count] of each.entries()) ages[i] += count;
    if (!OF_SERVERS.test(name)) own += running;
  }
  const oldest = [...rows].sort((a, b) => b.oldestMs - a.oldestMs).slice(0, MOST_TASKS);
  return {
    ages,
    names: rows.length,
    own,
    oldest: oldest.map(({ name, count, oldestMs, startedAt }) => ({
      name: shown(name),
      count,
      oldestMs: Math.round(oldestMs),
      ...(startedAt === undefined ? {} : { startedAt: shown(startedAt, 300) }),
    })),
  };
}
