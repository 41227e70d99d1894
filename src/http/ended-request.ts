/** What is noted of a request that has ended: histograms, and the record for the access log. */
import { monotonicNow } from "../runtime/clock.ts";
import type { HttpCounters } from "./counters.ts";
import type { Exchange } from "./exchange.ts";
import { observer } from "./observer.ts";

/** `sentBytes` is the response with its head of `headBytes`; `watched` says that there is an observer to be told. */
export function noteRequest(
  counters: HttpCounters,
  watched: boolean,
  exchange: Exchange | undefined,
  began: number,
  status: number,
  bytesIn: number,
  sentBytes: number,
  headBytes: number,
  aborted: boolean,
  minor: number,
): void {
  const durationMs = monotonicNow() - began;
  if (counters.timed) {
    counters.duration.observe(durationMs / 1000);
    counters.requestSize.observe(bytesIn);
    counters.responseSize.observe(Math.max(0, sentBytes - headBytes));
  }
  if (!watched || exchange === undefined || observer === undefined) return;
  const { method, target, head, fieldsStart, requestId } = exchange;
  observer.ended({
    method,
    target,
    minor,
    status,
    bytesIn,
    bytesOut: sentBytes,
    durationMs,
    // A syscall, for the lines that are written only.
    get remoteAddr() {
      return exchange.remoteAddress;
    },
    head,
    fieldsStart,
    requestId,
    aborted,
  });
}
