/**
 * Cuts what a peer sends into frames (RFC 9113, 4.1). A frame that lies whole in the poller's lent memory is read
 * there; the payload of one that comes in parts is kept until it is whole, but for DATA, which is passed on as it comes.
 */
import { giveBuffer, takeBuffer } from "../runtime/spare-buffers.ts";
import { FRAME_SIZE_ERROR, PROTOCOL_ERROR } from "./errors.ts";
import { DATA, FRAME_HEAD, FRAME_MAX, PADDED, PREFACE, readUint31 } from "./frames.ts";

/** Who is told of the frames. Once `closed`, it hears nothing more. */
export interface FrameSink {
  readonly closed: boolean;
  /** No further frame is to be read now. */
  readonly enough?: boolean;
  frame(type: number, flags: number, stream: number, bytes: Uint8Array, start: number, end: number): void;
  /** A DATA frame begins, with a payload of `length` bytes, padding included. */
  dataBegan(stream: number, flags: number, length: number): void;
  /** A part of what it carries. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** All of it has come. */
  dataEnded(): void;
  /** What came is no frame that we could read. */
  fail(code: number, why: string): void;
}

export class FrameReader {
  /** How much of the preface has come: a server's peer begins with one. */
  #preface: number;
  /** The head of a frame that was cut, and how much of it there is. */
  #head: Uint8Array | undefined;
  #headLength = 0;
  /** The payload of a frame that is not DATA, and how much of it there is. */
  #payload: Uint8Array<ArrayBuffer> | undefined;
  #payloadSize = 0;
  #payloadLength = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  /** Of a DATA frame: bytes that still come, and how many of the last ones are padding; -1 until that was said. */
  #dataLeft = 0;
  #padding = 0;
  #inData = false;

  constructor(preface = true) {
    this.#preface = preface ? 0 : PREFACE.length;
  }

  /** The preface is not whole yet. */
  get waitsForPreface(): boolean {
    return this.#preface < PREFACE.length;
  }
  /** Part of a frame other than DATA has come. */
  get within(): boolean {
    return this.#payload !== undefined || this.#headLength > 0;
  }

  /** Reads `bytes[start, end)`. Returns the index of what was left: `end`, but where the sink had enough before. */
  feed(bytes: Uint8Array, start: number, end: number, sink: FrameSink): number {
    let at = start;
    if (this.#preface < PREFACE.length) {
      while (at < end && this.#preface < PREFACE.length) {
        if (bytes[at++] !== PREFACE[this.#preface++]) {
          sink.fail(PROTOCOL_ERROR, "no preface of HTTP/2");
          return end;
        }
      }
    }
    while (!sink.closed) {
      if (this.#inData) {
        at = this.#data(bytes, at, end, sink);
        if (this.#inData) return end;
        continue;
      }
      if (this.#payload !== undefined) {
        const size = Math.min(end - at, this.#payloadSize - this.#payloadLength);
        this.#payload.set(bytes.subarray(at, at + size), this.#payloadLength);
        this.#payloadLength += size;
        at += size;
        const payload = this.#payload;
        if (this.#payloadLength < this.#payloadSize) return end;
        this.#payload = undefined;
        sink.frame(this.#type, this.#flags, this.#stream, payload, 0, this.#payloadSize);
        giveBuffer(payload);
        continue;
      }
      if (at >= end) return end;
      if (sink.enough) return at;
      if (this.#headLength > 0 || end - at < FRAME_HEAD) {
        const head = (this.#head ??= new Uint8Array(FRAME_HEAD));
        const size = Math.min(end - at, FRAME_HEAD - this.#headLength);
        head.set(bytes.subarray(at, at + size), this.#headLength);
        this.#headLength += size;
        at += size;
        if (this.#headLength < FRAME_HEAD) return end;
        this.#headLength = 0;
        at = this.#begin(head, 0, bytes, at, end, sink);
      } else at = this.#begin(bytes, at, bytes, at + FRAME_HEAD, end, sink);
    }
    return end;
  }

  /** A frame whose head stands at `head[from]` and whose payload begins at `bytes[at]`. Returns the index behind it. */
  #begin(head: Uint8Array, from: number, bytes: Uint8Array, at: number, end: number, sink: FrameSink): number {
    const length = (head[from] << 16) | (head[from + 1] << 8) | head[from + 2];
    const type = head[from + 3];
    const flags = head[from + 4];
    const stream = readUint31(head, from + 5);
    if (length > FRAME_MAX) {
      sink.fail(FRAME_SIZE_ERROR, "a frame that is larger than SETTINGS_MAX_FRAME_SIZE");
      return end;
    }
    if (type === DATA) {
      this.#inData = true;
      this.#dataLeft = length;
      this.#padding = (flags & PADDED) !== 0 ? -1 : 0;
      if (this.#padding < 0 && length === 0) {
        sink.fail(FRAME_SIZE_ERROR, "a padded frame without a pad length");
        return end;
      }
      sink.dataBegan(stream, flags, length);
      return at;
    }
    if (end - at >= length) {
      sink.frame(type, flags, stream, bytes, at, at + length);
      return at + length;
    }
    this.#type = type;
    this.#flags = flags;
    this.#stream = stream;
    this.#payload = takeBuffer(length);
    this.#payloadSize = length;
    this.#payloadLength = 0;
    return at;
  }

  #data(bytes: Uint8Array, at: number, end: number, sink: FrameSink): number {
    if (this.#padding < 0 && at < end) {
      this.#padding = bytes[at++];
      this.#dataLeft--;
      if (this.#padding > this.#dataLeft) {
        sink.fail(PROTOCOL_ERROR, "padding that is longer than its frame");
        return end;
      }
    }
    const to = Math.min(end, at + this.#dataLeft);
    if (this.#padding >= 0) {
      const content = Math.min(to, at + this.#dataLeft - this.#padding);
      if (content > at) sink.data(bytes, at, content);
    }
    this.#dataLeft -= to - at;
    if (this.#dataLeft === 0 && this.#padding >= 0) {
      this.#inData = false;
      if (!sink.closed) sink.dataEnded();
    }
    return to;
  }
}
