// How a WebSocket ends: by its server's end, by silence, by clients that do not read, answer or come to an end.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { counters } from "../../src/http/counters.ts";
import { taskSources } from "../../src/runtime/tasks.ts";
import { webSocketCounters } from "../../src/websocket/counters.ts";
import { upgradeWebSocket } from "../../src/websocket/mod.ts";
import { connect } from "../http/support/client.ts";
import { closeFrame, frame, rawSocket } from "./support/raw.ts";
import {
  clients,
  type End,
  echo,
  ending,
  eventually,
  logged,
  messages,
  opening,
  sockets,
  start,
  turns,
  withSettings,
} from "./support/server.ts";

test("a drain says 1001, waits for the answer, and is done", async () => {
  for (const Client of Object.values(clients)) {
    using server = sockets(echo);
    const client = new Client(server.url.replace("http", "ws"));
    await opening(client);
    const end = ending(client);
    assert.equal(await server.server.drain(), { cut: 0 });
    assert.equal(await end, { code: 1001, reason: "", clean: true, error: undefined });
  }
});

test("a client that does not answer is cut after closeTimeout, long before the drain's bound", async () => {
  using _ = withSettings({ closeTimeout: 50 });
  let end: Promise<End> | undefined;
  using server = sockets((socket) => {
    end = ending(socket);
  });
  using raw = await rawSocket(server.port);
  const began = performance.now();
  const drained = server.server.drain();
  assert.is((await raw.next(1))[0].payload.readUInt16BE(0), 1001);
  assert.equal(await drained, { cut: 0 });
  assert.ok(performance.now() - began < 15_000);
  assert.is((await end)?.code, 1006);
  assert.is((await end)?.error, "the client did not answer the close frame in time");
});

test("what is not closed by drainTimeout is cut, and counted", async () => {
  using _ = withSettings({ closeTimeout: 60_000 });
  let end: Promise<End> | undefined;
  using server = sockets(
    (socket) => {
      end = ending(socket);
    },
    {},
    { drainTimeout: 100 },
  );
  using raw = await rawSocket(server.port);
  assert.equal(await server.server.drain(), { cut: 1 });
  assert.is((await end)?.code, 1006);
  await raw.client.gone();
});

test("a socket that opens while the server ends is told so", async () => {
  using server = sockets(echo, {}, { drainDelay: 100 });
  const drained = server.server.drain();
  const client = new clients.ws(server.url.replace("http", "ws"));
  const end = ending(client);
  await opening(client);
  assert.equal(await drained, { cut: 0 });
  assert.is((await end).code, 1001);
});

test("close() of the server cuts, and says so", async () => {
  let end: Promise<End> | undefined;
  using server = sockets((socket) => {
    end = ending(socket);
  });
  using raw = await rawSocket(server.port);
  server.server.close();
  await server.server.finished;
  assert.match((await end)?.error ?? "", /the server was closed/);
  await raw.client.gone();
});

test("silence: a ping at half of it, the end at the whole, and pongs keep it alive", async () => {
  let end: Promise<End> | undefined;
  using server = sockets(
    (socket) => {
      end = ending(socket);
    },
    { idleTimeout: 0.2 },
  );
  using alive = await rawSocket(server.port);
  for (let pings = 1; pings <= 4; pings++) {
    const seen = await alive.next(pings);
    assert.is(seen[pings - 1].opcode, 9);
    alive.write(frame(10, seen[pings - 1].payload));
  }
  using silent = await rawSocket(server.port);
  assert.is(await silent.closeCode(), 1001);
  const { code, clean, error } = (await end) as End;
  assert.equal([code, clean, error], [1001, false, "No response from ping frame."]);
  assert.equal(
    silent.frames.map(({ opcode }) => opcode),
    [9, 8],
  );
});

test("a message that drips has an end", async () => {
  using _ = withSettings({ messageTimeout: 60, minRate: 4096 });
  let end: Promise<End> | undefined;
  using server = sockets((socket) => {
    end = ending(socket);
  });
  using raw = await rawSocket(server.port);
  raw.write(frame(1, "begins", { fin: false }));
  assert.is(await raw.closeCode(), 1008);
  assert.is((await end)?.error, "the client sent a message that took too long");
});

test("a client that does not read: bufferedAmount grows, and at its bound it is cut", async () => {
  using _ = withSettings({ maxBuffered: 1 << 20 });
  let socket: WebSocket | undefined;
  let end: Promise<End> | undefined;
  using server = sockets((one) => {
    socket = one;
    end = ending(one);
  });
  using raw = await rawSocket(server.port);
  raw.client.socket.pause();
  await eventually(() => socket?.readyState === 1, "it is open");
  const chunk = new Uint8Array(256 * 1024);
  let sent = 0;
  for (; socket?.readyState === 1 && sent < 4000; sent++) {
    socket.send(chunk);
    if (sent % 8 === 7) await Promise.resolve();
  }
  assert.match((await end)?.error ?? "", /reads too slowly: more than 1048576 bytes/);
  assert.ok(sent < 1000, `${sent} were sent`);
});

test("a message larger than what may wait goes to a client that reads, and what waits behind it is bounded", async () => {
  using _ = withSettings({ maxBuffered: 1 << 20 });
  const large = 16 << 20;
  for (const message of ["x".repeat(large), new Uint8Array(large)]) {
    let end: Promise<End> | undefined;
    let socket: WebSocket | undefined;
    using server = sockets((one) => {
      socket = one;
      end = ending(one);
      one.onmessage = () => one.send(message);
    });
    using raw = await rawSocket(server.port);
    raw.write(frame(1, "send it"));
    await raw.client.until(() => raw.client.bytes.length > large, "the message");
    // Now it does not read, and a second one behind the first is too much.
    raw.client.socket.pause();
    for (let i = 0; i < 2; i++) socket?.send(message);
    assert.match((await end)?.error ?? "", /reads too slowly: more than 1048576 bytes/);
  }
});

test("a client that reads is not cut for all that it has had since nothing waited for it", async () => {
  let socket: WebSocket | undefined;
  using server = sockets((one) => {
    socket = one;
  });
  using raw = await rawSocket(server.port);
  await eventually(() => socket?.readyState === 1, "it is open");
  const chunk = new Uint8Array(1 << 20);
  // More is on its way than the kernel holds, and less than the bound.
  for (let sent = 1; sent <= 64; sent++) {
    socket?.send(chunk);
    await raw.client.until(() => raw.client.bytes.length > (sent - 14) * chunk.length, "what was sent before");
  }
  await raw.client.until(() => raw.client.bytes.length > 64 * chunk.length, "all");
  assert.is(socket?.readyState, 1);
});

test("a client that does not read is cut after writeTimeout", async () => {
  using _ = withSettings({ writeTimeout: 100 });
  let socket: WebSocket | undefined;
  let end: Promise<End> | undefined;
  using server = sockets((one) => {
    socket = one;
    end = ending(one);
  });
  using raw = await rawSocket(server.port);
  raw.client.socket.pause();
  await eventually(() => socket?.readyState === 1, "it is open");
  socket?.send(new Uint8Array(12 << 20));
  assert.ok((socket?.bufferedAmount ?? 0) > 0);
  assert.match((await end)?.error ?? "", /did not read what was sent to it in time/);
});

test("a client that reads slowly, but at minRate, is not cut, however long it takes", async () => {
  using _ = withSettings({ writeTimeout: 100, minRate: 1024, maxBuffered: 64 << 20 });
  let socket: WebSocket | undefined;
  let end: Promise<End> | undefined;
  using server = sockets((one) => {
    socket = one;
    end = ending(one);
  });
  using raw = await rawSocket(server.port);
  await eventually(() => socket?.readyState === 1, "it is open");
  raw.client.socket.pause();
  const size = 24 << 20;
  socket?.send(new Uint8Array(size));
  // As much as the time says, whatever the machine: for longer than several timeouts.
  const began = performance.now();
  while (raw.client.bytes.length < size && socket?.readyState === 1) {
    if (raw.client.bytes.length < (size * (performance.now() - began)) / 700) raw.client.socket.resume();
    else raw.client.socket.pause();
    await turns(1);
  }
  assert.ok(performance.now() - began > 500, "longer than several timeouts");
  assert.is(socket?.readyState, 1, "it is still open");
  raw.write(closeFrame(1000));
  assert.is((await end)?.code, 1000);
});

test("write waits until what it sent has left", async () => {
  let done = false;
  using server = sockets((socket) => {
    socket.onopen = async () => {
      for (let i = 0; i < 60; i++) {
        await socket.write(new Uint8Array(1 << 20).fill(i));
        assert.is(socket.bufferedAmount, 0);
      }
      await socket.drained();
      done = true;
      socket.close();
    };
  });
  const client = new clients.ws(server.url.replace("http", "ws"));
  const next = messages(client);
  for (let i = 0; i < 60; i++) {
    const bytes = new Uint8Array((await next()) as ArrayBuffer);
    assert.is(bytes.length, 1 << 20);
    assert.is(bytes[77], i);
  }
  await ending(client);
  assert.is(done, true);
});

test("a Blob is sent in its place", async () => {
  using server = sockets((socket) => {
    socket.onopen = () => {
      socket.send("first");
      socket.send(new Blob(["sec", "ond"]));
      socket.send("third");
      socket.close(4000);
    };
  });
  const client = new clients.ws(server.url.replace("http", "ws"));
  const next = messages(client);
  const end = ending(client);
  assert.is(await next(), "first");
  assert.is(Buffer.from((await next()) as ArrayBuffer).toString(), "second");
  assert.is(await next(), "third");
  assert.is((await end).code, 4000);
});

test("answers to one read leave in order, whatever their sizes, with pongs and the close frame behind", async () => {
  using server = sockets((socket) => {
    socket.onmessage = ({ data }) => {
      const size = Number(data);
      if (size < 0) socket.close(4000);
      else socket.send(`${size}:`.padEnd(size, "x"));
    };
  });
  const sizes = [5, 3000, 6, 100, 15_000, 2048, 2050, 7, 70_000, 300, 200_000, 5, 16_380, 16_384, 16_390, 5];
  using raw = await rawSocket(server.port);
  raw.write(...sizes.flatMap((size) => [frame(1, String(size)), frame(9, String(size))]), frame(1, "-1"));
  const frames = await raw.next(sizes.length * 2 + 1);
  for (const [i, size] of sizes.entries()) {
    assert.is(frames[2 * i].payload.toString(), `${size}:`.padEnd(size, "x"));
    assert.is(frames[2 * i + 1].payload.toString(), String(size));
  }
  assert.is(frames.at(-1)?.opcode, 8);
  raw.write(closeFrame(4000));
  await raw.end();
});

test("handlers of pipelined requests that send to a socket: neither answers nor messages suffer", async () => {
  let socket: WebSocket | undefined;
  let count = 0;
  using server = start((request) => {
    if (request.headers.has("upgrade")) {
      const upgraded = upgradeWebSocket(request);
      socket = upgraded.socket;
      return upgraded.response;
    }
    count++;
    for (let i = 0; i < 3; i++) socket?.send(`${count}.${i}`.padEnd(500 * count, "-"));
    return new Response(`answer ${count}\n`);
  });
  using raw = await rawSocket(server.port);
  await eventually(() => socket?.readyState === 1, "it is open");
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10));
  const responses = await client.responses(10);
  assert.equal(
    responses.map(({ body }) => String(body)),
    Array.from({ length: 10 }, (_, i) => `answer ${i + 1}\n`),
  );
  const frames = await raw.next(30);
  for (const [i, { payload }] of frames.entries()) {
    const n = Math.floor(i / 3) + 1;
    assert.is(payload.toString(), `${n}.${i % 3}`.padEnd(500 * n, "-"));
  }
});

test("a flood of pings by a client that does not read keeps one of them", async () => {
  using _ = withSettings({ maxBuffered: 64 << 20 });
  let socket: WebSocket | undefined;
  using server = sockets((one) => {
    socket = one;
  });
  using raw = await rawSocket(server.port);
  raw.client.socket.pause();
  await eventually(() => socket?.readyState === 1, "it is open");
  socket?.send(new Uint8Array(10 << 20));
  const received = counters.bytesIn;
  const before = socket?.bufferedAmount ?? 0;
  assert.ok(before > 0);
  for (let i = 0; i < 200; i++) await raw.client.send(frame(9, "x".repeat(100)));
  raw.write(frame(9, "the last"));
  await eventually(() => counters.bytesIn - received === 200 * 106 + 14, "all pings have come");
  assert.is(socket?.bufferedAmount, before);
  raw.client.socket.resume();
  const frames = await raw.next(2);
  assert.is(frames[0].payload.length, 10 << 20);
  assert.ok(frames.length < 20);
  await raw.client.until(() => raw.frames.at(-1)?.payload.toString() === "the last", "the last pong");
});

test("a client that is gone: 1006, by FIN and by reset", async () => {
  for (const way of ["end", "reset"] as const) {
    let end: Promise<End> | undefined;
    let open = false;
    using server = sockets((socket) => {
      end = ending(socket);
      socket.onopen = () => {
        open = true;
      };
    });
    using raw = await rawSocket(server.port);
    await eventually(() => open, "it is open");
    raw.client[way]();
    const { code, clean, error } = (await end) as End;
    assert.equal([code, clean], [1006, false]);
    assert.ok(error);
    await eventually(() => server.server.connections === 0, "the connection is closed");
  }
});

test("what a listener throws is logged, and the others are told all the same", async () => {
  using server = sockets((socket) => {
    socket.addEventListener("message", () => {
      throw new Error("broken listener");
    });
    echo(socket);
  });
  using raw = await rawSocket(server.port);
  const log = await logged(async () => {
    raw.write(frame(1, "a"), frame(1, "b"));
    assert.is((await raw.next(2))[1].payload.toString(), "b");
  });
  assert.match(log.join(), /broken listener/);
});

test("it is a task, and counted, as long as it is open", async () => {
  const named = (): number => {
    let count = 0;
    for (const source of taskSources) source((name) => (count += Number(name === "websocket")));
    return count;
  };
  const { opened, received, sent } = webSocketCounters;
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  assert.is(named(), 1);
  assert.is(webSocketCounters.open, 1);
  raw.write(frame(1, "x"));
  await raw.next(1);
  raw.write(closeFrame(1000));
  await raw.closeCode();
  await eventually(() => named() === 0 && webSocketCounters.open === 0, "it is gone");
  const counted = [webSocketCounters.opened - opened, webSocketCounters.received - received];
  assert.equal([...counted, webSocketCounters.sent - sent], [1, 1, 1]);
});

test("both close at once", async () => {
  let end: Promise<End> | undefined;
  using server = sockets((socket) => {
    end = ending(socket);
    socket.onopen = () => socket.close(4001, "ours");
  });
  using raw = await rawSocket(server.port);
  raw.write(closeFrame(4002, "theirs"));
  assert.is(await raw.closeCode(), 4001);
  assert.equal(await end, { code: 4002, reason: "theirs", clean: true, error: undefined });
  assert.is(raw.frames.length, 1);
});

test("nobody is counted as open in the end", () => {
  assert.is(webSocketCounters.open, 0);
  assert.is(webSocketCounters.memory, 0);
});

test.run();
