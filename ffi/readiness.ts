/**
 * From readiness to operations, once for every readiness kernel (epoll, kqueue): try → EAGAIN → park → ready → retry.
 *
 * Edges are remembered, not asked for again: a descriptor is registered once, and a bit a handle says whether the
 * kernel may have more. A read that comes back short has emptied the socket, so it costs no second call to see EAGAIN
 * (epoll(7), Q9) unless a hang-up was reported, whose end of file must still be read.
 */
import type { Constants } from "./constants.ts";
import { HandleTable } from "./handles.ts";
import { type Handle, type Poller, SENDING, SENT, type Sink } from "./poller.ts";
import type { System } from "./system.ts";
import { Unsent } from "./unsent.ts";

/** The three verbs of a readiness kernel. `poll` leaves what is ready in the three arrays and returns how many. */
export interface ReadinessBackend {
  readonly name: string;
  readonly descriptor: number;
  readonly handles: Int32Array;
  readonly generations: Int32Array;
  readonly events: Uint8Array;
  open(fd: number, handle: Handle, generation: number): number;
  forget(fd: number): void;
  poll(timeoutMs: number): number;
  wake(): void;
  dispose(): void;
}

/** Bits of `events`. */
export const READABLE = 1;
export const WRITABLE = 2;
export const HANGUP = 4;
/** TCP urgent data (RFC 6093; telnet's Ctrl-C): recv(2) stops at its mark, so a short read has not emptied the socket. */
export const URGENT = 8;

/*
 * Bits of `state`, 0 for a free handle.
 *   OPEN        set by open, cleared by close
 *   ACCEPTING, RECEIVING, DATAGRAMS   what to do when it is readable; cleared by pause, end and failure
 *   LISTENER    it accepted at some time
 *   CONNECTING  from connect until it is writable
 *   MORE        the kernel may have more to read: an edge came, and no call has found the bottom since
 *   HUNG_UP     FIN, reset, error or urgent data was reported: read on until the kernel says that there is no more
 *   BLOCKED     a send met a full buffer: `#unsent` holds what is left, or sendTo or sendFile waits for room
 *   QUEUED      it stands in `queue`; STALLED: it stands in `stalledHandles`
 */
const OPEN = 1;
const ACCEPTING = 2;
const RECEIVING = 4;
const DATAGRAMS = 8;
const LISTENER = 16;
const CONNECTING = 32;
const MORE = 64;
const HUNG_UP = 128;
const BLOCKED = 256;
const QUEUED = 512;
const STALLED = 1024;
const READING = ACCEPTING | RECEIVING | DATAGRAMS;

/** One recv takes at most this; the scratch is shared by all handles of a poller. */
const SCRATCH = 64 * 1024;
/** Reads, or accepts, of one handle before the others get their turn. */
const READS_A_TURN = 4;
const ACCEPTS_A_TURN = 64;

export class ReadinessPoller implements Poller {
  readonly name: string;
  readonly constants: Constants;
  readonly system: System;
  readonly descriptor: number;
  readonly outgoing: Uint8Array<ArrayBuffer>;
  onPending: () => void = () => {};
  onSinkError: (handle: Handle, error: unknown) => void = (_handle, error) => console.error(error);

  readonly #backend: ReadinessBackend;
  readonly #scratch: Uint8Array<ArrayBuffer>;
  readonly #scratchAddress: number;
  readonly #outgoingAddress: number;
  readonly #from = new Uint8Array(128); // sockaddr_storage
  readonly #fromLength = new Uint32Array(1);
  readonly #int = new Int32Array(1);

  readonly #table = new HandleTable();
  readonly #unsent = new Unsent();
  /** Handles with work that no edge will announce, as handle and generation; the ones that wait for resources. */
  #queue: number[] = [];
  #stalled: number[] = [];

  constructor(system: System, backend: ReadinessBackend) {
    this.system = system;
    this.constants = system.constants;
    this.#backend = backend;
    this.name = backend.name;
    this.descriptor = backend.descriptor;
    const scratch = system.allocate(SCRATCH);
    this.#scratch = new Uint8Array(scratch.buffer);
    this.#scratchAddress = scratch.address;
    const outgoing = system.allocate(SCRATCH);
    this.outgoing = new Uint8Array(outgoing.buffer);
    this.#outgoingAddress = outgoing.address;
  }

  get openCount(): number {
    return this.#table.count;
  }
  get pending(): boolean {
    return this.#queue.length > 0;
  }
  get stalled(): number {
    return this.#stalled.length / 2;
  }

  open(fd: number, sink: Sink): Handle {
    const handle = this.#table.next();
    const failed = this.#backend.open(fd, handle, this.#table.generations[handle]);
    return failed < 0 ? failed : this.#table.take(fd, OPEN, sink);
  }

  close(handle: Handle): void {
    const state = this.#table.state[handle];
    if ((state & OPEN) === 0) return;
    const fd = this.#table.fds[handle];
    if (state & LISTENER) this.#backend.forget(fd);
    if (state & BLOCKED) this.#unsent.delete(handle);
    this.#table.release(handle);
    // EINTR after close(2) on Linux means closed (man 2 close); a second try could hit the descriptor's next owner.
    this.system.close(fd);
    if (this.#stalled.length > 0) this.retry();
  }

  poll(timeoutMs: number): number {
    const queued = this.#queue;
    const count = this.#backend.poll(queued.length > 0 ? 0 : timeoutMs);
    const { handles, generations, events } = this.#backend;
    for (let i = 0; i < count; i++) {
      const handle = handles[i];
      if (this.#table.generations[handle] !== generations[i]) continue; // an event of a former life
      try {
        this.#ready(handle, events[i]);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    if (queued.length === 0) return count;
    this.#queue = [];
    for (let i = 0; i < queued.length; i += 2) {
      const handle = queued[i];
      if (this.#table.generations[handle] !== queued[i + 1]) continue;
      this.#table.state[handle] &= ~QUEUED;
      try {
        this.#ready(handle, 0);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    return count + queued.length / 2;
  }

  wake(): void {
    this.#backend.wake();
  }

  retry(): void {
    const stalled = this.#stalled;
    this.#stalled = [];
    for (let i = 0; i < stalled.length; i += 2) {
      const handle = stalled[i];
      if (this.#table.generations[handle] !== stalled[i + 1]) continue;
      this.#table.state[handle] &= ~STALLED;
      this.#enqueue(handle);
    }
  }

  dispose(): void {
    this.#backend.dispose();
  }

  fd(handle: Handle): number {
    return this.#table.fds[handle];
  }
  sink(handle: Handle): Sink | undefined {
    return this.#table.sinks[handle];
  }
  setSink(handle: Handle, sink: Sink): void {
    this.#table.sinks[handle] = sink;
  }

  accept(listener: Handle): void {
    this.#table.state[listener] |= LISTENER;
    this.#read(listener, ACCEPTING);
  }
  receive(handle: Handle): void {
    this.#read(handle, RECEIVING);
  }
  receiveDatagrams(handle: Handle): void {
    this.#read(handle, DATAGRAMS);
  }
  pause(handle: Handle): void {
    this.#table.state[handle] &= ~READING;
  }

  connect(handle: Handle, address: Uint8Array): number {
    const { EINTR, EINPROGRESS } = this.constants.errno;
    const result = this.system.connect(this.#table.fds[handle], address);
    // An interrupted connect goes on by itself; calling it again would say EALREADY (man 2 connect).
    if (result < 0 && result !== -EINPROGRESS && result !== -EINTR) return result;
    this.#table.state[handle] |= CONNECTING;
    if (result === 0) this.#enqueue(handle);
    return 0;
  }

  send(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    if (this.#table.state[handle] & BLOCKED) return this.#keep(handle, bytes, start, end);
    while (start < end) {
      const whole = start === 0 && end === bytes.length;
      const n = this.system.send(this.#table.fds[handle], whole ? bytes : bytes.subarray(start, end));
      if (n < 0) {
        const wait = this.#sendFailed(handle, n);
        if (wait < 0) return wait;
        if (wait === 0) continue;
        return this.#keep(handle, bytes, start, end);
      }
      start += n;
    }
    return SENT;
  }

  sendOutgoing(handle: Handle, start: number, end: number): number {
    if (this.#table.state[handle] & BLOCKED) return this.#keep(handle, this.outgoing, start, end);
    while (start < end) {
      const n = this.system.sendAt(this.#table.fds[handle], this.#outgoingAddress + start, end - start);
      if (n < 0) {
        const wait = this.#sendFailed(handle, n);
        if (wait < 0) return wait;
        if (wait === 0) continue;
        return this.#keep(handle, this.outgoing, start, end);
      }
      start += n;
    }
    return SENT;
  }

  sendTo(handle: Handle, bytes: Uint8Array, to: Uint8Array): number {
    const { EINTR, EAGAIN, ENOBUFS } = this.constants.errno;
    for (;;) {
      const n = this.system.sendTo(this.#table.fds[handle], bytes, to);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) this.#table.state[handle] |= BLOCKED;
      else if (n === -ENOBUFS) {
        this.#table.state[handle] |= BLOCKED;
        this.#stall(handle);
        return -EAGAIN;
      }
      return n;
    }
  }

  sendFile(handle: Handle, file: number, offset: number, length: number): number {
    const { EINTR, EAGAIN } = this.constants.errno;
    if (this.#table.state[handle] & BLOCKED) return -EAGAIN;
    for (;;) {
      const n = this.system.sendFile(this.#table.fds[handle], file, offset, length);
      if (n >= 0) return n;
      if (n === -EINTR) continue;
      const wait = this.#sendFailed(handle, n);
      if (wait < 0) return wait;
      this.#table.state[handle] |= BLOCKED;
      return -EAGAIN;
    }
  }

  outstanding(handle: Handle): number {
    const waiting = this.#unsent.get(handle)?.length ?? 0;
    return waiting + Math.max(0, this.system.unacknowledged(this.#table.fds[handle]));
  }

  shutdown(handle: Handle): number {
    return this.system.shutdown(this.#table.fds[handle], this.constants.SHUT_WR);
  }

  /** An edge came (or, with no events, the queue): do what the handle is there for. */
  #ready(handle: Handle, events: number): void {
    const generation = this.#table.generations[handle];
    if (this.#table.state[handle] & CONNECTING) {
      this.#finishConnect(handle, events);
      if (this.#table.generations[handle] !== generation) return;
    } else if (this.#table.state[handle] & BLOCKED && (events & WRITABLE || events === 0)) {
      this.#flush(handle);
      if (this.#table.generations[handle] !== generation) return;
    }
    if (events & (HANGUP | URGENT)) this.#table.state[handle] |= HUNG_UP;
    if (events & (READABLE | HANGUP)) this.#table.state[handle] |= MORE;
    const state = this.#table.state[handle];
    if ((state & MORE) === 0) return;
    if (state & RECEIVING) this.#receiveAll(handle, generation);
    else if (state & ACCEPTING) this.#acceptAll(handle, generation);
    else if (state & DATAGRAMS) this.#datagramsAll(handle, generation);
    else if (events & HANGUP && (state & CONNECTING) === 0) this.#table.sinks[handle]?.hungUp(handle);
  }

  #read(handle: Handle, how: number): void {
    this.#table.state[handle] |= how;
    // An edge that came while it was paused will not come again.
    if (this.#table.state[handle] & MORE) this.#enqueue(handle);
  }

  #receiveAll(handle: Handle, generation: number): void {
    const { EINTR, EAGAIN } = this.constants.errno;
    for (let reads = 0; reads < READS_A_TURN; reads++) {
      // Asked anew for each read: what the last one brought may have handed the connection over (`setSink`), and the old
      // sink has forgotten it. Told all the same, it kept the bytes for the handle's next owner.
      const sink = this.#table.sinks[handle];
      if (sink === undefined) return;
      const n = this.system.receive(this.#table.fds[handle], this.#scratchAddress, SCRATCH);
      if (n > 0) {
        const bottom = n < SCRATCH && (this.#table.state[handle] & HUNG_UP) === 0;
        if (bottom) this.#table.state[handle] &= ~MORE;
        sink.received(handle, this.#scratch, 0, n);
        // The sink may have closed or paused it. A pause leaves MORE set for the next `receive`.
        if (this.#table.generations[handle] !== generation || bottom || (this.#table.state[handle] & RECEIVING) === 0)
          return;
      } else if (n === 0) {
        this.#table.state[handle] &= ~(MORE | RECEIVING);
        sink.ended(handle);
        return;
      } else if (n === -EAGAIN) {
        this.#table.state[handle] &= ~MORE;
        return;
      } else if (n !== -EINTR) {
        if (this.#waits(n)) return this.#stall(handle);
        this.#table.state[handle] &= ~(MORE | RECEIVING);
        sink.failed(handle, -n);
        return;
      }
    }
    this.#enqueue(handle);
  }

  #datagramsAll(handle: Handle, generation: number): void {
    const { EINTR, EAGAIN } = this.constants.errno;
    const sink = this.#table.sinks[handle];
    if (sink === undefined) return;
    for (let reads = 0; reads < READS_A_TURN * 8; reads++) {
      const n = this.system.receiveFrom(
        this.#table.fds[handle],
        this.#scratchAddress,
        SCRATCH,
        this.#from,
        this.#fromLength,
      );
      if (n >= 0) {
        sink.datagram(handle, this.#scratch, 0, n, this.#from.subarray(0, this.#fromLength[0]));
        if (this.#table.generations[handle] !== generation || (this.#table.state[handle] & DATAGRAMS) === 0) return;
      } else if (n === -EAGAIN) {
        this.#table.state[handle] &= ~MORE;
        return;
      } else if (n !== -EINTR) {
        if (this.#waits(n)) return this.#stall(handle);
        // A refused earlier datagram is reported on the next read (ICMP, man 7 udp): the socket itself is sound.
        sink.failed(handle, -n);
        if (this.#table.generations[handle] !== generation || (this.#table.state[handle] & DATAGRAMS) === 0) return;
      }
    }
    this.#enqueue(handle);
  }

  #acceptAll(listener: Handle, generation: number): void {
    const { EINTR, EAGAIN, EBADF, EINVAL, ENOTSOCK } = this.constants.errno;
    const sink = this.#table.sinks[listener];
    if (sink === undefined) return;
    for (let accepts = 0; accepts < ACCEPTS_A_TURN; accepts++) {
      const fd = this.system.accept(this.#table.fds[listener]);
      if (fd >= 0) {
        sink.accepted(listener, fd);
        if (this.#table.generations[listener] !== generation || (this.#table.state[listener] & ACCEPTING) === 0) return;
      } else if (fd === -EAGAIN) {
        this.#table.state[listener] &= ~MORE;
        return;
      } else if (fd !== -EINTR) {
        if (this.#waits(fd)) {
          // Accepting stops, without a spin, until something closes or the runtime's retry comes.
          this.#stall(listener);
          sink.failed(listener, -fd);
          return;
        }
        if (fd === -EBADF || fd === -EINVAL || fd === -ENOTSOCK) {
          this.#table.state[listener] &= ~(MORE | ACCEPTING);
          sink.failed(listener, -fd);
          return;
        }
        // ECONNABORTED, EPROTO, EOPNOTSUPP, ENETDOWN, … belong to the connection that is gone, not to us (man 2 accept).
      }
    }
    this.#enqueue(listener);
  }

  #finishConnect(handle: Handle, events: number): void {
    const sink = this.#table.sinks[handle];
    if (sink === undefined) return;
    if ((events & (WRITABLE | HANGUP)) === 0 && events !== 0) return;
    const { SOL_SOCKET, SO_ERROR, errno } = this.constants;
    const asked = this.system.getsockopt(this.#table.fds[handle], SOL_SOCKET, SO_ERROR, this.#int);
    const error = asked < 0 ? -asked : this.#int[0];
    if (error === errno.EINTR || error === errno.EAGAIN) return this.#enqueue(handle);
    this.#table.state[handle] &= ~CONNECTING;
    if (error === 0) sink.connected(handle);
    else sink.failed(handle, error);
  }

  /** 0: try again at once; 1: wait for room; negative: broken. */
  #sendFailed(handle: Handle, result: number): number {
    const { EINTR, EAGAIN } = this.constants.errno;
    if (result === -EINTR) return 0;
    if (result === -EAGAIN) return 1;
    if (!this.#waits(result)) return result;
    this.#stall(handle);
    return 1;
  }

  /** True for the errnos that pass when others give descriptors or memory back. */
  #waits(result: number): boolean {
    const { EMFILE, ENFILE, ENOBUFS, ENOMEM } = this.constants.errno;
    return result === -ENOBUFS || result === -ENOMEM || result === -EMFILE || result === -ENFILE;
  }

  #keep(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.#table.state[handle] |= BLOCKED;
    this.#unsent.add(handle, bytes, start, end);
    return SENDING;
  }

  #flush(handle: Handle): void {
    for (let rest = this.#unsent.get(handle); rest !== undefined; rest = this.#unsent.get(handle)) {
      const n = this.system.send(this.#table.fds[handle], rest);
      if (n >= 0) this.#unsent.took(handle, n);
      else {
        const wait = this.#sendFailed(handle, n);
        if (wait === 0) continue;
        if (wait > 0) return;
        this.#unsent.delete(handle);
        this.#table.state[handle] &= ~BLOCKED;
        this.#table.sinks[handle]?.failed(handle, -wait);
        return;
      }
    }
    this.#table.state[handle] &= ~BLOCKED;
    this.#table.sinks[handle]?.sent(handle);
  }

  #enqueue(handle: Handle): void {
    if (this.#table.state[handle] & (QUEUED | STALLED)) return;
    this.#table.state[handle] |= QUEUED;
    this.#queue.push(handle, this.#table.generations[handle]);
    if (this.#queue.length === 2) this.onPending();
  }

  #stall(handle: Handle): void {
    if (this.#table.state[handle] & STALLED) return;
    this.#table.state[handle] |= STALLED;
    this.#stalled.push(handle, this.#table.generations[handle]);
    if (this.#stalled.length === 2) this.onPending();
  }
}
