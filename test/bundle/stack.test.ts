/** Stack traces of bundled programs name the author's files, lines and columns. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadProgram } from "../../src/bundle/load.ts";
import { bundle, loadBundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { repository } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("stack traces");
test.after(stopEsbuild);

async function load(folder: string): Promise<Record<string, unknown>> {
  return loadBundle(await bundle(join(folder, "main.ts")));
}

async function stackOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).stack ?? "";
  }
  throw new Error("nothing was thrown");
}

test("a thrown error's frames, over files and types that were removed", async () => {
  const folder = project({
    "main.ts": `import { check } from "./lib/check.ts";\n\ninterface Far { away: boolean }\n\nexport default function handler(far: Far): void {\n  check(far.away);\n}\n`,
    "lib/check.ts": `export function check(value: boolean): void {\n  if (!value) throw new RangeError("far: é");\n}\n`,
  });
  const { default: handler } = await load(folder);
  try {
    (handler as (far: object) => void)({});
    assert.unreachable();
  } catch (error) {
    const lines = (error as Error).stack?.split("\n") ?? [];
    assert.is(lines[0], "RangeError: far: é");
    assert.is(lines[1], `    at check (${folder}/lib/check.ts:2:21)`);
    assert.is(lines[2], `    at handler (${folder}/main.ts:6:3)`);
    assert.match(lines[3], /stack\.test\.ts:\d+:\d+/);
  }
});

test("across await, in methods and constructors", async () => {
  const folder = project({
    "main.ts": `class Store {\n  constructor(fail?: boolean) { if (fail) throw new Error("new"); }\n  async get(): Promise<string> {\n    await null;\n    throw new Error("get");\n  }\n}\nexport default async () => { await new Store().get(); };\nexport const make = () => new Store(true);`,
  });
  const { default: get, make } = (await load(folder)) as { default(): Promise<void>; make(): void };
  const awaited = await get().catch((error) => error.stack);
  assert.ok(awaited.includes(`at Store.get (${folder}/main.ts:5:11)`), awaited);
  assert.match(awaited, /at async .*main\.ts:8:30/);
  try {
    make();
    assert.unreachable();
  } catch (error) {
    assert.ok((error as Error).stack?.includes(`at new Store (${folder}/main.ts:2:49)`), (error as Error).stack);
  }
});

test("of our own frames the one that the program called, and the others where it has no part", async () => {
  const folder = project({
    "src/inner.ts": `export function inner(): never {\n  throw new Error("deep");\n}`,
    "src/outer.ts": `import { inner } from "./inner.ts";\nexport function readFile(): never {\n  return inner();\n}\nexport function serve<T>(handler: () => T): T {\n  return handler();\n}`,
    "main.ts": `export * from "./src/outer.ts";`,
  });
  // As in an executable, whose sources are named so.
  const built = await bundle(join(folder, "main.ts"));
  const own = (await loadProgram(built, { root: "slipway:", map: () => built.map })) as {
    readFile(): never;
    serve(handler: () => void): void;
  };
  let stack = "";
  own.serve(function handler() {
    try {
      own.readFile();
    } catch (error) {
      stack = (error as Error).stack ?? "";
    }
  });
  const lines = stack.split("\n").slice(1);
  assert.is(lines[0], "    at Object.readFile (slipway:/src/outer.ts:3:10)");
  assert.match(lines[1], /^ {4}at handler \(.*stack\.test\.ts:\d+:\d+\)$/);
  assert.not.ok(
    lines.slice(2).some((line) => line.includes("slipway:")),
    stack,
  );
});

test("an error while the program loads", async () => {
  const folder = project({ "main.ts": `const a: number = 1;\n\nthrow new Error("at once");` });
  const stack = await stackOf(load(folder));
  assert.is(stack.split("\n")[1], `    at ${folder}/main.ts:3:7`);
});

test("packages are named from node_modules on", async () => {
  const folder = project({
    "main.ts": `import { Hono } from "hono";\nexport default new Hono().get("/", () => { throw new Error("x"); }).onError((error) => { throw error; });`,
  });
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const { default: app } = (await load(folder)) as { default: { fetch(request: Request): Promise<Response> } };
  const stack = await stackOf(Promise.resolve().then(() => app.fetch(new Request("http://x/"))));
  assert.ok(stack.includes(`(${folder}/main.ts:2:50)`) || stack.includes(`${folder}/main.ts:2:50`), stack);
  assert.match(stack, / \(node_modules\/hono\/dist\/[\w/-]+\.js:\d+:\d+\)/);
});

test("two programs in one process keep their own maps; other code is untouched", async () => {
  const folders = [1, 2].map((n) =>
    project({ "main.ts": `${"\n".repeat(n)}export default () => new Error("e").stack;` }),
  );
  const stacks = [];
  for (const folder of folders) stacks.push(((await load(folder)).default as () => string)());
  assert.match(stacks[0], new RegExp(`${folders[0]}/main\\.ts:2:`));
  assert.match(stacks[1], new RegExp(`${folders[1]}/main\\.ts:3:`));
  assert.match(new Error("mine").stack ?? "", /^Error: mine\n {4}at .*stack\.test\.ts:/);
});

test("odd errors are shown too", () => {
  const nameless = Object.assign(new Error("m"), { name: "" });
  assert.match(nameless.stack ?? "", /^(Error: )?m\n/);
  const broken = new Error("x");
  Object.defineProperty(broken, "message", {
    get: () => {
      throw new Error("no");
    },
  });
  assert.type(broken.stack, "string");
});

test.run();
