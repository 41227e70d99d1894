/**
 * Sending through a completion port. What there is room for is sent at once, by a call, as on every other system. But there
 * is no event for room in a send buffer, only one for the end of a send that has found some: so what found none is sent by
 * an operation, piece by piece, from memory of its own.
 */
import { BLOCKED, CONNECTING } from "./handles.ts";
import { PENDING } from "./iocp-calls.ts";
import { IocpLoop, LEAVING, SEND_ASKED } from "./iocp-loop.ts";
import type { Handle } from "./poller.ts";
import type { KernelMemory } from "./system.ts";

/** The kind of such an operation. */
export const SEND = 2;
/*
 * Bits of a handle's state beside those of `iocp-loop.ts`.
 *   LATE       what `unsent` holds was taken as sent: it is ours to deliver even if the handle is closed
 *   PROMISED   the owner was told to wait for `sent`
 */
export const LATE = 1 << 18;
const PROMISED = 1 << 20;
/** What one operation sends. */
const PIECE = 16 * 1024;
/** How long a closed connection may take to read what had been taken as sent: as long as a lingering one. */
const LEFT_BEHIND_MS = 30_000;

export abstract class IocpSending extends IocpLoop {
  readonly #pieces: KernelMemory[] = [];
  readonly #freePieces: number[] = [];
  readonly #leavingTimers = new Map<Handle, ReturnType<typeof setTimeout>>();
  /** Within `sendTo`: what has no room is the caller's. */
  #sendsTo = false;

  /** Closes the socket, and with it all that is under way. */
  protected abstract closeSocket(handle: Handle): void;

  /** What `unsent` holds is sent by an operation: its end is the room that was waited for. */
  protected wantsRoom(handle: Handle): void {
    const { table, operations } = this;
    if (table.state[handle] & SEND_ASKED) return;
    if (table.state[handle] & CONNECTING) return;
    if (this.#sendsTo) return this.stall(handle);
    const rest = this.unsent.get(handle);
    // It is kept in a moment.
    if (rest === undefined) return this.enqueue(handle);
    const length = Math.min(rest.length, PIECE);
    const piece = this.#freePieces.pop() ?? this.#pieces.push(this.system.allocate(PIECE)) - 1;
    new Uint8Array(this.#pieces[piece].buffer).set(rest.subarray(0, length));
    const operation = operations.take(SEND, handle, piece);
    operations.setBuffer(operation, this.#pieces[piece].address, length);
    const result = this.calls.send(table.fds[handle], operations.addressOf(operation));
    if (result === 0 || result === -PENDING) {
      table.state[handle] |= SEND_ASKED;
      return;
    }
    operations.give(operation);
    this.#freePieces.push(piece);
    // It comes to that again; what is broken for good, a plain send says.
    if (this.waits(result)) this.stall(handle);
    else this.enqueue(handle);
  }

  protected sendEnded(handle: Handle, error: number, bytes: number): void {
    const { table } = this;
    this.unsent.took(handle, bytes);
    if (table.state[handle] & LEAVING) {
      if (error !== 0) this.#left(handle);
      else this.sendRest(handle);
    } else if (error === 0) this.flush(handle);
    else {
      this.unsent.delete(handle);
      table.state[handle] &= ~(BLOCKED | LATE | PROMISED);
      table.sinks[handle]?.failed(handle, error);
    }
  }

  protected override flushed(handle: Handle): void {
    const promised = this.table.state[handle] & PROMISED;
    this.table.state[handle] &= ~(BLOCKED | LATE | PROMISED);
    if (promised) this.table.sinks[handle]?.sent(handle);
  }

  protected override keep(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    this.table.state[handle] |= PROMISED;
    return super.keep(handle, bytes, start, end);
  }

  /** Takes a piece when there is no room for it: whoever waits for room needs something that is on its way. */
  override sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number, more?: boolean): number {
    const { state } = this.table;
    const before = state[handle] & BLOCKED;
    const n = super.sendSome(handle, bytes, start, end, more);
    if (n !== -this.constants.errno.EAGAIN) return n;
    if (before) {
      state[handle] |= PROMISED;
      return n;
    }
    const last = Math.min(end, start + PIECE);
    this.unsent.add(handle, bytes, start, last);
    state[handle] |= LATE;
    return last - start;
  }

  override sendTo(handle: Handle, bytes: Uint8Array, to: Uint8Array): number {
    this.#sendsTo = true;
    this.table.state[handle] |= PROMISED;
    try {
      return super.sendTo(handle, bytes, to);
    } finally {
      this.#sendsTo = false;
    }
  }

  // ---- closed with bytes left

  protected leave(handle: Handle): void {
    this.table.state[handle] |= LEAVING;
    this.leaving++;
    this.onLeaving(1);
    this.#leavingTimers.set(
      handle,
      setTimeout(() => this.#left(handle), LEFT_BEHIND_MS),
    );
    this.sendRest(handle);
  }

  protected sendRest(handle: Handle): void {
    if (this.table.state[handle] & SEND_ASKED) return;
    for (let rest = this.unsent.get(handle); rest !== undefined; rest = this.unsent.get(handle)) {
      const n = this.system.send(this.table.fds[handle], rest);
      if (n >= 0) this.unsent.took(handle, n);
      else {
        const wait = this.sendFailed(handle, n);
        if (wait > 0) return;
        if (wait < 0) break;
      }
    }
    this.#left(handle);
  }

  #left(handle: Handle): void {
    if ((this.table.state[handle] & LEAVING) === 0) return;
    clearTimeout(this.#leavingTimers.get(handle));
    this.#leavingTimers.delete(handle);
    this.table.state[handle] &= ~LEAVING;
    this.leaving--;
    this.closeSocket(handle);
    this.onLeaving(-1);
  }

  protected endLeaving(): void {
    for (const handle of [...this.#leavingTimers.keys()]) this.#left(handle);
  }

  /** The memory of an operation that has ended is free for the next. */
  protected givePiece(operation: number): void {
    this.#freePieces.push(this.operations.extras[operation]);
  }
}
