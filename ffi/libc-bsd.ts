/**
 * The calls of macOS, FreeBSD and OpenBSD where they are not Linux's: descriptors that get their flags one by one, three
 * sendfiles, addresses and options that are told otherwise, and kqueue(2).
 *
 * Variadic functions are declared with `...`: on arm64 macOS such arguments travel on the stack, and others do not.
 */

import { type BsdConstants, NONE } from "./constants/bsd.ts";
import { darwin } from "./constants/darwin.ts";
import { freebsd } from "./constants/freebsd.ts";
import { openbsd } from "./constants/openbsd.ts";
import type { Constants } from "./constants.ts";
import { koffi } from "./koffi.ts";
import { bindPosix, checked } from "./libc-posix.ts";
import type { BsdSystem, System } from "./system.ts";

// fcntl.h
const F_SETFD = 2;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
// sys/socket.h of macOS; sys/filio.h of FreeBSD, _IOR('f', 119, int)
const SO_NWRITE = 0x1024;
const FIONWRITE = 0x40046677;
/** Options from here on are values; those below are bits, and getsockopt(2) tells the bit and not 1. */
const FIRST_VALUE = 0x1000;

type Library = ReturnType<typeof koffi.load>;

const tables: Readonly<Record<BsdConstants["system"], BsdConstants>> = { darwin, freebsd, openbsd };
let bound: BsdSystem | undefined;

/** Bound once a process. */
export function bsdSystem(name: BsdConstants["system"]): BsdSystem {
  return (bound ??= bind(koffi.load(null), tables[name]));
}

function bind(c: Library, constants: BsdConstants): BsdSystem {
  const posix = bindPosix(c, constants);
  const kqueue = c.func("kqueue", "int", []);
  const kevent = c.func("kevent", "int", ["int", "uintptr_t", "int", "uintptr_t", "int", "uintptr_t"]);
  const fcntl = c.func("int fcntl(int fd, int command, ...)");
  // struct timespec: seconds and nanoseconds, as words with the low one first.
  const timeout = posix.allocate(16);
  const timespec = new Int32Array(timeout.buffer);

  return {
    ...posix,
    ...descriptors(c, constants, posix),
    ...options(constants, posix),
    ...addresses(constants, posix),
    constants,
    pollerCalls: ["kqueue"],
    sendFile: sendFile(c, constants),
    // preadv2(2) is Linux's, and nothing else reads only what is in memory.
    peekFile: () => -constants.errno.EOPNOTSUPP,
    unacknowledged: unacknowledged(c, constants, posix),
    descriptorLimit() {
      const limit = posix.descriptorLimit();
      return limit === Number.POSITIVE_INFINITY ? mostFiles(c) : limit;
    },
    kqueue() {
      const kq = checked(kqueue());
      if (kq >= 0) fcntl(kq, F_SETFD, "int", FD_CLOEXEC);
      return kq;
    },
    keventChange: (kq, changes, count) => checked(kevent(kq, changes, count, 0, 0, 0)),
    keventWait(kq, events, count, timeoutMs) {
      if (timeoutMs > 0) {
        const seconds = Math.floor(timeoutMs / 1000);
        timespec[0] = seconds;
        timespec[2] = (timeoutMs - seconds * 1000) * 1e6;
      } else timespec[0] = timespec[2] = 0;
      return checked(kevent(kq, 0, 0, events, count, timeoutMs < 0 ? 0 : timeout.address));
    },
  };
}

/** What makes descriptors: non-blocking, close-on-exec and without SIGPIPE, in as many calls as the system asks for. */
function descriptors(
  c: Library,
  { SOCK_CLOEXEC, SOCK_NONBLOCK, O_NONBLOCK, SOL_SOCKET, SO_NOSIGPIPE, AF_UNIX }: BsdConstants,
  { setsockopt, close }: Pick<System, "setsockopt" | "close">,
): Pick<System, "socket" | "socketpair" | "accept"> {
  const socket = c.func("socket", "int", ["int", "int", "int"]);
  const socketpair = c.func("socketpair", "int", ["int", "int", "int", "void *"]);
  const fcntl = c.func("int fcntl(int fd, int command, ...)");
  const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const one = new Uint8Array(new Int32Array([1]).buffer);

  const prepare = (fd: number): number => {
    let failed = 0;
    if (flags === 0) {
      failed = checked(fcntl(fd, F_SETFL, "int", O_NONBLOCK));
      if (failed >= 0) failed = checked(fcntl(fd, F_SETFD, "int", FD_CLOEXEC));
    }
    // sendfile(2) takes no MSG_NOSIGNAL, and accepted sockets inherit this one.
    if (failed >= 0 && SO_NOSIGPIPE !== NONE) failed = setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, one);
    return failed;
  };
  const accept = flags === 0 ? c.func("accept", "int", ["int", "uintptr_t", "uintptr_t"]) : undefined;
  const accept4 = flags === 0 ? undefined : c.func("accept4", "int", ["int", "uintptr_t", "uintptr_t", "int"]);

  return {
    socket(domain, type, protocol) {
      const fd = checked(socket(domain, type | flags, protocol));
      if (fd < 0) return fd;
      const failed = prepare(fd);
      if (failed >= 0) return fd;
      close(fd);
      return failed;
    },
    socketpair(type, pair) {
      const made = checked(socketpair(AF_UNIX, type | flags, 0, pair));
      if (made < 0) return made;
      const failed = Math.min(prepare(pair[0]), prepare(pair[1]));
      if (failed >= 0) return 0;
      for (const fd of pair) close(fd);
      return failed;
    },
    accept(listener) {
      if (accept4 !== undefined) return checked(accept4(listener, 0, 0, flags));
      // O_NONBLOCK is the listener's (XNU, accept_nocancel): one call is enough.
      const fd = checked(accept?.(listener, 0, 0));
      if (fd >= 0) fcntl(fd, F_SETFD, "int", FD_CLOEXEC);
      return fd;
    },
  };
}

function options(
  constants: BsdConstants,
  { setsockopt, getsockopt, getpeername }: Pick<System, "setsockopt" | "getsockopt" | "getpeername">,
): Pick<System, "setsockopt" | "getsockopt"> {
  const { system, SOL_SOCKET, SO_ACCEPTCONN, IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY } = constants;
  const { IP_MULTICAST_TTL, IP_MULTICAST_LOOP } = constants;
  const { ENOPROTOOPT, ENOTCONN } = constants.errno;
  const peer = new Uint8Array(128);
  return {
    setsockopt(fd, level, name, value) {
      if (name === NONE) return -ENOPROTOOPT;
      if (system === "openbsd") {
        // ip(4): these are one byte there, and four are refused.
        if (level === IPPROTO_IP && (name === IP_MULTICAST_TTL || name === IP_MULTICAST_LOOP)) {
          return setsockopt(fd, level, name, value.subarray(0, 1));
        }
        // ip6(4): an IPv6 socket never takes IPv4 there, and to be told otherwise is an error.
        if (level === IPPROTO_IPV6 && name === IPV6_V6ONLY) return 0;
      }
      return setsockopt(fd, level, name, value);
    },
    getsockopt(fd, level, name, out) {
      if (name === NONE) return -ENOPROTOOPT;
      const result = getsockopt(fd, level, name, out);
      if (level !== SOL_SOCKET || name >= FIRST_VALUE || out.length !== 1) return result;
      if (result >= 0) out[0] = out[0] === 0 ? 0 : 1;
      // macOS has the name, but no answer (XNU, sogetoptlock): who has no peer may be a listener, and accept(2) will tell.
      else if (result === -ENOPROTOOPT && name === SO_ACCEPTCONN) {
        out[0] = getpeername(fd, peer) === -ENOTCONN ? 1 : 0;
        return 0;
      }
      return result;
    },
  };
}

/** A Unix socket without a name has one of zeros here, as long as any: Linux tells its family alone, and so do we. */
function addresses(
  { AF_UNIX }: Constants,
  { getsockname, getpeername, receiveFrom }: Pick<System, "getsockname" | "getpeername" | "receiveFrom">,
): Pick<System, "getsockname" | "getpeername" | "receiveFrom"> {
  const named = (address: Uint8Array, length: number): number =>
    length > 2 && address[1] === AF_UNIX && address[2] === 0 ? 2 : length;
  return {
    getsockname: (fd, address) => named(address, getsockname(fd, address)),
    getpeername: (fd, address) => named(address, getpeername(fd, address)),
    receiveFrom(fd, address, length, from, fromLength) {
      const n = receiveFrom(fd, address, length, from, fromLength);
      if (n >= 0) fromLength[0] = named(from, fromLength[0]);
      return n;
    },
  };
}

/** man 2 sendfile of each. The file comes first, and what was sent is told even when the call fails. */
function sendFile(c: Library, { system, errno: { EAGAIN, EINTR, EINVAL } }: BsdConstants): System["sendFile"] {
  if (system === "openbsd") return () => -EINVAL; // it has none
  const moved = new Uint32Array(2);
  const sent = (result: number): number => {
    const count = moved[0] + moved[1] * 2 ** 32;
    if (result >= 0) return count;
    const failed = checked(result);
    return (failed === -EAGAIN || failed === -EINTR) && count > 0 ? count : failed;
  };
  if (system === "freebsd") {
    const call = c.func("sendfile", "int", ["int", "int", "int64_t", "size_t", "void *", "void *", "int"]);
    return (fd, file, offset, length) => {
      // nbytes 0 means to the end of the file.
      if (length === 0) return 0;
      moved[0] = moved[1] = 0;
      return sent(call(file, fd, offset, length, null, moved, 0));
    };
  }
  const call = c.func("sendfile", "int", ["int", "int", "int64_t", "void *", "void *", "int"]);
  return (fd, file, offset, length) => {
    if (length === 0) return 0;
    moved[0] = length;
    moved[1] = length / 2 ** 32;
    return sent(call(file, fd, offset, moved, null, 0));
  };
}

function unacknowledged(
  c: Library,
  { system, SOL_SOCKET, errno }: BsdConstants,
  { getsockopt }: Pick<System, "getsockopt">,
): System["unacknowledged"] {
  const count = new Int32Array(1);
  if (system === "darwin") {
    return (fd) => {
      const result = getsockopt(fd, SOL_SOCKET, SO_NWRITE, count);
      return result < 0 ? result : count[0];
    };
  }
  if (system === "openbsd") return () => -errno.EOPNOTSUPP;
  const ioctl = c.func("int ioctl(int fd, unsigned long request, ...)");
  return (fd) => {
    const result = checked(ioctl(fd, FIONWRITE, "void *", count));
    return result < 0 ? result : count[0];
  };
}

/** sysctl(3): a process without a limit of its own has the system's. */
function mostFiles(c: Library): number {
  try {
    const ask = c.func("int sysctlbyname(const char *name, void *old, void *length, void *new, size_t newLength)");
    const most = new Int32Array(1);
    const length = new BigUint64Array([4n]);
    return ask("kern.maxfilesperproc", most, length, null, 0) === 0 ? most[0] : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
