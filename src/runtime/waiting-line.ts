/** Who came first is served first. Taking the first costs no move of all the others, as `shift` of a long array does. */

/** So many that were taken are kept before the array is cut. */
const KEPT = 4096;

export class WaitingLine<T> {
  /** Those before `#next` were taken. */
  #all: (T | undefined)[] = [];
  #next = 0;

  get size(): number {
    return this.#all.length - this.#next;
  }

  add(one: T): void {
    this.#all.push(one);
  }

  /** The first; undefined where nobody waits. */
  take(): T | undefined {
    const first = this.#all[this.#next];
    if (this.size === 0) return undefined;
    this.#all[this.#next++] = undefined;
    if (this.#next === this.#all.length) {
      this.#all = [];
      this.#next = 0;
    } else if (this.#next > KEPT) {
      this.#all.splice(0, this.#next);
      this.#next = 0;
    }
    return first;
  }
}
