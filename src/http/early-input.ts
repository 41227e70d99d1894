/** Bytes of a connection that can't be served yet: part of a head, or requests behind one that is being answered. */
const CR = 0x0d;
const LF = 0x0a;
/** Memory grows by doubling up to this, then by what comes. */
const DOUBLED_TO = 1 << 20;

export class EarlyInput {
  bytes: Uint8Array<ArrayBuffer>;
  start = 0;
  end = 0;
  /** How many of them the parser has seen in vain, and how many were searched for the head's end since. */
  #tried = 0;
  #scanned = 0;

  /** Starts with a copy of `bytes[start, end)`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    // Not slice: that of a Buffer is a view.
    this.bytes = new Uint8Array(end - start);
    this.bytes.set(bytes.subarray(start, end));
    this.end = end - start;
  }

  get size(): number {
    return this.end - this.start;
  }
  /** The parser has seen nothing of it. */
  get untried(): boolean {
    return this.#tried === 0;
  }

  /** Copies `bytes[start, end)` behind what is there. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const { size } = this;
    const length = end - start;
    if (this.end + length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size + length, Math.min(size * 2, DOUBLED_TO)));
      larger.set(this.bytes.subarray(this.start, this.end));
      this.bytes = larger;
      this.start = 0;
      this.end = size;
    }
    this.bytes.set(bytes.subarray(start, end), this.end);
    this.end += length;
  }

  /** What stands before `at` has been served. */
  served(at: number): void {
    this.start = at;
    this.#tried = 0;
  }

  /** The parser has seen all of it, and wants more. */
  triedInVain(): void {
    this.#scanned = 0;
    this.#tried = this.size;
  }

  /** Parsing anew for each dripped byte would cost the square of the head: wait for its end, or twice the bytes. */
  worthTrying(): boolean {
    if (this.#tried === 0) return true;
    const { bytes, start, end, size } = this;
    if (size >= this.#tried * 2) return true;
    // Each byte is looked at once, however many drips it takes.
    for (let i = start + Math.max(this.#tried, this.#scanned); i < end; i++) {
      if (bytes[i] !== LF) continue;
      // A bare LF is for the parser to refuse.
      if (i === start || bytes[i - 1] !== CR) return true;
      if (i - 3 >= start && bytes[i - 2] === LF && bytes[i - 3] === CR) return true;
    }
    this.#scanned = size;
    return false;
  }
}
