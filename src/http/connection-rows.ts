/**
 * What a server knows of each connection, by handle: numbers in typed arrays, and an object only for those that are not
 * idle.
 */
import type { Handle } from "../../ffi/poller.ts";
import type { HttpConnection } from "./connection.ts";

export class ConnectionRows {
  /** The objects of connections that are not idle. */
  readonly active: (HttpConnection | undefined)[] = [];
  /** 0, or the number that tells this connection from the handle's other owners. */
  serials = new Uint32Array(1024);
  /** 1 until the first request has come. */
  fresh = new Uint8Array(1024);
  /** When it was opened, in whole milliseconds of the clock. */
  openedAt = new Uint32Array(1024);
  /** How many requests have come, where there is a limit to them. */
  requests = new Uint32Array(0);
  /** Whether `requests` is kept. */
  readonly counts: boolean;
  /** Connections open now. */
  count = 0;
  #last = 0;

  constructor(counts = false) {
    this.counts = counts;
    if (counts) this.requests = new Uint32Array(1024);
  }

  open(handle: Handle, now: number): void {
    if (handle >= this.serials.length) this.#grow(handle);
    this.openedAt[handle] = now;
    if (this.active[handle] !== undefined) this.active[handle] = undefined;
    if (this.counts) this.requests[handle] = 0;
    this.#last = (this.#last % 0xffffffff) + 1;
    this.serials[handle] = this.#last;
    this.fresh[handle] = 1;
    this.count++;
  }

  /** A request has come whole. */
  requestCame(handle: Handle): void {
    this.fresh[handle] = 0;
    if (this.counts) this.requests[handle]++;
  }

  has(handle: Handle): boolean {
    return this.serials[handle] > 0;
  }

  forget(handle: Handle): void {
    this.active[handle] = undefined;
    this.serials[handle] = 0;
    this.count--;
  }

  /** The handles of all connections. */
  *handles(): Generator<Handle> {
    for (let handle = 0; handle < this.serials.length; handle++) if (this.serials[handle] !== 0) yield handle;
  }

  #grow(handle: Handle): void {
    const size = Math.max(handle + 1, this.serials.length * 2);
    const grown = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(size);
      larger.set(old);
      return larger;
    };
    this.serials = grown(this.serials);
    this.openedAt = grown(this.openedAt);
    if (this.counts) this.requests = grown(this.requests);
    const fresh = new Uint8Array(size);
    fresh.set(this.fresh);
    this.fresh = fresh;
  }
}
