// V8 says which functions it considers for inlining into which; handlers are never among them.
import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";

const SITE = new URL("../../src/runtime/call-site.ts", import.meta.url).href;
const FLAGS = ["--trace-turbo-inlining", "--trace-maglev-inlining", "--no-concurrent-recompilation"];

/** What V8 says of inlining the handler while `call` is called for it often enough to be optimised by both compilers. */
function inlining(call: string): string[] {
  const program = `
    import { callPlain, callWith } from ${JSON.stringify(SITE)};
    function theHandler() { let sum = 0; for (let i = 0; i < 100; i++) sum += i; return sum; }
    const callDirectly = (fn) => fn();
    for (let i = 0; i < 20_000; i++) ${call};
  `;
  const run = spawnSync(process.execPath, [...FLAGS, "--input-type=module", "-e", program], { encoding: "utf8" });
  assert.is(run.status, 0, run.stderr);
  return run.stdout.split("\n").filter((line) => line.includes("SharedFunctionInfo theHandler"));
}

test("a handler is inlined where it is called directly: this test would see it", () => {
  assert.ok(inlining("callDirectly(theHandler)").length > 0);
});

test("a handler that takes nothing is not inlined", () => {
  assert.equal(inlining("callPlain(theHandler)"), []);
});

test("a handler that takes a request is not inlined", () => {
  assert.equal(inlining("callWith(theHandler, 1, 2)"), []);
});

test.run();
