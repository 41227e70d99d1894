/** What proxies count as they go: plain numbers, raised on the hot path, read by whoever asks (`src/admin`). */

/** How a request to an upstream ended, as far as the head of its answer. */
export const RESULTS = ["1xx", "2xx", "3xx", "4xx", "5xx", "refused", "timeout", "failed", "aborted"] as const;
export type Failing = "refused" | "timeout" | "failed" | "aborted";

export class ProxyCounters {
  /** In the order of RESULTS. */
  readonly results = new Float64Array(RESULTS.length);
  /** Requests that were sent to another upstream, or once more, since the first had not had them. */
  retried = 0;
  /** Requests that came back to where they had been. */
  loops = 0;
  /** Connections that have left HTTP, now and in all. */
  tunnels = 0;
  tunnelsOpened = 0;
  /** Upstreams of all proxies of this thread, and those that are out. */
  upstreams = 0;
  out = 0;

  answered(status: number): void {
    this.results[Math.min(4, Math.floor(status / 100) - 1)]++;
  }
  ended(failing: Failing): void {
    this.results[RESULTS.indexOf(failing)]++;
  }
}

/** Those of this thread. */
export const proxyCounters = new ProxyCounters();
