/**
 * Operations that Windows has been asked for. Each has a number, and 64 bytes outside the JS heap that must not move
 * until its completion has been taken: OVERLAPPED (32), WSABUF (16), a receive's flags. A completion names the address.
 */
import { BUFFER_AT, FLAGS_AT } from "./iocp-calls.ts";
import type { Handle } from "./poller.ts";
import type { System } from "./system.ts";

const BYTES = 64;
/** Of the first piece of memory; each further one is twice as large, and none is ever given back. */
const FIRST = 1024;

export class Operations {
  /** What each is; 0 for none. */
  kinds = new Uint8Array(FIRST);
  handles = new Int32Array(FIRST);
  /** The socket of an accept; the send buffer of a send. */
  extras = new Int32Array(FIRST);
  readonly #system: System;
  readonly #bases: number[] = [];
  readonly #words: Uint32Array[] = [];
  readonly #free: number[] = [];
  #high = 0;

  constructor(system: System) {
    this.#system = system;
  }

  /** With no bytes to be sent or received, and no flags. */
  take(kind: number, handle: Handle, extra = 0): number {
    const operation = this.#free.pop() ?? this.#more();
    this.kinds[operation] = kind;
    this.handles[operation] = handle;
    this.extras[operation] = extra;
    const piece = pieceOf(operation);
    const at = ((operation + FIRST - (FIRST << piece)) * BYTES) >> 2;
    this.#words[piece].fill(0, at, at + (BYTES >> 2));
    return operation;
  }

  give(operation: number): void {
    this.kinds[operation] = 0;
    this.#free.push(operation);
  }

  addressOf(operation: number): number {
    const piece = pieceOf(operation);
    return this.#bases[piece] + (operation + FIRST - (FIRST << piece)) * BYTES;
  }

  /** Whose OVERLAPPED lies there; -1 for nobody's. */
  at(address: number): number {
    for (const [piece, base] of this.#bases.entries()) {
      const offset = (address - base) / BYTES;
      if (offset >= 0 && offset < FIRST << piece) return (FIRST << piece) - FIRST + offset;
    }
    return -1;
  }

  setBuffer(operation: number, address: number, length: number): void {
    const piece = pieceOf(operation);
    const words = this.#words[piece];
    const at = ((operation + FIRST - (FIRST << piece)) * BYTES + BUFFER_AT) >> 2;
    words[at] = length;
    words[at + 2] = address >>> 0;
    words[at + 3] = Math.floor(address / 0x100000000);
  }

  setFlags(operation: number, flags: number): void {
    const piece = pieceOf(operation);
    this.#words[piece][((operation + FIRST - (FIRST << piece)) * BYTES + FLAGS_AT) >> 2] = flags;
  }

  #more(): number {
    const operation = this.#high++;
    const piece = pieceOf(operation);
    if (piece === this.#bases.length) {
      const memory = this.#system.allocate((FIRST << piece) * BYTES);
      this.#bases.push(memory.address);
      this.#words.push(new Uint32Array(memory.buffer));
      if (piece > 0) {
        const size = (FIRST << (piece + 1)) - FIRST;
        const { kinds, handles, extras } = this;
        this.kinds = new Uint8Array(size);
        this.kinds.set(kinds);
        this.handles = new Int32Array(size);
        this.handles.set(handles);
        this.extras = new Int32Array(size);
        this.extras.set(extras);
      }
    }
    return operation;
  }
}

/** FIRST operations lie in piece 0, the 2 × FIRST behind them in piece 1, and so on. */
function pieceOf(operation: number): number {
  return 31 - Math.clz32(operation + FIRST) - 10;
}
