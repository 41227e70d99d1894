// One message to many sockets, and messages as streams.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket as WsClient } from "ws";
import { counters } from "../../src/http/counters.ts";
import { broadcast, upgradeWebSocketStream, type WebSocketError } from "../../src/websocket/mod.ts";
import { closeFrame, frame, rawSocket } from "./support/raw.ts";
import {
  clients,
  ending,
  eventually,
  messages,
  opening,
  sockets,
  start,
  turns,
  withSettings,
} from "./support/server.ts";

test("broadcast: everybody gets it, compressed or not, and their windows stay right", async () => {
  const room = new Set<WebSocket>();
  using server = sockets((socket) => {
    socket.onopen = () => room.add(socket);
    socket.onclose = () => room.delete(socket);
  });
  const ways = [false, true, { serverMaxWindowBits: 9 }, { serverNoContextTakeover: true }];
  const all = ways.flatMap((perMessageDeflate) =>
    [1, 2].map(() => new WsClient(server.url.replace("http", "ws"), { perMessageDeflate }) as unknown as WebSocket),
  );
  const nexts = all.map(messages);
  await Promise.all(all.map(opening));
  await eventually(() => room.size === 8, "all are there");
  const said = (round: number): string => `${round} `.repeat(1000) + "the same for all".repeat(100);
  for (let round = 0; round < 5; round++) {
    assert.is(broadcast(room, said(round)), 8);
    for (const next of nexts) assert.is(await next(), said(round));
    for (const socket of room) socket.send(`${said(round)}!`);
    for (const next of nexts) assert.is(await next(), `${said(round)}!`);
    assert.is(broadcast(room, new Uint8Array(3).fill(round)), 8);
    for (const next of nexts)
      assert.equal(new Uint8Array((await next()) as ArrayBuffer), new Uint8Array(3).fill(round));
  }
  const [first] = room;
  const closed = ending(first);
  first.close();
  assert.is(broadcast([first], "nobody"), 0);
  await closed;
  assert.throws(() => broadcast([{} as WebSocket], "x"), /takes sockets of upgradeWebSocket/);
  for (const client of all) client.close();
  await Promise.all(all.map((client) => client.readyState !== 3 && ending(client)));
});

test("a stream: there and back, and the closing handshake", async () => {
  let closed: unknown;
  using server = start((request) => {
    const { socket, response } = upgradeWebSocketStream(request, { protocol: "chat" });
    void socket.opened.then(({ readable, writable, protocol }) => {
      assert.is(protocol, "chat");
      return readable.pipeTo(writable, { preventClose: true });
    });
    void socket.closed.then((info) => {
      closed = info;
    });
    return response;
  });
  const client = new clients.undici(server.url.replace("http", "ws"), ["chat"]);
  const next = messages(client);
  await opening(client);
  client.send("text");
  assert.is(await next(), "text");
  client.send(new Uint8Array([1, 2, 3]));
  assert.equal(new Uint8Array((await next()) as ArrayBuffer), new Uint8Array([1, 2, 3]));
  const end = ending(client);
  client.close(3000, "done");
  await end;
  await eventually(() => closed !== undefined, "the stream has ended");
  assert.equal(closed, { closeCode: 3000, code: 3000, reason: "done" });
});

test("a stream: who does not read makes the client wait, and gets it all", async () => {
  const got: unknown[] = [];
  let go = (): void => {};
  const started = new Promise<void>((resolve) => {
    go = resolve;
  });
  using server = start((request) => {
    const { socket, response } = upgradeWebSocketStream(request);
    void socket.opened.then(async ({ readable }) => {
      await started;
      for await (const message of readable) got.push((message as Uint8Array).length);
    });
    return response;
  });
  using raw = await rawSocket(server.port);
  const one = frame(2, new Uint8Array(64 * 1024));
  const before = counters.bytesIn;
  const sent = 1000;
  for (let i = 0; i < sent; i++) raw.write(one);
  await eventually(() => counters.bytesIn - before > 16 * one.length, "some have come");
  await turns(50);
  assert.ok(counters.bytesIn - before < 100 * one.length, `${counters.bytesIn - before} bytes were taken`);
  go();
  await eventually(() => got.length === sent, "all have come");
  raw.write(closeFrame(1000));
  assert.is(await raw.closeCode(), 1000);
});

test("a stream: a client that leaves without a word breaks it, a reader that leaves closes it", async () => {
  const ends: unknown[] = [];
  using server = start((request) => {
    const { socket, response } = upgradeWebSocketStream(request);
    void socket.opened.then(({ readable }) => {
      if (request.url.endsWith("/cancel")) return readable.cancel();
      readable
        .getReader()
        .read()
        .catch((error: WebSocketError) => ends.push(["read", error.name, error.closeCode]));
    });
    socket.closed.then(
      ({ code }) => ends.push(["closed", code]),
      (error: WebSocketError) => ends.push(["broken", error.name, error.closeCode]),
    );
    return response;
  });
  using raw = await rawSocket(server.port);
  raw.client.reset();
  await eventually(() => ends.length === 2, "it is broken");
  assert.equal(ends.splice(0).sort(), [
    ["broken", "WebSocketError", 1006],
    ["read", "WebSocketError", 1006],
  ]);
  const client = new clients.ws(`${server.url.replace("http", "ws")}/cancel`);
  assert.is((await ending(client)).code, 1005);
  await eventually(() => ends.length === 1, "it is closed");
  assert.equal(ends, [["closed", 1005]]);
});

test("a stream: a write waits for a client that does not read", async () => {
  using _ = withSettings({ maxBuffered: 64 << 20 });
  let state = "";
  using server = start((request) => {
    const { socket, response } = upgradeWebSocketStream(request);
    void socket.opened.then(async ({ writable }) => {
      const writer = writable.getWriter();
      const written = writer.write(new Uint8Array(12 << 20));
      state = "waits";
      await written;
      state = "went";
      await writer.close();
      state = "closed";
    });
    return response;
  });
  using raw = await rawSocket(server.port);
  raw.client.socket.pause();
  await eventually(() => state === "waits", "it writes");
  raw.client.socket.resume();
  await eventually(() => state === "went", "it went");
  await raw.next(2);
  raw.write(closeFrame());
  await eventually(() => state === "closed", "it is closed");
});

test.run();
