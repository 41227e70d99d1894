/**
 * Handshakes cost a thousand times what a request does, and whoever likes may begin some. So only so much of a turn is
 * theirs: the others wait for the next one, in the order in which they came, and connections that are there already are
 * served in between. How long one may wait is the handshake's own deadline; `open-handshakes.ts` has how many there may be.
 */
import type { Handle } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { turnStats } from "../runtime/stall-clock.ts";

/** Of a turn, in milliseconds; one step is always taken. */
const BUDGET_MS = 2;

export class HandshakeQueue {
  readonly #step: (handle: Handle, life: number) => void;
  #turn = -1;
  #spent = 0;
  /** Handle, life, handle, life, …; those before `#next` are done. */
  #waiting: number[] = [];
  #next = 0;

  constructor(step: (handle: Handle, life: number) => void) {
    this.#step = step;
  }

  /** Whether a step may be taken at once. */
  get free(): boolean {
    if (this.#waiting.length > 0) return false;
    if (this.#turn !== turnStats.turns) {
      this.#turn = turnStats.turns;
      this.#spent = 0;
    }
    return this.#spent < BUDGET_MS;
  }

  took(ms: number): void {
    this.#spent += ms;
  }

  add(handle: Handle, life: number): void {
    if (this.#waiting.length === 0) setImmediate(this.#run);
    this.#waiting.push(handle, life);
  }

  readonly #run = (): void => {
    const until = monotonicNow() + BUDGET_MS;
    do {
      const next = this.#next;
      this.#next += 2;
      this.#step(this.#waiting[next], this.#waiting[next + 1]);
    } while (this.#next < this.#waiting.length && monotonicNow() < until);
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
      return;
    }
    // Not one by one: that is a move of all.
    if (this.#next > 4096) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    setImmediate(this.#run);
  };
}
