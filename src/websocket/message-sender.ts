/**
 * From messages to bytes. Small ones are written into the lent memory of the channel, head and payload in one; what the
 * channel does not take at once it keeps, and here is counted how much that is.
 */
import { SENDING } from "../../ffi/poller.ts";
import type { Channel } from "../http/upgrade.ts";
import { FIN, HEAD_MAX, headSize, TEXT, writeFrameHead } from "./frames.ts";
import type { WebSocketSettings } from "./settings.ts";

/** Up to here a loop over char codes beats a call (src/http/simple-response.ts). */
const SHORT = 64;

export abstract class MessageSender {
  abstract readonly settings: WebSocketSettings;
  /** Bytes that wait to be sent. */
  buffered = 0;
  /** Bytes that were given to the channel, all together. */
  protected given = 0;
  /** The size of the message that was sent when nothing waited. */
  #alone = 0;
  /** What was sent last waits, or something before it. */
  protected blockedNow = false;

  /** Bytes have begun to wait, or more of them do. */
  protected abstract waits(): void;
  /** Told soon after, not from within a call of the program's: it does not expect to hear of the end before that returns. */
  protected abstract sendingFailed(why: "lost" | "unread", error: Error): void;

  protected sendText(channel: Channel, text: string): void {
    const { length } = text;
    const { out } = channel;
    if (length * 3 + HEAD_MAX > out.length) {
      // Larger messages than the lent memory holds get memory of their own.
      const size = Buffer.byteLength(text);
      const frame = Buffer.allocUnsafeSlow(headSize(size) + size);
      frame.write(text, writeFrameHead(frame, 0, FIN | TEXT, size), "utf8");
      this.#begins(frame.length);
      return this.#went(channel, channel.send(frame, 0, frame.length), frame.length);
    }
    // Behind the head of an ASCII text of this length; where it turns out to be longer it may have to move.
    const at = headSize(length);
    let size = length <= SHORT ? writeAscii(out, at, text) : out.utf8Write(text, at);
    if (size < 0) size = out.utf8Write(text, at);
    const head = headSize(size);
    if (head !== at) out.copyWithin(head, at, at + size);
    writeFrameHead(out, 0, FIN | TEXT, size);
    this.#begins(head + size);
    this.#went(channel, channel.sendOut(head + size), head + size);
  }

  /** `first` is FIN, RSV1 and the opcode. */
  protected sendFrame(channel: Channel, first: number, payload: Uint8Array): void {
    const { length } = payload;
    const head = headSize(length);
    const { out } = channel;
    writeFrameHead(out, 0, first, length);
    this.#begins(head + length);
    if (head + length <= out.length) {
      out.set(payload, head);
      return this.#went(channel, channel.sendOut(head + length), head + length);
    }
    this.#went(channel, channel.sendOut(head), head);
    this.#went(channel, channel.send(payload, 0, length), length);
  }

  /** A frame that is whole already. */
  protected sendWhole(channel: Channel, frame: Uint8Array): void {
    const { length } = frame;
    const { out } = channel;
    this.#begins(length);
    if (length > out.length) return this.#went(channel, channel.send(frame, 0, length), length);
    out.set(frame);
    this.#went(channel, channel.sendOut(length), length);
  }

  protected sendControl(channel: Channel, opcode: number, bytes: Uint8Array, start: number, end: number): void {
    const { out } = channel;
    const head = writeFrameHead(out, 0, FIN | opcode, end - start);
    for (let i = start; i < end; i++) out[head + i - start] = bytes[i];
    const size = head + end - start;
    this.#went(channel, channel.sendOut(size), size);
  }

  #begins(size: number): void {
    if (this.buffered === 0) this.#alone = size;
  }

  /** What became of `size` bytes. */
  #went(channel: Channel, result: number, size: number): void {
    this.given += size;
    if (result === SENDING) {
      this.blockedNow = true;
      this.buffered += size;
      this.waits();
      // A message may be larger than the limit: it is what waits behind it that shows who reads too slowly.
      const limit = this.settings.maxBuffered + this.#alone;
      if (this.buffered <= limit) return;
      // What is counted goes down only when all has left; a client that reads has had most of it.
      this.buffered = Math.min(this.buffered, channel.outstanding());
      if (this.buffered <= limit) return;
      const error = new Error(`the client reads too slowly: more than ${this.settings.maxBuffered} bytes wait for it`);
      queueMicrotask(() => this.sendingFailed("unread", error));
    } else if (result < 0) {
      queueMicrotask(() => this.sendingFailed("lost", new Error("the connection broke")));
    }
  }
}

/** Returns the length of the text, or -1 when it is not ASCII. */
function writeAscii(out: Uint8Array, at: number, text: string): number {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0x7f) return -1;
    out[at + i] = c;
  }
  return length;
}
