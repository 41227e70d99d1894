/**
 * What a completion kernel delivered though its owner had paused, by handle, in order: bytes, and how the
 * connection ended. Only who is sent something while he does not listen has an entry.
 */
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
