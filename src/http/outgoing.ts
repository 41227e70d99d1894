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
