/** Conn.readable and Conn.writable: byte streams with back-pressure, and how their ends end the connection. */
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BadResource, ConnectionReset, TimedOut } from "../../src/runtime/errors.ts";
import { bytes, pair, readAll, rejects, text, turns } from "./pair.ts";

const test = suite("Conn streams");

test("readable gives what comes and ends at FIN; the connection can still write", async () => {
  using ends = await pair();
  ends.peer.write("one");
  const reader = ends.conn.readable.getReader();
  assert.is(text((await reader.read()).value as Uint8Array), "one");
  ends.peer.end("two");
  assert.is(text((await reader.read()).value as Uint8Array), "two");
  assert.ok((await reader.read()).done);
  await ends.conn.write(bytes("answer"));
  await ends.conn.closeWrite();
  assert.is((await readAll(ends.peer)).toString(), "answer");
});

test("readable continues where read left off", async () => {
  using ends = await pair();
  ends.peer.end("abcdef");
  assert.is(await ends.conn.read(new Uint8Array(2)), 2);
  let all = "";
  for await (const chunk of ends.conn.readable) all += text(chunk);
  assert.is(all, "cdef");
});

test("readable fills a caller's buffer (BYOB), and gives it back at the end", async () => {
  using ends = await pair();
  ends.peer.write("abcdef");
  const reader = ends.conn.readable.getReader({ mode: "byob" });
  const first = await reader.read(new Uint8Array(4));
  assert.is(text(first.value as Uint8Array), "abcd");
  const second = await reader.read(new Uint8Array(4));
  assert.is(text(second.value as Uint8Array), "ef");
  ends.peer.end();
  const last = await reader.read(new Uint8Array(4));
  assert.ok(last.done);
  assert.is(last.value?.byteLength, 0);
});

test("readable reads nothing ahead: the peer has to wait", async () => {
  using ends = await pair();
  let flushed = false;
  ends.peer.write(Buffer.alloc(16 * 1024 * 1024), () => (flushed = true));
  const reader = ends.conn.readable.getReader();
  await reader.read();
  await turns(50);
  assert.not(flushed);
  for (let size = 0; !flushed || size === 0; ) size += (await reader.read()).value?.length ?? 0;
});

test("writable waits for the peer", async () => {
  using ends = await pair();
  const writer = ends.conn.writable.getWriter();
  let written = 0;
  const all = (async () => {
    for (let i = 0; i < 64; i++) {
      await writer.ready;
      await writer.write(new Uint8Array(256 * 1024));
      written++;
    }
    await writer.close();
  })();
  await turns(50);
  assert.ok(written < 64, "16 MB went to somebody who reads nothing");
  assert.is((await readAll(ends.peer)).length, 64 * 256 * 1024);
  await all;
});

test("echo by pipeTo: byte for byte, and closed when both are done", async () => {
  using ends = await pair();
  const data = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 255));
  ends.peer.end(data);
  const got = readAll(ends.peer);
  await ends.conn.readable.pipeTo(ends.conn.writable);
  assert.ok((await got).equals(data));
  await rejects(ends.conn.read(new Uint8Array(1)), BadResource);
});

test("closing writable is closeWrite", async () => {
  using ends = await pair();
  const writer = ends.conn.writable.getWriter();
  void writer.write(bytes("over"));
  await writer.close();
  assert.is((await readAll(ends.peer)).toString(), "over");
  ends.peer.write("still");
  assert.is(await ends.conn.read(new Uint8Array(10)), 5);
});

test("aborting writable closes the connection", async () => {
  using ends = await pair();
  await ends.conn.writable.abort(new Error("no more"));
  await rejects(ends.conn.write(bytes("x")), BadResource);
  ends.peer.resume();
  await once(ends.peer, "end");
});

test("cancelling readable ends a read that waits, and closes the connection", async () => {
  using ends = await pair();
  const reader = ends.conn.readable.getReader();
  const waiting = reader.read();
  await reader.cancel();
  assert.ok((await waiting).done);
  await rejects(ends.conn.write(bytes("x")), BadResource);
  ends.peer.resume();
  await once(ends.peer, "end");
});

test("a reset errors both", async () => {
  using ends = await pair();
  const reader = ends.conn.readable.getReader();
  const writer = ends.conn.writable.getWriter();
  const waiting = reader.read();
  ends.peer.resetAndDestroy();
  await rejects(waiting, ConnectionReset);
  await rejects(writer.write(bytes("x")), Error);
  await writer.closed.catch(() => {});
});

test("a deadline errors the stream", async () => {
  using ends = await pair();
  ends.conn.setReadDeadline(Date.now() + 20);
  await rejects(ends.conn.readable.getReader().read(), TimedOut);
});

test("the streams are always the same two", async () => {
  using ends = await pair();
  assert.is(ends.conn.readable, ends.conn.readable);
  assert.is(ends.conn.writable, ends.conn.writable);
});

test.run();
