/**
 * io_uring(7), the completion backend of Linux: the kernel is told what to do, does it, and says what came of it, for
 * all connections in one io_uring_enter(2) a turn.
 *
 * - Receiving is multishot: asked for once, told of until it ends. Bytes come in provided buffers.
 * - What is sent in a turn leaves in that enter (`uring-sending.ts`).
 * - A pause costs nothing until something comes: that is kept, and only then is the kernel told to stop.
 *
 * **The life of a handle:** open → closing → free. The kernel holds a socket as long as a request on it is under way:
 * closing it by its number alone would send no FIN, and a listener would go on accepting. So `close` cancels what is
 * under way and closes the descriptor behind that; the handle is free at its last completion, when none of the bits
 * IN_KERNEL is left.
 */
import { openEpoll } from "./epoll.ts";
import { ACCEPTING, BLOCKED, CONNECTING, DATAGRAMS, LISTENER, MORE, OPEN, READING, RECEIVING } from "./handles.ts";
import { Held } from "./held.ts";
import { resets } from "./linger.ts";
import type { Handle, Sink } from "./poller.ts";
import { HANGUP as HANGUP_EVENT, READABLE, type ReadinessBackend, WRITABLE } from "./readiness.ts";
import type { LinuxSystem } from "./system.ts";
import { BUFFER_BYTES, ProvidedBuffers } from "./uring-buffers.ts";
import type { UringCalls } from "./uring-calls.ts";
import {
  BOUND_READY,
  CLOSING,
  HANGUP,
  HANGUP_ASKED,
  INPUT,
  INPUT_ASKED,
  LEAVING,
  LEFT_BEHIND,
  RECV,
  RECV_ASKED,
  ROOM,
  ROOM_ASKED,
  SEND_ASKED,
  SEND_BLOCKED,
  SEND_FAILED,
} from "./uring-loop.ts";
import { probe } from "./uring-probe.ts";
import { BUFFER_SELECT, F_BUFFER, F_MORE, OP_RECV, RECV_MULTISHOT } from "./uring-ring.ts";
import { LATE, RESET, UringSending } from "./uring-sending.ts";

// poll.h
const POLLOUT = 0x004;
const POLLERR = 0x008;
const POLLHUP = 0x010;
const POLLRDHUP = 0x2000;

/*
 * Bits of a handle's state beside those of `uring-sending.ts`.
 *   HELD       something came during a pause
 *   STREAM     it has received: nobody will want its address at once when it is closed
 *   BOUND      it has an address of its own, and is watched through `#bound`
 *   HALF_SHUT  its peer has sent FIN, and then each poll of the ring's ends at once, whatever it asks for: so room for what
 *              is BLOCKED is waited for through `#bound`, too
 *   BULK       it has filled a whole buffer: until little comes it is read from as on every other system, by calls of its
 *              own into one buffer that stays in the processor's cache (an upload cost 1.5 times as much without)
 *   LASTS      its bytes come in small pieces: they are asked for once for all. Else, that is at first, and while they
 *              fill whole buffers, for one buffer at a time: most connections of one request need no more, and a pause
 *              can bound what comes.
 */
const HELD = 1 << 21;
const STREAM = 1 << 22;
const LASTS = 1 << 23;
const BULK = 1 << 24;
const BOUND = 1 << 25;
const HALF_SHUT = 1 << 27;

/** What `#bound` tells of that asks for a look. */
const LOOK = READABLE | HANGUP_EVENT;
/** What a poll for room can be answered with that lets a send end, be it in failure. */
const ROOM_OR_END = POLLOUT | POLLERR | POLLHUP; // without these it is POLLRDHUP alone
/** A connection that sends less than this at a time is no bulk any more. */
const BULK_ENDS = 16 * 1024;

export class UringPoller extends UringSending {
  readonly #buffers: ProvidedBuffers;
  readonly #held = new Held();
  /** Handles whose receiving ended for lack of buffers, until some are back. */
  #starved: number[] = [];
  /**
   * Watches listeners and datagram sockets. A request on one holds it for some milliseconds beyond the end of a process
   * that is killed, and so its address: the next one could not have it, or took it for alive. An epoll set holds nothing,
   * so the ring is asked to poll that.
   */
  readonly #bound: ReadinessBackend;
  #boundAsked = false;
  /** Opened in this round: whoever is neither receiving nor closed at its end is watched for a hang-up. */
  readonly #fresh: number[] = [];

  /** Throws one sentence when the kernel refuses, or does not do as we need. */
  constructor(system: LinuxSystem, calls: UringCalls) {
    super(system, calls);
    try {
      this.#bound = openEpoll(system);
      this.#buffers = new ProvidedBuffers(calls, this.ring);
      probe(system, this.ring, this.#buffers, this.outgoingMemory);
      this.watchWake();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  override get pending(): boolean {
    return this.#fresh.length > 0 || super.pending;
  }

  protected override freeMemory(): void {
    super.freeMemory();
    this.#bound?.dispose();
    this.#buffers?.dispose();
  }

  protected completed(handle: Handle, kind: number, result: number, flags: number): void {
    if (kind === RECV) {
      try {
        this.#received(handle, result, flags);
      } finally {
        // Whatever a sink throws: the kernel would run out of them.
        if (flags & F_BUFFER) this.#buffers.give(flags >>> 16);
      }
    } else if (kind === SEND_FAILED) this.table.sinks[handle]?.failed(handle, -result);
    else if (kind === SEND_BLOCKED) {
      // It may have gone meanwhile.
      if (this.table.state[handle] & LATE) this.table.sinks[handle]?.blocked?.(handle);
    } else if (kind === LEFT_BEHIND) this.leftBehindTooLong(handle);
    else this.#ready(handle, kind, result);
  }

  protected outlived(kind: number, flags: number): void {
    if (kind === RECV && flags & F_BUFFER) this.#buffers.give(flags >>> 16);
  }

  protected roundEnded(): void {
    if (this.#fresh.length > 0) this.#watchFresh();
    this.#buffers.tell();
    if (this.#starved.length > 0) this.#feedStarved();
  }

  /** A poll request has ended. */
  #ready(handle: Handle, kind: number, result: number): void {
    const asked = kind === ROOM ? ROOM_ASKED : kind === INPUT ? INPUT_ASKED : HANGUP_ASKED;
    this.table.state[handle] &= ~asked;
    const state = this.table.state[handle];
    if (kind === ROOM && result > 0 && (result & ROOM_OR_END) === 0) {
      if (state & LEAVING || (state & (BLOCKED | CLOSING)) === BLOCKED) return this.#watchRoom(handle);
    }
    if (state & CLOSING) {
      if (kind === ROOM && state & LEAVING) this.flushLeaving(handle);
      this.freeIfDone(handle);
      return;
    }
    if (kind === ROOM) {
      if (state & CONNECTING) this.finishConnect(handle);
      else if (state & BLOCKED) this.flush(handle);
    } else if (kind === INPUT) {
      this.table.state[handle] |= MORE;
      if ((state & (STREAM | RECEIVING)) === STREAM) this.#watchHangup(handle);
      else this.work(handle);
    } else if ((state & RECEIVING) === 0) this.table.sinks[handle]?.hungUp(handle);
  }

  /** From the queue: what no completion announces. */
  protected work(handle: Handle): void {
    const { table } = this;
    const generation = table.generations[handle];
    if (table.state[handle] & LEAVING) return this.flushLeaving(handle);
    if (table.state[handle] & CONNECTING) this.finishConnect(handle);
    else if (table.state[handle] & BLOCKED) this.flush(handle);
    if (table.generations[handle] !== generation || table.state[handle] & CLOSING) return;
    const now = table.state[handle];
    if (now & RECEIVING) {
      if (now & HELD) {
        if (this.#held.deliver(table, handle, HELD)) this.#goOn(handle);
      }
      // What is under way comes before what is read by a call.
      else if ((now & (BULK | MORE | RECV_ASKED)) === (BULK | MORE)) this.receiveAll(handle, generation);
      else this.#goOn(handle);
    } else if (now & MORE) {
      if (now & ACCEPTING) this.acceptAll(handle, generation);
      else if (now & DATAGRAMS) this.datagramsAll(handle, generation);
    }
  }

  open(fd: number, sink: Sink, spoke = false): Handle {
    // What has come is read at once, as of who sends much: its answer leaves with the next enter, not the one after.
    const handle = this.table.take(fd, spoke ? OPEN | STREAM | BULK | MORE : OPEN, sink);
    if (!this.polling && this.#fresh.length === 0) this.onPending();
    this.#fresh.push(handle, this.table.generations[handle]);
    return handle;
  }

  close(handle: Handle, atOnce = false): void {
    const { state } = this.table;
    const before = state[handle];
    if ((before & OPEN) === 0) return;
    this.table.sinks[handle] = undefined;
    this.closing++;
    state[handle] = (before & ~(OPEN | READING | CONNECTING)) | CLOSING;
    if (before & HELD) this.#held.drop(handle);
    if (before & LATE && resets(this.system, this.table.fds[handle])) state[handle] &= ~LATE;
    if (state[handle] & LATE) return this.leaveBehind(handle);
    if (before & BLOCKED) this.unsent.delete(handle);
    if (before & STREAM && !atOnce && this.stalled === 0) this.#askClose(handle);
    else this.#closeNow(handle);
    if (this.stalled > 0) this.retry();
  }

  /** Its descriptor, and its address, must be free when we return. */
  #closeNow(handle: Handle): void {
    this.cancelAll(handle);
    this.enter(0);
    // An address is bound until the last request on it has ended.
    const listens = (this.table.state[handle] & (LISTENER | STREAM)) !== STREAM;
    for (let looks = 0; listens && this.ring.worthEntering && looks < 1000; looks++) this.enter(0);
    if (this.table.state[handle] & LATE) return this.leaveBehind(handle);
    if (this.table.state[handle] & BOUND) this.#bound.forget(this.table.fds[handle]);
    this.system.close(this.table.fds[handle]);
    this.freeIfDone(handle);
  }

  /** Closes the descriptor behind what is under way. */
  #askClose(handle: Handle): void {
    const { state } = this.table;
    // If the last send goes whole: one that does not breaks the link, and `sendEnded` sees to it.
    if (state[handle] & SEND_ASKED && !this.arena.linkLast(handle, this.ring)) {
      this.settleSends(handle);
      if (state[handle] & LATE) return this.leaveBehind(handle);
    }
    this.requestClose(handle);
    this.cancelAll(handle);
    this.freeIfDone(handle);
  }

  receive(handle: Handle): void {
    const before = this.table.state[handle];
    if ((before & OPEN) === 0) return;
    this.table.state[handle] = before | RECEIVING;
    if (before & HELD) this.enqueue(handle);
    else this.#goOn(handle);
  }

  #askReceive(handle: Handle): void {
    const { state, fds } = this.table;
    if (state[handle] & RECV_ASKED) return;
    state[handle] |= RECV_ASKED | STREAM;
    const ring = this.ring;
    const at = this.request(OP_RECV, fds[handle], handle, RECV);
    ring.flag(at, BUFFER_SELECT);
    if (state[handle] & LASTS) ring.priority(at, RECV_MULTISHOT);
    ring.bufferGroup(at, this.#buffers.group);
  }

  #received(handle: Handle, result: number, flags: number): void {
    const { table } = this;
    if ((flags & F_MORE) === 0) table.state[handle] &= ~RECV_ASKED;
    const now = table.state[handle];
    if (now & CLOSING) return this.freeIfDone(handle);
    const { ENOBUFS, ECANCELED, EINTR, EAGAIN } = this.constants.errno;
    if (result > 0) {
      if (now & RECEIVING && (now & HELD) === 0) {
        const generation = table.generations[handle];
        table.sinks[handle]?.received(handle, this.#buffers.views[flags >>> 16], 0, result);
        if (table.generations[handle] !== generation) return;
      } else {
        this.#held.bytes(handle, this.#buffers.views[flags >>> 16].slice(0, result));
        table.state[handle] |= HELD;
        if (table.state[handle] & RECEIVING) this.enqueue(handle);
      }
      if (table.state[handle] & CLOSING) return;
      this.#sized(handle, result);
      return this.#goOn(handle);
    }
    if (result === -ENOBUFS && now & RECEIVING) {
      this.#starved.push(handle, table.generations[handle]);
      return;
    }
    if (result === -ENOBUFS || result === -ECANCELED || result === -EINTR || result === -EAGAIN)
      return this.#goOn(handle);
    if (this.waits(result)) return this.stall(handle);
    if (now & RECEIVING && (now & HELD) === 0) {
      table.state[handle] &= ~RECEIVING;
      const sink = table.sinks[handle];
      if (result === 0) this.ended(handle, sink);
      else sink?.failed(handle, -result);
      return;
    }
    if (result === 0 && now & RESET) return;
    this.#held.end(handle, -result);
    table.state[handle] |= HELD;
    if (now & RECEIVING) this.enqueue(handle);
    else table.sinks[handle]?.hungUp(handle);
  }

  /** After a reset the failure of the send that met it tells of the end. */
  protected override ended(handle: Handle, sink: Sink | undefined): void {
    if ((this.table.state[handle] & RESET) === 0) super.ended(handle, sink);
  }

  /** What is to be asked for next, if nothing is: bytes, or in a pause whether the client is still there. */
  #goOn(handle: Handle): void {
    const state = this.table.state[handle];
    if (state & RECV_ASKED) return;
    if ((state & RECEIVING) === 0) this.#watchHangup(handle);
    else if (state & HELD) return;
    else if (state & BULK) this.#readLater(handle);
    else this.#askReceive(handle);
  }

  protected emptied(handle: Handle, bytes: number): void {
    const { state } = this.table;
    if (state[handle] & CLOSING) return;
    if (bytes > 0 && bytes < BULK_ENDS) state[handle] &= ~BULK;
    this.#goOn(handle);
  }

  /** Whole buffers, or bytes that nobody wants now: then one buffer at a time is enough. */
  #sized(handle: Handle, result: number): void {
    const { state } = this.table;
    const now = state[handle];
    if (result < BUFFER_BYTES && now & RECEIVING) {
      state[handle] |= LASTS;
      return;
    }
    // There is more, in all likelihood: it is looked for at once.
    if (result === BUFFER_BYTES) state[handle] |= BULK | MORE;
    if ((now & LASTS) === 0) return;
    state[handle] &= ~LASTS;
    if (now & RECV_ASKED) this.cancel(handle, RECV);
  }

  #feedStarved(): void {
    this.#buffers.grow();
    const starved = this.#starved;
    this.#starved = [];
    for (let i = 0; i < starved.length; i += 2) {
      const handle = starved[i];
      if (this.table.generations[handle] !== starved[i + 1]) continue;
      if ((this.table.state[handle] & CLOSING) === 0) this.#goOn(handle);
    }
  }

  /** While nothing is received the end of a connection is to be noticed all the same. */
  #watchHangup(handle: Handle): void {
    this.askPoll(handle, POLLRDHUP, HANGUP, HANGUP_ASKED);
  }

  #watchFresh(): void {
    const fresh = this.#fresh;
    for (let i = 0; i < fresh.length; i += 2) {
      const handle = fresh[i];
      if (this.table.generations[handle] !== fresh[i + 1]) continue;
      const state = this.table.state[handle];
      if (state & OPEN && (state & (READING | RECV_ASKED | CONNECTING | BOUND)) === 0 && this.#isConnection(handle)) {
        this.#watchHangup(handle);
      }
    }
    fresh.length = 0;
  }

  /** From here on it can be hung up on. */
  protected override finishConnect(handle: Handle): void {
    this.#fresh.push(handle, this.table.generations[handle]);
    super.finishConnect(handle);
  }

  /** No listener, no datagram socket: those may be asked for something only later. */
  #isConnection(handle: Handle): boolean {
    const { SOL_SOCKET, SO_TYPE, SO_ACCEPTCONN, SOCK_STREAM } = this.constants;
    const fd = this.table.fds[handle];
    const value = new Int32Array(1);
    if (this.system.getsockopt(fd, SOL_SOCKET, SO_TYPE, value) < 0 || value[0] !== SOCK_STREAM) return false;
    return this.system.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value) >= 0 && value[0] === 0;
  }

  receiveDatagrams(handle: Handle): void {
    this.table.state[handle] |= DATAGRAMS;
    this.#bind(handle);
    if (this.table.state[handle] & MORE) this.enqueue(handle);
  }

  protected override wantsMore(handle: Handle): void {
    if ((this.table.state[handle] & BOUND) === 0) super.wantsMore(handle);
  }

  #readLater(handle: Handle): void {
    if (this.table.state[handle] & MORE) this.enqueue(handle);
    else this.wantsMore(handle);
  }

  pause(handle: Handle): void {
    this.table.state[handle] &= ~READING;
  }

  /**
   * A request of its own for each connection would be cheaper by a system call, but it takes from the queue what a pause
   * wants left there, past every limit; and when it is cancelled while a wake-up is on its way, the connection waits in a
   * shared queue of which nobody is told (io_uring's accepts wait exclusively).
   */
  accept(listener: Handle): void {
    if ((this.table.state[listener] & OPEN) === 0) return;
    this.table.state[listener] |= ACCEPTING | LISTENER;
    this.#bind(listener);
    if (this.table.state[listener] & MORE) this.enqueue(listener);
  }

  #bind(handle: Handle): void {
    const { table } = this;
    if (table.state[handle] & (BOUND | CLOSING)) return;
    const failed = this.#bound.open(table.fds[handle], handle, table.generations[handle]);
    if (failed < 0) {
      // For lack of memory: the runtime tries again.
      table.state[handle] |= MORE;
      return this.stall(handle);
    }
    table.state[handle] |= BOUND;
    this.#askBound();
  }

  #askBound(): void {
    if (this.#boundAsked) return;
    this.#boundAsked = true;
    this.requestPoll(this.#bound.descriptor, BOUND_READY);
  }

  protected override wantsRoom(handle: Handle): void {
    if (this.table.state[handle] & HALF_SHUT) this.#watchRoom(handle);
    else super.wantsRoom(handle);
  }

  /** Anew each time: then there is an edge if there is room already. */
  #watchRoom(handle: Handle): void {
    const { table } = this;
    const fd = table.fds[handle];
    if (table.state[handle] & HALF_SHUT) this.#bound.forget(fd);
    table.state[handle] |= HALF_SHUT;
    if (this.#bound.open(fd, handle, table.generations[handle]) < 0) return this.stall(handle);
    this.#askBound();
  }

  protected boundReady(): void {
    this.#boundAsked = false;
    const bound = this.#bound;
    const count = bound.poll(0);
    for (let i = 0; i < count; i++) {
      const handle = bound.handles[i];
      const events = bound.events[i];
      if (this.table.generations[handle] !== bound.generations[i]) continue;
      const isConnection = (this.table.state[handle] & HALF_SHUT) !== 0;
      if ((events & (isConnection ? WRITABLE : LOOK)) === 0) continue;
      try {
        // Behind what is told in this round: that it is blocked, if that is new.
        if (isConnection) this.enqueue(handle);
        else {
          this.table.state[handle] |= MORE;
          this.work(handle);
        }
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    this.#askBound();
  }
}
