/**
 * How late timers are. `monitorEventLoopDelay` would wake an idle process a hundred times a second; this is one timer,
 * and only while somebody scrapes: without a scrape for a minute it stops. It is due ten times a second while the
 * network is at work, so that a delay longer than that is always seen, and once a second while it is not: ten cost an
 * idle process 0.2 % of a core.
 */
import { Histogram } from "../../http/counters.ts";

export interface Periods {
  /** Between two looks while there is work, and while there is none. */
  readonly busyMs: number;
  readonly quietMs: number;
  /** How long after a scrape. */
  readonly watchedMs: number;
}

const PERIODS: Periods = { busyMs: 100, quietMs: 1000, watchedMs: 60_000 };
/** Timers have a resolution of a millisecond, so less cannot be told apart. */
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class LoopDelay {
  readonly histogram: Histogram = new Histogram(SECONDS);
  readonly #turns: () => number;
  readonly #periods: Periods;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #until = 0;
  #seen = -1;

  /** `turns` grows when there is work. */
  constructor(turns: () => number, periods: Periods = PERIODS) {
    this.#turns = turns;
    this.#periods = periods;
  }

  /** Somebody looks: measures for a minute from here on, or for as long as is said. */
  watch(forMs: number = this.#periods.watchedMs): void {
    this.#until = Math.max(this.#until, performance.now() + forMs);
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
    const turns = this.#turns();
    const period = turns === this.#seen ? this.#periods.quietMs : this.#periods.busyMs;
    this.#seen = turns;
    this.#due = performance.now() + period;
    this.#timer = setTimeout(this.#tick, period);
    this.#timer.unref();
  }

  readonly #tick = (): void => {
    const now = performance.now();
    this.histogram.observe(Math.max(0, now - this.#due) / 1000);
    this.#timer = undefined;
    if (now < this.#until) this.#arm();
  };
}
