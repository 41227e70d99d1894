/** The poller's outgoing memory, as the Buffer whose string writers are the fastest there are. */
export type Outgoing = Buffer & {
  utf8Write(text: string, at: number): number;
  latin1Write(text: string, at: number): number;
};

const buffers = new WeakMap<Uint8Array, Outgoing>();

/** The same memory each time. Valid as `Poller.outgoing` is: until the next call into the poller. */
export function outgoingBuffer(outgoing: Uint8Array<ArrayBuffer>): Outgoing {
  let buffer = buffers.get(outgoing);
  if (buffer === undefined) {
    buffer = Buffer.from(outgoing.buffer, outgoing.byteOffset, outgoing.byteLength) as Outgoing;
    buffers.set(outgoing, buffer);
  }
  return buffer;
}

/**
 * Answers to pipelined requests lie in that memory while the next handler runs. Whoever writes a message into it then, as a
 * handler does that sends to a WebSocket, asks for it here: what lies there is kept aside until the handler has returned.
 */
let held = 0;
let kept: Uint8Array | undefined;

/** Foreign code is called while `out[0, written)` waits to be sent. */
export function hold(written: number): void {
  held = written;
}

/** It has returned. */
export function release(out: Outgoing): void {
  held = 0;
  if (kept === undefined) return;
  out.set(kept);
  kept = undefined;
}

/** The memory, to be written to from its beginning. */
export function freed(out: Outgoing): Outgoing {
  if (held > 0 && kept === undefined) kept = Uint8Array.from(out.subarray(0, held));
  return out;
}
