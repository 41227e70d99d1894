/**
 * Copies of bytes that became bodies. The standard wants a copy, since the caller may go on writing into his array.
 *
 * - **An array that has not changed since it was last copied is not copied again.** A program that answers with the same
 *   large array again and again has one copy of it, however many clients are still reading theirs (64 MiB to each of
 *   four clients took 320 MiB). To compare costs what it costs to copy into memory that is there.
 * - **Memory is used again.** New memory costs more than the bytes: the kernel clears each page at its first touch
 *   (measured: 700–1,100 µs per MiB with new memory, 150–230 with memory that was written before). So what a response no
 *   longer needs is remembered, weakly: the garbage collector may have it as it would have had it anyway.
 */
import { largeArray } from "../../ffi/huge-pages.ts";

/** Smaller ones come from memory that malloc(3) has at hand. */
const LARGE = 256 * 1024;
/** Memory remembered. */
const MANY = 16;
/** An array that is found changed each time is compared once in so many times. */
const SELDOM = 64;

/** What copies lie in: always longer than they are, so that who wants to keep a body's bytes makes his own. */
interface Memory {
  readonly buffer: ArrayBuffer;
  /** Bodies that may still be read or sent. Only without any may it be written to. */
  users: number;
  spare: boolean;
}

/** The last copy that was made of an array. */
interface Last {
  readonly start: number;
  readonly length: number;
  memory: WeakRef<Memory>;
  /** How often it is not looked whether it has changed, since it always had; doubled each time. */
  pause: number;
  skip: number;
}

let spares: WeakRef<Memory>[] = [];
/** By the memory's own buffer: it lives as long as one of its views does. */
const memories = new WeakMap<ArrayBuffer, Memory>();
/** By the buffer that was copied from. */
const lasts = new WeakMap<ArrayBufferLike, Last>();

/** A copy of these bytes, perhaps the same as somebody else's. It is only to be read. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  if (length < LARGE) return new Uint8Array(bytes);
  const last = lasts.get(buffer);
  const known = last?.start === byteOffset && last.length === length ? last : undefined;
  const shared = known === undefined ? undefined : unchanged(bytes, known);
  if (shared !== undefined) return shared;
  const memory = take(length) ?? make(length);
  memory.users = 1;
  const copy = new Uint8Array(memory.buffer, 0, length);
  copy.set(bytes);
  if (known !== undefined) known.memory = new WeakRef(memory);
  else lasts.set(buffer, { start: byteOffset, length, memory: new WeakRef(memory), pause: 0, skip: 0 });
  return copy;
}

/** One user less of a copy that `copyOf` made. Once there is none its memory may be the next one's. */
export function giveBack(copy: Uint8Array<ArrayBuffer>): void {
  const memory = memories.get(copy.buffer);
  if (memory === undefined || memory.users === 0 || --memory.users > 0 || memory.spare) return;
  if (spares.length >= MANY) spares = spares.filter((spare) => spare.deref() !== undefined);
  if (spares.length >= MANY) return;
  memory.spare = true;
  spares.push(new WeakRef(memory));
}

/** The last copy of these bytes, if it still says the same. */
function unchanged(bytes: Uint8Array, last: Last): Uint8Array<ArrayBuffer> | undefined {
  if (last.skip > 0) {
    last.skip--;
    return undefined;
  }
  const memory = last.memory.deref();
  if (memory === undefined) return undefined;
  // Without users it may hold another array's bytes by now: that is a change like any other.
  const copy = new Uint8Array(memory.buffer, 0, last.length);
  const same = Buffer.compare(copy, bytes) === 0;
  last.skip = last.pause = same ? 0 : Math.min(SELDOM, last.pause * 2 + 1);
  if (!same) return undefined;
  memory.users++;
  return copy;
}

function make(length: number): Memory {
  const { buffer } = largeArray(length + 1);
  const memory = { buffer, users: 0, spare: false };
  memories.set(buffer, memory);
  return memory;
}

/** Memory for so many bytes, and not for more than twice as many. */
function take(length: number): Memory | undefined {
  for (let i = spares.length - 1; i >= 0; i--) {
    const memory = spares[i].deref();
    const used = memory !== undefined && memory.users > 0;
    const size = memory?.buffer.byteLength ?? 0;
    if (memory !== undefined && !used && (size <= length || size > 2 * length)) continue;
    spares.splice(i, 1);
    if (memory === undefined) continue;
    memory.spare = false;
    if (!used) return memory;
  }
  return undefined;
}
