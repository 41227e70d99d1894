/**
 * What every poller of sockets has, whatever its kernel: the table of handles, what full send buffers left over, work
 * that no event announces, and the calls that are tried at once. How to learn that a handle can go on is the
 * subclass's: `wantsRoom` and `wantsMore` say that somebody waits for it.
 */
import type { Constants } from "./constants.ts";
import {
  ACCEPTING,
  BLOCKED,
  CONNECTING,
  DATAGRAMS,
  HandleTable,
  HUNG_UP,
  MORE,
  QUEUED,
  RECEIVING,
  STALLED,
} from "./handles.ts";
import type { Handle, Poller, Sink } from "./poller.ts";
import { SENDING, SENT } from "./send-result.ts";
import type { KernelMemory, System } from "./system.ts";
import { Unsent } from "./unsent.ts";
import { type Watch, watch } from "./watch.ts";

/** One recv takes at most this; the scratch is shared by all handles of a poller. */
export const SCRATCH = 64 * 1024;
/** Reads of one handle before the others get their turn. */
export const READS_A_TURN = 4;
/** Connections of one listener, likewise. */
const ACCEPTS_A_TURN = 64;

export abstract class SocketPoller implements Poller {
  abstract readonly name: string;
  abstract readonly descriptor: number;
  readonly constants: Constants;
  readonly system: System;
  readonly outgoing: Uint8Array<ArrayBuffer>;
  readonly outgoingAddress: number;
  onPending: () => void = () => {};
  onLeaving: (change: 1 | -1) => void = () => {};
  onSinkError: (handle: Handle, error: unknown) => void = (_handle, error) => console.error(error);

  protected readonly table = new HandleTable();
  protected readonly unsent = new Unsent();
  protected readonly scratch: Uint8Array<ArrayBuffer>;
  protected readonly scratchAddress: number;
  protected readonly outgoingMemory: KernelMemory;
  /** Handles with work that no event will announce, as handle and generation. */
  protected queue: number[] = [];
  /** Within `poll`. */
  protected polling = false;
  /** Handles that wait for descriptors or memory, likewise. */
  #stalled: number[] = [];
  readonly #from = new Uint8Array(128); // sockaddr_storage
  readonly #fromLength = new Uint32Array(1);
  readonly #int = new Int32Array(1);

  /** `outgoingBytes`: of the memory that begins with what `outgoing` lends. */
  constructor(system: System, outgoingBytes = SCRATCH) {
    this.system = system;
    this.constants = system.constants;
    const scratch = system.allocate(SCRATCH);
    this.scratch = new Uint8Array(scratch.buffer);
    this.scratchAddress = scratch.address;
    this.outgoingMemory = system.allocate(outgoingBytes);
    this.outgoing = new Uint8Array(this.outgoingMemory.buffer, 0, SCRATCH);
    this.outgoingAddress = this.outgoingMemory.address;
  }

  abstract open(fd: number, sink: Sink, spoke?: boolean): Handle;
  abstract close(handle: Handle, atOnce?: boolean): void;
  abstract poll(timeoutMs: number): number;
  abstract attend(fd: number): number;
  abstract wait(timeoutMs: number): boolean;
  abstract readonly attendedReady: boolean;
  abstract wake(): void;
  abstract dispose(): void;
  abstract receive(handle: Handle): void;
  abstract accept(listener: Handle): void;
  abstract receiveDatagrams(handle: Handle): void;
  abstract pause(handle: Handle): void;

  /** The handle waits to be writable: when it is, `flush` or `finishConnect` is due. */
  protected abstract wantsRoom(handle: Handle): void;
  /** It has been read to the bottom: when there is more, MORE is to be set, and it gets its turn. */
  protected abstract wantsMore(handle: Handle): void;
  /** `receiveAll` has read to the bottom, of which the last `bytes` were a part. */
  protected abstract emptied(handle: Handle, bytes: number): void;
  /** A handle from the queue gets its turn. */
  protected abstract work(handle: Handle): void;

  get openCount(): number {
    return this.table.count;
  }
  get pending(): boolean {
    return this.queue.length > 0;
  }
  get stalled(): number {
    return this.#stalled.length / 2;
  }

  watch(ready: () => void): Watch {
    return watch(this.descriptor, ready);
  }

  retry(): void {
    const stalled = this.#stalled;
    this.#stalled = [];
    for (let i = 0; i < stalled.length; i += 2) {
      const handle = stalled[i];
      if (this.table.generations[handle] !== stalled[i + 1]) continue;
      this.table.state[handle] &= ~STALLED;
      this.enqueue(handle);
    }
  }

  fd(handle: Handle): number {
    return this.table.fds[handle];
  }
  sink(handle: Handle): Sink | undefined {
    return this.table.sinks[handle];
  }
  setSink(handle: Handle, sink: Sink): void {
    this.table.sinks[handle] = sink;
  }

  connect(handle: Handle, address: Uint8Array): number {
    const { EINTR, EINPROGRESS } = this.constants.errno;
    const result = this.system.connect(this.table.fds[handle], address);
    // An interrupted connect goes on by itself; calling it again would say EALREADY (man 2 connect).
    if (result < 0 && result !== -EINPROGRESS && result !== -EINTR) return result;
    this.table.state[handle] |= CONNECTING;
    if (result === 0) this.enqueue(handle);
    else this.wantsRoom(handle);
    return 0;
  }

  send(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    if (this.table.state[handle] & BLOCKED) return this.keep(handle, bytes, start, end);
    while (start < end) {
      const whole = start === 0 && end === bytes.length;
      const n = this.system.send(this.table.fds[handle], whole ? bytes : bytes.subarray(start, end));
      if (n < 0) {
        const wait = this.sendFailed(handle, n);
        if (wait < 0) return wait;
        if (wait === 0) continue;
        return this.keep(handle, bytes, start, end);
      }
      start += n;
    }
    return SENT;
  }

  sendOutgoing(handle: Handle, start: number, end: number): number {
    if (this.table.state[handle] & BLOCKED) return this.keep(handle, this.outgoing, start, end);
    while (start < end) {
      const n = this.system.sendAt(this.table.fds[handle], this.outgoingAddress + start, end - start);
      if (n < 0) {
        const wait = this.sendFailed(handle, n);
        if (wait < 0) return wait;
        if (wait === 0) continue;
        return this.keep(handle, this.outgoing, start, end);
      }
      start += n;
    }
    return SENT;
  }

  sendTo(handle: Handle, bytes: Uint8Array, to: Uint8Array): number {
    const { EINTR, EAGAIN, ENOBUFS } = this.constants.errno;
    for (;;) {
      const n = this.system.sendTo(this.table.fds[handle], bytes, to);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) {
        this.table.state[handle] |= BLOCKED;
        this.wantsRoom(handle);
      } else if (n === -ENOBUFS) {
        this.table.state[handle] |= BLOCKED;
        this.stall(handle);
        return -EAGAIN;
      }
      return n;
    }
  }

  sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number, more = false): number {
    const { EINTR, EAGAIN } = this.constants.errno;
    if (this.table.state[handle] & BLOCKED) return -EAGAIN;
    const whole = start === 0 && end === bytes.length;
    const some = whole ? bytes : bytes.subarray(start, end);
    let n: number;
    do n = this.system.send(this.table.fds[handle], some, more);
    while (n === -EINTR);
    return n >= 0 ? n : this.#refused(handle, n);
  }

  sendFile(handle: Handle, file: number, offset: number, length: number): number {
    const { EINTR, EAGAIN } = this.constants.errno;
    if (this.table.state[handle] & BLOCKED) return -EAGAIN;
    let n: number;
    do n = this.system.sendFile(this.table.fds[handle], file, offset, length);
    while (n === -EINTR);
    return n >= 0 ? n : this.#refused(handle, n);
  }

  /** What was tried once, and of which nothing is kept, was not taken. */
  #refused(handle: Handle, result: number): number {
    const wait = this.sendFailed(handle, result);
    if (wait < 0) return wait;
    this.table.state[handle] |= BLOCKED;
    return -this.constants.errno.EAGAIN;
  }

  outstanding(handle: Handle): number {
    const waiting = this.unsent.get(handle)?.length ?? 0;
    return waiting + Math.max(0, this.system.unacknowledged(this.table.fds[handle]));
  }

  shutdown(handle: Handle): number {
    return this.system.shutdown(this.table.fds[handle], this.constants.SHUT_WR);
  }

  /** Gives everybody in the queue a turn; those that queue meanwhile get the next one. Returns how many. */
  protected workOff(): number {
    const queued = this.queue;
    if (queued.length === 0) return 0;
    this.queue = [];
    for (let i = 0; i < queued.length; i += 2) {
      const handle = queued[i];
      if (this.table.generations[handle] !== queued[i + 1]) continue;
      this.table.state[handle] &= ~QUEUED;
      try {
        this.work(handle);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    return queued.length / 2;
  }

  protected receiveAll(handle: Handle, generation: number): void {
    const { EINTR, EAGAIN } = this.constants.errno;
    for (let reads = 0; reads < READS_A_TURN; reads++) {
      // Asked anew for each read: what the last one brought may have handed the connection over (`setSink`), and the old
      // sink has forgotten it. Told all the same, it kept the bytes for the handle's next owner.
      const sink = this.table.sinks[handle];
      if (sink === undefined) return;
      const n = this.system.receive(this.table.fds[handle], this.scratchAddress, SCRATCH);
      if (n > 0) {
        const bottom = n < SCRATCH && (this.table.state[handle] & HUNG_UP) === 0;
        if (bottom) this.table.state[handle] &= ~MORE;
        sink.received(handle, this.scratch, 0, n);
        // The sink may have closed or paused it. A pause leaves MORE set for the next `receive`.
        if (this.table.generations[handle] !== generation) return;
        if (bottom) return this.emptied(handle, n);
        if ((this.table.state[handle] & RECEIVING) === 0) return;
      } else if (n === 0) {
        this.table.state[handle] &= ~(MORE | RECEIVING);
        this.ended(handle, sink);
        return;
      } else if (n === -EAGAIN) {
        this.table.state[handle] &= ~MORE;
        return this.emptied(handle, 0);
      } else if (n !== -EINTR) {
        if (this.waits(n)) return this.stall(handle);
        this.table.state[handle] &= ~(MORE | RECEIVING);
        sink.failed(handle, -n);
        return;
      }
    }
    this.enqueue(handle);
  }

  /** There is no more to be read. */
  protected ended(handle: Handle, sink: Sink | undefined): void {
    sink?.ended(handle);
  }

  protected acceptAll(listener: Handle, generation: number): void {
    const { EINTR, EAGAIN, EBADF, EINVAL, ENOTSOCK } = this.constants.errno;
    const sink = this.table.sinks[listener];
    if (sink === undefined) return;
    for (let accepts = 0; accepts < ACCEPTS_A_TURN; accepts++) {
      const fd = this.system.accept(this.table.fds[listener]);
      if (fd >= 0) {
        sink.accepted(listener, fd);
        if (this.table.generations[listener] !== generation || (this.table.state[listener] & ACCEPTING) === 0) return;
      } else if (fd === -EAGAIN) {
        this.table.state[listener] &= ~MORE;
        return this.wantsMore(listener);
      } else if (fd !== -EINTR) {
        if (this.waits(fd)) {
          // Accepting stops, without a spin, until something closes or the runtime's retry comes.
          this.stall(listener);
          sink.failed(listener, -fd);
          return;
        }
        if (fd === -EBADF || fd === -EINVAL || fd === -ENOTSOCK) {
          this.table.state[listener] &= ~(MORE | ACCEPTING);
          sink.failed(listener, -fd);
          return;
        }
        // ECONNABORTED, EPROTO, EOPNOTSUPP, ENETDOWN, … belong to the connection that is gone, not to us (man 2 accept).
      }
    }
    this.enqueue(listener);
  }

  protected datagramsAll(handle: Handle, generation: number): void {
    const { EINTR, EAGAIN } = this.constants.errno;
    const sink = this.table.sinks[handle];
    if (sink === undefined) return;
    for (let reads = 0; reads < READS_A_TURN * 8; reads++) {
      const fd = this.table.fds[handle];
      const n = this.system.receiveFrom(fd, this.scratchAddress, SCRATCH, this.#from, this.#fromLength);
      if (n >= 0) {
        sink.datagram(handle, this.scratch, 0, n, this.#from.subarray(0, this.#fromLength[0]));
        if (this.table.generations[handle] !== generation || (this.table.state[handle] & DATAGRAMS) === 0) return;
      } else if (n === -EAGAIN) {
        this.table.state[handle] &= ~MORE;
        return this.wantsMore(handle);
      } else if (n !== -EINTR) {
        if (this.waits(n)) return this.stall(handle);
        // A refused earlier datagram is reported on the next read (ICMP, man 7 udp): the socket itself is sound.
        sink.failed(handle, -n);
        if (this.table.generations[handle] !== generation || (this.table.state[handle] & DATAGRAMS) === 0) return;
      }
    }
    this.enqueue(handle);
  }

  protected finishConnect(handle: Handle): void {
    const sink = this.table.sinks[handle];
    if (sink === undefined) return;
    const { SOL_SOCKET, SO_ERROR, errno } = this.constants;
    const asked = this.system.getsockopt(this.table.fds[handle], SOL_SOCKET, SO_ERROR, this.#int);
    const error = asked < 0 ? -asked : this.#int[0];
    if (error === errno.EINTR || error === errno.EAGAIN) return this.enqueue(handle);
    this.table.state[handle] &= ~CONNECTING;
    if (error === 0) sink.connected(handle);
    else sink.failed(handle, error);
  }

  /** 0: try again at once; 1: wait for room; negative: broken. */
  protected sendFailed(handle: Handle, result: number): number {
    const { EINTR, EAGAIN } = this.constants.errno;
    if (result === -EINTR) return 0;
    if (result === -EAGAIN) {
      this.wantsRoom(handle);
      return 1;
    }
    if (!this.waits(result)) return result;
    this.stall(handle);
    return 1;
  }

  /** True for the errnos that pass when others give descriptors or memory back. */
  protected waits(result: number): boolean {
    const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = this.constants.errno;
    return result === -ENOBUFS || result === -ENOMEM || result === -EMFILE || result === -ENFILE;
  }

  protected keep(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.table.state[handle] |= BLOCKED;
    this.unsent.add(handle, bytes, start, end);
    return SENDING;
  }

  protected flush(handle: Handle): void {
    for (let rest = this.unsent.get(handle); rest !== undefined; rest = this.unsent.get(handle)) {
      const n = this.system.send(this.table.fds[handle], rest);
      if (n >= 0) this.unsent.took(handle, n);
      else {
        const wait = this.sendFailed(handle, n);
        if (wait === 0) continue;
        if (wait > 0) return;
        this.unsent.delete(handle);
        this.table.state[handle] &= ~BLOCKED;
        this.table.sinks[handle]?.failed(handle, -wait);
        return;
      }
    }
    this.flushed(handle);
  }

  protected flushed(handle: Handle): void {
    this.table.state[handle] &= ~BLOCKED;
    this.table.sinks[handle]?.sent(handle);
  }

  protected enqueue(handle: Handle): void {
    if (this.table.state[handle] & (QUEUED | STALLED)) return;
    this.table.state[handle] |= QUEUED;
    this.queue.push(handle, this.table.generations[handle]);
    if (this.queue.length === 2 && !this.polling) this.onPending();
  }

  protected stall(handle: Handle): void {
    if (this.table.state[handle] & STALLED) return;
    this.table.state[handle] |= STALLED;
    this.#stalled.push(handle, this.table.generations[handle]);
    if (this.#stalled.length === 2) this.onPending();
  }
}
