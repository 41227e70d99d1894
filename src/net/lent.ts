/**
 * The poller's outgoing memory, while foreign code runs: answers to pipelined requests lie there as the next handler is
 * called. Whoever writes into it meanwhile (a handler that sends to a WebSocket, or fetches) asks for it here: what lies
 * there is kept aside until the handler has returned.
 */
let held: ArrayBufferLike | undefined;
let length = 0;
let kept: Uint8Array | undefined;

/** Foreign code is called while `out[0, written)` waits to be sent. */
export function hold(out: Uint8Array, written: number): void {
  held = out.buffer;
  length = written;
}

/** It has returned. */
export function release(out: Uint8Array): void {
  held = undefined;
  if (kept === undefined) return;
  out.set(kept);
  kept = undefined;
}

/** The memory, to be written to from its beginning. */
export function freed<T extends Uint8Array>(out: T): T {
  if (held === out.buffer && kept === undefined && length > 0) kept = Uint8Array.from(out.subarray(0, length));
  return out;
}
