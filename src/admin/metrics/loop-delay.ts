/**
 * How late timers are. `monitorEventLoopDelay` would wake an idle process a hundred times a second; this is one timer
 * every 100 ms, and only while somebody scrapes: without a scrape for a minute it stops. A delay longer than the
 * period is always seen, since the timer is due while it lasts.
 */
import { Histogram } from "../../http/counters.ts";

const PERIOD_MS = 100;
const WATCHED_MS = 60_000;
/** Timers have a resolution of a millisecond, so less cannot be told apart. */
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class LoopDelay {
  readonly histogram: Histogram = new Histogram(SECONDS);
  readonly #period: number;
  readonly #watched: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #until = 0;

  constructor(periodMs: number = PERIOD_MS, watchedMs: number = WATCHED_MS) {
    this.#period = periodMs;
    this.#watched = watchedMs;
  }

  /** Somebody looks: measures for a minute from here on. */
  watch(): void {
    this.#until = performance.now() + this.#watched;
    if (this.#timer === undefined) this.#arm();
  }

  /** Whether it measures now. */
  get running(): boolean {
    return this.#timer !== undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#due = performance.now() + this.#period;
    this.#timer = setTimeout(this.#tick, this.#period);
    this.#timer.unref();
  }

  readonly #tick = (): void => {
    const now = performance.now();
    this.histogram.observe(Math.max(0, now - this.#due) / 1000);
    this.#timer = undefined;
    if (now < this.#until) this.#arm();
  };
}
