/**
 * The HTTP/1.1 server proper: the one sink of all its connections. A request that arrives whole and is answered at
 * once makes no object of ours but the handler's own Request: it is parsed where the kernel put it, and answered from
 * the poller's outgoing memory, pipelined answers in one send. What takes longer gets an `HttpConnection`.
 */
import { type Handle, type Poller, SENDING, type Sink } from "../../ffi/poller.ts";
import { isLightResponse, requestFrom } from "../fetch/mod.ts";
import { decodeAddress, SOCKADDR_MAX } from "../net/address.ts";
import { lingerClose } from "../net/linger.ts";
import type { Addr, Listener } from "../net/mod.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { logError } from "../runtime/log.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import { type ConnectionHost, clientGone, HttpConnection } from "./connection.ts";
import { ConnectionRows } from "./connection-rows.ts";
import { type Exchange, type ExchangeHost, exchangeFrom, HandlerInfo, type ServeHandlerInfo } from "./exchange.ts";
import { type ErrorHandler, failureResponse, unsendable } from "./failure.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";
import { COMPLETE, HeadParser, INCOMPLETE } from "./parser.ts";
import { writeError, writeSimple } from "./simple-response.ts";

export type Handler<A extends Addr = Addr> = (
  request: Request,
  info: ServeHandlerInfo<A>,
) => Response | Promise<Response>;

/** An arrow function without parameters can't see its arguments: it needs no Request at all. */
const TAKES_NOTHING = /^(?:async\s*)?\(\s*\)\s*=>/;
/** How long after `shutdown` the first request of a connection may come. */
const FIRST_REQUEST_MS = 1000;
/** Room that `writeSimple` gets at least; below, what is written is sent first. */
const ROOM = 4096;

export class HttpService implements Sink, ConnectionHost, ExchangeHost {
  readonly poller: Poller;
  readonly limits: Limits;
  readonly listener: Listener;
  draining = false;
  /** Resolves when the listener and every connection are closed. */
  readonly finished: Promise<void>;

  readonly #runtime: Runtime;
  readonly #handler: Handler;
  readonly #onError: ErrorHandler | undefined;
  readonly #parser: HeadParser;
  readonly #out: Outgoing;
  readonly #takesNothing: boolean;
  readonly #finish: () => void;
  #listening = true;
  readonly #rows = new ConnectionRows();

  constructor(listener: Listener, handler: Handler, onError: ErrorHandler | undefined, limits: Limits = defaultLimits) {
    this.#runtime = runtime();
    this.poller = this.#runtime.poller;
    this.limits = limits;
    this.listener = listener;
    this.#handler = handler;
    this.#onError = onError;
    this.#parser = new HeadParser(limits);
    this.#out = outgoingBuffer(this.poller.outgoing);
    this.#takesNothing = handler.length === 0 && TAKES_NOTHING.test(Function.prototype.toString.call(handler));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = resolve;
    listener.takeConnections((fd) => this.#open(fd));
  }

  /** Connections open now. */
  get connections(): number {
    return this.#rows.count;
  }

  /**
   * Stops accepting, closes idle connections, lets the others finish what they are at. A connection that has sent
   * nothing yet was opened for a request, which is on its way: it is answered if it comes soon.
   */
  shutdown(): Promise<void> {
    if (!this.draining) {
      this.draining = true;
      this.#stopListening();
      // After one more look at the poller: a handler that calls this has its own answer still to give, and requests that
      // have arrived on idle connections are answered rather than reset.
      this.#runtime.schedule();
      setImmediate(() => this.#closeIdle());
    }
    return this.finished;
  }

  #closeIdle(): void {
    for (const handle of this.#rows.handles()) {
      const connection = this.#rows.active[handle];
      if (this.#rows.fresh[handle] === 1) this.#runtime.setDeadline(handle, monotonicNow() + FIRST_REQUEST_MS);
      else if (connection === undefined || !connection.busy) this.#close(handle);
    }
  }

  /** Closes everything at once. */
  close(): void {
    this.draining = true;
    this.#stopListening();
    const reason = new DOMException("the server was closed", "AbortError");
    for (const handle of this.#rows.handles()) {
      this.#rows.active[handle]?.closeWith(reason);
      this.#close(handle);
    }
  }

  // ---- what the poller tells

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#rows.active[handle];
    if (connection !== undefined) return connection.received(bytes, start, end);
    const serial = this.#rows.serials[handle];
    const at = this.serve(handle, undefined, bytes, start, end);
    if (at === end || this.#rows.serials[handle] !== serial) return;
    // Part of a head, or bytes behind a request that is still being answered.
    const kept = this.#activate(handle);
    kept.keep(bytes, at, end);
    if (!kept.busy) kept.triedInVain();
  }

  ended(handle: Handle): void {
    const connection = this.#rows.active[handle];
    if (connection === undefined) this.#close(handle);
    else connection.ended();
  }

  hungUp(handle: Handle): void {
    this.#rows.active[handle]?.hungUp();
  }

  sent(handle: Handle): void {
    this.#rows.active[handle]?.sent();
  }

  failed(handle: Handle, errno: number): void {
    const connection = this.#rows.active[handle];
    if (connection !== undefined) {
      const cause = errnoError(this.poller.constants, errno, "the connection broke");
      const reason = clientGone();
      Object.defineProperty(reason, "cause", { value: cause, configurable: true, writable: true });
      connection.closeWith(reason);
    }
    this.#close(handle);
  }

  expired(handle: Handle): void {
    const connection = this.#rows.active[handle];
    if (connection === undefined) this.#close(handle);
    else connection.expired();
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
    let at = start;
    let written = 0;
    while (at < end) {
      if (written + ROOM > this.#out.length) {
        // A client that does not read its answers is served no further.
        if (!this.#send(handle, written)) return !this.#rows.has(handle) ? end : at;
        written = 0;
      }
      const result = parser.parse(bytes, at, end);
      if (result !== COMPLETE) {
        if (result === INCOMPLETE) break;
        written = writeError(this.#out, written, result, parser.reason);
        this.#sendLast(handle, written, false);
        return end;
      }
      this.#rows.fresh[handle] = 0;
      const { keepAlive, minor } = parser;
      const head = parser.end;
      const length = parser.chunked ? -1 : Math.max(0, parser.contentLength);
      const exchange = this.#takesNothing && length === 0 ? undefined : this.#exchange(handle, bytes);
      let response: unknown;
      if (length === 0) {
        at = head;
        response = this.#call(exchange);
        // The handler may have closed the server.
        if (!this.#rows.has(handle))
          return this.#lost(handle, exchange ?? this.#exchange(handle, bytes), response, end);
        if (isLightResponse(response) && this.#simple(exchange, bytes, parser.start)) {
          const persists = keepAlive && !this.draining;
          const to = writeSimple(this.#out, written, response, persists, minor);
          if (to > 0) {
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
      if (!this.#rows.has(handle)) return this.#lost(handle, late, response, end);
      connection = this.#activate(handle);
      connection.begin(late, length, keepAlive, minor, expectContinue);
      if (length !== 0) {
        at = connection.feedBody(bytes, head, end);
        if (at < 0) return end;
        response = this.#call(late);
      }
      connection.settle(late, response);
      if (connection.busy) return connection.closed ? end : at;
    }
    if (written > 0) this.#send(handle, written);
    else if (connection === undefined) this.setDeadline(handle, this.limits.idleTimeout);
    return at;
  }

  failure(error: unknown): Response | Promise<Response> {
    return failureResponse(error, this.#onError);
  }

  lastResort(error: unknown): Response {
    return unsendable(error);
  }

  remoteAddress(handle: Handle, serial: number): Addr {
    // Clients of a Unix socket have no name of their own; Deno gives the socket's, and so do we.
    if (this.listener.addr.transport === "unix") return this.listener.addr;
    if (this.#rows.serials[handle] === serial) {
      const length = this.poller.system.getpeername(this.poller.fd(handle), scratch);
      if (length > 0) return decodeAddress(this.poller.constants, scratch, length);
    }
    // Asked too late: the connection is gone, and the kernel has forgotten its peer.
    return { transport: "tcp", hostname: "0.0.0.0", port: 0 };
  }

  setDeadline(handle: Handle, inMs: number): void {
    this.#runtime.setDeadline(handle, inMs === 0 ? 0 : this.#runtime.now + inMs);
  }

  // ---- what its connections ask

  becameIdle(connection: HttpConnection): void {
    this.#rows.active[connection.handle] = undefined;
    if (this.draining) this.#close(connection.handle);
    else this.setDeadline(connection.handle, this.limits.idleTimeout);
  }

  finish(connection: HttpConnection, clean: boolean): void {
    if (this.#rows.active[connection.handle] !== connection) return;
    this.#part(connection.handle, clean);
  }

  abandon(connection: HttpConnection): void {
    if (this.#rows.active[connection.handle] !== connection) return;
    connection.closeWith(clientGone());
    this.#close(connection.handle);
  }

  cut(connection: HttpConnection): void {
    const { SOL_SOCKET, SO_LINGER } = this.poller.constants;
    this.poller.system.setsockopt(this.poller.fd(connection.handle), SOL_SOCKET, SO_LINGER, RESET_AT_CLOSE);
    this.abandon(connection);
  }

  refuse(connection: HttpConnection, status: number, reason: string): void {
    if (this.#rows.active[connection.handle] !== connection) return;
    this.#sendLast(connection.handle, writeError(this.#out, 0, status, reason), false);
  }

  // ---- helpers

  #open(fd: number): void {
    const handle = this.#runtime.open(fd, this);
    if (handle < 0) {
      logError("a connection was refused", errnoError(this.poller.constants, -handle, "epoll_ctl"));
      return;
    }
    // After an internal error the runtime has closed the handle of a connection that we still know.
    if (this.#rows.has(handle)) {
      this.#rows.active[handle]?.closeWith(clientGone());
      this.#rows.forget(handle);
    }
    this.#rows.open(handle);
    this.setDeadline(handle, this.limits.idleTimeout);
    this.poller.receive(handle);
  }

  #exchange(handle: Handle, bytes: Uint8Array): Exchange {
    return exchangeFrom(this.#parser, bytes, this, handle, this.#rows.serials[handle]);
  }

  #call(exchange: Exchange | undefined): unknown {
    const handler = this.#handler; // called without our `this`
    try {
      return exchange === undefined
        ? (handler as () => unknown)()
        : handler(requestFrom(exchange), new HandlerInfo(exchange));
    } catch (error) {
      return this.failure(error);
    }
  }

  /** The connection went while its handler ran, or before: the handler is told, and what it gives is dropped. */
  #lost(handle: Handle, exchange: Exchange, response: unknown, end: number): number {
    const gone = new HttpConnection(this, handle);
    gone.exchange = exchange;
    gone.closeWith(clientGone());
    gone.settle(exchange, response);
    return end;
  }

  /** HEAD is answered without a body, which is not for `writeSimple`. */
  #simple(exchange: Exchange | undefined, bytes: Uint8Array, start: number): boolean {
    if (exchange !== undefined) return exchange.method !== "HEAD";
    return bytes[start] !== 0x48 || bytes[start + 1] !== 0x45 || bytes[start + 4] !== 0x20;
  }

  /** Sends what was written, and goes on; false when it can't go on now. */
  #send(handle: Handle, end: number): boolean {
    const result = this.poller.sendOutgoing(handle, 0, end);
    if (result === SENDING) {
      this.#activate(handle).block(false);
      return false;
    }
    if (result < 0) {
      this.#rows.active[handle]?.closeWith(clientGone());
      this.#close(handle);
      return false;
    }
    if (this.#rows.active[handle] === undefined) this.setDeadline(handle, this.limits.idleTimeout);
    return true;
  }

  /** Sends what was written, and closes. */
  #sendLast(handle: Handle, end: number, clean: boolean): void {
    const result = this.poller.sendOutgoing(handle, 0, end);
    if (result === SENDING) {
      const connection = this.#activate(handle);
      connection.keepAlive = false;
      connection.block(true);
    } else if (result < 0) this.#close(handle);
    else this.#part(handle, clean);
  }

  #activate(handle: Handle): HttpConnection {
    return (this.#rows.active[handle] ??= new HttpConnection(this, handle));
  }

  #forget(handle: Handle): void {
    this.#rows.forget(handle);
    if (this.#rows.count === 0 && !this.#listening) this.#finish();
  }

  #close(handle: Handle): void {
    if (!this.#rows.has(handle)) return;
    this.#runtime.close(handle);
    this.#forget(handle);
  }

  /**
   * Ends a connection after an answer. A close with unread bytes, or before bytes that still come, would answer them
   * with a reset, which can eat the response on its way (RFC 9112, 9.6): then FIN goes first, and the rest is read.
   */
  #part(handle: Handle, clean: boolean): void {
    if (!this.#rows.has(handle)) return;
    this.#rows.active[handle]?.closeWith(clientGone());
    if (clean) return this.#close(handle);
    this.#runtime.setDeadline(handle, 0);
    lingerClose(handle);
    this.#forget(handle);
  }

  #stopListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.listener.close();
    if (this.#rows.count === 0) this.#finish();
  }
}

const scratch = new Uint8Array(SOCKADDR_MAX);
/** struct linger { on, 0 s }: close(2) sends a reset (man 7 socket). */
const RESET_AT_CLOSE = new Uint8Array(new Int32Array([1, 0]).buffer);
