// What only HTTP/2 asks of a client, and when it must have answered: SETTINGS, and PING while it is silent.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { install } from "../../src/fetch/mod.ts";
import { type Handler, HttpService } from "../../src/http/service.ts";
import { defaultTiming, type Timing } from "../../src/http2/limits.ts";
import { Http2 } from "../../src/http2/mod.ts";
import { type Listener, listen } from "../../src/net/mod.ts";
import { eventually } from "../http/support/server.ts";
import { tlsContext } from "../support/tls.ts";
import { connectRaw, frame, open, PING, PREFACE, SETTINGS } from "./support/raw.ts";

install();

function start(handler: Handler, timing: Partial<Timing>): { port: number; service: HttpService } & Disposable {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const service = new HttpService(listener as Listener, handler, {
    http2: (http) => new Http2(http, { ...defaultTiming, ...timing }),
    priorKnowledge: true,
    tls: tlsContext(),
  });
  return { port: listener.addr.port, service, [Symbol.dispose]: () => service.close() };
}

test("SETTINGS that are not acknowledged: SETTINGS_TIMEOUT", async () => {
  using server = start(() => new Response("x"), { settingsAck: 50 });
  using client = await connectRaw(server.port);
  client.write(PREFACE);
  client.write(frame(SETTINGS, 0, 0));
  await client.gone();
  assert.is(client.bytes.readUInt32BE(client.bytes.length - 4), 4);
});

test("a silent client with a stream is asked whether it is there; one that answers stays", async () => {
  using server = start(() => new Promise(() => {}), { quiet: 50, pingAck: 10_000 });
  using raw = await open(server.port);
  raw.request(1);
  const pings = () => raw.frames.filter(({ type, flags }) => type === PING && flags === 0);
  for (let i = 0; i < 3; i++) {
    await raw.client.until(() => pings().length > i, `PING ${i}`);
    raw.write(frame(PING, 1, 0, pings()[i].payload));
  }
  assert.is(server.service.connections, 1);
});

test("one that does not is gone, and its requests are told", async () => {
  let reason: unknown;
  using server = start(
    (request) => {
      request.signal.addEventListener("abort", () => {
        reason = request.signal.reason;
      });
      return new Promise(() => {});
    },
    { quiet: 30, pingAck: 30 },
  );
  using raw = await open(server.port);
  raw.request(1);
  await eventually(() => reason !== undefined, "the signal aborts");
  assert.is((reason as Error).name, "AbortError");
  await raw.client.gone();
  assert.is(server.service.connections, 0);
});

test.run();
