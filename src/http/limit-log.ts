/**
 * Limits that fire are counted, each time, and said: one line for each limit in ten seconds, with the peer that met it
 * and how many others did since, so that an attack can't fill a disk.
 */
import { monotonicNow } from "../runtime/clock.ts";
import { logEvent } from "../runtime/log.ts";
import { type HttpCounters, LIMITS, type LimitName } from "./counters.ts";

const SAY_EVERY_MS = 10_000;
/** Connections end like this every day: counted, not said. What is full is said by `Admission`. */
const QUIET = new Set<LimitName>(["idleTimeout", "maxRequestsPerConnection", "maxConnections"]);

/** By limit, and whose it is: an attack on the admin port must not hide one on the public one. */
const said = new Map<string, { at: number; since: number }>();

/** `what` goes behind "a client": "did not send the whole head of a request in time". */
export function limitFired(counters: HttpCounters, limit: LimitName, peer: () => string, what: string): void {
  counters.limits[LIMITS.indexOf(limit)]++;
  if (QUIET.has(limit)) return;
  const now = monotonicNow();
  const { owner } = counters;
  const kind = owner === undefined ? limit : `${limit} ${owner}`;
  const last = said.get(kind);
  if (last !== undefined && now - last.at < SAY_EVERY_MS) {
    last.since++;
    return;
  }
  said.set(kind, { at: now, since: 0 });
  const whose = owner === undefined ? "" : `of ${owner} `;
  logEvent("warn", `a client ${whose}${what}`, { limit, peer: peer(), others: last?.since || undefined });
}
