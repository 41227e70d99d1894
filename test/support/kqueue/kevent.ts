/**
 * kqueue(2) and kevent(2) on epoll(7), in another system's numbers and layout, with its habits:
 *
 *   - reading and writing are told apart, and with EV_CLEAR each once: that there is room to write again only after there was none
 *   - EV_EOF of what is read comes with the data that is left; that of what is written after our own shutdown(2) too
 *   - a stream socket that is neither connected nor a listener is silent
 *   - a change that is refused is an event with EV_ERROR where there is room for one, else what the call returns
 *   - close(2) of a descriptor takes its events along, and of the queue everything
 */
import { readFileSync } from "node:fs";
import { koffi } from "../../../ffi/koffi.ts";
import type { Headers } from "./headers.ts";
import { errnoFromLinux } from "./numbers.ts";

const IN = 0x001;
const PRI = 0x002;
const OUT = 0x004;
const ERR = 0x008;
const HUP = 0x010;
const RDHUP = 0x2000;
const EDGE = 1 << 31;
const [ADD, DELETE, MODIFY] = [1, 2, 3];
const NOTE_OOB = 2;
const MOST = 256;
/** What is written to the eventfd: by a trigger, and when something waits that no descriptor tells of. */
const TRIGGER = 2n ** 32n;
const WAITING = 1n;

const c = koffi.load(null);
const epollCreate = c.func("epoll_create1", "int", ["int"]);
const epollControl = c.func("epoll_ctl", "int", ["int", "int", "int", "void *"]);
const epollWait = c.func("epoll_wait", "int", ["int", "void *", "int", "int"]);
const eventfd = c.func("eventfd", "int", ["uint32_t", "int"]);
const read = c.func("read", "int64", ["int", "void *", "size_t"]);
const write = c.func("write", "int64", ["int", "void *", "size_t"]);
const closeFd = c.func("close", "int", ["int"]);

type Tell = (
  ident: number,
  filter: number,
  flags: number,
  fflags: number,
  to: { readonly low: number; readonly high: number },
) => void;

interface Filter {
  readonly low: number;
  readonly high: number;
  readonly clear: boolean;
  readonly wanted: number;
}

interface Watched {
  read?: Filter;
  write?: Filter;
  /** That there is room has been told, and there was none since. */
  roomTold: boolean;
}

interface Queue {
  readonly eventfd: number;
  readonly watched: Map<number, Watched>;
  user: { ident: number; low: number; high: number } | undefined;
  /** Descriptors whose writing we have ended ourselves. */
  ended: number[];
  /** What there was no room for. */
  late: Parameters<Tell>[];
}

export class Kevents {
  readonly #H: Headers;
  readonly #bytes: number;
  readonly #queues = new Map<number, Queue>();
  /** Stream sockets that have done nothing yet. */
  readonly #fresh = new Set<number>();
  readonly #memory = new Map<number, DataView>();
  readonly #event = new DataView(new ArrayBuffer(process.arch === "x64" ? 12 : 16));
  readonly #found: Uint8Array;

  constructor(H: Headers, bytes: number) {
    this.#H = H;
    this.#bytes = bytes;
    this.#found = new Uint8Array(MOST * this.#event.byteLength);
  }

  fresh(fd: number): void {
    this.#fresh.add(fd);
  }
  settled(fd: number): void {
    this.#fresh.delete(fd);
  }
  /** There is no room to write. */
  full(fd: number): void {
    for (const { watched } of this.#queues.values()) {
      const one = watched.get(fd);
      if (one !== undefined) one.roomTold = false;
    }
  }
  writingEnded(fd: number): void {
    for (const queue of this.#queues.values()) {
      if (queue.watched.get(fd)?.write === undefined) continue;
      queue.ended.push(fd);
      write(queue.eventfd, new BigUint64Array([WAITING]), 8);
    }
  }
  closed(fd: number): void {
    this.#fresh.delete(fd);
    const queue = this.#queues.get(fd);
    if (queue !== undefined) {
      this.#queues.delete(fd);
      closeFd(queue.eventfd);
    }
    for (const [kq, { watched }] of this.#queues) {
      if (watched.delete(fd)) epollControl(kq, DELETE, fd, this.#event);
    }
  }

  kqueue(): number {
    const kq = epollCreate(0x80000);
    if (kq < 0) return kq;
    const wake = eventfd(0, 0x80800);
    this.#control(kq, ADD, wake, IN);
    this.#queues.set(kq, { eventfd: wake, watched: new Map(), user: undefined, ended: [], late: [] });
    return kq;
  }

  /** A count, or a negated errno of the system. */
  kevent(kq: number, changes: number, count: number, out: number, room: number, timeout: number): number {
    const queue = this.#queues.get(kq);
    if (queue === undefined) return this.#ofAnotherThread(kq, changes, count);
    let told = 0;
    const { EV_ERROR, EV_RECEIPT } = this.#H;
    for (let i = 0; i < count; i++) {
      const view = this.#view(changes + i * this.#bytes);
      const flags = view.getUint16(10, true);
      const errno = this.#change(kq, queue, view);
      if (errno === 0 && (flags & EV_RECEIPT) === 0) continue;
      if (told === room) return -errno;
      const event = this.#view(out + told++ * this.#bytes);
      for (let at = 0; at < this.#bytes; at += 8) event.setBigUint64(at, view.getBigUint64(at, true), true);
      event.setUint16(10, flags | EV_ERROR, true);
      event.setBigInt64(16, BigInt(errno), true);
    }
    return told > 0 || room === 0 ? told : this.#wait(kq, queue, out, room, this.#timeoutOf(timeout));
  }

  #change(kq: number, queue: Queue, view: DataView): number {
    const H = this.#H;
    const ident = Number(view.getBigUint64(0, true));
    const filter = view.getInt16(8, true);
    const flags = view.getUint16(10, true);
    const fflags = view.getUint32(12, true);
    const [low, high] = [view.getInt32(24, true), view.getInt32(28, true)];
    if (filter === H.EVFILT_USER) {
      if (flags & H.EV_ADD) queue.user = { ident, low, high };
      if (queue.user?.ident !== ident) return H.ENOENT;
      if (flags & H.EV_DELETE) queue.user = undefined;
      if (fflags & H.NOTE_TRIGGER) write(queue.eventfd, new BigUint64Array([TRIGGER]), 8);
      return 0;
    }
    const key = filter === H.EVFILT_READ ? "read" : filter === H.EVFILT_WRITE ? "write" : undefined;
    // Urgent data is asked for in one way on macOS, and not told on FreeBSD: there the bit means something else.
    const known = key === "read" && H.SO_NWRITE !== undefined ? NOTE_OOB : 0;
    if (key === undefined || (fflags & ~known) !== 0) return H.EINVAL;
    const watched = queue.watched.get(ident) ?? { roomTold: false };
    const before = watched[key];
    if (flags & H.EV_DELETE) {
      if (before === undefined) return H.ENOENT;
      delete watched[key];
    } else if (flags & H.EV_ADD) {
      const wanted = key === "read" ? IN | RDHUP | (fflags & NOTE_OOB ? PRI : 0) : OUT;
      watched[key] = { low, high, clear: (flags & H.EV_CLEAR) !== 0, wanted };
      if (key === "write") watched.roomTold = false;
    } else return before === undefined ? H.ENOENT : 0;
    const first = !queue.watched.has(ident);
    const { read: reading, write: writing } = watched;
    const wanted = (reading?.wanted ?? 0) | (writing?.wanted ?? 0);
    const edge = reading?.clear === false || writing?.clear === false ? 0 : EDGE;
    const result =
      wanted === 0
        ? this.#control(kq, DELETE, ident, 0)
        : this.#control(kq, first ? ADD : MODIFY, ident, wanted | edge);
    if (result < 0) {
      const errno = errnoFromLinux(H, koffi.errno());
      if (first) return errno;
      watched[key] = before;
      return errno;
    }
    if (wanted === 0) queue.watched.delete(ident);
    else queue.watched.set(ident, watched);
    return 0;
  }

  #wait(kq: number, queue: Queue, out: number, room: number, timeoutMs: number): number {
    const stride = this.#event.byteLength;
    const found = new DataView(this.#found.buffer);
    const most = Math.max(1, Math.min(MOST, room >> 1));
    const n = epollWait(kq, this.#found, most, queue.late.length > 0 ? 0 : timeoutMs);
    if (n < 0) return -errnoFromLinux(this.#H, koffi.errno());
    const { EVFILT_READ, EVFILT_WRITE, EV_EOF, EVFILT_USER } = this.#H;
    let told = 0;
    const tell: Tell = (ident, filter, flags, fflags, to) => {
      if (told === room) {
        queue.late.push([ident, filter, flags, fflags, to]);
        write(queue.eventfd, new BigUint64Array([WAITING]), 8);
        return;
      }
      const view = this.#view(out + told++ * this.#bytes);
      for (let at = 0; at < this.#bytes; at += 8) view.setBigUint64(at, 0n, true);
      view.setBigUint64(0, BigInt(ident), true);
      view.setInt16(8, filter, true);
      view.setUint16(10, flags, true);
      view.setUint32(12, fflags, true);
      view.setInt32(24, to.low, true);
      view.setInt32(28, to.high, true);
    };
    const { late } = queue;
    queue.late = [];
    for (const event of late) tell(...event);
    for (let i = 0; i < n; i++) {
      const events = found.getUint32(i * stride, true);
      const fd = found.getInt32(i * stride + stride - 8, true);
      if (fd === queue.eventfd) {
        const sum = new BigUint64Array(1);
        read(fd, sum, 8);
        if (sum[0] >= TRIGGER && queue.user !== undefined) tell(queue.user.ident, EVFILT_USER, 0, 0, queue.user);
        continue;
      }
      const watched = queue.watched.get(fd);
      if (watched === undefined || this.#fresh.has(fd)) continue;
      const { read: reading, write: writing } = watched;
      if (reading !== undefined && events & (IN | RDHUP | HUP | ERR | (reading.wanted & PRI))) {
        const urgent = events & PRI & reading.wanted;
        const over = urgent ? 0 : events & (RDHUP | HUP | ERR);
        tell(fd, EVFILT_READ, over ? EV_EOF : 0, urgent ? NOTE_OOB : 0, reading);
      }
      const broken = events & (HUP | ERR);
      if (writing !== undefined && ((events & OUT && !watched.roomTold) || broken)) {
        watched.roomTold = writing.clear;
        tell(fd, EVFILT_WRITE, broken ? EV_EOF : 0, 0, writing);
      }
    }
    const { ended } = queue;
    queue.ended = [];
    for (const fd of ended) {
      const writing = queue.watched.get(fd)?.write;
      if (writing !== undefined) tell(fd, EVFILT_WRITE, EV_EOF, 0, writing);
    }
    return told;
  }

  /** Only a wake comes from other threads. Their queue's eventfd is in the list of what it watches. */
  #ofAnotherThread(kq: number, changes: number, count: number): number {
    const view = this.#view(changes);
    const trigger =
      count === 1 && view.getInt16(8, true) === this.#H.EVFILT_USER && view.getUint32(12, true) & this.#H.NOTE_TRIGGER;
    let listed = "";
    try {
      listed = readFileSync(`/proc/self/fdinfo/${kq}`, "latin1");
    } catch {
      return -this.#H.EBADF;
    }
    // EPOLLIN, and what epoll adds of itself: EPOLLERR and EPOLLHUP.
    const fd = /^tfd:\s+(\d+) events:\s+19 /m.exec(listed)?.[1];
    if (!trigger || fd === undefined) return -this.#H.EBADF;
    write(Number(fd), new BigUint64Array([TRIGGER]), 8);
    return 0;
  }

  #control(kq: number, op: number, fd: number, events: number): number {
    this.#event.setInt32(0, events, true);
    this.#event.setInt32(this.#event.byteLength - 8, fd, true);
    return epollControl(kq, op, fd, this.#event);
  }

  /** struct timespec. */
  #timeoutOf(address: number): number {
    if (address === 0) return -1;
    const view = this.#view(address);
    return Number(view.getBigInt64(0, true)) * 1000 + Math.ceil(Number(view.getBigInt64(8, true)) / 1e6);
  }

  /** Memory of our poller's is never given back while its process lives. */
  #view(address: number): DataView {
    let view = this.#memory.get(address);
    if (view === undefined) this.#memory.set(address, (view = new DataView(koffi.view(BigInt(address), this.#bytes))));
    return view;
  }
}
