/** What outgoing requests count (src/client/counters.ts), as metrics. No host is a label: programs choose those. */
import { clientCounters, OUTCOMES, TIMEOUTS } from "../../client/counters.ts";
import { counter, type Family, gauge } from "./family.ts";

export function clientFamilies(): Family[] {
  const counters = clientCounters;
  return [
    gauge("slipway_fetch_connections", "Connections of fetch. Idle: kept for the next request.", () => [
      { labels: { state: "connecting" }, value: counters.connecting },
      { labels: { state: "busy" }, value: counters.busy },
      { labels: { state: "idle" }, value: counters.idle },
    ]),
    counter("slipway_fetch_connections_opened", "Connections that fetch opened.", () => counters.opened),
    counter(
      "slipway_fetch_requests",
      "Outgoing requests by the status of their response, or why there was none. Aborted: by the program itself.",
      () => OUTCOMES.map((outcome, i) => ({ labels: { outcome }, value: counters.outcomes[i] })),
    ),
    counter(
      "slipway_fetch_requests_reused",
      "Outgoing requests that took a connection which was there already.",
      () => counters.reused,
    ),
    counter(
      "slipway_fetch_retries",
      "Requests that were sent again, since their connection had ended before any answer.",
      () => counters.retried,
    ),
    counter(
      "slipway_fetch_tls_handshakes",
      "TLS handshakes of fetch. Resumed: an earlier session was gone on with. Failed: also for the certificate's sake.",
      () => [
        { labels: { result: "full" }, value: counters.handshakes - counters.resumed },
        { labels: { result: "resumed" }, value: counters.resumed },
        { labels: { result: "failed" }, value: counters.handshakesFailed },
      ],
    ),
    counter("slipway_fetch_timeouts", "How often a timeout of fetch ended a request, or an idle connection.", () =>
      TIMEOUTS.map((timeout, i) => ({ labels: { timeout }, value: counters.timeouts[i] })),
    ),
  ];
}
