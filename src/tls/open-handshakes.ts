/**
 * The handshakes that are not done, the oldest first. When there are too many the oldest is given up for the newest: who
 * means it is done in a moment, and who only holds what it has is among the old.
 */
import type { Handle } from "../../ffi/poller.ts";

/** Each takes 58 to 64 KB of resident memory (io_uring, OpenSSL 3.5; a third of it once it is done), so these 130 MB. */
const MOST = 2048;

export class OpenHandshakes {
  count = 0;
  readonly #open: (handle: Handle, life: number) => boolean;
  readonly #giveUp: (handle: Handle) => boolean;
  readonly #most: number;
  /** Handle, life, handle, life, …; those before `#first` are done, and of the others some. */
  #order: number[] = [];
  #first = 0;

  /**
   * `open`: whether one is not done yet. `giveUp`: it is to be, and false: it waits for us, not for its client; else `count`
   * is for its owner to lower.
   */
  constructor(
    open: (handle: Handle, life: number) => boolean,
    giveUp: (handle: Handle) => boolean,
    most: number = MOST,
  ) {
    this.#open = open;
    this.#giveUp = giveUp;
    this.#most = most;
  }

  begin(handle: Handle, life: number): void {
    this.count++;
    this.#order.push(handle, life);
    // Read anew each time: who is given up may make room for another, which begins within.
    for (let at = this.#first; at < this.#order.length - 2; at = this.#first) {
      const oldest = this.#order[at];
      const open = this.#open(oldest, this.#order[at + 1]);
      if (open && this.count <= this.#most) break;
      this.#first = at + 2;
      if (!open || this.#giveUp(oldest)) continue;
      this.#first = at;
      break;
    }
    if (this.#first > 4096 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
  }
}
