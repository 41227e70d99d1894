/**
 * The HTTP/1.1 server proper: the one sink of all its connections. A request that arrives whole and is answered at
 * once makes no object of ours but the handler's own Request: it is parsed where the kernel put it, and answered from
 * the poller's outgoing memory, pipelined answers in one send. What takes longer gets an `HttpConnection`.
 */
import { type Handle, SENDING, type Sink } from "../../ffi/poller.ts";
import { isLightResponse, Response as LightResponse, requestFrom, responseStatus } from "../fetch/mod.ts";
import { hold, release } from "../net/lent.ts";
import type { Addr, Listener } from "../net/mod.ts";
import { callPlain } from "../runtime/call-site.ts";
import { errnoError } from "../runtime/errno.ts";
import { logError } from "../runtime/log.ts";
import { runInRequest, tracksRequests } from "../runtime/request-context.ts";
import { callBegan, callEnded, isHeld } from "../runtime/stall-clock.ts";
import { Admit } from "./admit.ts";
import { type ConnectionHost, HttpConnection } from "./connection.ts";
import { FREE_REQUESTS } from "./connection-input.ts";
import { type ConnectionSettings, Connections } from "./connections.ts";
import { noteRefusedHead, noteRequest } from "./ended-request.ts";
import { clientGone } from "./endings.ts";
import { type Exchange, type ExchangeHost, exchangeFrom, HandlerInfo, type ServeHandlerInfo } from "./exchange.ts";
import { type ErrorHandler, failureResponse, unsendable } from "./failure.ts";
import { NAME as HSTS, sayHsts } from "./hsts.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";
import { COMPLETE, HeadParser, INCOMPLETE } from "./parser.ts";
import type { Answered, Protocol, ProtocolHost } from "./protocol.ts";
import { headRefused, type Refusal } from "./refusals.ts";
import type { LimitsHook } from "./request-limits.ts";
import { headLength } from "./response-head.ts";
import { dropResponse } from "./sendable.ts";
import { writeError, writeSimple } from "./simple-response.ts";
import { methodRow, rowOf, tally, tallyRefused } from "./tally.ts";
import type { Successor } from "./upgrade.ts";

export type Handler<A extends Addr = Addr> = (
  request: Request,
  info: ServeHandlerInfo<A>,
) => Response | Promise<Response>;

/** An arrow function without parameters can't see its arguments: it needs no Request at all. */
const TAKES_NOTHING = /^(?:async\s*)?\(\s*\)\s*=>/;
/** Room that `writeSimple` gets at least; below, what is written is sent first. */
const ROOM = 4096;

/** What a server may be given beside its handler. */
export interface ServiceSettings extends ConnectionSettings {
  readonly onError?: ErrorHandler | undefined;
  /** Asked for each request's own limits, before its body is read. */
  readonly limitsHook?: LimitsHook | undefined;
  /** Speaks HTTP/2, where ALPN or the client chooses it. */
  readonly http2?: ((host: ProtocolHost) => Protocol) | undefined;
  /** Without TLS a client may choose it by beginning with its preface (RFC 9113, 3.3). */
  readonly priorKnowledge?: boolean | undefined;
}

export class HttpService extends Connections implements Sink, ConnectionHost, ExchangeHost, ProtocolHost {
  readonly #handler: Handler;
  readonly #onError: ErrorHandler | undefined;
  readonly #admit: Admit;
  readonly #parser: HeadParser;
  readonly #out: Outgoing;
  readonly #takesNothing: boolean;
  /** `serve` has left requests for a later turn. */
  #yields = false;
  readonly #http2: Protocol | undefined;
  readonly #priorKnowledge: boolean;
  readonly #hsts: string | undefined;
  readonly #refusalFields: readonly string[] | null;

  constructor(listener: Listener, handler: Handler, settings: ServiceSettings = {}) {
    super(listener, settings);
    const { onError, limitsHook, trust } = settings;
    this.#handler = handler;
    this.#onError = onError;
    this.#admit = new Admit({ limits: this.limits, limitsHook, believed: trust?.fields, gate: this.gate });
    this.#parser = new HeadParser(this.limits);
    this.#out = outgoingBuffer(this.poller.outgoing);
    this.#takesNothing =
      !this.#admit.needed && handler.length === 0 && TAKES_NOTHING.test(Function.prototype.toString.call(handler));
    this.#http2 = settings.http2?.(this);
    this.#hsts = settings.tls?.hsts;
    this.#refusalFields = this.#hsts === undefined ? null : [HSTS, this.#hsts];
    this.#priorKnowledge = settings.priorKnowledge === true && settings.tls === undefined;
    this.begin();
  }

  /**
   * Speaks HTTP/2 on a connection that nothing was said on yet, but for `bytes[start, end)`: once ALPN has chosen it, or the
   * client has begun with its preface.
   */
  startHttp2(handle: Handle, bytes: Uint8Array = NOTHING, start = 0, end = 0): void {
    if (this.#http2 === undefined) throw new TypeError("this server was made without HTTP/2");
    this.rows.active[handle]?.closeWith();
    this.rows.active[handle] = undefined;
    this.#http2.start(handle, bytes, start, end);
  }

  protected sink(): Sink {
    return this;
  }

  // ---- what the poller tells

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    // What belongs to no connection of ours must never become the beginning of the next one's.
    if (!this.rows.has(handle)) return;
    this.counters.bytesIn += end - start;
    const connection = this.rows.active[handle];
    if (connection !== undefined) return connection.received(bytes, start, end);
    const serial = this.rows.serials[handle];
    const at = this.serve(handle, undefined, bytes, start, end);
    if (at === end || this.rows.serials[handle] !== serial) return;
    // Part of a head, or bytes behind a request that is still being answered.
    const kept = this.#activate(handle);
    if (this.#yields) kept.yieldTurn();
    kept.keep(bytes, at, end);
    if (!kept.busy) kept.waitForHead(this.rows.fresh[handle] === 1 && !this.ending);
  }

  ended(handle: Handle): void {
    const connection = this.rows.active[handle];
    if (connection === undefined) this.closeNow(handle);
    else connection.ended();
  }

  hungUp(handle: Handle): void {
    this.rows.active[handle]?.hungUp();
  }

  /** What was sent waits: the client does not read. */
  blocked(handle: Handle): void {
    if (this.rows.has(handle)) this.#activate(handle).block(false);
  }

  sent(handle: Handle): void {
    this.rows.active[handle]?.sent();
  }

  failed(handle: Handle, errno: number): void {
    const connection = this.rows.active[handle];
    if (connection !== undefined) {
      const cause = errnoError(this.poller.constants, errno, "the connection broke");
      const reason = clientGone();
      Object.defineProperty(reason, "cause", { value: cause, configurable: true, writable: true });
      connection.closeWith(reason);
    }
    this.closeNow(handle);
  }

  expired(handle: Handle): void {
    const connection = this.rows.active[handle];
    if (connection !== undefined) return connection.expired();
    this.expiredIdle(handle);
  }

  connected(): void {}
  accepted(): void {}
  datagram(): void {}

  // ---- the request's way

  /**
   * Serves the requests in `bytes[start, end)` one after the other, until one needs time. Returns the index behind
   * what was used. Answers that can be given at once leave together, in one send.
   */
  serve(handle: Handle, connection: HttpConnection | undefined, bytes: Uint8Array, start: number, end: number): number {
    const parser = this.#parser;
    const watched = this.watched;
    const timed = watched || this.counters.timed;
    const looks = watched || this.#admit.needed;
    const needless = this.#takesNothing && !watched && !tracksRequests();
    let at = start;
    let written = 0;
    let served = 0;
    this.#yields = false;
    while (at < end) {
      if (++served > FREE_REQUESTS) {
        served = 0;
        if (this.shares.spent) {
          this.#yields = true;
          connection?.yieldTurn();
          break;
        }
      }
      if (written + ROOM > this.#out.length) {
        // A client that does not read its answers is served no further.
        if (!this.#send(handle, written)) return !this.rows.has(handle) ? end : at;
        written = 0;
      }
      const result = parser.parse(bytes, at, end);
      if (result !== COMPLETE) {
        if (result === INCOMPLETE) break;
        if (result === 505 && this.#priorKnowledge && this.#isPreface(handle, bytes, at, end)) {
          this.startHttp2(handle, bytes, at, end);
          return end;
        }
        this.#refuse(handle, written, headRefused(result, parser.reason), undefined);
        return end;
      }
      // It came when the turn found it. The clock, read once more for each request, was 1.5 % of its CPU.
      const began = timed ? this.now : 0;
      this.rows.requestCame(handle);
      const { keepAlive, minor } = parser;
      const head = parser.end;
      const length = parser.chunked ? -1 : Math.max(0, parser.contentLength);
      const exchange = needless && length === 0 ? undefined : this.#exchange(handle, bytes);
      let response: unknown;
      if (exchange !== undefined && (looks || length > this.limits.maxBodyBytes)) {
        try {
          const refusal = this.#admitBehind(written, exchange, handle, length, watched);
          if (refusal !== undefined) {
            this.#refuse(handle, written, refusal, exchange);
            return end;
          }
        } catch (error) {
          response = this.failure(error, exchange, "limits(request) failed");
        }
      }
      if (length === 0) {
        at = head;
        response ??=
          written === 0 ? this.#call(exchange, handle, bytes) : this.#callBehind(written, exchange, handle, bytes);
        // The handler may have closed the server.
        if (!this.rows.has(handle)) return this.#lost(handle, exchange ?? this.#exchange(handle, bytes), response, end);
        if (isLightResponse(response) && this.#simple(exchange, bytes, parser.start)) {
          const persists = keepAlive && !this.#isLast(handle, at, end, bytes);
          const to = writeSimple(this.#out, written, response, persists, minor, exchange?.requestId);
          if (to > 0) {
            const status = responseStatus(response);
            tally(this.counters, methodRow(bytes, parser.start, parser.methodEnd), status);
            if (timed) {
              const sent = to - written;
              noteRequest(this.counters, watched, exchange, began, status, 0, sent, headLength, false, minor);
            }
            written = to;
            exchange?.finish();
            if (persists) continue;
            this.#sendLast(handle, written, at === end && !keepAlive);
            return end;
          }
        }
      }
      // It takes longer: a body, a promise, a stream, a large answer.
      const { expectContinue } = parser;
      const late = exchange ?? this.#exchange(handle, bytes);
      if (written > 0) this.#send(handle, written);
      written = 0;
      if (!this.rows.has(handle)) return this.#lost(handle, late, response, end);
      connection = this.#activate(handle);
      connection.startedAt = timed ? began : this.now;
      connection.begin(late, length, keepAlive, minor, expectContinue);
      if (length !== 0) {
        at = connection.feedBody(bytes, head, end, true);
        if (at < 0) return end;
        response ??= this.#call(late, handle, bytes);
        connection.checkSize();
      }
      connection.settle(late, response);
      if (!connection.busy) continue;
      // What came behind a request that has led out of HTTP is for who carries on.
      if (at < end) connection.successor?.received(bytes, at, end);
      return connection.closed ? end : at;
    }
    if (written > 0) this.#send(handle, written);
    return at;
  }

  /** What is not the handler's own says Strict-Transport-Security as well: a browser's first answer may be a refusal. */
  said<T extends Response | Promise<Response>>(response: T): T | Promise<Response> {
    const hsts = this.#hsts;
    if (hsts === undefined) return response;
    return response instanceof Promise ? response.then((one) => sayHsts(one, hsts)) : sayHsts(response, hsts);
  }

  plain(status: number, reason: string): Response {
    // Of ours also where the program has the host's own: what writes an answer at once reads its private fields.
    return this.said(new LightResponse(`${reason}\n`, { status })) as Response;
  }

  failure(error: unknown, exchange: Exchange | undefined, what?: string): Response | Promise<Response> {
    // They were meant to follow another response.
    if (exchange?.extras !== undefined) exchange.extras.trailers = undefined;
    return this.said(failureResponse(error, this.#onError, exchange, what));
  }

  cutOff(error: unknown, exchange: Exchange): void {
    logError("a response was cut off", error);
    // It may count errors, or send them somewhere; what it answers comes too late.
    if (this.#onError === undefined) return;
    Promise.resolve(failureResponse(error, this.#onError, exchange)).then(dropResponse);
  }

  lastResort(error: unknown): Response {
    return this.said(unsendable(error)) as Response;
  }

  // ---- what its connections ask

  becameIdle(connection: HttpConnection): void {
    this.rows.active[connection.handle] = undefined;
    this.idle(connection.handle);
  }

  exchangeEnded(answered: Answered, exchange: Exchange, aborted: boolean): void {
    tally(this.counters, rowOf(exchange.method), answered.status);
    const watched = this.watched;
    if (!this.counters.timed && !watched) return;
    const { startedAt, status, sentBytes, headBytes, minor } = answered;
    const received = exchange.body?.received ?? 0;
    const { counters } = this;
    noteRequest(counters, watched, exchange, startedAt, status, received, sentBytes, headBytes, aborted, minor);
  }

  switched(connection: HttpConnection, successor: Successor, sending: boolean): void {
    this.handOver(connection.handle, successor, sending);
  }

  isLive(connection: HttpConnection): boolean {
    return this.rows.active[connection.handle] === connection;
  }

  finish(connection: HttpConnection, clean: boolean): void {
    if (!this.isLive(connection)) return;
    this.part(connection.handle, clean);
  }

  abandon(connection: HttpConnection): void {
    if (!this.isLive(connection)) return;
    connection.closeWith();
    this.closeNow(connection.handle);
  }

  cut(connection: HttpConnection): void {
    this.resetAtClose(connection.handle);
    this.abandon(connection);
  }

  refuse(connection: HttpConnection, status: number, reason: string, toHead: boolean): void {
    if (!this.isLive(connection)) return;
    this.#sendLast(connection.handle, writeError(this.#out, 0, status, reason, toHead, this.#refusalFields), false);
  }

  // ---- what other protocols ask

  requestCame(handle: Handle): boolean {
    this.rows.requestCame(handle);
    return this.hadItsLast(handle);
  }

  admit(exchange: Exchange, handle: Handle, length: number): Refusal | undefined {
    const { watched } = this;
    if (!watched && !this.#admit.needed && length <= this.limits.maxBodyBytes) return undefined;
    return this.#admit.admit(exchange, handle, length, watched);
  }

  call(exchange: Exchange): unknown {
    try {
      return runInRequest(exchange, this.#handler, requestFrom(exchange), new HandlerInfo(exchange));
    } catch (error) {
      return this.failure(error, exchange);
    }
  }

  headRefused(handle: Handle, status: number, sent: number): void {
    tallyRefused(this.counters, status);
    noteRefusedHead(this.watched, status, sent, () => this.remoteAddress(handle, this.rows.serials[handle]));
  }

  // ---- helpers

  /** The preface of HTTP/2 (RFC 9113, 3.4), whose first line a parser of HTTP/1.1 takes for a request of a version too new. */
  #isPreface(handle: Handle, bytes: Uint8Array, at: number, end: number): boolean {
    if (this.rows.fresh[handle] === 0 || end - at < PREFACE_LINE.length) return false;
    for (let i = 0; i < PREFACE_LINE.length; i++) if (bytes[at + i] !== PREFACE_LINE.charCodeAt(i)) return false;
    return true;
  }

  /**
   * Whether the response to the request that ends at `at` ends the connection. A client that pipelines is told so with
   * the last of what it has sent: what came behind a "close" would be lost. Where the poller's memory is full to its
   * end, more may lie in the kernel.
   */
  #isLast(handle: Handle, at: number, end: number, bytes: Uint8Array): boolean {
    if (this.draining && at === end && end < bytes.length) return true;
    return this.rows.counts && this.hadItsLast(handle);
  }

  /** Answers what may not get to the handler, behind what was written, and closes. */
  #refuse(handle: Handle, written: number, refusal: Refusal, exchange: Exchange | undefined): void {
    const { status, reason, limit, what } = refusal;
    this.fired(limit, handle, what);
    const end = writeError(this.#out, written, status, reason, exchange?.method === "HEAD", this.#refusalFields);
    const { counters, now } = this;
    const sent = end - written;
    const watched = this.watched;
    if (exchange === undefined) {
      tallyRefused(counters, status);
      noteRefusedHead(watched, status, sent, () => this.remoteAddress(handle, this.rows.serials[handle]));
    } else {
      tally(counters, rowOf(exchange.method), status);
      if (counters.timed || watched) {
        noteRequest(counters, watched, exchange, now, status, 0, sent, headLength, false, this.#parser.minor);
      }
    }
    this.#sendLast(handle, end, false);
  }

  headExpired(connection: HttpConnection): void {
    const { handle } = connection;
    const watched = this.watched;
    tallyRefused(this.counters, 408);
    noteRefusedHead(watched, 408, 0, () => this.remoteAddress(handle, this.rows.serials[handle]));
    this.refuse(connection, 408, "the request's head did not arrive in time", false);
  }

  #exchange(handle: Handle, bytes: Uint8Array): Exchange {
    return exchangeFrom(this.#parser, bytes, this, handle, this.rows.serials[handle]);
  }

  /** Calls the handler, or the hook, while answers wait in the memory that it may write to as well. */
  #callBehind(written: number, exchange: Exchange | undefined, handle: Handle, bytes: Uint8Array): unknown {
    hold(this.#out, written);
    try {
      return this.#call(exchange, handle, bytes);
    } finally {
      release(this.#out);
    }
  }

  #admitBehind(
    written: number,
    exchange: Exchange,
    handle: Handle,
    length: number,
    watched: boolean,
  ): Refusal | undefined {
    hold(this.#out, written);
    try {
      return this.#admit.admit(exchange, handle, length, watched);
    } finally {
      release(this.#out);
    }
  }

  #call(exchange: Exchange | undefined, handle: Handle, bytes: Uint8Array): unknown {
    const handler = this.#handler; // called without our `this`
    try {
      if (exchange !== undefined) {
        return runInRequest(exchange, handler, requestFrom(exchange), new HandlerInfo(exchange));
      }
      const before = callBegan(A_REQUEST);
      try {
        return callPlain(handler as () => unknown);
      } finally {
        // A stall wants a name; the parser still stands at this request.
        callEnded(isHeld() ? this.#exchange(handle, bytes) : A_REQUEST, before);
      }
    } catch (error) {
      return this.failure(error, exchange);
    }
  }

  /** The connection went while its handler ran, or before: the handler is told, and what it gives is dropped. */
  #lost(handle: Handle, exchange: Exchange, response: unknown, end: number): number {
    const gone = new HttpConnection(this, handle);
    gone.exchange = exchange;
    gone.startedAt = this.now;
    gone.closeWith();
    gone.settle(exchange, response);
    return end;
  }

  /** HEAD is answered without a body, which is not for `writeSimple`. */
  #simple(exchange: Exchange | undefined, bytes: Uint8Array, start: number): boolean {
    if (exchange !== undefined) return exchange.method !== "HEAD" && exchange.extras === undefined;
    return bytes[start] !== 0x48 || bytes[start + 1] !== 0x45 || bytes[start + 4] !== 0x20;
  }

  /** Sends what was written, and goes on; false when it can't go on now. */
  #send(handle: Handle, end: number): boolean {
    this.counters.bytesOut += end;
    const result = this.poller.sendOutgoing(handle, 0, end);
    if (result === SENDING) {
      this.#activate(handle).block(false);
      return false;
    }
    if (result < 0) {
      this.rows.active[handle]?.closeWith();
      this.closeNow(handle);
      return false;
    }
    if (this.rows.active[handle] === undefined) this.idle(handle);
    return true;
  }

  /** Sends what was written, and closes. */
  #sendLast(handle: Handle, end: number, clean: boolean): void {
    this.counters.bytesOut += end;
    const result = this.poller.sendOutgoing(handle, 0, end);
    if (result === SENDING) {
      const connection = this.#activate(handle);
      connection.keepAlive = false;
      connection.block(true);
    } else if (result < 0) this.closeNow(handle);
    else this.part(handle, clean);
  }

  #activate(handle: Handle): HttpConnection {
    return (this.rows.active[handle] ??= new HttpConnection(this, handle));
  }
}

const PREFACE_LINE = "PRI * HTTP/2.0\r\n";
const NOTHING = new Uint8Array(0);

/** How a call is named whose handler takes no request: none is made for it. */
const A_REQUEST = "a request";
