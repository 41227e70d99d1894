/**
 * Connections of `fetch` that speak TLS: the handshake, with its time and the call's signal, and from then on the same
 * `ClientConnection` as without, over the layer (src/tls). Loaded for the first https: URL.
 */
import type { Pointer } from "../../ffi/openssl.ts";
import { openSslClient } from "../../ffi/openssl-client.ts";
import type { Handle, Sink } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { InvalidData, TimedOut, UnexpectedEof } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/turn.ts";
import { type ClientContext, type ClientIdentity, clientContext } from "../tls/client-context.ts";
import { handshakeError } from "../tls/conns.ts";
import { TlsLayer, type TlsOwner } from "../tls/layer.ts";
import { handshakeReason } from "../tls/verify.ts";
import { ClientSink } from "./connection.ts";
import { clientCounters } from "./counters.ts";
import { keepSession, takeSession } from "./sessions.ts";

export interface SecureOptions {
  readonly hostname: string;
  readonly port: number;
  readonly identity: ClientIdentity | undefined;
  /** What to offer by ALPN, the best first. */
  readonly alpn: readonly string[];
  readonly signal: AbortSignal | null;
  /** On the wall clock; Infinity for none. */
  readonly deadline: number;
}

interface Shaking {
  readonly options: SecureOptions;
  readonly resolve: (handle: Handle) => void;
  readonly reject: (error: unknown) => void;
  readonly abort: () => void;
}

/** All that a thread has to https: servers. */
export class SecureSink extends ClientSink implements TlsOwner {
  readonly #layer: TlsLayer;
  readonly #shaking = new Map<Handle, Shaking>();
  /** By handle: what its session is kept under, until it has been. */
  readonly #names: (string | undefined)[] = [];

  constructor(runtime: Runtime) {
    const owner: TlsOwner = {
      secured: (handle) => this.secured(handle),
      handshakeFailed: (handle, reason) => this.handshakeFailed(handle, reason),
      spokePlain: () => {},
    };
    const layer = new TlsLayer(runtime.poller, undefined, owner);
    super(runtime, layer);
    this.#layer = layer;
  }

  /** Shakes hands on a connection that stands; the handle again, whose sink somebody must become then. */
  secure(handle: Handle, options: SecureOptions): Promise<Handle> {
    const { hostname, port, identity, alpn, signal, deadline } = options;
    let ssl: Pointer = 0;
    try {
      const context = clientContext(identity ?? NOBODY, "fetch");
      this.#names[handle] = `${nameOf(context)} ${hostname}:${port}`;
      const session = takeSession(this.#names[handle]);
      try {
        ssl = context.newSsl({ hostname, alpn, session });
      } finally {
        if (session !== 0) openSslClient().freeSession(session);
      }
      if (ssl === 0) throw new Error("no memory for a connection's TLS");
    } catch (error) {
      this.runtime.close(handle);
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#fail(handle, signal?.reason);
      this.#shaking.set(handle, { options, resolve, reject, abort });
      signal?.addEventListener("abort", abort);
      this.#layer.adoptClient(handle, this.#hands, ssl);
      if (deadline < Number.POSITIVE_INFINITY) {
        this.runtime.setDeadline(handle, monotonicNow() + Math.max(1, deadline - Date.now()));
      }
      const result = this.#layer.shake(handle);
      if (result < 0) this.#hands.failed(handle, -result);
    });
  }

  // ---- while it shakes hands

  readonly #hands: Sink = {
    received: () => {},
    ended: (handle) => this.#fail(handle, new UnexpectedEof(LEFT)),
    failed: (handle, errno) => this.#fail(handle, errnoError(this.poller.constants, errno, "TLS handshake")),
    expired: (handle) => this.#fail(handle, new TimedOut("the TLS handshake was not done in time")),
    sent: () => {},
    hungUp: () => {},
    accepted: () => {},
    connected: () => {},
    datagram: () => {},
  };

  secured(handle: Handle): void {
    const shaking = this.#shaking.get(handle);
    if (shaking === undefined) return;
    this.#shaking.delete(handle);
    shaking.options.signal?.removeEventListener("abort", shaking.abort);
    this.runtime.setDeadline(handle, 0);
    clientCounters.handshakes++;
    if (this.#layer.resumed(handle)) clientCounters.resumed++;
    shaking.resolve(handle);
  }

  handshakeFailed(handle: Handle, reason: string): void {
    const hostname = this.#shaking.get(handle)?.options.hostname ?? "";
    this.#fail(handle, handshakeError(reason, hostname)());
  }

  spokePlain(): void {}

  #fail(handle: Handle, error: unknown): void {
    const shaking = this.#shaking.get(handle);
    if (shaking === undefined) return;
    this.#shaking.delete(handle);
    shaking.options.signal?.removeEventListener("abort", shaking.abort);
    if (!shaking.options.signal?.aborted) clientCounters.handshakesFailed++;
    this.#names[handle] = undefined;
    this.#layer.release(handle, false);
    this.runtime.close(handle);
    shaking.reject(error);
  }

  // ---- afterwards

  /** What ALPN has chosen, "" where nothing was. */
  protocolOf(handle: Handle): string {
    return this.#layer.protocolOf(handle);
  }

  /** A response is complete, so that tickets have come, if any come. */
  override rested(handle: Handle): void {
    const name = this.#names[handle];
    const ssl = name === undefined ? 0 : this.#layer.sslOf(handle);
    if (name === undefined || ssl === 0) return;
    this.#names[handle] = undefined;
    keepSession(name, ssl);
  }

  override close(handle: Handle): void {
    this.rested(handle);
    this.#names[handle] = undefined;
    this.#layer.release(handle, true);
    this.runtime.close(handle);
  }

  /** RFC 9112, 9.8: without close_notify it may have been anybody who ended the connection. */
  override cutOff(handle: Handle): boolean {
    return !this.#layer.endedCleanly(handle);
  }

  override why(errno: number): Error {
    if (errno !== this.poller.constants.errno.EPROTO) return super.why(errno);
    return new InvalidData(`TLS: ${handshakeReason(this.#layer.reason, false)}`);
  }
}

const NOBODY: ClientIdentity = {};
const LEFT = "the server closed the connection in the middle of the TLS handshake";

const names = new WeakMap<ClientContext, number>();
let count = 0;

/** Sessions are not shared by clients that trust others, or are others. */
function nameOf(context: ClientContext): number {
  let name = names.get(context);
  if (name === undefined) names.set(context, (name = ++count));
  return name;
}

const sinks = new WeakMap<Runtime, SecureSink>();

export function secureSink(runtime: Runtime): SecureSink {
  let sink = sinks.get(runtime);
  if (sink === undefined) sinks.set(runtime, (sink = new SecureSink(runtime)));
  return sink;
}
