/** Go's deadlines: absolute, for what waits and what comes, until changed; the connection stays usable. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TimedOut } from "../../src/runtime/errors.ts";
import { bytes, pair, readAll, readExactly, rejects, text } from "./pair.ts";

const test = suite("deadlines");

test("a read that waits fails with TimedOut, and the next one works", async () => {
  using ends = await pair();
  ends.conn.setReadDeadline(Date.now() + 30);
  await rejects(ends.conn.read(new Uint8Array(1)), TimedOut, /read timed out/);
  await rejects(ends.conn.read(new Uint8Array(1)), TimedOut);
  ends.conn.setReadDeadline(null);
  ends.peer.write("here");
  assert.is(text(await readExactly(ends.conn, 4)), "here");
});

test("is never early", async () => {
  using ends = await pair();
  for (const ms of [1, 5, 17, 40]) {
    const deadline = Date.now() + ms;
    ends.conn.setReadDeadline(deadline);
    await rejects(ends.conn.read(new Uint8Array(1)), TimedOut);
    assert.ok(Date.now() >= deadline - 1, `${deadline - Date.now()} ms early`);
  }
});

test("in the past fails at once, although bytes are there; a Date is as good", async () => {
  using ends = await pair();
  ends.peer.write("ab");
  assert.is(await ends.conn.read(new Uint8Array(1)), 1);
  ends.conn.setReadDeadline(new Date(Date.now() - 1));
  await rejects(ends.conn.read(new Uint8Array(1)), TimedOut);
  ends.conn.setReadDeadline(0);
  await rejects(ends.conn.read(new Uint8Array(1)), TimedOut);
  ends.conn.setReadDeadline(null);
  assert.is(await ends.conn.read(new Uint8Array(1)), 1);
});

test("set in the past ends what waits", async () => {
  using ends = await pair();
  const reads = [ends.conn.read(new Uint8Array(1)), ends.conn.read(new Uint8Array(1))];
  ends.conn.setDeadline(Date.now() - 1000);
  await Promise.all(reads.map((read) => rejects(read, TimedOut)));
});

test("moved later holds what waits", async () => {
  using ends = await pair();
  ends.conn.setReadDeadline(Date.now() + 20);
  const read = ends.conn.read(new Uint8Array(1));
  ends.conn.setReadDeadline(Date.now() + 60_000);
  setTimeout(() => ends.peer.write("x"), 60);
  assert.is(await read, 1);
});

test("of writing: some bytes may have gone; later writes work in order", async () => {
  using ends = await pair();
  ends.conn.setWriteDeadline(Date.now() + 30);
  await rejects(ends.conn.write(new Uint8Array(32 * 1024 * 1024)), TimedOut, /write timed out/);
  await rejects(ends.conn.write(new Uint8Array(1)), TimedOut);
  await rejects(ends.conn.closeWrite(), TimedOut);
  ends.conn.setWriteDeadline(Date.now() + 30);
  await rejects(ends.conn.closeWrite(), TimedOut);
  ends.conn.setWriteDeadline(null);
  const got = readAll(ends.peer);
  assert.is(await ends.conn.write(bytes("end")), 3);
  await ends.conn.closeWrite();
  const all = await got;
  assert.ok(all.length > 3 && all.length < 32 * 1024 * 1024, `${all.length} bytes`);
  assert.is(text(all.subarray(-3)), "end");
});

test("of reading and writing are apart", async () => {
  using ends = await pair();
  ends.conn.setReadDeadline(Date.now() - 1);
  assert.is(await ends.conn.write(bytes("out")), 3);
  ends.conn.setReadDeadline(null);
  ends.conn.setWriteDeadline(Date.now() - 1);
  ends.peer.write("in");
  assert.is(await ends.conn.read(new Uint8Array(2)), 2);
  await rejects(ends.conn.write(bytes("x")), TimedOut);
});

test("what came in time counts, though nobody had time to look before the deadline", async () => {
  using ends = await pair();
  ends.conn.setReadDeadline(Date.now() + 30);
  const reading = ends.conn.read(new Uint8Array(10));
  // Its first write goes to the kernel at once.
  ends.peer.write("in time");
  for (const end = Date.now() + 150; Date.now() < end; );
  assert.is(await reading, 7);
});

test("both set, the nearer comes first and the farther after it", async () => {
  using ends = await pair();
  // Its pages are written before, which can take longer than both.
  const large = new Uint8Array(32 * 1024 * 1024).fill(1);
  ends.conn.setReadDeadline(Date.now() + 20);
  ends.conn.setWriteDeadline(Date.now() + 500);
  const order: string[] = [];
  const read = rejects(ends.conn.read(new Uint8Array(1)), TimedOut).then(() => order.push("read"));
  const write = rejects(ends.conn.write(large), TimedOut).then(() => order.push("write"));
  await Promise.all([read, write]);
  assert.equal(order, ["read", "write"]);
});

test("that is none of these is a TypeError; Infinity is none", async () => {
  using ends = await pair();
  for (const wrong of ["soon", undefined, Number.NaN, {}]) {
    assert.throws(() => ends.conn.setDeadline(wrong as never), /Date, milliseconds/);
  }
  ends.conn.setDeadline(Number.POSITIVE_INFINITY);
  ends.peer.write("x");
  assert.is(await ends.conn.read(new Uint8Array(1)), 1);
});

test("many connections, each its own", async () => {
  const ends = await Promise.all(Array.from({ length: 50 }, pair));
  const started = Date.now();
  const expired = await Promise.all(
    ends.map(async ({ conn }, i) => {
      conn.setReadDeadline(started + 20 + ((i * 7) % 50));
      await rejects(conn.read(new Uint8Array(1)), TimedOut);
      return Date.now() - started - (20 + ((i * 7) % 50));
    }),
  );
  assert.ok(
    expired.every((late) => late >= -1),
    "none is early",
  );
  for (const end of ends) end[Symbol.dispose]();
});

test.run();
