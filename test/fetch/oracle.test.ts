import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Call, native, ours, outcome } from "./oracle.ts";
import { headersCalls } from "./oracle-headers.ts";
import { requestCalls } from "./oracle-request.ts";
import { responseCalls } from "./oracle-response.ts";

const tables = { Headers: headersCalls(), Response: responseCalls(), Request: requestCalls() };
let held = 0;

for (const [name, calls] of Object.entries(tables)) {
  test(`${name} answers as the native one does`, async () => {
    const failures: string[] = [];
    for (const call of calls) {
      held++;
      const failure = await hold(call);
      if (failure !== null) failures.push(failure);
    }
    assert.is(failures.length, 0, `${failures.length} of ${calls.length} calls differ:\n${failures.join("\n")}`);
  });
}

async function hold(call: Call): Promise<string | null> {
  const expected = JSON.stringify(await outcome(call, native));
  const actual = JSON.stringify(await outcome(call, ours));
  if (call.differs === undefined)
    return actual === expected ? null : `${call.name}\n    native ${expected}\n    ours   ${actual}`;
  return actual !== expected ? null : `${call.name} no longer differs (${call.differs})`;
}

test("the list is long enough, and no call is in it twice", () => {
  const names = Object.values(tables).flatMap((calls) => calls.map((call) => call.name));
  assert.is(held, names.length);
  assert.ok(names.length >= 300);
  assert.equal(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
  );
  console.log(`${names.length} calls held against the native classes`);
});

test.run();
