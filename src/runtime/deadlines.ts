/**
 * Deadlines of handles on a timer wheel: one number a handle, and no host timer or object of its own.
 *
 * A handle stands in the list of one slot of 16 ms. Moving its deadline later, or clearing it, only writes the number:
 * when the slot comes up, the handle is put where it belongs then. So the common case, a connection whose idle
 * deadline moves with every request, costs one store. Only an earlier deadline moves a handle at once.
 */
import type { Handle } from "../../ffi/poller.ts";

/** Milliseconds a slot; a deadline is met at most this much late (and never early). */
const TICK = 16;
/** 131 s a round: longer than the usual idle timeout, so that handles are rarely passed on. A power of two. */
const SLOTS = 8192;
/**
 * Deadlines beyond a round stand in one slot of so many, to be passed on together: 15,000 idle connections with an hour
 * each woke the process once a second. A second's worth, so that a million do not come in one turn. A power of two.
 */
const FAR = 64;
const NONE = -1;
/**
 * Handles told in one `advance`. 4,000 connections that were opened together are cut together: at some 60 µs each that
 * held everybody else up for 220 ms, in one turn.
 */
const TOLD_AT_ONCE = 24;

export class Deadlines {
  readonly #expire: (handle: Handle) => void;
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  /** Deadline in clock milliseconds, 0 for none. */
  #at = new Float64Array(1024);
  /** The tick in whose list the handle stands, NONE where it stands in none; its neighbours there. */
  #tick = new Int32Array(1024).fill(NONE);
  #next = new Int32Array(1024).fill(NONE);
  #previous = new Int32Array(1024).fill(NONE);
  /** Every tick below this one has been handled. */
  #cursor = 0;
  #linked = 0;
  /** No list before this tick has an entry. */
  #nearest = Number.POSITIVE_INFINITY;

  constructor(now: number, expire: (handle: Handle) => void) {
    this.#cursor = Math.floor(now / TICK);
    this.#expire = expire;
  }

  /** When to call `advance` next, in clock milliseconds; Infinity when no handle is in the wheel. */
  get nearest(): number {
    return this.#nearest * TICK;
  }

  /** The deadline set for a handle, 0 for none. */
  get(handle: Handle): number {
    return handle < this.#at.length ? this.#at[handle] : 0;
  }

  /** Sets the deadline of a handle, in clock milliseconds; 0 clears it. Returns true when `nearest` came nearer. */
  set(handle: Handle, at: number): boolean {
    if (handle >= this.#at.length) this.#grow(handle);
    this.#at[handle] = at;
    if (at === 0) return false;
    const wanted = this.#tickOf(at);
    const standing = this.#tick[handle];
    if (standing !== NONE) {
      if (standing <= wanted) return false;
      this.#unlink(handle, standing);
    }
    return this.#link(handle, wanted);
  }

  /**
   * Expires the handles whose deadline is at or before `now`: all of them, or as many as go into one turn. Then `nearest`
   * is still not later than `now`, and the caller comes again after the others have had their turn.
   */
  advance(now: number): void {
    const until = Math.floor(now / TICK);
    const from = this.#cursor;
    if (until < from) return;
    // What is set from here on, by `expire` too, is put behind the ticks that this call visits.
    this.#cursor = until + 1;
    if (this.#linked === 0 || until < this.#nearest) return;
    // After a long sleep each list needs one visit only, however many rounds went by.
    const last = Math.min(until, from + SLOTS - 1);
    let told = 0;
    for (let tick = from; tick <= last; tick++) {
      const slot = tick & (SLOTS - 1);
      let handle = this.#heads[slot];
      this.#heads[slot] = NONE;
      while (handle !== NONE) {
        if (told === TOLD_AT_ONCE) return this.#putBack(handle, tick);
        const following = this.#next[handle];
        this.#tick[handle] = NONE;
        this.#linked--;
        const at = this.#at[handle];
        if (at !== 0) {
          if (at <= now) {
            this.#at[handle] = 0;
            told++;
            this.#expire(handle);
          } else {
            this.#link(handle, this.#tickOf(at));
          }
        }
        handle = following;
      }
    }
    this.#findNearest();
  }

  /** The rest of a list that could not be told now: it comes first the next time. */
  #putBack(first: Handle, tick: number): void {
    this.#cursor = tick;
    this.#nearest = tick;
    for (let handle = first; handle !== NONE; ) {
      const following = this.#next[handle];
      this.#linked--;
      this.#link(handle, tick);
      handle = following;
    }
  }

  /** The first tick that begins at or after a deadline; one near the end of the round for those beyond it. */
  #tickOf(at: number): number {
    const tick = Math.ceil(at / TICK);
    const last = this.#cursor + SLOTS - 1;
    return tick > last ? last - (last % FAR) : Math.max(tick, this.#cursor);
  }

  #link(handle: Handle, tick: number): boolean {
    const slot = tick & (SLOTS - 1);
    const head = this.#heads[slot];
    this.#tick[handle] = tick;
    this.#next[handle] = head;
    this.#previous[handle] = NONE;
    if (head !== NONE) this.#previous[head] = handle;
    this.#heads[slot] = handle;
    this.#linked++;
    if (tick >= this.#nearest) return false;
    this.#nearest = tick;
    return true;
  }

  #unlink(handle: Handle, tick: number): void {
    const next = this.#next[handle];
    const previous = this.#previous[handle];
    if (previous === NONE) this.#heads[tick & (SLOTS - 1)] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#tick[handle] = NONE;
    this.#linked--;
  }

  #findNearest(): void {
    this.#nearest = Number.POSITIVE_INFINITY;
    if (this.#linked === 0) return;
    for (let tick = this.#cursor; tick < this.#cursor + SLOTS; tick++) {
      if (this.#heads[tick & (SLOTS - 1)] !== NONE) {
        this.#nearest = tick;
        return;
      }
    }
  }

  #grow(handle: Handle): void {
    const size = Math.max(this.#at.length * 2, handle + 1);
    const at = new Float64Array(size);
    at.set(this.#at);
    this.#at = at;
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const fresh = new Int32Array(size).fill(NONE);
      fresh.set(old);
      return fresh;
    };
    this.#tick = grown(this.#tick);
    this.#next = grown(this.#next);
    this.#previous = grown(this.#previous);
  }
}
