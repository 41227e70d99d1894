/** What the page remembers: of each second the rates and states that charts show, made of two snapshots. */
import type { HistogramTotals, Snapshot, Totals } from "../snapshot.ts";

/** null: nobody knows, a gap; undefined: there was nothing to measure, and the line goes on. */
export type Value = number | null | undefined;

export interface Point {
  /** Milliseconds since 1970, by the server's clock. */
  readonly at: number;
  readonly values: Readonly<Record<string, Value>>;
  /** Absent in a gap. */
  readonly snapshot?: Snapshot;
}

/** The longest window, and a little that is seen at its edge. */
const KEPT_MS = 903_000;

export class History {
  #points: Point[] = [];
  #before: Snapshot | undefined;

  /** Oldest first. A new array at each change, so who holds one has it as it was. */
  get points(): readonly Point[] {
    return this.#points;
  }

  get last(): Point | undefined {
    return this.#points.at(-1);
  }

  add(snapshot: Snapshot): void {
    const before = this.#before;
    const same = before !== undefined && before.pid === snapshot.pid && before.started === snapshot.started;
    if (!same && before !== undefined) this.gap();
    // Two of one moment: the first of a new connection is the last of the one before.
    if (same && snapshot.time <= before.time) return;
    this.#push({ at: snapshot.time, values: valuesOf(snapshot, same ? before : undefined), snapshot });
    this.#before = snapshot;
  }

  /** From here on nothing is known until the next snapshot. */
  gap(): void {
    const { last } = this;
    if (last?.snapshot === undefined) return;
    const unknown = Object.fromEntries(Object.keys(last.values).map((key) => [key, null]));
    this.#push({ at: last.at + 1, values: unknown });
    this.#before = undefined;
  }

  #push(point: Point): void {
    this.#points = [...this.#points.filter(({ at }) => at > point.at - KEPT_MS), point];
  }
}

function valuesOf(now: Snapshot, before: Snapshot | undefined): Record<string, Value> {
  const [age0, age1, age2, age3] = now.tasks.ages;
  const { active, idle, webSockets, handshaking } = now.connections;
  const states = {
    ...{ active, idle, webSockets, handshaking, age0, age1, age2, age3 },
    resident: now.memory.resident,
    heap: now.memory.heap,
    external: now.memory.external,
  };
  const nothing = [...RATES, ...MEASURED].map((key) => [key, null]);
  if (before === undefined) return { ...states, ...Object.fromEntries(nothing) };
  const seconds = (now.time - before.time) / 1000;
  const rate = (of: (snapshot: Snapshot) => number): number => Math.max(0, of(now) - of(before)) / seconds;
  const classes = (...names: readonly string[]): number =>
    rate(({ requests }) => names.reduce((sum, name) => sum + (requests[name] ?? 0), 0));
  const durations = between(now.duration, before.duration);
  const delays = between(now.loop.delay, before.loop.delay);
  const atWork = now.loop.active - before.loop.active;
  const waiting = now.loop.idle - before.loop.idle;
  return {
    ...states,
    answered: classes("1xx", "2xx", "3xx"),
    refused: classes("4xx"),
    failed: classes("5xx"),
    gone: classes("none"),
    p50: quantile(durations, 0.5),
    p90: quantile(durations, 0.9),
    p99: quantile(durations, 0.99),
    turns: rate(({ turns }) => turns.count),
    events: rate(({ turns }) => turns.events),
    delay50: quantile(delays, 0.5),
    delay99: quantile(delays, 0.99),
    cpu: rate(({ cpuSeconds }) => cpuSeconds),
    busy: atWork + waiting > 0 ? Math.max(0, atWork) / (atWork + waiting) : undefined,
    received: rate(({ bytes }) => bytes.received),
    sent: rate(({ bytes }) => bytes.sent),
  };
}

const RATES = ["answered", "refused", "failed", "gone", "turns", "events", "cpu", "received", "sent"];
const MEASURED = ["p50", "p90", "p99", "delay50", "delay99", "busy"];

/** What came to a histogram between two looks at it. */
function between(now: HistogramTotals, before: HistogramTotals): HistogramTotals {
  return { bounds: now.bounds, counts: now.counts.map((count, i) => count - (before.counts[i] ?? 0)) };
}

/** Within a bucket values are taken to lie evenly, as Prometheus's histogram_quantile does. */
export function quantile({ bounds, counts }: HistogramTotals, share: number): number | undefined {
  const all = counts.at(-1) ?? 0;
  if (all <= 0) return undefined;
  const rank = share * all;
  const i = counts.findIndex((count) => count >= rank);
  const low = i === 0 ? 0 : (bounds[i - 1] ?? 0);
  const high = bounds[i];
  if (high === null || high === undefined) return low;
  const below = i === 0 ? 0 : counts[i - 1];
  const within = counts[i] - below;
  return within <= 0 ? high : low + ((high - low) * (rank - below)) / within;
}

/** How far totals have grown since `from`, and when they last did; keys that never counted are left out. */
export function growth(
  points: readonly Point[],
  from: number,
  of: (snapshot: Snapshot) => Totals,
): Map<string, { readonly total: number; readonly within: number; readonly lastAt: number | undefined }> {
  const rows = new Map<string, { total: number; within: number; lastAt: number | undefined }>();
  let before: Snapshot | undefined;
  for (const { at, snapshot } of points) {
    const started = before?.started === snapshot?.started ? before : undefined;
    for (const [key, total] of Object.entries(snapshot === undefined ? {} : of(snapshot))) {
      if (total === 0) continue;
      const row = rows.get(key) ?? { total: 0, within: 0, lastAt: undefined };
      // Of what was before the first snapshot nobody knows when it was.
      const grown = started === undefined ? 0 : total - (of(started)[key] ?? 0);
      row.total = total;
      if (grown > 0 && at >= from) row.within += grown;
      if (grown > 0) row.lastAt = at;
      rows.set(key, row);
    }
    before = snapshot ?? before;
  }
  return rows;
}
