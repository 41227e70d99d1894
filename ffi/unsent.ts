/**
 * What full send buffers left over, by handle: a copy, since the caller's bytes are his again when `send` returns. Only
 * a peer that does not read has an entry.
 */
import type { Handle } from "./poller.ts";

export class Unsent {
  readonly #rests = new Map<Handle, Uint8Array>();

  /** What waits, or nothing. */
  get(handle: Handle): Uint8Array | undefined {
    return this.#rests.get(handle);
  }

  /** Keeps a copy of `bytes[start, end)` behind what waits already. */
  add(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    const before = this.#rests.get(handle);
    const length = before === undefined ? 0 : before.length;
    // Not slice: that of a Buffer is a view.
    const joined = new Uint8Array(length + end - start);
    if (before !== undefined) joined.set(before);
    joined.set(bytes.subarray(start, end), length);
    this.#rests.set(handle, joined);
  }

  /** The kernel took `count` bytes of what waits. */
  took(handle: Handle, count: number): void {
    const rest = this.#rests.get(handle);
    if (rest === undefined) return;
    if (count < rest.length) this.#rests.set(handle, rest.subarray(count));
    else this.#rests.delete(handle);
  }

  delete(handle: Handle): void {
    this.#rests.delete(handle);
  }
}
