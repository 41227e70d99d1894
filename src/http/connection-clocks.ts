/**
 * The clocks of a connection that is not idle: who is being waited for, and until when. Each clock is one number, 0
 * while it does not run; the wheel of the runtime holds the nearest of them, so that no clock costs a timer.
 *
 *   head     part of a request's head has come, the rest is the client's to send
 *   read     the request's body is the client's to send; stands while we receive nothing, for the handler to catch up
 *   work     the handler has the request and owes a response
 *   write    bytes wait to be sent, the client does not take them
 *   grace    the client is half closed, and the response waits for its producer
 *
 * `read` and `write` are filled up by bytes that move: at `minRate` a clock stands still, and it never holds more than
 * its whole timeout, so that a burst buys no time for drips (mod_reqtimeout's MinRate, but as a bucket). With `minRate`
 * 0 they run from the head to the body's, or the response's, last byte, whatever moves, as Go's do.
 */
import type { Handle, Transport } from "../../ffi/poller.ts";
import type { Limits, RequestLimits } from "./limits.ts";

export type Clock = "head" | "read" | "work" | "write" | "grace";

/** What the clocks ask of the server. */
export interface ClockHost {
  readonly poller: Transport;
  readonly limits: Limits;
  /** The clock, in milliseconds. */
  readonly now: number;
  /** When the connection's deadline is, in clock milliseconds; 0 for never. */
  deadlineAt(handle: Handle): number;
  setDeadlineAt(handle: Handle, at: number): void;
}

/**
 * What a client takes is what its kernel acknowledges. Linux tells the sender of room only when a sixteenth of the
 * receive buffer is free (tcp_output.c, __tcp_select_window): of 6 MiB that is 400 KiB, so whoever reads from such a
 * buffer at less than 13 KiB/s is seen to take nothing for 30 s.
 *
 * A client that lets bytes wait this long is looked at, so that later it can be told how many it took.
 */
const LOOK_AFTER_MS = 1000;

export abstract class ConnectionClocks {
  abstract readonly host: ClockHost;
  readonly handle: Handle;
  /** Limits that this request has for itself. */
  protected own: RequestLimits | undefined;
  // Whole milliseconds: small integers need no box on the heap.
  #head = 0;
  #read = 0;
  #work = 0;
  #write = 0;
  #grace = 0;
  /** Bytes of the body that have not bought a millisecond yet. */
  #carried = 0;
  /** When to look how much the client has not acknowledged; -1 when that was done, 0 while nothing waits. */
  #lookAt = 0;
  /** What it had not acknowledged at that look. */
  #seen = 0;
  /** What the write clock still held when bytes last stopped waiting, and when that was. */
  #left = 0;
  #leftAt = 0;
  #responding = false;

  constructor(handle: Handle) {
    this.handle = handle;
    this.own = undefined;
  }

  protected get readTimeout(): number {
    return this.own?.readTimeout ?? this.host.limits.readTimeout;
  }
  protected get writeTimeout(): number {
    return this.own?.writeTimeout ?? this.host.limits.writeTimeout;
  }
  protected get minRate(): number {
    return this.own?.minRate ?? this.host.limits.minRate;
  }
  protected get maxBodyBytes(): number {
    return this.own?.maxBodyBytes ?? this.host.limits.maxBodyBytes;
  }

  /** Part of a head has come. A new connection's time has been running since it was opened. */
  protected headBegan(fresh: boolean): void {
    const { host } = this;
    this.#head = fresh ? Math.ceil(host.deadlineAt(this.handle)) : after(host.now, host.limits.readHeaderTimeout);
    this.#arm();
  }

  /** The head is whole; a request begins. `waits` says that its body comes only when it is asked for. */
  protected requestBegan(body: boolean, waits: boolean): void {
    const { now, limits } = this.host;
    const began = this.#head > 0 ? this.#head - limits.readHeaderTimeout : now;
    this.#head = 0;
    this.#responding = false;
    const absolute = this.minRate === 0;
    this.#read = body && (absolute || !waits) ? after(began, this.readTimeout) : 0;
    this.#work = absolute || !body || waits ? after(now, this.writeTimeout) : 0;
    this.#arm();
  }

  /** Bytes of the body have come, or the client is asked for them. */
  protected bodyMoved(bytes: number): void {
    const rate = this.minRate;
    if (rate === 0) return;
    const { now } = this.host;
    if (this.#read === 0) {
      // It stood, or there is no limit.
      this.#read = after(now, this.readTimeout);
      this.#work = 0;
    } else {
      // Pieces of a few bytes are worth less than a millisecond each: what is left of one counts for the next.
      const all = this.#carried + bytes;
      const ms = Math.floor((all * 1000) / rate);
      this.#carried = ms === 0 ? all : 0;
      this.#read = Math.min(this.#read + ms, after(now, this.readTimeout));
    }
    this.#arm();
  }

  /** The whole body has come. */
  protected bodyArrived(): void {
    this.#read = 0;
    if (!this.#responding && this.#work === 0) this.#work = after(this.host.now, this.writeTimeout);
    this.#arm();
  }

  /** We stopped receiving, for the handler to catch up. */
  protected bodyPaused(): void {
    if (this.minRate === 0) return;
    this.#read = 0;
    if (!this.#responding) this.#work = after(this.host.now, this.writeTimeout);
    this.#arm();
  }

  protected bodyResumed(): void {
    this.bodyMoved(0);
  }

  /** The head of the response is on its way: what follows may take its time, unless bytes wait to be sent. */
  protected responseBegan(): void {
    this.#responding = true;
    if (this.minRate === 0) return;
    this.#work = 0;
    this.#arm();
  }

  /** The response is out; a body that is to be dropped may still be coming. */
  protected responseEnded(): void {
    this.own = undefined;
    this.#work = 0;
    this.#grace = 0;
  }

  /** Bytes wait to be sent. */
  protected writingBegan(): void {
    if (this.#lookAt !== 0) return;
    const { now } = this.host;
    const timeout = this.writeTimeout;
    const rested = this.#leftAt === 0 || now - this.#leftAt > timeout;
    this.#write = after(now, rested ? timeout : Math.min(timeout, this.#left));
    this.#lookAt = after(now, Math.min(LOOK_AFTER_MS, timeout / 4));
    this.#arm();
  }

  /** They are sent. */
  protected writingEnded(): void {
    if (this.#lookAt === 0) return;
    const { now } = this.host;
    const looked = this.#lookAt < 0;
    this.#lookAt = 0;
    const timeout = this.writeTimeout;
    const rate = this.minRate;
    // Whoever takes a full buffer within a second is no drip.
    const due = looked && rate > 0 ? refilled(this.#write, now, this.#taken(), rate, timeout) : now + timeout;
    this.#left = Math.max(0, Math.ceil(due - now));
    this.#leftAt = Math.ceil(now);
    this.#write = 0;
    this.#arm();
  }

  /** From here on, and as long as `grace` is asked for again. */
  protected graceBegan(ms: number): void {
    this.#grace = after(this.host.now, ms);
    this.#arm();
  }

  /** The limits of the request have changed: clocks that run begin anew, from this moment. */
  protected limitsChanged(read: boolean, write: boolean): void {
    const { now } = this.host;
    if (read && this.#read !== 0) this.#read = after(now, this.readTimeout);
    if (write && this.#work !== 0) this.#work = after(now, this.writeTimeout);
    if (write && this.#write !== 0) this.#write = after(now, this.writeTimeout);
    this.#arm();
  }

  protected stopClocks(): void {
    this.#head = this.#read = this.#work = this.#write = this.#grace = this.#lookAt = 0;
  }

  /** Which clock has run out, if any; else the wheel is set for the next one. */
  protected expiredClock(): Clock | undefined {
    const { now } = this.host;
    if (this.#lookAt > 0 && this.#lookAt <= now) {
      this.#lookAt = -1;
      this.#seen = this.unacknowledged();
    }
    if (this.#write > 0 && this.#write <= now) {
      const rate = this.minRate;
      const due = rate > 0 ? refilled(this.#write, now, this.#taken(), rate, this.writeTimeout) : this.#write;
      if (due <= now) return "write";
      this.#write = due;
      this.#seen = this.unacknowledged();
    }
    if (ran(this.#work, now)) return "work";
    if (ran(this.#read, now)) return "read";
    if (ran(this.#head, now)) return "head";
    if (ran(this.#grace, now)) return "grace";
    this.#arm();
    return undefined;
  }

  /** Bytes that were sent, and not acknowledged. */
  protected unacknowledged(): number {
    return this.host.poller.outstanding(this.handle);
  }

  /** Bytes that the client has acknowledged since the last look, though nothing new was sent. */
  #taken(): number {
    return Math.max(0, this.#seen - this.unacknowledged());
  }

  #arm(): void {
    let at = nearer(this.#head, this.#read);
    at = nearer(at, this.#work);
    at = nearer(at, this.#write);
    at = nearer(at, this.#grace);
    this.host.setDeadlineAt(this.handle, this.#lookAt > 0 ? nearer(at, this.#lookAt) : at);
  }
}

/** A moment, as a clock holds it: 0, which is never, for no limit. */
function after(now: number, ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? 0 : Math.ceil(now + ms);
}

function refilled(due: number, now: number, bytes: number, rate: number, timeout: number): number {
  return Math.ceil(Math.min(due + (bytes * 1000) / rate, now + timeout));
}

function ran(due: number, now: number): boolean {
  return due > 0 && due <= now;
}

function nearer(a: number, b: number): number {
  return a === 0 || (b !== 0 && b < a) ? b : a;
}
