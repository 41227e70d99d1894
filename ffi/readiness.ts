/**
 * From readiness to operations, once for every readiness kernel (epoll, kqueue): try → EAGAIN → park → ready → retry.
 *
 * Edges are remembered, not asked for again: a descriptor is registered once, and a bit a handle says whether the
 * kernel may have more. A read that comes back short has emptied the socket, so it costs no second call to see EAGAIN
 * (epoll(7), Q9) unless a hang-up was reported, whose end of file must still be read.
 *
 * A connection that has spoken already is read from first, and registered at the end of the poll that accepted it: one
 * that has been answered and closed by then, as a client of one request is, never costs that call, nor an event.
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
} from "./handles.ts";
import type { Handle, Sink } from "./poller.ts";
import { SocketPoller } from "./socket-poller.ts";
import type { System } from "./system.ts";

/*
 * Bits of a handle's state beside those of `handles.ts`.
 *   UNWATCHED  it stands in `#spoke`: the kernel has not been asked for its edges yet
 *   GONE       a hang-up was reported and nobody has been told: whoever reads on finds the end himself, but not who pauses
 */
const UNWATCHED = 1 << 12;
const GONE = 1 << 13;

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
  /** As of `Poller`. `poll` leaves it out, and sets `attendedReady`. */
  attend(fd: number): number;
  attendedReady: boolean;
  wake(): void;
  dispose(): void;
}

/** Bits of `events`. */
export const READABLE = 1;
export const WRITABLE = 2;
export const HANGUP = 4;
/** TCP urgent data (RFC 6093; telnet's Ctrl-C): recv(2) stops at its mark, so a short read has not emptied the socket. */
export const URGENT = 8;

export class ReadinessPoller extends SocketPoller {
  readonly name: string;
  readonly descriptor: number;
  readonly #backend: ReadinessBackend;
  /** Opened during this poll, to be registered at its end, as handle and generation. */
  #spoke: number[] = [];
  /** Events that a wait has found, for the poll that follows. */
  #found = 0;

  constructor(system: System, backend: ReadinessBackend) {
    super(system);
    this.#backend = backend;
    this.name = backend.name;
    this.descriptor = backend.descriptor;
  }

  open(fd: number, sink: Sink, spoke = false): Handle {
    if (spoke && this.polling) {
      const unwatched = this.table.take(fd, OPEN | UNWATCHED | MORE, sink);
      this.#spoke.push(unwatched, this.table.generations[unwatched]);
      return unwatched;
    }
    const handle = this.table.next();
    const failed = this.#backend.open(fd, handle, this.table.generations[handle]);
    return failed < 0 ? failed : this.table.take(fd, OPEN, sink);
  }

  close(handle: Handle): void {
    const state = this.table.state[handle];
    if ((state & OPEN) === 0) return;
    const fd = this.table.fds[handle];
    if (state & LISTENER) this.#backend.forget(fd);
    if (state & BLOCKED) this.unsent.delete(handle);
    this.table.release(handle);
    // EINTR after close(2) on Linux means closed (man 2 close); a second try could hit the descriptor's next owner.
    this.system.close(fd);
    if (this.stalled > 0) this.retry();
  }

  poll(timeoutMs: number): number {
    const found = this.#found;
    this.#found = 0;
    const count = found > 0 ? found : this.#backend.poll(this.pending ? 0 : timeoutMs);
    const { handles, generations, events } = this.#backend;
    this.polling = true;
    try {
      for (let i = 0; i < count; i++) {
        const handle = handles[i];
        if (this.table.generations[handle] !== generations[i]) continue; // an event of a former life
        try {
          this.#ready(handle, events[i]);
        } catch (error) {
          this.onSinkError(handle, error);
        }
      }
      return count + this.workOff();
    } finally {
      this.polling = false;
      if (this.#spoke.length > 0) this.#watchSpoke();
    }
  }

  get attendedReady(): boolean {
    return this.#backend.attendedReady;
  }

  attend(fd: number): number {
    return this.#backend.attend(fd);
  }

  wait(timeoutMs: number): boolean {
    const backend = this.#backend;
    if (this.#found === 0) {
      backend.attendedReady = false;
      this.#found = backend.poll(this.pending ? 0 : timeoutMs);
    }
    return this.#found > 0 || this.pending;
  }

  /** Who is still there is registered: what it has is then reported, as if it were new. */
  #watchSpoke(): void {
    const { table } = this;
    const spoke = this.#spoke;
    this.#spoke = [];
    for (let i = 0; i < spoke.length; i += 2) {
      const handle = spoke[i];
      const generation = spoke[i + 1];
      if (table.generations[handle] !== generation) continue;
      table.state[handle] &= ~(UNWATCHED | MORE);
      const failed = this.#backend.open(table.fds[handle], handle, generation);
      if (failed < 0) this.#failed(handle, -failed);
    }
  }

  #failed(handle: Handle, errno: number): void {
    try {
      this.table.sinks[handle]?.failed(handle, errno);
    } catch (error) {
      this.onSinkError(handle, error);
    }
  }

  wake(): void {
    this.#backend.wake();
  }

  dispose(): void {
    this.#backend.dispose();
  }

  accept(listener: Handle): void {
    this.table.state[listener] |= LISTENER;
    this.#read(listener, ACCEPTING);
  }
  receive(handle: Handle): void {
    this.#read(handle, RECEIVING);
  }
  receiveDatagrams(handle: Handle): void {
    this.#read(handle, DATAGRAMS);
  }
  pause(handle: Handle): void {
    this.table.state[handle] &= ~READING;
    if (this.table.state[handle] & GONE) this.enqueue(handle);
  }

  /** Edges come by themselves. */
  protected wantsRoom(): void {}
  protected wantsMore(): void {}
  protected emptied(): void {}
  protected work(handle: Handle): void {
    this.#ready(handle, 0);
  }

  /** An edge came (or, with no events, the queue): do what the handle is there for. */
  #ready(handle: Handle, events: number): void {
    const generation = this.table.generations[handle];
    if (this.table.state[handle] & CONNECTING) {
      if (events === 0 || events & (WRITABLE | HANGUP)) this.finishConnect(handle);
      if (this.table.generations[handle] !== generation) return;
    } else if (this.table.state[handle] & BLOCKED && (events & WRITABLE || events === 0)) {
      this.flush(handle);
      if (this.table.generations[handle] !== generation) return;
    }
    if (events & (HANGUP | URGENT)) this.table.state[handle] |= HUNG_UP;
    if (events & HANGUP) this.table.state[handle] |= GONE;
    if (events & (READABLE | HANGUP)) this.table.state[handle] |= MORE;
    const state = this.table.state[handle];
    if ((state & MORE) === 0) return;
    if (state & RECEIVING) this.receiveAll(handle, generation);
    else if (state & ACCEPTING) this.acceptAll(handle, generation);
    else if (state & DATAGRAMS) this.datagramsAll(handle, generation);
    if (this.table.generations[handle] === generation) this.#tellGone(handle);
  }

  /** It is paused now, and its end has not been read. */
  #tellGone(handle: Handle): void {
    const state = this.table.state[handle];
    if ((state & (GONE | MORE)) !== (GONE | MORE) || state & (READING | CONNECTING)) return;
    this.table.state[handle] &= ~GONE;
    this.table.sinks[handle]?.hungUp(handle);
  }

  #read(handle: Handle, how: number): void {
    this.table.state[handle] |= how;
    // An edge that came while it was paused will not come again.
    if (this.table.state[handle] & MORE) this.enqueue(handle);
  }
}
