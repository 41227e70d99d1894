/** What the systems that descend from 4.4BSD have in common, macOS among them, and what their bindings ask besides. */
import type { Constants, ErrnoName } from "../constants.ts";

/** An option that a system does not have: its kernel refuses this as it refuses whatever it has never heard of. */
export const NONE = -1;

export interface BsdConstants extends Constants {
  readonly system: "darwin" | "freebsd" | "openbsd";
  /** No SIGPIPE for what is written to the socket, by whichever call; `NONE` where there is no such option. */
  readonly SO_NOSIGPIPE: number;
  /** sys/event.h: the filter of wakes by hand. */
  readonly EVFILT_USER: number;
  /** Bytes of a struct kevent: FreeBSD 12 put four words behind what all have. */
  readonly keventBytes: 32 | 64;
  /** Asked of EVFILT_READ, it tells of urgent data; 0 where nothing does. */
  readonly NOTE_OOB: number;
}

/** The numbers that are the same on macOS, FreeBSD and OpenBSD: sys/socket.h, netinet/in.h, fcntl.h. */
export const sharedNumbers = {
  AF_UNIX: 1,
  AF_INET: 2,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOL_SOCKET: 0xffff,
  SO_ACCEPTCONN: 0x2,
  SO_REUSEADDR: 0x4,
  SO_KEEPALIVE: 0x8,
  SO_BROADCAST: 0x20,
  SO_LINGER: 0x80,
  SO_REUSEPORT: 0x200,
  SO_ERROR: 0x1007,
  SO_TYPE: 0x1008,
  SO_ATTACH_FILTER: NONE,
  MSG_DONTWAIT: 0x80,
  MSG_MORE: 0,
  SHUT_RD: 0,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
  RLIMIT_NOFILE: 8,
  IPPROTO_IP: 0,
  IPPROTO_IPV6: 41,
  IPPROTO_TCP: 6,
  IPV6_V6ONLY: 27,
  TCP_NODELAY: 1,
  TCP_DEFER_ACCEPT: NONE,
  IP_MULTICAST_TTL: 10,
  IP_MULTICAST_LOOP: 11,
  IP_ADD_MEMBERSHIP: 12,
  IP_DROP_MEMBERSHIP: 13,
  // Here they are called IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP (RFC 3493).
  IPV6_MULTICAST_LOOP: 11,
  IPV6_ADD_MEMBERSHIP: 12,
  IPV6_DROP_MEMBERSHIP: 13,
  O_NONBLOCK: 4,
  UNIX_PATH_MAX: 104,
  sockaddrHasLength: true,
} as const;

/** sys/errno.h; EPROTO, EOPNOTSUPP and ECANCELED are each system's own. */
export const sharedErrno: Readonly<Record<Exclude<ErrnoName, "EPROTO" | "EOPNOTSUPP" | "ECANCELED">, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EBADF: 9,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  EAGAIN: 35,
  EINPROGRESS: 36,
  EALREADY: 37,
  ENOTSOCK: 38,
  EDESTADDRREQ: 39,
  EMSGSIZE: 40,
  ENOPROTOOPT: 42,
  EAFNOSUPPORT: 47,
  EADDRINUSE: 48,
  EADDRNOTAVAIL: 49,
  ENETDOWN: 50,
  ENETUNREACH: 51,
  ECONNABORTED: 53,
  ECONNRESET: 54,
  ENOBUFS: 55,
  EISCONN: 56,
  ENOTCONN: 57,
  ETIMEDOUT: 60,
  ECONNREFUSED: 61,
  ENAMETOOLONG: 63,
  EHOSTUNREACH: 65,
};
