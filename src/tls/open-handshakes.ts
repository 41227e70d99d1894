/**
 * The handshakes that are not done, the oldest first. When there are too many the oldest is given up for the newest: who
 * means it is done in a moment, and who only holds what it has is among the old.
 */
import type { Handle } from "../../ffi/poller.ts";

/** An SSL takes some 20 KB, so these 160 MB. */
const MOST = 8192;

export class OpenHandshakes {
  count = 0;
  readonly #open: (handle: Handle, life: number) => boolean;
  readonly #giveUp: (handle: Handle) => void;
  readonly #most: number;
  /** Handle, life, handle, life, …; those before `#first` are done, and of the others some. */
  #order: number[] = [];
  #first = 0;

  /** `open`: whether one is not done yet. `giveUp`: it is to be; then `count` is for its owner to lower. */
  constructor(open: (handle: Handle, life: number) => boolean, giveUp: (handle: Handle) => void, most: number = MOST) {
    this.#open = open;
    this.#giveUp = giveUp;
    this.#most = most;
  }

  begin(handle: Handle, life: number): void {
    this.count++;
    const order = this.#order;
    order.push(handle, life);
    while (this.#first < order.length - 2 && !this.#open(order[this.#first], order[this.#first + 1])) this.#first += 2;
    if (this.count > this.#most && this.#first < order.length - 2) {
      this.#first += 2;
      this.#giveUp(order[this.#first - 2]);
    }
    if (this.#first > 4096 && this.#first * 2 > order.length) {
      this.#order = order.slice(this.#first);
      this.#first = 0;
    }
  }
}
