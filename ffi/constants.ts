/**
 * The numbers that differ from system to system: one table each, injected into bindings and backends, so that a
 * backend can be driven on another system's numbers by a test. The tables are in `constants/`, one file a system.
 */
import { darwin } from "./constants/darwin.ts";
import { freebsd } from "./constants/freebsd.ts";
import { linux } from "./constants/linux.ts";
import { openbsd } from "./constants/openbsd.ts";
import { windows } from "./constants/windows.ts";

export type SystemName = "linux" | "darwin" | "freebsd" | "openbsd" | "windows";

export interface Constants {
  readonly system: SystemName;
  // sys/socket.h
  readonly AF_UNIX: number;
  readonly AF_INET: number;
  readonly AF_INET6: number;
  readonly SOCK_STREAM: number;
  readonly SOCK_DGRAM: number;
  /** Or-ed into the type of `socket()`; 0 where the system has no such flag. */
  readonly SOCK_NONBLOCK: number;
  readonly SOCK_CLOEXEC: number;
  readonly SOL_SOCKET: number;
  readonly SO_REUSEADDR: number;
  /** Windows: what a listener sets there instead, where SO_REUSEADDR lets anybody take its port. */
  readonly SO_EXCLUSIVEADDRUSE?: number;
  readonly SO_REUSEPORT: number;
  readonly SO_ERROR: number;
  readonly SO_BROADCAST: number;
  readonly SO_KEEPALIVE: number;
  readonly SO_LINGER: number;
  readonly SO_TYPE: number;
  readonly SO_ACCEPTCONN: number;
  readonly SO_ATTACH_FILTER: number;
  readonly MSG_NOSIGNAL: number;
  readonly MSG_DONTWAIT: number;
  readonly MSG_MORE: number;
  readonly SHUT_RD: number;
  readonly SHUT_WR: number;
  readonly SHUT_RDWR: number;
  // sys/resource.h, fcntl.h
  readonly RLIMIT_NOFILE: number;
  readonly O_NONBLOCK: number;
  readonly F_DUPFD_CLOEXEC: number;
  // netinet/in.h, netinet/tcp.h
  readonly IPPROTO_IP: number;
  readonly IPPROTO_IPV6: number;
  readonly IPPROTO_TCP: number;
  readonly IPV6_V6ONLY: number;
  readonly TCP_NODELAY: number;
  readonly TCP_DEFER_ACCEPT: number;
  readonly IP_MULTICAST_TTL: number;
  readonly IP_MULTICAST_LOOP: number;
  readonly IP_ADD_MEMBERSHIP: number;
  readonly IP_DROP_MEMBERSHIP: number;
  readonly IPV6_MULTICAST_LOOP: number;
  readonly IPV6_ADD_MEMBERSHIP: number;
  readonly IPV6_DROP_MEMBERSHIP: number;
  // sys/un.h: bytes of sun_path
  readonly UNIX_PATH_MAX: number;
  /** True where byte 0 of a sockaddr is its length and byte 1 the family (BSDs and macOS). */
  readonly sockaddrHasLength: boolean;
  /** netdb.h: where `ai_addr` stands in a struct addrinfo; the other of 24 and 32 is `ai_canonname`. */
  readonly addrinfoAddressAt: 24 | 32;
  readonly errno: Readonly<Record<ErrnoName, number>>;
}

/** Every errno that some call site tells apart. */
export type ErrnoName =
  | "EPERM"
  | "ENOENT"
  | "EINTR"
  | "EBADF"
  | "EAGAIN"
  | "ENOMEM"
  | "EACCES"
  | "EEXIST"
  | "ENOTDIR"
  | "EINVAL"
  | "ENFILE"
  | "EMFILE"
  | "EPIPE"
  | "ENAMETOOLONG"
  | "EPROTO"
  | "ENOTSOCK"
  | "EDESTADDRREQ"
  | "EMSGSIZE"
  | "ENOPROTOOPT"
  | "EOPNOTSUPP"
  | "EAFNOSUPPORT"
  | "EADDRINUSE"
  | "EADDRNOTAVAIL"
  | "ENETDOWN"
  | "ENETUNREACH"
  | "ECONNABORTED"
  | "ECONNRESET"
  | "ENOBUFS"
  | "EISCONN"
  | "ENOTCONN"
  | "ETIMEDOUT"
  | "ECONNREFUSED"
  | "EHOSTUNREACH"
  | "EALREADY"
  | "EINPROGRESS"
  | "ECANCELED";

const tables: Readonly<Partial<Record<NodeJS.Platform, Constants>>> = {
  linux,
  darwin,
  freebsd,
  openbsd,
  win32: windows,
};

/** The table of the system we run on; throws one clear sentence where there is none yet. */
export function constantsHere(): Constants {
  const table = tables[process.platform];
  if (table !== undefined) return table;
  throw new Error(
    `not supported on this OS: ${process.platform} has no network poller in Slipway yet; run it on Linux, Windows, macOS, FreeBSD or OpenBSD`,
  );
}
