// permessage-deflate (RFC 7692): what is agreed to, what is kept between messages, and what it must not become.
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket as WsClient } from "ws";
import { Compression } from "../../src/websocket/compression.ts";
import { webSocketCounters } from "../../src/websocket/counters.ts";
import { agree, parseOffers } from "../../src/websocket/extensions.ts";
import { closeFrame, frame, type RawSocket, rawSocket } from "./support/raw.ts";
import { echo, ending, eventually, messages, opening, sockets, withSettings } from "./support/server.ts";

const OFFER = "Sec-WebSocket-Extensions: permessage-deflate";
const agreed = (offers: string, memory = true): string | undefined =>
  agree(parseOffers(offers) ?? [], () => memory)?.text;

test("what is agreed to, offer by offer", () => {
  const is = (offer: string, answer: string | undefined): void => assert.is(agreed(offer), answer, offer);
  is("permessage-deflate", "permessage-deflate; server_max_window_bits=12");
  is(
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
  );
  is(
    "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
  );
  is(
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits="15"',
    "permessage-deflate; server_max_window_bits=12; server_no_context_takeover; client_no_context_takeover",
  );
  // zlib makes none with 8 bits; the client's next offer may be one that we can keep to.
  is("permessage-deflate; server_max_window_bits=8", undefined);
  is(
    "permessage-deflate; server_max_window_bits=8, permessage-deflate",
    "permessage-deflate; server_max_window_bits=12",
  );
  for (const bad of [
    "x-webkit-deflate-frame",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=08",
    "permessage-deflate; client_max_window_bits=7",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; client_no_context_takeover=x",
    "permessage-deflate; unknown",
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
  ]) {
    is(bad, undefined);
  }
  assert.is(
    agreed("permessage-deflate", false),
    "permessage-deflate; server_max_window_bits=12; server_no_context_takeover; client_no_context_takeover",
  );
});

/** Compresses as a client would. */
class Deflater {
  #window = Buffer.alloc(0);
  frame(text: string, keeps = true): Buffer {
    const bytes = Buffer.from(text);
    const dictionary = keeps && this.#window.length > 0 ? { dictionary: this.#window } : {};
    const options = { windowBits: 12, finishFlush: constants.Z_SYNC_FLUSH, ...dictionary };
    const deflated = deflateRawSync(bytes, options).subarray(0, -4);
    this.#window = Buffer.concat([this.#window, bytes]).subarray(-4096);
    return frame(1, deflated, { rsv: 4 });
  }
}

const BITS = `${OFFER}; client_max_window_bits=12`;
const sample = (i: number): string =>
  JSON.stringify({ id: i, items: Array.from({ length: 40 }, (_, n) => ({ name: `item ${n}`, price: n * i })) });

async function inflated(raw: RawSocket, count: number): Promise<string[]> {
  let window = Buffer.alloc(0);
  const texts: string[] = [];
  for (const { rsv, payload } of (await raw.next(count)).slice(0, count)) {
    let bytes = payload;
    if (rsv === 4) {
      const whole = Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]);
      const dictionary = window.length > 0 ? { dictionary: window } : {};
      bytes = inflateRawSync(whole, { windowBits: 12, finishFlush: constants.Z_SYNC_FLUSH, ...dictionary });
      window = Buffer.concat([window, bytes]).subarray(-4096);
    }
    texts.push(bytes.toString());
  }
  return texts;
}

test("windows live on behind a message, in both directions, and make the next like it small", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port, BITS);
  const deflater = new Deflater();
  const texts = [sample(1), sample(1), "short", sample(3), "x".repeat(100_000), sample(1)];
  for (const text of texts) raw.write(deflater.frame(text));
  assert.equal(await inflated(raw, texts.length), texts);
  const [first, second, short] = raw.frames;
  assert.ok(second.payload.length < first.payload.length / 4, `${second.payload.length} of ${first.payload.length}`);
  assert.is(short.rsv, 0);
});

test("ws, with and without windows of its own", async () => {
  for (const perMessageDeflate of [
    true,
    { threshold: 0 },
    { threshold: 0, serverNoContextTakeover: true },
    { threshold: 0, clientNoContextTakeover: true, serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
  ]) {
    using server = sockets(echo);
    const client = new WsClient(server.url.replace("http", "ws"), { perMessageDeflate }) as unknown as WebSocket;
    const next = messages(client);
    await opening(client);
    assert.match(client.extensions, /permessage-deflate/);
    for (let i = 0; i < 50; i++) {
      const text = i % 7 === 6 ? "" : sample(i).repeat((i % 5) + 1);
      client.send(text);
      assert.is(await next(), text);
    }
    client.close();
    await ending(client);
  }
});

test("fragments of a compressed message, and a control frame between them", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port, OFFER);
  const payload = deflateRawSync(Buffer.from(sample(5)), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  raw.write(
    frame(1, payload.subarray(0, 7), { fin: false, rsv: 4 }),
    frame(9, "ping"),
    frame(0, payload.subarray(7, 9), { fin: false }),
    frame(0, payload.subarray(9)),
    frame(1, "not compressed"),
  );
  await raw.next(3);
  assert.is(raw.frames[0].opcode, 10);
  assert.is(raw.frames[2].payload.toString(), "not compressed");
});

test("blocks of every kind that RFC 7692, 7.2.3 shows", async () => {
  using server = sockets(echo);
  for (const bytes of [
    [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
    [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
    [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
  ]) {
    using raw = await rawSocket(server.port, OFFER);
    raw.write(frame(1, Buffer.from(bytes), { rsv: 4 }));
    assert.is((await raw.next(1))[0].payload.toString(), "Hello");
  }
});

test("what becomes too large is not decompressed to its end, and what is no deflate is refused", async () => {
  using _ = withSettings({ maxMessage: 1 << 20 });
  using server = sockets(echo);
  const bomb = deflateRawSync(Buffer.alloc(64 << 20), { finishFlush: constants.Z_SYNC_FLUSH });
  const cases: [Buffer, number][] = [
    [bomb, 1009],
    [Buffer.from([0xff, 0xff, 0xff]), 1007],
    [Buffer.from([0x06, 0x01, 0x02]), 1007],
    [deflateRawSync(Buffer.from([0xc0, 0xaf]), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4), 1007],
  ];
  for (const [payload, code] of cases) {
    using raw = await rawSocket(server.port, OFFER);
    raw.write(frame(1, payload, { rsv: 4 }));
    assert.is(await raw.closeCode(), code);
  }
});

test("reserved bits that are still reserved", async () => {
  using server = sockets(echo);
  for (const wrong of [
    frame(9, "", { rsv: 4 }),
    frame(1, "x", { rsv: 2 }),
    Buffer.concat([frame(1, "x", { fin: false }), frame(0, "y", { rsv: 4 })]),
  ]) {
    using raw = await rawSocket(server.port, OFFER);
    raw.write(wrong);
    assert.is(await raw.closeCode(), 1002);
  }
});

test("windows have a bound: who comes when nothing is left does without, and is served all the same", async () => {
  using _ = withSettings({ memory: webSocketCounters.memory + 8192 });
  using server = sockets(echo);
  using first = await rawSocket(server.port, BITS);
  using second = await rawSocket(server.port, BITS);
  assert.ok(!first.head.includes("no_context_takeover"));
  assert.ok(second.head.includes("server_no_context_takeover; client_no_context_takeover"));
  const deflater = new Deflater();
  for (const i of [1, 2]) second.write(deflater.frame(sample(i), false));
  await second.next(2);
  const { length } = second.frames[0].payload;
  assert.ok(second.frames[1].payload.length > length * 0.8, "each by itself");
  first.write(closeFrame(1000));
  await first.closeCode();
  await eventually(() => webSocketCounters.memory < 8192, "the first window is free");
  using third = await rawSocket(server.port, BITS);
  assert.ok(!third.head.includes("no_context_takeover"));
});

test("--ws-compression off agrees to nothing", async () => {
  using _ = withSettings({ compression: false });
  using server = sockets(echo);
  using raw = await rawSocket(server.port, OFFER);
  assert.ok(!/extensions/i.test(raw.head));
  raw.write(frame(1, "x", { rsv: 4 }));
  assert.is(await raw.closeCode(), 1002);
});

test("two windows that answer each other, whatever the messages", () => {
  const make = (): Compression =>
    new Compression({ serverBits: 9, clientBits: 9, serverKeeps: true, clientKeeps: true, text: "" });
  const [ours, theirs] = [make(), make()];
  let seed = 1;
  const random = (n: number): number => (seed = (seed * 48_271) % 0x7fffffff) % n;
  for (let i = 0; i < 400; i++) {
    const bytes = Uint8Array.from({ length: random(1500) }, () => 97 + random(random(2) + 2));
    const back = theirs.inflate(ours.deflate(bytes), 10_000);
    assert.ok(typeof back !== "string" && Buffer.compare(back, bytes) === 0, `message ${i}`);
  }
  ours.release();
  theirs.release();
});

test.run();
