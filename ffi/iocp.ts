/**
 * A completion port, the poller of Windows. The kernel is asked for what takes time (to accept, to connect, to send what
 * found no room, and to say when there is something to be read) and says when it has ended; what can be done at once is
 * done by a call, as on every other system (`socket-poller.ts`).
 *
 * - Receiving is asked for with no bytes: so a connection that waits owns no buffer. Then it is read to the bottom.
 * - Accepts are asked for ahead of the connections. What has ended during a pause waits here, as in the backlog.
 *
 * **The life of a handle:** open → closing → free. `close` closes the socket, which cancels whatever is under way on it;
 * the handle is free at the last completion, when none of its *_ASKED bits is left.
 */

import {
  ACCEPTING,
  BLOCKED,
  CONNECTING,
  DATAGRAMS,
  HUNG_UP,
  LISTENER,
  MORE,
  OPEN,
  READING,
  RECEIVING,
  STALLED,
} from "./handles.ts";
import { Held } from "./held.ts";
import { PENDING } from "./iocp-calls.ts";
import { ACCEPT_ASKED, CLOSING, CONNECT_ASKED, INPUT_ASKED, LEAVING, SEND_ASKED } from "./iocp-loop.ts";
import { IocpSending, LATE, SEND } from "./iocp-sending.ts";
import { resets } from "./linger.ts";
import type { Handle, Sink } from "./poller.ts";
import { SCRATCH } from "./socket-poller.ts";
import type { KernelMemory } from "./system.ts";

/*
 * A bit of a handle's state beside those of `iocp-sending.ts`.
 *   HELD   something came during a pause
 */
const HELD = 1 << 19;

/** Kinds of operations. */
const INPUT = 1;
const CONNECT = 3;
const ACCEPT = 4;

const MSG_PEEK = 2;
/** Accepts under way for one listener: as many as libuv has. */
const AHEAD = 32;
/** What one connection may have sent in a pause before we stop looking for its end. */
const MOST_HELD = 64 * 1024;

interface Listening {
  readonly family: number;
  /** What the listener has, and its connections are to have. */
  readonly noDelay: boolean;
  asked: number;
  /** Accepted, and not told of yet. */
  readonly accepted: number[];
}

export class IocpPoller extends IocpSending {
  readonly #held = new Held();
  readonly #listening = new Map<Handle, Listening>();
  readonly #one = new Int32Array(1);
  /** Datagrams of all sockets are looked at here; nobody reads it. */
  #looked: KernelMemory | undefined;

  open(fd: number, sink: Sink, spoke = false): Handle {
    const failed = this.calls.associate(fd, this.port);
    if (failed < 0) return failed;
    const handle = this.table.take(fd, spoke ? OPEN | MORE : OPEN, sink);
    if (!this.polling && this.fresh.length === 0) this.onPending();
    this.fresh.push(handle, this.table.generations[handle]);
    return handle;
  }

  close(handle: Handle): void {
    const { state } = this.table;
    const before = state[handle];
    if ((before & OPEN) === 0) return;
    this.table.sinks[handle] = undefined;
    this.closing++;
    state[handle] = (before & ~(OPEN | READING | CONNECTING)) | CLOSING;
    if (before & HELD) this.#held.drop(handle);
    if (before & LATE && !resets(this.system, this.table.fds[handle])) return this.leave(handle);
    this.closeSocket(handle);
    if (this.stalled > 0) this.retry();
  }

  protected closeSocket(handle: Handle): void {
    this.unsent.delete(handle);
    // A close does so by itself; but Wine 10 then sends by the number of the socket, which may be the next one's.
    if (this.table.state[handle] & SEND_ASKED) this.calls.cancel(this.table.fds[handle]);
    this.system.close(this.table.fds[handle]);
    const listening = this.#listening.get(handle);
    if (listening !== undefined) {
      for (const fd of listening.accepted.splice(0)) this.system.close(fd);
      if (listening.asked === 0) this.#listening.delete(handle);
    }
    this.freeIfDone(handle);
  }

  protected completed(operation: number, status: number, bytes: number): void {
    const { operations, table } = this;
    const handle = operations.handles[operation];
    const kind = operations.kinds[operation];
    if (kind === ACCEPT) return this.#acceptEnded(handle, operation, status);
    if (kind === 0) return;
    const closed = (table.state[handle] & (CLOSING | LEAVING)) === CLOSING;
    // The status of an operation is the kernel's own; winsock knows which of its errors that is.
    const error = status === 0 || closed ? 0 : this.#errorOf(handle, operation);
    if (kind === SEND) this.givePiece(operation);
    operations.give(operation);
    const asked = kind === INPUT ? INPUT_ASKED : kind === SEND ? SEND_ASKED : CONNECT_ASKED;
    table.state[handle] &= ~asked;
    if (closed) return this.freeIfDone(handle);
    if (kind === INPUT) this.#inputEnded(handle, error);
    else if (kind === SEND) this.sendEnded(handle, error, bytes);
    else this.#connectEnded(handle, error);
  }

  #errorOf(handle: Handle, operation: number): number {
    const { ECONNABORTED } = this.constants.errno;
    return this.calls.error(this.table.fds[handle], this.operations.addressOf(operation)) || ECONNABORTED;
  }

  /** From the queue: what no completion announces. */
  protected work(handle: Handle): void {
    const { table } = this;
    const generation = table.generations[handle];
    if (table.state[handle] & LEAVING) return this.sendRest(handle);
    if (table.state[handle] & CONNECTING) {
      if (table.state[handle] & CONNECT_ASKED) return;
      this.finishConnect(handle);
      if (table.generations[handle] === generation) this.#watch(handle);
    } else if (table.state[handle] & BLOCKED && (table.state[handle] & SEND_ASKED) === 0) this.flush(handle);
    if (table.generations[handle] !== generation) return;
    if (table.state[handle] & ACCEPTING) return this.#tellAccepted(handle, generation);
    this.#read(handle, generation);
  }

  // ---- receiving

  receive(handle: Handle): void {
    const { state } = this.table;
    if ((state[handle] & OPEN) === 0) return;
    state[handle] |= RECEIVING;
    if (state[handle] & (HELD | MORE)) this.enqueue(handle);
    else this.wantsMore(handle);
  }

  receiveDatagrams(handle: Handle): void {
    const { state } = this.table;
    if ((state[handle] & OPEN) === 0) return;
    state[handle] |= DATAGRAMS;
    if (state[handle] & MORE) this.enqueue(handle);
    else this.wantsMore(handle);
  }

  pause(handle: Handle): void {
    this.table.state[handle] &= ~READING;
  }

  /** Asks to be told when there is something to be read, be it the end. */
  protected wantsMore(handle: Handle): void {
    const { operations, table } = this;
    if (table.state[handle] & (INPUT_ASKED | CLOSING | STALLED)) return;
    const operation = operations.take(INPUT, handle);
    if (table.state[handle] & DATAGRAMS) this.#peek(operation);
    const result = this.calls.receive(table.fds[handle], operations.addressOf(operation));
    if (result === 0 || result === -PENDING) {
      table.state[handle] |= INPUT_ASKED;
      return;
    }
    operations.give(operation);
    // A read says what it is.
    table.state[handle] |= MORE | HUNG_UP;
    if (this.waits(result)) this.stall(handle);
    else this.enqueue(handle);
  }

  /**
   * A datagram that does not fit into no bytes would be lost. So it is only looked at, and in memory that has room for any:
   * for one that has not, winsock answers with an error (WSAEMSGSIZE), behind which a completion may follow, or not.
   */
  #peek(operation: number): void {
    this.#looked ??= this.system.allocate(SCRATCH);
    this.operations.setBuffer(operation, this.#looked.address, SCRATCH);
    this.operations.setFlags(operation, MSG_PEEK);
  }

  protected emptied(handle: Handle): void {
    this.wantsMore(handle);
  }

  #inputEnded(handle: Handle, error: number): void {
    const { table } = this;
    table.state[handle] |= error === 0 || table.state[handle] & DATAGRAMS ? MORE : MORE | HUNG_UP;
    this.#read(handle, table.generations[handle]);
  }

  #read(handle: Handle, generation: number): void {
    const { table } = this;
    if (table.state[handle] & HELD) {
      if (!this.#held.deliver(table, handle, HELD)) return;
    }
    const state = table.state[handle];
    if ((state & (OPEN | CONNECTING)) !== OPEN || state & (ACCEPTING | LISTENER)) return;
    if (state & DATAGRAMS) {
      if (state & MORE) this.datagramsAll(handle, generation);
      return;
    }
    if (state & RECEIVING) {
      if ((state & MORE) === 0) return this.wantsMore(handle);
      this.receiveAll(handle, generation);
      if (table.generations[handle] !== generation) return;
    }
    // It has paused, or does not listen yet: its end is to be noticed all the same.
    if ((table.state[handle] & (OPEN | RECEIVING | MORE)) === (OPEN | MORE)) this.#readHeld(handle);
  }

  /** Bytes that nobody wants now are kept, so many: an end is seen only behind them. */
  #readHeld(handle: Handle): void {
    const { table, system } = this;
    const { EAGAIN, EINTR, EMSGSIZE } = this.constants.errno;
    while (this.#held.length(handle) < MOST_HELD) {
      const n = system.receive(table.fds[handle], this.scratchAddress, SCRATCH / 2);
      if (n > 0) {
        this.#held.bytes(handle, this.scratch.slice(0, n));
        table.state[handle] |= HELD;
      } else if (n === -EAGAIN) {
        table.state[handle] &= ~MORE;
        return this.wantsMore(handle);
      } else if (n === -EMSGSIZE)
        return; // a datagram socket that nobody listens to
      else if (n !== -EINTR) {
        table.state[handle] = (table.state[handle] & ~MORE) | HELD;
        this.#held.end(handle, -n);
        this.table.sinks[handle]?.hungUp(handle);
        return;
      }
    }
  }

  /** Connections that nobody reads from are watched for their end. */
  protected watchFresh(): void {
    const { table } = this;
    const fresh = this.fresh;
    this.fresh = [];
    for (let i = 0; i < fresh.length; i += 2) {
      const handle = fresh[i];
      if (table.generations[handle] !== fresh[i + 1]) continue;
      const idle = (table.state[handle] & (OPEN | READING | INPUT_ASKED | CONNECTING | LISTENER)) === OPEN;
      if (!idle || !this.#isConnected(handle)) continue;
      if (table.state[handle] & MORE) this.#readHeld(handle);
      else this.wantsMore(handle);
    }
  }

  /** No listener, no datagram socket, nor one that is yet to connect: those may be asked for something only later. */
  #isConnected(handle: Handle): boolean {
    const { SOL_SOCKET, SO_TYPE, SOCK_STREAM } = this.constants;
    const fd = this.table.fds[handle];
    if (this.system.getsockopt(fd, SOL_SOCKET, SO_TYPE, this.#one) < 0 || this.#one[0] !== SOCK_STREAM) return false;
    return this.system.getpeername(fd, new Uint8Array(128)) >= 0;
  }

  // ---- accepting

  accept(listener: Handle): void {
    const { table, system, constants } = this;
    if ((table.state[listener] & OPEN) === 0) return;
    table.state[listener] |= ACCEPTING | LISTENER;
    let listening = this.#listening.get(listener);
    if (listening === undefined) {
      const fd = table.fds[listener];
      const address = new Uint8Array(128);
      system.getsockname(fd, address);
      const { IPPROTO_TCP, TCP_NODELAY } = constants;
      const noDelay = system.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, this.#one) >= 0 && this.#one[0] !== 0;
      listening = { family: address[0], noDelay, asked: 0, accepted: [] };
      this.#listening.set(listener, listening);
    }
    if (listening.accepted.length > 0) this.enqueue(listener);
    this.#askAccepts(listener, listening);
  }

  #askAccepts(listener: Handle, listening: Listening): void {
    const { table, operations, system } = this;
    const { SOCK_STREAM, errno } = this.constants;
    while (listening.asked < AHEAD && (table.state[listener] & (ACCEPTING | STALLED)) === ACCEPTING) {
      const fd = system.socket(listening.family, SOCK_STREAM, 0);
      let result = fd;
      if (fd >= 0) {
        const operation = operations.take(ACCEPT, listener, fd);
        result = this.calls.accept(table.fds[listener], fd, operations.addressOf(operation));
        if (result === 0 || result === -PENDING) {
          listening.asked++;
          table.state[listener] |= ACCEPT_ASKED;
          continue;
        }
        operations.give(operation);
        system.close(fd);
        // Of a connection that is gone already: it is that one's, not the listener's.
        if (result === -errno.ECONNRESET || result === -errno.ECONNABORTED) continue;
      }
      // As long as one is under way, its end brings us here again.
      if (listening.asked > 0 && this.waits(result)) return;
      if (this.waits(result)) this.stall(listener);
      else table.state[listener] &= ~ACCEPTING;
      table.sinks[listener]?.failed(listener, -result);
      return;
    }
  }

  #acceptEnded(listener: Handle, operation: number, status: number): void {
    const { table, operations, system } = this;
    const fd = operations.extras[operation];
    operations.give(operation);
    const listening = this.#listening.get(listener) as Listening;
    if (--listening.asked === 0) table.state[listener] &= ~ACCEPT_ASKED;
    if (table.state[listener] & CLOSING) {
      system.close(fd);
      if (listening.asked === 0) this.#listening.delete(listener);
      return this.freeIfDone(listener);
    }
    if (status !== 0 || this.calls.accepted(fd, table.fds[listener]) < 0) system.close(fd);
    else {
      const { IPPROTO_TCP, TCP_NODELAY } = this.constants;
      if (listening.noDelay) system.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE);
      listening.accepted.push(fd);
    }
    this.#tellAccepted(listener, table.generations[listener]);
  }

  #tellAccepted(listener: Handle, generation: number): void {
    const { table } = this;
    const listening = this.#listening.get(listener);
    if (listening === undefined) return;
    while (table.generations[listener] === generation && table.state[listener] & ACCEPTING) {
      const fd = listening.accepted.shift();
      if (fd === undefined) return this.#askAccepts(listener, listening);
      table.sinks[listener]?.accepted(listener, fd);
    }
  }

  // ---- connecting

  override connect(handle: Handle, address: Uint8Array): number {
    const { table, operations, constants } = this;
    // ConnectEx knows TCP alone; a Unix socket is connected, or refused, at once.
    if (address[0] === constants.AF_UNIX) return super.connect(handle, address);
    const any = new Uint8Array(address.length);
    any[0] = address[0];
    // It wants a socket that has an address; EINVAL: this one has.
    const bound = this.system.bind(table.fds[handle], any);
    if (bound < 0 && bound !== -constants.errno.EINVAL) return bound;
    const operation = operations.take(CONNECT, handle);
    const result = this.calls.connect(table.fds[handle], address, operations.addressOf(operation));
    if (result !== 0 && result !== -PENDING) {
      operations.give(operation);
      return result;
    }
    table.state[handle] |= CONNECTING | CONNECT_ASKED;
    return 0;
  }

  #connectEnded(handle: Handle, error: number): void {
    const { table } = this;
    table.state[handle] &= ~CONNECTING;
    const failed = error === 0 ? -this.calls.connected(table.fds[handle]) : error;
    const sink = table.sinks[handle];
    if (failed !== 0) sink?.failed(handle, failed);
    else {
      const generation = table.generations[handle];
      sink?.connected(handle);
      if (table.generations[handle] === generation) this.#watch(handle);
    }
  }

  /** Whether or not somebody reads: the end is to be noticed. */
  #watch(handle: Handle): void {
    if ((this.table.state[handle] & (OPEN | MORE | CONNECTING)) === OPEN) this.wantsMore(handle);
  }
}

const ONE = new Uint8Array([1, 0, 0, 0]);
