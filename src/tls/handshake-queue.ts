/**
 * Handshakes cost a thousand times what a request does, and whoever likes may begin some. So only so much of a turn is
 * theirs: the others wait for the next one, in the order in which they came, and connections that are there already are
 * served in between. How long one may wait is the handshake's own deadline; `open-handshakes.ts` has how many there may be.
 */
import type { Handle } from "../../ffi/poller.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { turnStats } from "../runtime/stall-clock.ts";
import { WaitingLine } from "../runtime/waiting-line.ts";

/** Of a turn, in milliseconds; one step is always taken. */
const BUDGET_MS = 2;

export class HandshakeQueue {
  readonly #step: (handle: Handle, life: number) => void;
  #turn = -1;
  #spent = 0;
  /** Handle, life, handle, life, … */
  readonly #waiting = new WaitingLine<number>();
  /** Somebody waits, or has just had his step: an immediate sees to it. */
  #busy = false;

  constructor(step: (handle: Handle, life: number) => void) {
    this.#step = step;
  }

  /** Whether a step may be taken at once. */
  get free(): boolean {
    if (this.#busy) return false;
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
    this.#waiting.add(handle);
    this.#waiting.add(life);
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const until = monotonicNow() + BUDGET_MS;
    do {
      const handle = this.#waiting.take();
      const life = this.#waiting.take();
      if (handle !== undefined && life !== undefined) this.#step(handle, life);
    } while (this.#waiting.size > 0 && monotonicNow() < until);
    this.#busy = this.#waiting.size > 0;
    if (this.#busy) setImmediate(this.#run);
  };
}
