/** A server of raw connections: one task for each, written straight down. */

import { readLimit } from "../options/limits.ts";
import { BadResource, BrokenPipe, ConnectionReset, Interrupted } from "../runtime/errors.ts";
import { logError } from "../runtime/log.ts";
import { Task, tasks } from "../runtime/tasks.ts";
import { runtime } from "../runtime/turn.ts";
import { type Addr, showAddress } from "./address.ts";
import { Admission } from "./admission.ts";
import { type Conn, closeGently } from "./conn.ts";
import { openConn, PEER_FAILED } from "./conn_kinds.ts";
import type { Listener } from "./listener.ts";
import { ProxiedConns } from "./proxied_conns.ts";
import { type ProxyOptions, readProxyOptions } from "./trust.ts";

export interface ServeConnOptions extends ProxyOptions {
  /** Shuts the server down when aborted, as `shutdown` does. */
  signal?: AbortSignal;
  /** Connections at once; those beyond wait in the kernel's queue. @default {"auto"} what the descriptor limit leaves */
  maxConnections?: number | string;
  /**
   * With `proxyProtocol`: how long a connection may take for its header. `"5s"`, milliseconds, or `"none"`.
   * @default {"5s"}
   */
  readHeaderTimeout?: number | string;
}

/**
 * What is done with a connection. It is closed when the function ends. `signal` is aborted when the server shuts down:
 * a handler that waits for its peer should end then.
 */
export type ConnHandler<C extends Conn = Conn> = (conn: C, signal: AbortSignal) => unknown;

/**
 * Serves each connection in a task of its own. When the handler ends, the connection is closed so that everything it
 * wrote arrives; when it throws, that is logged with the peer's address, and nobody else notices. A reset by the peer is
 * not logged: anyone could fill the log with it.
 *
 * ```ts
 * import { listen, serveConn } from "slipway";
 * const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
 *   const buffer = new Uint8Array(1024);
 *   for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
 *     await conn.write(buffer.subarray(0, n));
 *   }
 * });
 * await server.shutdown();
 * ```
 */
export function serveConn<C extends Conn, A extends Addr>(
  listener: Listener<C, A>,
  handler: ConnHandler<C>,
  options: ServeConnOptions = {},
): ConnServer<C, A> {
  if (typeof handler !== "function") throw new TypeError("serveConn takes a function for each connection");
  return new ConnServer(listener, handler, options);
}

/** A running server. Made by `serveConn`. */
export class ConnServer<C extends Conn = Conn, A extends Addr = Addr> implements AsyncDisposable {
  /** Resolves when the listener is closed and the last handler has ended. */
  readonly finished: Promise<void>;
  readonly #listener: Listener<C, A>;
  readonly #handler: ConnHandler<C>;
  readonly #name: string;
  #active = 0;
  readonly #controller = new AbortController();
  #finish: () => void = () => {};
  #closed = false;
  #cut = false;
  readonly #proxied: ProxiedConns | undefined;
  readonly #admission: Admission;

  /** @internal Use `serveConn`. */
  constructor(listener: Listener<C, A>, handler: ConnHandler<C>, options: ServeConnOptions) {
    const { signal } = options;
    const { connections: trusted } = readProxyOptions(options, "serveConn");
    this.#listener = listener;
    this.#handler = handler;
    // One string for all tasks of a server: the peer's address is asked for only when there is something to say.
    this.#name = `connection on ${showAddress(listener.addr)}`;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const rt = runtime();
    const tcp = listener.addr.transport === "tcp";
    const max = readLimit("maxConnections", options.maxConnections ?? "auto", "maxConnections of serveConn");
    this.#admission = new Admission(rt, listener, max);
    const begin = (conn: Conn): void => this.#begin(conn as C);
    const timeout = options.readHeaderTimeout;
    const { opener } = listener;
    this.#proxied = trusted && new ProxiedConns(rt, { trusted, timeout, tcp, opener }, this.#admission, begin);
    const proxied = this.#proxied;
    listener.takeConnections(
      proxied === undefined ? (fd) => begin(opener?.open(rt, fd) ?? openConn(rt, fd, tcp)) : (fd) => proxied.open(fd),
      () => this.#listenerClosed(),
    );
    if (signal?.aborted) void this.shutdown();
    else signal?.addEventListener("abort", () => void this.shutdown(), { once: true, signal: this.#controller.signal });
  }

  get addr(): A {
    return this.#listener.addr;
  }

  /** How many connections are served now. */
  get active(): number {
    return this.#active;
  }

  /** Stops listening, tells the handlers through their signal, and waits for them. */
  shutdown(): Promise<void> {
    this.#listener.takeWaiting();
    this.#listener.close();
    return this.finished;
  }

  /** Stops listening and closes every connection; handlers that wait on theirs get `Interrupted`. */
  close(): void {
    this.#cut = true;
    this.#listener.close();
    for (const task of tasks()) if (task instanceof ConnTask && task.server === this) task.conn.close();
  }

  /** Lets the listening server keep the process alive, as it does by default. */
  ref(): void {
    this.#listener.ref();
  }

  /** Lets the process end although the server listens. */
  unref(): void {
    this.#listener.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Whether a handler may fail so without anybody having to hear of it: the peer is gone, or we said stop. @internal */
  expects(error: unknown): boolean {
    if (error instanceof ConnectionReset || error instanceof BrokenPipe) return true;
    if ((error as { code?: unknown } | undefined)?.code === PEER_FAILED) return true;
    if (this.#cut && (error instanceof Interrupted || error instanceof BadResource)) return true;
    return this.#closed && error === this.#controller.signal.reason;
  }

  /** @internal */
  taskEnded(): void {
    this.#active--;
    this.#admission.closed();
    this.#finishIfDone();
  }

  #begin(conn: C): void {
    this.#active++;
    this.#admission.opened();
    new ConnTask(this.#name, this, conn).run(() => this.#handler(conn, this.#controller.signal));
  }

  #listenerClosed(): void {
    this.#closed = true;
    this.#admission.end();
    this.#proxied?.closeAll();
    this.#controller.abort(new DOMException("the server shuts down", "AbortError"));
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#closed && this.#active === 0) this.#finish();
  }
}

/** The task of one connection. */
class ConnTask extends Task {
  readonly server: { expects(error: unknown): boolean; taskEnded(): void };
  readonly conn: Conn;

  constructor(name: string, server: ConnTask["server"], conn: Conn) {
    super(name);
    this.server = server;
    this.conn = conn;
  }

  protected override succeeded(): void {
    closeGently(this.conn);
    this.server.taskEnded();
  }

  protected override failed(error: unknown): void {
    if (!this.server.expects(error)) logError(`connection from ${showAddress(this.conn.remoteAddr)} failed`, error);
    this.succeeded();
  }
}
