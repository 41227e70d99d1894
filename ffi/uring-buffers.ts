/**
 * The ring of provided buffers: the kernel puts what it receives into the next one, so that a connection that waits for
 * bytes owns no memory. Buffers are lent to a sink for a call and given back at once.
 *
 * Few are in the ring at first, since the kernel goes through all of them in turn and so through the processor's cache;
 * when they run out (ENOBUFS) more are added.
 */

import type { KernelMemory } from "./system.ts";
import type { UringCalls } from "./uring-calls.ts";
import type { Ring } from "./uring-ring.ts";

const REGISTER_PBUF_RING = 22;
/** Of one buffer. What arrives in larger pieces is received buffer by buffer. */
export const BUFFER_BYTES = 64 * 1024;
/** Entries of the ring, a power of two. */
const MOST = 128;
/**
 * At first; each time they run out there are twice as many. V8 counts them as memory that its collector answers for:
 * with 32 MiB from the start, a process that ended at once could wait for a collection that never came.
 */
const FIRST = 16;

export class ProvidedBuffers {
  readonly group = 0;
  /** One view a buffer, made when it is first added. */
  readonly views: Uint8Array<ArrayBuffer>[] = [];
  readonly #memory: KernelMemory[] = [];
  /** The address of each. */
  readonly #addresses: number[] = [];
  readonly #ring: KernelMemory;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #calls: UringCalls;
  #tail = 0;
  #told = 0;

  /** Throws one sentence when the kernel refuses. */
  constructor(calls: UringCalls, ring: Ring) {
    this.#calls = calls;
    const entries = calls.map(MOST * 16, -1, 0);
    if (typeof entries === "number") throw new Error(`no memory for receiving: errno ${-entries}`);
    this.#ring = entries;
    this.#words = new Uint32Array(entries.buffer);
    this.#halves = new Uint16Array(entries.buffer);
    // struct io_uring_buf_reg: address, entries and group
    const argument = new BigUint64Array([
      BigInt(entries.address),
      BigInt(MOST) | (BigInt(this.group) << 32n),
      0n,
      0n,
      0n,
    ]);
    const registered = ring.register(REGISTER_PBUF_RING, argument, 1);
    if (registered < 0) {
      this.dispose();
      throw new Error(`io_uring takes no ring of buffers: errno ${-registered}`);
    }
    if (!this.#add(FIRST)) {
      this.dispose();
      throw new Error("no memory for receiving");
    }
    this.tell();
  }

  /** A buffer's bytes are nobody's any more. The kernel sees it at the next `tell`. */
  give(id: number): void {
    const at = (this.#tail & (MOST - 1)) * 4;
    const address = this.#addresses[id];
    this.#words[at] = address >>> 0;
    this.#words[at + 1] = Math.floor(address / 0x100000000);
    this.#words[at + 2] = BUFFER_BYTES;
    // Of the last word only the buffer's id: in the first entry the rest of it is the ring's tail.
    this.#halves[at * 2 + 6] = id;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  /** The kernel may use what was given back. */
  tell(): void {
    if (this.#told === this.#tail) return;
    this.#told = this.#tail;
    Atomics.store(this.#halves, 7, this.#tail);
  }

  /** They had run out: twice as many from now on, if there is memory. */
  grow(): void {
    if (this.views.length < MOST) this.#add(this.views.length);
    this.tell();
  }

  /** After the ring's end. */
  dispose(): void {
    for (const memory of this.#memory) this.#calls.unmap(memory);
    this.#calls.unmap(this.#ring);
  }

  #add(count: number): boolean {
    const memory = this.#calls.map(count * BUFFER_BYTES, -1, 0);
    if (typeof memory === "number") return false;
    this.#memory.push(memory);
    for (let at = 0; at < count * BUFFER_BYTES; at += BUFFER_BYTES) {
      const id = this.views.length;
      this.views.push(new Uint8Array(memory.buffer, at, BUFFER_BYTES));
      this.#addresses.push(memory.address + at);
      this.give(id);
    }
    return true;
  }
}
