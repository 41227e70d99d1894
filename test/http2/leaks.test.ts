// Nothing is left of a connection, or of a stream, however it ended: whoever holds one still would keep it from being
// collected.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { install } from "../../src/fetch/mod.ts";
import { HttpService } from "../../src/http/service.ts";
import type { Lifetime } from "../../src/http2/lifetime.ts";
import { Http2 } from "../../src/http2/mod.ts";
import { Http2Stream } from "../../src/http2/stream.ts";
import { type Listener, listen } from "../../src/net/mod.ts";
import { eventually } from "../http/support/server.ts";
import { tlsContext } from "../support/tls.ts";
import { DATA, END_HEADERS, END_STREAM, frame, open, POST, type Raw, RST_STREAM, uint32 } from "./support/raw.ts";

install();
setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

const gone: WeakRef<object>[] = [];

class Watched extends Http2 {
  override closed(connection: Lifetime): void {
    gone.push(new WeakRef(connection));
    super.closed(connection);
  }
}

const { begin } = Http2Stream.prototype;
Http2Stream.prototype.begin = function (expectContinue, tunnel) {
  gone.push(new WeakRef(this));
  begin.call(this, expectContinue, tunnel);
};

test("connections and streams that end in every way leave nothing behind", async () => {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const handler = async (request: Request): Promise<Response> => {
    if (request.method === "GET") return new Response("x");
    const { signal } = request;
    if (request.headers.has("x-never")) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    return new Response(await request.text());
  };
  const service = new HttpService(listener as Listener, handler, {
    http2: (http) => new Watched(http),
    priorKnowledge: true,
    tls: tlsContext(),
  });
  const said: ((raw: Raw) => void)[] = [
    (raw) => raw.write(frame(0, 0, 0, "an error of the connection")),
    (raw) => raw.client.reset(),
    (raw) => raw.client.end(),
    (raw) => raw.write(frame(0, 0, 1, Buffer.alloc(17_000))),
  ];
  async function conversations(): Promise<void> {
    const all = await Promise.all(Array.from({ length: 40 }, () => open(listener.addr.port)));
    for (const [i, raw] of all.entries()) {
      raw.request(1);
      raw.request(3, POST, END_HEADERS);
      raw.request(5, POST, END_HEADERS);
      raw.request(7, [...POST, ["x-never", "1"]], END_HEADERS);
      raw.write(frame(RST_STREAM, 0, 5, uint32(8)), frame(DATA, END_STREAM, 3, "body"));
      await raw.response(3);
      said[i % said.length](raw);
    }
    for (const raw of all) {
      await raw.client.gone();
      raw[Symbol.dispose]();
    }
  }
  await conversations();
  await eventually(() => service.connections === 0, "all are closed");
  assert.is(gone.length, 40 + 160);
  await eventually(() => {
    gc();
    return gone.every((ref) => ref.deref() === undefined);
  }, "all are collected");
  assert.is(service.abandoned.size, 0);
  assert.is(service.others.size, 0);
  service.close();
});

test.run();
