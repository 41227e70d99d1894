/**
 * A stream that has left HTTP (RFC 8441): its DATA frames, both ways, are another protocol's bytes, and its windows are how
 * each side holds up the other. To who carries on it is what a socket is (`src/http/upgrade.ts`).
 */
import { SENDING, SENT } from "../../ffi/poller.ts";
import { isServerEnd } from "../http/endings.ts";
import { newBatch, type Outgoing } from "../http/outgoing.ts";
import type { Channel, Successor } from "../http/upgrade.ts";
import type { Addr } from "../net/mod.ts";
import { CANCEL } from "./errors.ts";
import type { ResponseBody } from "./response-body.ts";
import type { Http2Stream } from "./stream.ts";

/** So much is sent at once, and not when the code that runs now is done. */
const FLUSHED = 64 * 1024;
/** Where messages are written; what is sent of it is copied before anything else runs. */
let out: Outgoing | undefined;

export class Tunnel implements Channel {
  readonly #stream: Http2Stream;
  #successor: Successor | undefined;
  #body: ResponseBody | undefined;
  /** What came while nobody took it: before the answer, and while its reader pauses. The stream's window bounds it. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #paused = true;
  #delivering = false;
  /** The client's END_STREAM came, and has been told. */
  #peerEnded = false;
  #toldEnd = false;
  /** The successor hears nothing more. */
  #ended = false;
  /** It was told that bytes wait. */
  #sending = false;
  /** Bytes of the send that is under way. */
  #adding = 0;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  /** Who carries on; undefined as long as the request is one. */
  get successor(): Successor | undefined {
    return this.#successor;
  }
  /** It does so. */
  get carries(): boolean {
    return this.#successor !== undefined && !this.#ended;
  }
  /** The client gets no more of its window. */
  get paused(): boolean {
    return this.#paused;
  }
  get unread(): number {
    return this.#keptBytes;
  }

  /** The answer is on its way: from here on its body, and what the client sends, are the successor's. */
  begin(successor: Successor, body: ResponseBody): void {
    this.#successor = successor;
    this.#body = body;
    body.drained = () => this.#drained();
    this.#paused = false;
    successor.begin(this, false);
    this.#deliver();
  }

  /** The request was answered as others are: what comes is for nobody. */
  refuse(): void {
    this.#ended = true;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#paused = false;
  }

  // ---- what the stream tells

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#ended) return;
    if (this.#paused || this.#delivering || this.#kept.length > 0) {
      this.#kept.push(Uint8Array.from(bytes.subarray(start, end)));
      this.#keptBytes += end - start;
      return;
    }
    this.#give(bytes, start, end);
  }

  receivedAll(): void {
    this.#peerEnded = true;
    this.#deliver();
  }

  /** The stream can't send what it has: windows or the socket are full. */
  stuck(): void {
    if (this.#ended || this.#sending) return;
    this.#sending = true;
    const waits = (this.#body?.queued ?? 0) - this.#adding;
    if (waits > 0) this.#successor?.blocked(waits);
  }

  expired(): void {
    if (!this.#ended) this.#successor?.expired();
  }

  /** The server ends. */
  drain(): void {
    if (!this.#ended) this.#successor?.drain();
  }

  /** The stream is gone, by the client's RST_STREAM, with its connection, or by ours. */
  lost(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#kept = [];
    const successor = this.#successor;
    if (successor === undefined) return;
    const tell = (): void => {
      if (isServerEnd(reason)) successor.closed(reason);
      else successor.failed(new Error("the client reset the stream, or left", { cause: reason }));
    };
    // Who sends does not expect to hear of the end before that returns.
    if (this.#adding > 0) queueMicrotask(tell);
    else tell();
  }

  #give(bytes: Uint8Array, start: number, end: number): void {
    this.#delivering = true;
    try {
      this.#successor?.received(bytes, start, end);
    } finally {
      this.#delivering = false;
    }
  }

  #deliver(): void {
    if (this.#delivering || this.#successor === undefined) return;
    const kept = this.#kept;
    const some = kept.length > 0;
    while (kept.length > 0 && !this.#paused && !this.#ended) {
      const bytes = kept.shift() as Uint8Array;
      this.#keptBytes -= bytes.length;
      this.#give(bytes, 0, bytes.length);
    }
    if (this.#ended || this.#paused) return;
    if (some) this.#stream.host.credit(this.#stream);
    if (!this.#peerEnded || this.#toldEnd) return;
    this.#toldEnd = true;
    this.#successor.ended();
  }

  // ---- Channel

  get now(): number {
    return this.#stream.host.now;
  }
  get remoteAddr(): Addr {
    return this.#stream.exchange.remoteAddress;
  }
  get out(): Outgoing {
    return (out ??= newBatch(64 * 1024));
  }

  sendOut(end: number): number {
    return this.send(this.out, 0, end);
  }

  send(bytes: Uint8Array, start: number, end: number): number {
    const body = this.#body;
    if (this.#ended || body === undefined) return SENT;
    const { host } = this.#stream;
    body.push(bytes, start, end);
    this.#adding = end - start;
    host.ready(this.#stream);
    if (body.queued > FLUSHED) host.flush();
    this.#adding = 0;
    if (this.#ended || body.queued === 0) return SENT;
    if (!this.#sending && host.mayLeave(this.#stream, body.queued)) return SENT;
    this.#sending = true;
    return SENDING;
  }

  /** All that waited has been framed. Told soon, and not from within a send. */
  #drained(): void {
    if (!this.#sending) return;
    queueMicrotask(() => {
      if (!this.#sending || this.#ended || (this.#body?.queued ?? 0) > 0) return;
      this.#sending = false;
      this.#successor?.sent();
    });
  }

  /** What the client has let us send is what it took: its kernel is the connection's matter. */
  outstanding(): number {
    return this.#body?.queued ?? 0;
  }

  pause(): void {
    this.#paused = true;
  }
  receive(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    // Who asks may be in the midst of something.
    queueMicrotask(() => {
      this.#deliver();
      if (!this.#paused && !this.#ended) this.#stream.host.credit(this.#stream);
    });
  }

  setDeadline(at: number): void {
    const { host, id } = this.#stream;
    if (!this.#ended) host.setDeadlineAt(id, at);
  }

  /** RFC 8441, 5: END_STREAM stands for a FIN. */
  finish(): void {
    if (this.#ended) return;
    this.#leave();
    const body = this.#body;
    if (body === undefined) return;
    body.finish();
    this.#stream.lingers();
    this.#stream.host.ready(this.#stream);
  }

  /** And RST_STREAM with CANCEL for a reset. */
  cut(): void {
    if (this.#ended) return;
    this.#leave();
    this.#stream.host.reset(this.#stream, CANCEL, undefined);
  }

  #leave(): void {
    this.setDeadline(0);
    this.refuse();
  }
}
