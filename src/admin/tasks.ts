/** The table of tasks with names fit for labels. */
import { type TaskRow, taskTable } from "../runtime/task-table.ts";
import { shown } from "./text.ts";

/** Rows by name, the most numerous first; those beyond `most` are one row, "_other". */
export function taskRows(most: number, table: readonly TaskRow[] = taskTable()): TaskRow[] {
  // Two names may look the same once they may be shown, and no two rows may have the same name.
  const named = new Map<string, TaskRow>();
  for (const row of table) add(named, shown(row.name), row);
  const rows = [...named.values()].sort((a, b) => b.count - a.count);
  if (rows.length <= most) return rows;
  const kept = new Map<string, TaskRow>();
  for (const [i, row] of rows.entries()) add(kept, i < most ? row.name : "_other", row);
  return [...kept.values()];
}

function add(rows: Map<string, TaskRow>, name: string, row: TaskRow): void {
  const before = rows.get(name);
  rows.set(name, before === undefined ? { ...row, name } : merged(before, row));
}

function merged(a: TaskRow, b: TaskRow): TaskRow {
  const [a0, a1, a2, a3] = a.ages;
  const [b0, b1, b2, b3] = b.ages;
  return {
    name: a.name,
    count: a.count + b.count,
    ages: [a0 + b0, a1 + b1, a2 + b2, a3 + b3],
    oldestMs: Math.max(a.oldestMs, b.oldestMs),
  };
}
