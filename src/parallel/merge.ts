/**
 * From the numbers of each thread to those of the process. Counters and histograms add up, and so do most gauges;
 * what is a maximum stays one, and what is the process's own is said once, by the main thread.
 */
import type { Family, Labels, Sample } from "../admin/metrics/family.ts";
import type { TaskRow } from "../runtime/task-table.ts";

export interface FamilySamples {
  readonly name: string;
  readonly type: Family["type"];
  readonly samples: readonly Sample[];
}

const LARGEST = new Set([
  "slipway_task_oldest_seconds",
  "slipway_stall_longest_seconds",
  "slipway_tls_certificate_remaining_seconds",
]);
/** What is true of the whole process, whichever thread looks. */
const ONCE =
  /^(process_|slipway_build$|slipway_poller$|slipway_draining$|slipway_readiness|slipway_workers|nodejs_heap_size_limit)/;

/** What a worker tells of its families. */
export function samplesOf(families: readonly Family[]): FamilySamples[] {
  const told: FamilySamples[] = [];
  for (const { name, type, read } of families) {
    if (ONCE.test(name)) continue;
    try {
      told.push({ name, type, samples: [...read()] });
    } catch {
      // The system does not tell: the other families are worth having.
    }
  }
  return told;
}

/** The main thread's family with the workers' added. */
export function merged(family: Family, workers: () => Iterable<readonly FamilySamples[]>): Family {
  const { name } = family;
  if (ONCE.test(name)) return family;
  return {
    ...family,
    read() {
      const sum = new Map<string, Sample>();
      const join = LARGEST.has(name) ? Math.max : (a: number, b: number) => a + b;
      const add = (samples: Iterable<Sample>): void => {
        for (const sample of samples) {
          const key = keyOf(sample.labels, sample.suffix);
          const before = sum.get(key);
          sum.set(key, before === undefined ? sample : { ...sample, value: join(before.value, sample.value) });
        }
      };
      add(family.read());
      for (const worker of workers()) {
        const found = worker.find((one) => one.name === name);
        if (found !== undefined) add(found.samples);
      }
      return sum.values();
    },
  };
}

/** What stays of a thread that has ended: what it counted, so that no counter ever falls. */
export function lasting(samples: readonly FamilySamples[], before: readonly FamilySamples[]): FamilySamples[] {
  const kept = new Map(before.map((one) => [one.name, one]));
  for (const { name, type, samples: now } of samples) {
    if (type !== "counter" && type !== "histogram") continue;
    const sum = new Map<string, Sample>();
    for (const sample of [...(kept.get(name)?.samples ?? []), ...now]) {
      const key = keyOf(sample.labels, sample.suffix);
      sum.set(key, { ...sample, value: (sum.get(key)?.value ?? 0) + sample.value });
    }
    kept.set(name, { name, type, samples: [...sum.values()] });
  }
  return [...kept.values()];
}

function keyOf(labels: Labels = {}, suffix = ""): string {
  return `${suffix}${JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
}

/** Tables of tasks as one, most numerous first. */
export function mergedTasks(tables: readonly (readonly TaskRow[])[]): TaskRow[] {
  const rows = new Map<string, TaskRow>();
  for (const row of tables.flat()) {
    const before = rows.get(row.name);
    if (before === undefined) {
      rows.set(row.name, row);
      continue;
    }
    const [a, b, c, d] = before.ages;
    const { name, count, ages, oldestMs, startedAt = before.startedAt } = row;
    rows.set(name, {
      name,
      count: before.count + count,
      ages: [a + ages[0], b + ages[1], c + ages[2], d + ages[3]],
      oldestMs: Math.max(before.oldestMs, oldestMs),
      ...(startedAt === undefined ? {} : { startedAt }),
    });
  }
  return [...rows.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}
