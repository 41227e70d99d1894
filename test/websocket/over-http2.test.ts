// WebSockets on streams of HTTP/2 (RFC 8441): the same API, windows as back-pressure, and how streams and sockets end.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { webSocketCounters } from "../../src/websocket/counters.ts";
import { type UpgradedWebSocket, upgradeWebSocket, upgradeWebSocketStream } from "../../src/websocket/mod.ts";
import { scheme, session } from "../http2/support/node.ts";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame as h2frame,
  open,
  type Raw,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from "../http2/support/raw.ts";
import { closeFrame, frame, parseFrames, type Seen } from "./support/raw.ts";
import { type End, echo, ending, eventually, logged, sockets, start, withSettings } from "./support/server.ts";

const h2c = { h2c: true };
const CONNECT: readonly (readonly [string, string])[] = [
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":path", "/chat?x=y"],
  [":authority", "x"],
  ["sec-websocket-version", "13"],
];

/** Asks for a WebSocket on a stream. */
async function ask(raw: Raw, id: number, ...more: (readonly [string, string])[]): Promise<Map<string, string>> {
  raw.request(id, [...CONNECT, ...more], END_HEADERS);
  await raw.client.until(() => raw.frames.length > 0 && raw.heads.has(id), "the answer");
  return raw.heads.get(id) as Map<string, string>;
}
const seen = (raw: Raw, id: number): Seen[] => parseFrames(raw.body(id));
const say = (raw: Raw, id: number, ...frames: Uint8Array[]): void =>
  raw.write(h2frame(DATA, 0, id, Buffer.concat(frames)));
async function next(raw: Raw, id: number, count: number): Promise<Seen[]> {
  await raw.client.until(() => seen(raw, id).length >= count, `${count} frames`);
  return seen(raw, id);
}

test("SETTINGS say that it may be asked for; a request looks as in HTTP/1.1, its answer is 200", async () => {
  let asked: unknown;
  using server = sockets(echo, { protocol: "chat" }, h2c);
  using bystander = start((request) => {
    asked = [request.method, request.url, request.headers.get("upgrade"), request.body];
    return new Response("no", { status: 403 });
  }, h2c);
  using raw = await open(server.port);
  const { payload } = await raw.frame(({ type, flags }) => type === SETTINGS && flags === 0, "SETTINGS");
  const settings = Array.from({ length: payload.length / 6 }, (_, i) => payload.readUInt16BE(i * 6));
  assert.ok(settings.includes(8));
  const head = await ask(raw, 1, ["sec-websocket-protocol", "soap, chat"]);
  assert.is(head.get(":status"), "200");
  assert.is(head.get("sec-websocket-protocol"), "chat");
  for (const name of ["upgrade", "connection", "sec-websocket-accept"]) assert.not.ok(head.has(name), name);
  say(raw, 1, frame(1, "hello"), frame(2, new Uint8Array([1, 2])));
  const [text, binary] = await next(raw, 1, 2);
  assert.equal([text.opcode, `${text.payload}`], [1, "hello"]);
  assert.equal([binary.opcode, [...binary.payload]], [2, [1, 2]]);
  using other = await open(bystander.port);
  assert.is((await ask(other, 1)).get(":status"), "403");
  assert.equal(asked, ["GET", `${scheme}://x/chat?x=y`, "websocket", null]);
  assert.is(await other.reset(1), 0);
});

for (const [name, fields, status] of [
  ["without a version", CONNECT.filter(([name]) => !name.startsWith("sec")), "426"],
  ["of another protocol", CONNECT.map(([n, v]) => [n, n === ":protocol" ? "connect-udp" : v] as const), "501"],
  ["with malformed extensions", [...CONNECT, ["sec-websocket-extensions", "permessage-deflate; ="] as const], "400"],
  [
    "that is plain CONNECT (RFC 9113, 8.5)",
    [
      [":method", "CONNECT"],
      [":authority", "x:1"],
    ] as const,
    "501",
  ],
] as const) {
  test(`refused: a request ${name}`, async () => {
    using server = sockets(echo, {}, h2c);
    using raw = await open(server.port);
    raw.request(1, fields, END_HEADERS);
    assert.is((await raw.response(1)).status, status);
    assert.is((await ask(raw, 3)).get(":status"), "200");
  });
}

for (const [name, fields] of [
  [":protocol with another method", CONNECT.map(([n, v]) => [n, n === ":method" ? "GET" : v] as const)],
  [":protocol without :path", CONNECT.filter(([n]) => n !== ":path")],
  [":protocol without :scheme", CONNECT.filter(([n]) => n !== ":scheme")],
  [":protocol twice", [CONNECT[1], ...CONNECT]],
  [
    "plain CONNECT with :path",
    [
      [":method", "CONNECT"],
      [":authority", "x"],
      [":path", "/"],
    ] as const,
  ],
  ["plain CONNECT without :authority", [[":method", "CONNECT"]] as const],
] as const) {
  test(`malformed: ${name}`, async () => {
    using server = sockets(echo, {}, h2c);
    using raw = await open(server.port);
    raw.request(1, fields, END_HEADERS);
    assert.is(await raw.reset(1), 1);
  });
}

test("what is answered with END_STREAM in its head can be no WebSocket", async () => {
  using server = sockets(echo, {}, h2c);
  using raw = await open(server.port);
  raw.request(1, CONNECT);
  assert.is((await raw.response(1)).status, "400");
});

test("the closing handshake ends the stream, from either side, and the connection goes on", async () => {
  const ends: Promise<End>[] = [];
  let last: UpgradedWebSocket | undefined;
  using server = sockets(
    (socket) => {
      echo(socket);
      ends.push(ending(socket));
      last = socket;
    },
    {},
    h2c,
  );
  using raw = await open(server.port);
  await ask(raw, 1);
  say(raw, 1, closeFrame(4000, "done"));
  raw.write(h2frame(DATA, END_STREAM, 1));
  await raw.response(1);
  assert.is(seen(raw, 1).at(-1)?.opcode, 8);
  assert.equal(await ends[0], { code: 4000, reason: "done", clean: true, error: undefined });
  await ask(raw, 3);
  await eventually(() => last?.readyState === 1, "it is open");
  last?.close(4001, "ours");
  const [close] = await next(raw, 3, 1);
  assert.is(close.payload.readUInt16BE(0), 4001);
  say(raw, 3, closeFrame(4001, "ours"));
  await raw.response(3);
  assert.equal(await ends[1], { code: 4001, reason: "ours", clean: true, error: undefined });
  assert.is((await ask(raw, 5)).get(":status"), "200");
  assert.is(server.server.connections, 1);
});

for (const [name, how] of [
  ["RST_STREAM", (raw: Raw) => raw.write(h2frame(RST_STREAM, 0, 1, uint32(8)))],
  ["END_STREAM without a close frame", (raw: Raw) => raw.write(h2frame(DATA, END_STREAM, 1))],
  ["a connection that breaks", (raw: Raw) => raw.client.reset()],
  ["a connection that ends", (raw: Raw) => raw.client.end()],
] as const) {
  test(`${name} is an abnormal end`, async () => {
    let end: Promise<End> | undefined;
    using server = sockets(
      (socket) => {
        end = ending(socket);
      },
      {},
      h2c,
    );
    using raw = await open(server.port);
    await ask(raw, 1);
    how(raw);
    const { code, clean, error } = (await end) as End;
    assert.equal([code, clean, typeof error], [1006, false, "string"]);
    await eventually(() => webSocketCounters.open === 0, "nothing is open");
  });
}

test("a frame that may not be: its close code, and the end of the stream alone", async () => {
  using server = sockets(echo, {}, h2c);
  using raw = await open(server.port);
  await ask(raw, 1);
  await ask(raw, 3);
  say(raw, 1, frame(1, "x", { masked: false }));
  await raw.response(1);
  assert.is(seen(raw, 1).at(-1)?.payload.readUInt16BE(0), 1002);
  say(raw, 3, frame(1, "still here"));
  assert.is(`${(await next(raw, 3, 1))[0].payload}`, "still here");
});

test("a drain says 1001 and waits for its answer; what does not answer is cut and counted", async () => {
  using server = sockets(echo, {}, { ...h2c, drainTimeout: 20_000 });
  using raw = await open(server.port);
  await ask(raw, 1);
  const drained = server.server.drain();
  const [close] = await next(raw, 1, 1);
  assert.is(close.payload.readUInt16BE(0), 1001);
  say(raw, 1, closeFrame(1001));
  await raw.client.gone();
  raw.client.end();
  assert.equal(await drained, { cut: 0 });

  using stubborn = sockets(echo, {}, { ...h2c, drainTimeout: 100 });
  using deaf = await open(stubborn.port);
  await ask(deaf, 1);
  assert.equal(await stubborn.server.drain(), { cut: 1 });
});

test("the stream's window holds up the program: bufferedAmount, write, and all of it in the end", async () => {
  let socket: UpgradedWebSocket | undefined;
  using server = sockets(
    (one) => {
      socket = one;
    },
    {},
    h2c,
  );
  using raw = await open(server.port);
  await ask(raw, 1);
  await eventually(() => socket?.readyState === 1, "it is open");
  const message = new Uint8Array(300_000).map((_, i) => i % 251);
  socket?.send("first");
  let written = false;
  const writing = socket?.write(message).then(() => {
    written = true;
  });
  await raw.client.until(() => raw.body(1).length === 65_535, "a window");
  await raw.settled();
  assert.ok((socket?.bufferedAmount ?? 0) > 200_000, `${socket?.bufferedAmount}`);
  assert.not.ok(written);
  // Another stream is not held up: the connection has room again.
  raw.write(h2frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
  await ask(raw, 3);
  raw.write(h2frame(WINDOW_UPDATE, 0, 1, uint32(1_000_000)));
  await writing;
  const [first, second] = await next(raw, 1, 2);
  assert.is(`${first.payload}`, "first");
  assert.ok(second.payload.equals(message));
  assert.is(socket?.bufferedAmount, 0);
});

test("a program that reads slowly holds up its client by the window, and no other stream", async () => {
  const gate = Promise.withResolvers<void>();
  let got = 0;
  using server = start((request) => {
    const { response, socket } = upgradeWebSocketStream(request);
    const read = async (): Promise<void> => {
      const { readable } = await socket.opened;
      await gate.promise;
      for await (const message of readable) got += message.length;
    };
    // The end of the test is the end of the socket.
    read().catch(() => {});
    return response;
  }, h2c);
  using raw = await open(server.port);
  await ask(raw, 1);
  const update = (stream: number): number =>
    raw.frames.filter((one) => one.type === WINDOW_UPDATE && one.stream === stream).reduce((sum, one) => sum + one.payload.readUInt32BE(0), 0); // biome-ignore format: one line
  // Whole windows of messages, until the server gives no more.
  let sent = 0;
  const message = frame(2, new Uint8Array(1000));
  const fill = (): void => {
    while (65_535 + update(1) - sent >= message.length) {
      say(raw, 1, message);
      sent += message.length;
    }
  };
  for (let rounds = 0; rounds < 20; rounds++) {
    fill();
    await raw.settled();
  }
  assert.ok(sent < 300_000, `${sent} bytes for a program that reads nothing`);
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.resolve();
  const look = setInterval(() => got >= 1_000_000 && resolve(), 1);
  while (sent < 1_100_000) {
    fill();
    await raw.settled();
  }
  await promise;
  clearInterval(look);
});

test("a client that reads nothing is cut by wsMaxBuffered and by writeTimeout, with CANCEL, and alone", async () => {
  for (const settings of [{ maxBuffered: 100_000 }, { writeTimeout: 100, minRate: 0 }]) {
    using _ = withSettings(settings);
    let socket: UpgradedWebSocket | undefined;
    let end: Promise<End> | undefined;
    using server = sockets(
      (one) => {
        socket ??= one;
        end ??= ending(one);
      },
      {},
      h2c,
    );
    using raw = await open(server.port, setting(4, 10));
    await ask(raw, 1);
    await eventually(() => socket?.readyState === 1, "it is open");
    for (let i = 0; i < 20; i++) socket?.send(new Uint8Array(10_000));
    assert.is(await raw.reset(1), 8);
    assert.is((await end)?.code, 1006);
    assert.is((await ask(raw, 3)).get(":status"), "200");
  }
});

test("messages of all sizes, cut into frames of DATA anywhere, come back whole and in order", async () => {
  using server = sockets(echo, {}, h2c);
  using raw = await open(server.port, setting(4, 2 ** 31 - 1));
  raw.write(h2frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
  await ask(raw, 1);
  const messages = Array.from({ length: 60 }, (_, i) => Buffer.alloc((i * i * 37) % 30_000, i));
  const bytes = Buffer.concat(messages.map((message) => frame(2, message)));
  let credit = 65_535;
  let counted = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = Math.min(1 + ((at * 7919) % 5000), bytes.length - at);
    await raw.client.until(() => {
      const updates = raw.frames.filter((one) => one.type === WINDOW_UPDATE && one.stream === 1);
      for (; counted < updates.length; counted++) credit += updates[counted].payload.readUInt32BE(0);
      return credit >= size;
    }, "room");
    credit -= size;
    raw.write(h2frame(DATA, 0, 1, bytes.subarray(at, at + size)));
    at += size;
  }
  const came = await next(raw, 1, messages.length);
  for (const [i, message] of messages.entries()) assert.ok(came[i].payload.equals(message), `message ${i}`);
});

test("node's client of HTTP/2: many sockets on one connection, beside requests, with nothing said in the log", async () => {
  const lines = await logged(async () => {
    using server = start((request) => {
      if (request.headers.get("upgrade") !== "websocket") return new Response("x");
      const { socket, response } = upgradeEcho(request);
      void socket;
      return response;
    }, h2c);
    using client = session(server.port);
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    const one = async (i: number): Promise<void> => {
      const stream = client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13" }); // biome-ignore format: one line
      let came = Buffer.alloc(0);
      const done = Promise.withResolvers<void>();
      stream.on("data", (chunk: Buffer) => {
        came = Buffer.concat([came, chunk]);
        if (parseFrames(came).length === 100) stream.end(closeFrame(1000));
      });
      stream.on("close", done.resolve);
      stream.on("error", done.reject);
      for (let k = 0; k < 100; k++) stream.write(frame(1, `${i} ${k}`));
      await done.promise;
      const frames = parseFrames(came);
      assert.equal(frames.slice(0, 100).map(({ payload }) => `${payload}`), Array.from({ length: 100 }, (_, k) => `${i} ${k}`)); // biome-ignore format: one line
      assert.is(frames[100].opcode, 8);
    };
    const plain = async (): Promise<void> => {
      const stream = client.request({ ":path": "/" });
      let body = "";
      for await (const chunk of stream) body += chunk;
      assert.is(body, "x");
    };
    await Promise.all([...Array.from({ length: 30 }, (_, i) => one(i)), ...Array.from({ length: 30 }, plain)]);
  });
  assert.equal(
    lines.filter((line) => !line.includes("NODE_TLS_REJECT")),
    [],
  );
});

function upgradeEcho(request: Request): { socket: UpgradedWebSocket; response: Response } {
  const upgraded = upgradeWebSocket(request);
  echo(upgraded.socket);
  return upgraded;
}

test.run();
