// The limits of HTTP/1.1, for each stream or for the connection: what fires, what the client is told, and what goes on.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { HttpCounters, LimitName } from "../../src/http/counters.ts";
import { counters, LIMITS } from "../../src/http/counters.ts";
import { eventually, start } from "../http/support/server.ts";
import {
  block,
  CONTINUATION,
  connectRaw,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  HEADERS,
  integer,
  open,
  PING,
  POST,
  PREFACE,
  SETTINGS,
  setting,
  text,
  uint32,
  WINDOW_UPDATE,
} from "./support/raw.ts";

function fired(limit: LimitName, of: HttpCounters = counters): number {
  return of.limits[LIMITS.indexOf(limit)];
}
const NEVER = (): Promise<Response> => new Promise(() => {});
const at = (path: string, base = GET): typeof GET =>
  base.map((field) => (field[0] === ":path" ? [":path", path] : field));

test("readHeaderTimeout: a client that says nothing behind the preface", async () => {
  using server = start(() => new Response("x"), { h2c: true, readHeaderTimeout: 100 });
  using client = await connectRaw(server.port);
  const before = fired("readHeaderTimeout");
  client.write(PREFACE);
  await client.gone();
  assert.is(client.bytes.readUInt32BE(client.bytes.length - 4), 1);
  assert.is(fired("readHeaderTimeout"), before + 1);
});

for (const [name, bytes] of [
  ["a header block without an end", frame(HEADERS, 0, 1, block(GET))],
  ["part of a frame's head", frame(HEADERS, END_HEADERS, 1, block(GET)).subarray(0, 5)],
  ["part of a frame", frame(HEADERS, END_HEADERS, 1, block(GET)).subarray(0, 30)],
] as const) {
  test(`readHeaderTimeout: ${name}, and drips don't move it`, async () => {
    using server = start(() => new Response("x"), { h2c: true, readHeaderTimeout: 150 });
    using raw = await open(server.port);
    raw.write(bytes);
    const drips = setInterval(() => {
      if (name.startsWith("a header") && !raw.client.over) raw.write(frame(CONTINUATION, 0, 1, "\x82"));
    }, 20);
    try {
      assert.is(await raw.goaway(), 11);
    } finally {
      clearInterval(drips);
    }
  });
}

test("readTimeout: 408 for the stream whose body does not come, and no other", async () => {
  let aborted: unknown;
  using server = start(
    async (request) => {
      if (request.method === "GET") return new Response("x");
      request.signal.addEventListener("abort", () => {
        aborted = request.signal.reason;
      });
      return new Response(await request.text());
    },
    { h2c: true, readTimeout: 100 },
  );
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  raw.write(frame(DATA, 0, 1, "some"));
  assert.is((await raw.response(1)).status, "408");
  assert.is(await raw.reset(1), 0);
  assert.is((aborted as DOMException).name, "TimeoutError");
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
});

test("writeTimeout: 503 for a handler that takes too long", async () => {
  using server = start((request) => (request.url.endsWith("/slow") ? NEVER() : new Response("x")), {
    h2c: true,
    writeTimeout: 100,
  });
  using raw = await open(server.port);
  raw.request(1, at("/slow"));
  assert.is((await raw.response(1)).status, "503");
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
});

test("writeTimeout: CANCEL for a stream whose window stays closed, and no other", async () => {
  using server = start(() => new Response("0123456789"), { h2c: true, writeTimeout: 150 });
  using raw = await open(server.port, setting(4, 0));
  raw.request(1);
  assert.is(await raw.reset(1), 8);
  raw.request(3);
  raw.write(frame(WINDOW_UPDATE, 0, 3, uint32(100)));
  assert.is(`${(await raw.response(3)).body}`, "0123456789");
});

test("writeTimeout: a window that opens byte by byte buys no time", async () => {
  using server = start(() => new Response("x".repeat(1000)), { h2c: true, writeTimeout: 200 });
  using raw = await open(server.port, setting(4, 0));
  raw.request(1);
  const drips = setInterval(() => raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(1))), 20);
  try {
    assert.is(await raw.reset(1), 8);
    assert.ok(raw.body(1).length < 100);
  } finally {
    clearInterval(drips);
  }
});

test("writeTimeout: who waits behind a more urgent stream is not who stalls", async () => {
  using server = start((request) => new Response("x".repeat(request.url.endsWith("/first") ? 300_000 : 10)), {
    h2c: true,
    writeTimeout: 200,
  });
  using raw = await open(server.port, setting(4, 2 ** 31 - 1));
  raw.request(1, [...at("/first"), ["priority", "u=0"]]);
  await raw.client.until(() => raw.body(1).length === 65_535, "a window");
  raw.request(3, [...GET, ["priority", "u=7"]]);
  // Enough for minRate, for three times the timeout, and all of it for the first.
  for (let i = 0; i < 10; i++) {
    raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(3000)));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.is(raw.body(3).length, 0);
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  assert.is((await raw.response(3)).body.length, 10);
  assert.is((await raw.response(1)).body.length, 300_000);
});

test("writeTimeout: a client that does not read its socket is cut", async () => {
  let reason: unknown;
  using server = start(
    (request) => {
      request.signal.addEventListener("abort", () => {
        reason = request.signal.reason;
      });
      return new Response("x".repeat(30_000_000));
    },
    { h2c: true, writeTimeout: 300 },
  );
  using raw = await open(server.port, setting(4, 2 ** 31 - 1));
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
  raw.client.socket.pause();
  raw.request(1);
  await eventually(() => reason !== undefined, "the signal aborts");
  assert.match((reason as Error).message, /did not read/);
  await eventually(() => server.server.connections === 0, "the connection is closed");
});

test("idleTimeout: GOAWAY with NO_ERROR, and the end", async () => {
  using server = start(() => new Response("x"), { h2c: true, idleTimeout: 100 });
  using raw = await open(server.port);
  raw.request(1);
  await raw.response(1);
  assert.is(await raw.goaway(), 0);
});

test("idleTimeout: PING is no request", async () => {
  using server = start(() => new Response("x"), { h2c: true, idleTimeout: 200 });
  using raw = await open(server.port);
  raw.request(1);
  await raw.response(1);
  const pings = setInterval(() => raw.write(frame(PING, 0, 0, uint32(0, 0))), 20);
  try {
    assert.is(await raw.goaway(), 0);
  } finally {
    clearInterval(pings);
  }
});

test("maxHeaderBytes and maxHeaderCount: 431 for the stream, and the tables stay together", async () => {
  using server = start((request) => new Response(request.headers.get("x-kept")), {
    h2c: true,
    maxHeaderBytes: 1000,
    maxHeaderCount: 10,
  });
  using raw = await open(server.port);
  const kept = Buffer.concat([Buffer.from([0x40]), text("x-kept"), text("kept")]);
  raw.write(frame(HEADERS, 5, 1, Buffer.concat([block([...GET, ["x", "y".repeat(1000)]]), kept])));
  assert.is((await raw.response(1)).status, "431");
  raw.request(3, [...GET, ...Array.from({ length: 11 }, (_, i): [string, string] => [`x-${i}`, ""])]);
  assert.is((await raw.response(3)).status, "431");
  raw.write(frame(HEADERS, 5, 5, Buffer.concat([block(GET), Buffer.from([0xbe])])));
  assert.is(`${(await raw.response(5)).body}`, "kept");
});

test("maxBodyBytes: 413 by content-length before the handler, and by what comes", async () => {
  let called = 0;
  using server = start(
    async (request) => {
      called++;
      return new Response(await request.text());
    },
    { h2c: true, maxBodyBytes: 100 },
  );
  using raw = await open(server.port);
  raw.request(1, [...POST, ["content-length", "101"]], END_HEADERS);
  assert.is((await raw.response(1)).status, "413");
  assert.is(called, 0);
  raw.request(3, POST, END_HEADERS);
  raw.write(frame(DATA, 0, 3, "x".repeat(60)), frame(DATA, 0, 3, "x".repeat(60)));
  assert.is((await raw.response(3)).status, "413");
  assert.is(called, 1);
});

test("a handler and the hook set limits of one request", async () => {
  using server = start(
    async (request, info) => {
      if (request.url.endsWith("/handler")) info.setMaxBodyBytes(10);
      return new Response(await request.text());
    },
    { h2c: true, limits: (request) => (request.url.endsWith("/hook") ? { maxBodyBytes: 10 } : undefined) },
  );
  using raw = await open(server.port);
  for (const [id, path, status] of [
    [1, "/hook", "413"],
    [3, "/handler", "413"],
    [5, "/neither", "200"],
  ] as const) {
    raw.request(id, at(path, POST), END_HEADERS);
    raw.write(frame(DATA, 0, id, "x".repeat(8)), frame(DATA, END_STREAM, id, "x".repeat(8)));
    assert.is((await raw.response(id)).status, status, path);
  }
});

test("maxRequestsPerConnection: GOAWAY behind the last, which is answered", async () => {
  using server = start(() => new Response("x"), { h2c: true, maxRequestsPerConnection: 2 });
  using raw = await open(server.port);
  raw.request(1);
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
  assert.is(await raw.goaway(), 0);
});

test("no more than 100 streams at once: one more is refused, and may be tried again", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(() => gate.promise.then(() => new Response("x")), { h2c: true });
  using raw = await open(server.port);
  for (let i = 0; i < 101; i++) raw.request(1 + 2 * i);
  assert.is(await raw.reset(201), 7);
  gate.resolve();
  await raw.response(199);
  raw.request(203);
  assert.is((await raw.response(203)).status, "200");
});

test("an integer of five bytes is one, of six none (RFC 7541, 5.1)", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  using raw = await open(server.port);
  const name = Buffer.concat([
    Buffer.from([0]),
    integer(3, 7),
    Buffer.from("x-y"),
    Buffer.from([0x7f, 0x80, 0x80, 0x80, 0]),
  ]);
  raw.write(frame(HEADERS, 5, 1, Buffer.concat([block(GET), name, Buffer.alloc(127, "v")])));
  assert.is((await raw.response(1)).status, "200");
  raw.write(frame(SETTINGS, 0, 0));
  await raw.settled();
});

test.run();
