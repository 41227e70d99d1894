/**
 * From bytes to messages (RFC 6455, 5). A frame that lies whole in what came is unmasked where it lies, and its message
 * made from there: nothing is kept between two of those. Only what is cut, or fragmented, is gathered in memory of ours,
 * which grows with what has come and not with what was announced.
 *
 * It is strict: whatever a frame must not be ends the connection with the code that the standard names.
 */
import { isUtf8 } from "node:buffer";
import { INVALID_PAYLOAD, PROTOCOL_ERROR, TOO_BIG } from "./close-codes.ts";
import { BINARY, CLOSE, CONTINUATION, CONTROL_MAX, FIN, PONG, RSV1, TEXT } from "./frames.ts";
import { rotated, unmask } from "./masking.ts";
import { Utf8Check } from "./utf8.ts";

/** Who is told. Any of these may stop the reader. */
export interface MessageTarget {
  text(data: string): void;
  /** The bytes are the callee's. */
  binary(data: Uint8Array<ArrayBuffer>): void;
  /** A control frame; its bytes are lent. */
  control(opcode: number, bytes: Uint8Array, start: number, end: number): void;
  /** What came must not be: the connection ends with this code. */
  violated(code: number, reason: string): void;
  /** The message behind what came compressed, or undefined after having said why there is none. */
  inflate(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
}

export interface ReaderLimits {
  readonly maxMessage: number;
  readonly maxFrame: number;
}

/** A client's head at its largest: 2 bytes, 8 of length, 4 of key. */
const HEAD_MAX = 14;
const NONE = 0;

const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

export class MessageReader {
  readonly #target: MessageTarget;
  readonly #limits: ReaderLimits;
  /** RSV1 means something. */
  readonly #compression: boolean;
  #stopped = false;
  /** A head that came in pieces. */
  #head: Uint8Array | undefined;
  #headLength = 0;
  // The frame whose payload is due.
  #inFrame = false;
  #first = 0;
  #length = 0;
  #left = 0;
  #key = 0;
  /** The control frame, or the message, that is not whole yet. */
  #control: Uint8Array | undefined;
  #message: Gathered | undefined;

  constructor(target: MessageTarget, limits: ReaderLimits, compression: boolean) {
    this.#target = target;
    this.#limits = limits;
    this.#compression = compression;
  }

  /** A message has begun, or a frame, and is not whole. */
  get midway(): boolean {
    return this.#message !== undefined || this.#inFrame || this.#headLength > 0;
  }
  /** How many bytes of it are here. */
  get gathered(): number {
    return this.#message?.length ?? 0;
  }

  /** Nothing is told from here on; what is gathered is let go. */
  stop(): void {
    this.#stopped = true;
    this.#message = undefined;
    this.#control = undefined;
    this.#head = undefined;
  }

  /** Reads `bytes[start, end)`, and writes to them. */
  read(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (!this.#stopped) {
      if (!this.#inFrame) {
        if (at === end) return;
        if (this.#headLength > 0) at = this.#readCutHead(bytes, at, end);
        else {
          const size = this.#readHead(bytes, at, end);
          if (size === NONE) return this.#keepHead(bytes, at, end);
          at += size;
        }
        if (!this.#inFrame) continue;
      } else if (at === end) return;
      at = this.#readPayload(bytes, at, end);
      // An empty payload is whole with its head.
      if (at === end && this.#inFrame) return;
    }
  }

  /** Reads a head at `at`. Returns its length, 0 where it is not whole; the two first bytes are judged as soon as they are there. */
  #readHead(bytes: Uint8Array, at: number, end: number): number {
    const available = end - at;
    if (available < 2) return NONE;
    const first = bytes[at];
    const second = bytes[at + 1];
    const opcode = first & 0x0f;
    let length = second & 0x7f;
    if ((first & 0x70) !== 0 || opcode > BINARY || this.#message !== undefined) {
      const wrong = this.#wrongHead(first, opcode, length);
      if (wrong !== undefined) return this.#violated(PROTOCOL_ERROR, wrong);
    } else if (opcode === CONTINUATION) {
      return this.#violated(PROTOCOL_ERROR, "a continuation of no message");
    }
    if ((second & 0x80) === 0) return this.#violated(PROTOCOL_ERROR, "a frame without a mask");
    let key = at + 2;
    if (length === 126) {
      if (available < 4) return NONE;
      length = (bytes[at + 2] << 8) | bytes[at + 3];
      if (length < 126) return this.#violated(PROTOCOL_ERROR, "a length in more bytes than it needs");
      key = at + 4;
    } else if (length === 127) {
      if (available < 10) return NONE;
      length = longLength(bytes, at + 2);
      if (length < 0x1_0000) return this.#violated(PROTOCOL_ERROR, "a length in more bytes than it needs");
      if (length > Number.MAX_SAFE_INTEGER) return this.#violated(PROTOCOL_ERROR, "a length that is none");
      key = at + 10;
    }
    if (opcode <= BINARY) {
      const { maxFrame, maxMessage } = this.#limits;
      if (length > maxFrame) return this.#violated(TOO_BIG, `a frame of more than ${maxFrame} bytes`);
      const before = this.#message?.length ?? 0;
      if (before + length > maxMessage) return this.#violated(TOO_BIG, `a message of more than ${maxMessage} bytes`);
    }
    if (end < key + 4) return NONE;
    this.#key = bytes[key] | (bytes[key + 1] << 8) | (bytes[key + 2] << 16) | (bytes[key + 3] << 24);
    this.#inFrame = true;
    this.#first = first;
    this.#length = this.#left = length;
    return key + 4 - at;
  }

  /** RFC 6455, 5.2, 5.4 and 5.5: what is wrong with a head that is not simply the first of a message. */
  #wrongHead(first: number, opcode: number, length: number): string | undefined {
    if ((first & 0x30) !== 0) return "reserved bits";
    if ((first & RSV1) !== 0) {
      // RFC 7692, 6: only where it was agreed upon, and only on the first frame of a message.
      if (!this.#compression || (opcode !== TEXT && opcode !== BINARY)) return "reserved bits";
    }
    if (opcode >= CLOSE) {
      if (opcode > PONG) return "a reserved opcode";
      if ((first & FIN) === 0) return "a fragmented control frame";
      if (length > CONTROL_MAX) return "a control frame of more than 125 bytes";
      return undefined;
    }
    if (opcode > BINARY) return "a reserved opcode";
    if (opcode === CONTINUATION) return this.#message === undefined ? "a continuation of no message" : undefined;
    return this.#message === undefined ? undefined : "a message within another";
  }

  #keepHead(bytes: Uint8Array, at: number, end: number): void {
    if (this.#stopped) return;
    this.#head ??= new Uint8Array(HEAD_MAX);
    this.#head.set(bytes.subarray(at, end));
    this.#headLength = end - at;
  }

  /** Goes on with a head that came in pieces, byte by byte, since it must not be read beyond. */
  #readCutHead(bytes: Uint8Array, at: number, end: number): number {
    const head = this.#head ?? new Uint8Array(HEAD_MAX);
    while (at < end && !this.#stopped) {
      head[this.#headLength++] = bytes[at++];
      if (this.#readHead(head, 0, this.#headLength) === NONE) continue;
      this.#headLength = 0;
      this.#head = undefined;
      return at;
    }
    return at;
  }

  #violated(code: number, reason: string): number {
    this.stop();
    this.#target.violated(code, reason);
    return NONE;
  }

  #readPayload(bytes: Uint8Array, at: number, end: number): number {
    const left = this.#left;
    const until = left < end - at ? at + left : end;
    const offset = this.#length - left;
    const or = unmask(bytes, at, until, offset === 0 ? this.#key : rotated(this.#key, offset));
    const whole = until - at === left;
    this.#left = left - (until - at);
    if (whole) this.#inFrame = false;
    const first = this.#first;
    if ((first & CLOSE) !== 0) this.#controlBytes(first & 0x0f, bytes, at, until, whole);
    else if (whole && offset === 0 && this.#message === undefined && (first & (FIN | RSV1)) === FIN) {
      this.#deliver(first & 0x0f, bytes, at, until, or);
    } else this.#gather(first, bytes, at, until, whole);
    return until;
  }

  /** A message that lies whole in what came. */
  #deliver(opcode: number, bytes: Uint8Array, at: number, end: number, or: number): void {
    if (opcode === BINARY) {
      const copy = new Uint8Array(end - at);
      copy.set(bytes.subarray(at, end));
      this.#target.binary(copy);
    } else if (or < 0x80) this.#target.text(latin1Slice.call(bytes, at, end));
    else if (isUtf8(bytes.subarray(at, end))) this.#target.text(utf8Slice.call(bytes, at, end));
    else this.#violated(INVALID_PAYLOAD, "text that is not UTF-8");
  }

  #controlBytes(opcode: number, bytes: Uint8Array, at: number, end: number, whole: boolean): void {
    const before = this.#length - this.#left - (end - at);
    if (whole && before === 0) return this.#target.control(opcode, bytes, at, end);
    this.#control ??= new Uint8Array(CONTROL_MAX);
    this.#control.set(bytes.subarray(at, end), before);
    if (!whole) return;
    const control = this.#control;
    this.#control = undefined;
    this.#target.control(opcode, control, 0, this.#length);
  }

  #gather(first: number, bytes: Uint8Array, at: number, end: number, whole: boolean): void {
    const message = (this.#message ??= new Gathered(first & 0x0f, (first & RSV1) !== 0));
    // Compressed text can be looked at only when it is whole.
    if (message.check !== undefined && !message.check.add(bytes, at, end)) {
      this.#violated(INVALID_PAYLOAD, "text that is not UTF-8");
      return;
    }
    // Behind a fragment that is not the last nobody knows how much comes.
    message.add(bytes, at, end, (first & FIN) === 0 ? Number.POSITIVE_INFINITY : this.#left);
    if (!whole || (first & FIN) === 0) return;
    this.#message = undefined;
    if (message.compressed) return this.#deliverCompressed(message);
    if (message.check === undefined) return this.#target.binary(message.take());
    if (message.check.complete) return this.#target.text(utf8Slice.call(message.bytes, 0, message.length));
    this.#violated(INVALID_PAYLOAD, "text that ends within a character");
  }

  #deliverCompressed(message: Gathered): void {
    const data = this.#target.inflate(message.bytes.subarray(0, message.length));
    if (data === undefined) return;
    if (message.opcode === BINARY) return this.#target.binary(data);
    if (isUtf8(data)) return this.#target.text(utf8Slice.call(data, 0, data.length));
    this.#violated(INVALID_PAYLOAD, "text that is not UTF-8");
  }
}

/** What has come of a message that is cut or fragmented. */
class Gathered {
  readonly opcode: number;
  readonly compressed: boolean;
  readonly check: Utf8Check | undefined;
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  length = 0;

  constructor(opcode: number, compressed: boolean) {
    this.opcode = opcode;
    this.compressed = compressed;
    this.check = opcode === TEXT && !compressed ? new Utf8Check() : undefined;
  }

  /**
   * Copies `bytes[at, end)`; `due` more are announced, which is believed only up to twice of what is there. It grows by as
   * much even where little comes: 4 MiB in fragments of 64 bytes, with all of it copied for each, were 53 s of CPU.
   */
  add(bytes: Uint8Array, at: number, end: number, due: number): void {
    const length = this.length + end - at;
    if (length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(length + due, this.bytes.length * 2)));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(bytes.subarray(at, end), this.length);
    this.length = length;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.length === this.length ? this.bytes : this.bytes.slice(0, this.length);
  }
}

/** 64 bits of which the first must be 0 (RFC 6455, 5.2): above 2^53 no number is exact, and no length is meant. */
function longLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let i = 0; i < 8; i++) length = length * 256 + bytes[at + i];
  return length;
}
