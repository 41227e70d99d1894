/**
 * The syscall seam: every call into the kernel that the poller and the net floor make, as one object. Each function
 * returns a value ≥ 0, or the negated errno, and never throws; so a test can wrap any of them and inject EINTR,
 * EMFILE, short counts and the like at every call site without touching the code under test.
 *
 * `System` is what sockets need, on every system alike; what only one kernel has, for its own poller, stands below it.
 *
 * Addresses of memory are plain numbers (a user-space pointer fits 47 bits), which costs 20–30 ns less a koffi call
 * than passing a typed array. They only ever name memory that `allocate` returned: koffi's own, never a JS buffer.
 */
import type { BsdConstants } from "./constants/bsd.ts";
import type { Constants } from "./constants.ts";

/** Memory outside the JS heap: never moved, never freed while the process lives. Its views are never handed out. */
export interface KernelMemory {
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

export interface System {
  readonly constants: Constants;
  allocate(bytes: number): KernelMemory;

  /** socket(2): non-blocking and close-on-exec, always. */
  socket(domain: number, type: number, protocol: number): number;
  /** socketpair(2), AF_UNIX: fills `pair` with two descriptors, non-blocking and close-on-exec. */
  socketpair(type: number, pair: Int32Array): number;
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  /** accept4(2), or what stands for it: the new descriptor is non-blocking and close-on-exec. */
  accept(fd: number): number;
  connect(fd: number, address: Uint8Array): number;
  /** recv(2) to `address`. */
  receive(fd: number, address: number, length: number): number;
  /** recvfrom(2) to `address`; the sender goes to `from`, its length to `fromLength[0]`. */
  receiveFrom(fd: number, address: number, length: number, from: Uint8Array, fromLength: Uint32Array): number;
  /** send(2) from memory of `allocate`, MSG_NOSIGNAL. */
  sendAt(fd: number, address: number, length: number): number;
  /**
   * send(2) from a JS buffer (safe: the kernel copies before the call returns), MSG_NOSIGNAL. `more` follows at once, and
   * a small piece waits for it (MSG_MORE).
   */
  send(fd: number, bytes: Uint8Array, more?: boolean): number;
  sendTo(fd: number, bytes: Uint8Array, to: Uint8Array): number;
  /**
   * sendfile(2) to the socket `fd`, from `offset` of `file`, whose own position stays. It has no MSG_NOSIGNAL. -EINVAL
   * where there is no such call: read the file.
   */
  sendFile(fd: number, file: number, offset: number, length: number): number;
  /**
   * preadv2(2) of one byte, RWF_NOWAIT: -EAGAIN when the disk would have to be waited for, 1 when it is in memory;
   * -EOPNOTSUPP where it can't be told.
   */
  peekFile(file: number, offset: number): number;
  shutdown(fd: number, how: number): number;
  /**
   * Bytes in the send buffer that the peer has not acknowledged: ioctl(SIOCOUTQ) on Linux (man 7 tcp, man 7 unix).
   * -EOPNOTSUPP where the kernel does not say.
   */
  unacknowledged(fd: number): number;
  /** getrlimit(RLIMIT_NOFILE): how many descriptors this process may have open; Infinity for no limit. */
  descriptorLimit(): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** getsockopt(2) of an option that is ints, as many as `out` has room for. */
  getsockopt(fd: number, level: number, name: number, out: Int32Array): number;
  /** Fills `address`, returns the length that the kernel reports. */
  getsockname(fd: number, address: Uint8Array): number;
  getpeername(fd: number, address: Uint8Array): number;

  /** Names of those of its calls that make descriptors for a poller itself: who counts them wraps these. */
  readonly pollerCalls: readonly string[];
}

/** Linux: epoll(7) and eventfd(2). */
export interface LinuxSystem extends System {
  epollCreate(): number;
  /** epoll_ctl(2); `events` and the 64 bits of data as two words. */
  epollControl(epfd: number, op: number, fd: number, events: number, dataLow: number, dataHigh: number): number;
  epollWait(epfd: number, events: number, count: number, timeoutMs: number): number;
  /** eventfd(2): non-blocking and close-on-exec. */
  eventfd(): number;
  /** read(2) and write(2) of an eventfd's 8 bytes. */
  eventfdRead(fd: number): number;
  eventfdWrite(fd: number): number;
}

/** macOS, FreeBSD, OpenBSD: kqueue(2). */
export interface BsdSystem extends System {
  readonly constants: BsdConstants;
  /** kqueue(2), close-on-exec. */
  kqueue(): number;
  /** kevent(2) with no room for events: `count` structs at the address `changes`. A refused one is what it returns. */
  keventChange(kq: number, changes: number, count: number): number;
  /** kevent(2) without changes: how many structs it has written to the address `events`. */
  keventWait(kq: number, events: number, count: number, timeoutMs: number): number;
}
