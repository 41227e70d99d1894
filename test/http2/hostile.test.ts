// Clients that attack: each does what it is known for, and is told ENHANCE_YOUR_CALM before it has cost much; what it cost
// is counted here in handler calls, streams and bytes, and another client is served meanwhile.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { counters, LIMITS } from "../../src/http/counters.ts";
import { webSocketCounters } from "../../src/websocket/counters.ts";
import { upgradeWebSocket } from "../../src/websocket/mod.ts";
import { eventually, start, type TestServer } from "../http/support/server.ts";
import { frame as frameOf } from "../websocket/support/raw.ts";
import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  frame,
  GET,
  GOAWAY,
  HEADERS,
  integer,
  open,
  PING,
  POST,
  PRIORITY,
  type Raw,
  RST_STREAM,
  SETTINGS,
  setting,
  text,
  uint32,
  WINDOW_UPDATE,
} from "./support/raw.ts";

const ENHANCE_YOUR_CALM = 11;
const MIB = 1024 * 1024;
const flood = LIMITS.indexOf("http2Flood");

/** Says it again and again, in large writes, until the server has had enough or `most` frames are out. Gives how many. */
async function until(raw: Raw, most: number, one: (i: number) => Uint8Array): Promise<number> {
  let sent = 0;
  while (sent < most && !raw.client.over) {
    const some: Uint8Array[] = [];
    for (let i = 0; i < 100; i++) some.push(one(sent++));
    await raw.client.send(Buffer.concat(some)).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

async function calmed(raw: Raw): Promise<void> {
  const goaway = await raw.frame(({ type }) => type === GOAWAY, "GOAWAY");
  assert.is(goaway.payload.readUInt32BE(4), ENHANCE_YOUR_CALM);
  await raw.client.gone();
}

async function served(server: TestServer): Promise<void> {
  using raw = await open(server.port);
  raw.request(1);
  assert.is((await raw.response(1)).status, "200");
}

test("rapid reset (CVE-2023-44487): handlers at work are bounded, and so are those that ever began", async () => {
  let running = 0;
  let most = 0;
  let calls = 0;
  const gate = Promise.withResolvers<void>();
  using server = start(
    async (request) => {
      if (request.url.endsWith("/ok")) return new Response("x");
      calls++;
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
      return new Response("x");
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  const before = counters.limits[flood];
  const reset = (id: number) => frame(RST_STREAM, 0, id, uint32(8));
  await until(raw, 100_000, (i) => Buffer.concat([frame(HEADERS, 5, 1 + 2 * i, block(GET)), reset(1 + 2 * i)]));
  await calmed(raw);
  assert.ok(most <= 100, `${most} handlers at once`);
  assert.ok(calls <= 100, `${calls} handlers`);
  assert.is(counters.limits[flood], before + 1);
  gate.resolve();
  await eventually(() => running === 0, "the handlers end");
});

test("rapid reset within one read: half a hundred of them are all that a turn spends", async () => {
  let calls = 0;
  const gate = Promise.withResolvers<void>();
  using server = start(
    async () => {
      calls++;
      await gate.promise;
      return new Response("x");
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  // One write that fits into one segment of loopback's: it is read at once.
  const bytes = Array.from({ length: 90 }, (_, i) => {
    const id = 1 + 2 * i;
    return Buffer.concat([frame(HEADERS, 5, id, block(GET)), frame(RST_STREAM, 0, id, uint32(8))]);
  });
  raw.write(Buffer.concat(bytes));
  await calmed(raw);
  assert.ok(calls <= 60, `${calls} handlers`);
  gate.resolve();
});

test("rapid reset of requests that are answered at once", async () => {
  let calls = 0;
  using server = start(
    () => {
      calls++;
      return new Response("x");
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  await until(raw, 100_000, (i) =>
    Buffer.concat([frame(HEADERS, 5, 1 + 2 * i, block(GET)), frame(RST_STREAM, 0, 1 + 2 * i, uint32(8))]),
  );
  await calmed(raw);
  assert.ok(calls < 1000, `${calls} handlers`);
  await served(server);
});

test("made you reset (CVE-2025-8671): streams that the client has us reset", async () => {
  let calls = 0;
  let running = 0;
  const gate = Promise.withResolvers<void>();
  using server = start(
    async () => {
      calls++;
      running++;
      await gate.promise;
      running--;
      return new Response("x");
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  await until(raw, 100_000, (i) =>
    Buffer.concat([frame(HEADERS, 5, 1 + 2 * i, block(GET)), frame(WINDOW_UPDATE, 0, 1 + 2 * i, uint32(0))]),
  );
  await calmed(raw);
  assert.ok(calls <= 100, `${calls} handlers`);
  gate.resolve();
  await eventually(() => running === 0, "the handlers end");
});

test("CONTINUATION flood, of empty frames and of large ones", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  for (const size of [0, 16_384]) {
    using raw = await open(server.port);
    raw.write(frame(HEADERS, 0, 1, block(GET)));
    const fragment = Buffer.alloc(size, 0x82);
    const sent = await until(raw, 100_000, () => frame(CONTINUATION, 0, 1, fragment));
    await calmed(raw);
    assert.ok(sent < 100_000, `${sent} frames of ${size}`);
  }
  await served(server);
});

test("HPACK bomb: a few bytes that stand for hundreds of megabytes", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  using raw = await open(server.port);
  // An entry of nearly 4,096 bytes, and then a block that names it 16,000 times: 64 MB from 16 KB.
  raw.write(
    frame(
      HEADERS,
      5,
      1,
      Buffer.concat([block(GET), Buffer.from([0x40]), text("x"), integer(4000, 7), Buffer.alloc(4000, "v")]),
    ),
  );
  await raw.response(1);
  const before = process.memoryUsage().rss;
  const cpu = process.cpuUsage();
  raw.write(frame(HEADERS, 5, 3, Buffer.concat([block(GET), Buffer.alloc(1000, 0xbe)])));
  assert.is((await raw.response(3)).status, "431");
  for (let i = 1; i < 50; i++) {
    raw.write(frame(HEADERS, 5, 3 + 2 * i, Buffer.concat([block(GET), Buffer.alloc(16_000, 0xbe)])));
  }
  await calmed(raw);
  const { user, system } = process.cpuUsage(cpu);
  assert.ok((user + system) / 1000 < 2000, `${(user + system) / 1000} ms of CPU`);
  assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
  await served(server);
});

const floods: Record<string, (i: number) => Uint8Array> = {
  SETTINGS: () => frame(SETTINGS, 0, 0, setting(4, 65_535)),
  "SETTINGS with 2,730 windows each": () => frame(SETTINGS, 0, 0, Buffer.concat(Array(2730).fill(setting(4, 65_535)))),
  "acknowledgements of SETTINGS": () => frame(SETTINGS, ACK, 0),
  PING: () => frame(PING, 0, 0, uint32(0, 0)),
  "WINDOW_UPDATE of the connection": () => frame(WINDOW_UPDATE, 0, 0, uint32(1)),
  "WINDOW_UPDATE of a stream": () => frame(WINDOW_UPDATE, 0, 1, uint32(1)),
  PRIORITY: (i) => frame(PRIORITY, 0, 1 + 2 * (i % 1000), "\0\0\0\x05\x01"),
  PRIORITY_UPDATE: (i) => frame(0x10, 0, 0, Buffer.concat([uint32(1), Buffer.from(`u=${i % 8}`)])),
  "empty DATA": () => frame(DATA, 0, 3),
  "empty DATA with padding": () => frame(DATA, 8, 3, "\0"),
  "DATA byte by byte": () => frame(DATA, 0, 3, "x"),
  "unknown frames": () => frame(0xee, 0, 0, "?"),
  "requests that are malformed": (i) => frame(HEADERS, 5, 5 + 2 * i, block([[":path", "/"]])),
  "requests that are refused": (i) => frame(HEADERS, 5, 5 + 2 * i, block([...GET.slice(0, 2), [":path", "x"], GET[3]])),
};

for (const [name, one] of Object.entries(floods)) {
  test(`flood of ${name}`, async () => {
    using server = start((request) => (request.method === "POST" ? new Promise(() => {}) : new Response("x")), {
      h2c: true,
    });
    using raw = await open(server.port);
    raw.request(1, POST);
    raw.request(3, POST, END_HEADERS);
    const before = counters.limits[flood];
    const sent = await until(raw, 30_000, one);
    await calmed(raw);
    assert.ok(sent < 30_000, `${sent} frames`);
    assert.is(counters.limits[flood], before + 1);
    await served(server);
  });
}

test("a client that says PING and reads nothing has a bound of what waits for it", async () => {
  const large = "x".repeat(20_000_000);
  using server = start((request) => new Response(request.method === "POST" ? large : "x"), { h2c: true });
  using raw = await open(server.port, setting(4, 2 ** 31 - 1));
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
  raw.client.socket.pause();
  for (let i = 0; i < 5; i++) raw.request(1 + 2 * i, POST);
  const { bytesOut } = counters;
  const sent = await until(raw, 20_000, () => frame(PING, 0, 0, uint32(0, 0)));
  assert.ok(counters.bytesOut - bytesOut < 20_000_000, "the kernel's buffers at most");
  raw.client.reset();
  await eventually(() => server.server.connections === 0, "it is gone");
  assert.ok(sent <= 20_000);
  await served(server);
});

test("a hundred streams with closed windows hold no more than their handlers gave", async () => {
  let pulled = 0;
  using server = start(
    () =>
      new Response(
        new ReadableStream(
          {
            pull(controller) {
              pulled += 16_384;
              controller.enqueue(new Uint8Array(16_384));
            },
          },
          { highWaterMark: 0 },
        ),
      ),
    { h2c: true, writeTimeout: 500 },
  );
  using raw = await open(server.port, setting(4, 0));
  for (let i = 0; i < 100; i++) raw.request(1 + 2 * i);
  for (let i = 0; i < 100; i++) assert.is(await raw.reset(1 + 2 * i), 8);
  assert.ok(pulled <= 100 * 3 * 16_384, `${pulled} bytes were asked for`);
});

test("tiny DATA frames: a body of one byte a frame costs little memory, and arrives", async () => {
  using server = start(async (request) => new Response(`${(await request.text()).length}`), { h2c: true });
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  const cpu = process.cpuUsage();
  await until(raw, 8_000, () => frame(DATA, 0, 1, "x"));
  raw.write(frame(DATA, 1, 1));
  assert.is(`${(await raw.response(1)).body}`, "8000");
  const { user, system } = process.cpuUsage(cpu);
  assert.ok((user + system) / 1000 < 1000, `${(user + system) / 1000} ms of CPU, with the client's`);
});

test("a stream id near the end of them all is one, and none comes behind it", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  using raw = await open(server.port);
  raw.request(2 ** 31 - 1);
  assert.is((await raw.response(2 ** 31 - 1)).status, "200");
  raw.request(1);
  assert.is(await raw.goaway(), 5);
});

test("a client with patience to spare: what ordinary ones do is no flood", async () => {
  using server = start(() => new Response("x".repeat(1000)), { h2c: true });
  using raw = await open(server.port);
  for (let i = 0; i < 3000; i++) {
    const id = 1 + 2 * i;
    raw.request(id);
    if (i % 100 === 99) await raw.response(id);
    raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(1000)), frame(WINDOW_UPDATE, 0, id, uint32(1000)));
  }
  assert.is((await raw.response(5999)).status, "200");
});

test("rapid reset of WebSockets (RFC 8441): as of requests, and none stays open", async () => {
  const before = webSocketCounters.opened;
  using server = start(
    (request) => (request.headers.has("upgrade") ? upgradeWebSocket(request).response : new Response("x")),
    { h2c: true },
  );
  using raw = await open(server.port);
  const connect = [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1), ["sec-websocket-version", "13"]] as const; // biome-ignore format: one line
  await until(raw, 100_000, (i) =>
    Buffer.concat([frame(HEADERS, 4, 1 + 2 * i, block(connect)), frame(RST_STREAM, 0, 1 + 2 * i, uint32(8))]),
  );
  await calmed(raw);
  assert.ok(webSocketCounters.opened - before < 1000, `${webSocketCounters.opened - before} sockets`);
  await eventually(() => webSocketCounters.open === 0, "none is open");
  await served(server);
});

test("a hundred WebSockets that begin messages and never end them are bounded by the connection's window", async () => {
  using server = start((request) => upgradeWebSocket(request).response, { h2c: true });
  using raw = await open(server.port);
  const connect = [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1), ["sec-websocket-version", "13"]] as const; // biome-ignore format: one line
  for (let i = 0; i < 100; i++) raw.request(1 + 2 * i, connect, END_HEADERS);
  await raw.client.until(() => raw.frames.length > 0 && raw.heads.has(199), "the last is open");
  const before = process.memoryUsage().rss;
  // A megabyte is announced, and a little of it comes.
  const begun = frameOf(2, Buffer.alloc(10_000), { length: 1_000_000n });
  for (let i = 0; i < 100; i++) raw.write(frame(DATA, 0, 1 + 2 * i, begun));
  await raw.settled();
  assert.ok(process.memoryUsage().rss - before < 32 * MIB);
  raw.client.reset();
  await eventually(() => webSocketCounters.open === 0, "none is open");
});

// Memory is measured in this process, so with what the attacking client takes.
const grown = new Map<string, number>();
let before = 0;
test.before.each(() => {
  before = process.memoryUsage().rss;
});
test.after.each((context) => {
  grown.set((context as { __test__?: string }).__test__ ?? "", process.memoryUsage().rss - before);
});
test("none of these attacks took 64 MiB", () => {
  assert.ok(grown.size > 20);
  for (const [name, bytes] of grown) assert.ok(bytes < 64 * MIB, `${name}: ${bytes} bytes`);
});

test.run();
