/** What read, write and close mean, in every order: each question that concurrency raises has one answer. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BadResource, BrokenPipe, ConnectionReset, Interrupted } from "../../src/runtime/errors.ts";
import { errno } from "../ffi/kernel.ts";
import { bytes, descriptors, pair, readAll, readExactly, rejects, text, turns, until } from "./pair.ts";

const reading = suite("Conn.read");

reading("fills the caller's buffer and returns the count", async () => {
  using ends = await pair();
  ends.peer.write("hello");
  const buffer = new Uint8Array(10);
  assert.is(await ends.conn.read(buffer), 5);
  assert.is(text(buffer.subarray(0, 5)), "hello");
});

reading("keeps what does not fit, and gives it first", async () => {
  using ends = await pair();
  ends.peer.write("abcdefg");
  const buffer = new Uint8Array(3);
  const got: string[] = [];
  for (let i = 0; i < 3; i++) {
    const n = await ends.conn.read(buffer);
    got.push(text(buffer.subarray(0, n ?? 0)));
  }
  assert.equal(got, ["abc", "def", "g"]);
});

reading("serves concurrent reads in the order of the calls", async () => {
  using ends = await pair();
  const buffers = [new Uint8Array(2), new Uint8Array(2), new Uint8Array(2)];
  const reads = buffers.map((buffer) => ends.conn.read(buffer));
  ends.peer.write("aabbc");
  assert.equal(await Promise.all(reads), [2, 2, 1]);
  assert.equal(buffers.map(text), ["aa", "bb", "c\0"]);
});

reading("into no bytes gives 0 at once, even at the end", async () => {
  using ends = await pair();
  assert.is(await ends.conn.read(new Uint8Array(0)), 0);
  ends.peer.end();
  assert.is(await ends.conn.read(new Uint8Array(1)), null);
  assert.is(await ends.conn.read(new Uint8Array(0)), 0);
});

reading("gives null at the end, and again, after everything that came before", async () => {
  using ends = await pair();
  ends.peer.end("last");
  const buffer = new Uint8Array(2);
  assert.is(await ends.conn.read(buffer), 2);
  await turns();
  assert.is(await ends.conn.read(buffer), 2);
  assert.is(await ends.conn.read(buffer), null);
  assert.is(await ends.conn.read(buffer), null);
});

reading("all that wait get null at the end", async () => {
  using ends = await pair();
  const reads = [ends.conn.read(new Uint8Array(1)), ends.conn.read(new Uint8Array(1))];
  ends.peer.end();
  assert.equal(await Promise.all(reads), [null, null]);
});

reading("after close fails with BadResource; while waiting, with Interrupted", async () => {
  using ends = await pair();
  const waiting = ends.conn.read(new Uint8Array(1));
  const also = ends.conn.read(new Uint8Array(1));
  ends.conn.close();
  const error = await rejects(waiting, Interrupted, /operation canceled/);
  assert.is((error as { code?: string }).code, "EINTR");
  await rejects(also, Interrupted);
  await rejects(ends.conn.read(new Uint8Array(1)), BadResource);
  await rejects(ends.conn.read(new Uint8Array(0)), BadResource);
});

reading("of something that is no Uint8Array is a TypeError", async () => {
  using ends = await pair();
  await rejects(ends.conn.read("x" as never), TypeError, /Uint8Array/);
  await rejects(ends.conn.write([1] as never), TypeError, /Uint8Array/);
});

reading("after a reset gives what came before, then ConnectionReset with the peer's address", async () => {
  using ends = await pair();
  ends.peer.write("before");
  assert.is(await ends.conn.read(new Uint8Array(2)), 2);
  ends.peer.resetAndDestroy();
  const buffer = new Uint8Array(10);
  assert.is(await ends.conn.read(buffer), 4);
  assert.is(text(buffer.subarray(0, 4)), "fore");
  await rejects(
    ends.conn.read(buffer),
    ConnectionReset,
    new RegExp(`os error ${errno("ECONNRESET")}.*127\\.0\\.0\\.1`),
  );
  await rejects(ends.conn.read(buffer), ConnectionReset);
});

reading("survives a caller that detaches its buffer meanwhile", async () => {
  using ends = await pair();
  const buffer = new Uint8Array(8);
  const lost = ends.conn.read(buffer);
  structuredClone(buffer, { transfer: [buffer.buffer] });
  const next = new Uint8Array(8);
  const found = ends.conn.read(next);
  ends.peer.write("data");
  assert.is(await lost, 0);
  assert.is(await found, 4);
});

reading("receives nothing while nobody reads: the peer has to wait", async () => {
  using ends = await pair();
  const size = 16 * 1024 * 1024;
  let flushed = false;
  ends.peer.write(Buffer.alloc(size, 7), () => {
    flushed = true;
  });
  assert.is(await ends.conn.read(new Uint8Array(1)), 1);
  await turns(50);
  assert.not(flushed, "16 MB went to somebody who reads nothing");
  const rest = await readExactly(ends.conn, size - 1);
  assert.is(rest.length, size - 1);
  assert.ok(rest.every((byte) => byte === 7));
});

reading.run();

const writing = suite("Conn.write");

writing("writes everything, however large, and byte for byte", async () => {
  using ends = await pair();
  const data = new Uint8Array(5_000_011);
  for (let i = 0; i < data.length; i++) data[i] = (i * 2654435761) >>> 13;
  const hash = createHash("sha256").update(data).digest("hex");
  const writes = (async () => {
    const n = await ends.conn.write(data.subarray(0, 4_000_001));
    const m = await ends.conn.write(data.subarray(4_000_001));
    await ends.conn.closeWrite();
    return [n, m];
  })();
  const got = await readAll(ends.peer);
  assert.equal(await writes, [4_000_001, 1_000_010]);
  assert.is(createHash("sha256").update(got).digest("hex"), hash);
});

writing("concurrent writes go out in order, none inside another", async () => {
  using ends = await pair();
  const sizes = [3_000_000, 1, 500_000, 70_000, 2_000_000];
  const writes = sizes.map((size, i) => ends.conn.write(new Uint8Array(size).fill(i + 1)));
  const closed = ends.conn.closeWrite();
  const got = await readAll(ends.peer);
  assert.equal(await Promise.all(writes), sizes);
  await closed;
  let at = 0;
  for (const [i, size] of sizes.entries()) {
    assert.ok(
      got.subarray(at, at + size).every((byte) => byte === i + 1),
      `write ${i} is whole`,
    );
    at += size;
  }
  assert.is(got.length, at);
});

writing("waits for a peer that does not read", async () => {
  using ends = await pair();
  let done = false;
  const write = ends.conn.write(new Uint8Array(16 * 1024 * 1024)).then((n) => {
    done = true;
    return n;
  });
  await turns(50);
  assert.not(done);
  ends.peer.resume();
  assert.is(await write, 16 * 1024 * 1024);
});

writing("of no bytes gives 0", async () => {
  using ends = await pair();
  assert.is(await ends.conn.write(new Uint8Array(0)), 0);
});

writing("after close fails with BadResource; while waiting, with Interrupted", async () => {
  using ends = await pair();
  const waiting = ends.conn.write(new Uint8Array(16 * 1024 * 1024));
  const behind = ends.conn.write(new Uint8Array(1));
  const fin = ends.conn.closeWrite();
  ends.conn.close();
  await rejects(waiting, Interrupted);
  await rejects(behind, Interrupted);
  await rejects(fin, Interrupted);
  await rejects(ends.conn.write(new Uint8Array(1)), BadResource);
  await rejects(ends.conn.closeWrite(), BadResource);
});

writing("after closeWrite fails with BrokenPipe, though the FIN still waits", async () => {
  using ends = await pair();
  const waiting = ends.conn.write(new Uint8Array(16 * 1024 * 1024));
  const fin = ends.conn.closeWrite();
  await rejects(ends.conn.write(new Uint8Array(1)), BrokenPipe, /closeWrite/);
  ends.peer.resume();
  assert.is(await waiting, 16 * 1024 * 1024);
  await fin;
  await ends.conn.closeWrite();
  await once(ends.peer, "end");
});

writing("after a reset by the peer fails with ConnectionReset or BrokenPipe, and so do those that wait", async () => {
  using ends = await pair();
  const waiting = ends.conn.write(new Uint8Array(16 * 1024 * 1024));
  const behind = ends.conn.write(new Uint8Array(1));
  await turns();
  ends.peer.resetAndDestroy();
  const error = await rejects(waiting, Error);
  assert.ok(error instanceof ConnectionReset || error instanceof BrokenPipe, String(error));
  await rejects(behind, error.constructor as typeof Error);
  await rejects(ends.conn.write(new Uint8Array(1)), error.constructor as typeof Error);
});

writing("a reset that sending finds out is no clean end for the reader", async () => {
  using ends = await pair();
  ends.peer.write("x");
  assert.is(await ends.conn.read(new Uint8Array(1)), 1);
  ends.peer.resetAndDestroy();
  await turns(10);
  let error: unknown;
  for (let i = 0; i < 10 && error === undefined; i++) {
    await ends.conn.write(new Uint8Array(1)).catch((e) => (error = e));
    await turns();
  }
  assert.ok(error instanceof ConnectionReset || error instanceof BrokenPipe, String(error));
  await rejects(ends.conn.read(new Uint8Array(1)), ConnectionReset);
});

writing.run();

const closing = suite("Conn.close and closeWrite");

closing("half-close: the peer sees the end, and we read on", async () => {
  using ends = await pair();
  await ends.conn.write(bytes("question"));
  await ends.conn.closeWrite();
  await ends.conn.closeWrite();
  assert.is((await readAll(ends.peer)).toString(), "question");
  ends.peer.end("answer");
  assert.is(text(await readExactly(ends.conn, 100)), "answer");
});

closing("half-close by the peer: we write on", async () => {
  using ends = await pair();
  ends.peer.end("question");
  assert.is(text(await readExactly(ends.conn, 100)), "question");
  const answer = readAll(ends.peer);
  await ends.conn.write(bytes("answer"));
  ends.conn.close();
  assert.is((await answer).toString(), "answer");
});

closing("what an awaited write wrote arrives although we close at once", async () => {
  using ends = await pair();
  const got = readAll(ends.peer);
  await ends.conn.write(new Uint8Array(1_000_000).fill(9));
  ends.conn.close();
  assert.is((await got).length, 1_000_000);
});

closing("twice is once; using closes", async () => {
  const ends = await pair();
  ends.conn.close();
  ends.conn.close();
  assert.is((await readAll(ends.peer)).length, 0);
  ends.peer.destroy();

  const other = await pair();
  {
    using conn = other.conn;
    await conn.write(bytes("x"));
  }
  assert.is((await readAll(other.peer)).length, 1);
  other.peer.destroy();
});

closing("addresses are known after close and after a reset", async () => {
  using ends = await pair();
  const { localPort: port, remotePort } = ends.peer;
  ends.peer.resetAndDestroy();
  await rejects(ends.conn.read(new Uint8Array(1)), ConnectionReset);
  assert.equal(ends.conn.remoteAddr, { transport: "tcp", hostname: "127.0.0.1", port });
  ends.conn.close();
  assert.equal(ends.conn.remoteAddr, { transport: "tcp", hostname: "127.0.0.1", port });
  assert.is(ends.conn.localAddr.hostname, "127.0.0.1");
  assert.is(ends.conn.localAddr.port, remotePort);
});

closing("socket options work, and fail with BadResource after close", async () => {
  using ends = await pair();
  ends.conn.setNoDelay();
  ends.conn.setNoDelay(false);
  ends.conn.setKeepAlive();
  ends.conn.close();
  assert.throws(
    () => ends.conn.setNoDelay(),
    (error: unknown) => error instanceof BadResource,
  );
  assert.throws(
    () => ends.conn.setKeepAlive(false),
    (error: unknown) => error instanceof BadResource,
  );
  ends.conn.setDeadline(Date.now());
  ends.conn.unref();
  ends.conn.ref();
});

closing("a descriptor is given back", async () => {
  using warm = await pair();
  assert.ok(warm);
  const before = descriptors();
  for (let i = 0; i < 20; i++) {
    const ends = await pair();
    ends.conn.close();
    ends.peer.destroy();
  }
  await until(() => descriptors() <= before, `no more than ${before} descriptors`);
});

closing.run();
