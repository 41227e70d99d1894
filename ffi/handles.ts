/**
 * The table of handles: struct-of-arrays rows that every backend keeps its connections in. A row is a descriptor, a
 * generation, a word of state and a reference to the sink; an idle connection owns nothing else.
 *
 * The generation of a row goes up when its handle is given back. It travels with every request to the kernel, so what
 * comes back for a former life is recognised, however soon the number, or the descriptor, has a new owner.
 */
import type { Handle, Sink } from "./poller.ts";

export class HandleTable {
  fds = new Int32Array(1024);
  generations = new Int32Array(1024);
  /** The backend's own bits; 0 for a free handle. */
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
