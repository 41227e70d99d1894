// WebSockets as clients that others wrote see them.
import { inspect } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clients, echo, ending, eventually, messages, opening, sockets } from "./support/server.ts";

for (const [name, Client] of Object.entries(clients)) {
  test(`${name}: messages of every kind and length come back as they were`, async () => {
    using server = sockets(echo);
    const client = new Client(server.url.replace("http", "ws"));
    const next = messages(client);
    await opening(client);
    for (const size of [0, 1, 125, 126, 127, 128, 511, 512, 65_535, 65_536, 1_000_000]) {
      const text = "0123456789".repeat(size / 10 + 1).slice(0, size);
      client.send(text);
      assert.is(await next(), text, `${size} characters`);
      const wide = "ä€😀".repeat(size / 4 + 1).slice(0, size);
      client.send(wide);
      assert.is(await next(), wide.toWellFormed(), `${size} code units`);
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) & 0xff);
      client.send(bytes);
      assert.equal(new Uint8Array((await next()) as ArrayBuffer), bytes, `${size} bytes`);
    }
    const end = ending(client);
    client.close(3001, "bye");
    assert.equal(await end, { code: 3001, reason: "", clean: true, error: undefined });
  });

  test(`${name}: the server ends with a code and a reason`, async () => {
    let told: unknown;
    using server = sockets((socket) => {
      socket.onopen = () => socket.close(4321, "genug für heute");
      socket.onclose = ({ code, reason, wasClean }) => {
        told = [code, reason, wasClean];
      };
    });
    const client = new Client(server.url.replace("http", "ws"));
    assert.equal(await ending(client), { code: 4321, reason: "genug für heute", clean: true, error: undefined });
    await eventually(() => told !== undefined, "the server's socket was closed");
    assert.equal(told, [4321, name === "ws" ? "genug für heute" : "", true]);
  });

  test(`${name}: many messages at once keep their order`, async () => {
    using server = sockets(echo);
    const client = new Client(server.url.replace("http", "ws"));
    const next = messages(client);
    await opening(client);
    for (let i = 0; i < 2000; i++) client.send(`${i}`.repeat((i % 50) + 1));
    for (let i = 0; i < 2000; i++) assert.is(await next(), `${i}`.repeat((i % 50) + 1));
    client.close();
    await ending(client);
  });
}

test("the server's socket is a WebSocket, and its events are events", async () => {
  const seen: unknown[] = [];
  using server = sockets((socket) => {
    socket.onmessage = (event) => {
      seen.push(socket instanceof WebSocket, socket instanceof EventTarget, event instanceof MessageEvent);
      seen.push(event instanceof Event, String(socket), String(event), event.type, event.target === socket);
      seen.push(socket.readyState, WebSocket.OPEN, socket.OPEN, socket.binaryType, event.data);
    };
  });
  const client = new clients.undici(server.url.replace("http", "ws"));
  await opening(client);
  client.send("x");
  await eventually(() => seen.length > 0, "the message came");
  assert.equal(
    seen,
    [true, true, true, true, "[object WebSocket]", "[object MessageEvent]", "message", true].concat([
      1,
      1,
      1,
      "arraybuffer",
      "x",
    ] as never[]),
  );
  client.close();
  await ending(client);
});

test("sockets and events can be shown, kept in collections and given fields", async () => {
  const seen: unknown[] = [];
  using server = sockets((socket) => {
    socket.onmessage = async (event) => {
      const named = Object.assign(socket, { user: 7 });
      seen.push(inspect(event), inspect(socket), named.user, new Map([[socket, 1]]).get(socket), "nothing" in socket);
      seen.push((await socket) === socket, JSON.stringify(socket));
      socket.dispatchEvent(new Event("custom"));
    };
    socket.addEventListener("custom", ({ type }) => {
      seen.push(type);
      socket.close();
    });
  });
  const client = new clients.ws(server.url.replace("http", "ws"));
  const end = ending(client);
  await opening(client);
  client.send("hello");
  await end;
  const [event, socket, ...others] = seen;
  assert.match(String(event), /^MessageEvent \{[\s\S]*data: 'hello'[\s\S]*\}$/);
  assert.match(String(socket), /^WebSocket \{[\s\S]*readyState: 1[\s\S]*\}$/);
  assert.equal(others, [7, 1, false, true, '{"user":7}', "custom"]);
});

test("binary messages are ArrayBuffers, as in Deno, until the program wants Blobs", async () => {
  using server = sockets((socket) => {
    socket.onmessage = async ({ data }) => {
      if (data === "now blobs") socket.binaryType = "blob";
      else socket.send(data instanceof Blob ? `blob ${await data.text()}` : `buffer ${data.byteLength}`);
    };
  });
  const client = new clients.ws(server.url.replace("http", "ws"));
  const next = messages(client);
  await opening(client);
  client.send(new TextEncoder().encode("abc"));
  assert.is(await next(), "buffer 3");
  client.send("now blobs");
  client.send(new TextEncoder().encode("abc"));
  assert.is(await next(), "blob abc");
  client.close();
  await ending(client);
});

test.run();
