// What a log shows of what was thrown.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeError } from "../../src/runtime/error-text.ts";
import { logError } from "../../src/runtime/log.ts";

test("an error is its stack", () => {
  const error = new RangeError("too far");
  assert.is(describeError(error), error.stack);
});
test("what it carries beside", () => {
  const error = Object.assign(new Error("no"), { code: "ENOENT", errno: -2 });
  assert.ok(describeError(error).endsWith(" { code: 'ENOENT', errno: -2 }"));
});
test("its causes, each with its stack", () => {
  const text = describeError(new Error("outer", { cause: new TypeError("middle", { cause: { weird: 1 } }) }));
  assert.match(
    text,
    /^Error: outer\n {4}at .*\n[\s\S]*\nCaused by: TypeError: middle\n {4}at [\s\S]*\nCaused by: \{ weird: 1 \}$/,
  );
});
test("the errors of an AggregateError", () => {
  const text = describeError(new AggregateError([new Error("one"), "two"], "all failed"));
  assert.match(text, /^AggregateError: all failed\n[\s\S]*\nError 1 of 2: Error: one\n[\s\S]*\nError 2 of 2: two$/);
});
test("anything else as the console shows it", () => {
  assert.is(describeError({ weird: 1 }), "{ weird: 1 }");
  assert.is(describeError("text"), "text");
  assert.is(describeError(undefined), "undefined");
  assert.is(describeError(null), "null");
  assert.is(describeError(Symbol("s")), "Symbol(s)");
  assert.is(describeError(Object.create(null)), "[Object: null prototype] {}");
});
test("a circle of causes ends", () => {
  const error = new Error("circle");
  error.cause = error;
  assert.match(describeError(error), /\nCaused by: Error: circle \(shown above\)$/);
});
test("a chain without end, and text without end, are cut", () => {
  let error = new Error("first");
  for (let count = 0; count < 1000; count++) error = new Error(`level ${count}`, { cause: error });
  assert.match(describeError(error), /… \(more causes\)$/);
  const long = describeError(new Error("x".repeat(1_000_000)));
  assert.ok(long.length < 17_000);
  assert.match(long, /… \(9\d{5} more characters\)$/);
  assert.ok(describeError({ text: "x".repeat(1_000_000), list: Array(1_000_000).fill(1) }).length < 17_000);
});
test("a stack is trimmed as asked", () => {
  const text = describeError(new Error("a", { cause: new Error("b") }), (stack) => stack.split("\n")[0]);
  assert.is(text, "Error: a\nCaused by: Error: b");
});

const hostile = {
  get [Symbol.for("nodejs.util.inspect.custom")]() {
    throw new Error("no");
  },
};
test("what cannot be shown is said to be so", () => {
  assert.is(describeError(hostile), "something that cannot be shown (object)");
});
test("the log never throws, and is one entry", () => {
  const { error } = console;
  const entries: unknown[] = [];
  try {
    console.error = (...args) => void entries.push(args);
    logError("it failed", new Error("outer", { cause: hostile }));
    assert.is(entries.length, 1);
    console.error = () => {
      throw new Error("no log");
    };
    logError("it failed", new Error("x"));
  } finally {
    console.error = error;
  }
});

test.run();
