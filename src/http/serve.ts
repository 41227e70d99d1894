/** `serve`: from a handler and options to a running HTTP server, in the shape of `Deno.serve`. */

import { Http2 } from "../http2/mod.ts";
import { showAddress } from "../net/address.ts";
import { handover } from "../net/handover.ts";
import {
  type Addr,
  type Conn,
  type Listener,
  type ListenOptions,
  listen,
  type NetAddr,
  type UnixAddr,
} from "../net/mod.ts";
import { type ProxyOptions, readProxyOptions } from "../net/trust.ts";
import { type LimitOptions, readLimits } from "../options/limits.ts";
import { announce, logError } from "../runtime/log.ts";
import { type ClientAuth, serverContext, TlsContext, type TlsIdentity, type TlsOptions } from "../tls/context.ts";
import { type CompressionRules, compressing } from "./compression/mod.ts";
import type { HttpCounters } from "./counters.ts";
import type { DrainResult } from "./drain.ts";
import type { ErrorHandler } from "./failure.ts";
import { withHsts } from "./hsts.ts";
import { defaultLimits } from "./limits.ts";
import type { LimitsHook } from "./request-limits.ts";
import { authorityOf } from "./request-url.ts";
import { type Handler, HttpService } from "./service.ts";

/** Where and how to serve; and every limit of a connection, which is on whether named or not (docs/limits.md). */
export interface ServeOptions<A extends Addr = Addr> extends LimitOptions, ProxyOptions {
  /** The port to listen on; 0 takes a free one. @default {8000} */
  port?: number;
  /** The address to listen on. @default {"0.0.0.0"} */
  hostname?: string;
  /** A Unix socket to listen on, instead of a port. */
  path?: string;
  /** A listener to serve from, instead of opening one; the server owns it from here on. */
  listener?: Listener;
  /** Several sockets may share the port; the kernel spreads connections over them. */
  reusePort?: boolean;
  /** Connections that may wait to be accepted. */
  backlog?: number;
  /** Ends the server gracefully, as `shutdown` does. */
  signal?: AbortSignal;
  /** Called once, with the address; without it a line is printed. */
  onListen?: (addr: A) => void;
  /** Makes a response of what the handler threw. Without it: one log line and a plain 500. */
  onError?: ErrorHandler;
  /** Limits of one request, by its head: called before the body is read, and before the handler. */
  limits?: LimitsHook;
  /** Clients may begin with HTTP/2, without TLS, if they know that they may ("prior knowledge"). @default {false} */
  h2c?: boolean;
  /** Compresses answers for clients that can read them so (docs/compression.md). @default {false} */
  compress?: boolean;
  /** How, where it is the program that asked for it. @internal */
  compressionRules?: CompressionRules;
  /** PEM: the certificate, and those between it and its root. With it, and `key`, connections speak TLS 1.2 or 1.3. */
  cert?: string | Uint8Array;
  /** PEM: the certificate's private key. */
  key?: string | Uint8Array;
  /** Of an encrypted key. */
  passphrase?: string;
  /** More of TLS. A TlsContext goes before all that is said else, and is for internal use. */
  tls?: TlsServeOptions | TlsContext;
  /** Without TLS, whatever the command line says. @internal */
  plain?: boolean;
  /** Counters of its own: the admin port is not part of what it shows. @internal */
  counters?: HttpCounters;
}

/** TLS beside `cert` and `key`, or instead of them. */
export interface TlsServeOptions {
  /**
   * Further certificates: each client is shown the one for the name that it asks for (SNI), and the first where there is
   * none. Of two for the same name, with keys of different types, it gets the one that it understands.
   */
  certificates?: readonly TlsIdentity[];
  /** "modern" is TLS 1.3 alone. @default {"intermediate"} */
  policy?: "intermediate" | "modern";
  /**
   * Whether clients are asked for a certificate: "request" lets in who has none, "require" does not; what is not valid, or
   * signed by nobody in `clientCa`, is refused by both. A handler sees it in `info.tls.peerCertificate`. @default {"none"}
   */
  clientAuth?: ClientAuth;
  /** PEM: who signs the certificates of clients. */
  clientCa?: string | Uint8Array;
  /**
   * Responses say Strict-Transport-Security: for so long browsers ask this host by https only. "180d", "1y
   * includeSubDomains", "2y includeSubDomains preload". They can't be told otherwise before.
   */
  hsts?: string;
}

/** Options of a server on a port. */
export interface ServeTcpOptions extends ServeOptions<NetAddr> {
  path?: undefined;
  listener?: undefined;
}

/** Options of a server on a Unix socket. */
export interface ServeUnixOptions extends ServeOptions<UnixAddr> {
  path: string;
}

/** A running server. */
export class HttpServer<A extends Addr = Addr> implements AsyncDisposable {
  readonly #service: HttpService;

  /** @internal Whether it speaks TLS, by its own options or by the command line's. */
  readonly secure: boolean;

  /** @internal Use `serve`. */
  constructor(service: HttpService, secure: boolean) {
    this.#service = service;
    this.secure = secure;
  }

  /** Where it listens. */
  get addr(): A {
    return this.#service.listener.addr as A;
  }
  /** Resolves when the server and all its connections have ended. */
  get finished(): Promise<void> {
    return this.#service.finished;
  }
  /** Connections open now, idle ones included. */
  get connections(): number {
    return this.#service.connections;
  }

  /** It ends: what it answers carries `Connection: close`. */
  get draining(): boolean {
    return this.#service.draining;
  }

  /**
   * Ends gracefully, and resolves when that is done: for `drainDelay` everything is still accepted, idle connections
   * get `drainIdle`, and what runs is cut after `drainTimeout`.
   */
  async shutdown(): Promise<void> {
    await this.#service.drain();
  }
  /** `shutdown`, with how many requests it had to cut. */
  drain(): Promise<DrainResult> {
    return this.#service.drain();
  }
  /** Closes the listener and every connection at once. */
  close(): void {
    this.#service.close();
  }
  ref(): void {
    this.#service.listener.ref();
  }
  unref(): void {
    this.#service.listener.unref();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/**
 * Serves HTTP/1.1.
 *
 * ```ts
 * import { serve } from "slipway";
 * const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hello"));
 * await server.shutdown();
 * ```
 */
export function serve(options: ServeTcpOptions, handler: Handler<NetAddr>): HttpServer<NetAddr>;
export function serve(options: ServeUnixOptions, handler: Handler<UnixAddr>): HttpServer<UnixAddr>;
export function serve<A extends Addr>(
  options: ServeOptions<A> & { listener: Listener<Conn, A> },
  handler: Handler<A>,
): HttpServer<A>;
export function serve(options: ServeOptions, handler: Handler): HttpServer;
// Of addresses that may be of either kind, nothing is known here: `never` takes what each of the above promises.
export function serve(options: ServeOptions<never>, handler: Handler<never>): HttpServer<never> {
  if (typeof handler !== "function") throw new TypeError("serve needs a handler: a function from Request to Response");
  const { signal, onListen } = options;
  signal?.throwIfAborted();
  const limits = { ...defaultLimits, ...readLimits(chosenLimits(options), "serve") };
  if (options.limits !== undefined && typeof options.limits !== "function") {
    throw new TypeError("limits of serve must be a function: it is given each request, and returns its limits");
  }
  const trust = readProxyOptions(chosenProxies(options), "serve");
  const tls = tlsOf(options);
  const h2c = priorKnowledge(options);
  const served = compresses(options)
    ? compressing(handler as Handler, handover.serveDefaults?.compress ? undefined : options.compressionRules)
    : (handler as Handler);
  const listener = options.listener ?? listen(listenOptions(options));
  const server = new HttpServer<never>(
    new HttpService(listener, tls?.hsts === undefined ? served : withHsts(served, tls.hsts), {
      onError: options.onError,
      limits,
      limitsHook: options.limits,
      trust,
      counters: options.counters,
      http2: tls !== undefined || h2c ? (host) => new Http2(host) : undefined,
      priorKnowledge: h2c,
      tls,
    }),
    tls !== undefined,
  );
  handover.serving?.(server);
  if (signal !== undefined) {
    const stop = (): void => void server.shutdown();
    signal.addEventListener("abort", stop, { once: true });
    // The signal may outlive many servers.
    server.finished.then(() => signal.removeEventListener("abort", stop));
  }
  if (onListen === undefined) announce(`Listening on ${showUrl(server.addr, tls !== undefined)}`);
  else {
    try {
      onListen(server.addr);
    } catch (error) {
      logError("onListen failed", error);
    }
  }
  return server;
}

/** Flags and environment beat what the program says; the admin port has limits of its own. */
function chosenLimits(options: ServeOptions<never>): LimitOptions {
  return options.counters === undefined ? { ...options, ...handover.serveDefaults?.limits } : options;
}

/** What its connections speak TLS with, if they do. The command line's certificate goes before the program's. */
function tlsOf({ counters, plain, tls = {}, cert, key, passphrase }: ServeOptions<never>): TlsContext | undefined {
  if (counters !== undefined || plain) return undefined;
  const context = tls instanceof TlsContext ? tls : (handover.serveDefaults?.tls as TlsContext | undefined);
  if (context !== undefined || tls instanceof TlsContext) return context;
  const certificates = readCertificates(tls);
  if (cert !== undefined && key !== undefined) certificates.unshift({ cert, key, passphrase });
  else if (cert !== undefined || key !== undefined) {
    throw new TypeError(
      `serve: TLS needs a certificate and its key; ${cert === undefined ? "cert" : "key"} is missing`,
    );
  }
  for (const [name, words] of TLS_WORDS) {
    const value = tls[name];
    if (value !== undefined && !(words as readonly unknown[]).includes(value)) {
      throw new TypeError(`tls.${name} of serve must be one of ${words.join(", ")}, not ${String(value)}`);
    }
  }
  if (certificates.length === 0) return undefined;
  return httpsContext({ ...tls, certificates });
}

const TLS_OPTIONS: ReadonlySet<string> = new Set(["certificates", "policy", "clientAuth", "clientCa", "hsts"]);
const TLS_WORDS = [
  ["policy", ["intermediate", "modern"]],
  ["clientAuth", ["none", "request", "require"]],
] as const satisfies [keyof TlsServeOptions, readonly string[]][];

function readCertificates(tls: TlsServeOptions): TlsIdentity[] {
  if (typeof tls !== "object" || tls === null) throw new TypeError("tls of serve must be an object of options");
  const unknown = Object.keys(tls).find((name) => !TLS_OPTIONS.has(name));
  // What changes nothing here may have been meant to keep somebody out.
  if (unknown !== undefined) throw new TypeError(`tls.${unknown} of serve is no option: there are ${[...TLS_OPTIONS].join(", ")}`); // biome-ignore format: one line
  const { certificates = [] } = tls;
  if (!Array.isArray(certificates))
    throw new TypeError("tls.certificates of serve must be a list of { cert, key } and { pfx }");
  for (const [index, { cert, key, pfx }] of (certificates as readonly TlsIdentity[]).entries()) {
    if (pfx !== undefined) continue;
    if (cert === undefined || key === undefined) {
      throw new TypeError(`tls.certificates[${index}] of serve: ${cert === undefined ? "cert" : "key"} is missing`);
    }
  }
  return [...certificates];
}

/** Of a server that speaks HTTP. */
export function httpsContext(options: TlsOptions): TlsContext {
  return serverContext({ ...options, alpn: ["h2", "http/1.1"] });
}

/** The same of proxies. */
function chosenProxies({ counters, proxyProtocol, trustProxy }: ServeOptions<never>): ProxyOptions {
  const defaults = counters === undefined ? handover.serveDefaults : undefined;
  return {
    proxyProtocol: defaults?.proxyProtocol || proxyProtocol,
    trustProxy: defaults?.trustProxy?.length ? defaults.trustProxy : trustProxy,
  };
}

/** And of HTTP/2 without TLS. */
function priorKnowledge({ counters, h2c }: ServeOptions<never>): boolean {
  if (h2c !== undefined && typeof h2c !== "boolean") throw new TypeError("h2c of serve must be true or false");
  return counters === undefined && (handover.serveDefaults?.h2c || h2c === true);
}

/** And of compression. */
function compresses({ counters, compress }: ServeOptions<never>): boolean {
  if (compress !== undefined && typeof compress !== "boolean") {
    throw new TypeError("compress of serve must be true or false");
  }
  return counters === undefined && (handover.serveDefaults?.compress || compress === true);
}

function listenOptions(options: ServeOptions<never>): ListenOptions {
  const { backlog, reusePort } = options;
  const named = options.port ?? options.hostname ?? options.path;
  const { port = 8000, hostname, path } = named === undefined ? (handover.serveDefaults ?? {}) : options;
  return path !== undefined ? { transport: "unix", path, backlog } : { port, hostname, reusePort, backlog };
}

/** The address as a person would type it into a browser. */
export function showUrl(addr: Addr, tls = false): string {
  if (addr.transport === "unix") return showAddress(addr);
  return `${tls ? "https" : "http"}://${authorityOf(addr)}/`;
}
