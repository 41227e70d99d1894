// Buffers that are lent and given back: large enough, never two owners of one, and no more kept than is worth it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { giveBuffer, takeBuffer } from "../../src/runtime/spare-buffers.ts";

test("each is large enough, and of its size when it is small", () => {
  for (const size of [0, 1, 1023]) assert.is(takeBuffer(size).length, size);
  for (const size of [1024, 4096, 4097, 8192, 8193, 131_072, 131_073, 2 ** 21, 2 ** 21 + 1]) {
    const { length } = takeBuffer(size);
    assert.ok(length >= size && length < 2 * Math.max(size, 4096), `${length} for ${size}`);
  }
});

test("one that was given back is lent again, once", () => {
  const bytes = takeBuffer(10_000);
  giveBuffer(bytes);
  assert.is(takeBuffer(9000), bytes);
  assert.is.not(takeBuffer(9000), bytes);
});

test("what is kept is bounded", () => {
  const many = Array.from({ length: 8 }, () => takeBuffer(2 ** 20));
  for (const bytes of many) giveBuffer(bytes);
  const again = new Set(Array.from({ length: 8 }, () => takeBuffer(2 ** 20)));
  assert.ok(many.filter((bytes) => again.has(bytes)).length <= 4);
});

test.run();
