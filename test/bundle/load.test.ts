// time limit: 240 s
/** How a program's load can fail, and what it may fetch: the same from source and compiled. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, type Finished, fromSource, run } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("loading a program");
test.after(endProcesses);

const folder = project({
  "stuck.ts": `await new Promise(() => {});`,
  "late.ts": `await 1;\nthrow new Error("late");`,
  "deep.ts": `import { f } from "./f.ts";\nawait f();\nexport default { fetch() {} };`,
  "f.ts": `export async function f() {\n  await 1;\n  throw new Error("deep");\n}`,
  "missing.ts": `const load = (name: string) => import(name);\nawait load("./gone.mjs");`,
  "waits.ts": `await new Promise((resolve) => setTimeout(resolve, 1)); console.log("done");`,
  "fetches.ts": `const at = (name: string) => new URL(name, import.meta.url);
const told = (input: any, init?: RequestInit) => fetch(input, init).then((answer) => answer.text(), (error) => error.name);
console.log(JSON.stringify([await told(at("t.txt")), await told(String(at("t.txt?x#y"))), await told(new Request(at("t.txt"))), await told(at("none")), await told(at(".")),
  await told(at("t.txt"), { method: "POST" }), await told("file:///proc/self/comm").then((text) => text.length > 0), await told(at("t.txt"), { signal: AbortSignal.abort() })]));`,
  "t.txt": "text",
});

/** From source and compiled. */
async function each(file: string): Promise<Finished[]> {
  const options = { cwd: folder };
  const compiled = await run([await slipwayBinary(), "compile", file, "-o", "out", "--include", "t.txt"], options);
  assert.is(compiled.code, 0, compiled.stderr);
  return [await run([...fromSource, "run", file], options), await run([join(folder, "out")], options)];
}

test("an await at the top that never ends is an error when nothing is left to wait for", async () => {
  for (const { code, stderr } of await each("stuck.ts")) {
    assert.is(code, 1);
    assert.match(stderr, /^\w+: stuck\.ts failed as it was loaded: an await at its top level never ends: [^\n]+\n$/);
  }
  for (const { code, stdout } of await each("waits.ts")) assert.equal([code, stdout], [0, "done\n"]);
});

test("a stack ends with the program's own frames", async () => {
  const expected: Record<string, RegExp> = {
    // From source with the lines around it, which compiled programs do not have.
    "late.ts": /^\w+: late\.ts failed as it was loaded: Error: late\n {4}at \S*\blate\.ts:2:7\n(?:[ >] +\d* [|].*\n)*$/,
    "deep.ts":
      /Error: deep\n {4}at f \(\S*\bf\.ts:3:9\)\n(?: {4}at process\.\S+ [^\n]*\n)? {4}at async \S*deep\.ts:2:1\n(?:[ >] +\d* [|].*\n)*$/,
    "missing.ts": /TypeError: Module not found "file:\S*\/gone\.mjs"[^\n]*\n {4}at load \(\S*\bmissing\.ts:1:\d+\)\n/,
  };
  for (const [file, pattern] of Object.entries(expected)) {
    for (const { code, stderr } of await each(file)) {
      assert.is(code, 1);
      assert.match(stderr, pattern);
      assert.not.match(stderr, /loadProgram|commander|src\/cli|<entry>|\(bundle\)/);
    }
  }
});

test("fetch of a file: URL reads the file, as in Deno", async () => {
  for (const { code, stdout, stderr } of await each("fetches.ts")) {
    assert.is(code, 0, stderr);
    assert.equal(JSON.parse(stdout), [
      "text",
      "text",
      "text",
      "TypeError",
      "TypeError",
      "TypeError",
      true,
      "AbortError",
    ]);
  }
});

test.run();
