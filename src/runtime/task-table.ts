/**
 * What runs, by name and age: the gauge of metrics, `/tasks` on the admin port, and SIGUSR1. Many tasks of one name are
 * one row. Connections and requests, which have no Task each, come from sources.
 */
import { monotonicNow } from "./clock.ts";
import { logTable } from "./log.ts";
import { MOST_FIELD, shortened } from "./printable.ts";
import { plainText } from "./stall-clock.ts";
import { runningTasks, taskOrigin, taskSources } from "./tasks.ts";

export { type TaskSource, taskSources } from "./tasks.ts";

/** How many are 0–1 s, 1–10 s, 10–60 s and longer at it. */
export type Ages = [number, number, number, number];

/** The upper ends of all ages but the last, in milliseconds, exclusive. */
export const AGE_LIMITS: readonly number[] = [1000, 10_000, 60_000];

export interface TaskRow {
  readonly name: string;
  readonly count: number;
  readonly ages: Ages;
  readonly oldestMs: number;
  /** Where the newest was started, if that is remembered (`--trace-tasks`). */
  readonly startedAt?: string;
}

/** What runs in other threads of this process: set by who starts them (`--parallel`). */
export const otherThreads: { tasks?: () => Promise<readonly TaskRow[]> } = {};

/** The table of all threads. */
export async function allTasks(): Promise<readonly TaskRow[]> {
  return (await otherThreads.tasks?.()) ?? taskTable();
}

/** Everything that runs in this thread, most numerous first. */
export function taskTable(): TaskRow[] {
  const rows = new Map<string, { name: string; count: number; ages: Ages; oldestMs: number; startedAt?: string }>();
  visitTasks((name, ageMs, count, startedAt) => {
    let row = rows.get(name);
    if (row === undefined) rows.set(name, (row = { name, count: 0, ages: [0, 0, 0, 0], oldestMs: 0 }));
    row.count += count;
    row.ages[ageClass(ageMs)] += count;
    if (ageMs > row.oldestMs) row.oldestMs = ageMs;
    if (startedAt !== undefined) row.startedAt = startedAt;
  });
  return [...rows.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

/** How many of all names are of each age: what a metric may show, since names are the program's own and any number. */
export function taskAges(): Ages {
  const ages: Ages = [0, 0, 0, 0];
  visitTasks((_name, ageMs, count) => {
    ages[ageClass(ageMs)] += count;
  });
  return ages;
}

/** Which of `AGE_LIMITS` an age falls below. */
export function ageClass(ageMs: number): number {
  return ageMs < 1000 ? 0 : ageMs < 10_000 ? 1 : ageMs < 60_000 ? 2 : 3;
}

type Visit = (name: string, ageMs: number, count: number, startedAt: string | undefined) => void;

function visitTasks(visit: Visit): void {
  const now = monotonicNow();
  for (const task of runningTasks()) visit(task.name, task.ageAt(now), 1, taskOrigin(task));
  for (const source of taskSources) source((name, ageMs, count = 1) => visit(name, ageMs, count, undefined));
}

/** As many rows as somebody reads. */
const MOST_ROWS = 60;

/** The table as text, for a terminal or a log. */
export function formatTaskTable(rows: readonly TaskRow[] = taskTable()): string {
  if (rows.length === 0) return "no tasks\n";
  const lines = [["count", "0-1 s", "1-10 s", "10-60 s", "longer", "oldest", "name"]];
  for (const { name, count, ages, oldestMs, startedAt } of rows.slice(0, MOST_ROWS)) {
    const where = startedAt === undefined ? "" : `, started at ${plainText(startedAt)}`;
    lines.push([...[count, ...ages].map(String), showAge(oldestMs), plainText(name) + where]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = lines.map((line) => line.map((cell, i) => (i < 6 ? cell.padStart(widths[i]) : cell)).join("  "));
  const more = rows.length > MOST_ROWS ? `and ${rows.length - MOST_ROWS} more names\n` : "";
  return `${taskTotal(rows)}\n${text.join("\n")}\n${more}`;
}

/** `no tasks`, `1 task`, `25 tasks`. */
function taskTotal(rows: readonly TaskRow[]): string {
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  return `${total || "no"} ${total === 1 ? "task" : "tasks"}`;
}

/** Writes the table to the log: text, or one entry where JSON was asked for. */
export async function logTaskTable(): Promise<void> {
  const rows = await allTasks();
  logTable(taskTotal(rows), { name: "tasks", rows: tellable(rows), text: formatTaskTable(rows) });
}

/** The rows that the text shows. */
function tellable(rows: readonly TaskRow[]): readonly TaskRow[] {
  return rows.slice(0, MOST_ROWS).map(({ name, oldestMs, startedAt, ...row }) => ({
    name: shortened(name, MOST_FIELD),
    ...row,
    oldestMs: Math.round(oldestMs),
    ...(startedAt === undefined ? {} : { startedAt: shortened(startedAt, MOST_FIELD) }),
  }));
}

/** `850 ms`, `12 s`, `5 min`, `31 h`. */
export function showAge(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 6_000_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}
