/**
 * The memory that a worker thread shares with the main thread: a ring of accepted descriptors on their way to the
 * worker, and the few numbers that each reads of the other without a message.
 *
 * A slot of the ring holds a descriptor and the number of its listener. The main thread writes it and moves TAIL; the
 * worker takes it by exchanging the descriptor for NONE and moves HEAD. Whoever gets the descriptor by that exchange
 * owns it, so the main thread may take back what a worker that is held up has not come to, and give it to another.
 */

/** Slots of `control`. */
export const TAIL = 0;
export const HEAD = 1;
/** 1: the worker was woken and has not looked yet; it needs no second wake-up. */
export const SIGNALED = 2;
/** Set by the main thread as the process ends: the worker lets go of everything and says so in ENDED. */
export const STOP = 3;
export const ENDED = 4;
/** Sockets of the worker, whatever they are for. */
export const SOCKETS = 5;
/** The main thread waits for connections to end: the worker tells of each, by a message. */
export const TELL = 6;
/** The worker sleeps here until its call of the main thread is answered. */
export const ANSWERED = 7;
/** 1: load the program. Until then a worker that is not the first sleeps here, with all else behind it. */
export const GO = 8;
/** From here on: connections that have ended, by listener. */
const ENDINGS = 16;

/** Listening sockets that are shared at a time; a program has one or two. */
export const MOST_LISTENERS = 64;
/** Connections on their way to one worker. It empties the ring at every turn, so more than a few mean that it hangs. */
export const RING = 1024;
export const NONE = -1;

const CONTROL = ENDINGS + MOST_LISTENERS;

export class Shared {
  readonly memory: SharedArrayBuffer;
  readonly control: Int32Array;
  readonly #slots: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer((CONTROL + 2 * RING) * 4)) {
    this.memory = memory;
    this.control = new Int32Array(memory, 0, CONTROL);
    this.#slots = new Int32Array(memory, CONTROL * 4, 2 * RING);
  }

  get(slot: number): number {
    return Atomics.load(this.control, slot);
  }
  set(slot: number, value: number): void {
    Atomics.store(this.control, slot, value);
  }

  /** Descriptors that were given and not come to. */
  get waiting(): number {
    return (this.get(TAIL) - this.get(HEAD)) | 0;
  }

  /** Main thread: false when there is no room. */
  give(fd: number, listener: number): boolean {
    if (this.waiting >= RING) return false;
    const tail = this.get(TAIL);
    const at = 2 * (tail & (RING - 1));
    this.#slots[at + 1] = listener;
    Atomics.store(this.#slots, at, fd);
    this.set(TAIL, (tail + 1) | 0);
    return true;
  }

  /** Worker: takes all that is there. */
  take(each: (fd: number, listener: number) => void): void {
    for (let head = this.control[HEAD]; head !== this.get(TAIL); ) {
      const at = 2 * (head & (RING - 1));
      const listener = this.#slots[at + 1];
      const fd = Atomics.exchange(this.#slots, at, NONE);
      head = (head + 1) | 0;
      this.set(HEAD, head);
      if (fd !== NONE) each(fd, listener);
    }
  }

  /**
   * Main thread: takes back what the worker has not come to, of the listeners that are `wanted`. Its slots stay, empty,
   * until the worker passes them.
   */
  takeBack(each: (fd: number, listener: number) => void, wanted: (listener: number) => boolean = () => true): void {
    const tail = this.get(TAIL);
    for (let head = this.get(HEAD); head !== tail; head = (head + 1) | 0) {
      const at = 2 * (head & (RING - 1));
      const listener = this.#slots[at + 1];
      if (!wanted(listener)) continue;
      const fd = Atomics.exchange(this.#slots, at, NONE);
      if (fd !== NONE) each(fd, listener);
    }
  }

  ended(listener: number): void {
    Atomics.add(this.control, ENDINGS + listener, 1);
  }
  endings(listener: number): number {
    return Atomics.load(this.control, ENDINGS + listener);
  }
}

/**
 * Which worker has which descriptor, so that those of one that died can be closed: nobody else would. Indexed by
 * descriptor; 0 for nobody's, else the worker's number. Written by the worker as it opens and just before it closes.
 */
export class Owners {
  readonly memory: SharedArrayBuffer;
  readonly #of: Uint8Array;

  constructor(memory: SharedArrayBuffer | number) {
    this.memory = typeof memory === "number" ? new SharedArrayBuffer(memory) : memory;
    this.#of = new Uint8Array(this.memory);
  }

  set(fd: number, worker: number): void {
    if (fd < this.#of.length) this.#of[fd] = worker;
  }

  /** Descriptors of a worker; none of them is its any more. */
  *release(worker: number): Generator<number> {
    for (let fd = 0; fd < this.#of.length; fd++) {
      if (this.#of[fd] !== worker) continue;
      this.#of[fd] = 0;
      yield fd;
    }
  }
}
