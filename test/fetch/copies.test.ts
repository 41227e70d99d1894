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
  assert.is.not(copyOf(original).buffer, first.buffer);
  giveBack(second);
  assert.is.not(copyOf(filled(LARGE / 2 - 1, 3)).buffer, first.buffer, "not a large one for a small one");
  assert.is.not(copyOf(filled(LARGE + 1, 3)).buffer, first.buffer);
  assert.is(copyOf(original).buffer, first.buffer);
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
