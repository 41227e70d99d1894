/** What proxies count (src/proxy/counters.ts), as metrics. No upstream is a label: those may be many. */
import { proxyCounters, RESULTS } from "../../proxy/counters.ts";
import { counter, type Family, gauge } from "./family.ts";

export function proxyFamilies(): Family[] {
  const counters = proxyCounters;
  return [
    counter(
      "slipway_proxy_requests",
      "Requests to upstreams by the status of their answer, or why there was none. Aborted: the client went away.",
      () => RESULTS.map((result, i) => ({ labels: { result }, value: counters.results[i] })),
    ),
    counter("slipway_proxy_retries", "Requests that were sent again, or to another upstream.", () => counters.retried),
    counter("slipway_proxy_loops", "Requests that came back to the proxy which had sent them.", () => counters.loops),
    gauge("slipway_proxy_upstreams", "Upstreams of all proxies. Out: left alone since they failed.", () => [
      { labels: { state: "in" }, value: counters.upstreams - counters.out },
      { labels: { state: "out" }, value: counters.out },
    ]),
    gauge("slipway_proxy_tunnels", "WebSockets that are being passed on.", () => counters.tunnels),
    counter("slipway_proxy_tunnels_opened", "WebSockets that were passed on.", () => counters.tunnelsOpened),
  ];
}
