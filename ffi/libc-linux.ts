/** Linux's own calls: flags of socket(2), accept4(2), sendfile(2), preadv2(2), and what epoll and io_uring stand on. */
import { linux } from "./constants/linux.ts";
import { koffi } from "./koffi.ts";
import { bindPosix, checked } from "./libc-posix.ts";
import type { LinuxSystem } from "./system.ts";

// linux/sockios.h, linux/fs.h
const SIOCOUTQ = 0x5411;
const RWF_NOWAIT = 8;

let bound: LinuxSystem | undefined;

/** Bound once a process. */
export function linuxSystem(): LinuxSystem {
  return (bound ??= bind());
}

function bind(): LinuxSystem {
  const constants = linux;
  const c = koffi.load(null);
  const errno = koffi.errno;

  const socket = c.func("socket", "int", ["int", "int", "int"]);
  const socketpair = c.func("socketpair", "int", ["int", "int", "int", "void *"]);
  const accept4 = c.func("accept4", "int", ["int", "uintptr_t", "uintptr_t", "int"]);
  const sendfile = c.func("sendfile", "int", ["int", "int", "void *", "size_t"]);
  const preadv2 = c.func("preadv2", "int", ["int", "uintptr_t", "int", "int64_t", "int"]);
  const ioctl = c.func("ioctl", "int", ["int", "unsigned long", "void *"]);
  const epollCreate1 = c.func("epoll_create1", "int", ["int"]);
  const epollCtl = c.func("epoll_ctl", "int", ["int", "int", "int", "void *"]);
  const epollWait = c.func("epoll_wait", "int", ["int", "uintptr_t", "int", "int"]);
  const eventfd = c.func("eventfd", "int", ["uint32_t", "int"]);
  const read = c.func("read", "int", ["int", "void *", "size_t"]);
  const write = c.func("write", "int", ["int", "void *", "size_t"]);

  const cloexecNonblock = constants.SOCK_CLOEXEC | constants.SOCK_NONBLOCK;
  const count = new Int32Array(1);
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
    ...bindPosix(c, constants),
    pollerCalls: ["epollCreate", "eventfd"],
    socket: (domain, type, protocol) => checked(socket(domain, type | cloexecNonblock, protocol)),
    socketpair: (type, pair) => checked(socketpair(constants.AF_UNIX, type | cloexecNonblock, 0, pair)),
    accept: (fd) => checked(accept4(fd, 0, 0, cloexecNonblock)),
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
    unacknowledged(fd) {
      const result = checked(ioctl(fd, SIOCOUTQ, count));
      return result < 0 ? result : count[0];
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
