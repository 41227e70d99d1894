/**
 * The limits of a server: what each defaults to, and how they are read from options as people write them.
 * The rows are the option table's; here they are numbers with names.
 */
import { type Bounds, readNumber, type Unit } from "./bounds.ts";
import { duration } from "./duration.ts";
import { rate, size } from "./size.ts";

/** Milliseconds, bytes, bytes a second, and counts. Infinity where there is no limit ("none"). */
export interface Limits {
  readHeaderTimeout: number;
  readTimeout: number;
  writeTimeout: number;
  idleTimeout: number;
  /** Bytes a second; 0: `readTimeout` and `writeTimeout` are absolute. */
  minRate: number;
  maxHeaderBytes: number;
  maxHeaderCount: number;
  maxBodyBytes: number;
  /** 0: "auto", what the descriptor limit leaves. */
  maxConnections: number;
  maxRequestsPerConnection: number;
  drainDelay: number;
  drainIdle: number;
  drainTimeout: number;
}

export type LimitName = keyof Limits;

/** Limits as people write them: `"30s"`, `"2m"`, `30000`, `"1MiB"`, `"none"`. */
export type LimitOptions = { [K in LimitName]?: number | string };

export const defaultLimits: Limits = {
  readHeaderTimeout: 5_000,
  readTimeout: 30_000,
  writeTimeout: 30_000,
  idleTimeout: 120_000,
  minRate: 4096,
  maxHeaderBytes: 1024 * 1024,
  maxHeaderCount: 256,
  maxBodyBytes: 64 * 1024 * 1024,
  maxConnections: 0,
  maxRequestsPerConnection: Number.POSITIVE_INFINITY,
  drainDelay: 0,
  drainIdle: 1_000,
  drainTimeout: 30_000,
};

export const count: Unit = {
  name: "a whole number",
  parse: (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
  show: (value) => (value === Number.POSITIVE_INFINITY ? "none" : String(value)),
};

/** Host timers hold 2³¹−1 ms, which is 24 days. */
const DAYS_24 = 24 * 24 * 3_600_000;
const timeout: Bounds = { min: 1, max: DAYS_24, none: true };
const grace: Bounds = { min: 1, max: 3_600_000, zero: "no grace" };

/** How each limit is read, and within which bounds. */
export const limitRules: Readonly<Record<LimitName, readonly [Unit, Bounds]>> = {
  readHeaderTimeout: [duration, timeout],
  readTimeout: [duration, timeout],
  writeTimeout: [duration, timeout],
  idleTimeout: [duration, timeout],
  minRate: [rate, { min: 1, max: 1024 ** 3, zero: "readTimeout and writeTimeout are absolute" }],
  // The head is kept as one string while its request lives: there is always a bound.
  maxHeaderBytes: [size, { min: 64, max: 64 * 1024 * 1024 }],
  maxHeaderCount: [count, { min: 1, max: 100_000, none: true }],
  maxBodyBytes: [size, { min: 1, max: 1024 ** 4, none: true }],
  maxConnections: [count, { min: 1, max: 10_000_000, none: true, auto: "what the descriptor limit leaves" }],
  maxRequestsPerConnection: [count, { min: 1, max: 1_000_000_000, none: true }],
  drainDelay: [duration, grace],
  drainIdle: [duration, grace],
  drainTimeout: [duration, timeout],
};

export const limitNames = Object.keys(limitRules) as readonly LimitName[];

/** One limit; `what` begins the sentence of the TypeError. */
export function readLimit(name: LimitName, value: unknown, what: string): number {
  const [unit, bounds] = limitRules[name];
  return readNumber(value, what, unit, bounds);
}

/**
 * All limits, with defaults for those that are absent. Throws a TypeError of one sentence that names the option and
 * `where` it was given: `readTimeout of Deno.serve must be …`.
 */
export function readLimits(options: LimitOptions, where: string): Limits {
  const limits: Limits = { ...defaultLimits };
  for (const name of limitNames) {
    const value: unknown = options[name];
    if (value !== undefined) limits[name] = readLimit(name, value, `${name} of ${where}`);
  }
  return limits;
}
