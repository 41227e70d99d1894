// WebSockets of HTTP/2 clients (RFC 8441) through a proxy to a server of ours: as either of the two ends, and with more
// than fits on the way. The client's HTTP/2 is nghttp2's (node:http2).
import { createHash } from "node:crypto";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { proxyCounters } from "../../src/proxy/counters.ts";
import { until } from "../client/support.ts";
import { closeFrame, frame, parseFrames, type Seen } from "../websocket/support/raw.ts";
import { type End, echo, ending, sockets } from "../websocket/support/server.ts";
import { proxied, type TestProxy } from "./support.ts";

const [BINARY, TEXT, CLOSE] = [2, 1, 8];

/** A WebSocket on a stream of HTTP/2. */
class Ws {
  readonly stream: ClientHttp2Stream;
  readonly status: Promise<number>;
  readonly over: Promise<number>;
  readonly #chunks: Buffer[] = [];
  received = 0;

  constructor(session: ClientHttp2Session) {
    this.stream = session.request({
      ...{ ":method": "CONNECT", ":protocol": "websocket", ":path": "/", ":scheme": "http", ":authority": "x" },
      "sec-websocket-version": "13",
    });
    this.stream.on("error", () => {});
    this.status = new Promise((resolve) => this.stream.once("response", (head) => resolve(Number(head[":status"]))));
    this.over = new Promise((resolve) => this.stream.once("close", () => resolve(this.stream.rstCode)));
    this.stream.on("data", (data: Buffer) => {
      this.#chunks.push(data);
      this.received += data.length;
    });
  }
  async frames(count: number): Promise<Seen[]> {
    const frames = () => parseFrames(Buffer.concat(this.#chunks));
    await until(() => frames().length >= count);
    return frames();
  }
}

async function session({ url }: TestProxy): Promise<ClientHttp2Session> {
  const client = connectHttp2(url);
  client.on("error", () => {});
  await new Promise((resolve) => client.once("remoteSettings", resolve));
  return client;
}

test("the upstream drains: its clients hear 1001, and nobody is cut", async () => {
  using upstream = sockets(echo);
  using edge = proxied(`http://127.0.0.1:${upstream.port}`, {}, { h2c: true });
  const client = await session(edge);
  const all = Array.from({ length: 5 }, () => new Ws(client));
  for (const ws of all) {
    assert.is(await ws.status, 200);
    ws.stream.write(frame(TEXT, "hello"));
    assert.is(`${(await ws.frames(1))[0].payload}`, "hello");
  }
  const drained = upstream.server.drain();
  for (const ws of all) {
    const [, close] = await ws.frames(2);
    assert.equal([close.opcode, close.payload.readUInt16BE(0)], [CLOSE, 1001]);
    ws.stream.write(closeFrame(1001));
    assert.is(await ws.over, constants.NGHTTP2_NO_ERROR);
  }
  assert.equal(await drained, { cut: 0 });
  await until(() => proxyCounters.tunnels === 0);
  assert.is(client.destroyed, false);
  client.destroy();
});

test("the proxy drains: its sockets go on, GOAWAY has been said, and it ends with the last of them", async () => {
  using upstream = sockets(echo);
  using edge = proxied(`http://127.0.0.1:${upstream.port}`, {}, { h2c: true });
  const client = await session(edge);
  const ws = new Ws(client);
  assert.is(await ws.status, 200);
  let away = -1;
  client.on("goaway", (_code, last) => {
    away = last ?? -1;
  });
  const drained = edge.server.drain();
  await until(() => away === ws.stream.id);
  ws.stream.write(frame(TEXT, "still here"));
  assert.is(`${(await ws.frames(1))[0].payload}`, "still here");
  ws.stream.write(closeFrame(1000));
  assert.is((await ws.frames(2))[1].opcode, CLOSE);
  assert.is(await ws.over, constants.NGHTTP2_NO_ERROR);
  assert.equal(await drained, { cut: 0 });
  await until(() => proxyCounters.tunnels === 0);
});

test("past drainTimeout the proxy cuts, and the upstream's socket ends", async () => {
  let end: Promise<End> | undefined;
  using upstream = sockets((socket) => {
    end = ending(socket);
  });
  using edge = proxied(`http://127.0.0.1:${upstream.port}`, {}, { h2c: true, drainTimeout: 100 });
  const client = await session(edge);
  const ws = new Ws(client);
  assert.is(await ws.status, 200);
  assert.equal(await edge.server.drain(), { cut: 1 });
  await ws.over;
  await until(() => end !== undefined);
  assert.is((await end)?.code, 1006);
  client.destroy();
});

test("large messages both ways, to a client that stops reading for a while; its sibling goes on", async () => {
  using upstream = sockets(echo);
  using edge = proxied(`http://127.0.0.1:${upstream.port}`, {}, { h2c: true });
  const client = await session(edge);
  const [slow, quick] = [new Ws(client), new Ws(client)];
  assert.equal(await Promise.all([slow.status, quick.status]), [200, 200]);
  const large = Buffer.alloc(2 << 20, "0123456789abcdef!");
  slow.stream.pause();
  slow.stream.write(frame(BINARY, large));
  for (let i = 1; i <= 20; i++) {
    quick.stream.write(frame(TEXT, `${i}`));
    await quick.frames(i);
  }
  assert.ok(slow.received < large.length);
  slow.stream.resume();
  await until(() => slow.received > large.length);
  const [got] = await slow.frames(1);
  const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  assert.is(sum(got.payload), sum(large));
  client.destroy();
  await until(() => proxyCounters.tunnels === 0);
});

test("a client that ends its stream, or resets it, without a close frame ends the upstream's socket", async () => {
  const ends: Promise<End>[] = [];
  using upstream = sockets((socket) => void ends.push(ending(socket)));
  using edge = proxied(`http://127.0.0.1:${upstream.port}`, {}, { h2c: true });
  const client = await session(edge);
  for (const how of ["end", "reset", "half a frame"]) {
    const ws = new Ws(client);
    assert.is(await ws.status, 200);
    await until(() => ends.length === 1);
    if (how === "end") ws.stream.end();
    else if (how === "reset") ws.stream.close(constants.NGHTTP2_CANCEL);
    else ws.stream.end(frame(TEXT, "half").subarray(0, 7));
    assert.is((await ends.pop())?.code, 1006, how);
    await ws.over;
  }
  await until(() => proxyCounters.tunnels === 0);
  client.destroy();
});

test.run();
