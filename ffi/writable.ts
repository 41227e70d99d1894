/** poll(2), asked once about one descriptor that is not a poller's. Bound when first asked for. */
import { koffi } from "./koffi.ts";

/** poll.h, the same on every Unix. */
const POLLOUT = 4;

let bound: ((what: Int32Array, count: number, timeoutMs: number) => number) | undefined;
// struct pollfd: the descriptor, then events and what came of them in 16 bits each.
const asked = new Int32Array(2);

/** Whether a write would be taken, or refused, at once. */
export function isWritable(fd: number): boolean {
  bound ??= koffi.load(null).func("int poll(void *what, unsigned long count, int timeoutMs)");
  asked[0] = fd;
  asked[1] = POLLOUT;
  return bound(asked, 1, 0) > 0;
}
