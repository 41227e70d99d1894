// Upstreams that speak TLS, and WebSockets of HTTP/2 clients (RFC 8441) to upstreams of HTTP/1.1.
import { connect as connectHttp2, constants, type Settings } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type WebSocket, WebSocketServer } from "ws";
import { proxyCounters } from "../../src/proxy/counters.ts";
import { readProxySettings } from "../../src/proxy/options.ts";
import { until } from "../client/support.ts";
import { connect } from "../http/support/client.ts";
import { logged } from "../support/logged.ts";
import { skip } from "../support/skip.ts";
import { identity, overTls } from "../support/tls.ts";
import { echo, proxied } from "./support.ts";

const speaksTls = ((): boolean => {
  try {
    readProxySettings("https://localhost", {});
    return true;
  } catch {
    return false;
  }
})();
const title = "an https upstream, its certificate checked; WebSockets over it too";
if (!speaksTls) skip(test, title, "the client does not speak TLS");
else
  test(title, async () => {
    const upstream = createServer(identity, echo);
    const sockets = new WebSocketServer({ server: upstream });
    sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    try {
      using edge = proxied(`https://localhost:${port}`, { caCerts: [identity.cert] });
      using client = await connect(edge.port);
      client.write("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
      assert.is(JSON.parse((await client.response()).text()).url, "/x");
      using ws = await connect(edge.port);
      ws.write(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await ws.saw("\r\n\r\n");
      ws.write("\x81\x82\x00\x00\x00\x00ok");
      await ws.saw("\x82\x02ok");
      // Nobody has said that its certificate is to be trusted.
      using other = proxied(`https://localhost:${port}`);
      await logged(async () => {
        using wrong = await connect(other.port);
        wrong.write("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert.is((await wrong.response()).status, 502);
      });
    } finally {
      sockets.close();
      upstream.closeAllConnections();
      upstream.close();
    }
  });

for (const ender of ["client", "upstream"] as const) {
  test(`a WebSocket of an HTTP/2 client reaches an upstream of HTTP/1.1, and ends with it: by the ${ender}`, async () => {
    if (overTls) return;
    const upstream = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => upstream.once("listening", resolve));
    const { promise: opened, resolve: open } = Promise.withResolvers<WebSocket>();
    upstream.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("message", (data) => socket.send(data));
      open(socket);
    });
    const { port } = upstream.address() as AddressInfo;
    try {
      using edge = proxied(`http://127.0.0.1:${port}`, {}, { h2c: true });
      const session = connectHttp2(edge.url);
      const settings = await new Promise<Settings>((resolve) => session.once("remoteSettings", resolve));
      assert.ok(settings.enableConnectProtocol);
      const stream = session.request({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":path": "/chat",
        ":scheme": "http",
        ":authority": "x",
        "sec-websocket-version": "13",
      });
      stream.on("error", () => {});
      const headers = await new Promise<Record<string, unknown>>((resolve) =>
        stream.once("response", resolve as never),
      );
      assert.equal([headers[":status"], headers["sec-websocket-accept"]], [200, undefined]);
      for (const size of [2, 120]) {
        stream.write(Buffer.concat([Buffer.from([0x82, 0x80 | size, 0, 0, 0, 0]), Buffer.alloc(size, 65)]));
        const got = await new Promise<Buffer>((resolve) => stream.once("data", resolve));
        assert.equal([got[0], got[1], got.length], [0x82, size, size + 2]);
      }
      const socket = await opened;
      if (ender === "client") {
        const closed = new Promise((resolve) => socket.once("close", resolve));
        stream.close(constants.NGHTTP2_CANCEL);
        await closed;
      } else {
        const closed = new Promise((resolve) => stream.once("close", resolve));
        stream.resume();
        socket.terminate();
        await closed;
      }
      await until(() => proxyCounters.tunnels === 0);
      session.destroy();
    } finally {
      for (const one of upstream.clients) one.terminate();
      upstream.close();
    }
  });
}
test.run();
