/**
 * Copies of bytes that became bodies, in memory that is used again.
 *
 * The standard wants a copy, and of a large one the memory costs more than the bytes: the kernel clears each page at
 * its first touch (measured: 700–1,100 µs per MiB with new memory, 150–230 with memory that was written before). So what a
 * response no longer needs is remembered, weakly: the garbage collector may have it as it would have had it anyway.
 */

/** Smaller ones come from memory that malloc(3) has at hand. */
const LARGE = 256 * 1024;
/** Copies remembered. */
const MANY = 16;

let spares: WeakRef<ArrayBuffer>[] = [];

/** A copy of these bytes, its buffer perhaps longer than it. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  const memory = length < LARGE || spares.length === 0 ? undefined : take(length);
  if (memory === undefined) return new Uint8Array(bytes);
  const copy = new Uint8Array(memory, 0, length);
  copy.set(bytes);
  return copy;
}

/** Nobody has, or can get, a copy any more that `copyOf` made: its memory may be the next one's. */
export function giveBack(copy: Uint8Array<ArrayBuffer>): void {
  if (copy.length < LARGE) return;
  if (spares.length >= MANY) spares = spares.filter((spare) => spare.deref() !== undefined);
  if (spares.length < MANY) spares.push(new WeakRef(copy.buffer));
}

/** Memory for so many bytes, and not for more than twice as many. */
function take(length: number): ArrayBuffer | undefined {
  for (let i = spares.length - 1; i >= 0; i--) {
    const memory = spares[i].deref();
    if (memory !== undefined && (memory.byteLength < length || memory.byteLength > 2 * length)) continue;
    spares.splice(i, 1);
    if (memory !== undefined) return memory;
  }
  return undefined;
}
