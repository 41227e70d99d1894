/** The limits of a server as numbers with names, read from options as people write them. */
import { readNumber, type Unit } from "./bounds.ts";
import { count, port } from "./count.ts";
import { duration } from "./duration.ts";
import { rate, size } from "./size.ts";
import { type LimitName, limitTable, type NumberOption } from "./table.ts";

/** Milliseconds, bytes, bytes a second, and counts. Infinity where there is no limit ("none"). */
export interface Limits extends Record<LimitName, number> {
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

export type { LimitName } from "./table.ts";

/** Limits as people write them: `"30s"`, `"2m"`, `30000`, `"1MiB"`, `"none"`. */
export type LimitOptions = { [K in LimitName]?: number | string };

export const limitNames: readonly LimitName[] = limitTable.map(({ name }) => name);

export const defaultLimits: Limits = Object.fromEntries(limitTable.map((row) => [row.name, row.default])) as Record<
  LimitName,
  number
>;

/** How each kind of number is read and shown. */
export const units: Readonly<Record<NumberOption["kind"], Unit>> = { duration, size, rate, count, port };

/** One limit; `what` begins the sentence of the error. */
export function readLimit(name: LimitName, value: unknown, what: string): number {
  const row = limitTable.find((one) => one.name === name);
  if (row === undefined) throw new TypeError(`${what}: there is no limit of this name`);
  return readNumber(value, what, units[row.kind], row.bounds);
}

/**
 * All limits, with defaults for those that are absent. Throws an OptionError, a TypeError of one sentence that names
 * the option and `where` it was given: `readTimeout of Deno.serve must be …`.
 */
export function readLimits(options: LimitOptions, where: string): Limits {
  const limits: Limits = { ...defaultLimits };
  for (const { name, kind, bounds } of limitTable) {
    const value: unknown = options[name];
    if (value !== undefined) limits[name] = readNumber(value, `${name} of ${where}`, units[kind], bounds);
  }
  return limits;
}

/** Back to what `readLimits` reads: for limits that have been resolved already. */
export function limitOptions(limits: Readonly<Partial<Record<LimitName, number>>>): LimitOptions {
  const options: LimitOptions = {};
  for (const { name } of limitTable) {
    const value = limits[name];
    if (value === Number.POSITIVE_INFINITY) options[name] = "none";
    else if (value === 0 && name === "maxConnections") options[name] = "auto";
    else if (value !== undefined) options[name] = value;
  }
  return options;
}
