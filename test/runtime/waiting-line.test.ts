// First come, first served, also far beyond what is kept of those that are gone.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WaitingLine } from "../../src/runtime/waiting-line.ts";

test("in order, whatever comes meanwhile", () => {
  const line = new WaitingLine<number>();
  assert.is(line.take(), undefined);
  let added = 0;
  for (; added < 20_000; added++) line.add(added);
  for (let taken = 0; taken < 30_000; taken++) {
    if (taken % 2 === 0 && added < 30_000) line.add(added++);
    assert.is(line.take(), taken);
    assert.is(line.size, added - taken - 1);
  }
  assert.is(line.take(), undefined);
  line.add(7);
  assert.is(line.size, 1);
  assert.is(line.take(), 7);
});

test.run();
