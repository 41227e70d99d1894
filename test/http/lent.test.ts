// Answers to pipelined requests wait in the poller's memory while the next handler runs: whatever that handler sends by
// itself must not be written over them.
import { once } from "node:events";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket } from "ws";
import { get } from "../../src/client/mod.ts";
import { upgradeWebSocket } from "../../src/websocket/mod.ts";
import { identity } from "../support/tls.ts";
import { connect } from "./support/client.ts";
import { start } from "./support/server.ts";

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test("a handler that fetches over a connection that is kept", async () => {
  using upstream = start((request) => new Response(`from ${request.url.split("/").at(-1)}`));
  using server = start((request) => {
    const path = new URL(request.url).pathname;
    if (path === "/now") return new Response("now");
    return get(`http://127.0.0.1:${upstream.port}${path}`);
  });
  using client = await connect(server.port);
  client.write(GET("/warm"));
  await client.responses(1);
  client.write(GET("/now") + GET("/a") + GET("/now") + GET("/b"));
  const texts = (await client.responses(5)).map((response) => response.text());
  assert.equal(texts, ["from warm", "now", "from a", "now", "from b"]);
});

for (const [name, tls] of [
  ["ws:", {}],
  ["wss:", identity],
] as const) {
  test(`a handler that sends to WebSockets of another server, ${name}`, async () => {
    const sockets: { send(text: string): void }[] = [];
    using other = start((request) => {
      const { socket, response } = upgradeWebSocket(request);
      socket.onopen = () => void sockets.push(socket);
      return response;
    }, tls);
    using server = start((request) => {
      const path = new URL(request.url).pathname;
      if (path === "/tell") for (const socket of sockets) socket.send("told");
      return new Response(path);
    });
    const scheme = name === "ws:" ? "ws" : "wss";
    const listener = new WebSocket(`${scheme}://127.0.0.1:${other.port}/`, { rejectUnauthorized: false });
    await once(listener, "open");
    const told = once(listener, "message");
    using client = await connect(server.port);
    client.write(GET("/one") + GET("/two") + GET("/tell") + GET("/three"));
    const texts = (await client.responses(4)).map((response) => response.text());
    assert.equal(texts, ["/one", "/two", "/tell", "/three"]);
    assert.is(String((await told)[0]), "told");
    const closed = once(listener, "close");
    listener.close(1000);
    assert.is((await closed)[0], 1000);
  });
}

test.run();
