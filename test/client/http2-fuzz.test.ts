// Random servers of HTTP/2, half of what they say nonsense: every call ends, nothing is left behind, and nothing of ours
// fails. SLIPWAY_SEED repeats a run, SLIPWAY_RUNS makes it longer.
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
import { until } from "./support.ts";

install(() => import("../../src/client/mod.ts"));
const seed = chooseSeed();
const random = new Random(seed);
const RUNS = Number(process.env["SLIPWAY_RUNS"] ?? 60);
const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"] });

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const noise = (most: number): Buffer =>
  Buffer.from(Array.from({ length: random.below(most) }, () => random.below(256)));

function randomFrame(): Buffer {
  const stream = random.pick([0, 1, 1, 1, 3, 3, 5, 5, 7, 2, 2 ** 31 - 1]);
  switch (random.below(12)) {
    case 0:
    case 1:
      return frame(1, random.pick([4, 4, 5]), stream, Buffer.from([0x88]));
    case 2:
      return frame(1, random.pick([0, 1, 4, 5, 12, 36]), stream, Buffer.concat([Buffer.from([0x88]), noise(20)]));
    case 3:
    case 4:
      return frame(0, random.pick([0, 0, 1, 8]), stream, noise(300));
    case 5:
      return frame(3, 0, stream, number(random.below(15)));
    case 6:
      return frame(4, random.pick([0, 0, 1]), 0, random.chance(0.7) ? setting() : noise(20));
    case 7:
      return frame(6, random.below(2), 0, random.chance(0.8) ? Buffer.alloc(8) : noise(12));
    case 8:
      return frame(7, 0, 0, Buffer.concat([number(random.pick([0, 1, 3, 2 ** 31 - 1])), number(random.below(3))]));
    case 9:
      return frame(8, 0, stream, number(random.pick([0, 1, 65_535, 2 ** 31 - 1])));
    case 10:
      return frame(9, random.pick([0, 4]), stream, noise(20));
    default:
      return frame(random.below(20), random.below(256), stream, noise(40));
  }
}

function setting(): Buffer {
  return Buffer.concat([
    Buffer.from([0, random.below(10)]),
    number(random.pick([0, 1, 100, 16_384, 65_535, 2 ** 31 - 1])),
  ]);
}

test("random servers", async () => {
  let talk = (): Buffer => Buffer.alloc(0);
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key, ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(talk()));
    socket.once("data", () => setImmediate(() => socket.writable && socket.write(talk())));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  const outcomes = new Map<string, number>();
  const lines = await logged(async () => {
    for (let i = 0; i < RUNS; i++) {
      let first = true;
      // Some answer well, but often before they were asked, and go on with nonsense: http2-legal.test.ts has those that behave.
      const good = random.chance(0.4);
      talk = () => {
        if (first && good) {
          first = false;
          const answers = [1, 3, 5].map((id) => frame(1, 5, id, Buffer.from([0x88])));
          return Buffer.concat([frame(4, 0, 0, Buffer.alloc(0)), ...answers]);
        }
        const frames = Array.from({ length: random.below(12) }, randomFrame);
        if (first && random.chance(0.9)) frames.unshift(frame(4, 0, 0, Buffer.alloc(0)));
        first = false;
        const said = Buffer.concat(frames);
        return random.chance(0.9) ? said : said.subarray(0, random.below(said.length + 1));
      };
      const client = createHttpClient({ caCerts: [root.cert], headerTimeout: 40, bodyTimeout: 40 });
      const calls = Array.from({ length: 3 }, async (_, k) => {
        const body = k === 1 ? new Uint8Array(100_000) : k === 2 ? new Response("stream").body : null;
        const init = { method: body === null ? "GET" : "POST", body, duplex: "half", client };
        const response = await fetch(url, init as RequestInit);
        return `${response.status} ${(await response.arrayBuffer()).byteLength >= 0}`;
      });
      for (const { status, ...rest } of await Promise.allSettled(calls)) {
        const { reason } = rest as { reason?: Error };
        if (status === "rejected") assert.instance(reason, TypeError, `SLIPWAY_SEED=${seed}: ${reason?.stack}`);
        outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
      }
      client.close();
      await until(() => clientCounters.busy + clientCounters.idle + clientCounters.connecting === 0);
    }
  });
  assert.equal(lines, [], `SLIPWAY_SEED=${seed}`);
  const [fulfilled = 0, rejected = 0] = [outcomes.get("fulfilled"), outcomes.get("rejected")];
  assert.is(fulfilled + rejected, 3 * RUNS, "every call has ended");
  assert.ok(rejected > 0, `SLIPWAY_SEED=${seed}`);
  server.close();
});

test.run();
