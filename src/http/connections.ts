/**
 * The connections of a server, from accept to close: how many there are, how long one may be idle, how they end, one by
 * one or all together. What they say and are told is `service.ts`'s.
 */
import type { Handle, Sink, Transport } from "../../ffi/poller.ts";
import { decodeAddress, SOCKADDR_MAX, showAddress } from "../net/address.ts";
import { Admission } from "../net/admission.ts";
import { serverEnds } from "../net/kept.ts";
import { lingerClose } from "../net/linger.ts";
import type { Addr, Listener } from "../net/mod.ts";
import { ProxyGate, type ProxyGateOwner } from "../net/proxy-gate.ts";
import type { ProxySource } from "../net/proxy-protocol.ts";
import type { ProxyTrust } from "../net/trust.ts";
import { errnoError } from "../runtime/errno.ts";
import { logError } from "../runtime/log.ts";
import { type TaskSource, taskSources } from "../runtime/task-table.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import type { TurnShares } from "../runtime/turn-shares.ts";
import type { CertificateFacts, TlsContext } from "../tls/context.ts";
import { type TlsInfo, tlsInfo } from "../tls/info.ts";
import { TlsLayer, type TlsOwner } from "../tls/layer.ts";
import { ConnectionRows } from "./connection-rows.ts";
import { counters, type HttpCounters, type LimitName } from "./counters.ts";
import { type Drainable, type DrainResult, drain } from "./drain.ts";
import { serverEnded } from "./endings.ts";
import type { Exchange } from "./exchange.ts";
import { HandshakeTimes, handshakeCounters } from "./handshakes.ts";
import { limitFired } from "./limit-log.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { observer } from "./observer.ts";
import type { OtherConnection } from "./protocol.ts";
import { known, type ServerState } from "./servers.ts";
import type { Successor } from "./upgrade.ts";
import { Upgraded, type UpgradedHost } from "./upgraded.ts";

/** When it is looked again for connections that wait, though nothing of ours has closed: as the poller does it. */
const STOP_AGAIN_MS = 100;

/** Clients with less time than this for their first request are not deferred. */
const DEFER_FROM_MS = 3000;

export interface ConnectionSettings {
  readonly limits?: Limits;
  /** The proxies in front of it. */
  readonly trust?: ProxyTrust | undefined;
  /** Counters of its own: then it does not show among `servers()` either. */
  readonly counters?: HttpCounters | undefined;
  /** Its connections speak TLS. */
  readonly tls?: TlsContext | undefined;
}

export abstract class Connections implements Drainable, ServerState, ProxyGateOwner, TlsOwner, UpgradedHost {
  /** What its connections are read and written through. */
  readonly poller: Transport;
  readonly limits: Limits;
  readonly listener: Listener;
  readonly counters: HttpCounters;
  readonly abandoned = new Map<Exchange, number>();
  /** Connections that speak another protocol: the sinks of their handles are not ours. */
  readonly others = new Map<Handle, OtherConnection>();
  draining = false;
  /** Resolves when the listener and every connection are closed. */
  readonly finished: Promise<void>;

  protected readonly rows: ConnectionRows;
  /** Where connections wait for a proxy's word. */
  protected readonly gate: ProxyGate | undefined;
  readonly #tls: TlsLayer | undefined;
  readonly #context: TlsContext | undefined;
  readonly #handshakes = new HandshakeTimes();
  /** The access log is not for servers that count for themselves. */
  protected readonly observed: boolean;
  readonly #runtime: Runtime;
  readonly #finish: () => void;
  readonly #admission: Admission;
  /** With an access log: who the clients are, asked while the kernel still knows. */
  readonly #peers = new Map<Handle, Addr>();
  /** Those that have left HTTP; made for the first of them. */
  #upgraded: Upgraded | undefined;
  #listening = true;
  /** Connections come with their first bytes. */
  #spoke = false;
  /** The drain has come to its second half: what is idle ends after `drainIdle`. */
  #ending = false;
  #drain: Promise<DrainResult> | undefined;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Listener, settings: ConnectionSettings) {
    const { limits = defaultLimits, trust } = settings;
    this.#runtime = runtime();
    const { poller } = this.#runtime;
    this.#context = settings.tls;
    this.#tls = settings.tls && new TlsLayer(poller, settings.tls, this);
    this.poller = this.#tls ?? poller;
    this.limits = limits;
    this.listener = listener;
    this.counters = settings.counters ?? counters;
    this.observed = settings.counters === undefined;
    this.gate = trust?.connections && new ProxyGate(poller, trust.connections, this);
    this.rows = new ConnectionRows(limits.maxRequestsPerConnection !== Number.POSITIVE_INFINITY);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = () => {
      known.delete(this);
      taskSources.delete(this.#tasks);
      resolve();
    };
    if (this.observed) {
      known.add(this);
      taskSources.add(this.#tasks);
    }
    this.#admission = new Admission(this.#runtime, listener, limits.maxConnections, () =>
      this.fired("maxConnections", -1, ""),
    );
  }

  /** Who is told what happens to a connection. */
  protected abstract sink(): Sink;
  /** ALPN has chosen it. */
  abstract startHttp2(handle: Handle): void;
  abstract received(handle: Handle, bytes: Uint8Array, start: number, end: number): void;
  abstract ended(handle: Handle): void;
  abstract failed(handle: Handle, errno: number): void;
  abstract expired(handle: Handle): void;

  /** Accepts from here on. */
  protected begin(): void {
    // Who says nothing is noticed a second late, which must be little beside the time that it has.
    const { readHeaderTimeout } = this.limits;
    this.#spoke = this.gate === undefined && readHeaderTimeout >= DEFER_FROM_MS && this.listener.deferAccept();
    this.listener.takeConnections((fd) => this.#open(fd));
  }

  /** Whether every request that ends is told to somebody: the access log. */
  get watched(): boolean {
    return this.observed && observer !== undefined;
  }
  /** Whether connections that say nothing end soon, as a part of the drain. */
  get ending(): boolean {
    return this.#ending;
  }
  /** Connections open now. */
  get connections(): number {
    return this.rows.count;
  }
  get active(): number {
    let active = 0;
    for (const connection of this.rows.active) if (connection?.exchange !== undefined) active++;
    for (const { requests } of this.others.values()) active += requests;
    return active;
  }
  get busy(): number {
    let busy = 0;
    for (const connection of this.rows.active) if (connection?.exchange !== undefined) busy++;
    for (const { requests } of this.others.values()) if (requests > 0) busy++;
    return busy;
  }
  get accepting(): boolean {
    return this.#listening && !this.#admission.waiting && !this.listener.lacking;
  }
  get certificates(): readonly CertificateFacts[] {
    return this.#context?.certificates() ?? [];
  }
  get handshaking(): number {
    return this.#tls?.handshaking ?? 0;
  }
  get now(): number {
    return this.#runtime.now;
  }
  get shares(): TurnShares {
    return this.#runtime.shares;
  }
  get scheme(): "http" | "https" {
    return this.#tls === undefined ? "http" : "https";
  }

  /** Connections and requests, which are tasks without an object of that name. */
  readonly #tasks: TaskSource = (visit) => {
    const { now } = this;
    for (const handle of this.rows.handles()) {
      visit("http connection", now - this.rows.openedAt[handle]);
      const connection = this.rows.active[handle];
      if (connection?.exchange !== undefined) visit("http request", now - connection.startedAt);
      const upgraded = this.#upgraded?.get(handle);
      if (upgraded !== undefined) visit(upgraded.successor.name, now - upgraded.openedAt);
    }
    for (const other of this.others.values()) {
      other.visitRequests((began, name = "http request") => visit(name, now - began));
    }
    for (const began of this.abandoned.values()) visit("http request, given up on", now - began);
  };

  /** Ends gracefully (`drain.ts`), and says how that went. Asked again, it gives the same answer. */
  drain(): Promise<DrainResult> {
    this.draining = true;
    if (this.#drain === undefined) for (const other of this.others.values()) other.drain(false);
    return (this.#drain ??= drain(this));
  }

  stopListening(): void {
    if (!this.#listening) return;
    this.draining = true;
    if (!this.#ending) {
      this.#ending = true;
      // What has arrived unread by now is seen before these deadlines are: a turn looks at the poller first. Who has
      // begun a head has its own time for it.
      for (const handle of this.rows.handles()) {
        const other = this.others.get(handle);
        const idle = this.rows.active[handle] === undefined && this.#upgraded?.get(handle) === undefined;
        if (other !== undefined) other.drain(true);
        else if (idle) this.#graceUntil(handle, this.limits.drainIdle);
      }
      this.#upgraded?.drain();
      serverEnds(this.listener.addr);
      this.#runtime.schedule();
    }
    if (this.listener.takeWaiting()) this.#endListening();
    // For lack of descriptors: those who wait get theirs as connections close, or as others give some back.
    else {
      this.#runtime.closing.add(this.#stopLater);
      this.#stopTimer ??= setTimeout(this.#stopLater, STOP_AGAIN_MS);
    }
  }

  /** A connection has closed. Not here and now: its own end is not over yet. */
  readonly #stopLater = (): void => {
    this.#runtime.closing.delete(this.#stopLater);
    clearTimeout(this.#stopTimer);
    this.#stopTimer = undefined;
    setImmediate(() => this.stopListening());
  };

  cutAll(): number {
    let cut = 0;
    for (const handle of this.rows.handles()) {
      const one = this.rows.active[handle]?.exchange === undefined && this.#upgraded?.get(handle) === undefined ? 0 : 1;
      const other = this.others.get(handle);
      const requests = other === undefined ? one : other.requests + other.tunnels;
      if (requests === 0) continue;
      cut += requests;
      this.fired("drainTimeout", handle, "was not done by the end of the drain");
    }
    this.counters.cut += cut;
    this.#endListening();
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
    for (const handle of this.rows.handles()) {
      const connection = this.rows.active[handle];
      if (connection?.unframed) this.resetAtClose(handle);
      connection?.closeWith(reason);
      this.others.get(handle)?.closeWith(reason);
      this.#upgraded?.closing(handle, reason);
      this.closeNow(handle);
    }
  }

  // ---- connections that leave HTTP

  /** The handle's bytes are the successor's from here on; `sending`: the 101 waits to be sent. */
  protected handOver(handle: Handle, successor: Successor, sending: boolean): void {
    this.#upgraded ??= new Upgraded(this);
    this.rows.active[handle] = undefined;
    this.#upgraded.add(handle, successor, sending);
    if (this.#ending) successor.drain();
  }

  peerOf(handle: Handle): Addr {
    return this.remoteAddress(handle, this.rows.serials[handle]);
  }

  leaving(handle: Handle): void {
    this.#tls?.release(handle, true);
  }
  closeUpgraded(handle: Handle, reset: boolean): void {
    if (reset) this.resetAtClose(handle);
    this.closeNow(handle);
  }

  forgetUpgraded(handle: Handle): void {
    this.#forget(handle);
  }

  // ---- one connection

  #open(fd: number): void {
    const handle = this.#runtime.open(fd, this.gate ?? this.sink(), this.#spoke);
    if (handle < 0) {
      logError("a connection was refused", errnoError(this.poller.constants, -handle, "watching it"));
      return;
    }
    // After an internal error the runtime has closed the handle of a connection that we still know.
    if (this.rows.has(handle)) {
      this.rows.active[handle]?.closeWith();
      this.#upgraded?.closing(handle, serverEnded("failed"));
      this.rows.forget(handle);
      this.#forgetOther(handle);
      this.gate?.forget(handle);
      if (this.#peers.size > 0) this.#peers.delete(handle);
      this.#tls?.release(handle, false);
      this.#admission.closed();
    }
    this.rows.open(handle, this.now);
    this.counters.accepted++;
    this.#admission.opened();
    if (this.watched) this.#peers.set(handle, this.#peerOf(handle));
    this.#graceUntil(handle, this.#ending ? this.limits.drainIdle : this.limits.readHeaderTimeout);
    if (this.gate?.trusts(handle) === false) this.refused(handle, "it is no proxy that trustProxy names");
    else if (this.gate !== undefined) this.#runtime.poller.receive(handle);
    else if (this.#begins(handle)) this.poller.receive(handle);
  }

  /** Whoever it is has said no more than HTTP, or TLS, will. False when it could not be. */
  #begins(handle: Handle): boolean {
    if (this.#tls === undefined) return true;
    if (this.#tls.adopt(handle, this.sink())) {
      handshakeCounters.begun++;
      return true;
    }
    logError("a connection was refused", new Error("no memory for its TLS"));
    this.closeNow(handle);
    return false;
  }

  secured(handle: Handle): void {
    const ms = Math.max(0, Math.round(this.now) - this.rows.openedAt[handle]);
    this.#handshakes.set(handle, ms);
    handshakeCounters.succeeded(this.#tls?.sslOf(handle) ?? 0, ms);
    // The head has its own time.
    if (!this.#ending) this.#graceUntil(handle, this.limits.readHeaderTimeout);
    // RFC 9113, 3.2.
    if (this.#tls?.protocolOf(handle) === "h2") this.startHttp2(handle);
  }

  handshakeFailed(handle: Handle, reason: string): void {
    handshakeCounters.failed(reason);
    this.fired("tlsHandshake", handle, `was closed: ${reason}`);
    this.part(handle, false);
  }

  /** As Go does: who has the wrong scheme in the address is told so. */
  spokePlain(handle: Handle): void {
    const { poller } = this.#runtime;
    handshakeCounters.ended.plain++;
    this.fired("tlsHandshake", handle, "spoke HTTP where TLS is spoken");
    if (poller.send(handle, PLAIN_ANSWER, 0, PLAIN_ANSWER.length) < 0) this.closeNow(handle);
    else this.part(handle, false);
  }

  /** From here on the connection may be idle, or new, for this long. */
  #graceUntil(handle: Handle, ms: number): void {
    this.#runtime.setDeadline(handle, ms === Number.POSITIVE_INFINITY ? 0 : this.now + Math.max(1, ms));
  }

  protected idle(handle: Handle): void {
    this.#graceUntil(handle, this.#ending ? this.limits.drainIdle : this.limits.idleTimeout);
  }

  /** What a proxy says of a connection (src/net/proxy-gate.ts). */
  admitted(handle: Handle, client: ProxySource, bytes: Uint8Array, start: number, end: number): void {
    this.#runtime.poller.setSink(handle, this.sink());
    if (client.kind !== "local") {
      this.gate?.clients.set(handle, client.kind === "proxied" ? client.source : undefined);
    }
    if (!this.#begins(handle)) return;
    if (this.#tls !== undefined) this.poller.receive(handle);
    if (start < end) (this.#tls ?? this).received(handle, bytes, start, end);
  }

  refused(handle: Handle, reason: string): void {
    this.fired("proxyProtocol", handle, `was closed: ${reason}`);
    this.closeNow(handle);
  }

  remoteAddress(handle: Handle, serial: number): Addr {
    const client = this.gate?.clients.get(handle);
    if (client !== undefined && this.rows.serials[handle] === serial) return client;
    const peer = this.#peers.get(handle);
    if (peer !== undefined && this.rows.serials[handle] === serial) return peer;
    if (this.listener.addr.transport === "unix") return this.listener.addr;
    if (this.rows.serials[handle] !== serial) return UNKNOWN_PEER;
    // Who asks for one request of a connection asks for the next one as well: getpeername(2) is 2 µs, and more.
    const found = this.#peerOf(handle);
    this.#peers.set(handle, found);
    return found;
  }

  tlsInfo(handle: Handle, serial: number): TlsInfo | undefined {
    if (this.#tls === undefined || this.rows.serials[handle] !== serial) return undefined;
    const ssl = this.#tls.sslOf(handle);
    return ssl === 0 ? undefined : tlsInfo(ssl, this.#handshakes.get(handle), this.#context?.asksClients === true);
  }

  #peerOf(handle: Handle): Addr {
    // Clients of a Unix socket have no name of their own; Deno gives the socket's, and so do we.
    if (this.listener.addr.transport === "unix") return this.listener.addr;
    const length = this.poller.system.getpeername(this.poller.fd(handle), scratch);
    return length > 0 ? decodeAddress(this.poller.constants, scratch, length) : UNKNOWN_PEER;
  }

  serialOf(handle: Handle): number {
    return this.rows.serials[handle];
  }

  deadlineAt(handle: Handle): number {
    return this.#runtime.deadlines.get(handle);
  }
  setDeadlineAt(handle: Handle, at: number): void {
    this.#runtime.setDeadline(handle, at);
  }

  hadItsLast(handle: Handle): boolean {
    if (!this.rows.counts || this.rows.requests[handle] < this.limits.maxRequestsPerConnection) return false;
    this.fired("maxRequestsPerConnection", handle, "");
    return true;
  }

  fired(limit: LimitName, handle: Handle, what: string): void {
    limitFired(this.counters, limit, () => this.#peer(handle), what);
  }

  /** The deadline of a connection that is idle, or new, has passed. */
  protected expiredIdle(handle: Handle): void {
    // A request may be on its way as a drain ends: no reset for what was sent before.
    if (this.#ending) return this.part(handle, false);
    if (this.#tls?.shaking(handle)) {
      handshakeCounters.ended.timeout++;
      this.fired("readHeaderTimeout", handle, "did not finish its TLS handshake");
    } else if (this.rows.fresh[handle] === 1) {
      // Browsers open a spare connection to whatever they visit: on the admin port, which they visit, that is no news.
      if (this.observed) this.fired("readHeaderTimeout", handle, "sent nothing at all");
    } else this.fired("idleTimeout", handle, "");
    this.closeNow(handle);
  }

  #peer(handle: Handle): string {
    return handle < 0 ? "" : showAddress(this.remoteAddress(handle, this.rows.serials[handle]));
  }

  #forgetOther(handle: Handle): void {
    if (this.others.size === 0) return;
    this.others.get(handle)?.closeWith();
    this.others.delete(handle);
  }

  #forget(handle: Handle): void {
    this.rows.forget(handle);
    this.#forgetOther(handle);
    this.#upgraded?.forget(handle);
    this.gate?.forget(handle);
    if (this.#peers.size > 0) this.#peers.delete(handle);
    this.#admission.closed();
    if (this.rows.count === 0 && !this.#listening) this.#finish();
  }

  /** The client must not take what it got for the whole. */
  protected resetAtClose(handle: Handle): void {
    const { SOL_SOCKET, SO_LINGER } = this.poller.constants;
    this.poller.system.setsockopt(this.poller.fd(handle), SOL_SOCKET, SO_LINGER, RESET_AT_CLOSE);
    this.#tls?.release(handle, false);
  }

  closeNow(handle: Handle): void {
    if (!this.rows.has(handle)) return;
    this.#tls?.release(handle, true);
    this.#runtime.close(handle);
    this.#forget(handle);
  }

  /**
   * Ends a connection after an answer. A close with unread bytes, or before bytes that still come, would answer them
   * with a reset, which can eat the response on its way (RFC 9112, 9.6): then FIN goes first, and the rest is read.
   */
  part(handle: Handle, clean: boolean): void {
    if (!this.rows.has(handle)) return;
    this.rows.active[handle]?.closeWith();
    if (clean) return this.closeNow(handle);
    this.#runtime.setDeadline(handle, 0);
    this.#tls?.release(handle, true);
    lingerClose(handle);
    this.#forget(handle);
  }

  #endListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.#runtime.closing.delete(this.#stopLater);
    clearTimeout(this.#stopTimer);
    this.#admission.end();
    this.listener.close();
    if (this.rows.count === 0) this.#finish();
  }
}

/** struct linger { on, 0 s }: close(2) sends a reset (man 7 socket). */
const RESET_AT_CLOSE = new Uint8Array(new Int32Array([1, 0]).buffer);
/** What comes instead of TLS is no request of ours: HTTP/1.0 is understood by all. */
const PLAIN_ANSWER = Buffer.from(
  "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthis port speaks TLS: ask for https://, not http://\n",
);
/** Asked too late: the connection is gone, and the kernel has forgotten its peer. */
const UNKNOWN_PEER: Addr = { transport: "tcp", hostname: "0.0.0.0", port: 0 };
const scratch = new Uint8Array(SOCKADDR_MAX);
