/**
 * What outgoing requests count as they go: plain numbers, raised on the hot path, read by whoever asks (`src/admin`).
 * Labels are closed sets, so that no server can make the table grow.
 */

/** How a request ended, as far as the head of its response: aborted is the program's own doing. */
export const OUTCOMES = ["1xx", "2xx", "3xx", "4xx", "5xx", "refused", "failed", "timeout", "aborted"] as const;
export type Outcome = "refused" | "failed" | "timeout" | "aborted";
export const TIMEOUTS = ["connect", "header", "body", "idle"] as const;
export type Timeout = (typeof TIMEOUTS)[number];

export class ClientCounters {
  /** In the order of OUTCOMES: a redirect that was followed counts as a request of its own. */
  readonly outcomes = new Float64Array(OUTCOMES.length);
  readonly timeouts = new Float64Array(TIMEOUTS.length);
  connecting = 0;
  busy = 0;
  idle = 0;
  /** Connections that were opened, requests that went over one that had been used before, and those sent again. */
  opened = 0;
  reused = 0;
  retried = 0;
  /** TLS handshakes that were done, those of them that went on with an earlier session, and those that failed. */
  handshakes = 0;
  resumed = 0;
  handshakesFailed = 0;

  answered(status: number): void {
    this.outcomes[Math.floor(status / 100) - 1]++;
  }
  ended(outcome: Outcome): void {
    this.outcomes[OUTCOMES.indexOf(outcome)]++;
  }
  timedOut(timeout: Timeout): void {
    this.timeouts[TIMEOUTS.indexOf(timeout)]++;
  }
}

/** Those of this thread. */
export const clientCounters = new ClientCounters();
