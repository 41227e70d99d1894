// A request's body on its way to the handler, by itself: read whole or piece by piece, however it was cut.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { IncomingBody } from "../../src/http/incoming-body.ts";
import { randomFrom, seed } from "../ffi/faulty-system.ts";

const HIGH_WATER = 64 * 1024;
const random = randomFrom(seed("incoming body"));

function owner() {
  const told = { paused: false, pauses: 0 };
  return {
    told,
    pauseBody() {
      told.paused = true;
      told.pauses++;
    },
    resumeBody() {
      told.paused = false;
    },
    bodyWanted() {},
  };
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);

test("read whole: all bytes, in memory of just their number, wherever the cuts were and whenever it was asked for", async () => {
  for (const length of [1, 10, 16_384, 16_385, 100_000, 1_500_000]) {
    const bytes = pattern(length);
    for (const before of [0, 1, Math.floor(length / 3), length]) {
      const body = new IncomingBody(owner(), length, HIGH_WATER);
      if (before > 0) body.feed(bytes, 0, before);
      const reading = body.readAll();
      for (let at = before; at < length; ) {
        const end = Math.min(length, at + 1 + Math.floor(random() * 70_000));
        assert.is(body.feed(bytes, at, end), end);
        at = end;
      }
      const read = await reading;
      assert.ok(Buffer.from(read.buffer).equals(Buffer.from(bytes.buffer)), `${length} bytes, ${before} before`);
      assert.is(body.complete, true);
    }
  }
});

test("what stands behind the body is not taken", async () => {
  const bytes = pattern(200_000);
  const body = new IncomingBody(owner(), 100_000, HIGH_WATER);
  const reading = body.readAll();
  assert.is(body.feed(bytes, 0, 60_000), 60_000);
  assert.is(body.feed(bytes, 60_000, 200_000), 100_000);
  assert.ok(Buffer.from((await reading).buffer).equals(Buffer.from(bytes.subarray(0, 100_000))));
});

test("a length alone takes no memory", () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 100; i++) {
    const body = new IncomingBody(owner(), 2 ** 30, HIGH_WATER);
    body.feed(pattern(100), 0, 100);
    body.readAll().catch(() => {});
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 100 * 64 * 1024);
});

test("a body that ends too soon while it is read whole is an error, and what had come is let go", async () => {
  const body = new IncomingBody(owner(), 1000, HIGH_WATER);
  const reading = body.readAll();
  body.feed(pattern(500), 0, 500);
  const reason = new Error("gone");
  body.fail(reason);
  assert.is(await reading.catch((error: unknown) => error), reason);
});

test("read piece by piece: all bytes, small pieces together, and it is seen that the handler reads on", async () => {
  const bytes = pattern(2_000_000);
  for (const most of [10, 3000, 66_000, 200_000]) {
    const source = owner();
    const length = Math.min(bytes.length, most * 3000);
    const body = new IncomingBody(source, length, HIGH_WATER);
    const reader = body.stream().getReader();
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < length || chunks.reduce((sum, chunk) => sum + chunk.length, 0) < length; ) {
      while (at < length && !source.told.paused) {
        const end = Math.min(length, at + 1 + Math.floor(random() * most));
        body.feed(bytes, at, end);
        at = end;
      }
      const { told } = source;
      const before = told.pauses;
      const { value } = await reader.read();
      chunks.push(value as Uint8Array);
      // Still paused, it has said so anew.
      if (told.paused && at < length) assert.ok(told.pauses > before);
    }
    assert.is((await reader.read()).done, true);
    assert.ok(Buffer.concat(chunks).equals(Buffer.from(bytes.buffer, 0, length)));
    if (most < 1000) assert.ok(chunks.length < length / 1000, `${chunks.length} chunks of ${length} bytes`);
  }
});

test("a reader that brings its own memory", async () => {
  const bytes = pattern(150_000);
  const body = new IncomingBody(owner(), bytes.length, HIGH_WATER);
  body.feed(bytes, 0, 150_000);
  const reader = body.stream().getReader({ mode: "byob" });
  const chunks: Uint8Array[] = [];
  for (let view = new Uint8Array(40_000); ; ) {
    const { done, value } = await reader.read(view);
    if (done) break;
    chunks.push(value.slice());
    view = new Uint8Array(value.buffer);
  }
  assert.ok(Buffer.concat(chunks).equals(Buffer.from(bytes.buffer)));
});

test.run();
