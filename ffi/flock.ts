/** flock(2), which Node has no call for. Bound when first asked for. */
import { koffi } from "./koffi.ts";

/** From sys/file.h, the same on every system that has it. */
export const LOCK = { SHARED: 1, EXCLUSIVE: 2, NOW: 4, NONE: 8 } as const;

let bound: ((fd: number, operation: number) => number) | undefined;

/** Returns 0 or a negated errno. Without `LOCK.NOW` the thread waits for who has the lock. */
export function flock(fd: number, operation: number): number {
  bound ??= koffi.load(null).func("int flock(int fd, int operation)");
  return bound(fd, operation) < 0 ? -koffi.errno() : 0;
}
