/**
 * The body of a response on its way to DATA frames: bytes that wait for their turn, and where more come from. A source is
 * asked for its next piece when little of the last one waits, so that a slow client, or one with a closed window, costs
 * no more than that.
 */
import type { LightBody } from "../fetch/mod.ts";
import { keptBytes } from "../http/blob-bytes.ts";
import { BLOB_PART, fileTooShort } from "../http/body-output.ts";
import { TOO_LONG } from "../http/stream-pump.ts";
import { BadResource } from "../runtime/errors.ts";
import { type DiskFile, fileBehind } from "../runtime/file-source.ts";
import { logError } from "../runtime/log.ts";

/** Above this no more is asked for. */
const ENOUGH = 32 * 1024;
/** Characters of a text that are encoded at once. */
const TEXT = 16 * 1024;
/** Memory that small pieces share. */
const SHARED = 4 * 1024;
/** Bytes of a file that are read at once. */
const READ = 64 * 1024;

const NOTHING = new Uint8Array(0);

type Bytes = Uint8Array<ArrayBufferLike>;
/** The next piece; undefined at the end. */
type Source = () => Promise<Bytes | undefined>;

export interface BodyHost {
  /** Bytes have come, or the end. */
  bodyReady(): void;
  /** It can't be sent whole. */
  bodyFailed(error: unknown): void;
}

export class ResponseBody {
  /** Bytes that wait. */
  queued = 0;
  /** Nothing comes behind them. */
  ended = false;
  /** All that waited was taken; for who pushes. */
  drained: (() => void) | undefined;
  /** The source is being waited for. */
  waiting = false;
  readonly #host: BodyHost;
  #chunks: Bytes[] = [];
  /** The last of what small pieces have become, in memory that has room behind it. */
  #shared: Bytes | undefined;
  /** Of the first chunk. */
  #at = 0;
  /** A text that is encoded piece by piece, as there is room for it: its bytes beside it would double what waits. */
  #text = "";
  #textAt = 0;
  /** Bytes that the content-length still promises; -1 where there is none. */
  #left: number;
  #room: (() => void) | undefined;
  #over = false;
  #cancel: ((reason: unknown) => void) | undefined;

  /** `length` is the content-length, -1 for none. */
  constructor(host: BodyHost, length: number) {
    this.#host = host;
    this.#left = length;
  }

  /** Begins to send what a Response has. Its length is known to be that of the constructor where it is no stream. */
  begin(body: LightBody): void {
    if (body === null) this.ended = true;
    else if (typeof body === "string") {
      this.#text = body;
      this.queued = Buffer.byteLength(body);
      this.ended = this.#over = true;
    } else if (body instanceof Uint8Array) this.#whole(body);
    else if (body instanceof Blob) {
      const bytes = keptBytes(body);
      if (bytes !== undefined) this.#whole(bytes);
      else void this.#pump(blobParts(body));
    } else this.#stream(body);
  }

  /** Copies more, for who pushes: small pieces that wait share memory, and are one. */
  push(bytes: Bytes, start: number, end: number): void {
    const size = end - start;
    const waits = this.queued > 0;
    this.queued += size;
    const some = bytes.subarray(start, end);
    if (!waits || size > SHARED / 2) {
      this.#chunks.push(Uint8Array.from(some));
      return;
    }
    let shared = this.#shared;
    let at = shared === undefined ? 0 : shared.byteOffset + shared.length;
    const memory = shared === undefined || at + size > SHARED ? new Uint8Array(SHARED) : new Uint8Array(shared.buffer);
    if (shared === undefined || memory.buffer !== shared.buffer) at = 0;
    memory.set(some, at);
    const last = this.#chunks.length - 1;
    if (at > 0 && this.#chunks[last] === shared) {
      shared = memory.subarray(shared?.byteOffset, at + size);
      this.#chunks[last] = shared;
    } else {
      shared = memory.subarray(at, at + size);
      this.#chunks.push(shared);
    }
    this.#shared = shared;
  }
  /** Nothing more is pushed. */
  finish(): void {
    this.ended = this.#over = true;
  }

  /** Moves `count` bytes that wait to `out[at, …)`. */
  take(out: Uint8Array, at: number, count: number): void {
    this.queued -= count;
    while (count > 0) {
      if (this.#chunks.length === 0) this.#encode();
      const chunk = this.#chunks[0];
      const size = Math.min(count, chunk.length - this.#at);
      out.set(chunk.subarray(this.#at, this.#at + size), at);
      at += size;
      count -= size;
      this.#at += size;
      if (this.#at < chunk.length) break;
      this.#chunks.shift();
      this.#at = 0;
    }
    if (this.queued === 0 && this.drained !== undefined) {
      this.#shared = undefined;
      this.drained();
    }
    if (this.queued >= ENOUGH || this.#room === undefined) return;
    const room = this.#room;
    this.#room = undefined;
    room();
  }

  /** Nobody wants it any more. */
  cancel(reason: unknown): void {
    this.#chunks = [];
    this.#text = "";
    this.queued = 0;
    if (this.#over) return;
    this.#over = true;
    this.#room?.();
    this.#cancel?.(reason);
    this.#cancel = undefined;
  }

  #encode(): void {
    const text = this.#text;
    let to = Math.min(text.length, this.#textAt + TEXT);
    // A pair of surrogates is one character.
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last < 0xdc00) to--;
    this.#chunks.push(Buffer.from(text.slice(this.#textAt, to)));
    this.#textAt = to;
  }

  #whole(bytes: Bytes): void {
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.queued = bytes.length;
    this.ended = true;
    this.#over = true;
  }

  #stream(stream: ReadableStream<Uint8Array>): void {
    const file = fileBehind(stream);
    if (file?.kind === "memory") {
      const bytes = file.left() ?? NOTHING;
      const length = this.#left < 0 ? bytes.length : this.#left;
      if (bytes.length < length) throw fileTooShort(length - bytes.length);
      this.#whole(bytes.subarray(0, length));
      return void stream.cancel().catch(() => {});
    }
    const reader = stream.getReader();
    this.#cancel = (reason) => void reader.cancel(reason).catch(() => {});
    // What says that it is empty may be of those that are made as they are read (/proc).
    if (file?.kind === "disk" && file.left() > 0) {
      void this.#pump(filePieces(file, this.#left), true);
      return;
    }
    void this.#pump(async () => {
      const { done, value } = await reader.read();
      if (done) return undefined;
      if (!(value instanceof Uint8Array))
        throw new TypeError("a body's stream must give Uint8Arrays: expected typed ArrayBufferView");
      return value;
    });
  }

  /** What was announced is what the client gets (RFC 9113, 8.1.1); `#left` is below zero by as much as is too much. */
  #untilLength(chunk: Bytes): Bytes {
    const error = new TypeError(TOO_LONG);
    logError("the rest of a stream was left out", error);
    this.#cancel?.(error);
    this.#cancel = undefined;
    const last = chunk.subarray(0, chunk.length + this.#left);
    this.#left = 0;
    return last;
  }

  /** `closes`: the source is no reader's, whose stream is closed at the end. */
  async #pump(next: Source, closes = false): Promise<void> {
    try {
      for (;;) {
        this.waiting = true;
        let chunk = await next();
        this.waiting = false;
        if (this.#over) return;
        if (chunk === undefined) break;
        if (chunk.length === 0) continue;
        const over = this.#left >= 0 && (this.#left -= chunk.length) < 0;
        if (over) chunk = this.#untilLength(chunk);
        if (chunk.length > 0) this.#chunks.push(chunk);
        this.queued += chunk.length;
        if (over) break;
        this.#host.bodyReady();
        if (this.queued >= ENOUGH) {
          await new Promise<void>((resolve) => {
            this.#room = resolve;
          });
          if (this.#over) return;
        }
      }
      if (this.#left > 0) throw new TypeError("a body's stream gave fewer bytes than its content-length");
      if (closes) this.#cancel?.(undefined);
      this.#cancel = undefined;
      this.#over = true;
      this.ended = true;
      this.#host.bodyReady();
    } catch (error) {
      this.waiting = false;
      if (this.#over) return;
      // What has come before an error may still leave: `cancel` is the owner's to call.
      this.#host.bodyFailed(error);
    }
  }
}

/** A large Blob's own stream gives what it was made of, whole. */
function blobParts(blob: Blob): Source {
  let at = 0;
  return async () => {
    if (at >= blob.size) return undefined;
    const part = new Uint8Array(await blob.slice(at, at + BLOB_PART).arrayBuffer());
    if (part.length === 0) throw new TypeError("a Blob gave fewer bytes than its size");
    at += part.length;
    return part;
  };
}

function filePieces(file: DiskFile, length: number): Source {
  let left = length < 0 ? file.left() : length;
  return async () => {
    if (left === 0) return undefined;
    if (file.fd < 0) throw new BadResource("the file was closed while it was being sent");
    const piece = new Uint8Array(Math.min(left, READ));
    const n = (await file.read(piece)) ?? 0;
    if (n === 0) throw fileTooShort(left);
    left -= n;
    return piece.subarray(0, n);
  };
}
