/**
 * A metric family (OpenMetrics 1.0, section "MetricFamily"): a name, what it means, and a function that reads its
 * values when somebody scrapes. Nothing is pushed: the hot path only raises plain numbers.
 */
import type { Histogram } from "../../http/counters.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** What follows the family's name: "_bucket", "_sum", "_count". */
  readonly suffix?: string;
}

export interface Family {
  /** Without the "_total" of counters and the "_info" of infos, which formats add. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "info";
  /** One sentence. No quotes in it: prom-client would not escape them. */
  readonly help: string;
  /** May throw when the system does not tell; then the family has no samples in this scrape. */
  read(): Iterable<Sample>;
}

export function counter(name: string, help: string, read: () => number | Iterable<Sample>): Family {
  return { name, type: "counter", help, read: () => samples(read()) };
}

export function gauge(name: string, help: string, read: () => number | Iterable<Sample>): Family {
  return { name, type: "gauge", help, read: () => samples(read()) };
}

/** Something that never changes, said by its labels. */
export function info(name: string, help: string, labels: () => Labels): Family {
  return { name, type: "info", help, read: () => [{ labels: labels(), value: 1 }] };
}

export function histogram(name: string, help: string, source: Histogram): Family {
  return { name, type: "histogram", help, read: () => buckets(source) };
}

function samples(value: number | Iterable<Sample>): Iterable<Sample> {
  return typeof value === "number" ? [{ value }] : value;
}

/** Ours counts each value once; buckets of the format count all that is not above their bound. */
function* buckets({ bounds, counts, sum }: Histogram): Iterable<Sample> {
  let count = 0;
  for (const [i, bound] of bounds.entries()) {
    count += counts[i];
    yield { suffix: "_bucket", labels: { le: boundText(bound) }, value: count };
  }
  count += counts[bounds.length];
  yield { suffix: "_bucket", labels: { le: "+Inf" }, value: count };
  yield { suffix: "_sum", value: sum };
  yield { suffix: "_count", value: count };
}

/** As OpenMetrics wants it ("Considerations: Canonical Numbers"): `1.0`, never `1`, so that series stay the same. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}
