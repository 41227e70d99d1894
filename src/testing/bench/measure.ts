/**
 * How long a function takes, as Deno measures it: a warm-up, then half a second. What takes less than 10 µs is called
 * many times for each measurement, since reading a clock takes a part of that.
 */
import type { BenchStats } from "./protocol.ts";

/** What `b.start()` and `b.end()` leave, in milliseconds of the clock; 0 when not called. */
export interface Timers {
  began: number;
  ended: number;
  used: boolean;
}

const BUDGET_MS = 500;
const WARMUP_MS = 10;
const WARMUP_CALLS = 20;
const LEAST_CALLS = 10;
/** Below it, calls are timed together: so many that they take about a millisecond. */
const FAST_MS = 0.01;
const BATCH_MS = 1;
const MOST_IN_BATCH = 10_000;

export async function measure(
  call: () => unknown,
  timers: Timers,
  { n, warmup }: { readonly n?: number; readonly warmup?: number },
): Promise<BenchStats> {
  // Whether it returns promises, its first call says.
  let total = 0;
  let calls = 0;
  let isAsync = false;
  const leastWarmup = warmup && warmup > 0 ? warmup : WARMUP_CALLS;
  for (let spent = 0; calls < leastWarmup || spent < WARMUP_MS; calls++) {
    const began = performance.now();
    const result = call();
    if (isThenable(result)) {
      isAsync = true;
      await result;
    }
    const took = performance.now() - began;
    // What is not timed still has to end some time.
    spent += took;
    total += timed(timers, began, began + took);
  }
  const average = total / calls;
  const single = timers.used || average > FAST_MS;
  const times: number[] = [];
  const least = n && n > 0 ? n : LEAST_CALLS;
  // For what takes part of a nanosecond, as an empty function does.
  const batch = single ? 1 : Math.min(MOST_IN_BATCH, Math.max(10, Math.ceil(BATCH_MS / Math.max(average, 1e-4))));
  for (let spent = 0; times.length < least || (n === undefined && spent < BUDGET_MS); ) {
    const began = performance.now();
    if (single) {
      if (isAsync) await call();
      else call();
    } else if (isAsync) {
      for (let i = 0; i < batch; i++) await call();
    } else {
      for (let i = 0; i < batch; i++) call();
    }
    const ended = performance.now();
    spent += ended - began;
    times.push(timed(timers, began, ended) / batch);
  }
  return stats(times, single, timers.used);
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** From `start` to `end`, where those were called. */
function timed(timers: Timers, began: number, ended: number): number {
  const from = timers.began === 0 ? began : timers.began;
  const to = timers.ended === 0 ? ended : timers.ended;
  timers.began = 0;
  timers.ended = 0;
  return Math.max(0, to - from);
}

function stats(timesMs: readonly number[], highPrecision: boolean, usedExplicitTimers: boolean): BenchStats {
  const all = timesMs.map((ms) => ms * 1e6).sort((a, b) => a - b);
  const n = all.length;
  const at = (share: number) => all[Math.min(n - 1, Math.ceil(share * n) - 1)];
  return {
    n,
    min: all[0],
    max: all[n - 1],
    avg: all.reduce((sum, time) => sum + time, 0) / n,
    ...{ p75: at(0.75), p99: at(0.99), p995: at(0.995), p999: at(0.999) },
    highPrecision,
    usedExplicitTimers,
  };
}
