/** What a handler file exports as its default: an HTTP server, or one task per raw connection. */
import type { ReadyChecks } from "./admin/ready.ts";
import type { ErrorHandler, Handler, LimitsHook } from "./http/mod.ts";
import type { Conn } from "./net/mod.ts";
import type { LimitOptions } from "./options/limits.ts";

/**
 * Options beside the handler (docs/limits.md). A flag or a variable of the environment goes before each:
 * `readTimeout` is `--read-timeout` is `SLIPWAY_READ_TIMEOUT`.
 */
export interface ServerOptions extends LimitOptions {
  /** @default {8000} */
  port?: number;
  /** @default {"0.0.0.0"} */
  hostname?: string;
  /** The path of a Unix socket, instead of a port. */
  unix?: string;
  /** Several addresses at once, instead of all three: `:8000`, `[::1]:8000`, `unix:/run/x.sock`, `fd:3`. */
  listen?: string | readonly string[];
  /** Clients may begin with HTTP/2, without TLS, if they know that they may ("prior knowledge"). @default {false} */
  h2c?: boolean;
  /** Compresses answers with zstd, Brotli or gzip for clients that accept them (docs/compression.md). @default {false} */
  compress?: boolean;
  /** Metrics and health on a port of their own: `127.0.0.1:9090` or `unix:/run/admin.sock`. Off by default. */
  admin?: string;
  /** Lets `admin` be an address that other machines reach. @default {false} */
  adminInsecure?: boolean;
  /** @default {"auto"} */
  logFormat?: "auto" | "json" | "text";
  /** One line for each request. @default {false} */
  accessLog?: boolean;
  /** "self-signed": TLS with a certificate for localhost, which is made; "off": none whatever else is said. */
  tls?: "auto" | "self-signed" | "off";
  /** Files in PEM format: with a certificate, and its private key, connections speak TLS. Several go by names. */
  tlsCert?: string | readonly string[];
  tlsKey?: string | readonly string[];
  /** Instead of both: PKCS#12. */
  tlsPfx?: string | readonly string[];
  /** The authority's word about each certificate (OCSP, DER), which is shown to clients that ask. */
  tlsOcsp?: string | readonly string[];
  /** A file whose first line decrypts the key. */
  tlsPassphraseFile?: string;
  /** "modern" is TLS 1.3 alone. */
  tlsPolicy?: "intermediate" | "modern";
  /** Whether clients are to show a certificate, and a file (PEM) with who signs them. */
  tlsClientAuth?: "none" | "request" | "require";
  tlsClientCa?: string;
  /** Strict-Transport-Security: "180d", "1y includeSubDomains". */
  hsts?: string;
  /** Where http is answered with a redirect to https (":80"), and to which port if not the server's own. */
  redirectHttp?: string;
  redirectPort?: number;
  /** Keys of session tickets that replicas share: a file, or `env:VARIABLE`. */
  tlsTicketKeys?: string;
  /** Every connection must begin with a PROXY header. @default {false} */
  proxyProtocol?: boolean;
  /** Whose PROXY, Forwarded and X-Forwarded-* headers are believed: addresses and ranges. */
  trustProxy?: string | readonly string[];
  /** How long a WebSocket may be silent (`"2m"`), a message take (`"30s"`), a closing handshake take (`"5s"`). */
  wsIdleTimeout?: number | string;
  wsMessageTimeout?: number | string;
  wsCloseTimeout?: number | string;
  /** How large a message or a frame may be, and what may wait for one client. @default {"16MiB"} each */
  wsMaxMessageBytes?: number | string;
  wsMaxFrameBytes?: number | string;
  wsMaxBufferedBytes?: number | string;
  /** Compresses messages where a client offers it, @default {"on"}, with windows of so much @default {"64MiB"} */
  wsCompression?: "on" | "off";
  wsMemory?: number | string;
  /** How long `fetch` waits: for a connection (`"5s"`), a head, a byte of a body (`"30s"` each). Also `"none"`. */
  fetchConnectTimeout?: number | string;
  fetchHeaderTimeout?: number | string;
  fetchBodyTimeout?: number | string;
  /** How long `fetch` keeps an idle connection, and how many for one host and in all. @default {"30s", 100, 1000} */
  fetchIdleTimeout?: number | string;
  fetchMaxIdlePerHost?: number;
  fetchMaxIdle?: number;
  /** What `caches` keep in memory. @default {"64MiB"} */
  cacheMaxBytes?: number | string;
  /** Remembers where each task was started. @default {false} */
  traceTasks?: boolean;
  /** How long a turn of the event loop may take before it is warned about. @default {"100ms"} */
  stallWarning?: number | string;
  /** Finds the line that held up a turn. @default {false} */
  traceStalls?: boolean;
  /** What must be well for `/readyz` of the admin port to be green. */
  ready?: ReadyChecks;
}

/** `export default { fetch(request) { … } } satisfies Server`, or with `connect`. */
export type Server =
  | (ServerOptions & { fetch: Handler; onError?: ErrorHandler; limits?: LimitsHook })
  | (ServerOptions & { connect(conn: Conn, signal: AbortSignal): void | Promise<void> });
