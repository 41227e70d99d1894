/** TLS handshakes (src/http/handshakes.ts) and the certificates that servers show, as metrics. */
import type { HandshakeCounters } from "../../http/handshakes.ts";
import type { ServerState } from "../../http/servers.ts";
import { counter, type Family, gauge, histogram, type Sample } from "./family.ts";

export function tlsFamilies(counters: HandshakeCounters, servers: () => Iterable<ServerState>): Family[] {
  const open = (): number => {
    let sum = 0;
    for (const { handshaking } of servers()) sum += handshaking;
    return sum;
  };
  return [
    counter(
      "slipway_tls_handshakes",
      "TLS handshakes by their result. Closed: the connection ended within it. Plain: HTTP without TLS.",
      () => handshakes(counters, open()),
    ),
    counter("slipway_tls_handshake_failures", "TLS handshakes that failed, by the reason.", () =>
      Array.from(counters.reasons, ([reason, value]) => ({ labels: { reason }, value })),
    ),
    histogram(
      "slipway_tls_handshake_duration_seconds",
      "Duration of TLS handshakes that were done, from the beginning of the connection.",
      counters.duration,
    ),
    gauge("slipway_tls_handshakes_open", "TLS handshakes that are not done yet.", open),
    gauge(
      "slipway_tls_certificate_remaining_seconds",
      "Time until a certificate runs out, negative once it has; by the first name that it is for.",
      () => certificates(servers()),
    ),
  ];
}

function* handshakes({ begun, done, ended }: HandshakeCounters, open: number): Iterable<Sample> {
  let closed = begun - open;
  for (const [key, value] of done) {
    const [version, cipher, resumed] = key.split(" ");
    closed -= value;
    yield { labels: { result: "done", version, cipher, resumed }, value };
  }
  for (const [result, value] of Object.entries(ended)) {
    closed -= value;
    yield { labels: { result }, value };
  }
  yield { labels: { result: "closed" }, value: Math.max(0, closed) };
}

/** Servers may show the same, and certificates be for the same name: then it is the one that runs out first. */
function certificates(servers: Iterable<ServerState>): Iterable<Sample> {
  const first = new Map<string, Sample>();
  for (const server of servers) {
    for (const { name, keyType, validTo } of server.certificates) {
      const value = Math.round((validTo - Date.now()) / 1000);
      const key = `${name} ${keyType}`;
      const before = first.get(key);
      if (before === undefined || before.value > value) first.set(key, { labels: { certificate: name, key: keyType }, value }); // biome-ignore format: one line
    }
  }
  return first.values();
}
