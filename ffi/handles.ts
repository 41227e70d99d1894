/**
 * The table of handles: struct-of-arrays rows that every backend keeps its connections in. A row is a descriptor, a
 * generation, a word of state and a reference to the sink; an idle connection owns nothing else.
 *
 * The generation of a row goes up when its handle is given back. It travels with every request to the kernel, so what
 * comes back for a former life is recognised, however soon the number, or the descriptor, has a new owner.
 */
import type { Handle, Sink } from "./poller.ts";

/*
 * Bits of a handle's `state`, 0 for a free one. Those from 1 << 12 on are the subclass's.
 *   OPEN        set by open, cleared by close
 *   ACCEPTING, RECEIVING, DATAGRAMS   what it is there for; cleared by pause, end and failure
 *   LISTENER    it accepted at some time
 *   CONNECTING  from connect until it is writable
 *   MORE        the kernel may have more to read: it said so, and no call has found the bottom since
 *   HUNG_UP     FIN, reset, error or urgent data was reported: read on until the kernel says that there is no more
 *   BLOCKED     a send met a full buffer: `unsent` holds what is left, or sendTo, sendSome or sendFile waits for room
 *   QUEUED      it stands in `queue`; STALLED: it waits for descriptors or memory, in `#stalled`
 */
export const OPEN = 1;
export const ACCEPTING = 2;
export const RECEIVING = 4;
export const DATAGRAMS = 8;
export const LISTENER = 16;
export const CONNECTING = 32;
export const MORE = 64;
export const HUNG_UP = 128;
export const BLOCKED = 256;
export const QUEUED = 512;
export const STALLED = 1024;
export const READING = ACCEPTING | RECEIVING | DATAGRAMS;

export class HandleTable {
  fds = new Int32Array(1024);
  generations = new Int32Array(1024);
  /** The bits above, and the backend's own; 0 for a free handle. */
  state = new Uint32Array(1024);
  readonly sinks: (Sink | undefined)[] = [];
  /** Handles in use. */
  count = 0;
  /** Handles that were given back, a stack; those from `#high` on were never used. */
  readonly #free: Handle[] = [];
  #high = 0;

  /** The handle that `take` would use, whose generation the kernel must be told first. */
  next(): Handle {
    if (this.#free.length > 0) return this.#free[this.#free.length - 1];
    if (this.#high === this.fds.length) this.#grow();
    return this.#high;
  }

  /** Puts the handle of `next` to use. It may replace the arrays: who holds on to one reads it anew. */
  take(fd: number, state: number, sink: Sink): Handle {
    const handle = this.next();
    if (this.#free.length > 0) this.#free.pop();
    else this.#high++;
    this.fds[handle] = fd;
    this.state[handle] = state;
    this.sinks[handle] = sink;
    this.count++;
    return handle;
  }

  /** Gives a handle back: from here on whatever carries its old generation is of a former life. */
  release(handle: Handle): void {
    this.generations[handle]++;
    this.state[handle] = 0;
    this.sinks[handle] = undefined;
    this.#free.push(handle);
    this.count--;
  }

  #grow(): void {
    const size = this.fds.length * 2;
    const fds = new Int32Array(size);
    fds.set(this.fds);
    this.fds = fds;
    const generations = new Int32Array(size);
    generations.set(this.generations);
    this.generations = generations;
    const state = new Uint32Array(size);
    state.set(this.state);
    this.state = state;
  }
}
