/**
 * What HTTP servers count (src/http/counters.ts), as metrics. Names and labels are OpenTelemetry's semantic conventions
 * for HTTP servers where those have one; labels are closed sets: no path, header or address is ever one.
 */
import { CLASSES, type HttpCounters, LIMITS, METHODS } from "../../http/counters.ts";
import type { ServerState } from "../../http/servers.ts";
import { compressionFamilies } from "./compression.ts";
import { counter, type Family, gauge, histogram, type Sample } from "./family.ts";
import { proxyFamilies } from "./proxy.ts";

export function httpFamilies(counters: HttpCounters, servers: () => Iterable<ServerState>): Family[] {
  const sum = (of: (server: ServerState) => number): number => {
    let total = 0;
    for (const server of servers()) total += of(server);
    return total;
  };
  return [
    histogram(
      "http_server_request_duration_seconds",
      "Duration of HTTP requests, from the arrival of the head until the response was handed to the kernel.",
      counters.duration,
    ),
    histogram("http_server_request_body_size_bytes", "Size of HTTP request bodies.", counters.requestSize),
    histogram(
      "http_server_response_body_size_bytes",
      "Size of HTTP response bodies, with their chunk framing.",
      counters.responseSize,
    ),
    gauge("http_server_active_requests", "Requests that are being answered.", () => sum((s) => s.active)),
    counter(
      "slipway_http_requests",
      "HTTP requests that ended. Status class none: the client was gone before there was an answer.",
      () => requests(counters),
    ),
    counter(
      "slipway_http_requests_cut",
      "Requests that did not end within the drain and were cut.",
      () => counters.cut,
    ),
    gauge(
      "slipway_connections",
      "Open connections of HTTP servers. Idle: between requests, or that have sent nothing yet.",
      () => {
        const active = sum((s) => s.busy);
        return [
          { labels: { state: "active" }, value: active },
          { labels: { state: "idle" }, value: sum((s) => s.connections) - active },
        ];
      },
    ),
    counter("slipway_connections_accepted", "Connections that were accepted.", () => counters.accepted),
    gauge(
      "slipway_servers",
      "HTTP servers. Waiting: at the limit of connections, out of descriptors, or not listening.",
      () => [
        { labels: { state: "accepting" }, value: sum((s) => Number(s.accepting && !s.draining)) },
        { labels: { state: "draining" }, value: sum((s) => Number(s.draining)) },
        { labels: { state: "waiting" }, value: sum((s) => Number(!s.accepting && !s.draining)) },
      ],
    ),
    counter("slipway_limits_fired", "How often a limit ended or refused a request or a connection.", () =>
      LIMITS.map((limit, i) => ({ labels: { limit }, value: counters.limits[i] })),
    ),
    counter("slipway_received_bytes", "Bytes received on HTTP connections.", () => counters.bytesIn),
    counter("slipway_sent_bytes", "Bytes sent on HTTP connections.", () => counters.bytesOut),
    ...compressionFamilies(),
    ...proxyFamilies(),
  ];
}

/**
 * All classes of a method once it was seen, and of GET always: a rate or a ratio needs the zeros before the first
 * error, while sixty rows that nobody's server has would only be noise.
 */
function* requests({ requests }: HttpCounters): Iterable<Sample> {
  for (const [m, method] of METHODS.entries()) {
    const row = requests.subarray(m * CLASSES, (m + 1) * CLASSES);
    if (method !== "GET" && row.every((count) => count === 0)) continue;
    for (const [c, value] of row.entries()) {
      const status = c === 0 ? "none" : `${c}xx`;
      yield { labels: { http_request_method: method, http_response_status_class: status }, value };
    }
  }
}
