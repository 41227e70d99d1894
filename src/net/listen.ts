/** `listen`: from options to a listening socket. */
import type { Constants } from "../../ffi/constants.ts";
import { setNonBlockingCloexec } from "../../ffi/fcntl.ts";
import type { System } from "../../ffi/system.ts";
import { errnoError, errnoName } from "../runtime/errno.ts";
import { runtime } from "../runtime/turn.ts";
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
  showHost,
  transportError,
  type UnixAddr,
} from "./address.ts";
import type { Conn } from "./conn.ts";
import type { TcpConn, UnixConn } from "./conn_kinds.ts";
import { handover } from "./handover.ts";
import { Listener } from "./listener.ts";
import { resolveSync } from "./names.ts";
import { socketFile } from "./socket_file.ts";
import { getInt, setInt } from "./socket_options.ts";

export interface TcpListenOptions {
  /** @default {"tcp"} */
  transport?: "tcp";
  /** The port; 0 takes any free one. @default {0} */
  port?: number;
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
  const open = handover.open?.(options);
  // Of the program's version before.
  if (open !== undefined) open.opener = undefined;
  const listener = open ?? openSocket(options);
  handover.opened?.(options, listener);
  return listener as TcpListener | UnixListener;
}

function openSocket(options: ListenOptions): Listener {
  const { transport = "tcp" } = options;
  if (transport === "tcp") return listenTcp(options as TcpListenOptions) as unknown as Listener;
  if (transport === "unix") return listenUnix(options as UnixListenOptions) as unknown as Listener;
  throw transportError(transport);
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
  const listener = adoptListener(fd);
  handover.opened?.({ fd }, listener);
  return listener;
}

/** The same for a socket that was ours before; a Unix socket's file, if `file` names it, goes with the listener. @internal */
export function adoptListener(fd: number, file?: string): Listener {
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
  const addr = localAddress(system, fd, `inherited descriptor ${fd}`, () => {});
  return new Listener<Conn, Addr>(rt, fd, addr, file === undefined ? undefined : socketFile(file));
}

function listenTcp(options: TcpListenOptions): TcpListener {
  const port = checkPort(options.port ?? 0);
  const hostname = checkText("hostname", options.hostname ?? "0.0.0.0");
  const backlog = checkBacklog(options.backlog ?? options.tcpBacklog);
  const rt = runtime();
  const { system, constants } = rt.poller;
  const where = `listen on ${showHost(hostname, port)}`;
  const ip = resolveSync(constants, hostname);
  const v6 = ip.bytes.length === 16;

  const fd = system.socket(v6 ? constants.AF_INET6 : constants.AF_INET, constants.SOCK_STREAM, 0);
  if (fd < 0) throw errnoError(constants, -fd, where, cureFor(constants, -fd, hostname, port));
  const {
    SOL_SOCKET,
    SO_REUSEADDR,
    SO_EXCLUSIVEADDRUSE = SO_REUSEADDR,
    SO_REUSEPORT,
    IPPROTO_TCP,
    TCP_NODELAY,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
  } = constants;
  const check = (result: number): void => {
    if (result >= 0) return;
    system.close(fd);
    throw errnoError(constants, -result, where, cureFor(constants, -result, hostname, port));
  };
  // Connections of a former life in TIME_WAIT must not keep a restarted server off its port (man 7 socket). On Windows they
  // never do, and SO_REUSEADDR would let other programs listen on it as well.
  check(setInt(system, fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1));
  if (options.reusePort) check(setInt(system, fd, SOL_SOCKET, SO_REUSEPORT, 1));
  if (v6) check(setInt(system, fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only ? 1 : 0));
  // Accepted sockets inherit it on Linux: no call a connection. Without it a second small write waits for the ACK of
  // the first, up to 40 ms with a peer that delays its ACKs.
  check(setInt(system, fd, IPPROTO_TCP, TCP_NODELAY, 1));
  check(system.bind(fd, encodeIp(constants, ip, port)));
  check(system.listen(fd, backlog));
  const addr = localAddress(system, fd, where, () => system.close(fd)) as NetAddr;
  return new Listener<TcpConn, NetAddr>(rt, fd, addr, undefined, true);
}

function listenUnix(options: UnixListenOptions): UnixListener {
  const path = checkText("path", options.path);
  const backlog = checkBacklog(options.backlog);
  const rt = runtime();
  const { system, constants } = rt.poller;
  const address = encodeUnix(constants, path);
  const where = `listen on unix:${path.replace(/^\0/, "@")}`;
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
  const file = isAbstract(path) ? undefined : socketFile(path);
  failed = system.listen(fd, backlog);
  if (failed < 0) {
    system.close(fd);
    file?.remove();
    throw errnoError(constants, -failed, where);
  }
  const addr = localAddress(system, fd, where, () => {
    system.close(fd);
    file?.remove();
  }) as UnixAddr;
  return new Listener<UnixConn, UnixAddr>(rt, fd, addr, file);
}

function cureFor(constants: Constants, errno: number, hostname: string, port: number): string | undefined {
  switch (errnoName(constants, errno)) {
    case "EADDRINUSE":
      return "stop the server that holds it, or choose another port (0 takes any free one)";
    case "EAFNOSUPPORT":
      return 'IPv6 is off on this machine: "0.0.0.0" takes all of IPv4';
    case "EMFILE":
      return 'raise the limit with "ulimit -n"';
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

/** Where a socket listens. If the kernel does not say (ENOBUFS), nobody who asked for port 0 could ever find it. */
function localAddress(system: System, fd: number, where: string, undo: () => void): Addr {
  const length = system.getsockname(fd, scratch);
  if (length < 0) {
    undo();
    throw errnoError(system.constants, -length, where);
  }
  return decodeAddress(system.constants, scratch, length);
}
