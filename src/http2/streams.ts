/**
 * The streams of a connection: from a request's head to its handler and its response, and how each ends. What frames say
 * of them is `connection.ts`'s.
 */
import type { Handle, Transport } from "../../ffi/poller.ts";
import { isLightResponse } from "../fetch/mod.ts";
import type { LimitName } from "../http/counters.ts";
import { HTTP_2 } from "../http/ended-request.ts";
import { clientGone } from "../http/endings.ts";
import { Exchange } from "../http/exchange.ts";
import type { Limits } from "../http/limits.ts";
import type { Answered, ProtocolHost } from "../http/protocol.ts";
import { headRefused, type Refusal } from "../http/refusals.ts";
import { NO_ERROR, PROTOCOL_ERROR } from "./errors.ts";
import { FRAME_HEAD, PING, RST_STREAM, WINDOW_UPDATE, writeFrameHead } from "./frames.ts";
import { Output, type OutputHost, writeFields } from "./output.ts";
import { COSTS, Patience } from "./patience.ts";
import { parsePriority } from "./priority.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { RequestHead } from "./request-head.ts";
import { fieldListRoom, writeInterim } from "./response-block.ts";
import { PeerSettings } from "./settings.ts";
import { bodyBytes, headBytes, writeAnswer } from "./simple-answer.ts";
import { SocketClock } from "./socket-clock.ts";
import { BY_STREAM, Http2Stream, type StreamHost } from "./stream.ts";
import { UnreadRequest, UnreadRequests } from "./unread-requests.ts";

/** Streams that we have reset, whose frames may still be on their way (RFC 9113, 5.1): the last of them are known. */
const KNOWN_RESETS = 256;

/** What our PINGs carry: which of them is answered. */
export const PING_NOTHING = 0;
export const PING_DRAIN = 1;
export const PING_WINDOW = 2;
export const PING_QUIET = 3;

/** Of a request that was answered at once; read while it is shown. */
class AtOnce implements Answered {
  startedAt = 0;
  status = 0;
  sentBytes = 0;
  headBytes = 0;
  readonly minor: number = HTTP_2;
}
const atOnce = new AtOnce();

export abstract class Streams implements StreamHost, OutputHost {
  readonly http: ProtocolHost;
  readonly handle: Handle;
  readonly output: Output;
  /** Handlers that go on though their streams are over: they count as streams, or resets would free them. */
  protected abandoned = 0;
  protected readonly streams = new Map<number, Http2Stream>();
  /** Streams that have led out of HTTP. */
  tunnels = 0;
  protected readonly peer = new PeerSettings();
  protected readonly receiving = new ReceiveWindow();
  protected readonly patience: Patience;
  /** Of heads that are kept for requests that are being answered. */
  protected headBytes = 0;
  protected unread: UnreadRequests | undefined;
  readonly #serial: number;
  readonly #resets = new Set<number>();
  #clock: SocketClock | undefined;

  constructor(http: ProtocolHost, handle: Handle) {
    this.http = http;
    this.handle = handle;
    this.#serial = http.serialOf(handle);
    this.output = new Output(this);
    this.patience = new Patience(http.now);
  }

  abstract get closed(): boolean;
  /** The wheel's deadline is to be this one, or an earlier one. */
  protected abstract arm(at: number): void;
  /** There is no stream any more. */
  protected abstract emptied(): void;
  /** The connection is lost. */
  abstract broken(result: number): void;
  abstract flooded(): void;
  /** The connection has had its last request. */
  protected abstract hadItsLast(): void;

  get poller(): Transport {
    return this.http.poller;
  }
  get limits(): Limits {
    return this.http.limits;
  }
  get now(): number {
    return this.http.now;
  }
  get dataSent(): number {
    return this.output.dataSent;
  }
  get requests(): number {
    return this.streams.size - this.tunnels;
  }
  visitRequests(visit: (startedAt: number, name?: string) => void): void {
    for (const { startedAt, tunnel } of this.streams.values()) visit(startedAt, tunnel?.successor?.name);
  }

  // ---- a request

  /** A head has come whole, and is not malformed. `ended`: nothing follows it. */
  protected request(id: number, ended: boolean, head: RequestHead): void {
    const { http, handle, output } = this;
    if (head.refused !== 0) return this.#refuseHead(id, ended, headRefused(head.refused, head.reason));
    const { method, targetStart, hostStart } = head;
    const targetEnd = targetStart + head.target.length;
    const hostEnd = hostStart + head.authority.length;
    const { fieldsStart, priority } = head;
    const serial = this.#serial;
    const text = head.head;
    const exchange = new Exchange(
      http,
      handle,
      serial,
      method,
      text,
      targetStart,
      targetEnd,
      fieldsStart,
      hostStart,
      hostEnd,
    );
    const { contentLength, expectContinue } = head;
    const tunnel = head.protocol !== "";
    if (http.requestCame(handle)) this.hadItsLast();
    let refusal: Refusal | undefined;
    let response: unknown;
    try {
      refusal = http.admit(exchange, handle, ended ? 0 : contentLength);
    } catch (error) {
      response = http.failure(error, exchange, "limits(request) failed");
    }
    if (refusal !== undefined) {
      http.fired(refusal.limit, handle, refusal.what);
      response = http.plain(refusal.status, refusal.reason);
    }
    if (ended) {
      const began = http.now;
      response ??= http.call(exchange);
      if (this.closed) return this.#lostAtOnce(id, exchange, response);
      if (isLightResponse(response) && !output.blocked && exchange.extras === undefined) {
        const window = Math.min(output.window, this.peer.initialWindow);
        const sent = writeAnswer(output, id, response, exchange.requestId, method === "HEAD", window);
        if (sent > 0) {
          output.window -= bodyBytes;
          atOnce.startedAt = began;
          atOnce.status = response.status;
          atOnce.sentBytes = sent;
          atOnce.headBytes = headBytes;
          http.exchangeEnded(atOnce, exchange, false);
          exchange.finish();
          this.patience.requestEnded();
          return;
        }
      }
    }
    const stream = new Http2Stream(this, id, exchange, contentLength, ended, this.peer.initialWindow);
    if (priority !== undefined) stream.priority = parsePriority(priority);
    this.streams.set(id, stream);
    this.headBytes += text.length;
    stream.begin(expectContinue, tunnel);
    stream.settle((response ??= http.call(exchange)));
  }

  /** The connection went while its handler ran, or before: the handler is told, and what it gives is dropped. */
  #lostAtOnce(id: number, exchange: Exchange, response: unknown): void {
    const gone = new Http2Stream(this, id, exchange, -1, true, 0);
    gone.abort(clientGone());
    this.http.exchangeEnded(gone, exchange, true);
    gone.settle(response);
  }

  /** A head that never gets to the handler, with an answer of ours. */
  #refuseHead(id: number, ended: boolean, { status, reason, limit, what }: Refusal): void {
    const { http, handle, output } = this;
    http.fired(limit, handle, what);
    if (!this.spend(COSTS.refused)) return;
    const answer = http.plain(status, reason);
    const sent = writeAnswer(output, id, answer, undefined, false, Math.min(output.window, this.peer.initialWindow));
    http.headRefused(handle, status, sent);
    output.window -= sent > 0 ? bodyBytes : 0;
    // Without room for the answer, an error has to do.
    if (sent === 0) this.sendReset(id, PROTOCOL_ERROR);
    else if (!ended) this.sendReset(id, NO_ERROR);
  }

  // ---- what streams ask

  ready(stream: Http2Stream): void {
    if (!stream.sendable) return;
    // What a source has at once is a few microtasks away, and goes with the head: the tick that is queued from the first of
    // those comes behind all of them.
    if (!stream.headSent && stream.response?.waiting) return queueMicrotask(() => this.#headAlone(stream));
    this.#toSend(stream);
  }
  #headAlone(stream: Http2Stream): void {
    if (stream.sendable && this.streams.get(stream.id) === stream) this.#toSend(stream);
  }
  #toSend(stream: Http2Stream): void {
    if (stream.headSent && stream.response !== undefined && stream.response.queued > 0 && stream.sendWindow <= 0) {
      return stream.windowClosed(BY_STREAM);
    }
    this.output.scheduler.add(stream);
    this.output.schedule();
  }

  /** Gives back what was taken, as long as the stream's reader keeps up; and of the connection's window what is free. */
  credit(stream: Http2Stream | undefined): void {
    const { receiving, output } = this;
    if (stream !== undefined && !stream.remoteEnded && !stream.paused) {
      const owed = receiving.stream - stream.receiveWindow;
      if (owed >= receiving.stream >> 1) {
        stream.receiveWindow += owed;
        output.frame(WINDOW_UPDATE, stream.id, owed);
        if (receiving.measure(this.now)) this.ping(PING_WINDOW);
      }
    }
    if (!receiving.low) return;
    let unread = 0;
    for (const each of this.streams.values()) unread += each.unread;
    const owed = receiving.owed(unread);
    if (owed > 0) output.frame(WINDOW_UPDATE, 0, owed);
  }

  flush(): void {
    this.output.flush();
  }

  mayLeave(stream: Http2Stream, bytes: number): boolean {
    const { output } = this;
    return !output.blocked && bytes <= stream.sendWindow && bytes <= output.window;
  }

  switched(stream: Http2Stream): void {
    this.tunnels++;
    const { exchange } = stream;
    exchange.finish();
    this.http.exchangeEnded(stream, exchange, false);
  }

  sendContinue(stream: Http2Stream): void {
    this.sendInterim(stream, 100);
  }

  sendInterim(stream: Http2Stream, status: number, fields: readonly string[] = []): void {
    const { output } = this;
    const out = output.reserve(64 + fieldListRoom(fields));
    const from = output.end;
    const at = from + FRAME_HEAD;
    const end = writeInterim(out, output.beginBlock(out, at), status, fields);
    output.end = writeFields(out, from, at, end, stream.id, 0);
    output.schedule();
  }

  reset(stream: Http2Stream, code: number, reason: unknown): void {
    this.sendReset(stream.id, code);
    this.lost(stream, reason);
  }

  handlerSettled(exchange: Exchange): void {
    this.abandoned--;
    if (this.http.abandoned.size > 0) this.http.abandoned.delete(exchange);
  }

  fired(limit: LimitName, what: string): void {
    this.http.fired(limit, this.handle, what);
  }

  deadlineAt(): number {
    return 0;
  }
  setDeadlineAt(id: number, at: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.deadline = at;
    if (at !== 0) this.arm(at);
  }

  // ---- how they end

  /** A stream that ends without its response. */
  protected lost(stream: Http2Stream, reason: unknown): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.output.scheduler.remove(stream);
    if (stream.abort(reason)) this.#handlerGoesOn(stream);
    if (stream.tunnel?.successor === undefined) this.http.exchangeEnded(stream, stream.exchange, true);
    this.#forget(stream);
  }

  #handlerGoesOn(stream: Http2Stream): void {
    this.abandoned++;
    this.http.abandoned.set(stream.exchange, stream.startedAt);
  }

  #forget(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (stream.tunnel?.successor !== undefined) this.tunnels--;
    this.headBytes -= stream.exchange.head.length;
    if (this.streams.size === 0 && !this.closed) this.emptied();
  }

  /** The rest of its request is not wanted. */
  #leaveUnread(stream: Http2Stream): void {
    const { id, body, status } = stream;
    // A tunnel has no body; who waits to be told to go on has sent none of it, and who had the time for it has had it.
    if (body === undefined || stream.awaitsContinue || status === 408) return this.sendReset(id, NO_ERROR);
    this.unread ??= new UnreadRequests();
    const rest = new UnreadRequest(stream, body.received, this.receiving.stream, this.now);
    const another = this.unread.add(rest);
    if (another !== undefined) this.sendReset(another, NO_ERROR);
    // For what the handler had not read.
    const owed = rest.credit();
    if (owed > 0) this.output.frame(WINDOW_UPDATE, id, owed);
    this.credit(undefined);
    this.arm(rest.due);
  }

  protected sendReset(id: number, code: number): void {
    this.unread?.delete(id);
    this.output.frame(RST_STREAM, id, code);
    this.#resets.add(id);
    if (this.#resets.size <= KNOWN_RESETS) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      break;
    }
  }

  /** Whether frames for a stream that is no more may be the rest of one that we have ended. */
  protected wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  /** The client has reset it as well: nothing of it can be on its way behind that. */
  protected resetCame(id: number): void {
    this.#resets.delete(id);
    this.unread?.delete(id);
  }

  /** Work that brings nothing. False: it was too much, and the connection is over. */
  protected spend(cost: number): boolean {
    if (this.patience.spend(cost, this.now)) return true;
    this.flooded();
    return false;
  }

  protected ping(what: number): void {
    const out = this.output.reserve(FRAME_HEAD + 8);
    const at = writeFrameHead(out, this.output.end, 8, PING, 0, 0);
    out.fill(0, at, at + 8);
    out[at + 7] = what;
    this.output.end = at + 8;
    this.output.schedule();
  }

  // ---- what the output asks

  sentBytes(count: number): void {
    this.http.counters.bytesOut += count;
  }
  frameSent(): void {
    this.patience.frameSent();
  }
  responseSent(stream: Http2Stream): void {
    if (this.streams.get(stream.id) !== stream) return;
    const { exchange } = stream;
    stream.finished();
    this.patience.requestEnded();
    if (exchange.running) this.#handlerGoesOn(stream);
    if (stream.tunnel?.successor === undefined) this.http.exchangeEnded(stream, exchange, false);
    if (!stream.remoteEnded) this.#leaveUnread(stream);
    this.#forget(stream);
  }
  headTooLarge(stream: Http2Stream): void {
    stream.unsendable(new TypeError("the response's header fields do not fit into 64 KiB"));
  }

  socketFull(): void {
    (this.#clock ??= new SocketClock(this.http, this.handle, (at) => this.arm(at))).began();
  }
  protected socketHasRoom(): void {
    this.#clock?.ended();
  }
  /** When the client must have read something; 0 for never. */
  protected get socketDeadline(): number {
    return this.#clock?.deadline ?? 0;
  }
  /** Whether it has had its time. */
  protected socketExpired(): boolean {
    return this.#clock?.expired() === true;
  }
}
