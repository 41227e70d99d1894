/**
 * TLS connections of one thread in Deno's shape: `Conn` over the layer as it is over the poller. A connection that shakes
 * hands is *locked*: what is written to it waits, what is read waits anyway, so that deadlines and `close` hold as ever.
 */

import type { Pointer } from "../../ffi/openssl.ts";
import { openSslClient, type Refusal } from "../../ffi/openssl-client.ts";
import type { Handle, Poller, Sink } from "../../ffi/poller.ts";
import { showAddress } from "../net/address.ts";
import { breakOff, type Conn, flushed, handleOf, isShut, lock, sinkOf, unlock, unlockBy } from "../net/conn.ts";
import { PEER_FAILED, TcpConn } from "../net/conn_kinds.ts";
import { ConnTable } from "../net/conn_table.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { BadResource, InvalidData, NotConnected, TimedOut, UnexpectedEof } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/turn.ts";
import type { TlsContext } from "./context.ts";
import { type PeerCertificate, type TlsInfo, tlsInfo } from "./info.ts";
import { TlsLayer, type TlsOwner } from "./layer.ts";
import { certificateRefused, handshakeReason } from "./verify.ts";

/** How long a handshake may take from its first byte: as Go's TLSHandshakeTimeout. */
export const HANDSHAKE_MS = 10_000;
/** How much longer it may take once the connection has been closed. */
const LEAVE_MS = 1000;

/** What was agreed on; the first is Deno's, the others say how. */
export interface TlsHandshakeInfo {
  /** What ALPN has chosen, null where nothing was. */
  readonly alpnProtocol: string | null;
  readonly version: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
  readonly resumed: boolean;
  readonly handshakeMs: number;
  /** A server's, or that which a client has shown where it was asked for one. */
  readonly peerCertificate: PeerCertificate | undefined;
}

/** What a connection does before it is secure. */
interface Shaking {
  /** The peer is a server, of this name; undefined for a client of ours. */
  readonly hostname: string | undefined;
  readonly timeout: number;
  /** Of a server: told of a handshake that failed. */
  readonly failed?: ((error: Error) => void) | undefined;
  begun: boolean;
  /** The client may show a certificate; a server must. */
  readonly asks: boolean;
}

/** A TLS connection. Made by `connectTls`, `startTls` and the listener of `listenTls`. */
export class TlsConn extends TcpConn {
  /** @internal */
  shaking: Shaking | undefined;
  /** The peer is a client. @internal */
  readonly accepted: boolean;
  /** In milliseconds; and when it began. @internal */
  handshakeMs = 0;
  readonly #asks: boolean;
  readonly #conns: TlsConns;
  #info: TlsHandshakeInfo | undefined;

  /** @internal */
  constructor(conns: TlsConns, handle: Handle, shaking: Shaking, remote?: string) {
    super(conns.table, handle, remote);
    this.#conns = conns;
    this.shaking = shaking;
    this.accepted = shaking.hostname === undefined;
    this.#asks = shaking.asks;
    lock(this);
  }

  /**
   * Waits for the handshake, and begins it where nobody has: the first read or write does as well. Fails with
   * `InvalidData` when the peers don't agree or the certificate does not hold, as everything on the connection does then.
   */
  async handshake(): Promise<TlsHandshakeInfo> {
    if (this.#info !== undefined && handleOf(this) >= 0) return this.#info;
    this.#begin();
    await flushed(this);
    const ssl = this.#conns.layer.sslOf(handleOf(this));
    if (ssl === 0) throw new BadResource("the connection has been closed");
    return (this.#info ??= shown(tlsInfo(ssl, this.handshakeMs, this.#asks)));
  }

  override read(p: Uint8Array): Promise<number | null> {
    if (this.shaking !== undefined) this.#begin();
    return super.read(p);
  }
  override write(p: Uint8Array): Promise<number> {
    if (this.shaking !== undefined) this.#begin();
    // As under Deno, where TLS has a class of its own for this, and nothing is written where nothing is to be.
    if (isShut(this) && p instanceof Uint8Array) {
      if (p.length === 0) return Promise.resolve(0);
      return Promise.reject(new NotConnected("the write side has been closed by closeWrite"));
    }
    return super.write(p);
  }
  override closeWrite(): Promise<void> {
    if (this.shaking !== undefined) this.#begin();
    return super.closeWrite();
  }
  override get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.shaking !== undefined) this.#begin();
    return super.readable;
  }

  #begin(): void {
    if (this.shaking?.begun === false && handleOf(this) >= 0) this.#conns.shake(this, handleOf(this), this.shaking);
  }
}

function shown(info: TlsInfo): TlsHandshakeInfo {
  const { protocol, version, cipher, serverName, resumed, handshakeMs } = info;
  return {
    ...{ alpnProtocol: protocol ?? null, version, cipher, serverName, resumed, handshakeMs },
    get peerCertificate() {
      return info.peerCertificate;
    },
  };
}

/** What a server's connections begin with. */
export interface ServerSettings {
  readonly context: TlsContext;
  /** For the handshake, in milliseconds from when somebody first wants something of the connection. */
  readonly timeout: number;
  /** Told of each handshake that failed. */
  readonly failed?: ((error: Error) => void) | undefined;
}

class TlsTable extends ConnTable {
  readonly #layer: TlsLayer;
  /** Closed before its handshake was done: as under Deno it is finished, so that the peer sees an end and no reset. */
  readonly #leaving = new Set<Handle>();
  readonly #leavingSink: Sink;

  constructor(runtime: Runtime, layer: TlsLayer) {
    super(runtime, (conns) => sinkOver(conns, sinkOf(conns), layer), layer);
    this.#layer = layer;
    const nothing = (): void => {};
    const over = (handle: Handle): void => this.left(handle, false);
    this.#leavingSink = {
      ...{ ended: over, failed: over, expired: over },
      ...{
        accepted: nothing,
        connected: nothing,
        received: nothing,
        datagram: nothing,
        sent: nothing,
        hungUp: nothing,
      },
    };
  }

  override locked(handle: Handle): boolean {
    return this.#layer.shaking(handle);
  }
  override blocked(handle: Handle): boolean {
    return this.#layer.blockedNow(handle);
  }
  override close(handle: Handle): void {
    const { shaking } = this.conns[handle] as TlsConn;
    if (shaking !== undefined && this.#layer.shaking(handle)) return this.#leave(handle);
    const over = this.#layer.shaking(handle) || this.#layer.endedCleanly(handle);
    const blocked = this.#layer.release(handle, true);
    // A peer that ends says so in a record of its own, which nobody reads: with that in the kernel close(2) resets, and
    // takes with it what was written, and our close_notify.
    if (over || blocked) super.close(handle);
    else super.linger(handle, false);
  }

  #leave(handle: Handle): void {
    this.conns[handle] = undefined;
    this.#leaving.add(handle);
    this.#layer.setSink(handle, this.#leavingSink);
    this.runtime.setDeadline(handle, monotonicNow() + LEAVE_MS);
    if (this.#layer.shake(handle) < 0) this.left(handle, false);
  }
  /** The handshake of one that is nobody's any more has ended; `well` or not. */
  left(handle: Handle, well: boolean): void {
    if (!this.#leaving.delete(handle)) return;
    this.runtime.setDeadline(handle, 0);
    const blocked = this.#layer.release(handle, well);
    if (well) super.linger(handle, blocked);
    else super.close(handle);
  }

  override linger(handle: Handle, sending: boolean): void {
    const blocked = this.#layer.release(handle, true);
    super.linger(handle, sending || blocked);
  }
}

/** What the layer tells, with the two things that are different: what is sent while hands are shaken, and the end. */
function sinkOver(conns: ConnTable["conns"], sink: Sink, layer: TlsLayer): Sink {
  const where = (conn: Conn): string => showAddress(conn.remoteAddr);
  return {
    ...sink,
    sent: (handle) => {
      if (!layer.shaking(handle)) sink.sent(handle);
    },
    ended(handle) {
      const conn = conns[handle];
      if (conn === undefined) return;
      if (layer.endedCleanly(handle)) return sink.ended(handle);
      if (!layer.shaking(handle)) return broke(conn as TlsConn, () => new UnexpectedEof(`${CUT}: ${where(conn)}`));
      neverBegan(conn as TlsConn, () => new UnexpectedEof(`${LEFT}: ${where(conn)}`));
    },
    failed(handle, errno) {
      const conn = conns[handle];
      if (conn === undefined) return;
      const { reason, constants } = layer;
      const shaking = layer.shaking(handle);
      if (errno !== constants.errno.EPROTO) {
        if (!shaking) return sink.failed(handle, errno);
        return neverBegan(conn as TlsConn, () => errnoError(constants, errno, `TLS handshake with ${where(conn)}`));
      }
      const why = handshakeReason(reason, (conn as TlsConn).accepted);
      broke(conn as TlsConn, () => new InvalidData(`TLS: ${why}: ${where(conn)}`));
    },
  };
}

const CUT = "the peer closed the connection without saying that it ends (close_notify): what came may be cut short";
const LEFT = "the peer closed the connection in the middle of the TLS handshake";

/** Everything fails with that from here on. */
function broke(conn: TlsConn, error: () => Error): void {
  breakOff(conn, conn.accepted ? () => Object.assign(error(), { code: PEER_FAILED }) : error);
}

/** Its handshake failed. */
function neverBegan(conn: TlsConn, error: () => Error): void {
  const failed = conn.shaking?.failed;
  conn.shaking = undefined;
  broke(conn, error);
  failed?.(error());
}

export class TlsConns implements TlsOwner {
  readonly layer: TlsLayer;
  readonly table: TlsTable;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.layer = new TlsLayer(runtime.poller as Poller, undefined, this);
    this.table = new TlsTable(runtime, this.layer);
  }

  /** A client on an open, connected handle, which begins at once. `kept`: what the server has said already. */
  client(handle: Handle, ssl: Pointer, hostname: string, timeout: number, kept?: Uint8Array): TlsConn {
    this.layer.adoptClient(handle, this.table.sink, ssl);
    const conn = new TlsConn(this, handle, { hostname, timeout, begun: false, asks: true });
    this.#runtime.release();
    conn.shaking && this.shake(conn, handle, conn.shaking);
    if (kept !== undefined) this.layer.received(handle, kept, 0, kept.length);
    return conn;
  }

  /** A server's side, which begins when somebody reads or writes. Throws, with the handle closed, for lack of memory. */
  server(handle: Handle, settings: ServerSettings, remote?: string, kept?: Uint8Array): TlsConn {
    const { context, timeout, failed } = settings;
    if (!this.layer.adopt(handle, this.table.sink, context)) {
      this.#runtime.close(handle);
      throw new Error("no memory for a connection's TLS");
    }
    const conn = new TlsConn(
      this,
      handle,
      { hostname: undefined, timeout, failed, begun: false, asks: context.asksClients },
      remote,
    );
    this.#runtime.release();
    if (kept !== undefined) {
      conn.shaking && this.shake(conn, handle, conn.shaking);
      this.layer.received(handle, kept, 0, kept.length);
    }
    return conn;
  }

  /** The handshake begins, and its time. */
  shake(conn: TlsConn, handle: Handle, shaking: Shaking): void {
    shaking.begun = true;
    conn.handshakeMs = -monotonicNow();
    if (shaking.timeout < Number.POSITIVE_INFINITY) {
      const late = (): Error =>
        new TimedOut(`TLS handshake with ${showAddress(conn.remoteAddr)} timed out after ${shaking.timeout / 1000} s`);
      unlockBy(conn, monotonicNow() + shaking.timeout, () => neverBegan(conn, late));
    }
    const result = this.layer.shake(handle);
    if (result < 0) this.table.sink.failed(handle, -result);
  }

  secured(handle: Handle): void {
    const conn = this.table.conns[handle] as TlsConn | undefined;
    if (conn === undefined) return this.table.left(handle, true);
    conn.shaking = undefined;
    conn.handshakeMs += monotonicNow();
    unlock(conn);
  }

  handshakeFailed(handle: Handle, reason: string): void {
    const conn = this.table.conns[handle] as TlsConn | undefined;
    if (conn === undefined) return this.table.left(handle, false);
    if (conn.shaking === undefined) return;
    neverBegan(
      conn,
      handshakeError(reason, conn.shaking.hostname, () => showAddress(conn.remoteAddr)),
    );
  }

  /** As for HTTP's servers; here nobody knows what is spoken within, so there is no answer. */
  spokePlain(handle: Handle): void {
    const conn = this.table.conns[handle] as TlsConn | undefined;
    if (conn === undefined) return this.table.left(handle, false);
    const where = showAddress(conn.remoteAddr);
    neverBegan(conn, () => new InvalidData(`TLS: the client speaks HTTP without TLS: ${where}`));
  }
}

/** Makes the error of a handshake that failed just now. `hostname`: of the server, where that is the peer. */
export function handshakeError(reason: string, hostname: string | undefined, where?: () => string): () => Error {
  const refusal: Refusal | undefined = hostname === undefined ? undefined : openSslClient().takeRefusal();
  const why =
    refusal !== undefined && hostname !== undefined
      ? certificateRefused(refusal, hostname)
      : `TLS handshake failed: ${handshakeReason(reason, hostname === undefined)}`;
  return () => new InvalidData(where === undefined ? why : `${why}: ${where()}`);
}

const conns = new WeakMap<Runtime, TlsConns>();

export function tlsConnsOf(runtime: Runtime): TlsConns {
  let found = conns.get(runtime);
  if (found === undefined) conns.set(runtime, (found = new TlsConns(runtime)));
  return found;
}
