// WebSockets through a proxy: npm's ws on both sides, and raw bytes where that is too polite.
import type { Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket, WebSocketServer } from "ws";
import { proxyCounters as counters } from "../../src/proxy/counters.ts";
import { rawServer, until } from "../client/support.ts";
import { connect } from "../http/support/client.ts";
import { logged } from "../support/logged.ts";
import { overTls } from "../support/tls.ts";
import { echo, nodeUpstream, proxied, type TestProxy } from "./support.ts";

const UPGRADE =
  "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n";

interface WsUpstream {
  readonly base: string;
  readonly server: WebSocketServer;
  [Symbol.dispose](): void;
}
async function wsUpstream(deflate = false): Promise<WsUpstream> {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    perMessageDeflate: deflate,
    handleProtocols: () => "chat",
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  return {
    base: `http://127.0.0.1:${port}`,
    server,
    [Symbol.dispose]() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}
function open(edge: TestProxy, deflate = false): Promise<WebSocket> {
  const socket = new WebSocket(edge.url.replace("http", "ws"), ["chat"], {
    perMessageDeflate: deflate,
    rejectUnauthorized: false,
    headers: { cookie: "a=1" },
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}
const message = (socket: WebSocket): Promise<string> =>
  new Promise((resolve) => socket.once("message", (data: Buffer) => resolve(data.toString())));

for (const deflate of [false, true]) {
  test(`messages of all sizes go both ways, with ${deflate ? "compression" : "none"}, and the close frame`, async () => {
    using upstream = await wsUpstream(deflate);
    upstream.server.on("connection", (socket, request) => {
      socket.send(`hello ${request.headers.cookie} ${request.headers.forwarded !== undefined}`);
      socket.on("message", (data: Buffer, binary: boolean) => socket.send(data, { binary }));
      socket.on("close", (code: number) => {
        closed = code;
      });
    });
    let closed = 0;
    using edge = proxied(upstream.base);
    const before = counters.tunnelsOpened;
    const socket = new WebSocket(edge.url.replace("http", "ws"), ["chat"], {
      perMessageDeflate: deflate,
      rejectUnauthorized: false,
      headers: { cookie: "a=1" },
    });
    // It comes in one read with the 101.
    assert.is(await message(socket), "hello a=1 true");
    assert.equal([socket.protocol, socket.extensions.includes("permessage-deflate")], ["chat", deflate]);
    for (const size of [0, 1, 125, 126, 70_000, 3_000_000]) {
      socket.send("x".repeat(size));
      assert.is((await message(socket)).length, size);
    }
    assert.equal([counters.tunnels, counters.tunnelsOpened - before], [1, 1]);
    socket.close(4001, "enough");
    await until(() => closed === 4001);
    await until(() => counters.tunnels === 0);
  });
}

test("bytes are not looked at, and those that come with the upgrade are not lost", async () => {
  const upstream = await rawServer((socket, head) => {
    assert.match(head, /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/);
    assert.match(head, /\r\nsec-websocket-extensions: permessage-deflate; x=1\r\n/);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly",
    );
    socket.on("data", (bytes) => socket.write(bytes));
  });
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write(UPGRADE);
    await client.saw("early");
    assert.match(client.text, /^HTTP\/1\.1 101 /);
    assert.match(client.text, /\r\nsec-websocket-accept: x\r\n/i);
    client.write("\x00\xff\x80no frames");
    await client.saw("\x00\xff\x80no frames");
  } finally {
    upstream.close();
  }
});

test("an upstream that does not agree is heard", async () => {
  using upstream = await nodeUpstream((_, response) => {
    response.statusCode = 403;
    response.end("not you\n");
  });
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write(`${UPGRADE}GET /after HTTP/1.1\r\nHost: x\r\n\r\n`);
  const [response] = await client.responses(1);
  assert.equal([response.status, response.text()], [403, "not you\n"]);
});

test("other protocols are not passed on: h2c is answered in HTTP/1.1", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
  );
  const response = await client.response();
  assert.is(response.status, 200);
  assert.not.match(response.text(), /h2c|http2-settings/i);
});

for (const who of ["client", "upstream"] as const) {
  test(`who goes takes the other side along: the ${who}`, async () => {
    let socket: Socket | undefined;
    const upstream = await rawServer((one) => {
      socket = one;
      one.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    });
    try {
      using edge = proxied(upstream.base);
      using client = await connect(edge.port);
      client.write(UPGRADE);
      await client.saw("101");
      await until(() => counters.tunnels === 1);
      if (who === "client") {
        client.reset();
        await until(() => socket?.destroyed === true || socket?.readableEnded === true);
      } else {
        socket?.end("last words");
        await client.saw("last words");
        await client.gone();
      }
      await until(() => counters.tunnels === 0);
    } finally {
      upstream.close();
    }
  });
}

test("a side that does not read stops the other", async () => {
  let sent = 0;
  const upstream = await rawServer((socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    const piece = Buffer.alloc(256 * 1024);
    const go = (): void => {
      while (sent < 256 * 1024 * 1024) {
        sent += piece.length;
        if (!socket.write(piece)) return void socket.once("drain", go);
      }
    };
    go();
  });
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write(UPGRADE);
    await client.saw("101");
    client.socket.pause();
    for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 60))) before = sent;
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes`);
    client.socket.resume();
    const stood = sent;
    await until(() => sent > stood + 16 * 1024 * 1024);
    client.reset();
    await until(() => counters.tunnels === 0);
  } finally {
    upstream.close();
  }
});

test("silence has a bound", async () => {
  const upstream = await rawServer((socket) =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
  );
  try {
    using edge = proxied(upstream.base, { tunnelTimeout: 60 });
    using client = await connect(edge.port);
    client.write(UPGRADE);
    await client.saw("101");
    await client.gone();
    await until(() => counters.tunnels === 0);
  } finally {
    upstream.close();
  }
});

test("an upstream that closes as it agrees, and one that nobody reaches", async () => {
  const upstream = await rawServer((socket) =>
    socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbye"),
  );
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write(UPGRADE);
    await client.gone();
    assert.match(client.text, /101[\s\S]*bye$/);
    await until(() => counters.tunnels === 0);
  } finally {
    upstream.close();
  }
  using edge = proxied(upstream.base);
  await logged(async () => {
    using client = await connect(edge.port);
    client.write(UPGRADE);
    assert.is((await client.response()).status, 502);
  });
});

test("the drain waits for WebSockets, and cuts them at its end", async () => {
  using upstream = await wsUpstream();
  using edge = proxied(upstream.base, {}, { drainTimeout: 100 });
  const socket = await open(edge);
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await edge.server.drain();
  await closed;
  await until(() => counters.tunnels === 0);
  assert.ok(overTls || socket.readyState === WebSocket.CLOSED);
});

test.run();
