// A server of HTTP/2 that behaves, and says all that it may in between: whatever frames stand among those of a response,
// each call gets what was sent, and the whole of it. SLIPWAY_SEED repeats a run, SLIPWAY_RUNS makes it longer.
import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters } from "../../src/client/counters.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { install } from "../../src/fetch/mod.ts";
import { chooseSeed, Random } from "../http/support/random.ts";
import { issue } from "../support/issued.ts";
import { logged } from "../support/logged.ts";
import { LegalServer } from "./support/legal-server.ts";
import { until } from "./support.ts";

install(() => import("../../src/client/mod.ts"));
const seed = chooseSeed();
const random = new Random(seed);
const RUNS = Number(process.env["SLIPWAY_RUNS"] ?? 25);
const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"] });

async function listen(random: Random): Promise<{ url: string; close(): void }> {
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key, ALPNProtocols: ["h2"] }, (socket) => {
    new LegalServer(socket, random);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://localhost:${(server.address() as net.AddressInfo).port}/`,
    close: () => server.close(),
  };
}

test("servers that behave are served well", async () => {
  const { url, close } = await listen(random);
  const lines = await logged(async () => {
    for (let i = 0; i < RUNS; i++) {
      const client = createHttpClient({ caCerts: [root.cert] });
      const calls = Array.from({ length: 1 + random.below(6) }, async (_, k) => {
        const size = random.pick([0, 1, 100, 16_384, 70_000, 300_000]);
        const bytes = new Uint8Array(size).map((_, at) => (at * 7 + k) % 251);
        const how = random.below(4);
        const body = how === 0 ? null : how === 1 ? new Blob([bytes]).stream() : bytes;
        const method = body === null ? random.pick(["GET", "HEAD", "DELETE"]) : "POST";
        const response = await fetch(url, { method, body, duplex: "half", client } as RequestInit);
        const what = `SLIPWAY_SEED=${seed} run ${i} call ${k}`;
        const got = Buffer.from(await response.arrayBuffer());
        const sent = Number(response.headers.get("x-size"));
        assert.is(got.length, method === "HEAD" || response.status === 204 ? 0 : sent, what);
        assert.ok(
          got.every((byte, at) => byte === at % 253),
          what,
        );
        assert.ok(["early", `${body === null ? 0 : size}`].includes(response.headers.get("x-got") ?? ""), what);
      });
      for (const outcome of await Promise.allSettled(calls)) {
        if (outcome.status === "rejected") {
          throw new Error(`SLIPWAY_SEED=${seed} run ${i}: ${outcome.reason?.stack}`);
        }
      }
      client.close();
      await until(() => clientCounters.busy + clientCounters.idle + clientCounters.connecting === 0);
    }
  });
  assert.equal(lines, []);
  close();
});

test("an upload whose room comes a little at a time is not taken for a flood of nothing", async () => {
  const { url, close } = await listen(new Random(5));
  const client = createHttpClient({ caCerts: [root.cert] });
  const body = new Uint8Array(16 * 1024 * 1024);
  const response = await fetch(url, { method: "POST", body, client } as RequestInit);
  assert.is(response.headers.get("x-got"), `${body.length}`);
  await response.arrayBuffer();
  client.close();
  close();
});

test.run();
