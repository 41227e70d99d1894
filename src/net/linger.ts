/**
 * Closing so that what was written arrives. close(2) on a socket with unread bytes sends a reset, and so does one that
 * gets bytes afterwards; a reset makes the peer drop what it had not read yet (RFC 9112 section 9.6). So: FIN first, then
 * read and forget what still comes until the peer's own FIN, for a bounded time and amount, and only then close.
 *
 * No object or timer a connection: one sink for all of a runtime, the deadline in the wheel, a count only for those that
 * really still send.
 */
import type { Handle, Sink } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";

/** How long the peer may take to answer our FIN with its own, or to send this much of what it had begun. */
const DRAIN_MS = 1000;
const DRAIN_STEP = 64 * 1024;
/**
 * How much it may still send. Most clients write a whole body before they read: cut off earlier, they see a broken pipe
 * and never look at the answer (tried with 10 MB uploads to a server that answers 413 at once).
 */
const DRAIN_BYTES = 16 * 1024 * 1024;
/** How long it may take to read what waits to be sent, before the FIN. */
const SEND_MS = 30_000;

const sinks = new WeakMap<Runtime, Sink>();
/** How many connections are being closed so, and who waits for the last of them. */
const counts = new WeakMap<Runtime, number>();
const waiters = new Map<Runtime, (() => void)[]>();

/** Resolves when no connection is being closed in the way above, and the last bytes of all have been delivered. */
export async function lingering(rt: Runtime = runtime()): Promise<void> {
  while (counts.get(rt)) {
    await new Promise<void>((resolve) => waiters.set(rt, [...(waiters.get(rt) ?? []), resolve]));
  }
  while (rt.leaving > 0) {
    await new Promise<void>((resolve) => {
      const left = (): void => {
        rt.left.delete(left);
        resolve();
      };
      rt.left.add(left);
    });
  }
}

function count(rt: Runtime, change: number): void {
  const left = (counts.get(rt) ?? 0) + change;
  counts.set(rt, left);
  if (left > 0) return;
  const waiting = waiters.get(rt);
  waiters.delete(rt);
  for (const resolve of waiting ?? []) resolve();
}

/**
 * Takes over an open handle, whatever its sink, and closes it in the way above. `sending` says that its last send
 * returned SENDING and `sent` has not come yet; then that is waited for first. The caller forgets the handle.
 */
export function lingerClose(handle: Handle, sending = false, rt: Runtime = runtime()): void {
  let sink = sinks.get(rt);
  if (sink === undefined) sinks.set(rt, (sink = makeSink(rt)));
  rt.poller.setSink(handle, sink);
  count(rt, 1);
  rt.setDeadline(handle, monotonicNow() + (sending ? SEND_MS : DRAIN_MS));
  if (!sending) finish(rt, handle);
}

function finish(rt: Runtime, handle: Handle): void {
  // ENOTCONN: the peer has reset it, nobody is left to be polite to.
  if (rt.poller.shutdown(handle) < 0) {
    rt.close(handle);
    count(rt, -1);
  } else rt.poller.receive(handle);
}

function makeSink(rt: Runtime): Sink {
  const drained = new Map<Handle, number>();
  /** Whose bytes wait to be sent after all, and whether the peer has ended meanwhile. */
  const late = new Map<Handle, boolean>();
  const close = (handle: Handle): void => {
    drained.delete(handle);
    late.delete(handle);
    rt.close(handle);
    count(rt, -1);
  };
  const nothing = (): void => {};
  return {
    received(handle, _bytes, start, end) {
      const before = drained.get(handle) ?? 0;
      const total = before + end - start;
      if (total > DRAIN_BYTES) return close(handle);
      drained.set(handle, total);
      if (late.has(handle)) return;
      // Only real progress buys time, so drips don't.
      if (Math.floor(total / DRAIN_STEP) > Math.floor(before / DRAIN_STEP)) rt.setDeadline(handle, rt.now + DRAIN_MS);
    },
    blocked(handle) {
      late.set(handle, false);
      rt.setDeadline(handle, rt.now + SEND_MS);
    },
    sent(handle) {
      const ended = late.get(handle);
      late.delete(handle);
      if (ended) return close(handle);
      rt.setDeadline(handle, rt.now + DRAIN_MS);
      finish(rt, handle);
    },
    ended(handle) {
      if (late.has(handle)) late.set(handle, true);
      else close(handle);
    },
    failed: close,
    expired: close,
    // While bytes wait to be sent nothing is received: the sending finds out by itself.
    hungUp: nothing,
    accepted: nothing,
    connected: nothing,
    datagram: nothing,
  };
}
