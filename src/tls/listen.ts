/** `listenTls`: a listener whose connections speak TLS, and how any listener becomes one. */
import type { Handle } from "../../ffi/poller.ts";
import type { NetAddr } from "../net/address.ts";
import type { Opener } from "../net/conn_kinds.ts";
import { listen, type TcpListenOptions } from "../net/listen.ts";
import type { Listener } from "../net/listener.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { logLine } from "../runtime/log.ts";
import type { Runtime } from "../runtime/turn.ts";
import { checkAlpn } from "./client-context.ts";
import { HANDSHAKE_MS, type TlsConn, tlsConnsOf } from "./conns.ts";
import { serverContext, type TlsContext } from "./context.ts";

export interface ListenTlsOptions extends TcpListenOptions {
  /** PEM: the certificate, and behind it those between it and the root. */
  cert: string;
  /** PEM: its private key; RSA, ECDSA or Ed25519. */
  key: string;
  keyFormat?: "pem";
  /** Protocols, the best first; a client that offers others only is refused. Without, none is agreed on. */
  alpnProtocols?: string[];
}

export type TlsListener = Listener<TlsConn, NetAddr>;

/**
 * Listens for connections that speak TLS. `accept` waits for no handshake: that is done when the connection is first
 * read or written, or by `handshake()`, in ten seconds at most, and fails there. So a slow client is in nobody's way.
 *
 * ```ts
 * import { listenTls } from "slipway";
 * using listener = listenTls({ port: 8443, cert, key });
 * ```
 */
export function listenTls(options: ListenTlsOptions): TlsListener {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("listenTls takes an object of options, for example listenTls({ port: 8443, cert, key })");
  }
  const { cert, key, keyFormat = "pem", alpnProtocols, ...address } = options;
  if (cert === undefined || key === undefined) {
    throw new TypeError("A key and certificate are required for `Deno.listenTls`");
  }
  if (keyFormat !== "pem") {
    throw new TypeError(`keyFormat of Deno.listenTls must be "pem", not ${JSON.stringify(keyFormat)}`);
  }
  const { transport = "tcp" } = address;
  if (transport !== "tcp")
    throw new TypeError(`transport of listenTls must be "tcp", not ${JSON.stringify(transport)}`);
  const alpn = checkAlpn(alpnProtocols, "Deno.listenTls");
  const context = serverContext({ certificates: [{ cert, key }], alpn });
  const listener = listen(address as TcpListenOptions) as unknown as TlsListener;
  listener.opener = new TlsOpener(context, HANDSHAKE_MS);
  return listener;
}

/** One line about handshakes that failed in this time, however many there are. */
const COMPLAIN_EVERY_MS = 10_000;

/** The connections of this listener speak TLS from here on. `timeout` is the handshake's. */
export function secureListener(listener: Listener, context: TlsContext, timeout: number): void {
  listener.opener = new TlsOpener(context, timeout, new Complaints());
}

class TlsOpener implements Opener<TlsConn> {
  readonly #settings;

  constructor(context: TlsContext, timeout: number, complaints?: Complaints) {
    this.#settings = { context, timeout, failed: complaints && ((error: Error) => complaints.add(error)) };
  }

  open(rt: Runtime, fd: number): TlsConn {
    const conns = tlsConnsOf(rt);
    const handle = rt.open(fd, conns.table.sink);
    if (handle < 0) throw errnoError(rt.poller.constants, -handle, "watching a new connection");
    return conns.server(handle, this.#settings);
  }

  adopt(rt: Runtime, handle: Handle, remote?: string, kept?: Uint8Array<ArrayBuffer>): TlsConn {
    return tlsConnsOf(rt).server(handle, this.#settings, remote, kept);
  }
}

/** Strangers can make as many handshakes fail as they like: the log gets a line now and then. */
class Complaints {
  #at = Number.NEGATIVE_INFINITY;
  #count = 0;

  add({ message }: Error): void {
    this.#count++;
    const now = monotonicNow();
    if (now - this.#at < COMPLAIN_EVERY_MS) return;
    this.#at = now;
    const others = this.#count > 1 ? ` (and ${this.#count - 1} others since the last such line)` : "";
    this.#count = 0;
    logLine(`a connection was lost before it began: ${message}${others}`);
  }
}
