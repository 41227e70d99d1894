/**
 * macOS's and FreeBSD's C library, played on Linux: what our bindings find under a name behaves as it does there, in its
 * numbers, layouts and habits, and asks Linux's own. It knows nothing of our tables: numbers are those of `headers.ts`.
 *
 * It is stricter than a kernel where ours would hide a mistake: an option, a flag or a family of another system's numbering
 * is refused, a socket address whose length byte is wrong is too, and names that the system has not are not found.
 */
import type { koffi as Koffi } from "../../../ffi/koffi.ts";
import { koffi as real } from "../../../ffi/koffi.ts";
import { addressFromLinux, addressToLinux } from "./addresses.ts";
import { darwin, freebsd, type Headers } from "./headers.ts";
import { Kevents } from "./kevent.ts";
import { errnoFromLinux, socketOption } from "./numbers.ts";

// biome-ignore lint/suspicious/noExplicitAny: arguments are those of C functions
type Call = (...args: any[]) => any;
type Make = (real: Call) => Call;

/** Linux's own. */
const L = { O_NONBLOCK: 0x800, F_DUPFD_CLOEXEC: 1030, SOCK_NONBLOCK: 0x800, SOCK_CLOEXEC: 0x80000, SIOCOUTQ: 0x5411 };
/** The same on all. */
const MSG_OOB = 1;
/** Not in libc of a system that has kqueue, or not on this one. */
const ABSENT = ["epoll_create1", "epoll_ctl", "epoll_wait", "eventfd", "preadv2", "memfd_create", "_ZN4node19GetCurrentEventLoopEPN2v87IsolateE"]; // biome-ignore format: a list

/** What was done that a test may want to know. */
export const seen = {
  /** Writes to a socket that would have raised SIGPIPE if its peer were gone. */
  unprotected: 0,
  calls: new Map<string, number>(),
};

export function foreignKoffi(system: "darwin" | "freebsd"): typeof Koffi {
  const H: Headers = system === "darwin" ? darwin : freebsd;
  const c = real.load(null);
  const names = new Map<string, Make>();
  let refused = 0;
  const fail = (name: string): number => {
    refused = H[name];
    return -1;
  };
  /** An errno that the played kernel gave of itself; else Linux's, in the system's numbers. */
  const errno = (): number => (refused > 0 ? refused : errnoFromLinux(H, real.errno()));

  const fcntl = c.func("int fcntl(int fd, int command, ...)");
  const ioctl = c.func("int ioctl(int fd, unsigned long request, ...)");
  const closeFd = c.func("close", "int", ["int"]);
  const peerOf = c.func("getpeername", "int", ["int", "void *", "void *"]);
  const events = new Kevents(H, system === "freebsd" ? 64 : 32);
  const silent = new Set<number>(); // SO_NOSIGPIPE

  const isNonBlocking = (fd: number): boolean => (fcntl(fd, 3) & L.O_NONBLOCK) !== 0;
  const type = (flags: number): number | undefined => {
    if (flags < 16) return flags;
    const { SOCK_NONBLOCK = 0, SOCK_CLOEXEC = 0 } = H;
    if ((flags & ~(15 | SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0 || SOCK_CLOEXEC === 0) return undefined;
    return (flags & 15) | (flags & SOCK_NONBLOCK ? L.SOCK_NONBLOCK : 0) | (flags & SOCK_CLOEXEC ? L.SOCK_CLOEXEC : 0);
  };
  const messageFlags = (flags: number): number | undefined => {
    const { MSG_DONTWAIT, MSG_NOSIGNAL } = H;
    if ((flags & ~(MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL)) !== 0) return undefined;
    // Ours is never to be ended by a signal that another system would not have sent.
    return (flags & MSG_OOB) | (flags & MSG_DONTWAIT ? 0x40 : 0) | 0x4000;
  };
  const opened = (fd: number, silently = false): number => {
    silent.delete(fd);
    if (silently) silent.add(fd);
    return fd;
  };
  const sending = (fd: number, flags: number): number | undefined => {
    if (!silent.has(fd) && (flags & H.MSG_NOSIGNAL) === 0) seen.unprotected++;
    return messageFlags(flags);
  };
  const sent = (fd: number, n: number, asked: number): number => {
    // What could not be taken whole is told of when there is room.
    if (n < asked) events.full(fd);
    return n;
  };

  names.set("socket", (call) => (domain: number, kind: number, protocol: number) => {
    const family = new Map([[H.AF_UNIX, 1], [H.AF_INET, 2], [H.AF_INET6, 10]]).get(domain); // biome-ignore format: pairs
    if (family === undefined) return fail("EAFNOSUPPORT");
    const linux = type(kind);
    if (linux === undefined) return fail("EINVAL");
    const fd = opened(call(family, linux, protocol));
    if (fd >= 0 && (linux & 15) === 1) events.fresh(fd);
    return fd;
  });
  names.set("socketpair", (call) => (domain: number, kind: number, protocol: number, pair: Int32Array) => {
    const linux = type(kind);
    if (domain !== H.AF_UNIX) return fail("EAFNOSUPPORT");
    if (linux === undefined) return fail("EINVAL");
    const made = call(1, linux, protocol, pair);
    if (made === 0) for (const fd of pair) opened(fd);
    return made;
  });
  const accepted = (listener: number, fd: number): number => (fd < 0 ? fd : opened(fd, silent.has(listener)));
  if (system === "darwin") {
    names.set("accept", (call) => (listener: number, address: number, length: number) => {
      const fd = accepted(listener, call(listener, address, length));
      // The new descriptor has the flags of the listener's, but for close-on-exec.
      if (fd >= 0 && isNonBlocking(listener)) fcntl(fd, 4, "int", L.O_NONBLOCK);
      return fd;
    });
  } else {
    names.set("accept4", (call) => (listener: number, address: number, length: number, flags: number) => {
      const linux = type(flags);
      return linux === undefined ? fail("EINVAL") : accepted(listener, call(listener, address, length, linux));
    });
  }
  names.set("listen", (call) => (fd: number, backlog: number) => {
    events.settled(fd);
    return call(fd, backlog);
  });
  for (const name of ["bind", "connect"]) {
    names.set(name, (call) => (fd: number, address: Uint8Array, length: number) => {
      const linux = addressToLinux(H, address.subarray(0, length));
      if (typeof linux === "string") return fail(linux);
      if (name === "connect") events.settled(fd);
      const result = call(fd, linux, linux.length);
      if (name === "connect" && result < 0) events.full(fd);
      // A Unix server whose queue is full refuses there, at once.
      return result < 0 && linux[0] === 1 && real.errno() === 11 ? fail("ECONNREFUSED") : result;
    });
  }
  const named = (call: Call) => (fd: number, address: Uint8Array, length: Uint32Array) => {
    const linux = new Uint8Array(128);
    const room = new Uint32Array([128]);
    const result = call(fd, linux, room);
    if (result < 0) return result;
    length[0] = addressFromLinux(H, linux.subarray(0, room[0]), address.subarray(0, length[0]));
    return result;
  };
  names.set("getsockname", named);
  names.set("getpeername", named);

  names.set("recv", (call) => (fd: number, at: unknown, length: number, flags: number) => {
    const linux = messageFlags(flags);
    return linux === undefined ? fail("EINVAL") : call(fd, at, length, linux);
  });
  names.set(
    "recvfrom",
    (call) => (fd: number, at: unknown, length: number, flags: number, from: Uint8Array, fromLength: Uint32Array) => {
      const linux = messageFlags(flags);
      if (linux === undefined) return fail("EINVAL");
      const address = new Uint8Array(128);
      const room = new Uint32Array([128]);
      const n = call(fd, at, length, linux, address, room);
      if (n >= 0) fromLength[0] = addressFromLinux(H, address.subarray(0, room[0]), from.subarray(0, fromLength[0]));
      return n;
    },
  );
  names.set("send", (call) => (fd: number, at: unknown, length: number, flags: number) => {
    const linux = sending(fd, flags);
    return linux === undefined ? fail("EINVAL") : sent(fd, call(fd, at, length, linux), length);
  });
  names.set(
    "sendto",
    (call) => (fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array, toLength: number) => {
      const linux = sending(fd, flags);
      const address = addressToLinux(H, to.subarray(0, toLength));
      if (linux === undefined) return fail("EINVAL");
      if (typeof address === "string") return fail(address);
      return sent(fd, call(fd, bytes, length, linux, address, address.length), length);
    },
  );
  names.set("shutdown", (call) => (fd: number, how: number) => {
    const result = call(fd, how);
    if (result === 0 && how !== H.SHUT_RD) events.writingEnded(fd);
    return result;
  });
  names.set("close", (call) => (fd: number) => {
    events.closed(fd);
    silent.delete(fd);
    return call(fd);
  });

  names.set("setsockopt", (call) => (fd: number, level: number, name: number, value: Uint8Array, length: number) => {
    if (level === H.SOL_SOCKET && name === H.SO_NOSIGPIPE) {
      silent[value[0] === 0 ? "delete" : "add"](fd);
      return 0;
    }
    const option = socketOption(H, level, name);
    if (option === undefined) return fail("ENOPROTOOPT");
    return call(fd, ...option, value, length);
  });
  names.set("getsockopt", (call) => (fd: number, level: number, name: number, out: Int32Array, length: Uint32Array) => {
    if (level === H.SOL_SOCKET && name === H.SO_NWRITE) return ioctl(fd, L.SIOCOUTQ, "void *", out);
    if (level === H.SOL_SOCKET && name === H.SO_NOSIGPIPE) {
      out[0] = silent.has(fd) ? 1 : 0;
      return 0;
    }
    // XNU, sogetoptlock: there is no case for it.
    if (system === "darwin" && level === H.SOL_SOCKET && name === H.SO_ACCEPTCONN) return fail("ENOPROTOOPT");
    const option = socketOption(H, level, name);
    if (option === undefined) return fail("ENOPROTOOPT");
    const result = call(fd, ...option, out, length);
    if (result < 0 || level !== H.SOL_SOCKET) return result;
    if (name === H.SO_ERROR && out[0] > 0) out[0] = errnoFromLinux(H, out[0]);
    // Bits of one word: that is what is told.
    if (name < 0x1000 && name !== H.SO_LINGER && out[0] !== 0) out[0] = name;
    return result;
  });

  names.set("fcntl", (call) => (fd: number, command: number, kind?: string, value = 0) => {
    if (command === H.F_DUPFD_CLOEXEC) return call(fd, L.F_DUPFD_CLOEXEC, kind, value);
    if (command === 3) {
      const flags = call(fd, 3);
      return flags < 0 ? flags : (flags & 3) | (flags & L.O_NONBLOCK ? H.O_NONBLOCK : 0);
    }
    if (command === 4) {
      if ((value & ~(3 | H.O_NONBLOCK)) !== 0) return fail("EINVAL");
      return call(fd, 4, "int", value & H.O_NONBLOCK ? L.O_NONBLOCK : 0);
    }
    if (command === 2) return call(fd, 2, "int", value);
    return fail("EINVAL");
  });
  names.set(
    "ioctl",
    (call) =>
      (fd: number, request: number, ...rest: unknown[]) =>
        call(fd, request === H.FIONWRITE ? L.SIOCOUTQ : request, ...rest),
  );
  names.set(
    "getrlimit",
    (call) => (what: number, limit: BigUint64Array) => (what === H.RLIMIT_NOFILE ? call(7, limit) : fail("EINVAL")),
  );

  names.set("sendfile", () => {
    const sendfile = c.func("sendfile", "int", ["int", "int", "void *", "size_t"]);
    /** All of it, or up to the file's end, or -1 with what was sent before. */
    const send = (fd: number, file: number, offset: number, length: number): [number, number] => {
      if (!silent.has(fd)) seen.unprotected++;
      const position = new BigInt64Array([BigInt(offset)]);
      for (let sum = 0; ; ) {
        const n = sendfile(fd, file, position, length - sum);
        if (n <= 0 || sum + n === length) return [n < 0 ? -1 : 0, sum + Math.max(0, n)];
        sum += n;
        events.full(fd);
      }
    };
    const peer = new Uint8Array(128);
    const notConnected = (fd: number): boolean => peerOf(fd, peer, new Uint32Array([128])) < 0;
    if (system === "darwin") {
      return (file: number, fd: number, offset: number, length: Uint32Array, headers: unknown, flags: number) => {
        if (headers !== null || flags !== 0) return fail("EINVAL");
        if (notConnected(fd)) return fail("ENOTCONN");
        const [result, moved] = send(fd, file, offset, length[0] + length[1] * 2 ** 32);
        length[0] = moved;
        length[1] = moved / 2 ** 32;
        if (result < 0) events.full(fd);
        return result;
      };
    }
    return (
      file: number,
      fd: number,
      offset: number,
      size: number,
      headers: unknown,
      moved: Uint32Array,
      flags: number,
    ) => {
      if (headers !== null || flags !== 0) return fail("EINVAL");
      if (notConnected(fd)) return fail("ENOTCONN");
      const [result, sum] = send(fd, file, offset, size);
      moved[0] = sum;
      moved[1] = sum / 2 ** 32;
      if (result < 0) events.full(fd);
      return result;
    };
  });

  names.set("kqueue", () => () => events.kqueue());
  names.set(
    "kevent",
    () => (kq: number, changes: number, count: number, out: number, room: number, timeout: number) => {
      const result = events.kevent(kq, changes, count, out, room, timeout);
      if (result < 0) refused = -result;
      return result < 0 ? -1 : result;
    },
  );

  names.set("getaddrinfo", (call) => (name: string, service: number, hints: Uint8Array, result: BigUint64Array) => {
    const error = call(name, service, hints, result);
    if (error !== 0) return -error; // positive there
    turnAround(result[0], (family, address) => {
      const linux = address.slice();
      addressFromLinux(H, linux, address);
      return family === 10 ? H.AF_INET6 : family;
    });
    return 0;
  });
  names.set("freeaddrinfo", (call) => (first: bigint) => {
    turnAround(first, (family) => family);
    return call(first);
  });
  names.set("gai_strerror", (call) => (error: number) => call(-error));

  const library = {
    func(...args: unknown[]): Call {
      const [first] = args as [string];
      const name = /(\w+)\s*\(/.exec(first)?.[1] ?? first;
      const missing = ABSENT.includes(name) || (name === "accept4" && system === "darwin");
      if (missing) throw new Error(`Cannot find function '${name}' in shared library`);
      const make = names.get(name);
      // What is made here alone has no signature in Linux's library, or another one.
      const own = name === "kqueue" || name === "kevent" || name === "sendfile";
      const call: Call = own ? () => -1 : (c.func as Call)(...args);
      if (make === undefined) return call;
      const played = make(call);
      return (...given) => {
        refused = 0;
        seen.calls.set(name, (seen.calls.get(name) ?? 0) + 1);
        return played(...given);
      };
    },
  };
  const foreign = Object.create(real) as typeof Koffi;
  const load = (path: string | null, ...rest: unknown[]): unknown =>
    path === null ? Object.setPrototypeOf(library, c) : (real.load as Call)(path, ...rest);
  Object.defineProperties(foreign, { load: { value: load }, errno: { value: errno } });
  void closeFd;
  return foreign;
}

/** struct addrinfo: glibc has the address before the name, these the name before the address. */
function turnAround(first: bigint, change: (family: number, address: Uint8Array) => number): void {
  for (let at = first; at !== 0n; ) {
    const info = new DataView(real.view(at, 48));
    const [left, right] = [info.getBigUint64(24, true), info.getBigUint64(32, true)];
    const address = left === 0n ? right : left; // no name was asked for
    const bytes = new Uint8Array(real.view(address, info.getUint32(16, true)));
    info.setInt32(4, change(info.getInt32(4, true), bytes), true);
    info.setBigUint64(24, right, true);
    info.setBigUint64(32, left, true);
    at = info.getBigUint64(40, true);
  }
}
