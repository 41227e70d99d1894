/**
 * The bytes of sends that wait for the turn's enter, in memory that the kernel may read. Each send has a number while it
 * is here. All of it is free again when all of them have ended, which is after each enter (`uring.ts` says why).
 */
import type { Handle } from "./poller.ts";
import type { KernelMemory } from "./system.ts";
import { IO_LINK, LENGTH, type Ring } from "./uring-ring.ts";

const SENDS = 1024;
/** Up to here a loop is faster than the call of `copyWithin`. */
const SHORT = 64;

export class Arena {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Sends under way: [first, last). */
  first = 0;
  last = 0;
  readonly #address: number;
  readonly #handles = new Int32Array(SENDS);
  readonly #starts = new Int32Array(SENDS);
  readonly #lengths = new Int32Array(SENDS);
  /** Where each one's request stands, and the running number behind it. */
  readonly #requests = new Int32Array(SENDS);
  readonly #serials = new Int32Array(SENDS);
  /** Whether the request behind it waits for it. */
  readonly #linked = new Uint8Array(SENDS);
  readonly #begin: number;
  #end: number;

  /** In `memory`, behind its first `begin` bytes, which are what is sent from. */
  constructor(memory: KernelMemory, begin: number) {
    this.bytes = new Uint8Array(memory.buffer);
    this.#address = memory.address;
    this.#begin = begin;
    this.#end = begin;
  }

  get count(): number {
    return this.last - this.first;
  }

  fits(length: number): boolean {
    return this.#end + length <= this.bytes.length && this.last < SENDS;
  }

  /** Copies what stands at [start, end); the send's number. It must fit. */
  put(handle: Handle, start: number, end: number): number {
    const number = this.last++;
    this.#linked[number] = 0;
    this.#handles[number] = handle;
    this.#starts[number] = this.#end;
    this.#lengths[number] = end - start;
    this.#copy(start, end);
    return number;
  }

  asked(number: number, request: number, serial: number): void {
    this.#requests[number] = request;
    this.#serials[number] = serial;
  }

  /** More for the handle whose send is the last of all and still with us; else false. */
  append(handle: Handle, start: number, end: number, ring: Ring): boolean {
    const number = this.last - 1;
    if (number < this.first || this.#handles[number] !== handle || this.wasTaken(number, ring.taken)) return false;
    if (this.#end + end - start > this.bytes.length) return false;
    this.#copy(start, end);
    this.#lengths[number] += end - start;
    ring.words[this.#requests[number] + LENGTH] = this.#lengths[number];
    return true;
  }

  /** Lets the next request begin only when the handle's send went whole, if that is the request before it. */
  linkLast(handle: Handle, ring: Ring): boolean {
    const number = this.last - 1;
    if (number < this.first || this.#handles[number] !== handle || this.#serials[number] !== ring.next) return false;
    if (!ring.hasRoom || this.wasTaken(number, ring.taken)) return false;
    ring.flag(this.#requests[number], IO_LINK);
    this.#linked[number] = 1;
    return true;
  }

  isLinked(number: number): boolean {
    return this.#linked[number] === 1;
  }
  handleOf(number: number): Handle {
    return this.#handles[number];
  }
  startOf(number: number): number {
    return this.#starts[number];
  }
  lengthOf(number: number): number {
    return this.#lengths[number];
  }
  addressOf(number: number): number {
    return this.#address + this.#starts[number];
  }

  /** Whether the kernel has taken it, `taken` being how many requests it has been given. */
  wasTaken(number: number, taken: number): boolean {
    return ((taken - this.#serials[number]) | 0) >= 0;
  }

  /** If none is under way, its memory begins anew. */
  rest(): void {
    if (this.first < this.last) return;
    this.first = this.last = 0;
    this.#end = this.#begin;
  }

  #copy(start: number, end: number): void {
    const { bytes } = this;
    let at = this.#end;
    if (end - start > SHORT) {
      bytes.copyWithin(at, start, end);
      at += end - start;
    } else for (let i = start; i < end; i++) bytes[at++] = bytes[i];
    this.#end = at;
  }
}
