/**
 * What an editor needs to know of Slipway, with nothing installed. Request, Response and the rest of the web's names
 * come with TypeScript. Delete this file when you use Slipway's npm package or @types/node instead.
 */

declare module "slipway" {
  export type Conn = Deno.Conn;
  export type Listener = Deno.Listener;
  export type Addr = Deno.Addr;
  export type NetAddr = Deno.NetAddr;
  export type UnixAddr = Deno.UnixAddr;
  export type ServeHandlerInfo<A extends Addr = Addr> = Deno.ServeHandlerInfo<A>;
  export type ServeHandler<A extends Addr = Addr> = Deno.ServeHandler<A>;

  /** Listens for TCP or Unix connections. */
  export const listen: typeof Deno.listen;
  /** Connects to a server. */
  export const connect: typeof Deno.connect;
  /** The same over TLS: docs/3-net.md. */
  export type TlsConn = Deno.TlsConn;
  export const connectTls: typeof Deno.connectTls;
  export const startTls: typeof Deno.startTls;
  export const listenTls: typeof Deno.listenTls;
  /** Serves HTTP. */
  export function serve(options: Deno.ServeTcpOptions, handler: ServeHandler<NetAddr>): Deno.HttpServer<NetAddr>;
  export function serve(options: Deno.ServeUnixOptions, handler: ServeHandler<UnixAddr>): Deno.HttpServer<UnixAddr>;
  /** Serves each connection in a task of its own. */
  export function serveConn(
    listener: Listener,
    handler: (conn: Conn, signal: AbortSignal) => unknown,
  ): { readonly finished: Promise<void>; shutdown(): Promise<void>; close(): void };
  /** A handler that passes requests on to "http(s)://host:port" or "unix:/path", WebSockets included. */
  export function proxy(
    upstreams: string | URL | readonly (string | URL)[],
    options?: ReverseProxyOptions,
  ): ProxyHandler;
  export interface ProxyHandler {
    (request: Request, info?: ServeHandlerInfo): Promise<Response>;
    /** What is known of the upstreams in this thread: to be asked by a readiness check, for one. */
    readonly upstreams: readonly { readonly name: string; readonly state: "in" | "out"; readonly requests: number }[];
    /** Ends checks and idle connections; what runs is not cut. */
    close(): void;
  }
  /** Durations are "5s", milliseconds, or "none". */
  export interface ReverseProxyOptions {
    /** Which upstream is next: each in turn, or the one with the fewest open requests. @default {"round-robin"} */
    balance?: "round-robin" | "least-requests";
    /** What Host says there: what the client said, the upstream's own name, or this. @default {"pass"} */
    host?: "pass" | "upstream" | (string & {});
    /** Adds X-Forwarded-For, -Proto and -Host to Forwarded. @default {false} */
    xForwarded?: boolean;
    /** How Via names this proxy. */
    name?: string;
    /** PEM: roots for https upstreams beside the usual ones; a certificate and its key, for those that ask for one. */
    caCerts?: readonly string[];
    cert?: string;
    key?: string;
    connectTimeout?: number | string;
    headerTimeout?: number | string;
    bodyTimeout?: number | string;
    idleTimeout?: number | string;
    maxIdle?: number;
    tunnelTimeout?: number | string;
    /** Upstreams that a request is tried at, where that is safe. @default {3} */
    tries?: number;
    /** Failures one after the other that put an upstream out, and for how long. @default {1, "10s"} */
    maxFails?: number;
    failTimeout?: number | string;
    /** A path that is asked of each upstream, how often, and how long an answer may take. */
    healthPath?: string;
    healthInterval?: number | string;
    healthTimeout?: number | string;
  }
  /** Answers with the file of a folder that the path names: conditional requests, ranges, compressed siblings. */
  export function serveDir(request: Request, options?: ServeDirOptions): Promise<Response>;
  /** Answers with this file, whatever the path is. */
  export function serveFile(request: Request, path: string | URL, options?: ServeFileOptions): Promise<Response>;
  export interface ServeFileOptions {
    /** Fields of every answer. */
    headers?: Readonly<Record<string, string>> | readonly string[];
    /** Cache-Control of what is found. @default {"no-cache"} */
    cacheControl?: string;
    /** Sends app.js.br, .zst or .gz instead of app.js to clients that accept it. @default {true} */
    precompressed?: boolean;
  }
  export interface ServeDirOptions extends ServeFileOptions {
    /** The folder: a path, or new URL("./public/", import.meta.url). @default {"."} */
    fsRoot?: string | URL;
    /** What paths begin with that is not part of the folder: "/static". */
    urlRoot?: string;
    /** A folder is answered with its index.html. @default {true} */
    showIndex?: boolean;
    /** /about is about.html. @default {false} */
    cleanUrls?: boolean;
    showDotfiles?: boolean;
    /** Follows links out of the folder. @default {false} */
    followSymlinks?: boolean;
    enableCors?: boolean;
    /** Paths whose content never changes: kept for a year. */
    immutable?: RegExp;
    /** A file for pages that are not there: a single-page application's "index.html". */
    fallback?: string;
    /** The same with status 404. */
    notFound?: string;
    quiet?: boolean;
  }
  /** Answers a request for a WebSocket: return `response`, and `socket` opens when it has left. */
  export const upgradeWebSocket: typeof Deno.upgradeWebSocket;
  /** Sends the same to many, made and compressed once; to how many. */
  export function broadcast(sockets: Iterable<WebSocket>, data: string | ArrayBufferLike | ArrayBufferView): number;
  /** Starts a named task: its failure is logged, and never takes the process with it. */
  export function go(name: string, run: (signal: AbortSignal) => unknown): { cancel(): void; finished: Promise<void> };

  /** What `export default` may be: one of the two. */
  export type Server =
    | (ServerOptions & {
        fetch: ServeHandler;
        onError?(error: unknown): Response | Promise<Response>;
        /** Limits of one request, by its head: called before its body is read. */
        limits?(request: Request): RequestLimitOptions | undefined;
      })
    | (ServerOptions & { connect(conn: Conn, signal: AbortSignal): void | Promise<void> });

  /** Options beside the handler. A flag goes before each, then the environment: readTimeout is --read-timeout. */
  export interface ServerOptions extends LimitOptions {
    port?: number;
    hostname?: string;
    /** The path of a Unix socket, instead of a port. */
    unix?: string;
    /** Several addresses at once, instead of all three: ":8000", "[::1]:8000", "unix:/run/x.sock", "fd:3". */
    listen?: string | readonly string[];
    /** Metrics and health on a port of their own: "127.0.0.1:9090" or "unix:/run/admin.sock". */
    admin?: string;
    /** Lets `admin` be an address that other machines reach. */
    adminInsecure?: boolean;
    logFormat?: "auto" | "json" | "text";
    /** One line for each request. */
    accessLog?: boolean;
    /** Compresses answers with zstd, Brotli or gzip for clients that accept them. @default {false} */
    compress?: boolean;
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
    /** Keys of session tickets that replicas share: a file, or `env:` and a variable. */
    tlsTicketKeys?: string;
    /** Every connection must begin with a PROXY header. */
    proxyProtocol?: boolean;
    /** Whose PROXY, Forwarded and X-Forwarded-* headers are believed: addresses and ranges. */
    trustProxy?: string | readonly string[];
    /** How long fetch waits: for a connection ("5s"), a head, a byte of a body ("30s" each). Also "none". */
    fetchConnectTimeout?: number | string;
    fetchHeaderTimeout?: number | string;
    fetchBodyTimeout?: number | string;
    /** How long fetch keeps an idle connection ("30s"), and how many for one host (100) and in all (1000). */
    fetchIdleTimeout?: number | string;
    fetchMaxIdlePerHost?: number;
    fetchMaxIdle?: number;
    /** What caches keep in memory ("64MiB"); the least recently used goes first. */
    cacheMaxBytes?: number | string;
    /** Remembers where each task was started. */
    traceTasks?: boolean;
    /** How long a turn of the event loop may take before it is warned about: "100ms". */
    stallWarning?: number | string;
    /** Finds the line that held up a turn. */
    traceStalls?: boolean;
    /** A WebSocket's limits: silence ("2m"), a message's and our close's time ("30s", "5s"), sizes ("16MiB"). */
    wsIdleTimeout?: number | string;
    wsMessageTimeout?: number | string;
    wsCloseTimeout?: number | string;
    wsMaxMessageBytes?: number | string;
    wsMaxFrameBytes?: number | string;
    wsMaxBufferedBytes?: number | string;
    /** permessage-deflate, and what its windows may take in all ("64MiB"). */
    wsCompression?: "on" | "off";
    wsMemory?: number | string;
    /** What must be well for /readyz of the admin port to be green. */
    ready?: ReadyCheck | Readonly<Record<string, ReadyCheck | { check: ReadyCheck; timeout?: number | string }>>;
  }

  /** Fails when it throws, gives false, or takes longer than its timeout (1 s), at which the signal aborts. */
  export type ReadyCheck = (signal: AbortSignal) => unknown;

  export type LimitOptions = Deno.LimitOptions;
  export type RequestLimitOptions = Deno.RequestLimitOptions;
}

declare namespace Deno {
  interface NetAddr {
    transport: "tcp" | "udp";
    hostname: string;
    port: number;
  }

  interface UnixAddr {
    transport: "unix" | "unixpacket";
    path: string;
  }

  type Addr = NetAddr | UnixAddr;

  /** A connection. Each call waits for its own and lets everybody else go on. */
  interface Conn<A extends Addr = Addr> extends Disposable {
    /** Fills `buffer` with what came; the number of bytes, or null at the end. */
    read(buffer: Uint8Array): Promise<number | null>;
    /** Writes some or all of `bytes`; how many. */
    write(bytes: Uint8Array): Promise<number>;
    /** Says that no more will be written; reading goes on. */
    closeWrite(): Promise<void>;
    close(): void;
    /** A read that waits at this moment fails with Deno.errors.TimedOut; null takes the deadline off. */
    setReadDeadline(deadline: Date | number | null): void;
    setWriteDeadline(deadline: Date | number | null): void;
    setDeadline(deadline: Date | number | null): void;
    setNoDelay(noDelay?: boolean): void;
    setKeepAlive(keepAlive?: boolean): void;
    ref(): void;
    unref(): void;
    readonly localAddr: A;
    readonly remoteAddr: A;
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    readonly writable: WritableStream<Uint8Array>;
  }

  interface Listener<C extends Conn = Conn, A extends Addr = Addr> extends AsyncIterable<C>, Disposable {
    accept(): Promise<C>;
    close(): void;
    ref(): void;
    unref(): void;
    readonly addr: A;
  }

  function listen(options: { port: number; hostname?: string; transport?: "tcp"; reusePort?: boolean }): Listener;
  function listen(options: { path: string; transport: "unix" }): Listener;
  function connect(options: { port: number; hostname?: string; transport?: "tcp" }): Promise<Conn>;
  function connect(options: { path: string; transport: "unix" }): Promise<Conn>;

  interface TlsHandshakeInfo {
    /** What ALPN has chosen. */
    readonly alpnProtocol: string | null;
    readonly version: string;
    readonly cipher: string;
    readonly serverName: string | undefined;
    readonly resumed: boolean;
    readonly handshakeMs: number;
    /** A server's, or that which a client has shown: as node:crypto's X509Certificate. */
    readonly peerCertificate: { readonly subject: string; readonly fingerprint256: string } | undefined;
  }

  /** A connection that speaks TLS. The first read or write waits for the handshake, and fails with what is wrong. */
  interface TlsConn extends Conn<NetAddr> {
    handshake(): Promise<TlsHandshakeInfo>;
  }

  interface StartTlsOptions {
    /** What the server's certificate must be for. */
    hostname?: string;
    /** Roots in PEM that are trusted beside the usual ones. */
    caCerts?: string[];
    alpnProtocols?: string[];
    unsafelyDisableHostnameVerification?: boolean;
  }

  interface ConnectTlsOptions extends StartTlsOptions {
    port: number;
    /** In PEM: who the client is, for servers that ask. */
    cert?: string;
    key?: string;
    signal?: AbortSignal;
    deadline?: Date | number;
  }

  function connectTls(options: ConnectTlsOptions): Promise<TlsConn>;
  /** Goes on with TLS, as its client, on a connection that has spoken plainly so far. */
  function startTls(conn: Conn, options?: StartTlsOptions): Promise<TlsConn>;
  function listenTls(options: {
    port: number;
    hostname?: string;
    cert: string;
    key: string;
    alpnProtocols?: string[];
  }): Listener<TlsConn, NetAddr>;

  interface ServeHandlerInfo<A extends Addr = Addr> {
    remoteAddr: A;
    /** Resolves when the response is sent, rejects when it could not be. */
    completed: Promise<void>;
    /** What the access log calls this request, sent back as x-request-id; undefined without --access-log. */
    requestId: string | undefined;
    /** What was agreed on, with TLS. */
    tls:
      | {
          version: string;
          cipher: string;
          protocol: string | undefined;
          serverName: string | undefined;
          resumed: boolean;
          handshakeMs: number;
          /** The client's, where one was asked for: verified. */
          peerCertificate:
            | {
                subject: string;
                issuer: string;
                subjectAltName: string | undefined;
                fingerprint256: string;
                serialNumber: string;
                validFrom: string;
                validTo: string;
                raw: Uint8Array;
                toString(): string;
              }
            | undefined;
        }
      | undefined;
    /** How long the client may take for the body from now on: "2m", milliseconds, or "none". */
    setReadTimeout(timeout: number | string): void;
    /** How long the response may take from now on. */
    setWriteTimeout(timeout: number | string): void;
    /** How large the body may be: "1GiB", bytes, or "none". One that announces more than the server's limit never comes here. */
    setMaxBodyBytes(size: number | string): void;
    /** Bytes a second that extend both timeouts; 0 makes them absolute. */
    setMinRate(rate: number | string): void;
    /** Sends a 103 with these fields before the response: `link`, for what the page will need. */
    earlyHints(headers: HeadersInit): void;
    /** Fields behind the body, at once, promised, or by a function that is called when the body is done. */
    trailers(fields: HeadersInit | Promise<HeadersInit> | (() => HeadersInit | Promise<HeadersInit>)): void;
    /** What the client has sent behind its body, once all of that has come: read the body first. */
    requestTrailers(): Promise<Headers>;
    /** Starts a task whose signal aborts when this request's does. */
    go(name: string, run: (signal: AbortSignal) => unknown): { cancel(): void; finished: Promise<void> };
  }

  /** Durations are "30s", "2m", "500ms" or milliseconds, sizes "1MiB", "10MB" or bytes; "none" is no limit. */
  interface RequestLimitOptions {
    /** A request's body may take this long, longer while it keeps minRate; 30s. */
    readTimeout?: number | string;
    /** A response may take this long, longer while it keeps minRate; 30s. */
    writeTimeout?: number | string;
    /** Bytes a second that extend both; 4KiB. */
    minRate?: number | string;
    /** 64MiB. */
    maxBodyBytes?: number | string;
  }

  interface LimitOptions extends RequestLimitOptions {
    /** Until a request's head is complete; 5s. */
    readHeaderTimeout?: number | string;
    /** How long a connection is kept between requests; 2m. */
    idleTimeout?: number | string;
    /** 1MiB. */
    maxHeaderBytes?: number | string;
    /** 256. */
    maxHeaderCount?: number | string;
    /** "auto": what the descriptor limit leaves. */
    maxConnections?: number | string;
    /** "none". */
    maxRequestsPerConnection?: number | string;
    /** After SIGTERM, how long to go on accepting with readiness red; 0s. */
    drainDelay?: number | string;
    /** Then, how long idle connections are still listened to; 1s. */
    drainIdle?: number | string;
    /** What still runs is cut; 30s. */
    drainTimeout?: number | string;
  }

  type ServeHandler<A extends Addr = Addr> = (
    request: Request,
    info: ServeHandlerInfo<A>,
  ) => Response | Promise<Response>;

  interface ServeOptions<A extends Addr = Addr> extends LimitOptions {
    /** Limits of one request, by its head: called before its body is read. */
    limits?(request: Request): RequestLimitOptions | undefined;
    signal?: AbortSignal;
    onListen?(address: A): void;
    onError?(error: unknown): Response | Promise<Response>;
    /** Compresses answers with zstd, Brotli or gzip for clients that accept them. @default {false} */
    compress?: boolean;
    /** PEM: the certificate, and those between it and its root; with it, and its key, connections speak TLS. */
    cert?: string | Uint8Array;
    key?: string | Uint8Array;
    /** Of an encrypted key. */
    passphrase?: string;
    tls?: TlsServeOptions;
  }

  /** TLS beside `cert` and `key`, or instead of them. */
  interface TlsServeOptions {
    /** Further certificates, by the name that a client asks for. */
    certificates?: readonly (
      | { cert: string | Uint8Array; key: string | Uint8Array; passphrase?: string; ocsp?: Uint8Array }
      | { pfx: Uint8Array; passphrase?: string; ocsp?: Uint8Array }
    )[];
    policy?: "intermediate" | "modern";
    /** Whether clients are asked for a certificate, and who signs those (PEM). */
    clientAuth?: "none" | "request" | "require";
    clientCa?: string | Uint8Array;
    /** Strict-Transport-Security: "180d", "1y includeSubDomains". */
    hsts?: string;
  }

  interface ServeTcpOptions extends ServeOptions<NetAddr> {
    port?: number;
    hostname?: string;
    reusePort?: boolean;
    path?: undefined;
  }

  interface ServeUnixOptions extends ServeOptions<UnixAddr> {
    /** The path of a Unix socket, instead of a port. */
    path: string;
  }

  interface HttpServer<A extends Addr = Addr> extends AsyncDisposable {
    readonly addr: A;
    readonly finished: Promise<void>;
    /** Stops accepting and finishes what runs, within drainTimeout. */
    shutdown(): Promise<void>;
    /** The same, with how many requests had to be cut. */
    drain(): Promise<{ readonly cut: number }>;
    /** Closes everything at once. */
    close(): void;
    ref(): void;
    unref(): void;
  }

  function serve(handler: ServeHandler<NetAddr>): HttpServer<NetAddr>;
  function serve(options: ServeTcpOptions, handler: ServeHandler<NetAddr>): HttpServer<NetAddr>;
  function serve(options: ServeUnixOptions, handler: ServeHandler<UnixAddr>): HttpServer<UnixAddr>;

  interface UpgradeWebSocketOptions {
    /** One of those that the client offers. */
    protocol?: string;
    /** Seconds without a word from the client. @default {120} */
    idleTimeout?: number;
  }

  interface UpgradedWebSocket extends WebSocket {
    /** `send`, and waits until nothing is left to be sent. */
    write(data: string | ArrayBufferLike | ArrayBufferView | Blob): Promise<void>;
    /** Waits until nothing is left to be sent. */
    drained(): Promise<void>;
  }

  function upgradeWebSocket(
    request: Request,
    options?: UpgradeWebSocketOptions,
  ): { response: Response; socket: UpgradedWebSocket };
}

interface ImportMeta {
  readonly main: boolean;
  readonly filename: string;
  readonly dirname: string;
}

// `import page from "./page.html" with { type: "text" }`: the file is embedded when the server is compiled.
declare module "*.html" {
  const text: string;
  export default text;
}
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.txt" {
  const text: string;
  export default text;
}
declare module "*.md" {
  const text: string;
  export default text;
}
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.svg" {
  const text: string;
  export default text;
}

// `import logo from "./logo.png" with { type: "bytes" }`
declare module "*.png" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "*.jpg" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "*.ico" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "*.woff2" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "*.bin" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}

// The little of node:assert that server.test.ts uses.
declare module "node:assert/strict" {
  function assert(value: unknown, message?: string): asserts value;
  namespace assert {
    function ok(value: unknown, message?: string): asserts value;
    function equal<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
    function deepEqual(actual: unknown, expected: unknown, message?: string): void;
    function match(text: string, pattern: RegExp, message?: string): void;
    function doesNotMatch(text: string, pattern: RegExp, message?: string): void;
    function rejects(promise: Promise<unknown> | (() => Promise<unknown>), message?: string): Promise<void>;
    function throws(run: () => unknown, message?: string): void;
  }
  export default assert;
}
