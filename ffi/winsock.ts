/**
 * Windows Sockets 2.2, bound through koffi: the same seam as `libc.ts`. Every socket is overlapped, for completions
 * (`iocp.ts`), and non-blocking, for what is tried at once; no child inherits one. A SOCKET is a handle of the kernel,
 * whose numbers are small, so it is a descriptor like any other here.
 *
 * What a call fails with is asked for only then: koffi keeps the thread's last error for the call that follows.
 */
import { ABSENT, windows } from "./constants/windows.ts";
import { koffi } from "./koffi.ts";
import type { KernelMemory, System } from "./system.ts";

const VERSION = 0x0202;
const INVALID_SOCKET = 0xffffffff;
const OVERLAPPED_NO_INHERIT = 0x01 | 0x80;
const FIONBIO = 0x8004667e;
const HANDLE_FLAG_INHERIT = 1;
/** A datagram that nobody takes must not break the socket that sent it, for all its other peers (SIO_UDP_CONNRESET). */
const SIO_UDP_CONNRESET = 0x9800000c;
/** One send takes at most this: winsock takes any length whole once there is room for a byte, and keeps its pages. */
const MOST_SENT = 256 * 1024;
/** sizeof(sockaddr_un): a shorter one is refused by some versions. */
const UNIX_ADDRESS = 110;

let bound: System | undefined;

/** The real system, bound once a process. */
export function winsock(): System {
  return (bound ??= bind());
}

function bind(): System {
  const ws2 = koffi.load("ws2_32.dll");
  const constants = windows;
  const { AF_INET, AF_UNIX, SOCK_STREAM, SOCK_DGRAM, errno } = constants;

  const startup = ws2.func("WSAStartup", "int", ["uint16_t", "void *"]);
  const lastError = ws2.func("WSAGetLastError", "int", []);
  const socket = ws2.func("WSASocketW", "uint32_t", ["int", "int", "int", "uintptr_t", "uint32_t", "uint32_t"]);
  const bindTo = ws2.func("bind", "int", ["uintptr_t", "void *", "int"]);
  const listen = ws2.func("listen", "int", ["uintptr_t", "int"]);
  const accept = ws2.func("accept", "uint32_t", ["uintptr_t", "uintptr_t", "uintptr_t"]);
  const connect = ws2.func("connect", "int", ["uintptr_t", "void *", "int"]);
  const recv = ws2.func("recv", "int", ["uintptr_t", "uintptr_t", "int", "int"]);
  const recvfrom = ws2.func("recvfrom", "int", ["uintptr_t", "uintptr_t", "int", "int", "void *", "void *"]);
  const sendAt = ws2.func("send", "int", ["uintptr_t", "uintptr_t", "int", "int"]);
  const send = ws2.func("send", "int", ["uintptr_t", "void *", "int", "int"]);
  const sendto = ws2.func("sendto", "int", ["uintptr_t", "void *", "int", "int", "void *", "int"]);
  const shutdown = ws2.func("shutdown", "int", ["uintptr_t", "int"]);
  const close = ws2.func("closesocket", "int", ["uintptr_t"]);
  const setsockopt = ws2.func("setsockopt", "int", ["uintptr_t", "int", "int", "void *", "int"]);
  const getsockopt = ws2.func("getsockopt", "int", ["uintptr_t", "int", "int", "void *", "void *"]);
  const getsockname = ws2.func("getsockname", "int", ["uintptr_t", "void *", "void *"]);
  const getpeername = ws2.func("getpeername", "int", ["uintptr_t", "void *", "void *"]);
  const ioctlsocket = ws2.func("ioctlsocket", "int", ["uintptr_t", "uint32_t", "void *"]);
  const wsaIoctl = ws2.func("WSAIoctl", "int", [
    ...["uintptr_t", "uint32_t", "void *", "uint32_t", "uintptr_t", "uint32_t", "void *", "uintptr_t", "uintptr_t"],
  ]);

  const started: number = startup(VERSION, new Uint8Array(408));
  if (started !== 0) throw new Error(`Windows Sockets 2.2 cannot be used here: error ${started}`);

  const checked = (result: number): number => (result < 0 ? -lastError() : result);
  const length = new Int32Array(1);
  const one = new Uint32Array([1]);
  const no = new Uint32Array([0]);
  const unsupported = (): number => -errno.EOPNOTSUPP;
  const padded = (address: Uint8Array): Uint8Array => {
    if (address[0] !== AF_UNIX || address.length >= UNIX_ADDRESS) return address;
    const whole = new Uint8Array(UNIX_ADDRESS);
    whole.set(address);
    return whole;
  };
  const nameOf = (call: (fd: number, address: Uint8Array, length: Int32Array) => number) => {
    return (fd: number, address: Uint8Array): number => {
      length[0] = address.length;
      const result = checked(call(fd, address, length));
      return result < 0 ? result : length[0];
    };
  };

  const system: System = {
    constants,
    allocate(bytes: number): KernelMemory {
      const memory: unknown = koffi.alloc("uint8_t", bytes);
      return { address: Number(koffi.address(memory)), buffer: koffi.view(memory, bytes) };
    },
    socket(domain, type, protocol) {
      const fd: number = socket(domain, type, protocol, 0, 0, OVERLAPPED_NO_INHERIT);
      if (fd === INVALID_SOCKET) return -lastError();
      if (ioctlsocket(fd, FIONBIO, one) < 0) {
        const failed = -lastError();
        close(fd);
        return failed;
      }
      if (type === SOCK_DGRAM) wsaIoctl(fd, SIO_UDP_CONNRESET, no, 4, 0, 0, length, 0, 0);
      return fd;
    },
    socketpair(type, pair) {
      if (type !== SOCK_STREAM) return -errno.EOPNOTSUPP;
      return loopbackPair(system, AF_INET, pair);
    },
    bind(fd, address) {
      const whole = padded(address);
      return checked(bindTo(fd, whole, whole.length));
    },
    listen: (fd, backlog) => checked(listen(fd, backlog)),
    accept(fd) {
      // It is overlapped, non-blocking and not inherited, as the listener is.
      const accepted: number = accept(fd, 0, 0);
      return accepted === INVALID_SOCKET ? -lastError() : accepted;
    },
    connect(fd, address) {
      const whole = padded(address);
      const result = checked(connect(fd, whole, whole.length));
      return result === -errno.EAGAIN ? -errno.EINPROGRESS : result;
    },
    receive(fd, address, size) {
      const n: number = recv(fd, address, size, 0);
      return n < 0 ? -lastError() : n;
    },
    receiveFrom(fd, address, size, from, fromLength) {
      fromLength[0] = from.length;
      return checked(recvfrom(fd, address, size, 0, from, fromLength));
    },
    sendAt(fd, address, size) {
      const n: number = sendAt(fd, address, Math.min(size, MOST_SENT), 0);
      return n < 0 ? -lastError() : n;
    },
    send: (fd, bytes) => checked(send(fd, bytes, Math.min(bytes.length, MOST_SENT), 0)),
    sendTo(fd, bytes, to) {
      const whole = padded(to);
      return checked(sendto(fd, bytes, bytes.length, 0, whole, whole.length));
    },
    // TransmitFile wants the file's HANDLE and begins where that stands: who gets EINVAL reads the file instead.
    sendFile: () => -errno.EINVAL,
    peekFile: unsupported,
    shutdown: (fd, how) => checked(shutdown(fd, how)),
    unacknowledged: unsupported,
    // Of handles a process may have 16 million.
    descriptorLimit: () => Number.POSITIVE_INFINITY,
    close: (fd) => checked(close(fd)),
    setsockopt(fd, level, name, value) {
      if (name === ABSENT) return -errno.ENOPROTOOPT;
      // struct linger is two u_short here, and two ints elsewhere.
      const given = name === constants.SO_LINGER && level === constants.SOL_SOCKET ? shortLinger(value) : value;
      return checked(setsockopt(fd, level, name, given, given.length));
    },
    getsockopt(fd, level, name, out) {
      if (name === ABSENT) return -errno.ENOPROTOOPT;
      length[0] = out.byteLength;
      // Some options are a BOOL of one byte in some versions: what is not written must not count.
      out.fill(0);
      const result = checked(getsockopt(fd, level, name, out, length));
      if (name === constants.SO_LINGER && level === constants.SOL_SOCKET && out.length > 1) {
        out[1] = out[0] >>> 16;
        out[0] &= 0xffff;
      }
      return result;
    },
    getsockname: nameOf(getsockname),
    getpeername: nameOf(getpeername),
    pollerCalls: [],
  };
  return system;
}

/** The same for a socket that somebody else made. Returns 0 or a negated errno. */
export function setNonBlockingUninherited(fd: number): number {
  const { errno } = windows;
  const ioctlsocket = koffi.load("ws2_32.dll").func("ioctlsocket", "int", ["uintptr_t", "uint32_t", "void *"]);
  const setInformation = koffi
    .load("kernel32.dll")
    .func("SetHandleInformation", "int", ["uintptr_t", "uint32_t", "uint32_t"]);
  if (ioctlsocket(fd, FIONBIO, new Uint32Array([1])) < 0) return -errno.ENOTSOCK;
  return setInformation(fd, HANDLE_FLAG_INHERIT, 0) === 0 ? -errno.EBADF : 0;
}

function shortLinger(value: Uint8Array): Uint8Array {
  return new Uint8Array([value[0], value[1], value[4], value[5]]);
}

/** Windows has no socketpair: two ends of a connection over loopback, which nobody else can have got into. */
function loopbackPair(system: System, family: number, pair: Int32Array): number {
  const { SOCK_STREAM, errno } = system.constants;
  const address = new Uint8Array(16);
  new DataView(address.buffer).setUint16(0, family, true);
  address.set([127, 0, 0, 1], 4);
  const listener = system.socket(family, SOCK_STREAM, 0);
  if (listener < 0) return listener;
  const ours = system.socket(family, SOCK_STREAM, 0);
  const give = (result: number): number => {
    system.close(listener);
    if (result < 0) system.close(ours);
    return result;
  };
  if (ours < 0) return give(ours);
  let result = system.bind(listener, address);
  if (result >= 0) result = system.listen(listener, 1);
  if (result >= 0) result = system.getsockname(listener, address);
  if (result < 0) return give(result);
  result = system.connect(ours, address);
  if (result < 0 && result !== -errno.EINPROGRESS) return give(result);
  const own = new Uint8Array(16);
  const peer = new Uint8Array(16);
  // A connection over loopback stands within microseconds; somebody else's is sent away.
  const until = performance.now() + 5000;
  while (performance.now() < until) {
    const theirs = system.accept(listener);
    if (theirs < 0) {
      if (theirs !== -errno.EAGAIN) return give(theirs);
      continue;
    }
    if (system.getsockname(ours, own) >= 0 && system.getpeername(theirs, peer) >= 0) {
      if (own.every((byte, i) => i < 2 || i > 7 || byte === peer[i])) {
        pair[0] = ours;
        pair[1] = theirs;
        return give(0);
      }
    }
    system.close(theirs);
  }
  return give(-errno.ETIMEDOUT);
}
