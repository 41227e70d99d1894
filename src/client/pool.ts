/**
 * Connections by the server they go to. The one that was used last is used next, so that those which a busy moment left
 * over grow old and go. A request that finds none idle has one opened for it, and takes whichever is free first.
 */

import type { Handle } from "../../ffi/poller.ts";
import { type ConnectOptions, dial } from "../net/connect.ts";
import { TimedOut } from "../runtime/errors.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import type { ClientIdentity } from "../tls/client-context.ts";
import { ClientConnection, type ConnectionPool } from "./connection.ts";
import { clientCounters } from "./counters.ts";
import type { HttpClientSettings, Way } from "./http-client.ts";
import { Names } from "./names.ts";
import type { ClientSettings } from "./settings.ts";
import type { Target } from "./target.ts";

/** Who waits for a connection. */
export interface Seeker {
  readonly signal: AbortSignal | null;
  connected(connection: ClientConnection): void;
  refused(error: unknown): void;
}

const names = new Names();
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
  idle = 0;
  readonly #hosts = new Map<string, HostPool>();
  closed = false;

  constructor({ settings, allowHost, way, identity }: HttpClientSettings) {
    this.settings = settings;
    this.allowHost = allowHost;
    this.way = way;
    this.identity = identity;
  }

  host(target: Target): HostPool {
    const { origin } = target;
    let host = this.#hosts.get(origin);
    if (host === undefined) this.#hosts.set(origin, (host = new HostPool(this, target)));
    return host;
  }

  forget({ origin }: HostPool): void {
    this.#hosts.delete(origin);
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

export class HostPool implements ConnectionPool {
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

  constructor(pool: Pool, { origin, hostname, port, secure }: Target) {
    this.#pool = pool;
    this.origin = origin;
    this.#hostname = hostname;
    this.#port = port;
    this.#secure = secure;
  }

  /** Calls `connected`, at once if one is idle, or `refused`. `fresh`: none that was used before. */
  seek(seeker: Seeker, fresh = false): void {
    if (!fresh) {
      const connection = this.#take();
      if (connection !== undefined) {
        clientCounters.reused++;
        seeker.connected(connection);
        return;
      }
    }
    this.#seekers.add(seeker);
    void this.#dial(seeker);
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
    let connection: ClientConnection | undefined;
    let failure: unknown;
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
      } else if (this.#seekers.delete(seeker)) return seeker.connected(connection);
      else return this.freed(connection);
      failure = new Error("the server closed the connection as soon as it stood");
    }
    names.forget(this.#hostname);
    if (failure instanceof TimedOut) clientCounters.timedOut("connect");
    if (this.#seekers.delete(seeker)) seeker.refused(failure);
    this.#tidy();
  }

  /** The handshake is a part of connecting, and has what is left of its time. */
  async #dialSecurely(options: ConnectOptions, signal: AbortSignal | null): Promise<ClientConnection> {
    const { secureSink } = await (loading ??= import("./secure.ts"));
    const sink = secureSink(this.runtime);
    const secure = {
      hostname: this.#hostname,
      port: this.#port,
      identity: this.#pool.identity,
      signal,
      deadline: options.deadline === undefined ? Number.POSITIVE_INFINITY : Number(options.deadline),
    };
    const shake = (handle: Handle): Promise<Handle> => sink.secure(handle, secure);
    return new ClientConnection(this, await dial(this.runtime, options, shake, names.look), sink);
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

  gone(connection: ClientConnection): void {
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

  idleExpired(): void {
    clientCounters.timedOut("idle");
  }

  closeIdle(): void {
    for (const connection of this.#idle.slice()) connection.close();
  }

  #tidy(): void {
    if (this.#open === 0 && this.#dialing === 0 && this.#seekers.size === 0) this.#pool.forget(this);
  }
}
