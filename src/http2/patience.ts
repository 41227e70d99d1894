/**
 * What a client may ask for that brings nothing: frames that cost us work, and are no part of a request. Each costs
 * tokens; time and requests that end well bring them back. When there are none left the client is told ENHANCE_YOUR_CALM
 * (RFC 9113, 10.5). It bounds the CPU of rapid reset, of floods of SETTINGS, PING, PRIORITY, WINDOW_UPDATE, CONTINUATION
 * and DATA of next to nothing, and of requests that are only there to be refused.
 */

/** What a client has at first, and never more than. */
const FULL = 1000;
/** Tokens a second. */
const REFILL = 100;

/**
 * What a frame costs. A reset is a request that was worked on in vain; browsers leave a page with dozens of them. One that
 * came in the same read as its request is nobody's change of mind: a hundred of those were 10 ms of a turn.
 */
export const COSTS = {
  reset: 4,
  resetAtOnce: 20,
  refused: 4,
  malformed: 4,
  settings: 4,
  ping: 1,
  priority: 1,
  windowUpdate: 1,
  continuation: 1,
  emptyData: 2,
  tinyData: 0.1,
  unknown: 1,
} as const;

/**
 * DATA of fewer bytes is tiny: less than a message of gRPC, and than its frame's own cost. Ten thousand at once and a
 * thousand a second are nobody's body. What goes through a WebSocket may be small.
 */
export const TINY_DATA = 16;

/** A token is what so many bytes of fields cost that are decoded beyond the cap, since the table must stay the client's. */
export const DECODED_IN_VAIN = 64 * 1024;

/** What a request that ended well is good for, and a DATA frame of ours, which one WINDOW_UPDATE or two answer. */
const REQUEST = 2;
const FRAME_SENT = 2;

export class Patience {
  #tokens = FULL;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** False when it has run out. */
  spend(cost: number, now: number): boolean {
    this.#tokens -= cost;
    if (this.#tokens >= 0) return true;
    this.#tokens = Math.min(FULL, this.#tokens + ((now - this.#at) * REFILL) / 1000);
    this.#at = now;
    return this.#tokens >= 0;
  }

  requestEnded(): void {
    if (this.#tokens < FULL) this.#tokens += REQUEST;
  }

  frameSent(): void {
    if (this.#tokens < FULL) this.#tokens += FRAME_SENT;
  }
}
