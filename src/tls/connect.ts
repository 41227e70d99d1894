/** `connectTls` and `startTls`: connections to servers that speak TLS, in Deno's shape. */
import type { Pointer } from "../../ffi/openssl.ts";
import { openSsl } from "../../ffi/openssl.ts";
import { checkText } from "../net/address.ts";
import { type Conn, takeHandle } from "../net/conn.ts";
import { TcpConn } from "../net/conn_kinds.ts";
import { dial, type TcpConnectOptions } from "../net/connect.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import { type ClientContext, type ClientIdentity, checkAlpn, clientContext } from "./client-context.ts";
import { HANDSHAKE_MS, type TlsConn, tlsConnsOf } from "./conns.ts";

export interface StartTlsOptions {
  /** What the server's certificate must be for, a name or an IP address; and, a name, what it is asked for (SNI). */
  hostname?: string;
  /** PEM: roots that are trusted beside the usual ones. */
  caCerts?: string[];
  /** Protocols to offer, the best first. Without, none is offered. */
  alpnProtocols?: string[];
  /** The certificate may be anybody's, as long as its chain holds. @default {false} */
  unsafelyDisableHostnameVerification?: boolean;
}

export interface ConnectTlsOptions extends StartTlsOptions, Omit<TcpConnectOptions, "transport"> {
  transport?: "tcp";
  /** PEM: a certificate and its private key, for servers that ask who the client is. */
  cert?: string;
  key?: string;
  keyFormat?: "pem";
}

/**
 * Connects to a server that speaks TLS. As in Deno the promise resolves when the connection stands; the handshake, which
 * has begun, is waited for by `handshake()` and by the first read or write, and so they tell what is wrong with it.
 *
 * ```ts
 * import { connectTls } from "slipway";
 * using conn = await connectTls({ hostname: "db.internal", port: 5433, caCerts: [root] });
 * await conn.handshake();
 * ```
 */
export async function connectTls(options: ConnectTlsOptions): Promise<TlsConn> {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("connectTls takes an object of options, for example connectTls({ hostname, port: 443 })");
  }
  const { transport = "tcp", hostname = "127.0.0.1", deadline } = options;
  if (transport !== "tcp")
    throw new TypeError(`transport of connectTls must be "tcp", not ${JSON.stringify(transport)}`);
  const rt = runtime();
  const client = new Prepared(options, "Deno.connectTls", checkText("hostname", hostname));
  return dial(rt, { ...options, transport: "tcp", hostname }, (handle) => {
    const left = deadline === undefined ? HANDSHAKE_MS : Math.max(1, Number(deadline) - Date.now());
    return tlsConnsOf(rt).client(handle, client.newSsl(rt, handle), hostname, left);
  });
}

/**
 * Goes on with TLS on a connection that has spoken plainly so far (STARTTLS), as its client. `conn` is closed for the
 * program from here on; a read or write of it must not be waiting.
 */
export async function startTls(conn: TcpConn, options: StartTlsOptions = {}): Promise<TlsConn> {
  if (!(conn instanceof TcpConn) || "handshake" in conn) {
    throw new TypeError("startTls takes a TCP connection, which connect or accept has given");
  }
  const { hostname = "127.0.0.1" } = options;
  const rt = runtime();
  const client = new Prepared(options, "Deno.startTls", checkText("hostname", hostname));
  const { handle, kept } = takeHandle(conn as unknown as Conn);
  return tlsConnsOf(rt).client(handle, client.newSsl(rt, handle), hostname, HANDSHAKE_MS, kept);
}

/** Everything that can be wrong with the options is said before a connection is made. */
class Prepared {
  readonly #context: ClientContext;
  readonly #hostname: string;
  readonly #alpn: readonly string[];
  readonly #anyName: boolean;

  constructor(options: StartTlsOptions & ClientIdentity & { keyFormat?: string }, who: string, hostname: string) {
    const { caCerts, cert, key, keyFormat = "pem" } = options;
    if (keyFormat !== "pem") throw new TypeError(`keyFormat of ${who} must be "pem", not ${JSON.stringify(keyFormat)}`);
    this.#alpn = checkAlpn(options.alpnProtocols, who);
    this.#context = clientContext({ caCerts, cert, key }, who);
    this.#hostname = hostname;
    this.#anyName = options.unsafelyDisableHostnameVerification === true;
    // Names that no certificate can be for.
    openSsl().freeSsl(this.#ssl());
  }

  #ssl(): Pointer {
    return this.#context.newSsl({ hostname: this.#hostname, alpn: this.#alpn, anyName: this.#anyName });
  }

  /** With the handle closed where there is no memory. */
  newSsl(rt: Runtime, handle: number): Pointer {
    const ssl = this.#ssl();
    if (ssl !== 0) return ssl;
    rt.close(handle);
    throw new Error("no memory for a connection's TLS");
  }
}
