/**
 * Connections by the server they go to. The one that was used last is used next, so that those which a busy moment left
 * over grow old and go. A request that finds none idle has one opened for it, and takes whichever is free first.
 */

import type { Handle } from "../../ffi/poller.ts";
import type { Addr } from "../net/address.ts";
import { type ConnectOptions, dial } from "../net/connect.ts";
import { type Keeper, keepers } from "../net/kept.ts";
import { NotSupported, TimedOut } from "../runtime/errors.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import type { ClientIdentity } from "../tls/client-context.ts";
import { type Carrier, ClientConnection, type ConnectionPool } from "./connection.ts";
import { clientCounters } from "./counters.ts";
import type { Http2Connection, Http2Pool } from "./h2.ts";
import type { HttpClientSettings, Way } from "./http-client.ts";
import { Names } from "./names.ts";
import type { ClientSettings } from "./settings.ts";
import type { Target } from "./target.ts";

/** Who waits for a connection. */
export interface Seeker {
  readonly signal: AbortSignal | null;
  connected(connection: Carrier): void;
  refused(error: unknown): void;
}

const names = new Names();
const ALPN = ["h2", "http/1.1"];
const HTTP_1 = ["http/1.1"];
const MOST_REMEMBERED = 1_000;
let loadingHttp2: Promise<typeof import("./h2.ts")> | undefined;
let loading: Promise<typeof import("./secure.ts")> | undefined;

/** All connections of one client. */
export class Pool {
  readonly settings: () => ClientSettings;
  /** Host may be set by the program. */
  readonly allowHost: boolean;
  /** Where its connections go, instead of where the URL says. */
  readonly way: Way | undefined;
  /** With https: whom it trusts, and who it is. */
  readonly identity: ClientIdentity | undefined;
  readonly alpn: readonly string[];
  idle = 0;
  /** Origins that have chosen HTTP/2, and then said that they must be asked over HTTP/1.1. */
  readonly http1Only = new Set<string>();
  readonly #hosts = new Map<string, HostPool>();
  closed = false;
  /** A server of this process ends: what is kept for it goes. Another server's, on the same port, is dialled again. */
  readonly #serverEnds: Keeper = (addr) => {
    for (const host of this.#hosts.values()) if (host.leadsTo(addr)) host.closeIdle();
  };

  constructor({ settings, allowHost, way, identity, alpn = ALPN }: HttpClientSettings) {
    this.settings = settings;
    this.allowHost = allowHost;
    this.way = way;
    this.identity = identity;
    this.alpn = alpn;
  }

  host(target: Target): HostPool {
    const { origin } = target;
    let host = this.#hosts.get(origin);
    if (host === undefined) {
      this.#hosts.set(origin, (host = new HostPool(this, target)));
      keepers.add(this.#serverEnds);
    }
    return host;
  }

  forget({ origin }: HostPool): void {
    this.#hosts.delete(origin);
    if (this.#hosts.size === 0) keepers.delete(this.#serverEnds);
  }

  /** Idle connections go, and those at work when they are done. */
  closeIdle(): void {
    for (const host of this.#hosts.values()) host.closeIdle();
  }

  close(): void {
    this.closed = true;
    this.closeIdle();
  }
}

export class HostPool implements ConnectionPool, Http2Pool {
  readonly runtime: Runtime = runtime();
  readonly origin: string;
  readonly #pool: Pool;
  readonly #hostname: string;
  readonly #port: number;
  readonly #secure: boolean;
  readonly #idle: ClientConnection[] = [];
  readonly #seekers = new Set<Seeker>();
  #open = 0;
  #dialing = 0;
  /** Of https: "h2" or "http/1.1", once a server has said which. */
  #protocol = "";
  /** Those that may carry more calls, and those of them that carry none. */
  readonly #shared: Http2Connection[] = [];
  readonly #resting = new Set<Http2Connection>();

  constructor(pool: Pool, { origin, hostname, port, secure }: Target) {
    this.#pool = pool;
    this.origin = origin;
    this.#hostname = hostname;
    this.#port = port;
    this.#secure = secure;
  }

  leadsTo(addr: Addr): boolean {
    const way = this.#pool.way ?? { port: this.#port };
    if ("path" in way) return "path" in addr && addr.path === way.path;
    return "port" in addr && addr.port === way.port;
  }

  /** Calls `connected`, at once if one is idle, or `refused`. `fresh`: none that was used before. */
  seek(seeker: Seeker, fresh = false): void {
    const shared = this.#shared.length === 0 ? undefined : this.#shared.find((one) => one.open);
    if (shared !== undefined) {
      clientCounters.reused++;
      return this.#share(shared, seeker);
    }
    if (!fresh) {
      const connection = this.#take();
      if (connection !== undefined) {
        clientCounters.reused++;
        seeker.connected(connection);
        return;
      }
    }
    this.#seekers.add(seeker);
    // One connection may do for all: who comes while it is made waits for it.
    if (this.#mayShare && this.#dialing > 0) return;
    void this.#dial(seeker);
  }

  get #mayShare(): boolean {
    return this.#secure && this.#protocol !== "http/1.1" && this.#alpn.includes("h2");
  }

  get #alpn(): readonly string[] {
    return this.#pool.http1Only.has(this.origin) ? HTTP_1 : this.#pool.alpn;
  }

  leave(seeker: Seeker): void {
    this.#seekers.delete(seeker);
  }

  #take(): ClientConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      this.#pool.idle--;
      clientCounters.idle--;
      clientCounters.busy++;
      this.runtime.hold();
      if (connection.keptUntil > this.runtime.now) return connection;
      connection.close();
    }
    return undefined;
  }

  async #dial(seeker: Seeker): Promise<void> {
    const { connectTimeout } = this.#pool.settings();
    const limits = {
      ...(seeker.signal !== null && { signal: seeker.signal }),
      ...(connectTimeout < Number.POSITIVE_INFINITY && { deadline: Date.now() + connectTimeout }),
    };
    const way = this.#pool.way ?? { hostname: this.#hostname, port: this.#port };
    const options: ConnectOptions = "path" in way ? { transport: "unix", ...way, ...limits } : { ...way, ...limits };
    this.#dialing++;
    clientCounters.connecting++;
    let connection: ClientConnection | Http2Connection | undefined;
    let failure: unknown;
    const together = this.#mayShare;
    try {
      if (this.#secure) connection = await this.#dialSecurely(options, seeker.signal);
      else connection = await dial(this.runtime, options, (handle) => new ClientConnection(this, handle), names.look);
    } catch (error) {
      failure = error;
    }
    this.#dialing--;
    clientCounters.connecting--;
    if (connection !== undefined) {
      clientCounters.opened++;
      clientCounters.busy++;
      this.#open++;
      if (connection.gone) {
        // It was closed again before anybody had it.
        clientCounters.busy--;
        this.#open--;
      } else {
        if (!(connection instanceof ClientConnection)) return this.#shareOut(connection);
        const wanted = this.#seekers.delete(seeker);
        // Each needs one of its own.
        if (together) for (const other of this.#seekers) void this.#dial(other);
        if (wanted) return seeker.connected(connection);
        return this.freed(connection);
      }
      failure = new Error("the server closed the connection as soon as it stood");
    }
    names.forget(this.#hostname);
    if (failure instanceof TimedOut) clientCounters.timedOut("connect");
    const wanted = this.#seekers.delete(seeker);
    if (together && !wanted) {
      // It was its caller who gave up: the others go on waiting.
      const [next] = this.#seekers;
      if (next !== undefined && this.#dialing === 0) void this.#dial(next);
    } else if (together) {
      for (const other of [...this.#seekers]) if (this.#seekers.delete(other)) other.refused(failure);
    }
    if (wanted) seeker.refused(failure);
    this.#tidy();
  }

  /** The handshake is a part of connecting, and has what is left of its time. */
  async #dialSecurely(
    options: ConnectOptions,
    signal: AbortSignal | null,
  ): Promise<ClientConnection | Http2Connection> {
    const { secureSink } = await (loading ??= import("./secure.ts"));
    const sink = secureSink(this.runtime);
    const { identity } = this.#pool;
    const alpn = this.#alpn;
    const secure = {
      hostname: this.#hostname,
      port: this.#port,
      identity,
      alpn,
      signal,
      deadline: options.deadline === undefined ? Number.POSITIVE_INFINITY : Number(options.deadline),
    };
    const shake = (handle: Handle): Promise<Handle> => sink.secure(handle, secure);
    const handle = await dial(this.runtime, options, shake, names.look);
    this.#protocol = sink.protocolOf(handle) || "http/1.1";
    if (this.#protocol !== "h2" && alpn.includes("http/1.1")) return new ClientConnection(this, handle, sink);
    if (this.#protocol !== "h2") {
      sink.close(handle);
      throw new NotSupported("the server does not speak HTTP/2, and http1 is false");
    }
    const { Http2Connection } = await (loadingHttp2 ??= import("./h2.ts"));
    return new Http2Connection(this, handle, sink);
  }

  // ---- connections that carry many calls

  #share(connection: Http2Connection, seeker: Seeker): void {
    if (this.#resting.delete(connection)) {
      this.#pool.idle--;
      clientCounters.idle--;
      clientCounters.busy++;
      this.runtime.hold();
    }
    seeker.connected(connection.stream());
  }

  /** A new one: whoever waits gets a stream of it. */
  #shareOut(connection: Http2Connection): void {
    this.#shared.push(connection);
    this.changed(connection);
    // More than the server takes at once.
    const [next] = this.#seekers;
    if (next !== undefined && this.#dialing === 0) void this.#dial(next);
  }

  changed(connection: Http2Connection): void {
    if (!this.#shared.includes(connection)) return;
    for (const seeker of this.#seekers) {
      if (!connection.open) return;
      if (this.#seekers.delete(seeker)) this.#share(connection, seeker);
    }
    if (connection.calls > 0 || connection.gone || this.#resting.has(connection)) return;
    const { idleTimeout, maxIdlePerHost, maxIdle } = this.#pool.settings();
    const full = this.#resting.size >= maxIdlePerHost || this.#pool.idle >= maxIdle;
    if (full || idleTimeout <= 0 || this.#pool.closed) return connection.close();
    this.#resting.add(connection);
    this.#pool.idle++;
    clientCounters.idle++;
    clientCounters.busy--;
    connection.rest(this.runtime.now + idleTimeout);
    this.runtime.release();
  }

  retired(connection: Http2Connection): void {
    const at = this.#shared.indexOf(connection);
    if (at >= 0) this.#shared.splice(at, 1);
  }

  freed(connection: ClientConnection): void {
    const [seeker] = this.#seekers;
    if (seeker !== undefined) {
      this.#seekers.delete(seeker);
      return seeker.connected(connection);
    }
    const { idleTimeout, maxIdlePerHost, maxIdle } = this.#pool.settings();
    const { now } = this.runtime;
    const until = Math.min(now + idleTimeout, connection.keptUntil);
    const full = this.#idle.length >= maxIdlePerHost || this.#pool.idle >= maxIdle;
    if (full || until <= now || this.#pool.closed) return connection.close();
    this.#idle.push(connection);
    this.#pool.idle++;
    clientCounters.idle++;
    clientCounters.busy--;
    this.runtime.setDeadline(connection.handle, until === Number.POSITIVE_INFINITY ? 0 : until);
    this.runtime.release();
  }

  gone(connection: ClientConnection | Http2Connection): void {
    if (!(connection instanceof ClientConnection)) return this.#goneShared(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#pool.idle--;
      clientCounters.idle--;
      // Closing gives the hold back, which an idle one has not.
      this.runtime.hold();
    } else clientCounters.busy--;
    this.#open--;
    this.#tidy();
  }

  #goneShared(connection: Http2Connection): void {
    this.retired(connection);
    if (this.#resting.delete(connection)) {
      this.#pool.idle--;
      clientCounters.idle--;
      this.runtime.hold();
    } else clientCounters.busy--;
    this.#open--;
    const [next] = this.#seekers;
    if (next !== undefined && this.#mayShare && this.#dialing === 0) void this.#dial(next);
    this.#tidy();
  }

  http1Required(): void {
    // A client that speaks HTTP/2 only has nothing else to offer.
    const { alpn, http1Only } = this.#pool;
    if (!alpn.includes("http/1.1")) return;
    if (http1Only.size >= MOST_REMEMBERED) http1Only.clear();
    http1Only.add(this.origin);
    for (const connection of [...this.#shared]) connection.mistrust();
  }

  idleExpired(): void {
    clientCounters.timedOut("idle");
  }

  closeIdle(): void {
    for (const connection of this.#idle.slice()) connection.close();
    for (const connection of [...this.#resting]) connection.close();
  }

  #tidy(): void {
    if (this.#open === 0 && this.#dialing === 0 && this.#seekers.size === 0) this.#pool.forget(this);
  }
}
