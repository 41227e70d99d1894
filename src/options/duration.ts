/** Durations: `"30s"`, `"1m30s"`, `"500ms"`, `"1h"`, or milliseconds as a number or as digits. */
import { type Bounds, readNumber, type Unit } from "./bounds.ts";

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

export const duration: Unit = {
  name: 'a duration like "30s", "2m" or 30000 (milliseconds)',
  parse(text) {
    if (/^\d+$/.test(text)) return Number(text);
    if (!WHOLE.test(text)) return undefined;
    let sum = 0;
    for (const [, count, unit] of text.matchAll(PART)) sum += Number(count) * MS[unit];
    return Math.round(sum);
  },
  show(value) {
    if (value === Number.POSITIVE_INFINITY) return "none";
    // As people say them: 2m, but 60s and 90s.
    if (value > 3_600_000 && value % 3_600_000 === 0) return `${value / 3_600_000}h`;
    if (value > 60_000 && value % 60_000 === 0) return `${value / 60_000}m`;
    return value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`;
  },
};

/** 24 days: the host's timers hold 2³¹−1 ms. */
export const anyDuration: Bounds = { min: 1, max: 24 * 24 * 3_600_000, none: true };

/** Milliseconds of a duration, Infinity for "none"; throws an OptionError that begins with `what`. */
export function parseDuration(value: number | string, what: string, bounds: Bounds = anyDuration): number {
  return readNumber(value, what, duration, bounds);
}
