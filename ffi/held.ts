/**
 * What a completion kernel delivered though its owner had paused, by handle, in order: bytes, and how the
 * connection ended. Only who is sent something while he does not listen has an entry.
 */
import { type HandleTable, OPEN, RECEIVING } from "./handles.ts";
import type { Handle } from "./poller.ts";

interface Entry {
  readonly bytes: Uint8Array[];
  /** An errno, 0 for FIN; undefined while it goes on. */
  end: number | undefined;
}

export class Held {
  readonly #entries = new Map<Handle, Entry>();

  bytes(handle: Handle, bytes: Uint8Array): void {
    this.#entry(handle).bytes.push(bytes);
  }

  end(handle: Handle, errno: number): void {
    this.#entry(handle).end = errno;
  }

  /** The oldest of what is held: bytes, else the end; undefined for nothing. */
  next(handle: Handle): Uint8Array | number | undefined {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return undefined;
    const next = entry.bytes.shift();
    if (next !== undefined) {
      if (this.isEmpty(handle)) this.#entries.delete(handle);
      return next;
    }
    this.#entries.delete(handle);
    return entry.end;
  }

  /** How many bytes are held. */
  length(handle: Handle): number {
    let length = 0;
    for (const bytes of this.#entries.get(handle)?.bytes ?? []) length += bytes.length;
    return length;
  }

  /**
   * Tells the handle's sink of it, piece by piece, until there is another or a pause; `held`, a bit of the state, stands
   * as long as something is left. False when nothing more is to be done for the handle.
   */
  deliver(table: HandleTable, handle: Handle, held: number): boolean {
    // The table's arrays are read anew after each call of a sink, which may open handles, and so replace them.
    const generation = table.generations[handle];
    for (;;) {
      if (table.generations[handle] !== generation || (table.state[handle] & OPEN) === 0) return false;
      if ((table.state[handle] & RECEIVING) === 0) return true;
      const sink = table.sinks[handle];
      const next = this.next(handle);
      if (next === undefined) break;
      if (this.isEmpty(handle)) table.state[handle] &= ~held;
      if (next instanceof Uint8Array) sink?.received(handle, next, 0, next.length);
      else {
        table.state[handle] &= ~RECEIVING;
        if (next === 0) sink?.ended(handle);
        else sink?.failed(handle, next);
        return false;
      }
    }
    table.state[handle] &= ~held;
    return true;
  }

  isEmpty(handle: Handle): boolean {
    const entry = this.#entries.get(handle);
    return entry === undefined || (entry.bytes.length === 0 && entry.end === undefined);
  }

  drop(handle: Handle): void {
    this.#entries.delete(handle);
  }

  #entry(handle: Handle): Entry {
    let entry = this.#entries.get(handle);
    if (entry === undefined) this.#entries.set(handle, (entry = { bytes: [], end: undefined }));
    return entry;
  }
}
