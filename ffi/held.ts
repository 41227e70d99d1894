/**
 * What a completion kernel delivered though its owner had paused, by handle, in order: bytes, accepted descriptors, and
 * how the connection ended. Only who is sent something while he does not listen has an entry.
 */
import type { Handle } from "./poller.ts";

interface Entry {
  readonly bytes: Uint8Array[];
  readonly descriptors: number[];
  /** An errno, 0 for FIN; undefined while it goes on. */
  end: number | undefined;
}

export class Held {
  readonly #entries = new Map<Handle, Entry>();

  bytes(handle: Handle, bytes: Uint8Array): void {
    this.#entry(handle).bytes.push(bytes);
  }

  descriptor(handle: Handle, fd: number): void {
    this.#entry(handle).descriptors.push(fd);
  }

  end(handle: Handle, errno: number): void {
    this.#entry(handle).end = errno;
  }

  /** The oldest of what is held: bytes, else a descriptor, else the end; undefined for nothing. */
  next(handle: Handle): Uint8Array | number | undefined {
    const entry = this.#entries.get(handle);
    if (entry === undefined) return undefined;
    const next = entry.bytes.shift() ?? entry.descriptors.shift();
    if (next !== undefined) {
      if (this.isEmpty(handle)) this.#entries.delete(handle);
      return next;
    }
    this.#entries.delete(handle);
    return entry.end;
  }

  isEmpty(handle: Handle): boolean {
    const entry = this.#entries.get(handle);
    return (
      entry === undefined || (entry.bytes.length === 0 && entry.descriptors.length === 0 && entry.end === undefined)
    );
  }

  /** Forgets it; the descriptors are the caller's to close. */
  drop(handle: Handle): readonly number[] {
    const entry = this.#entries.get(handle);
    this.#entries.delete(handle);
    return entry?.descriptors ?? [];
  }

  #entry(handle: Handle): Entry {
    let entry = this.#entries.get(handle);
    if (entry === undefined) this.#entries.set(handle, (entry = { bytes: [], descriptors: [], end: undefined }));
    return entry;
  }
}
