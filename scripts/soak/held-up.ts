/**
 * Times in which this process did not run, by a beat that came late: the machine stood still, or had other things to do.
 * A client that was held up for longer than a limit of the server's is cut by it, and rightly.
 */

const BEAT_MS = 100;
/** Half of the lowest limit (mixture.ts). */
const LONG_MS = 1000;

export class HeldUp implements Disposable {
  #last = performance.now();
  /** When the last long one ended. */
  #ended = Number.NEGATIVE_INFINITY;
  readonly #beat = setInterval(() => this.#look(), BEAT_MS);

  /** Whether it was held up since then, in `performance.now()`'s time. */
  since(time: number): boolean {
    this.#look();
    return this.#ended >= time;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#last > LONG_MS) this.#ended = now;
    this.#last = now;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat);
  }
}
