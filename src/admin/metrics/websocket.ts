/** What WebSockets count (src/websocket/counters.ts), as metrics. */
import { ENDINGS, webSocketCounters } from "../../websocket/counters.ts";
import { counter, type Family, gauge } from "./family.ts";

export function webSocketFamilies(): Family[] {
  const counters = webSocketCounters;
  return [
    gauge("slipway_websockets", "Open WebSockets.", () => counters.open),
    counter("slipway_websockets_opened", "WebSockets that were opened.", () => counters.opened),
    counter(
      "slipway_websockets_ended",
      "WebSockets that ended: closed by a handshake, lost without one, or ended by us for a reason.",
      () => ENDINGS.map((reason, i) => ({ labels: { reason }, value: counters.endings[i] })),
    ),
    counter("slipway_websocket_messages", "Messages of WebSockets.", () => [
      { labels: { direction: "received" }, value: counters.received },
      { labels: { direction: "sent" }, value: counters.sent },
    ]),
    gauge(
      "slipway_websocket_window_bytes",
      "What the windows of compression of open WebSockets may take.",
      () => counters.memory,
    ),
    counter("slipway_websockets_compressed", "WebSockets that agreed to compression.", () => [
      { labels: { windows: "kept" }, value: counters.compressed - counters.windowless },
      { labels: { windows: "none" }, value: counters.windowless },
    ]),
  ];
}
