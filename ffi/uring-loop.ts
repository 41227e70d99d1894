/**
 * io_uring's side of a turn: one enter for everything that was asked for, the completions it brings, being woken, and
 * the requests that every part of the poller makes. What completions mean is for `uring-sending.ts` and `uring.ts`.
 */
import type { Handle } from "./poller.ts";
import { SCRATCH, SocketPoller } from "./socket-poller.ts";
import type { LinuxSystem } from "./system.ts";
import type { UringCalls } from "./uring-calls.ts";
import { CQE_SKIP_SUCCESS, OP_FLAGS, Ring } from "./uring-ring.ts";

// linux/io_uring.h: operations
const OP_POLL_ADD = 6;
const OP_ASYNC_CANCEL = 14;
const OP_CLOSE = 19;
const CANCEL_ALL = 1 << 0;
// poll.h
const POLLIN = 0x001;
const POLLOUT = 0x004;

/*
 * Kinds of requests: the low bits of the second word of their data. Above stands the handle's generation, or for sends
 * their number in the arena.
 */
export const KIND_BITS = 4;
const KIND = (1 << KIND_BITS) - 1;
const GENERATION = (1 << (32 - KIND_BITS)) - 1;
export const RECV = 1;
export const ROOM = 2; // POLLOUT
export const INPUT = 3; // POLLIN, for listeners and datagrams
export const HANGUP = 4; // POLLRDHUP, while nothing is received
export const SEND = 5;
export const LEFT_BEHIND = 6; // the time that a closed connection's last bytes have
export const IGNORED = 7; // cancellations, closes
export const SEND_FAILED = 8; // ours: a send broke after the caller had been told that all is well
export const SEND_BLOCKED = 9; // or waits
export const WAKE = 10;
export const BOUND_READY = 11;
export const ATTENDED = 12;

/*
 * Bits of a handle's state beside those of `handles.ts`.
 *   *_ASKED    such a request is with the kernel, or on its way there
 *   SEND_ASKED bytes of it are in the arena
 *   CLOSING    the owner has let go of it
 *   LEAVING    and its last bytes are still on their way
 */
export const RECV_ASKED = 1 << 12;
export const ROOM_ASKED = 1 << 13;
export const INPUT_ASKED = 1 << 14;
export const HANGUP_ASKED = 1 << 15;
export const SEND_ASKED = 1 << 16;
export const CLOSING = 1 << 17;
export const LEAVING = 1 << 18;
const IN_KERNEL = RECV_ASKED | ROOM_ASKED | INPUT_ASKED | HANGUP_ASKED | SEND_ASKED;

/** Completions that one poll delivers before everybody else gets a turn. */
const BATCH = 512;
/** Words of a completion. */
const WORDS = 4;
/** How often a poll enters again for what its sinks have asked for meanwhile. */
const ROUNDS = 4;

export abstract class UringLoop extends SocketPoller {
  readonly name = "uring";
  declare readonly system: LinuxSystem;
  readonly descriptor: number;
  protected readonly ring: Ring;
  /** Handles that are closing. */
  protected closing = 0;
  /** And among them those whose last bytes are on their way. */
  protected leaving = 0;
  /** Completions that were taken from the kernel's queue, and how many of them have been delivered. */
  #taken = new Int32Array(BATCH * WORDS * 2);
  #takenEnd = 0;
  #delivered = 0;
  /** What `wake` writes to: the ring polls it. */
  readonly #wakeup: number;
  /** What ends a wait, and which request polls it: those for former ones are dropped. */
  #attended = -1;
  #attendedAsked = false;
  #attendedTold = false;
  attendedReady = false;
  #attendedNumber = 0;
  readonly #onExit = (): void => this.#exit();

  /** `room`: bytes behind the outgoing memory. Throws one sentence when the kernel refuses. */
  constructor(system: LinuxSystem, calls: UringCalls, room: number) {
    super(system, SCRATCH + room);
    this.#wakeup = system.eventfd();
    if (this.#wakeup < 0) throw new Error(`no eventfd to be woken by: errno ${-this.#wakeup}`);
    try {
      this.ring = new Ring(system, calls);
    } catch (error) {
      system.close(this.#wakeup);
      throw error;
    }
    this.descriptor = this.ring.fd;
    // What was sent must not be lost with the process.
    process.on("exit", this.#onExit);
  }

  /** One of the kinds above, for a handle that is still the one that asked. */
  protected abstract completed(handle: Handle, kind: number, result: number, flags: number): void;
  /** Completions of a handle's former life: what they carry must go back. */
  protected abstract outlived(kind: number, flags: number): void;
  /** Every send that was asked for has ended; this one was not taken whole. */
  protected abstract sendEnded(handle: Handle, number: number, result: number): void;
  /** Behind `sendEnded`, once for all that the kernel has taken. */
  protected abstract clearSends(): void;
  /** Closes what still has bytes to deliver. */
  protected abstract endLeaving(): void;
  /** Sockets with addresses of their own have something. */
  protected abstract boundReady(): void;
  /** At the end of a round, before what it asked for is given to the kernel. */
  protected abstract roundEnded(): void;

  override get openCount(): number {
    return this.table.count - this.closing + this.leaving;
  }
  override get pending(): boolean {
    return this.queue.length > 0 || this.ring.pending > 0 || this.#delivered < this.#takenEnd;
  }

  poll(timeoutMs: number): number {
    if (this.polling) return 0;
    this.polling = true;
    const ring = this.ring;
    let count = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const lies = ring.waiting !== 0;
        const wait = round > 0 || lies || this.pending ? 0 : timeoutMs;
        // What lies there comes first: what it asks for goes along with the next enter.
        if (wait !== 0 || ring.pending > 0 || (!lies && ring.worthEntering)) this.enter(wait);
        else this.take();
        count += this.#deliver() + this.workOff();
        this.roundEnded();
        // Who waits gives the rest to the kernel with that.
        if (ring.pending === 0 || this.#attended >= 0) break;
      }
    } finally {
      this.polling = false;
    }
    return count;
  }

  attend(fd: number): number {
    if (this.#attendedAsked) {
      if (!this.polling && this.ring.pending === 0) this.onPending();
      this.#cancelRequest(this.ring.request(OP_ASYNC_CANCEL, -1, 0, IGNORED), this.#attendedNumber, ATTENDED);
    }
    this.#attended = fd;
    this.#attendedAsked = false;
    this.#attendedTold = false;
    this.#attendedNumber = (this.#attendedNumber + 1) | 0;
    return 0;
  }

  wait(timeoutMs: number): boolean {
    if (this.polling) return false;
    this.polling = true;
    try {
      if (!this.#attendedAsked && this.#attended >= 0) {
        this.#attendedAsked = true;
        this.requestPoll(this.#attended, ATTENDED, this.#attendedNumber);
      }
      this.roundEnded();
      const ready = this.queue.length > 0 || this.#delivered < this.#takenEnd || this.ring.waiting !== 0;
      const wait = ready || this.#attendedTold ? 0 : timeoutMs;
      if (wait !== 0 || this.ring.worthEntering) this.enter(wait);
      else this.take();
      this.attendedReady = this.#attendedTold;
      this.#attendedTold = false;
      // What tells of nothing is no reason to look.
      while (this.#delivered < this.#takenEnd && (this.#taken[this.#delivered + 1] & KIND) === IGNORED) {
        this.#delivered += WORDS;
      }
      return this.queue.length > 0 || this.#delivered < this.#takenEnd;
    } finally {
      this.polling = false;
    }
  }

  wake(): void {
    while (this.system.eventfdWrite(this.#wakeup) === -this.constants.errno.EINTR);
  }

  /** At once: `wake` may be all that is to bring about the next enter. */
  protected watchWake(): void {
    this.requestPoll(this.#wakeup, WAKE);
    this.ring.submit();
  }

  /** What was sent or closed must not be lost with the process, or with a thread of it: then nobody enters any more. */
  #exit(): void {
    for (let looks = 0; looks < 100 && this.ring.worthEntering; looks++) this.enter(0);
    if (!process.getBuiltinModule("node:worker_threads").isMainThread) this.ring.end();
  }

  dispose(): void {
    process.off("exit", this.#onExit);
    this.endLeaving();
    // Whatever is still under way ends before the memory does: the kernel may write to it until then.
    for (let looks = 0; this.closing > 0 && looks < 100; looks++) this.poll(10);
    this.ring.enter(0);
    // Else its memory stays, rather than be written to when it is somebody else's.
    if (this.table.count === 0) this.freeMemory();
  }

  protected freeMemory(): void {
    this.ring.dispose();
    this.system.close(this.#wakeup);
  }

  /** Lets the kernel take what is pending and work; what came of it is in `#taken` then, and every send has ended. */
  protected enter(waitMs: number): void {
    this.ring.enter(waitMs);
    this.take();
  }

  protected take(): void {
    const ring = this.ring;
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
    // Sends that failed come first: what is sent next must stand behind what they left over.
    for (let at = before; at < this.#takenEnd; at += WORDS) {
      const data = this.#taken[at + 1];
      const kind = data & KIND;
      if (kind === SEND) this.sendEnded(this.#taken[at], data >>> KIND_BITS, this.#taken[at + 2]);
      else if (kind === ATTENDED) {
        this.#taken[at + 1] = IGNORED;
        if (this.#taken[at] !== this.#attendedNumber) continue;
        this.#attendedAsked = false;
        this.#attendedTold = true;
      } else if (kind === WAKE && !this.polling) {
        // Whoever watches the descriptor waits for it: as nothing has been read, the kernel tells of it again.
        this.#taken[at + 1] = IGNORED;
        this.watchWake();
      }
    }
    this.clearSends();
    // The descriptor does not tell of what has been taken.
    if (!this.polling && this.#takenEnd > before) this.onPending();
  }

  /** A completion of our own, told in its turn behind those that came before. */
  protected tell(handle: Handle, kind: number, result: number): void {
    if (this.#takenEnd + WORDS > this.#taken.length) this.#growTaken();
    const end = this.#takenEnd;
    this.#taken[end] = handle;
    this.#taken[end + 1] = ((this.table.generations[handle] & GENERATION) << KIND_BITS) | kind;
    this.#taken[end + 2] = result;
    this.#taken[end + 3] = 0;
    this.#takenEnd = end + WORDS;
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
        this.system.eventfdRead(this.#wakeup);
        this.watchWake();
        continue;
      }
      if (kind === BOUND_READY) {
        this.boundReady();
        continue;
      }
      count++;
      try {
        if ((this.table.generations[handle] & GENERATION) === data >>> KIND_BITS) {
          this.completed(handle, kind, result, flags);
        } else this.outlived(kind, flags);
      } catch (error) {
        this.onSinkError(handle, error);
      }
    }
    return count;
  }

  protected request(op: number, fd: number, handle: Handle, kind: number): number {
    const generation = this.table.generations[handle] & GENERATION;
    const at = this.ring.request(op, fd, handle, (generation << KIND_BITS) | kind);
    if (!this.polling && this.ring.pending === 1) this.onPending();
    return at;
  }

  protected cancel(handle: Handle, kind: number): void {
    const generation = this.table.generations[handle] & GENERATION;
    this.#cancelRequest(this.request(OP_ASYNC_CANCEL, -1, handle, IGNORED), handle, (generation << KIND_BITS) | kind);
  }

  #cancelRequest(at: number, dataLow: number, dataHigh: number): void {
    const { words } = this.ring;
    words[at + 4] = dataLow;
    words[at + 5] = dataHigh;
    words[at + OP_FLAGS] = CANCEL_ALL;
    this.ring.flag(at, CQE_SKIP_SUCCESS);
  }

  protected askPoll(handle: Handle, events: number, kind: number, asked: number): void {
    if (this.table.state[handle] & asked) return;
    this.table.state[handle] |= asked;
    const at = this.request(OP_POLL_ADD, this.table.fds[handle], handle, kind);
    this.ring.words[at + OP_FLAGS] = events;
  }

  protected wantsRoom(handle: Handle): void {
    this.askPoll(handle, POLLOUT, ROOM, ROOM_ASKED);
  }
  protected wantsMore(handle: Handle): void {
    this.askPoll(handle, POLLIN, INPUT, INPUT_ASKED);
  }

  /** Asks whether a descriptor that is no handle's is readable. */
  protected requestPoll(fd: number, kind: number, number = 0): void {
    if (!this.polling && this.ring.pending === 0) this.onPending();
    const at = this.ring.request(OP_POLL_ADD, fd, number, kind);
    this.ring.words[at + OP_FLAGS] = POLLIN;
  }

  /** Closes the descriptor once the kernel has come to it. */
  protected requestClose(handle: Handle): void {
    const at = this.request(OP_CLOSE, this.table.fds[handle], handle, IGNORED);
    this.ring.flag(at, CQE_SKIP_SUCCESS);
  }

  protected cancelAll(handle: Handle): void {
    const state = this.table.state[handle];
    if (state & RECV_ASKED) this.cancel(handle, RECV);
    if (state & ROOM_ASKED) this.cancel(handle, ROOM);
    if (state & INPUT_ASKED) this.cancel(handle, INPUT);
    if (state & HANGUP_ASKED) this.cancel(handle, HANGUP);
  }

  protected freeIfDone(handle: Handle): void {
    const state = this.table.state[handle];
    if ((state & CLOSING) === 0 || state & (IN_KERNEL | LEAVING)) return;
    this.closing--;
    this.table.release(handle);
  }
}
