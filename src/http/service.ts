/**
 * The HTTP/1.1 server proper: the one sink of all its connections. A request that arrives whole and is answered at
 * once makes no object of ours but the handler's own Request: it is parsed where the kernel put it, and answered from
 * the poller's outgoing memory, pipelined answers in one send. What takes longer gets an `HttpConnection`.
 */
import { type Handle, type Poller, SENDING, type Sink } from "../../ffi/poller.ts";
import { isLightResponse, requestFrom, responseStatus } from "../fetch/mod.ts";
import { decodeAddress, SOCKADDR_MAX, showAddress } from "../net/address.ts";
import { Admission } from "../net/admission.ts";
import { lingerClose } from "../net/linger.ts";
import type { Addr, Listener } from "../net/mod.ts";
import { ProxyGate, type ProxyGateOwner } from "../net/proxy-gate.ts";
import type { ProxySource } from "../net/proxy-protocol.ts";
import type { ProxyTrust } from "../net/trust.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { logError } from "../runtime/log.ts";
import { runInRequest, tracksRequests } from "../runtime/request-context.ts";
import { callBegan, callEnded, isHeld } from "../runtime/stall-clock.ts";
import { type TaskSource, taskSources } from "../runtime/task-table.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import { Admit } from "./admit.ts";
import { type ConnectionHost, HttpConnection } from "./connection.ts";
import { ConnectionRows } from "./connection-rows.ts";
import { counters, type HttpCounters, type LimitName } from "./counters.ts";
import { type Drainable, type DrainResult, drain } from "./drain.ts";
import { noteRequest } from "./ended-request.ts";
import { clientGone, serverEnded } from "./endings.ts";
import { type Exchange, type ExchangeHost, exchangeFrom, HandlerInfo, type ServeHandlerInfo } from "./exchange.ts";
import { type ErrorHandler, failureResponse, unsendable } from "./failure.ts";
import { limitFired } from "./limit-log.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { observer } from "./observer.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";
import { COMPLETE, HeadParser, INCOMPLETE } from "./parser.ts";
import { headRefused, type Refusal } from "./refusals.ts";
import type { LimitsHook } from "./request-limits.ts";
import { headLength } from "./response-head.ts";
import { known, type ServerState } from "./servers.ts";
import { writeError, writeSimple } from "./simple-response.ts";
import { methodRow, rowOf, tally, tallyRefused } from "./tally.ts";

export type Handler<A extends Addr = Addr> = (
  request: Request,
  info: ServeHandlerInfo<A>,
) => Response | Promise<Response>;

/** An arrow function without parameters can't see its arguments: it needs no Request at all. */
const TAKES_NOTHING = /^(?:async\s*)?\(\s*\)\s*=>/;
/** Room that `writeSimple` gets at least; below, what is written is sent first. */
const ROOM = 4096;

/** What a server may be given beside its handler. */
export interface ServiceSettings {
  readonly onError?: ErrorHandler | undefined;
  readonly limits?: Limits;
  /** Asked for each request's own limits, before its body is read. */
  readonly limitsHook?: LimitsHook | undefined;
  /** The proxies in front of it. */
  readonly trust?: ProxyTrust | undefined;
  /** Counters of its own: then it does not show among `servers()` either. */
  readonly counters?: HttpCounters | undefined;
}

export class HttpService implements Sink, ConnectionHost, ExchangeHost, Drainable, ServerState, ProxyGateOwner {
  readonly poller: Poller;
  readonly limits: Limits;
  readonly listener: Listener;
  readonly counters: HttpCounters;
  readonly abandoned = new Map<Exchange, number>();
  draining = false;
  /** Resolves when the listener and every connection are closed. */
  readonly finished: Promise<void>;

  readonly #runtime: Runtime;
  readonly #handler: Handler;
  readonly #onError: ErrorHandler | undefined;
  readonly #admit: Admit;
  /** The access log is not for servers that count for themselves. */
  readonly #observed: boolean;
  readonly #parser: HeadParser;
  readonly #out: Outgoing;
  readonly #takesNothing: boolean;
  readonly #finish: () => void;
  readonly #admission: Admission;
  /** Where connections wait for a proxy's word. */
  readonly #gate: ProxyGate | undefined;
  #listening = true;
  #drain: Promise<DrainResult> | undefined;
  readonly #rows: ConnectionRows;

  constructor(listener: Listener, handler: Handler, settings: ServiceSettings = {}) {
    const { limits = defaultLimits, onError, limitsHook, trust } = settings;
    this.#runtime = runtime();
    this.poller = this.#runtime.poller;
    this.limits = limits;
    this.listener = listener;
    this.counters = settings.counters ?? counters;
    this.#observed = settings.counters === undefined;
    this.#handler = handler;
    this.#onError = onError;
    this.#gate = trust?.connections && new ProxyGate(this.poller, trust.connections, this);
    this.#admit = new Admit({ limits, limitsHook, believed: trust?.fields, gate: this.#gate });
    this.#rows = new ConnectionRows(limits.maxRequestsPerConnection !== Number.POSITIVE_INFINITY);
    this.#parser = new HeadParser(limits);
    this.#out = outgoingBuffer(this.poller.outgoing);
    this.#takesNothing =
      !this.#admit.needed && handler.length === 0 && TAKES_NOTHING.test(Function.prototype.toString.call(handler));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = () => {
      known.delete(this);
      taskSources.delete(this.#tasks);
      resolve();
    };
    if (this.#observed) {
      known.add(this);
      taskSources.add(this.#tasks);
    }
    this.#admission = new Admission(this.#runtime, listener, limits.maxConnections, () =>
      this.fired("maxConnections", -1, ""),
    );
    listener.takeConnections((fd) => this.#open(fd));
  }

  /** Connections open now. */
  get connections(): number {
    return this.#rows.count;
  }
  get active(): number {
    let active = 0;
    for (const connection of this.#rows.active) if (connection?.exchange !== undefined) active++;
    return active;
  }
  get accepting(): boolean {
    return this.#listening && !this.#admission.waiting;
  }
  get now(): number {
    return this.#runtime.now;
  }

  /** Connections and requests, which are tasks without an object of that name. */
  readonly #tasks: TaskSource = (visit) => {
    const { now } = this;
    for (const handle of this.#rows.handles()) {
      visit("http connection", now - this.#rows.openedAt[handle]);
      const connection = this.#rows.active[handle];
      if (connection?.exchange !== undefined) visit("http request", now - connection.startedAt);
    }
    for (const began of this.abandoned.values()) visit("http request, given up on", now - began);
  };

  /** Ends gracefully (`drain.ts`), and says how that went. Asked again, it gives the same answer. */
  drain(): Promise<DrainResult> {
    this.draining = true;
    return (this.#drain ??= drain(this));
  }

  stopListening(): void {
    if (!this.#listening) return;
    this.draining = true;
    this.listener.takeWaiting();
    this.#endListening();
    // What has arrived unread by now is seen before these deadlines are: a turn looks at the poller first.
    const { drainIdle } = this.limits;
    for (const handle of this.#rows.handles()) {
      const connection = this.#rows.active[handle];
      if (connection === undefined) this.#graceUntil(handle, drainIdle);
      else if (!connection.busy) connection.hurry(drainIdle);
    }
    this.#runtime.schedule();
  }

  cutAll(): number {
    let cut = 0;
    for (const handle of this.#rows.handles()) {
      if (this.#rows.active[handle]?.exchange === undefined) continue;
      cut++;
      this.fired("drainTimeout", handle, "was not done by the end of the drain");
    }
    this.counters.cut += cut;
    this.#closeAll("was shut down");
    return cut;
  }

  /** Closes everything at once. */
  close(): void {
    this.draining = true;
    this.#endListening();
    this.#closeAll("was closed");
  }

  #closeAll(why: string): void {
    const reason = serverEnded(why);
    for (const handle of this.#rows.handles()) {
      this.#rows.active[handle]?.closeWith(reason);
      this.#close(handle);
    }
  }

  // ---- what the poller tells

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.counters.bytesIn += end - start;
    const connection = this.#rows.active[handle];
    if (connection !== undefined) return connection.received(bytes, start, end);
    const serial = this.#rows.serials[handle];
    const at = this.serve(handle, undefined, bytes, start, end);
    if (at === end || this.#rows.serials[handle] !== serial) return;
    // Part of a head, or bytes behind a request that is still being answered.
    const kept = this.#activate(handle);
    kept.keep(bytes, at, end);
    if (!kept.busy) kept.waitForHead(this.#rows.fresh[handle] === 1);
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
    if (connection !== undefined) return connection.expired();
    // A request may be on its way as a drain ends: no reset for what was sent before.
    if (!this.#listening) return this.#part(handle, false);
    if (this.#rows.fresh[handle] === 1) this.fired("readHeaderTimeout", handle, "sent nothing at all");
    else this.fired("idleTimeout", handle, "");
    this.#close(handle);
  }

  // ---- what a proxy says of a connection (src/net/proxy-gate.ts)

  admitted(handle: Handle, client: ProxySource, bytes: Uint8Array, start: number, end: number): void {
    this.poller.setSink(handle, this);
    if (client.kind !== "local") {
      this.#gate?.clients.set(handle, client.kind === "proxied" ? client.source : undefined);
    }
    if (start < end) this.received(handle, bytes, start, end);
  }

  refused(handle: Handle, reason: string): void {
    this.fired("proxyProtocol", handle, `was closed: ${reason}`);
    this.#close(handle);
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
    const watched = this.#observed && observer !== undefined;
    const timed = watched || this.counters.timed;
    const needless = this.#takesNothing && !watched && !tracksRequests();
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
        this.#refuse(handle, written, headRefused(result, parser.reason));
        return end;
      }
      const began = timed ? monotonicNow() : 0;
      this.#rows.requestCame(handle);
      const { keepAlive, minor } = parser;
      const head = parser.end;
      const length = parser.chunked ? -1 : Math.max(0, parser.contentLength);
      const exchange = needless && length === 0 ? undefined : this.#exchange(handle, bytes);
      let response: unknown;
      if (exchange !== undefined) {
        try {
          const refusal = this.#admit.admit(exchange, handle, length, watched);
          if (refusal !== undefined) {
            this.#refuse(handle, written, refusal);
            return end;
          }
        } catch (error) {
          response = this.failure(error);
        }
      }
      if (length === 0) {
        at = head;
        response ??= this.#call(exchange, handle, bytes);
        // The handler may have closed the server.
        if (!this.#rows.has(handle))
          return this.#lost(handle, exchange ?? this.#exchange(handle, bytes), response, end);
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
      if (!this.#rows.has(handle)) return this.#lost(handle, late, response, end);
      connection = this.#activate(handle);
      connection.startedAt = timed ? began : this.now;
      connection.begin(late, length, keepAlive, minor, expectContinue);
      if (length !== 0) {
        at = connection.feedBody(bytes, head, end);
        if (at < 0) return end;
        response ??= this.#call(late, handle, bytes);
      }
      connection.settle(late, response);
      if (connection.busy) return connection.closed ? end : at;
    }
    if (written > 0) this.#send(handle, written);
    return at;
  }

  failure(error: unknown): Response | Promise<Response> {
    return failureResponse(error, this.#onError);
  }

  lastResort(error: unknown): Response {
    return unsendable(error);
  }

  remoteAddress(handle: Handle, serial: number): Addr {
    const client = this.#gate?.clients.get(handle);
    if (client !== undefined && this.#rows.serials[handle] === serial) return client;
    // Clients of a Unix socket have no name of their own; Deno gives the socket's, and so do we.
    if (this.listener.addr.transport === "unix") return this.listener.addr;
    if (this.#rows.serials[handle] === serial) {
      const length = this.poller.system.getpeername(this.poller.fd(handle), scratch);
      if (length > 0) return decodeAddress(this.poller.constants, scratch, length);
    }
    // Asked too late: the connection is gone, and the kernel has forgotten its peer.
    return { transport: "tcp", hostname: "0.0.0.0", port: 0 };
  }

  deadlineAt(handle: Handle): number {
    return this.#runtime.deadlines.get(handle);
  }
  setDeadlineAt(handle: Handle, at: number): void {
    this.#runtime.setDeadline(handle, at);
  }

  // ---- what its connections ask

  becameIdle(connection: HttpConnection): void {
    this.#rows.active[connection.handle] = undefined;
    this.#idle(connection.handle);
  }

  hadItsLast(handle: Handle): boolean {
    if (!this.#rows.counts || this.#rows.requests[handle] < this.limits.maxRequestsPerConnection) return false;
    this.fired("maxRequestsPerConnection", handle, "");
    return true;
  }

  fired(limit: LimitName, handle: Handle, what: string): void {
    limitFired(this.counters, limit, () => this.#peer(handle), what);
  }

  exchangeEnded(connection: HttpConnection, exchange: Exchange, aborted: boolean): void {
    tally(this.counters, rowOf(exchange.method), connection.status);
    const watched = this.#observed && observer !== undefined;
    if (!this.counters.timed && !watched) return;
    const { startedAt, status, sentBytes, headBytes, minor } = connection;
    const received = exchange.body?.received ?? 0;
    const { counters } = this;
    noteRequest(counters, watched, exchange, startedAt, status, received, sentBytes, headBytes, aborted, minor);
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
    const handle = this.#runtime.open(fd, this.#gate ?? this);
    if (handle < 0) {
      logError("a connection was refused", errnoError(this.poller.constants, -handle, "epoll_ctl"));
      return;
    }
    // After an internal error the runtime has closed the handle of a connection that we still know.
    if (this.#rows.has(handle)) {
      this.#rows.active[handle]?.closeWith(clientGone());
      this.#rows.forget(handle);
      this.#gate?.forget(handle);
      this.#admission.closed();
    }
    this.#rows.open(handle, this.now);
    this.counters.accepted++;
    this.#admission.opened();
    this.#graceUntil(handle, this.#listening ? this.limits.readHeaderTimeout : this.limits.drainIdle);
    if (this.#gate?.trusts(handle) === false) this.refused(handle, "it is no proxy that trustProxy names");
    else this.poller.receive(handle);
  }

  /** From here on the connection may be idle, or new, for this long. */
  #graceUntil(handle: Handle, ms: number): void {
    this.#runtime.setDeadline(handle, ms === Number.POSITIVE_INFINITY ? 0 : this.now + Math.max(1, ms));
  }

  #idle(handle: Handle): void {
    this.#graceUntil(handle, this.#listening ? this.limits.idleTimeout : this.limits.drainIdle);
  }

  /**
   * Whether the response to the request that ends at `at` ends the connection. A client that pipelines is told so with
   * the last of what it has sent: what came behind a "close" would be lost. Where the poller's memory is full to its
   * end, more may lie in the kernel.
   */
  #isLast(handle: Handle, at: number, end: number, bytes: Uint8Array): boolean {
    if (this.draining && at === end && end < bytes.length) return true;
    return this.#rows.counts && this.hadItsLast(handle);
  }

  /** Answers what may not get to the handler, behind what was written, and closes. */
  #refuse(handle: Handle, written: number, { status, reason, limit, what }: Refusal): void {
    this.fired(limit, handle, what);
    tallyRefused(this.counters, status);
    this.#sendLast(handle, writeError(this.#out, written, status, reason), false);
  }

  #peer(handle: Handle): string {
    return handle < 0 ? "" : showAddress(this.remoteAddress(handle, this.#rows.serials[handle]));
  }

  #exchange(handle: Handle, bytes: Uint8Array): Exchange {
    return exchangeFrom(this.#parser, bytes, this, handle, this.#rows.serials[handle]);
  }

  #call(exchange: Exchange | undefined, handle: Handle, bytes: Uint8Array): unknown {
    const handler = this.#handler; // called without our `this`
    try {
      if (exchange !== undefined) {
        return runInRequest(exchange, handler, requestFrom(exchange), new HandlerInfo(exchange));
      }
      const before = callBegan(A_REQUEST);
      try {
        return (handler as () => unknown)();
      } finally {
        // A stall wants a name; the parser still stands at this request.
        callEnded(isHeld() ? this.#exchange(handle, bytes) : A_REQUEST, before);
      }
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
    this.counters.bytesOut += end;
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
    if (this.#rows.active[handle] === undefined) this.#idle(handle);
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
    } else if (result < 0) this.#close(handle);
    else this.#part(handle, clean);
  }

  #activate(handle: Handle): HttpConnection {
    return (this.#rows.active[handle] ??= new HttpConnection(this, handle));
  }

  #forget(handle: Handle): void {
    this.#rows.forget(handle);
    this.#gate?.forget(handle);
    this.#admission.closed();
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

  #endListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.#admission.end();
    this.listener.close();
    if (this.#rows.count === 0) this.#finish();
  }
}

/** How a call is named whose handler takes no request: none is made for it. */
const A_REQUEST = "a request";
const scratch = new Uint8Array(SOCKADDR_MAX);
/** struct linger { on, 0 s }: close(2) sends a reset (man 7 socket). */
const RESET_AT_CLOSE = new Uint8Array(new Int32Array([1, 0]).buffer);
