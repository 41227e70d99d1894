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
  /** Connections open now. */
  count = 0;
  #last = 0;

  open(handle: Handle): void {
    if (handle >= this.serials.length) this.#grow(handle);
    this.#last = (this.#last % 0xffffffff) + 1;
    this.serials[handle] = this.#last;
    this.fresh[handle] = 1;
    this.count++;
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
    const serials = new Uint32Array(size);
    serials.set(this.serials);
    this.serials = serials;
    const fresh = new Uint8Array(size);
    fresh.set(this.fresh);
    this.fresh = fresh;
  }
}
