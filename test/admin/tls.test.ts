// What /metrics says of TLS: each handshake once, by how it ended, and when the certificates run out.
import { once } from "node:events";
import { connect as connectBare } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HandshakeCounters } from "../../src/http/handshakes.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { certificate } from "../support/certificates.ts";
import { open } from "./support/ask.ts";
import { parseOpenMetrics } from "./support/openmetrics.ts";

const hello = () => new Response("hello");
const LEFT = "slipway_tls_certificate_remaining_seconds";

async function dial(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

test("handshakes by result, version, cipher and resumption; certificates by name", async () => {
  await using admin = await open();
  const certificates = [certificate(["a.test"], { days: 30 }), certificate(["b.test"], { days: -1, type: "rsa" })];
  using server = start(hello, { tls: { certificates }, readHeaderTimeout: 300 });
  const { port } = server;
  const read = async (): Promise<Map<string, number>> => {
    const families = parseOpenMetrics((await admin.get("/metrics")).text);
    const values = new Map<string, number>();
    for (const { name, samples } of families.values()) {
      if (!name.startsWith("slipway_tls_")) continue;
      for (const { name, labels, value } of samples) values.set([name, ...Object.values(labels)].join(" "), value);
    }
    return values;
  };
  const before = await read();
  await logged(async () => {
    const twelve = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" } as const;
    const first = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...twelve });
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    const again = await dial(port, { ...twelve, session });
    // Here the client's part is the last: it must have come.
    again.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(again, "data");
    again.destroy();
    const kept = await dial(port, { minVersion: "TLSv1.3", ciphers: "TLS_AES_256_GCM_SHA384" });
    // No cipher in common; no TLS; a client that waits, one that goes.
    await once(connect({ port, host: "127.0.0.1", maxVersion: "TLSv1.2", ciphers: "AES128-SHA" }), "error");
    const plain = connectBare({ port, host: "127.0.0.1" });
    plain.write("GET / HTTP/1.1\r\n\r\n");
    await once(plain.resume(), "close");
    const gone = connectBare({ port, host: "127.0.0.1" });
    gone.end("\x16\x03\x01");
    await once(gone.resume(), "close");
    const silent = connectBare({ port, host: "127.0.0.1" });
    silent.on("error", () => {});
    silent.write("\x16\x03\x01");
    await eventually(() => server.server.connections === 2, "the others are gone");
    assert.is((await read()).get("slipway_tls_handshakes_open"), 1);
    await once(silent.resume(), "close");
    kept.destroy();
  });
  const after = await read();
  const grown = (key: string): number => (after.get(key) ?? 0) - (before.get(key) ?? 0);
  const total = "slipway_tls_handshakes_total";
  assert.is(grown(`${total} done TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 false`), 1);
  assert.is(grown(`${total} done TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 true`), 1);
  assert.is(grown(`${total} done TLSv1.3 TLS_AES_256_GCM_SHA384 false`), 1);
  for (const result of ["failed", "plain", "closed", "timeout"]) assert.is(grown(`${total} ${result}`), 1, result);
  assert.is(grown("slipway_tls_handshake_failures_total no shared cipher"), 1);
  assert.is(grown("slipway_tls_handshake_duration_seconds_count"), 3);
  assert.is(after.get("slipway_tls_handshakes_open"), 0);
  assert.ok(Math.abs((after.get(`${LEFT} a.test ec`) ?? 0) - 30 * 86_400) < 300);
  assert.ok(Math.abs((after.get(`${LEFT} b.test rsa`) ?? 0) + 86_400) < 300);
});

test("reasons are bounded", () => {
  const counters = new HandshakeCounters();
  for (let i = 0; i < 100; i++) counters.failed(`reason ${i}`);
  counters.failed("reason 3");
  assert.is(counters.reasons.size, 33);
  assert.is(counters.reasons.get("other"), 68);
  assert.is(counters.reasons.get("reason 3"), 2);
});

test.run();
