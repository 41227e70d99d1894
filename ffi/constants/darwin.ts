import { type BsdConstants, sharedErrno, sharedNumbers } from "./bsd.ts";

/** macOS on x86-64 and arm64 (XNU's bsd/sys and bsd/netinet; both architectures share them). */
export const darwin: BsdConstants = {
  ...sharedNumbers,
  system: "darwin",
  AF_INET6: 30,
  // There is no accept4(2) either: what socket(2) and accept(2) give is changed by fcntl(2).
  SOCK_NONBLOCK: 0,
  SOCK_CLOEXEC: 0,
  MSG_NOSIGNAL: 0x80000,
  SO_NOSIGPIPE: 0x1022,
  F_DUPFD_CLOEXEC: 67,
  EVFILT_USER: -10,
  keventBytes: 32,
  NOTE_OOB: 2,
  addrinfoAddressAt: 32,
  errno: { ...sharedErrno, EPROTO: 100, EOPNOTSUPP: 102, ECANCELED: 89 },
};
