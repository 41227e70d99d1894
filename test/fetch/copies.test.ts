// Memory of sent bytes is used again, and nobody ever sees another's bytes.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { copyOf, giveBack } from "../../src/fetch/copies.ts";
import { connect } from "../http/support/client.ts";
import { start } from "../http/support/server.ts";

const LARGE = 1_000_000;
const filled = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);
const only = (bytes: Uint8Array, value: number): boolean => bytes.every((byte) => byte === value);

test("a copy is a copy, in memory that was given back if its size fits", () => {
  const original = filled(LARGE, 1);
  const first = copyOf(original);
  original.fill(2);
  assert.ok(only(first, 1));
  giveBack(first);
  const second = copyOf(original.subarray(0, LARGE - 5));
  assert.is(second.buffer, first.buffer);
  assert.is(second.length, LARGE - 5);
  assert.ok(only(second, 2));
  // It is in use now.
  assert.is.not(copyOf(filled(LARGE, 3)).buffer, first.buffer);
  giveBack(second);
  assert.is.not(copyOf(filled(LARGE / 2 - 1, 3)).buffer, first.buffer, "not a large one for a small one");
  assert.is.not(copyOf(filled(LARGE + 1, 3)).buffer, first.buffer);
  assert.is(copyOf(filled(LARGE, 3)).buffer, first.buffer);
});

test("an array that has not changed has one copy, however many read it; one that has changed has another", () => {
  const original = filled(LARGE, 1);
  const first = copyOf(original);
  const second = copyOf(original);
  assert.is(second.buffer, first.buffer);
  original[LARGE - 1] = 2;
  const changed = copyOf(original);
  assert.is.not(changed.buffer, first.buffer);
  assert.is(changed[LARGE - 1], 2);
  assert.ok(only(first, 1));
  // As long as one of the two reads it, nobody writes there.
  giveBack(first);
  const other = copyOf(filled(LARGE, 3));
  assert.is.not(other.buffer, second.buffer);
  assert.ok(only(second, 1));
  giveBack(second);
  assert.is(copyOf(filled(LARGE, 4)).buffer, second.buffer);
});

test("a copy that nobody reads any more is found again, until its memory is another's", () => {
  const original = filled(LARGE, 1);
  const first = copyOf(original);
  giveBack(first);
  const again = copyOf(original);
  assert.is(again.buffer, first.buffer);
  // It stood among what may be written to.
  const other = copyOf(filled(LARGE, 5));
  assert.is.not(other.buffer, again.buffer);
  assert.ok(only(again, 1));
  giveBack(again);
  const third = copyOf(filled(LARGE, 6));
  assert.is(third.buffer, again.buffer);
  const anew = copyOf(original);
  assert.is.not(anew.buffer, third.buffer);
  assert.ok(only(anew, 1));
  assert.ok(only(third, 6));
});

test("an array that changes each time, and one that grows or moves, are copied each time", () => {
  const original = filled(LARGE * 2, 0);
  for (let i = 1; i < 200; i++) {
    const bytes = original.subarray(i % 7, LARGE + (i % 11));
    bytes.fill(i % 256);
    const copy = copyOf(bytes);
    original.fill(0);
    assert.ok(only(copy, i % 256));
    assert.is(copy.length, bytes.length);
    if (i % 3 > 0) giveBack(copy);
  }
});

test("small copies are not kept", () => {
  const small = copyOf(filled(1000, 1));
  giveBack(small);
  assert.is.not(copyOf(filled(1000, 1)).buffer, small.buffer);
});

test("responses that were sent stay used, and those that go on sharing a body keep it", async () => {
  const sent: Response[] = [];
  let next = 1;
  using server = start(() => {
    const response = new Response(filled(LARGE, next++));
    sent.push(response);
    // A framework that looks at the body, and one that wraps it.
    if (next === 3) void response.body;
    return next === 4 ? new Response(response.body, { headers: { "x-wrapped": "1" } }) : response;
  });
  using client = await connect(server.port);
  for (let i = 1; i <= 6; i++) {
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const got = await client.responses(i);
    assert.is(got[i - 1].body.length, LARGE);
    assert.ok(only(got[i - 1].body, i), `response ${i}`);
  }
  for (const [i, response] of sent.entries()) {
    if (i === 2) continue;
    assert.is(response.bodyUsed, true);
    await response.bytes().then(
      () => assert.unreachable(),
      (error: unknown) => assert.instance(error, TypeError),
    );
  }
  // Its stream was never read: its bytes are its own.
  assert.ok(only(await sent[2].bytes(), 3));
});

test("a body in memory that is longer than it reads as one of its length", async () => {
  giveBack(copyOf(filled(LARGE, 9)));
  const bytes = filled(LARGE - 100, 1);
  for (const make of [() => new Response(bytes), () => new Request("http://x/", { method: "POST", body: bytes })]) {
    giveBack(copyOf(filled(LARGE, 9)));
    const read = await make().bytes();
    assert.is(read.length, LARGE - 100);
    assert.is(read.buffer.byteLength, read.length);
    giveBack(copyOf(filled(LARGE, 9)));
    assert.is((await make().arrayBuffer()).byteLength, LARGE - 100);
    giveBack(copyOf(filled(LARGE, 9)));
    assert.is((await make().blob()).size, LARGE - 100);
    const copy = make().clone();
    assert.ok(only(await copy.bytes(), 1));
  }
});

test.run();
