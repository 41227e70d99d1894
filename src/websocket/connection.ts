/**
 * One WebSocket connection, from the server's side (RFC 6455): frames in, frames out, and the rules between them. It
 * knows nothing of what carries its bytes (`Channel`), and nothing of how programs see it (`Events`).
 *
 *   connecting → open → closing → closed
 *
 * It is closing from our close frame, or the client's, until both have gone; then the server ends the connection first
 * (RFC 6455, 7.1.1). Whatever breaks, times out or must not be leads from any state to closed.
 */
import { isUtf8 } from "node:buffer";
import type { Channel, Successor } from "../http/upgrade.ts";
import * as code from "./close-codes.ts";
import type { Compression } from "./compression.ts";
import { type Ending, webSocketCounters } from "./counters.ts";
import { BINARY, CLOSE, CONTROL_MAX, FIN, PING, PONG, RSV1, TEXT } from "./frames.ts";
import { MessageReader, type MessageTarget } from "./message-reader.ts";
import { MessageSender } from "./message-sender.ts";
import type { WebSocketSettings } from "./settings.ts";

export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** How a program sees the connection. What these throw is the caller's to have caught. */
export interface Events {
  opened(): void;
  message(data: string | Uint8Array<ArrayBuffer>): void;
  /** All that waited has been sent. */
  drained(): void;
  /** Over. `error` says what went wrong, where something did. */
  closed(code: number, reason: string, clean: boolean, error: Error | undefined): void;
}

const NOTHING = new Uint8Array(0);

export class WebSocketConnection extends MessageSender implements Successor, MessageTarget {
  readonly name = "websocket";
  readonly settings: WebSocketSettings;
  readonly events: Events;
  readonly compression: Compression | undefined;
  state = CONNECTING;
  readonly #idleTimeout: number;
  readonly #reader: MessageReader;
  #channel: Channel | undefined;
  /** Receiving stands: the program reads more slowly than the client sends, or the client does not read. */
  #held = false;
  #paused = false;
  #closeSent = false;
  /** It was closed before it was open. */
  #early: [status: number, reason: string] | undefined;
  #began = false;
  #peerEnded = false;
  /** The latest ping that could not be answered yet: others need no answer (RFC 6455, 5.5.3). */
  #ping: Uint8Array | undefined;
  // Moments of the channel's clock; 0 for never.
  #heardAt = 0;
  #pingedAt = 0;
  #blockedAt = 0;
  #closingAt = 0;
  /** When the message began that is not whole yet. */
  #messageAt = 0;
  /** How many bytes the client had acknowledged when it was last looked at. */
  #taken = 0;

  constructor(settings: WebSocketSettings, idleTimeout: number, events: Events, compression?: Compression) {
    super();
    this.settings = settings;
    this.events = events;
    this.compression = compression;
    this.#idleTimeout = idleTimeout;
    this.#reader = new MessageReader(this, settings, compression !== undefined);
  }

  // ---- what the program asks

  /** Sends a message; before the connection is open or after it began to close there is nobody to send it to. */
  send(data: string | Uint8Array): void {
    if (this.state !== OPEN) return;
    const channel = this.#channel;
    if (channel === undefined) return;
    webSocketCounters.sent++;
    const { compression } = this;
    if (compression?.worthwhile(data.length)) {
      const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
      const deflated = compression.deflate(bytes);
      return this.sendFrame(channel, FIN | RSV1 | (typeof data === "string" ? TEXT : BINARY), deflated);
    }
    if (typeof data === "string") this.sendText(channel, data);
    else this.sendFrame(channel, FIN | BINARY, data);
  }

  /** Sends a frame that others are sent as well. */
  sendPrepared(frame: Uint8Array): void {
    const channel = this.#channel;
    if (this.state !== OPEN || channel === undefined) return;
    webSocketCounters.sent++;
    this.sendWhole(channel, frame);
  }

  /** Begins the closing handshake. `code` NO_STATUS sends a frame without one. */
  close(status: number, reason: string): void {
    if (this.state >= CLOSING) return;
    this.state = CLOSING;
    if (this.#channel === undefined) this.#early = [status, reason];
    else this.#beginClosing(this.#channel, status, reason);
  }

  #beginClosing(channel: Channel, status: number, reason: string): void {
    this.#sendClose(status, reason);
    this.#closingAt = channel.now;
    this.#hold(false);
    this.#arm();
  }

  /** Lets the client wait, or go on: the program can't take more at the moment. */
  hold(held: boolean): void {
    if (this.state === OPEN) this.#hold(held);
  }

  /** Cuts the connection, as if it had broken. */
  abort(error: Error): void {
    const channel = this.#channel;
    if (this.state === CLOSED) return;
    this.#over("lost", code.ABNORMAL, "", false, error, () => channel?.cut());
  }

  get remoteAddr(): Channel["remoteAddr"] | undefined {
    return this.#channel?.remoteAddr;
  }

  // ---- what the channel tells

  begin(channel: Channel, sending: boolean): void {
    if (this.state === CLOSED) return channel.cut();
    this.#channel = channel;
    this.#began = true;
    this.blockedNow = sending;
    this.#heardAt = channel.now;
    webSocketCounters.opened++;
    webSocketCounters.open++;
    if (sending) this.waits();
    if (this.#early !== undefined) return this.#beginClosing(channel, ...this.#early);
    this.state = OPEN;
    this.#arm();
    // Not from within the handler's answer: what it does next comes first, as with every WebSocket.
    queueMicrotask(() => {
      if (this.state !== CLOSED) this.events.opened();
    });
  }

  refused(reason: unknown): void {
    if (this.#began || this.state === CLOSED) return;
    const error = reason instanceof Error ? reason : new Error(String(reason));
    this.#over("lost", code.ABNORMAL, "", false, error);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    this.#heardAt = channel.now;
    this.#reader.read(bytes, start, end);
    if (!this.#reader.midway) this.#messageAt = 0;
    else if (this.#messageAt === 0 && this.state === OPEN) {
      this.#messageAt = this.#heardAt;
      this.#arm();
    }
  }

  sent(): void {
    this.blockedNow = false;
    this.#blockedAt = 0;
    this.buffered = 0;
    if (this.state === CLOSED) return;
    const ping = this.#ping;
    this.#ping = undefined;
    if (ping !== undefined) this.#control(PONG, ping, 0, ping.length);
    this.#receiveOrPause();
    this.#arm();
    this.events.drained();
  }

  blocked(bytes: number): void {
    this.blockedNow = true;
    this.buffered += bytes;
    this.waits();
  }

  ended(): void {
    this.#peerEnded = true;
    this.#lost(new Error("the client ended the connection without a close frame"));
  }

  failed(error: Error): void {
    this.#over("lost", code.ABNORMAL, "", false, error);
  }

  drain(): void {
    this.close(code.GOING_AWAY, "");
  }

  closed(reason: unknown): void {
    if (this.state === CLOSED) return;
    const error = reason instanceof Error ? reason : new Error(String(reason));
    this.#over("server", code.ABNORMAL, "", false, error);
  }

  // ---- what the reader tells

  text(data: string): void {
    this.#message(data);
  }
  binary(data: Uint8Array<ArrayBuffer>): void {
    this.#message(data);
  }

  #message(data: string | Uint8Array<ArrayBuffer>): void {
    webSocketCounters.received++;
    // After our close frame nobody listens (https://websockets.spec.whatwg.org/#feedback-from-the-protocol).
    if (this.state === OPEN) this.events.message(data);
  }

  control(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    if (opcode === CLOSE) return this.#closeReceived(bytes, start, end);
    if (opcode !== PING || this.#closeSent) return;
    if (this.blockedNow) this.#ping = bytes.slice(start, end);
    else this.#control(PONG, bytes, start, end);
  }

  violated(status: number, reason: string): void {
    const error = new Error(`the client sent ${reason}`);
    this.#sendClose(status, reason);
    const why = status === code.TOO_BIG ? "tooBig" : status === code.POLICY ? "slow" : "protocol";
    this.#over(why, code.ABNORMAL, "", false, error, () => this.#channel?.finish());
  }

  inflate(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const { compression } = this;
    const { maxMessage } = this.settings;
    const result = compression === undefined ? "malformed" : compression.inflate(bytes, maxMessage);
    if (typeof result !== "string") return result;
    this.#reader.stop();
    if (result === "malformed") this.violated(code.INVALID_PAYLOAD, "a compressed message that is none");
    else this.violated(code.TOO_BIG, `a message of more than ${maxMessage} bytes`);
    return undefined;
  }

  // ---- closing

  #closeReceived(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.stop();
    let status = code.NO_STATUS;
    let text = "";
    if (end - start === 1) return this.violated(code.PROTOCOL_ERROR, "a close frame with half a code");
    if (end > start) {
      status = (bytes[start] << 8) | bytes[start + 1];
      if (!code.mayBeSent(status)) return this.violated(code.PROTOCOL_ERROR, `a close frame with the code ${status}`);
      const reason = bytes.subarray(start + 2, end);
      if (!isUtf8(reason)) return this.violated(code.INVALID_PAYLOAD, "a close frame whose reason is not UTF-8");
      text = Buffer.from(reason.buffer, reason.byteOffset, reason.length).toString("utf8");
    }
    this.state = CLOSING;
    if (!this.#closeSent) this.#sendClose(status, "");
    this.#over("closed", status, text, true, undefined, () => this.#channel?.finish());
  }

  #lost(error: Error): void {
    this.#over("lost", code.ABNORMAL, "", false, error, () => this.#channel?.finish());
  }

  /** The end, whatever it is; `end` lets go of the channel. */
  #over(why: Ending, status: number, reason: string, clean: boolean, error: Error | undefined, end?: () => void): void {
    if (this.state === CLOSED) return;
    if (this.#began) webSocketCounters.ended(why);
    this.state = CLOSED;
    this.#reader.stop();
    this.#ping = undefined;
    end?.();
    this.#channel = undefined;
    this.compression?.release();
    this.events.closed(status, reason, clean, error);
  }

  // ---- sending

  #control(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#channel !== undefined) this.sendControl(this.#channel, opcode, bytes, start, end);
  }

  #sendClose(status: number, reason: string): void {
    if (this.#closeSent) return;
    this.#closeSent = true;
    if (status === code.NO_STATUS) return this.#control(CLOSE, NOTHING, 0, 0);
    const payload = Buffer.allocUnsafe(CONTROL_MAX);
    payload.writeUInt16BE(status, 0);
    // Cut between two characters where it is too long: those of ours never are.
    const size = 2 + payload.write(reason, 2, "utf8");
    this.#control(CLOSE, payload, 0, size);
  }

  protected sendingFailed(why: "lost" | "unread", error: Error): void {
    const channel = this.#channel;
    this.#over(why, code.ABNORMAL, "", false, error, () => channel?.cut());
  }

  /** Bytes wait: the client's clock runs, and one that sends on without reading is not read from either. */
  protected waits(): void {
    if (this.#blockedAt === 0 && this.#channel !== undefined) {
      this.#blockedAt = this.#channel.now;
      this.#taken = this.given - this.#channel.outstanding();
      this.#arm();
    }
    this.#receiveOrPause();
  }

  #hold(held: boolean): void {
    this.#held = held;
    this.#receiveOrPause();
  }

  #receiveOrPause(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    const pause = this.#held || this.buffered > this.settings.maxBuffered / 2;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) channel.pause();
    else if (!this.#peerEnded) channel.receive();
  }

  // ---- clocks

  expired(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    const { now } = channel;
    const { closeTimeout, writeTimeout, minRate } = this.settings;
    if (this.#closingAt > 0 && now - this.#closingAt >= closeTimeout) {
      const error = new Error("the client did not answer the close frame in time");
      return this.#over("unanswered", code.ABNORMAL, "", false, error, () => channel.cut());
    }
    if (this.#messageAt > 0) {
      // While we do not receive, it is not the client who takes its time.
      if (this.#paused) this.#messageAt = now;
      else if (now >= this.#messageDue()) {
        this.#reader.stop();
        return this.violated(code.POLICY, "a message that took too long");
      }
    }
    if (this.#blockedAt > 0 && now - this.#blockedAt >= writeTimeout) {
      // What it takes is what its kernel acknowledges; at `minRate` it may go on.
      const taken = this.given - channel.outstanding();
      if (minRate === 0 || taken - this.#taken < (minRate * (now - this.#blockedAt)) / 1000) {
        const error = new Error("the client did not read what was sent to it in time");
        return this.#over("unread", code.ABNORMAL, "", false, error, () => channel.cut());
      }
      this.#blockedAt = now;
      this.#taken = taken;
    }
    if (this.state === OPEN && this.#idleTimeout > 0) {
      const silent = now - this.#heardAt;
      // While we do not receive, its silence is ours.
      if (this.#paused) this.#heardAt = now;
      else if (silent >= this.#idleTimeout) return this.#silent();
      else if (silent >= this.#idleTimeout / 2 && this.#pingedAt <= this.#heardAt) {
        this.#pingedAt = now;
        if (!this.blockedNow) this.#control(PING, NOTHING, 0, 0);
      }
    }
    this.#arm();
  }

  #messageDue(): number {
    const { messageTimeout, minRate } = this.settings;
    const earned = minRate > 0 ? (this.#reader.gathered * 1000) / minRate : 0;
    return this.#messageAt + messageTimeout + earned;
  }

  /** Neither a message nor an answer to our ping. */
  #silent(): void {
    this.#sendClose(code.GOING_AWAY, "No response from ping frame.");
    const error = new Error("No response from ping frame.");
    this.#over("idle", code.GOING_AWAY, "No response from ping frame.", false, error, () => this.#channel?.finish());
  }

  /** Sets the deadline to the nearest that there is. Messages do not move it: it looks when they came. */
  #arm(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    let at = Number.POSITIVE_INFINITY;
    if (this.state === OPEN && this.#idleTimeout > 0) {
      const asked = this.#pingedAt > this.#heardAt;
      at = this.#heardAt + (asked ? this.#idleTimeout : this.#idleTimeout / 2);
    }
    if (this.#messageAt > 0) at = Math.min(at, this.#messageDue());
    if (this.#blockedAt > 0) at = Math.min(at, this.#blockedAt + this.settings.writeTimeout);
    if (this.#closingAt > 0) at = Math.min(at, this.#closingAt + this.settings.closeTimeout);
    channel.setDeadline(at === Number.POSITIVE_INFINITY ? 0 : Math.ceil(at));
  }
}
