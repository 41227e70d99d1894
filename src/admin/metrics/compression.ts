/** What compression counts (src/http/compression/counters.ts), as metrics. */
import { CODINGS } from "../../http/compression/accept-encoding.ts";
import { compressionCounters } from "../../http/compression/counters.ts";
import { counter, type Family, gauge } from "./family.ts";

export function compressionFamilies(): Family[] {
  const counters = compressionCounters;
  return [
    counter("slipway_compressed_responses", "Responses that were compressed.", () =>
      CODINGS.map((coding, i) => ({ labels: { coding }, value: counters.responses[i] })),
    ),
    counter("slipway_compressed_bytes", "Bytes of bodies before and after they were compressed.", () => [
      { labels: { side: "before" }, value: counters.before },
      { labels: { side: "after" }, value: counters.after },
    ]),
    gauge(
      "slipway_compression_memory_bytes",
      "What the encoders of streams that are being compressed may take.",
      () => counters.memory,
    ),
    counter(
      "slipway_compression_refused",
      "Streams that were not compressed, since the encoders had all the memory that they may have.",
      () => counters.refused,
    ),
  ];
}
