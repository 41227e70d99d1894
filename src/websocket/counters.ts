/** What WebSockets count as they go: plain numbers, read by whoever asks (`src/admin`). */

/** Why a WebSocket ended: told by a close frame, without one, or by us for one of these reasons. */
export const ENDINGS = [
  "closed",
  "lost",
  "protocol",
  "tooBig",
  "slow",
  "idle",
  "unread",
  "unanswered",
  "server",
] as const;
export type Ending = (typeof ENDINGS)[number];

export class WebSocketCounters {
  opened = 0;
  open = 0;
  received = 0;
  sent = 0;
  /** Bytes that windows of compression may take now. */
  memory = 0;
  /** Sockets that agreed to compression, and those of them for whose windows there was no memory. */
  compressed = 0;
  windowless = 0;
  readonly endings = new Float64Array(ENDINGS.length);

  ended(why: Ending): void {
    this.open--;
    this.endings[ENDINGS.indexOf(why)]++;
  }
}

/** Those of this thread. */
export const webSocketCounters = new WebSocketCounters();
