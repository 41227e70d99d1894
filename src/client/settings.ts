/** What holds for outgoing requests: the article's cure for a client without timeouts, as the default. */

/** Milliseconds and counts; Infinity where there is no limit. */
export interface ClientSettings {
  /** Until a connection stands, with the look-up of its name. */
  readonly connectTimeout: number;
  /** From the request's last byte until the response's head is complete. */
  readonly headerTimeout: number;
  /** Between two pieces of a body, in either direction, while it is the other side that is waited for. */
  readonly bodyTimeout: number;
  /** How long a connection is kept for the next request. */
  readonly idleTimeout: number;
  /** Idle connections kept for one host, and for all. */
  readonly maxIdlePerHost: number;
  readonly maxIdle: number;
}

export const DEFAULTS: ClientSettings = {
  connectTimeout: 5_000,
  headerTimeout: 30_000,
  bodyTimeout: 30_000,
  idleTimeout: 30_000,
  maxIdlePerHost: 100,
  maxIdle: 1_000,
};

let current: ClientSettings = DEFAULTS;

/** Of `fetch` without a client of its own. What they are is the option table's to say (src/options/table.ts). */
export function fetchSettings(): ClientSettings {
  return current;
}

/** What flags, environment and file say; before or between requests. */
export function setFetchSettings(settings: ClientSettings): void {
  current = settings;
}
