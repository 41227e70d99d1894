/**
 * The poller's outgoing memory, as the Buffer whose string writers are the fastest there are. Its type does not say so:
 * programs see it in that of WebSockets, and may have no types of Node's.
 */
export type Outgoing = Uint8Array & {
  utf8Write(text: string, at: number): number;
  latin1Write(text: string, at: number): number;
};

/** Memory of one's own, of the same kind, in which pieces gather until they are sent. */
export function newBatch(size: number): Outgoing {
  return Buffer.allocUnsafeSlow(size) as Uint8Array as Outgoing;
}

const buffers = new WeakMap<Uint8Array, Outgoing>();

/** The same memory each time. Valid as `Poller.outgoing` is: until the next call into the poller. */
export function outgoingBuffer(outgoing: Uint8Array<ArrayBuffer>): Outgoing {
  let buffer = buffers.get(outgoing);
  if (buffer === undefined) {
    buffer = Buffer.from(outgoing.buffer, outgoing.byteOffset, outgoing.byteLength) as Uint8Array as Outgoing;
    buffers.set(outgoing, buffer);
  }
  return buffer;
}
