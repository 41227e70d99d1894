/**
 * `Deno.serve` with every way that Deno offers to call it, on top of our own HTTP server.
 */
import { type Handler, type HttpServer, type ServeOptions, serve as serveHttp } from "../http/mod.ts";
import { NotAResponse } from "../http/sendable.ts";
import type { Addr, NetAddr, UnixAddr } from "../net/mod.ts";
import { NotSupported } from "../runtime/errors.ts";
import { announce } from "../runtime/log.ts";

/** What `Deno.serve` takes beside our server's own options. */
export interface DenoServeOptions<A extends Addr = Addr> extends ServeOptions<A> {
  /** The handler, where it is not an argument of its own. */
  handler?: Handler<A>;
  /** @default {"tcp"} */
  transport?: "tcp" | "unix";
  /** Deno's name for `backlog`. */
  tcpBacklog?: number;
  /**
   * As `compress`, by Deno's rules: from 64 bytes on, in Brotli or gzip. The variable DENO_SERVE_AUTOMATIC_COMPRESSION says
   * what holds where it is left out.
   */
  automaticCompression?: boolean;
  /** Closes the server and every connection at once, as `close` does; for an end that waits there is `shutdown`. */
  signal?: AbortSignal;
}

/** What tells the address's kind, and with it the type of every address that the server and its handler see. */
interface OnPort {
  path?: undefined;
  transport?: "tcp";
  listener?: undefined;
}
interface OnPath {
  path: string;
}
interface HasHandler<A extends Addr = Addr> {
  handler: Handler<A>;
}

/** Options about which there is nothing to say. */
const usual = new Set([
  "handler",
  "port",
  "hostname",
  "path",
  "onListen",
  "onError",
  "signal",
  "transport",
  "limits",
  "cert",
  "key",
  "tls",
]);

/**
 * Serves HTTP: `serve(handler)`, `serve(options, handler)`, `serve({ ...options, handler })`.
 *
 * Deno.serve({ port: 0, onListen() {} }, () => new Response("hello"));
 */
export function serve(handler: Handler<NetAddr>): HttpServer<NetAddr>;
export function serve(options: DenoServeOptions<NetAddr> & OnPort, handler: Handler<NetAddr>): HttpServer<NetAddr>;
export function serve(options: DenoServeOptions<UnixAddr> & OnPath, handler: Handler<UnixAddr>): HttpServer<UnixAddr>;
export function serve(options: DenoServeOptions<NetAddr> & OnPort & HasHandler<NetAddr>): HttpServer<NetAddr>;
export function serve(options: DenoServeOptions<UnixAddr> & OnPath & HasHandler<UnixAddr>): HttpServer<UnixAddr>;
export function serve(options: DenoServeOptions, handler: Handler): HttpServer;
export function serve(options: DenoServeOptions & HasHandler): HttpServer;
export function serve(
  first: Handler<never> | DenoServeOptions<never>,
  second?: Handler<never> | DenoServeOptions<never>,
): HttpServer<never> {
  const [options, handler] = readArguments(first, second);
  if (Object.keys(options).some((name) => !usual.has(name))) {
    void import("./serve-options.ts").then(({ warnOfOptions }) => warnOfOptions(options));
  }
  if ("certFile" in options || "keyFile" in options) {
    // Deno's words. Who meant TLS is not served without it.
    throw new TypeError("Unsupported 'certFile' / 'keyFile' options provided: use 'cert' / 'key' instead.");
  }
  if (options.transport === ("vsock" as string) || "cid" in options) {
    throw new NotSupported("Deno.serve over vsock is not supported by Slipway: use a port or a path");
  }
  const { automaticCompression = wantsCompression() } = options;
  const { backlog = options.tcpBacklog, compress = automaticCompression, onListen = () => {} } = options;
  options.signal?.throwIfAborted();
  const server = serveHttp(
    {
      ...options,
      backlog,
      compress,
      compressionRules: options.compress === undefined ? DENOS_RULES : undefined,
      onListen,
      onError: inDenosWords(options.onError),
      signal: undefined,
    } as ServeOptions,
    handler as Handler,
  ) as HttpServer<never>;
  if (options.signal !== undefined) closeAtAbort(server, options.signal);
  if (options.onListen === undefined) announceAddress(server.addr, server.secure);
  return server;
}

/** What Deno compresses: programs that ask for its option have measured with it. */
const DENOS_RULES = { smallest: 64, codings: ["br", "gzip"] } as const;

/** As Deno reads its variable: set is on, but for 0 and false. */
function wantsCompression(): boolean {
  const value = process.env.DENO_SERVE_AUTOMATIC_COMPRESSION?.toLowerCase();
  return value !== undefined && value !== "0" && value !== "false";
}

/**
 * Deno's signal ends without grace: what runs is cut, and a handler may wait for `finished` itself. `shutdown` is the one
 * that waits.
 */
function closeAtAbort(server: HttpServer<never>, signal: AbortSignal): void {
  const stop = (): void => server.close();
  // By onListen.
  if (signal.aborted) return stop();
  signal.addEventListener("abort", stop, { once: true });
  // The signal may outlive many servers.
  server.finished.then(() => signal.removeEventListener("abort", stop));
}

/** Programs may know a handler's wrong value by Deno's sentence; ours, which names the value, is the cause. */
function inDenosWords(onError: DenoServeOptions<never>["onError"]): typeof onError {
  if (typeof onError !== "function") return onError;
  return (error) => {
    if (!(error instanceof NotAResponse)) return onError(error);
    const wanted = error.hollow
      ? "a Response constructed via the Response constructor in this realm"
      : "a response or a promise resolving to a response";
    return onError(new TypeError(`Return value from serve handler must be ${wanted}`, { cause: error }));
  };
}

function readArguments(
  first: Handler<never> | DenoServeOptions<never> | undefined,
  second: Handler<never> | DenoServeOptions<never> | undefined,
): [DenoServeOptions<never>, Handler<never>] {
  const functions = [first, second].filter((argument) => typeof argument === "function");
  const objects = [first, second].filter((argument) => typeof argument === "object" && argument !== null);
  const options = objects[0] ?? {};
  if (first === undefined) {
    throw new TypeError("Cannot serve HTTP requests: either a `handler` or `options` must be specified");
  }
  const handler = functions[0] ?? options.handler;
  if (typeof handler !== "function") {
    throw new TypeError(`Cannot serve HTTP requests: handler must be a function, received ${typeof handler}`);
  }
  return [options, handler];
}

/** Deno's own line, on standard error as there: scripts wait for it. */
function announceAddress(addr: Addr, secure: boolean): void {
  announce(`Listening on ${describe(addr, secure ? "https" : "http")}`);
}

function describe(addr: Addr, scheme: string): string {
  if (addr.transport !== "tcp") return (addr as { path: string }).path;
  const { hostname, port } = addr as { hostname: string; port: number };
  const url = `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
  return hostname === "0.0.0.0" || hostname === "::" ? `${url} (${scheme}://localhost:${port}/)` : url;
}
