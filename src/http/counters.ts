/**
 * What HTTP servers count as they work: plain numbers, raised on the hot path, read by whoever asks (`src/admin`).
 * Labels are closed sets, so that no client can make the table grow.
 */

/** Methods with a row of their own (OpenTelemetry, http.request.method); every other one is "_OTHER". */
export const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "_OTHER",
] as const;
/** Status classes 1xx to 5xx; class 0 is "the client was gone before there was an answer". */
export const CLASSES = 6;

/** Whatever ends a request or a connection before its time; the names are those of the options where there is one. */
export const LIMITS = [
  "readHeaderTimeout",
  "readTimeout",
  "writeTimeout",
  "idleTimeout",
  "maxHeaderBytes",
  "maxHeaderCount",
  "maxBodyBytes",
  "maxConnections",
  "maxRequestsPerConnection",
  "drainTimeout",
  "malformedRequest",
  "proxyProtocol",
  "http2Flood",
  "tlsHandshake",
] as const;
export type LimitName = (typeof LIMITS)[number];

/** A histogram with fixed bounds; the last count is of what lies beyond them all. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let i = 0;
    while (i < bounds.length && value > bounds[i]) i++;
    this.counts[i]++;
    this.sum += value;
  }
}

/** Seconds, as the OpenTelemetry HTTP conventions advise for http.server.request.duration. */
export const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** And what lies below them: most answers take less than the first of those. */
const FINER = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, ...SECONDS];
const BYTES = [256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];

export class HttpCounters {
  /** Whose they are, if not every server's: in the lines about limits. */
  readonly owner: string | undefined;
  /** Requests that ended, at [method * CLASSES + status class]. */
  readonly requests = new Float64Array(METHODS.length * CLASSES);
  /** How often each limit fired, in the order of LIMITS. */
  readonly limits = new Float64Array(LIMITS.length);
  accepted = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Requests that a drain had to cut. */
  cut = 0;
  /** Whether the histograms are kept: they need the clock at every request, so only when somebody reads them. */
  timed = false;
  readonly duration = new Histogram(FINER);
  readonly requestSize = new Histogram(BYTES);
  readonly responseSize = new Histogram(BYTES);

  constructor(owner?: string) {
    this.owner = owner;
  }
}

/** Those of every server of this process, but for the ones that bring their own (the admin port). */
export const counters = new HttpCounters();
