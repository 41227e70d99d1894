/** The calls that every Unix has with the same signature: sockets, by man 2 of each name. What differs is put beside. */
import type { Constants } from "./constants.ts";
import { koffi } from "./koffi.ts";
import type { KernelMemory, System } from "./system.ts";

/** What each system binds by itself. */
export type Different = "socket" | "socketpair" | "accept" | "sendFile" | "peekFile" | "unacknowledged" | "pollerCalls";

type Library = ReturnType<typeof koffi.load>;

/** `n` as it is, or the negated errno. It is read only on failure: koffi.errno() costs about as much as the call itself. */
export const checked = (n: number): number => (n < 0 ? -koffi.errno() : n);

export function bindPosix(c: Library, constants: Constants): Omit<System, Different> {
  const errno = koffi.errno;

  const bindFd = c.func("bind", "int", ["int", "void *", "uint32_t"]);
  const listen = c.func("listen", "int", ["int", "int"]);
  const connect = c.func("connect", "int", ["int", "void *", "uint32_t"]);
  // ssize_t as int: a count never exceeds the 31 bits we ask for, and koffi returns an int faster.
  const recv = c.func("recv", "int", ["int", "uintptr_t", "size_t", "int"]);
  const recvfrom = c.func("recvfrom", "int", ["int", "uintptr_t", "size_t", "int", "void *", "void *"]);
  const sendAt = c.func("send", "int", ["int", "uintptr_t", "size_t", "int"]);
  const send = c.func("send", "int", ["int", "void *", "size_t", "int"]);
  const sendto = c.func("sendto", "int", ["int", "void *", "size_t", "int", "void *", "uint32_t"]);
  const shutdown = c.func("shutdown", "int", ["int", "int"]);
  const getrlimit = c.func("getrlimit", "int", ["int", "void *"]);
  const close = c.func("close", "int", ["int"]);
  const setsockopt = c.func("setsockopt", "int", ["int", "int", "int", "void *", "uint32_t"]);
  const getsockopt = c.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]);
  const getsockname = c.func("getsockname", "int", ["int", "void *", "void *"]);
  const getpeername = c.func("getpeername", "int", ["int", "void *", "void *"]);

  const noSignal = constants.MSG_NOSIGNAL;
  const dontWait = constants.MSG_DONTWAIT;
  const length = new Uint32Array(1);
  const limit = new BigUint64Array(2);

  return {
    constants,
    allocate(bytes: number): KernelMemory {
      const memory: unknown = koffi.alloc("uint8_t", bytes);
      return { address: Number(koffi.address(memory)), buffer: koffi.view(memory, bytes) };
    },
    bind: (fd, address) => checked(bindFd(fd, address, address.length)),
    listen: (fd, backlog) => checked(listen(fd, backlog)),
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
    shutdown: (fd, how) => checked(shutdown(fd, how)),
    descriptorLimit() {
      const result = checked(getrlimit(constants.RLIMIT_NOFILE, limit));
      if (result < 0) return result;
      // RLIM_INFINITY is all ones, or all but the first; what no double counts exactly is as good as that.
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
  };
}
