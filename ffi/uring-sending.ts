/**
 * Sending through io_uring. What `sendOutgoing` is given waits in an arena until the turn's enter takes it. Sends never
 * wait in the kernel (MSG_DONTWAIT), so each has ended when that enter returns; one that went whole is not even told of
 * (MSG_WAITALL, CQE_SKIP_SUCCESS). What it left over is sent as on every other system, when there is room.
 *
 * Larger messages are sent at once, by a call of their own.
 */

import { BLOCKED } from "./handles.ts";
import { resets } from "./linger.ts";
import type { Handle } from "./poller.ts";
import { SENT } from "./send-result.ts";
import { SCRATCH } from "./socket-poller.ts";
import type { LinuxSystem } from "./system.ts";
import { Arena } from "./uring-arena.ts";
import type { UringCalls } from "./uring-calls.ts";
import {
  CLOSING,
  HANGUP,
  HANGUP_ASKED,
  KIND_BITS,
  LEAVING,
  LEFT_BEHIND,
  RECV,
  RECV_ASKED,
  SEND,
  SEND_ASKED,
  SEND_BLOCKED,
  SEND_FAILED,
  UringLoop,
} from "./uring-loop.ts";
import { CQE_SKIP_SUCCESS, LENGTH, MSG_WAITALL, OP_FLAGS, OP_SEND } from "./uring-ring.ts";

// linux/io_uring.h
const OP_TIMEOUT = 11;

/*
 * Bits of a handle's state beside those of `uring-loop.ts`.
 *   LATE       what `unsent` holds was taken as sent: its rest is ours to deliver even if the handle is closed
 *   SHUTTING   FIN is due behind that
 *   RESET      a send has met the peer's reset, which the kernel tells only once: a receive that finds nothing more behind
 *              it is no FIN (after one, the send would have failed with EPIPE)
 */
export const LATE = 1 << 19;
const SHUTTING = 1 << 20;
export const RESET = 1 << 26;

const ARENA_BYTES = 256 * 1024;
/** What a batch saves is nothing beside the copy of a larger message. */
const LARGEST_BATCHED = 16 * 1024;
/** How long a connection that was closed may take to read what had been taken as sent: as long as a lingering one. */
const LEFT_BEHIND_MS = 30_000;
/** A handler that takes its time must not hold up the answers before its own: looked at every so many sends. */
const LOOK_EVERY = 4;
const HELD_UP_MS = 1;

export abstract class UringSending extends UringLoop {
  protected readonly arena: Arena;
  /** A struct __kernel_timespec of LEFT_BEHIND_MS. */
  readonly #leftBehind: number;
  #submittedAt = 0;

  constructor(system: LinuxSystem, calls: UringCalls) {
    super(system, calls, ARENA_BYTES);
    this.arena = new Arena(this.outgoingMemory, SCRATCH);
    const time = system.allocate(16);
    new BigInt64Array(time.buffer)[0] = BigInt(LEFT_BEHIND_MS / 1000);
    this.#leftBehind = time.address;
  }

  override sendOutgoing(handle: Handle, start: number, end: number): number {
    const length = end - start;
    const { arena, ring } = this;
    const { state } = this.table;
    // Nothing is nothing: as a request it would fail, later, on a socket whose peer has gone meanwhile.
    if (length > LARGEST_BATCHED || length === 0) return this.send(handle, this.outgoing, start, end);
    if (state[handle] & SEND_ASKED && arena.append(handle, start, end, ring)) return SENT;
    if (state[handle] & (BLOCKED | SEND_ASKED)) return this.send(handle, this.outgoing, start, end);
    if (!arena.fits(length)) this.#submit();
    const number = arena.put(handle, start, end);
    state[handle] |= SEND_ASKED;
    if (!this.polling && ring.pending === 0) this.onPending();
    const at = ring.request(OP_SEND, this.table.fds[handle], handle, (number << KIND_BITS) | SEND);
    ring.address(at, arena.addressOf(number));
    ring.words[at + LENGTH] = length;
    ring.words[at + OP_FLAGS] = this.constants.MSG_NOSIGNAL | this.constants.MSG_DONTWAIT | MSG_WAITALL;
    ring.flag(at, CQE_SKIP_SUCCESS);
    arena.asked(number, at, ring.next);
    if (number % LOOK_EVERY === LOOK_EVERY - 1) this.#submitIfHeldUp();
    return SENT;
  }

  #submitIfHeldUp(): void {
    const now = performance.now();
    if (this.arena.count < LOOK_EVERY) this.#submittedAt = now;
    else if (now - this.#submittedAt > HELD_UP_MS) {
      this.#submittedAt = now;
      this.#submit();
    }
  }

  #submit(): void {
    this.ring.submit();
    this.take();
  }

  override send(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.settleSends(handle);
    return super.send(handle, bytes, start, end);
  }

  override sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number, more?: boolean): number {
    this.settleSends(handle);
    return super.sendSome(handle, bytes, start, end, more);
  }

  override sendFile(handle: Handle, file: number, offset: number, length: number): number {
    this.settleSends(handle);
    return super.sendFile(handle, file, offset, length);
  }

  /** Nothing of this handle waits for the turn's end after this. */
  protected settleSends(handle: Handle): void {
    if ((this.table.state[handle] & SEND_ASKED) === 0) return;
    this.#submit();
  }

  override shutdown(handle: Handle): number {
    this.settleSends(handle);
    if (this.table.state[handle] & LATE) {
      this.table.state[handle] |= SHUTTING;
      return 0;
    }
    return super.shutdown(handle);
  }

  protected override flush(handle: Handle): void {
    const { table } = this;
    const late = table.state[handle] & LATE;
    const generation = table.generations[handle];
    super.flush(handle);
    if (late === 0 || table.generations[handle] !== generation || table.state[handle] & (BLOCKED | CLOSING)) return;
    const shutting = table.state[handle] & SHUTTING;
    table.state[handle] &= ~(LATE | SHUTTING);
    if (shutting) super.shutdown(handle);
  }

  /** A send that was not taken whole: what is left waits for room, as on every other system. */
  protected sendEnded(handle: Handle, number: number, result: number): void {
    const { arena } = this;
    const length = arena.lengthOf(number);
    if (result >= length) return;
    const { EAGAIN, EINTR, ECANCELED } = this.constants.errno;
    const passes = result >= 0 || result === -EAGAIN || result === -EINTR || result === -ECANCELED;
    const { state } = this.table;
    const reset = (state[handle] & CLOSING) !== 0 && resets(this.system, this.table.fds[handle]);
    if (!reset && (passes || this.waits(result))) {
      const sent = Math.max(0, result);
      const start = arena.startOf(number) + sent;
      this.unsent.add(handle, arena.bytes, start, start + length - sent);
      state[handle] |= BLOCKED | LATE;
      if (result < 0 && this.waits(result) && (state[handle] & CLOSING) === 0) this.stall(handle);
      else this.wantsRoom(handle);
      if (state[handle] & CLOSING) this.startLeaving(handle);
      else this.tell(handle, SEND_BLOCKED, 0);
    } else if ((state[handle] & CLOSING) === 0) {
      if (result === -this.constants.errno.ECONNRESET) state[handle] |= RESET;
      this.tell(handle, SEND_FAILED, result);
    }
    // With a broken link the descriptor is still open; else whoever closes it is at it.
    else if (arena.isLinked(number)) this.system.close(this.table.fds[handle]);
  }

  protected clearSends(): void {
    const arena = this.arena;
    for (let number = arena.first; number < arena.last; number++) {
      if (!arena.wasTaken(number, this.ring.taken)) break;
      const handle = arena.handleOf(number);
      this.table.state[handle] &= ~SEND_ASKED;
      if (this.table.state[handle] & CLOSING) this.freeIfDone(handle);
      arena.first = number + 1;
    }
    arena.rest();
  }

  // ---- closed with bytes left

  /** The kernel would deliver what it had taken after a close: so do we, for a while. */
  protected leaveBehind(handle: Handle): void {
    this.#cancelReceiving(handle);
    this.startLeaving(handle);
    this.wantsRoom(handle);
  }

  #cancelReceiving(handle: Handle): void {
    const state = this.table.state[handle];
    if (state & RECV_ASKED) this.cancel(handle, RECV);
    if (state & HANGUP_ASKED) this.cancel(handle, HANGUP);
  }

  protected startLeaving(handle: Handle): void {
    if (this.table.state[handle] & LEAVING) return;
    this.table.state[handle] |= LEAVING;
    this.leaving++;
    this.onLeaving(1);
    const at = this.request(OP_TIMEOUT, -1, handle, LEFT_BEHIND);
    this.ring.address(at, this.#leftBehind);
    this.ring.words[at + LENGTH] = 1;
  }

  protected flushLeaving(handle: Handle): void {
    if (!this.#sendRest(handle)) this.#left(handle);
  }

  protected leftBehindTooLong(handle: Handle): void {
    if (this.table.state[handle] & LEAVING) this.#left(handle);
  }

  protected endLeaving(): void {
    const { state } = this.table;
    for (let handle = 0; handle < state.length; handle++) if (state[handle] & LEAVING) this.#left(handle);
  }

  /** Whether some of it has to wait. */
  #sendRest(handle: Handle): boolean {
    for (let rest = this.unsent.get(handle); rest !== undefined; rest = this.unsent.get(handle)) {
      const n = this.system.send(this.table.fds[handle], rest);
      if (n >= 0) this.unsent.took(handle, n);
      else {
        const wait = this.sendFailed(handle, n);
        if (wait !== 0) return wait > 0;
      }
    }
    return false;
  }

  #left(handle: Handle): void {
    this.unsent.delete(handle);
    this.cancelAll(handle);
    this.requestClose(handle);
    this.#stopLeaving(handle);
    this.freeIfDone(handle);
  }

  #stopLeaving(handle: Handle): void {
    if ((this.table.state[handle] & LEAVING) === 0) return;
    this.table.state[handle] &= ~LEAVING;
    this.cancel(handle, LEFT_BEHIND);
    this.leaving--;
    this.onLeaving(-1);
  }
}
