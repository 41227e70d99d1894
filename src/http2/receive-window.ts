/**
 * How much a client may send: the connection's window, which bounds what all bodies together may have waiting, and the
 * size that streams' windows are filled up to. That grows as long as windows are what holds clients up: a PING goes out
 * with a WINDOW_UPDATE, and when what comes until its answer is most of a window, the window is doubled (the bandwidth-delay
 * product is larger than it is).
 */
import { CONNECTION_WINDOW, STREAM_WINDOW, STREAM_WINDOW_MAX } from "./limits.ts";

export class ReceiveWindow {
  /** What streams' windows are filled up to. */
  stream = STREAM_WINDOW;
  /** What the client may send on the connection. */
  left = CONNECTION_WINDOW;
  /** When the PING that measures left; 0 while none is out. */
  #since = 0;
  #came = 0;

  /** So much of DATA frames has come. False: more than the client might send. */
  take(size: number): boolean {
    this.left -= size;
    this.#came += size;
    return this.left >= 0;
  }

  /** So little is left that some should be given back. */
  get low(): boolean {
    return this.left <= CONNECTION_WINDOW >> 1;
  }

  /** What to give back of the connection's window, when `unread` bytes wait for handlers. 0 when that is not worth it. */
  owed(unread: number): number {
    const owed = CONNECTION_WINDOW - this.left - unread;
    if (owed < CONNECTION_WINDOW >> 2) return 0;
    this.left += owed;
    return owed;
  }

  /** True when a PING is to measure from now on. */
  measure(now: number): boolean {
    if (this.#since !== 0 || this.stream >= STREAM_WINDOW_MAX) return false;
    this.#since = now;
    this.#came = 0;
    return true;
  }

  /** It was answered. */
  measured(): void {
    if (this.#since === 0) return;
    this.#since = 0;
    if (this.#came * 3 >= this.stream * 2) this.stream = Math.min(STREAM_WINDOW_MAX, this.stream * 2);
  }
}
