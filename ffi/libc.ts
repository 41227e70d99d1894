/** The C library's calls, bound through koffi: signatures only, no logic. man 2 of each name. */
import { constantsHere } from "./constants.ts";
import { koffi } from "./koffi.ts";
import type { KernelMemory, System } from "./system.ts";

// linux/fs.h
const RWF_NOWAIT = 8;

let bound: System | undefined;

/** The real system, bound once a process. Throws where Slipway has no poller for the OS. */
export function system(): System {
  return (bound ??= bind());
}

function bind(): System {
  const constants = constantsHere();
  const c = koffi.load(null);
  const errno = koffi.errno;
  // errno is read only on failure: koffi.errno() costs about as much as the call itself.
  const checked = (result: number): number => (result < 0 ? -errno() : result);

  const socket = c.func("socket", "int", ["int", "int", "int"]);
  const socketpair = c.func("socketpair", "int", ["int", "int", "int", "void *"]);
  const bindFd = c.func("bind", "int", ["int", "void *", "uint32_t"]);
  const listen = c.func("listen", "int", ["int", "int"]);
  const accept4 = c.func("accept4", "int", ["int", "uintptr_t", "uintptr_t", "int"]);
  const connect = c.func("connect", "int", ["int", "void *", "uint32_t"]);
  // ssize_t as int: a count never exceeds the 31 bits we ask for, and koffi returns an int faster.
  const recv = c.func("recv", "int", ["int", "uintptr_t", "size_t", "int"]);
  const recvfrom = c.func("recvfrom", "int", ["int", "uintptr_t", "size_t", "int", "void *", "void *"]);
  const sendAt = c.func("send", "int", ["int", "uintptr_t", "size_t", "int"]);
  const send = c.func("send", "int", ["int", "void *", "size_t", "int"]);
  const sendto = c.func("sendto", "int", ["int", "void *", "size_t", "int", "void *", "uint32_t"]);
  const sendfile = c.func("sendfile", "int", ["int", "int", "void *", "size_t"]);
  const preadv2 = c.func("preadv2", "int", ["int", "uintptr_t", "int", "int64_t", "int"]);
  const shutdown = c.func("shutdown", "int", ["int", "int"]);
  const ioctl = c.func("ioctl", "int", ["int", "unsigned long", "void *"]);
  const getrlimit = c.func("getrlimit", "int", ["int", "void *"]);
  const close = c.func("close", "int", ["int"]);
  const setsockopt = c.func("setsockopt", "int", ["int", "int", "int", "void *", "uint32_t"]);
  const getsockopt = c.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]);
  const getsockname = c.func("getsockname", "int", ["int", "void *", "void *"]);
  const getpeername = c.func("getpeername", "int", ["int", "void *", "void *"]);
  const epollCreate1 = c.func("epoll_create1", "int", ["int"]);
  const epollCtl = c.func("epoll_ctl", "int", ["int", "int", "int", "void *"]);
  const epollWait = c.func("epoll_wait", "int", ["int", "uintptr_t", "int", "int"]);
  const eventfd = c.func("eventfd", "int", ["uint32_t", "int"]);
  const read = c.func("read", "int", ["int", "void *", "size_t"]);
  const write = c.func("write", "int", ["int", "void *", "size_t"]);

  const cloexecNonblock = constants.SOCK_CLOEXEC | constants.SOCK_NONBLOCK;
  const noSignal = constants.MSG_NOSIGNAL;
  const dontWait = constants.MSG_DONTWAIT;
  const length = new Uint32Array(1);
  const count = new Int32Array(1);
  const limit = new BigUint64Array(2);
  // off_t as two words, low first: a BigInt would be made and thrown away for each piece of a file.
  const position = new Uint32Array(2);
  // struct iovec { address, length } of the byte behind it.
  const peeked = { address: 0 };
  const eight = new Uint8Array(8);
  const one = new BigUint64Array([1n]);
  // struct epoll_event is packed on x86-64 (12 bytes: events, data) and padded elsewhere (16: events, pad, data).
  const packed = process.arch === "x64";
  const event = new Int32Array(packed ? 3 : 4);
  const dataAt = packed ? 1 : 2;

  return {
    constants,
    allocate(bytes: number): KernelMemory {
      const memory: unknown = koffi.alloc("uint8_t", bytes);
      return { address: Number(koffi.address(memory)), buffer: koffi.view(memory, bytes) };
    },
    socket: (domain, type, protocol) => checked(socket(domain, type | cloexecNonblock, protocol)),
    socketpair: (type, pair) => checked(socketpair(constants.AF_UNIX, type | cloexecNonblock, 0, pair)),
    bind: (fd, address) => checked(bindFd(fd, address, address.length)),
    listen: (fd, backlog) => checked(listen(fd, backlog)),
    accept: (fd) => checked(accept4(fd, 0, 0, cloexecNonblock)),
    connect: (fd, address) => checked(connect(fd, address, address.length)),
    receive(fd, address, size) {
      const n: number = recv(fd, address, size, dontWait);
      return n < 0 ? -errno() : n;
    },
    receiveFrom(fd, address, size, from, fromLength) {
      fromLength[0] = from.length;
      return checked(recvfrom(fd, address, size, dontWait, from, fromLength));
    },
    sendAt(fd, address, size) {
      const n: number = sendAt(fd, address, size, noSignal | dontWait);
      return n < 0 ? -errno() : n;
    },
    send: (fd, bytes, more) =>
      checked(
        send(fd, bytes, bytes.length, more === true ? noSignal | dontWait | constants.MSG_MORE : noSignal | dontWait),
      ),
    sendTo: (fd, bytes, to) => checked(sendto(fd, bytes, bytes.length, noSignal | dontWait, to, to.length)),
    sendFile(fd, file, offset, size) {
      position[0] = offset;
      position[1] = offset / 2 ** 32;
      return checked(sendfile(fd, file, position, size));
    },
    peekFile(file, offset) {
      if (peeked.address === 0) {
        const memory: unknown = koffi.alloc("uint8_t", 24);
        peeked.address = Number(koffi.address(memory));
        new BigUint64Array(koffi.view(memory, 24)).set([BigInt(peeked.address + 16), 1n]);
      }
      return checked(preadv2(file, peeked.address, 1, offset, RWF_NOWAIT));
    },
    shutdown: (fd, how) => checked(shutdown(fd, how)),
    unacknowledged(fd) {
      const result = checked(ioctl(fd, constants.SIOCOUTQ, count));
      return result < 0 ? result : count[0];
    },
    descriptorLimit() {
      const result = checked(getrlimit(constants.RLIMIT_NOFILE, limit));
      if (result < 0) return result;
      // RLIM_INFINITY is all ones; what no double counts exactly is as good as that.
      return limit[0] > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(limit[0]);
    },
    close: (fd) => checked(close(fd)),
    setsockopt: (fd, level, name, value) => checked(setsockopt(fd, level, name, value, value.length)),
    getsockopt(fd, level, name, out) {
      length[0] = out.byteLength;
      return checked(getsockopt(fd, level, name, out, length));
    },
    getsockname(fd, address) {
      length[0] = address.length;
      const result = checked(getsockname(fd, address, length));
      return result < 0 ? result : length[0];
    },
    getpeername(fd, address) {
      length[0] = address.length;
      const result = checked(getpeername(fd, address, length));
      return result < 0 ? result : length[0];
    },
    epollCreate: () => checked(epollCreate1(0x80000)),
    epollControl(epfd, op, fd, events, dataLow, dataHigh) {
      event[0] = events;
      event[dataAt] = dataLow;
      event[dataAt + 1] = dataHigh;
      return checked(epollCtl(epfd, op, fd, event));
    },
    epollWait(epfd, events, count, timeoutMs) {
      const n: number = epollWait(epfd, events, count, timeoutMs);
      return n < 0 ? -errno() : n;
    },
    eventfd: () => checked(eventfd(0, 0x80800)),
    eventfdRead: (fd) => checked(read(fd, eight, 8)),
    eventfdWrite: (fd) => checked(write(fd, one, 8)),
  };
}
