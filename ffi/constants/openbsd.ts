import { type BsdConstants, NONE, sharedErrno, sharedNumbers } from "./bsd.ts";

/** OpenBSD (sys/sys and sys/netinet of its sources). */
export const openbsd: BsdConstants = {
  ...sharedNumbers,
  system: "openbsd",
  AF_INET6: 24,
  SOCK_NONBLOCK: 0x4000,
  SOCK_CLOEXEC: 0x8000,
  MSG_NOSIGNAL: 0x400,
  SO_NOSIGPIPE: NONE,
  F_DUPFD_CLOEXEC: 10,
  EVFILT_USER: -10,
  keventBytes: 32,
  NOTE_OOB: 0,
  addrinfoAddressAt: 24,
  errno: { ...sharedErrno, EPROTO: 95, EOPNOTSUPP: 45, ECANCELED: 88 },
};
