/**
 * io_uring(7), the completion backend of Linux: the kernel is told what to do, does it, and says what came of it, for
 * all connections in one io_uring_enter(2) a turn.
 *
 * - Receiving is multishot: asked for once, told of until it ends. Bytes come in provided buffers.
 * - What `sendOutgoing` is given waits in an arena of ours until the turn's enter takes it. Sends never wait in the
 *   kernel (MSG_DONTWAIT), so each has ended when that enter returns; one that went whole is not even told of
 *   (CQE_SKIP_SUCCESS, MSG_WAITALL). What it left over is sent as on every other system, when there is room.
 * - A pause costs nothing until something comes: that is kept, and only then is the kernel told to stop.
 *
 * **The life of a handle:** open → closing → free. The kernel holds a socket as long as a request on it is under way:
 * closing it by its number alone would send no FIN, and a listener would go on accepting. So `close` cancels what is
 * under way and closes the descriptor behind that; the handle is free at its last completion, when none of the bits
 * IN_KERNEL is left.
 */
import { Held } from "./held.ts";
import { type Handle, SENDING, SENT, type Sink } from "./poller.ts";
import {
  ACCEPTING,
  BLOCKED,
  CONNECTING,
  DATAGRAMS,
  LISTENER,
  MORE,
  OPEN,
  READING,
  RECEIVING,
  SocketPoller,
} from "./socket-poller.ts";
import type { System } from "./system.ts";
import { BUFFER_BYTES, ProvidedBuffers } from "./uring-buffers.ts";
import type { UringCalls } from "./uring-calls.ts";
import { BUFFER_SELECT, CQE_SKIP_SUCCESS, LENGTH, OP_FLAGS, Ring } from "./uring-ring.ts";
import { Arena } from "./uring-sends.ts";

// linux/io_uring.h: operations
const OP_POLL_ADD = 6;
const OP_ASYNC_CANCEL = 14;
const OP_TIMEOUT = 11;
const OP_CLOSE = 19;
const OP_SEND = 26;
const OP_RECV = 27;
const RECV_MULTISHOT = 1 << 1;
const CANCEL_ALL = 1 << 0;
const F_BUFFER = 1 << 0;
const F_MORE = 1 << 1;
// poll.h, sys/socket.h
const POLLIN = 0x001;
const POLLOUT = 0x004;
const POLLRDHUP = 0x2000;
const MSG_WAITALL = 0x100;

/*
 * Kinds of requests: the low bits of the second word of their data. Above stands the handle's generation, or for sends
 * their number in the arena.
 */
const KIND_BITS = 4;
const KIND = (1 << KIND_BITS) - 1;
const RECV = 1;
const ROOM = 3; // POLLOUT
const INPUT = 4; // POLLIN, for listeners and datagrams
const HANGUP = 5; // POLLRDHUP, while nothing is received
const SEND = 6;
const LEFT_BEHIND = 7; // the time that a closed connection's last bytes have
const IGNORED = 8; // cancellations, closes
const SEND_FAILED = 9; // ours: a send broke after the caller had been told that all is well
const WAKE = 10;

/*
 * Bits of a handle's state beside those of `socket-poller.ts`.
 *   *_ASKED    such a request is with the kernel, or on its way there
 *   SEND_ASKED bytes of it are in the arena
 *   HELD       something came during a pause
 *   LATE       what `unsent` holds was taken as sent: its rest is ours to deliver even if the handle is closed
 *   SHUTTING   FIN is due behind that
 *   BULK       its bytes fill whole buffers: they are asked for one buffer at a time, so that a pause can bound them
 *   STREAM     it has received: nobody will want its address at once when it is closed
 *   CLOSING    the owner has let go of it
 *   LEAVING    and its last bytes are still on their way
 */
const RECV_ASKED = 1 << 12;
const ROOM_ASKED = 1 << 14;
const INPUT_ASKED = 1 << 15;
const HANGUP_ASKED = 1 << 16;
const SEND_ASKED = 1 << 17;
const HELD = 1 << 19;
const LATE = 1 << 20;
const SHUTTING = 1 << 21;
const BULK = 1 << 22;
const CLOSING = 1 << 23;
const LEAVING = 1 << 24;
const STREAM = 1 << 25;
const IN_KERNEL = RECV_ASKED | ROOM_ASKED | INPUT_ASKED | HANGUP_ASKED | SEND_ASKED;

/** Completions that one poll delivers before everybody else gets a turn. */
const BATCH = 512;
/** Words of a completion. */
const WORDS = 4;
/** How often a poll enters again for what its sinks have asked for meanwhile. */
const ROUNDS = 4;
/** Larger messages are given to the kernel at once: what a batch saves is nothing beside their copy. */
const LARGEST_BATCHED = 16 * 1024;
/** How long a connection that was closed may take to read what had been taken as sent: as long as a lingering one. */
const LEFT_BEHIND_MS = 30_000;

export class UringPoller extends SocketPoller {
  readonly name = "uring";
  readonly descriptor: number;
  readonly #ring: Ring;
  readonly #buffers: ProvidedBuffers;
  readonly #arena: Arena;
  readonly #held = new Held();
  /** Completions that were taken from the kernel's queue, and how many of them have been delivered. */
  #taken = new Int32Array(BATCH * WORDS * 2);
  #takenEnd = 0;
  #delivered = 0;
  /** Handles that are closing. */
  #closing = 0;
  #parked = true;
  #wakeWatched = false;
  #polling = false;
  /** Handles whose receiving ended for lack of buffers, until some are back. */
  readonly #starved: number[] = [];
  /** Opened in this turn: whoever is neither receiving nor closed at its end is watched for a hang-up. */
  readonly #fresh: number[] = [];
  readonly #pause: { readonly address: number };
  readonly #generationMask = 0x0fffffff;
  readonly #onExit = (): void => this.#ring.submit();

  /** Throws one sentence when the kernel refuses, or does not do as we need. */
  constructor(system: System, calls: UringCalls) {
    super(system);
    const ring = new Ring(system, calls);
    try {
      this.#buffers = new ProvidedBuffers(calls, ring);
    } catch (error) {
      ring.dispose();
      throw error;
    }
    this.#ring = ring;
    this.descriptor = ring.eventfd;
    this.#arena = new Arena(system);
    const pause = system.allocate(16);
    new BigInt64Array(pause.buffer)[0] = BigInt(LEFT_BEHIND_MS / 1000);
    this.#pause = pause;
    // What was sent must not be lost with the process.
    process.on("exit", this.#onExit);
  }

  override get openCount(): number {
    return this.table.count - this.#closing;
  }
  override get pending(): boolean {
    return this.queue.length > 0 || this.#ring.pending > 0 || this.#delivered < this.#takenEnd;
  }

  // ---- the loop

  poll(timeoutMs: number): number {
    if (this.#polling) return 0;
    this.#polling = true;
    if (this.#parked) {
      this.#parked = false;
      this.#ring.watch(false);
    }
    let count = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const wait = round > 0 || this.pending ? 0 : timeoutMs;
        if (wait !== 0) this.#watchWake();
        if (wait !== 0 || this.#ring.worthEntering) this.#enter(wait);
        const delivered = this.#deliver() + this.workOff();
        count += delivered;
        if (this.#fresh.length > 0) this.#watchFresh();
        this.#buffers.tell();
        if (this.#starved.length > 0) this.#feedStarved();
        if (this.#ring.pending === 0) break;
      }
    } finally {
      this.#polling = false;
    }
    return count;
  }

  park(): boolean {
    const ring = this.#ring;
    // After an enter that brought something another may, and no flag tells of it.
    if (this.pending || ring.worthEntering) return false;
    ring.watch(true);
    if (ring.worthEntering) {
      // It came before the eventfd was to tell of it.
      ring.watch(false);
      return false;
    }
    this.#parked = true;
    return true;
  }

  woken(): void {
    this.system.eventfdRead(this.#ring.eventfd);
  }

  wake(): void {
    while (this.system.eventfdWrite(this.#ring.eventfd) === -this.constants.errno.EINTR);
  }

  dispose(): void {
    process.off("exit", this.#onExit);
    // Whatever is still under way ends before the memory does: the kernel may write to it until then.
    for (let looks = 0; this.#closing > 0 && looks < 100; looks++) this.poll(10);
    this.#ring.enter(0);
    if (this.table.count > 0) return; // its memory stays rather than be written to
    this.#ring.dispose();
    this.#buffers.dispose();
  }

  /** Lets the kernel take what is pending and work; what came of it is in `#taken` then, and every send has ended. */
  #enter(waitMs: number): void {
    this.#ring.enter(waitMs);
    this.#take();
  }

  #take(): void {
    const ring = this.#ring;
    if (this.#delivered > this.#takenEnd >> 1) {
      this.#taken.copyWithin(0, this.#delivered, this.#takenEnd);
      this.#takenEnd -= this.#delivered;
      this.#delivered = 0;
    }
    const before = this.#takenEnd;
    for (;;) {
      this.#takenEnd = ring.take(this.#taken, this.#takenEnd);
      if (ring.waiting !== 0) this.#growTaken();
      else if (ring.overflowed) ring.enter(0);
      else break;
    }
    if (this.#arena.count === 0) return;
    // Sends that failed come first: what is sent next must stand behind what they left over.
    for (let at = before; at < this.#takenEnd; at += WORDS) {
      if ((this.#taken[at + 1] & KIND) === SEND) this.#sendEnded(at);
    }
    this.#clearSends();
  }

  #growTaken(): void {
    const larger = new Int32Array(this.#taken.length * 2);
    larger.set(this.#taken);
    this.#taken = larger;
  }

  #deliver(): number {
    let count = 0;
    while (this.#delivered < this.#takenEnd && count < BATCH) {
      const at = this.#delivered;
      this.#delivered += WORDS;
      const handle = this.#taken[at];
      const data = this.#taken[at + 1];
      const result = this.#taken[at + 2];
      const flags = this.#taken[at + 3];
      const kind = data & KIND;
      if (kind === SEND || kind === IGNORED) continue;
      if (kind === WAKE) {
        this.#wakeWatched = false;
        this.woken();
        continue;
      }
      count++;
      try {
        this.#completed(handle, data, result, flags);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    return count;
  }

  #completed(handle: Handle, data: number, result: number, flags: number): void {
    const kind = data & KIND;
    if (kind === LEFT_BEHIND) return this.#leftBehindTooLong(handle, data >>> KIND_BITS);
    // A buffer comes back whoever it was for.
    const buffer = kind === RECV && flags & F_BUFFER ? flags >>> 16 : -1;
    if (this.#is(handle, data >>> KIND_BITS)) {
      switch (kind) {
        case RECV:
          this.#received(handle, result, flags, buffer);
          break;
        case SEND_FAILED:
          this.table.sinks[handle]?.failed(handle, -result);
          break;
        default:
          this.#ready(handle, kind, result);
      }
    }
    if (buffer >= 0) this.#buffers.give(buffer);
  }

  #is(handle: Handle, generation: number): boolean {
    return (this.table.generations[handle] & this.#generationMask) === generation;
  }

  /** A poll request has ended. */
  #ready(handle: Handle, kind: number, result: number): void {
    const asked = kind === ROOM ? ROOM_ASKED : kind === INPUT ? INPUT_ASKED : HANGUP_ASKED;
    this.table.state[handle] &= ~asked;
    const state = this.table.state[handle];
    if (state & CLOSING) {
      if (kind === ROOM && state & LEAVING && result >= 0) this.#flushLeaving(handle);
      this.#freeIfDone(handle);
      return;
    }
    if (kind === ROOM) {
      if (state & CONNECTING) this.finishConnect(handle);
      else if (state & BLOCKED) this.flush(handle);
    } else if (kind === INPUT) {
      this.table.state[handle] |= MORE;
      this.work(handle);
    } else if ((state & RECEIVING) === 0) this.table.sinks[handle]?.hungUp(handle);
  }

  /** From the queue: what no completion announces. */
  protected work(handle: Handle): void {
    const { state, generations } = this.table;
    const generation = generations[handle];
    if (state[handle] & CONNECTING) this.finishConnect(handle);
    else if (state[handle] & BLOCKED) this.flush(handle);
    if (generations[handle] !== generation || this.table.state[handle] & CLOSING) return;
    const now = this.table.state[handle];
    if (now & RECEIVING) {
      if (now & HELD) this.#deliverHeld(handle);
      else this.#askReceive(handle);
    } else if (now & MORE) {
      if (now & ACCEPTING) this.acceptAll(handle, generation);
      else if (now & DATAGRAMS) this.datagramsAll(handle, generation);
    }
  }

  // ---- handles

  open(fd: number, sink: Sink): Handle {
    const handle = this.table.take(fd, OPEN, sink);
    if (!this.#polling && this.#fresh.length === 0) this.onPending();
    this.#fresh.push(handle, this.table.generations[handle]);
    return handle;
  }

  close(handle: Handle): void {
    const { state } = this.table;
    const before = state[handle];
    if ((before & OPEN) === 0) return;
    this.table.sinks[handle] = undefined;
    this.#closing++;
    state[handle] = (before & ~(OPEN | READING | CONNECTING)) | CLOSING;
    if (before & HELD) this.#held.drop(handle);
    if (before & LATE && !this.#resets(handle)) return this.#leaveBehind(handle);
    this.unsent.delete(handle);
    if (before & STREAM) this.#askClose(handle);
    else this.#closeNow(handle);
    if (this.stalled > 0) this.retry();
  }

  /** Its address must be free when we return. */
  #closeNow(handle: Handle): void {
    this.#cancelAll(handle);
    this.#enter(0);
    if (this.table.state[handle] & LATE) return this.#leaveBehind(handle);
    this.system.close(this.table.fds[handle]);
    this.#freeIfDone(handle);
  }

  /** Closes the descriptor behind what is under way. */
  #askClose(handle: Handle): void {
    const { state, fds } = this.table;
    // If the last send goes whole: one that does not breaks the link, and `#sendEnded` sees to it.
    if (state[handle] & SEND_ASKED && !this.#arena.linkLast(handle, this.#ring)) {
      this.#settleSends(handle);
      if (state[handle] & LATE) return this.#leaveBehind(handle);
    }
    const at = this.#request(OP_CLOSE, fds[handle], handle, IGNORED);
    this.#ring.flag(at, CQE_SKIP_SUCCESS);
    this.#cancelAll(handle);
    this.#freeIfDone(handle);
  }

  #cancelAll(handle: Handle): void {
    const state = this.table.state[handle];
    if (state & RECV_ASKED) this.#cancel(handle, RECV);
    if (state & ROOM_ASKED) this.#cancel(handle, ROOM);
    if (state & INPUT_ASKED) this.#cancel(handle, INPUT);
    if (state & HANGUP_ASKED) this.#cancel(handle, HANGUP);
  }

  #freeIfDone(handle: Handle): void {
    const state = this.table.state[handle];
    if ((state & CLOSING) === 0 || state & (IN_KERNEL | LEAVING)) return;
    this.#closing--;
    this.table.release(handle);
  }

  // ---- requests

  #request(op: number, fd: number, handle: Handle, kind: number): number {
    const generation = this.table.generations[handle] & this.#generationMask;
    const at = this.#ring.request(op, fd, handle, (generation << KIND_BITS) | kind);
    if (!this.#polling && this.#ring.pending === 1) this.onPending();
    return at;
  }

  #cancel(handle: Handle, kind: number): void {
    const generation = this.table.generations[handle] & this.#generationMask;
    const at = this.#request(OP_ASYNC_CANCEL, -1, handle, IGNORED);
    const { words } = this.#ring;
    words[at + 4] = handle;
    words[at + 5] = (generation << KIND_BITS) | kind;
    words[at + OP_FLAGS] = CANCEL_ALL;
    this.#ring.flag(at, CQE_SKIP_SUCCESS);
  }

  #askPoll(handle: Handle, events: number, kind: number, asked: number): void {
    if (this.table.state[handle] & asked) return;
    this.table.state[handle] |= asked;
    const at = this.#request(OP_POLL_ADD, this.table.fds[handle], handle, kind);
    this.#ring.words[at + OP_FLAGS] = events;
  }

  protected wantsRoom(handle: Handle): void {
    this.#askPoll(handle, POLLOUT, ROOM, ROOM_ASKED);
  }
  protected wantsMore(handle: Handle): void {
    this.#askPoll(handle, POLLIN, INPUT, INPUT_ASKED);
  }

  // ---- receiving

  receive(handle: Handle): void {
    const before = this.table.state[handle];
    if ((before & OPEN) === 0) return;
    this.table.state[handle] = before | RECEIVING;
    if (before & HELD) this.enqueue(handle);
    else this.#askReceive(handle);
  }

  #askReceive(handle: Handle): void {
    const { state, fds } = this.table;
    if (state[handle] & RECV_ASKED) return;
    state[handle] |= RECV_ASKED | STREAM;
    const ring = this.#ring;
    const at = this.#request(OP_RECV, fds[handle], handle, RECV);
    ring.flag(at, BUFFER_SELECT);
    if ((state[handle] & BULK) === 0) ring.priority(at, RECV_MULTISHOT);
    ring.bufferGroup(at, this.#buffers.group);
  }

  #received(handle: Handle, result: number, flags: number, buffer: number): void {
    const { state } = this.table;
    if ((flags & F_MORE) === 0) state[handle] &= ~RECV_ASKED;
    const now = state[handle];
    if (now & CLOSING) return this.#freeIfDone(handle);
    const { ENOBUFS, ECANCELED, EINTR, EAGAIN } = this.constants.errno;
    if (result > 0) {
      if (now & RECEIVING && (now & HELD) === 0) {
        const generation = this.table.generations[handle];
        this.table.sinks[handle]?.received(handle, this.#buffers.views[buffer], 0, result);
        if (this.table.generations[handle] !== generation) return;
      } else {
        this.#held.bytes(handle, this.#buffers.views[buffer].slice(0, result));
        state[handle] |= HELD;
        if (state[handle] & RECEIVING) this.enqueue(handle);
      }
      if (state[handle] & CLOSING) return;
      this.#sized(handle, result);
      if ((state[handle] & (RECEIVING | HELD)) === RECEIVING) this.#askReceive(handle);
      return;
    }
    if (result === -ENOBUFS) {
      if (now & RECEIVING) this.#starved.push(handle, this.table.generations[handle]);
      return;
    }
    if (result === -ECANCELED || result === -EINTR || result === -EAGAIN) {
      if (now & RECEIVING && (now & HELD) === 0) this.#askReceive(handle);
      else if (result === -ECANCELED) this.#watchHangup(handle);
      return;
    }
    if (this.waits(result)) return this.stall(handle);
    if (now & RECEIVING && (now & HELD) === 0) {
      state[handle] &= ~RECEIVING;
      const sink = this.table.sinks[handle];
      if (result === 0) sink?.ended(handle);
      else sink?.failed(handle, -result);
      return;
    }
    this.#held.end(handle, -result);
    state[handle] |= HELD;
    if (now & RECEIVING) this.enqueue(handle);
    else this.table.sinks[handle]?.hungUp(handle);
  }

  /** Whole buffers, or bytes that nobody wants now: then one buffer at a time is enough. */
  #sized(handle: Handle, result: number): void {
    const { state } = this.table;
    const now = state[handle];
    if (result === BUFFER_BYTES || (now & RECEIVING) === 0) {
      state[handle] |= BULK;
      if (now & RECV_ASKED && (now & BULK) === 0) this.#cancel(handle, RECV);
    } else if (now & BULK && now & RECEIVING) state[handle] &= ~BULK;
  }

  /** What came during a pause, piece by piece, until there is another. */
  #deliverHeld(handle: Handle): void {
    const { state, generations } = this.table;
    const generation = generations[handle];
    for (;;) {
      if (generations[handle] !== generation || (state[handle] & RECEIVING) === 0) return;
      const sink = this.table.sinks[handle];
      const next = this.#held.next(handle);
      if (next === undefined) break;
      if (this.#held.isEmpty(handle)) state[handle] &= ~HELD;
      if (next instanceof Uint8Array) sink?.received(handle, next, 0, next.length);
      else {
        state[handle] &= ~RECEIVING;
        if (next === 0) sink?.ended(handle);
        else sink?.failed(handle, next);
        return;
      }
    }
    state[handle] &= ~HELD;
    this.#askReceive(handle);
  }

  #feedStarved(): void {
    this.#buffers.grow();
    for (const [handle, generation] of pairs(this.#starved.splice(0))) {
      if (this.table.generations[handle] !== generation) continue;
      if ((this.table.state[handle] & (RECEIVING | CLOSING)) === RECEIVING) this.#askReceive(handle);
    }
  }

  /** While nothing is received the end of a connection is to be noticed all the same. */
  #watchHangup(handle: Handle): void {
    this.#askPoll(handle, POLLRDHUP, HANGUP, HANGUP_ASKED);
  }

  #watchFresh(): void {
    for (const [handle, generation] of pairs(this.#fresh.splice(0))) {
      if (this.table.generations[handle] !== generation) continue;
      const state = this.table.state[handle];
      if (state & OPEN && (state & (READING | RECV_ASKED | CONNECTING | LISTENER)) === 0) this.#watchHangup(handle);
    }
  }

  receiveDatagrams(handle: Handle): void {
    this.table.state[handle] |= DATAGRAMS;
    this.#readLater(handle);
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
    this.#readLater(listener);
  }

  // ---- sending

  sendOutgoing(handle: Handle, start: number, end: number): number {
    const length = end - start;
    const state = this.table.state[handle];
    if (state & BLOCKED) return this.#keepBehind(handle, this.outgoing, start, end);
    const arena = this.#arena;
    if (length > LARGEST_BATCHED) return this.#sendNow(handle, this.outgoing, start, end);
    if (!arena.fits(length)) {
      this.#ring.submit();
      this.#take();
      if (!arena.fits(length) || this.table.state[handle] & BLOCKED) {
        return this.#sendNow(handle, this.outgoing, start, end);
      }
    }
    if (this.table.state[handle] & SEND_ASKED) {
      if (arena.append(handle, this.outgoing, start, end, this.#ring)) return SENT;
      return this.#sendNow(handle, this.outgoing, start, end);
    }
    const number = arena.put(handle, this.outgoing, start, end);
    this.table.state[handle] |= SEND_ASKED;
    const ring = this.#ring;
    if (!this.#polling && ring.pending === 0) this.onPending();
    const at = ring.request(OP_SEND, this.table.fds[handle], handle, (number << KIND_BITS) | SEND);
    ring.address(at, arena.addressOf(number));
    ring.words[at + LENGTH] = length;
    ring.words[at + OP_FLAGS] = this.constants.MSG_NOSIGNAL | this.constants.MSG_DONTWAIT | MSG_WAITALL;
    ring.flag(at, CQE_SKIP_SUCCESS);
    arena.asked(number, at, ring.next);
    return SENT;
  }

  override send(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    if (this.table.state[handle] & BLOCKED) return this.#keepBehind(handle, bytes, start, end);
    return this.#sendNow(handle, bytes, start, end);
  }

  override sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.#settleSends(handle);
    return super.sendSome(handle, bytes, start, end);
  }

  override sendFile(handle: Handle, file: number, offset: number, length: number): number {
    this.#settleSends(handle);
    return super.sendFile(handle, file, offset, length);
  }

  /** Behind what waits already, and the caller is told: it is his to wait for. */
  #keepBehind(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.unsent.add(handle, bytes, start, end);
    return SENDING;
  }

  #sendNow(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.#settleSends(handle);
    if (this.table.state[handle] & BLOCKED) return this.#keepBehind(handle, bytes, start, end);
    return super.send(handle, bytes, start, end);
  }

  /** Nothing of this handle waits for the turn's end after this. */
  #settleSends(handle: Handle): void {
    if ((this.table.state[handle] & SEND_ASKED) === 0) return;
    this.#ring.submit();
    this.#take();
  }

  override shutdown(handle: Handle): number {
    this.#settleSends(handle);
    if (this.table.state[handle] & LATE) {
      this.table.state[handle] |= SHUTTING;
      return 0;
    }
    return super.shutdown(handle);
  }

  protected override flush(handle: Handle): void {
    const { state, generations } = this.table;
    const late = state[handle] & LATE;
    const generation = generations[handle];
    super.flush(handle);
    if (late === 0 || generations[handle] !== generation || state[handle] & (BLOCKED | CLOSING)) return;
    const shutting = state[handle] & SHUTTING;
    state[handle] &= ~(LATE | SHUTTING);
    if (shutting) super.shutdown(handle);
  }

  /** A send that was not taken whole: what is left waits for room, as on every other system. */
  #sendEnded(at: number): void {
    const handle = this.#taken[at];
    const number = this.#taken[at + 1] >>> KIND_BITS;
    const result = this.#taken[at + 2];
    const arena = this.#arena;
    const length = arena.lengthOf(number);
    if (result >= length) return;
    const { EAGAIN, EINTR } = this.constants.errno;
    const { state, generations } = this.table;
    const passing = result >= 0 || result === -EAGAIN || result === -EINTR || this.waits(result);
    if (passing) {
      const start = arena.startOf(number) + Math.max(0, result);
      this.unsent.add(handle, arena.bytes, start, start + length - Math.max(0, result));
      state[handle] |= BLOCKED | LATE;
      if (result < 0 && this.waits(result) && (state[handle] & CLOSING) === 0) this.stall(handle);
      else this.wantsRoom(handle);
      if (state[handle] & CLOSING) this.#startLeaving(handle);
      return;
    }
    if (state[handle] & CLOSING) {
      // With a broken link the descriptor is still open; else whoever closes it is at it.
      if (arena.isLinked(number)) this.system.close(this.table.fds[handle]);
      return;
    }
    // Told in its turn, behind what came before.
    if (this.#takenEnd + WORDS > this.#taken.length) this.#growTaken();
    const end = this.#takenEnd;
    this.#taken[end] = handle;
    this.#taken[end + 1] = ((generations[handle] & this.#generationMask) << KIND_BITS) | SEND_FAILED;
    this.#taken[end + 2] = result;
    this.#taken[end + 3] = 0;
    this.#takenEnd = end + WORDS;
  }

  #clearSends(): void {
    const arena = this.#arena;
    for (let number = arena.first; number < arena.last; number++) {
      if (!arena.wasTaken(number, this.#ring.taken)) break;
      const handle = arena.handleOf(number);
      this.table.state[handle] &= ~SEND_ASKED;
      if (this.table.state[handle] & CLOSING) this.#freeIfDone(handle);
      arena.first = number + 1;
    }
    arena.rest();
  }

  // ---- closed with bytes left

  /** The kernel would deliver what it had taken after a close: so do we, for a while. */
  #leaveBehind(handle: Handle): void {
    this.#cancelReceiving(handle);
    this.#startLeaving(handle);
    this.wantsRoom(handle);
  }

  #cancelReceiving(handle: Handle): void {
    const state = this.table.state[handle];
    if (state & RECV_ASKED) this.#cancel(handle, RECV);
    if (state & HANGUP_ASKED) this.#cancel(handle, HANGUP);
  }

  #startLeaving(handle: Handle): void {
    if (this.table.state[handle] & LEAVING) return;
    this.table.state[handle] |= LEAVING;
    const at = this.#request(OP_TIMEOUT, -1, handle, LEFT_BEHIND);
    this.#ring.address(at, this.#pause.address);
    this.#ring.words[at + LENGTH] = 1;
  }

  #flushLeaving(handle: Handle): void {
    const { EINTR, EAGAIN } = this.constants.errno;
    for (let rest = this.unsent.get(handle); rest !== undefined; rest = this.unsent.get(handle)) {
      const n = this.system.send(this.table.fds[handle], rest);
      if (n >= 0) this.unsent.took(handle, n);
      else if (n === -EAGAIN) return this.wantsRoom(handle);
      else if (n !== -EINTR) break;
    }
    this.#left(handle);
  }

  #leftBehindTooLong(handle: Handle, generation: number): void {
    if (this.#is(handle, generation) && this.table.state[handle] & LEAVING) this.#left(handle);
  }

  #left(handle: Handle): void {
    this.unsent.delete(handle);
    this.#cancelAll(handle);
    this.table.state[handle] &= ~LEAVING;
    const at = this.#request(OP_CLOSE, this.table.fds[handle], handle, IGNORED);
    this.#ring.flag(at, CQE_SKIP_SUCCESS);
    this.#freeIfDone(handle);
  }

  /** SO_LINGER of 0 s: the owner wants a reset, and nothing delivered. */
  #resets(handle: Handle): boolean {
    const linger = new Int32Array(2);
    const { SOL_SOCKET, SO_LINGER } = this.constants;
    const asked = this.system.getsockopt(this.table.fds[handle], SOL_SOCKET, SO_LINGER, linger);
    return asked >= 0 && linger[0] !== 0;
  }

  /** A parked `poll` must hear of `wake`. */
  #watchWake(): void {
    if (this.#wakeWatched) return;
    this.#wakeWatched = true;
    const at = this.#ring.request(OP_POLL_ADD, this.#ring.eventfd, 0, WAKE);
    this.#ring.words[at + OP_FLAGS] = POLLIN;
  }
}

function* pairs(list: readonly number[]): Generator<readonly [number, number]> {
  for (let i = 0; i < list.length; i += 2) yield [list[i], list[i + 1]];
}
