/** Request ids, and the trace that a request belongs to. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { requestIds, validRequestId } from "../../src/log/request-id.ts";
import { parseTraceparent } from "../../src/log/trace-context.ts";

test("ids that clients and proxies send are kept", () => {
  for (const id of [
    "1",
    "7f3c1d0e-9d0b-4f0a-8c6e-0f6d5b1f2a3b",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "Root=1-67891233-abcdef012345678912345678",
    "a+b/c==",
    "req:12~x@y",
    "x".repeat(128),
  ]) {
    assert.is(validRequestId(id), id);
  }
});

test("what could harm a log, a header or a reader is no id", () => {
  for (const id of [
    null,
    "",
    "a b",
    "a,b",
    "a, b",
    "x".repeat(129),
    "a\nb",
    "\x1b[m",
    "ä",
    "<a>",
    'a"',
    "a'b",
    "%0a",
    "a;b",
  ]) {
    assert.is(validRequestId(id), undefined, String(id));
  }
});

test("ids that we make are valid, different, and of another prefix in another process", () => {
  const next = requestIds();
  const ids = Array.from({ length: 10_000 }, next);
  assert.is(new Set(ids).size, ids.length);
  for (const id of ids) assert.is(validRequestId(id), id);
  assert.is.not(requestIds()().split("-")[0], ids[0].split("-")[0]);
  assert.is(requestIds(() => 0)(), "00000000000-1");
  assert.is(requestIds(() => 1 - 2 ** -53)().split("-")[0].length, 11);
});

const trace = "0af7651916cd43dd8448eb211c80319c";
const parent = "b7ad6b7169203331";

test("a valid traceparent", () => {
  assert.equal(parseTraceparent(`00-${trace}-${parent}-01`), { traceId: trace, parentId: parent, sampled: true });
  assert.is(parseTraceparent(`00-${trace}-${parent}-00`)?.sampled, false);
  assert.is(parseTraceparent(`00-${trace}-${parent}-ff`)?.sampled, true);
  // A version that is not known yet may be longer (3.2.2 and 4).
  assert.is(parseTraceparent(`cc-${trace}-${parent}-01-what-comes-later`)?.traceId, trace);
});

test("any other is as if there were none", () => {
  for (const value of [
    null,
    "",
    "00",
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-01-more`,
    `00-${trace}-${parent}-01-`,
    `ff-${trace}-${parent}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${"0".repeat(32)}-${parent}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace}0-${parent}-01`,
    `00-${trace}-${parent}-1`,
    `00-${trace}-${parent}-01 `,
    `00-${trace}-${parent}-01\n`,
    `00-${trace}-${parent}-01, 00-${trace}-${parent}-01`,
    `cc-${trace}-${parent}-01x`,
    `cc-${trace}-${parent}-01-${"x".repeat(1000)}`,
    `0g-${trace}-${parent}-01`,
  ]) {
    assert.is(parseTraceparent(value), undefined, String(value));
  }
});

test.run();
