/**
 * Whoever sends much at once must not hold up whoever sends little: of each turn a connection has a share, and what it has
 * sent beyond that waits here, with others of its kind, for a slice of a later turn. In between everybody else is served.
 * Eight clients that send a hundred requests at a time are otherwise one turn of 40 ms, for all the others too.
 */
import { monotonicNow } from "./clock.ts";
import { runTicks } from "./poller-wait.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What one connection may take before the others get their turn, in milliseconds. It is looked at between two requests. */
export const SHARE_MS = 0.25;
/** What those that wait may take of a turn together, and how old a turn may be for new input to be read in it. */
const TURN_MS = 1;

/** Input of a connection that waits. */
export interface Waiting {
  /** Takes a slice; it may `add` itself again. */
  goOn(): void;
}

/** What a slice should take, with what handlers do after an await, and its answers. */
const SLICE_MS = 0.5;
/** Requests of one connection that may begin in a slice, at first and at the most. */
const FIRST_REQUESTS = 8;
const MOST_REQUESTS = 32;

export class TurnShares {
  /**
   * Requests that may begin in a slice, or as bytes come. What their handlers do after an await is not within a share, so
   * it is measured afterwards and answered with fewer of them.
   */
  requests = FIRST_REQUESTS;
  /** Asks for another turn. */
  readonly #schedule: () => void;
  /** When the turn began. */
  readonly #began: () => number;
  readonly #waiting = new WaitingLine<Waiting>();

  constructor(schedule: () => void, began: () => number) {
    this.#schedule = schedule;
    this.#began = began;
  }

  /** So many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The turn has had so much that new input is better left for a slice of its own. */
  get spent(): boolean {
    return monotonicNow() - this.#began() > TURN_MS;
  }

  /** From now on `goOn` will be called, once. */
  add(waiting: Waiting): void {
    if (this.size === 0) this.#schedule();
    this.#waiting.add(waiting);
  }

  /** A part of the turn: slices one after the other, with what they lead to. */
  run(): void {
    // Those that come meanwhile are not passed over, and what throws does not end the rest.
    this.#schedule();
    // What new bytes have led to is no slice's.
    runTicks();
    let now = monotonicNow();
    const until = now + TURN_MS;
    for (let waiting = this.#waiting.take(); waiting !== undefined; waiting = this.#waiting.take()) {
      waiting.goOn();
      // Handlers go on, and their answers leave: that is of this slice too.
      runTicks();
      const began = now;
      now = monotonicNow();
      if (now - began > SLICE_MS) this.requests = Math.max(1, this.requests >> 1);
      else if (this.requests < MOST_REQUESTS) this.requests++;
      if (now >= until) return;
    }
  }
}
