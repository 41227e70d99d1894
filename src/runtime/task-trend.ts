/**
 * The leak detector: warns once when the number of tasks climbs and climbs. A leak looks so: of one kind of tasks there
 * are more from window to window, a dozen times in a row, and those that were there half-way are still there. Load that
 * rises looks so too, for a while; but its tasks end, and new ones take their place.
 *
 * Counted are tasks older than ten seconds, so that requests at work are not. Windows are 10, 20, 40 and 80 s long: a
 * fast leak is found in two minutes, one of a task a minute in a quarter of an hour. Connections, which last as long as
 * clients like, are looked at in the longest windows only: all clients of a restarted server come back within minutes.
 *
 * There is no timer: tasks can only become more when one is started, so the samples are taken then, and when a turn
 * begins, at most one in ten seconds. Each visits all tasks, oldest first, some nanoseconds each.
 */
import { monotonicNow } from "./clock.ts";
import { logEvent } from "./log.ts";
import { plainText, sampling } from "./stall-clock.ts";
import { showAge, taskSources } from "./task-table.ts";
import { runningTasks, startedByGo, taskOrigin } from "./tasks.ts";

const SAMPLE_MS = 10_000;
/** Younger tasks are work in progress. */
const SETTLED_MS = 10_000;
/** Window lengths, in samples. */
const SCALES: readonly number[] = [1, 2, 4, 8];
/** The scale from which on everything is looked at, and not only what `go` started. */
const LASTING_SCALE = 8;
/** Rises in a row that make a trend; numbers without one do so once in 13! cases. */
const RISES = 12;
/** So much of what was there half-way must be there at the end: a leak does not end. */
const SURVIVING = 0.9;
/** Names told apart in a sample; the rest are one. A program may name each task otherwise. */
const MOST_NAMES = 200;
const OTHERS = "(other names)";

interface Count {
  count: number;
  /** False for connections and whatever else lasts by nature. */
  readonly brief: boolean;
}
type Counts = Map<string, Count>;
interface Point {
  readonly at: number;
  readonly counts: Counts;
}
interface Scale {
  readonly samples: number;
  /** The window that is open: samples so far, and the least count of each name in them. */
  taken: number;
  least: Counts;
  readonly points: Point[];
}

export interface TrendWarning {
  readonly total: number;
  readonly overMs: number;
  /** The three that grew most, most first. */
  readonly grew: readonly { readonly name: string; readonly by: number; readonly startedAt: string | undefined }[];
}

let watching = false;

/** Starts the detector, once in a process; `warn` replaces the log line, for tests. Returns a function that ends it. */
export function watchTaskTrend(warn: (warning: TrendWarning) => void = logTrend): () => void {
  if (watching) return () => {};
  watching = true;
  const scales = SCALES.map((samples): Scale => ({ samples, taken: 0, least: new Map(), points: [] }));
  const stop = () => {
    watching = false;
    sampling.at = Number.POSITIVE_INFINITY;
    sampling.sample = () => {};
  };
  sampling.at = monotonicNow() + SAMPLE_MS;
  sampling.sample = (now) => {
    // First, so that whatever goes wrong here does not come again with every turn.
    sampling.at = now + SAMPLE_MS;
    const counts = countSettled(SETTLED_MS);
    for (const scale of scales) {
      if (!addSample(scale, now, counts)) continue;
      const found = trendOf(scale, now);
      if (found === undefined) continue;
      stop();
      warn(found);
      return;
    }
  };
  return stop;
}

/** Adds a sample; true when it closed a window and there are enough of them. */
function addSample(scale: Scale, at: number, counts: Counts): boolean {
  const least: Counts = new Map();
  for (const [name, { count, brief }] of counts) {
    const before = scale.taken === 0 ? count : (scale.least.get(name)?.count ?? 0);
    least.set(name, { count: Math.min(before, count), brief });
  }
  scale.least = least;
  if (++scale.taken < scale.samples) return false;
  scale.taken = 0;
  scale.points.push({ at, counts: least });
  if (scale.points.length > RISES + 1) scale.points.shift();
  return scale.points.length > RISES;
}

/** What climbs in every window of a scale, if anything does. */
function trendOf({ samples, points }: Scale, now: number): TrendWarning | undefined {
  const first = points[0];
  const last = points[points.length - 1];
  const climbing = [...last.counts].filter(([name, { brief }]) => {
    if (!brief && samples < LASTING_SCALE) return false;
    return points.every(
      ({ counts }, index) => index === 0 || countOf(counts, name) > countOf(points[index - 1].counts, name),
    );
  });
  if (climbing.length === 0) return undefined;
  const middle = points[RISES >> 1];
  // Those of now that the middle could have counted.
  const still = countSettled(now - middle.at + SETTLED_MS);
  if (!climbing.some(([name]) => countOf(still, name) >= SURVIVING * countOf(middle.counts, name))) return undefined;
  const grew = [...last.counts]
    .map(([name, { count }]) => ({ name, by: count - countOf(first.counts, name), startedAt: originOf(name) }))
    .filter(({ by }) => by > 0)
    .sort((a, b) => b.by - a.by)
    .slice(0, 3);
  let total = 0;
  for (const { count } of countSettled(0).values()) total += count;
  return { total, overMs: now - first.at, grew };
}

function countOf(counts: Counts, name: string): number {
  return counts.get(name)?.count ?? 0;
}

/** How many of each name are at least so old. */
function countSettled(leastMs: number): Counts {
  const counts: Counts = new Map();
  const add = (name: string, count: number, brief: boolean): Count => {
    let entry = counts.get(name);
    if (entry === undefined) {
      const known = counts.size < MOST_NAMES ? name : OTHERS;
      entry = counts.get(known);
      if (entry === undefined) counts.set(known, (entry = { count: 0, brief }));
    }
    entry.count += count;
    return entry;
  };
  // Neighbours are often of one name: their entry is looked up once.
  let name: string | undefined;
  let entry: Count | undefined;
  const now = monotonicNow();
  for (const task of runningTasks()) {
    if (task.ageAt(now) < leastMs) break;
    if (entry !== undefined && task.name === name) entry.count++;
    else entry = add((name = task.name), 1, startedByGo(task));
  }
  for (const source of taskSources) {
    source((name, ageMs, count = 1) => {
      if (ageMs >= leastMs) add(name, count, false);
    });
  }
  return counts;
}

/** Where the newest task of a name was started, if that is remembered. */
function originOf(name: string): string | undefined {
  let origin: string | undefined;
  for (const task of runningTasks()) if (task.name === name) origin = taskOrigin(task) ?? origin;
  return origin;
}

function logTrend({ total, overMs, grew }: TrendWarning): void {
  const names = grew.map(({ name, by, startedAt }) => {
    const where = startedAt === undefined ? "" : `, started at ${startedAt}`;
    return `${plainText(name)} (${by} more${where})`;
  });
  const hint = grew.some(({ startedAt }) => startedAt !== undefined) ? "" : "; --trace-tasks shows where they start";
  logEvent("warn", `tasks become more and more and do not end: give each an end, by its signal or a timeout${hint}`, {
    tasks: total,
    within: showAge(overMs),
    grew: names.join(", "),
  });
}
