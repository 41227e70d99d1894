/**
 * Listening sockets, TCP and Unix, in Deno's shape.
 *
 * The kernel is asked for connections only while somebody waits for one: the others stay in its queue, where they cost
 * us nothing, and where it is visible that we are behind.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";
import { setNonBlockingCloexec } from "../../ffi/fcntl.ts";
import type { Handle, Sink } from "../../ffi/poller.ts";
import type { System } from "../../ffi/system.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError, errnoName } from "../runtime/errno.ts";
import { BadResource } from "../runtime/errors.ts";
import { logError, logLine } from "../runtime/log.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import {
  type Addr,
  checkPort,
  checkText,
  decodeAddress,
  encodeIp,
  encodeUnix,
  isAbstract,
  type NetAddr,
  SOCKADDR_MAX,
  showAddress,
  showHost,
  type UnixAddr,
} from "./address.ts";
import { type Conn, openConn, type TcpConn, type UnixConn } from "./conn.ts";
import { resolveSync } from "./names.ts";
import { getInt, setInt } from "./socket_options.ts";

export interface TcpListenOptions {
  /** @default {"tcp"} */
  transport?: "tcp";
  /** The port; 0 takes any free one. */
  port: number;
  /** An address, or a name of this machine. "::" takes IPv6 and IPv4 on one socket. @default {"0.0.0.0"} */
  hostname?: string;
  /** Lets several sockets share the port; the kernel spreads the connections over them. @default {false} */
  reusePort?: boolean;
  /** With an IPv6 address: take no IPv4 connections. @default {false} */
  ipv6Only?: boolean;
  /**
   * How many finished handshakes may wait to be accepted. The kernel takes at most `net.core.somaxconn`, whose default
   * is ours too: entries cost memory only while they are used, and a queue that overflows makes clients wait a second
   * for their retry. @default {4096}
   */
  backlog?: number;
  /** Deno's name for `backlog`. */
  tcpBacklog?: number;
}

export interface UnixListenOptions {
  transport: "unix";
  /** The file to make, or "@name" for an abstract socket, which has none (Linux). */
  path: string;
  /** @default {4096} */
  backlog?: number;
}

export type ListenOptions = TcpListenOptions | UnixListenOptions;
export type TcpListener = Listener<TcpConn, NetAddr>;
export type UnixListener = Listener<UnixConn, UnixAddr>;

/** The default of net.core.somaxconn since Linux 5.4. */
const BACKLOG = 4096;
/** One line about missing descriptors in this time, however often accept(2) says so. */
const COMPLAIN_EVERY_MS = 10_000;

/**
 * Listens for connections.
 *
 * ```ts
 * import { listen } from "slipway";
 * using listener = listen({ port: 0, hostname: "127.0.0.1" });
 * console.log(`listening on port ${listener.addr.port}`);
 * ```
 */
export function listen(options: TcpListenOptions): TcpListener;
export function listen(options: UnixListenOptions): UnixListener;
export function listen(options: ListenOptions): TcpListener | UnixListener;
export function listen(options: ListenOptions): TcpListener | UnixListener {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("listen takes an object of options, for example listen({ port: 8000 })");
  }
  const { transport = "tcp" } = options;
  if (transport === "tcp") return listenTcp(options as TcpListenOptions);
  if (transport === "unix") return listenUnix(options as UnixListenOptions);
  throw new TypeError(`transport must be "tcp" or "unix", not ${JSON.stringify(transport)}`);
}

/**
 * Takes over a listening socket that somebody else opened: a parent process, systemd's socket activation.
 *
 * ```ts
 * import { listenFd } from "slipway";
 * const listener = listenFd(3); // SD_LISTEN_FDS_START, sd_listen_fds(3)
 * ```
 */
export function listenFd(fd: number): Listener {
  const rt = runtime();
  const { system, constants } = rt.poller;
  const { SOL_SOCKET, SO_TYPE, SOCK_STREAM } = constants;
  if (!Number.isInteger(fd) || fd < 0) throw new TypeError(`fd must be a whole number ≥ 0, not ${fd}`);
  const type = getInt(system, fd, SOL_SOCKET, SO_TYPE);
  if (type !== SOCK_STREAM || getInt(system, fd, SOL_SOCKET, constants.SO_ACCEPTCONN) !== 1) {
    throw new TypeError(`descriptor ${fd} is no listening stream socket; the parent must have called listen(2) on it`);
  }
  const failed = setNonBlockingCloexec(constants, fd);
  if (failed < 0) throw errnoError(constants, -failed, `fcntl on inherited descriptor ${fd}`);
  return new Listener<Conn, Addr>(rt, fd, localAddress(system, fd), undefined);
}

function listenTcp(options: TcpListenOptions): TcpListener {
  const port = checkPort(options.port);
  const hostname = checkText("hostname", options.hostname ?? "0.0.0.0");
  const backlog = checkBacklog(options.backlog ?? options.tcpBacklog);
  const rt = runtime();
  const { system, constants } = rt.poller;
  const where = `listen on ${showHost(hostname, port)}`;
  const ip = resolveSync(constants, hostname);
  const v6 = ip.bytes.length === 16;

  const fd = system.socket(v6 ? constants.AF_INET6 : constants.AF_INET, constants.SOCK_STREAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where, v6 ? 'where IPv6 is off, use "0.0.0.0"' : undefined);
  const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT, IPPROTO_TCP, TCP_NODELAY, IPPROTO_IPV6, IPV6_V6ONLY } = constants;
  const attempt = (result: number, cure?: string): void => {
    if (result >= 0) return;
    system.close(fd);
    throw errnoError(constants, -result, where, cure);
  };
  // Connections of a former life in TIME_WAIT must not keep a restarted server off its port (man 7 socket).
  attempt(setInt(system, fd, SOL_SOCKET, SO_REUSEADDR, 1));
  if (options.reusePort) attempt(setInt(system, fd, SOL_SOCKET, SO_REUSEPORT, 1));
  if (v6) attempt(setInt(system, fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only ? 1 : 0));
  // Accepted sockets inherit it on Linux: no call a connection. Without it a second small write waits for the ACK of
  // the first, up to 40 ms with a peer that delays its ACKs.
  attempt(setInt(system, fd, IPPROTO_TCP, TCP_NODELAY, 1));
  attempt2(system.bind(fd, encodeIp(constants, ip, port)));
  attempt2(system.listen(fd, backlog));
  return new Listener<TcpConn, NetAddr>(rt, fd, localAddress(system, fd) as NetAddr, undefined);

  function attempt2(result: number): void {
    attempt(result, cureFor(rt, -result, hostname, port));
  }
}

function listenUnix(options: UnixListenOptions): UnixListener {
  const path = checkText("path", options.path);
  const backlog = checkBacklog(options.backlog);
  const rt = runtime();
  const { system, constants } = rt.poller;
  const address = encodeUnix(constants, path);
  const where = `listen on unix:${isAbstract(path) ? `@${path.slice(1)}` : path}`;
  const fd = system.socket(constants.AF_UNIX, constants.SOCK_STREAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where);
  let failed = system.bind(fd, address);
  if (failed < 0) {
    system.close(fd);
    const { EADDRINUSE } = constants.errno;
    const cure = isAbstract(path)
      ? "another process listens on it: choose another name"
      : "choose another path, or remove the file if no process listens on it any more";
    throw errnoError(constants, -failed, where, -failed === EADDRINUSE ? cure : undefined);
  }
  // Absolute from here on: the file is found again at close even if the working directory changed.
  const file = isAbstract(path) ? undefined : ownFile(resolve(path));
  failed = system.listen(fd, backlog);
  if (failed < 0) {
    system.close(fd);
    file?.remove();
    throw errnoError(constants, -failed, where);
  }
  return new Listener<UnixConn, UnixAddr>(rt, fd, localAddress(system, fd) as UnixAddr, file);
}

/** The socket file that bind(2) made: removed at close, as Go does, unless another has taken its place since. */
function ownFile(path: string): { remove(): void } {
  const made = lstatSync(path, { throwIfNoEntry: false });
  return {
    remove() {
      try {
        const now = lstatSync(path);
        if (made !== undefined && now.ino === made.ino && now.dev === made.dev) unlinkSync(path);
      } catch {
        // It is gone already, or no longer ours to remove.
      }
    },
  };
}

function cureFor(rt: Runtime, errno: number, hostname: string, port: number): string | undefined {
  switch (errnoName(rt.poller.constants, errno)) {
    case "EADDRINUSE":
      return "stop the server that holds it, or choose another port (0 takes any free one)";
    case "EACCES":
      return port < 1024
        ? "ports below 1024 are privileged: choose one from 1024 on, or grant CAP_NET_BIND_SERVICE"
        : undefined;
    case "EADDRNOTAVAIL":
      return `${hostname} is no address of this machine: "0.0.0.0" takes all of IPv4, "::" all of IPv6 as well`;
    default:
      return undefined;
  }
}

function checkBacklog(backlog: unknown): number {
  if (backlog === undefined) return BACKLOG;
  if (typeof backlog !== "number") throw new TypeError(`backlog must be a number, not ${typeof backlog}`);
  if (!Number.isInteger(backlog) || backlog < 1 || backlog > 0x7fffffff) {
    throw new RangeError(`backlog must be a whole number from 1 on, not ${backlog}`);
  }
  return backlog;
}

const scratch = new Uint8Array(SOCKADDR_MAX);

function localAddress(system: System, fd: number): Addr {
  const length = system.getsockname(fd, scratch);
  return decodeAddress(system.constants, scratch, Math.max(0, length));
}

interface Waiter {
  resolve(fd: number): void;
  reject(error: Error): void;
}

/** A listening socket. Made by `listen` and `listenFd`. */
export class Listener<C extends Conn = Conn, A extends Addr = Addr> implements AsyncIterable<C>, Disposable {
  /** Where it listens; still known after `close`. */
  readonly addr: A;
  readonly #runtime: Runtime;
  readonly #file: { remove(): void } | undefined;
  readonly #tcp: boolean;
  /** -1 when closed. */
  #handle: Handle;
  #waiters: Waiter[] = [];
  /** Accepted though nobody waited any more; a completion kernel may do that once after a pause. */
  #early: number[] = [];
  #take: ((fd: number) => void) | undefined;
  /** What the user wants; and whether the process is held now: only while somebody waits for a connection. */
  #referenced = true;
  #holding = false;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** @internal Use `listen` or `listenFd`. */
  constructor(rt: Runtime, fd: number, addr: A, file: { remove(): void } | undefined) {
    this.#runtime = rt;
    this.addr = addr;
    this.#file = file;
    this.#tcp = addr.transport === "tcp";
    this.#handle = rt.open(fd, this.#sink());
    if (this.#handle < 0) {
      file?.remove();
      throw errnoError(rt.poller.constants, -this.#handle, `listen on ${showAddress(addr)}`);
    }
    rt.release();
  }

  /** Waits for the next connection. Several callers are served in the order in which they asked. */
  accept(): Promise<C> {
    if (this.#handle < 0) return Promise.reject(closedError());
    if (this.#take !== undefined) return Promise.reject(new TypeError("this listener's connections go to a server"));
    const fd = this.#early.shift();
    if (fd !== undefined) return Promise.resolve(this.#open(fd));
    return new Promise((resolve, reject) => {
      const opened = (fd: number): void => {
        try {
          resolve(this.#open(fd));
        } catch (error) {
          reject(error);
        }
      };
      this.#waiters.push({ resolve: opened, reject });
      if (this.#waiters.length === 1) this.#runtime.poller.accept(this.#handle);
      this.#hold();
    });
  }

  /** Stops listening. Whoever waits for a connection gets `BadResource`; connections in the kernel's queue are reset. */
  close(): void {
    if (this.#handle < 0) return;
    const handle = this.#handle;
    this.#handle = -1;
    for (const fd of this.#early.splice(0)) this.#runtime.poller.system.close(fd);
    this.#take = undefined;
    const waiters = this.#waiters.splice(0);
    if (!this.#holding) this.#runtime.hold();
    this.#holding = false;
    this.#runtime.close(handle);
    this.#file?.remove();
    for (const waiter of waiters) waiter.reject(closedError());
  }

  /** Lets a waiting `accept` keep the process alive, as it does by default. */
  ref(): void {
    this.#referenced = true;
    this.#hold();
  }

  /** Lets the process end although an `accept` waits. */
  unref(): void {
    this.#referenced = false;
    this.#hold();
  }

  /**
   * Each connection as it comes; ends when the listener is closed. Leaving the loop closes the listener, as in Deno.
   *
   * ```ts
   * import { listen } from "slipway";
   * const listener = listen({ port: 0 });
   * queueMicrotask(() => listener.close());
   * for await (const conn of listener) conn.close();
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, undefined, undefined> {
    try {
      while (this.#handle >= 0) yield await this.accept();
    } catch (error) {
      if (this.#handle >= 0 || !(error instanceof BadResource)) throw error;
    } finally {
      this.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The descriptor, -1 when closed. @internal */
  get fd(): number {
    return this.#handle < 0 ? -1 : this.#runtime.poller.fd(this.#handle);
  }

  /** Accepts until `stopAccepting`, each descriptor going to `take`, which opens or closes it. @internal */
  takeConnections(take: (fd: number) => void): void {
    if (this.#handle < 0) throw closedError();
    if (this.#take !== undefined || this.#waiters.length > 0) {
      throw new TypeError("somebody takes this listener's connections already");
    }
    this.#take = take;
    for (const fd of this.#early.splice(0)) take(fd);
    this.#runtime.poller.accept(this.#handle);
    this.#hold();
  }

  /** Ends `takeConnections`; connections wait in the kernel's queue from here on. @internal */
  stopAccepting(): void {
    if (this.#handle < 0 || this.#take === undefined) return;
    this.#take = undefined;
    this.#runtime.poller.pause(this.#handle);
    this.#hold();
  }

  #open(fd: number): C {
    return openConn(this.#runtime, fd, this.#tcp) as unknown as C;
  }

  #hold(): void {
    const wanted = this.#referenced && this.#handle >= 0 && (this.#waiters.length > 0 || this.#take !== undefined);
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#runtime.hold();
    else this.#runtime.release();
  }

  #accepted(fd: number): void {
    if (this.#take !== undefined) {
      try {
        this.#take(fd);
      } catch (error) {
        logError(`a connection accepted on ${showAddress(this.addr)} was lost`, error);
      }
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#early.push(fd);
      return;
    }
    if (this.#waiters.length === 0) {
      this.#runtime.poller.pause(this.#handle);
      this.#hold();
    }
    waiter.resolve(fd);
  }

  #failed(errno: number): void {
    const { constants, openCount } = this.#runtime.poller;
    const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno;
    const where = `accept on ${showAddress(this.addr)}`;
    if (errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM) {
      const now = monotonicNow();
      if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
      this.#complainedAt = now;
      const cure =
        errno === EMFILE
          ? 'raise the limit with "ulimit -n" (systemd: LimitNOFILE=)'
          : errno === ENFILE
            ? "raise the system's limit with sysctl fs.file-max"
            : "the system is short of memory";
      const { message } = errnoError(constants, errno, where);
      logLine(`${message}; ${openCount} sockets are open: ${cure}; accepting goes on as connections close`);
      return;
    }
    const error = errnoError(constants, errno, where);
    if (this.#take !== undefined) logLine(`${error.message}; no more connections are accepted there`);
    const waiters = this.#waiters.splice(0);
    this.close();
    for (const waiter of waiters) waiter.reject(error);
  }

  #sink(): Sink {
    const nothing = (): void => {};
    return {
      accepted: (_listener, fd) => this.#accepted(fd),
      failed: (_listener, errno) => this.#failed(errno),
      connected: nothing,
      received: nothing,
      datagram: nothing,
      sent: nothing,
      ended: nothing,
      hungUp: nothing,
      expired: nothing,
    };
  }
}

function closedError(): BadResource {
  return new BadResource("Listener has been closed");
}
