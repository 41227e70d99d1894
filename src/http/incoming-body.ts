/**
 * A body on its way in, a request's to its handler or a response's to who fetched it, with back-pressure: at most `bodyHighWater` bytes wait here, then
 * the connection stops receiving until the handler reads on. Bytes are copied out of the poller's lent memory once.
 */
import { largeArray } from "../../ffi/huge-pages.ts";
import { BadResource, ConnectionReset } from "../runtime/errors.ts";
import { madeGarbage } from "../runtime/young-garbage.ts";
import { ChunkedDecoder } from "./chunked.ts";

/** What a body asks of its connection. */
export interface BodyOwner {
  /** The body has room: go on receiving. */
  resumeBody(): void;
  /** Too much waits: stop receiving until `resumeBody`. */
  pauseBody(): void;
  /** The handler asks for the body for the first time: time for "100 Continue" (RFC 9110, 10.1.1). */
  bodyWanted(): void;
  /** The reader wants no more of it. */
  bodyCancelled?(reason: unknown): void;
}

/** Bytes that small pieces share. */
const SHARED = 8 * 1024;
/** Up to here, small pieces that wait for a reader become one: fewer reads for it, and little to copy. */
const JOINED = 16 * 1024;
/** Where the memory of a body that is read whole begins, and by how much it grows. */
const WHOLE = 16 * 1024;
const GROWTH = 8;

export class IncomingBody {
  /** All bytes have arrived, whether or not the handler has read them. */
  complete = false;

  readonly #owner: BodyOwner;
  readonly #highWater: number;
  readonly #length: number;
  /** Bytes still to come, for a body with a length; -1 for a chunked one. */
  #remaining: number;
  readonly #decoder: ChunkedDecoder | undefined;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** Where small pieces gather; it goes behind `#chunks` when it is full, or when a larger piece comes. */
  #shared: Uint8Array<ArrayBuffer> | undefined;
  #sharedEnd = 0;
  #buffered = 0;
  #received = 0;
  #paused = false;
  #wanted = false;
  #discarding = false;
  #error: unknown;
  #controller: ReadableByteStreamController | undefined;
  /** The promise of a pull that waits for bytes. */
  #pulled: (() => void) | undefined;
  /** The trailer fields behind it, name, value, …; undefined until all of the request has come. */
  #trailers: readonly string[] | undefined;
  #asked: PromiseWithResolvers<readonly string[]> | undefined;
  /** Why they will not come. */
  #cut: unknown;
  #all: { resolve(bytes: Uint8Array<ArrayBuffer>): void; reject(error: unknown): void } | undefined;
  /**
   * Where a body with a length gathers that is read whole. It grows with what has come: a length alone, which costs a
   * client nothing, must not cost us memory.
   */
  #whole: Uint8Array<ArrayBuffer> | undefined;

  /** `length` is the Content-Length, -1 for the chunked coding, or Infinity for what ends with the connection. */
  constructor(owner: BodyOwner, length: number, highWater: number) {
    this.#owner = owner;
    this.#length = length;
    this.#remaining = length;
    this.#highWater = highWater;
    this.#decoder = length < 0 ? new ChunkedDecoder() : undefined;
  }

  /** Bytes that have arrived so far. */
  get received(): number {
    return this.#received;
  }
  /** Bytes that wait for the handler; none when it is the handler that waits, for all of them. */
  get unread(): number {
    return this.#all === undefined ? this.#buffered : 0;
  }
  /** Somebody has begun to read it. */
  get wanted(): boolean {
    return this.#wanted;
  }
  /** Only the connection's end tells where it ends. */
  get unframed(): boolean {
    return this.#length === Number.POSITIVE_INFINITY;
  }
  /** The owner was asked to stop receiving. */
  get paused(): boolean {
    return this.#paused;
  }
  /** Why the body could not arrive whole, once that is known. */
  get failure(): unknown {
    return this.#error;
  }
  /** Bytes that must still come; Infinity when that is not known. */
  get outstanding(): number {
    if (this.complete) return 0;
    return this.#remaining < 0 ? Number.POSITIVE_INFINITY : this.#remaining;
  }

  /** Takes what belongs to the body from `bytes[start, end)`. Returns the index behind it, or -1 if malformed. */
  feed(bytes: Uint8Array, start: number, end: number): number {
    let at: number;
    if (this.#decoder === undefined) {
      at = Math.min(end, start + this.#remaining);
      this.#remaining -= at - start;
      if (at > start) this.#take(bytes, start, at);
      if (this.#remaining === 0) this.complete = true;
    } else {
      at = this.#decoder.decode(bytes, start, end, (from, to) => {
        this.#take(bytes, from, to);
        return true;
      });
      if (at < 0) return -1;
      if (this.#decoder.done) this.complete = true;
    }
    this.#deliver();
    return at;
  }

  /** The connection has ended, and with it a body that has no other end. */
  end(): void {
    this.complete = true;
    this.#deliver();
  }

  /** All of its message has come, which HTTP/2 says behind a body that was complete by its length. */
  ended(trailers: readonly string[] = this.#decoder?.trailers ?? []): void {
    this.#trailers = trailers;
    this.#asked?.resolve(trailers);
  }

  /** The same, without waiting: undefined while they may still come. */
  get knownTrailers(): readonly string[] | undefined {
    return this.#trailers;
  }

  /** The fields behind it, when they have come. */
  trailers(): Promise<readonly string[]> {
    if (this.#trailers !== undefined) return Promise.resolve(this.#trailers);
    if (this.#cut !== undefined) return Promise.reject(this.#cut);
    return (this.#asked ??= Promise.withResolvers()).promise;
  }

  /** The body can't arrive whole: whoever reads it is told. */
  fail(error: unknown): void {
    if (!this.complete) this.#failReader(error);
    else if (this.#trailers === undefined) this.#endless(error);
  }

  /** The handler is done: what still comes is dropped, and a reader that is left over is told. */
  discard(): void {
    if (this.#discarding) return;
    if (!this.complete || this.#buffered > 0) {
      this.#failReader(new BadResource("the request was answered before its body was read"));
    }
    this.#discarding = true;
    this.#resume();
  }

  /** The body as a byte stream. Call it, or `readAll`, once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream(
      {
        type: "bytes",
        start: (controller) => {
          this.#controller = controller;
          if (this.#error !== undefined) controller.error(this.#error);
        },
        pull: (controller) => {
          this.#want();
          if (this.#error !== undefined) return;
          if (this.#buffered > 0 || this.complete) return this.#give(controller);
          return new Promise<void>((resolve) => {
            this.#pulled = resolve;
          });
        },
        cancel: (reason: unknown) => {
          this.#controller = undefined;
          this.discard();
          this.#owner.bodyCancelled?.(reason);
        },
      },
      // Bytes wait here, where they are counted, and not in the stream's own queue.
      { highWaterMark: 0 },
    );
  }

  /** The body as one array. Call it, or `stream`, once. */
  readAll(): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      this.#all = { resolve, reject };
      if (this.#remaining > 0 && this.#length < Number.POSITIVE_INFINITY) this.#gather();
      this.#want();
      this.#resume();
      this.#deliver();
    });
  }

  #want(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    if (!this.complete) this.#owner.bodyWanted();
  }

  #take(bytes: Uint8Array, from: number, to: number): void {
    this.#received += to - from;
    if (this.#discarding || this.#error !== undefined) return;
    const length = to - from;
    if (this.#whole !== undefined) {
      this.#room(length).set(bytes.subarray(from, to), this.#buffered);
      this.#buffered += length;
      return;
    }
    this.#buffered += length;
    // Behind other bytes, small pieces share memory: a client that sends chunks of one byte must not cost us an
    // array for each.
    if (this.#chunks.length > 0 && length < SHARED / 4) {
      if (this.#shared === undefined || this.#sharedEnd + length > SHARED) {
        this.#closeShared();
        this.#shared = new Uint8Array(SHARED);
      }
      this.#shared.set(bytes.subarray(from, to), this.#sharedEnd);
      this.#sharedEnd += length;
      return;
    }
    this.#closeShared();
    this.#chunks.push(bytes.slice(from, to) as Uint8Array<ArrayBuffer>);
    madeGarbage(length);
  }

  #closeShared(): void {
    if (this.#shared !== undefined) this.#chunks.push(this.#shared.subarray(0, this.#sharedEnd));
    this.#shared = undefined;
    this.#sharedEnd = 0;
  }

  #deliver(): void {
    if (this.#all !== undefined) {
      if (!this.complete) return;
      const { resolve } = this.#all;
      this.#all = undefined;
      resolve(this.#whole ?? this.#joined());
      this.#whole = undefined;
      return;
    }
    if (this.#pulled !== undefined && this.#controller !== undefined && (this.#buffered > 0 || this.complete)) {
      const pulled = this.#pulled;
      this.#pulled = undefined;
      this.#give(this.#controller);
      pulled();
    }
    if (this.#buffered >= this.#highWater && !this.complete && !this.#paused) {
      this.#paused = true;
      this.#owner.pauseBody();
    }
  }

  /** Answers one pull. More than it takes waits here, where it is seen how fast the handler reads. */
  #give(controller: ReadableByteStreamController): void {
    if (this.#buffered > 0) controller.enqueue(this.#part());
    if (this.complete && this.#buffered === 0) {
      this.#controller = undefined;
      controller.close();
      // A reader that brought its own buffer is answered with 0 bytes (Streams, 4.7.3).
      controller.byobRequest?.respond(0);
      return;
    }
    if (this.#buffered < this.#highWater) this.#resume();
    // It stays paused, but the handler has moved: its time begins anew.
    else if (this.#paused && !this.complete) this.#owner.pauseBody();
  }

  /**
   * What a reader gets at once: a piece as it came, or small ones together. The last ones too: from here on the handler
   * has one time for all that is left, and no clock sees how it reads on.
   */
  #part(): Uint8Array<ArrayBuffer> {
    if (this.#buffered <= JOINED || this.complete) return this.#joined();
    this.#closeShared();
    const chunks = this.#chunks;
    let count = 1;
    let length = chunks[0].length;
    while (count < chunks.length && length + chunks[count].length <= JOINED) length += chunks[count++].length;
    this.#buffered -= length;
    return join(chunks.splice(0, count), length);
  }

  #failReader(error: unknown): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#chunks = [];
    this.#shared = undefined;
    this.#sharedEnd = 0;
    this.#whole = undefined;
    this.#buffered = 0;
    this.#all?.reject(error);
    this.#all = undefined;
    this.#controller?.error(error);
    this.#controller = undefined;
    this.#pulled?.();
    this.#pulled = undefined;
    if (this.#trailers === undefined) this.#endless(error);
  }

  #endless(error: unknown): void {
    this.#cut ??= error;
    this.#asked?.reject(error);
  }

  /** From here on bytes go where they will stay. */
  #gather(): void {
    const length = this.#length;
    const begun = this.#joined();
    this.#buffered = begun.length;
    this.#whole = new Uint8Array(Math.min(length, Math.max(WHOLE, begun.length * GROWTH)));
    this.#whole.set(begun);
  }

  /** The whole's memory, with room for so many bytes more. */
  #room(more: number): Uint8Array<ArrayBuffer> {
    const before = this.#whole;
    const needed = this.#buffered + more;
    if (before !== undefined && needed <= before.length) return before;
    // In the end it is exactly as long as the body.
    const whole = largeArray(Math.min(this.#length, needed * GROWTH));
    if (before !== undefined) whole.set(before);
    return (this.#whole = whole);
  }

  #joined(): Uint8Array<ArrayBuffer> {
    this.#closeShared();
    const joined = join(this.#chunks, this.#buffered);
    this.#chunks = [];
    this.#buffered = 0;
    return joined;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#owner.resumeBody();
  }
}

function join(chunks: readonly Uint8Array<ArrayBuffer>[], length: number): Uint8Array<ArrayBuffer> {
  if (chunks.length === 1) return chunks[0];
  const joined = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** The error that a half-received body ends with. */
export function bodyCutShort(): Error {
  return new ConnectionReset("the client went away before the request's body was complete");
}
