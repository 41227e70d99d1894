// Windows in both directions: who waits for whom, what may wait, and that nobody else does.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually, start, turns } from "../http/support/server.ts";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  GOAWAY,
  open,
  PING,
  POST,
  type Raw,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from "./support/raw.ts";

const INITIAL_WINDOW_SIZE = 4;
const path = (name: string): typeof GET => GET.map((field) => (field[0] === ":path" ? [":path", name] : field));

function updates(raw: Raw, stream: number): number {
  return raw.frames
    .filter((one) => one.type === WINDOW_UPDATE && one.stream === stream)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
}

test("a response waits for its stream's window, to the byte, and goes on with each update", async () => {
  using server = start(() => new Response("0123456789"), { h2c: true });
  using raw = await open(server.port, setting(INITIAL_WINDOW_SIZE, 3));
  raw.request(1);
  await raw.client.until(() => raw.body(1).length === 3, "three bytes");
  await raw.settled();
  assert.is(`${raw.body(1)}`, "012");
  raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(1)));
  await raw.client.until(() => raw.body(1).length === 4, "a fourth");
  raw.write(frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 5)));
  await raw.client.until(() => raw.body(1).length === 6, "what SETTINGS added");
  // Less than before: the window is below zero, and one update is not enough (RFC 9113, 6.9.2).
  raw.write(frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 0)), frame(WINDOW_UPDATE, 0, 1, uint32(5)));
  await raw.settled();
  assert.is(`${raw.body(1)}`, "012345");
  raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(100)));
  assert.is(`${(await raw.response(1)).body}`, "0123456789");
});

test("the connection's window holds all streams, and an answer without a body none", async () => {
  const large = "x".repeat(100_000);
  using server = start((request) => new Response(request.url.endsWith("/none") ? null : large), { h2c: true });
  using raw = await open(server.port, setting(INITIAL_WINDOW_SIZE, 1_000_000));
  raw.request(1);
  raw.request(3);
  await raw.client.until(() => raw.body(1).length + raw.body(3).length === 65_535, "a whole window");
  await raw.settled();
  assert.is(raw.body(1).length + raw.body(3).length, 65_535);
  raw.request(5, path("/none"));
  assert.is((await raw.response(5)).body.length, 0);
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  assert.is((await raw.response(1)).body.length, large.length);
  assert.is((await raw.response(3)).body.length, large.length);
});

test("streams share the connection frame by frame, in frames of 16 KiB", async () => {
  using server = start(() => new Response("x".repeat(200_000)), { h2c: true });
  using raw = await open(server.port, setting(INITIAL_WINDOW_SIZE, 1_000_000));
  for (const id of [1, 3, 5]) raw.request(id);
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  for (const id of [1, 3, 5]) await raw.response(id);
  const order = raw.frames.filter(({ type }) => type === DATA);
  assert.ok(order.every(({ payload }) => payload.length <= 16_384));
  // Each has had a frame before any has its last.
  const firsts = [1, 3, 5].map((id) => order.findIndex(({ stream }) => stream === id));
  const end = order.findIndex(({ flags }) => (flags & END_STREAM) !== 0);
  assert.ok(firsts.every((at) => at < end));
});

test("the more urgent first; of equally urgent ones without i, one after the other", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(
    async () => {
      await gate.promise;
      return new Response("x".repeat(40_000));
    },
    { h2c: true },
  );
  using raw = await open(server.port, setting(INITIAL_WINDOW_SIZE, 1_000_000));
  raw.request(1, [...GET, ["priority", "u=5"]]);
  raw.request(3, [...GET, ["priority", "u=5"]]);
  raw.request(5, [...GET, ["priority", "u=5"]]);
  raw.request(7, [...GET, ["priority", "u=1, i"]]);
  raw.write(frame(0x10, 0, 0, Buffer.concat([uint32(5), Buffer.from("u=0")])));
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  await raw.settled();
  gate.resolve();
  for (const id of [1, 3, 5, 7]) await raw.response(id);
  const order = raw.frames.filter(({ type }) => type === DATA).map(({ stream }) => stream);
  assert.equal([...new Set(order)], [5, 7, 1, 3]);
  assert.is(order.lastIndexOf(1) < order.indexOf(3), true);
});

test("a body that nobody reads stops its client; another's goes on", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(
    async (request) => {
      if (request.url.endsWith("/slow")) await gate.promise;
      return new Response(`${(await request.bytes()).length}`);
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  raw.request(1, [...POST.filter(([name]) => name !== ":path"), [":path", "/slow"]], END_HEADERS);
  raw.request(3, POST, END_HEADERS);
  const piece = Buffer.alloc(16_000);
  for (let i = 0; i < 4; i++) raw.write(frame(DATA, 0, 1, piece));
  for (let sent = 0; sent < 640_000; sent += piece.length) {
    await raw.client.until(() => 65_535 + updates(raw, 3) - sent >= piece.length, "room for the other");
    raw.write(frame(DATA, 0, 3, piece));
  }
  raw.write(frame(DATA, END_STREAM, 3));
  assert.is(`${(await raw.response(3)).body}`, "640000");
  // What was taken before it was seen that nobody reads; never more than half a window, and the stream is bounded by it.
  assert.ok(updates(raw, 1) <= 65_535, `${updates(raw, 1)}`);
  gate.resolve();
  await raw.client.until(() => updates(raw, 1) >= 32_000, "room again");
  raw.write(frame(DATA, END_STREAM, 1));
  assert.is(`${(await raw.response(1)).body}`, "64000");
});

test("more than a stream's window is FLOW_CONTROL_ERROR of the stream", async () => {
  using server = start(() => new Promise(() => {}), { h2c: true });
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  for (let i = 0; i < 9; i++) raw.write(frame(DATA, 0, 1, Buffer.alloc(16_000)));
  assert.is(await raw.reset(1), 3);
  await raw.settled();
});

test("windows grow for a client that they hold up, by what comes within a round trip", async () => {
  using server = start(async (request) => new Response(`${(await request.bytes()).length}`), { h2c: true });
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  const piece = Buffer.alloc(16_384);
  let sent = 0;
  let answered = 0;
  while (sent < 8_000_000) {
    await raw.client.until(() => 65_535 + updates(raw, 1) - sent >= piece.length, "room");
    // As a slow line would: the PING is answered behind all that there was room for.
    while (65_535 + updates(raw, 1) - sent >= piece.length && sent < 8_000_000) {
      raw.write(frame(DATA, 0, 1, piece));
      sent += piece.length;
    }
    const pings = raw.frames.filter(({ type, flags }) => type === PING && flags === 0);
    for (; answered < pings.length; answered++) raw.write(frame(PING, 1, 0, pings[answered].payload));
  }
  raw.write(frame(DATA, END_STREAM, 1));
  assert.is(`${(await raw.response(1)).body}`, `${sent}`);
  const largest = Math.max(
    ...raw.frames
      .filter((one) => one.type === WINDOW_UPDATE && one.stream === 1)
      .map((one) => one.payload.readUInt32BE(0)),
  );
  assert.ok(largest > 262_144, `the largest update was ${largest}`);
});

test("a source is asked for no more than waits for its client", async () => {
  let given = 0;
  let cancelled = false;
  using server = start(
    () =>
      new Response(
        new ReadableStream(
          {
            pull(controller) {
              given += 10_000;
              controller.enqueue(new Uint8Array(10_000));
            },
            cancel() {
              cancelled = true;
            },
          },
          { highWaterMark: 0 },
        ),
      ),
    { h2c: true },
  );
  using raw = await open(server.port);
  raw.request(1);
  await raw.client.until(() => raw.body(1).length === 65_535, "a window");
  await turns(20);
  assert.ok(given <= 65_535 + 50_000, `${given}`);
  raw.write(frame(RST_STREAM, 0, 1, uint32(8)));
  await eventually(() => cancelled, "the stream is cancelled");
});

test("a conversation: each part of the body is answered before the next is sent", async () => {
  using server = start((request) => new Response(request.body), { h2c: true });
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  let said = "";
  for (const part of ["one", "two", "three"]) {
    raw.write(frame(DATA, 0, 1, part));
    said += part;
    await raw.client.until(() => `${raw.body(1)}` === said, `the echo of ${part}`);
  }
  raw.write(frame(DATA, END_STREAM, 1));
  assert.is(`${(await raw.response(1)).body}`, said);
});

test("texts are cut between characters, whatever they are made of, and not held a second time for who does not read", async () => {
  const text = "aé😀\u{10ffff}\ud800z".repeat(40_000);
  const large = "é".repeat(4_000_000);
  using server = start((request) => new Response(request.method === "POST" ? large : text), { h2c: true });
  using raw = await open(server.port, setting(INITIAL_WINDOW_SIZE, 2 ** 31 - 1));
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(10_000_000)));
  raw.request(1);
  assert.ok((await raw.response(1)).body.equals(Buffer.from(text)));
  using closed = await open(server.port, setting(INITIAL_WINDOW_SIZE, 1));
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 50; i++) closed.request(1 + 2 * i, POST);
  await closed.client.until(() => closed.body(99).length === 1, "a byte of the last");
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 20_000_000, `${held} bytes for 50 texts of 8,000,000`);
});

/** Answered before its body has come. */
async function answeredEarly(port: number, more: readonly (readonly [string, string])[] = []): Promise<Raw> {
  const raw = await open(port);
  raw.request(1, [...POST, ...more], END_HEADERS);
  const answer = await raw.response(1);
  assert.is(`${answer.body}`, "enough");
  // curl 7.88 waits for ever behind a length.
  assert.is(answer.fields.get("content-length"), undefined);
  return raw;
}

/** Nothing has come that says otherwise, and the next request is answered. */
async function goesOn(raw: Raw): Promise<void> {
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
  assert.is(raw.frames.filter(({ type }) => type === RST_STREAM || type === GOAWAY).length, 0);
}

test("a body that was answered before its end is taken and dropped, to its end or its trailers", async () => {
  using server = start(() => new Response("enough"), { h2c: true });
  for (const end of ["DATA", "HEADERS"]) {
    using raw = await answeredEarly(server.port);
    for (let i = 0; i < 3; i++) raw.write(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    if (end === "DATA") raw.write(frame(DATA, END_STREAM, 1, "x"));
    else raw.request(1, [["x-trailer", "1"]]);
    await goesOn(raw);
    assert.ok(updates(raw, 1) >= 32_000, "it is let go on");
    raw.write(frame(DATA, 0, 1, "x"));
    assert.is(await raw.goaway(), 5);
  }
});

test("but for 16 MiB, and then RST_STREAM says that it is not wanted", async () => {
  using server = start(() => new Response("enough"), { h2c: true });
  using raw = await answeredEarly(server.port);
  const piece = frame(DATA, 0, 1, Buffer.alloc(16_384));
  const window = (stream: number): number => 65_535 + updates(raw, stream);
  let sent = 0;
  while (!raw.frames.some(({ type }) => type === RST_STREAM) && sent < 20 << 20) {
    while (Math.min(window(0), window(1)) - sent >= 16_384) {
      raw.write(piece);
      sent += 16_384;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(await raw.reset(1), 0);
  assert.ok(sent > 16 << 20, `${sent}`);
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
});

test("nor is it waited for: a second of silence, or a client that waits to be told to go on", async () => {
  using server = start(() => new Response("enough"), { h2c: true });
  using silent = await answeredEarly(server.port);
  using waits = await answeredEarly(server.port, [["expect", "100-continue"]]);
  assert.is(await waits.reset(1), 0);
  assert.is(await silent.reset(1), 0);
  for (const raw of [silent, waits]) {
    raw.request(3);
    assert.is((await raw.response(3)).status, "200");
  }
});

test("the rules hold for it", async () => {
  using server = start(() => new Response("enough"), { h2c: true });
  const broken: Record<string, [code: number, say: (raw: Raw) => void, fields?: [string, string][]]> = {
    "more than its content-length": [1, (raw) => raw.write(frame(DATA, 0, 1, "abc")), [["content-length", "2"]]],
    "less than its content-length": [1, (raw) => raw.write(frame(DATA, END_STREAM, 1, "a")), [["content-length", "2"]]],
    "a pseudo-header in trailers": [1, (raw) => raw.request(1, [[":path", "/"]])],
    "trailers that do not end it": [1, (raw) => raw.request(1, [["x", "y"]], END_HEADERS)],
    "a window that grows by nothing": [1, (raw) => raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(0)))],
    "a window that is too large": [3, (raw) => raw.write(frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1)))],
  };
  for (const [name, [code, say, fields]] of Object.entries(broken)) {
    using raw = await answeredEarly(server.port, fields);
    say(raw);
    assert.is(await raw.reset(1), code, name);
    raw.request(3);
    assert.is((await raw.response(3)).status, "200", name);
  }
  using raw = await answeredEarly(server.port);
  raw.write(frame(RST_STREAM, 0, 1, uint32(8)));
  await goesOn(raw);
});

test.run();
