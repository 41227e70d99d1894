import { type BsdConstants, sharedErrno, sharedNumbers } from "./bsd.ts";

/** FreeBSD 12 and later (sys/sys and sys/netinet of its sources). */
export const freebsd: BsdConstants = {
  ...sharedNumbers,
  system: "freebsd",
  AF_INET6: 28,
  SOCK_NONBLOCK: 0x20000000,
  SOCK_CLOEXEC: 0x10000000,
  // SO_REUSEPORT_LB: the one that spreads connections, as Linux's does. Its SO_REUSEPORT gives all to the last socket.
  SO_REUSEPORT: 0x10000,
  MSG_NOSIGNAL: 0x20000,
  SO_NOSIGPIPE: 0x800,
  F_DUPFD_CLOEXEC: 17,
  EVFILT_USER: -11,
  keventBytes: 64,
  NOTE_OOB: 0,
  addrinfoAddressAt: 32,
  errno: { ...sharedErrno, EPROTO: 92, EOPNOTSUPP: 45, ECANCELED: 85 },
};
