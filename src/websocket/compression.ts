/**
 * permessage-deflate (RFC 7692) of one connection. What is kept between two messages is not a compressor, 256 KiB each,
 * but what a window of one is made of: the last bytes of what was said, given to the next one as its dictionary. With
 * windows of 4 KiB that costs no more time than beginning anew, and a message like the last one shrinks as far.
 *
 * So a window has a size that is known when the connection opens, and all of them together have a bound: a connection for
 * which nothing is left is told to do without (`no_context_takeover`).
 */
import { webSocketCounters } from "./counters.ts";
import type { Agreement } from "./extensions.ts";

/** Below this a message is sent as it is: 20 µs for a few bytes of it. */
const WORTH_FROM = 512;
/** Nor above: everybody else would wait for 20 ms, and more. */
const WORTH_TO = 1024 * 1024;
/** What every compressed message ends with, and none is sent with (RFC 7692, 7.2.1). */
const TAIL = new Uint8Array([0x00, 0x00, 0xff, 0xff]);
const EMPTY = new Uint8Array([0x00]);
const NO_BYTES = new Uint8Array(0);

export class Compression {
  readonly agreement: Agreement;
  readonly #sent: Window | undefined;
  readonly #received: Window | undefined;
  #held: number;

  constructor(agreement: Agreement) {
    const { serverBits, clientBits, serverKeeps, clientKeeps } = agreement;
    this.agreement = agreement;
    this.#sent = serverKeeps ? new Window(serverBits) : undefined;
    this.#received = clientKeeps ? new Window(clientBits) : undefined;
    this.#held = windowBytes(agreement);
    webSocketCounters.memory += this.#held;
    webSocketCounters.compressed++;
    if (!serverKeeps && !clientKeeps) webSocketCounters.windowless++;
  }

  /** The connection has ended. */
  release(): void {
    webSocketCounters.memory -= this.#held;
    this.#held = 0;
  }

  worthwhile(length: number): boolean {
    return length >= WORTH_FROM && length <= WORTH_TO;
  }

  deflate(bytes: Uint8Array): Uint8Array {
    const deflated = deflateAlone(bytes, this.agreement.serverBits, this.#sent?.bytes);
    this.#sent?.add(bytes);
    return deflated;
  }

  /** What was sent to many, compressed without our window: the client's window has it all the same. */
  sentToMany(bytes: Uint8Array): void {
    this.#sent?.add(bytes);
  }

  /** What the client compressed, if it is no more than `max` bytes. */
  inflate(bytes: Uint8Array, max: number): Uint8Array<ArrayBuffer> | "malformed" | "tooBig" {
    const whole = new Uint8Array(bytes.length + TAIL.length);
    whole.set(bytes);
    whole.set(TAIL, bytes.length);
    const { clientBits } = this.agreement;
    const { constants, inflateRawSync } = zlib();
    const dictionary = this.#received?.bytes;
    try {
      const result = inflateRawSync(whole, {
        windowBits: clientBits,
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: Math.min(max, 0x7fffffff) || 1,
        ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
      });
      this.#received?.add(result);
      // Not a part of Node's pool: the message is the program's.
      const own = result.byteLength === result.buffer.byteLength ? result : Uint8Array.from(result);
      return new Uint8Array(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? "tooBig" : "malformed";
    }
  }
}

/** How much the windows of a connection may take. */
export function windowBytes({ serverKeeps, serverBits, clientKeeps, clientBits }: Agreement): number {
  return (serverKeeps ? 2 ** serverBits : 0) + (clientKeeps ? 2 ** clientBits : 0);
}

/** Compresses a message behind `dictionary`, which the receiver has in its window; without one it fits any receiver. */
export function deflateAlone(bytes: Uint8Array, windowBits: number, dictionary: Uint8Array = NO_BYTES): Uint8Array {
  // RFC 7692, 7.2.3.6.
  if (bytes.length === 0) return EMPTY;
  const { constants, deflateRawSync } = zlib();
  const deflated = deflateRawSync(bytes, {
    windowBits,
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary.length === 0 ? {} : { dictionary }),
  });
  return deflated.subarray(0, deflated.length - TAIL.length);
}

/** Loaded when a client and we have agreed to compress. */
function zlib(): typeof import("node:zlib") {
  return process.getBuiltinModule("node:zlib");
}

/** The last bytes of one direction. */
class Window {
  readonly #size: number;
  #memory = NO_BYTES;
  #length = 0;

  constructor(bits: number) {
    this.#size = 2 ** bits;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  add(bytes: Uint8Array): void {
    const size = this.#size;
    const added = bytes.length > size ? bytes.subarray(bytes.length - size) : bytes;
    const kept = Math.min(this.#length, size - added.length);
    const length = kept + added.length;
    if (length > this.#memory.length) {
      const larger = new Uint8Array(Math.min(size, Math.max(length, this.#memory.length * 2)));
      larger.set(this.#memory.subarray(this.#length - kept, this.#length));
      this.#memory = larger;
    } else if (kept < this.#length) this.#memory.copyWithin(0, this.#length - kept, this.#length);
    this.#memory.set(added, kept);
    this.#length = length;
  }
}
