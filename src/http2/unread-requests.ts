/**
 * Requests that were answered before they had come whole. Many a client writes a whole body before it looks at the answer
 * (curl 7.88 takes an RST_STREAM in the midst of it for a failure), so what still comes is taken and dropped, as with
 * HTTP/1.1 (src/net/linger.ts), for a bounded time and amount. Beyond that RST_STREAM says that the rest is not wanted
 * (RFC 9113, 8.1).
 */
import { WINDOW_MAX } from "./frames.ts";

/** Of one connection at a time. */
const MOST = 16;
const BYTES = 16 * 1024 * 1024;
const MS = 10_000;
/** How long its client may say nothing of it: then it waits for us, or has forgotten it. */
const SILENT_MS = 1000;
/** So much was dropped before its window is given back. */
const STEP = 32 * 1024;

/** The stream of it. */
interface Answered {
  readonly id: number;
  readonly announced: number;
  readonly receiveWindow: number;
  readonly sendWindow: number;
}

export class UnreadRequest {
  readonly id: number;
  readonly #until: number;
  #heardAt: number;
  /** What content-length announces; -1 for nothing. */
  readonly #announced: number;
  #received: number;
  #dropped = 0;
  #owed: number;
  #receiveWindow: number;
  #sendWindow: number;

  /** `received`: bytes of its body that have come; `window`: what such streams may send without being let. */
  constructor(stream: Answered, received: number, window: number, now: number) {
    this.id = stream.id;
    this.#announced = stream.announced;
    this.#received = received;
    this.#receiveWindow = stream.receiveWindow;
    this.#owed = Math.max(0, window - stream.receiveWindow);
    this.#sendWindow = stream.sendWindow;
    this.#until = now + MS;
    this.#heardAt = now;
  }

  /** A DATA frame begins. False: it is larger than its window. */
  takes(length: number, now: number): boolean {
    this.#heardAt = now;
    this.#dropped += length;
    this.#owed += length;
    return (this.#receiveWindow -= length) >= 0;
  }
  /** Bytes of the body. False: there are more than it has announced. */
  receives(count: number): boolean {
    this.#received += count;
    return this.#announced < 0 || this.#received <= this.#announced;
  }
  /** Whether it is whole, when the client says that it is. */
  get whole(): boolean {
    return this.#announced < 0 || this.#received === this.#announced;
  }
  /** It has had its bytes, or its time. */
  isEnough(now: number): boolean {
    return this.#dropped > BYTES || now >= this.due;
  }
  /** When it has had its time. */
  get due(): number {
    return Math.ceil(Math.min(this.#until, this.#heardAt + SILENT_MS));
  }
  /** By how much its window may grow now; 0 for not yet. */
  credit(): number {
    const owed = this.#owed;
    if (owed < STEP) return 0;
    this.#owed = 0;
    this.#receiveWindow += owed;
    return owed;
  }
  /** False: the window that nobody sends into has become too large. */
  grows(increment: number): boolean {
    return (this.#sendWindow += increment) <= WINDOW_MAX;
  }
}

export class UnreadRequests {
  readonly #requests = new Map<number, UnreadRequest>();

  get(id: number): UnreadRequest | undefined {
    return this.#requests.get(id);
  }
  delete(id: number): void {
    this.#requests.delete(id);
  }

  /** The next moment at which one has had its time; 0 without any. */
  get due(): number {
    let due = 0;
    for (const request of this.#requests.values()) if (due === 0 || request.due < due) due = request.due;
    return due;
  }
  /** Those that have had theirs. */
  over(now: number): number[] {
    return [...this.#requests.values()].filter((request) => request.isEnough(now)).map(({ id }) => id);
  }

  /** Adds one. The id of another that must make room for it, if any. */
  add(request: UnreadRequest): number | undefined {
    this.#requests.set(request.id, request);
    if (this.#requests.size <= MOST) return undefined;
    const [oldest] = this.#requests.keys();
    this.#requests.delete(oldest);
    return oldest;
  }
}
