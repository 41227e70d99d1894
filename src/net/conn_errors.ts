/** What operations on a connection fail with, apart from what the kernel says; and the deadlines that they have. */
import { monotonicNow } from "../runtime/clock.ts";
import { BadResource, Interrupted, TimedOut } from "../runtime/errors.ts";

export function closedError(): BadResource {
  return new BadResource("the connection has been closed");
}

export function interruptedError(why: string): Interrupted {
  return Object.assign(new Interrupted(`operation canceled: ${why}`), { code: "EINTR" });
}

export function timedOut(what: "read" | "write" | "closeWrite"): TimedOut {
  return new TimedOut(`${what} timed out: its deadline passed`);
}

/** From a moment of the wall clock to the monotonic one, which deadlines are measured by; 0 for none. */
export function monotonicDeadline(deadline: Date | number | null): number {
  if (deadline === null) return 0;
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  if (typeof at !== "number" || Number.isNaN(at)) {
    throw new TypeError("a deadline is a Date, milliseconds as Date.now() counts them, or null for none");
  }
  // 0 means none; a moment before the process began has passed in any case.
  return at === Number.POSITIVE_INFINITY ? 0 : Math.max(1e-6, monotonicNow() + at - Date.now());
}
