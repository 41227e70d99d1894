/** What a person reads when the sources are wrong: the place, the reason, the code, what to do. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BundleError, bundle, render, stopEsbuild } from "../../src/bundle/mod.ts";
import { withoutComments } from "../../src/bundle/project.ts";
import { fromSource, run } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("errors in sources");
test.after(stopEsbuild);

async function failure(files: Record<string, string>, entry = "main.ts"): Promise<BundleError> {
  try {
    await bundle(join(project(files), entry));
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
  throw new Error("it was bundled");
}

if (process.platform !== "win32") {
  test("too few descriptors to start the bundler: one line with the cure", async () => {
    const folder = project({ "tool.ts": "console.log('bundled')" });
    let said = 0;
    // How many Node itself needs differs a little from machine to machine.
    for (const limit of [22, 24, 26]) {
      const command = `ulimit -n ${limit} && exec "$@"`;
      const { code, stderr } = await run(["sh", "-c", command, "sh", ...fromSource, "run", "tool.ts"], { cwd: folder });
      if (code !== 1) continue;
      assert.is(
        stderr,
        "the bundler could not be started: raise the limit on open files (ulimit -n 1024), or that on processes\n",
      );
      said++;
    }
    assert.ok(said > 0);
  });
}

test("a syntax error: file, line, column, code frame", async () => {
  const error = await failure({
    "main.ts": `export default {\n  fetch() {\n    return new Response("x"];\n  },\n};\n`,
  });
  assert.is(error.message, `main.ts:3:28: Expected ")" but found "]"`);
  assert.is(
    render(error),
    `main.ts:3:28: Expected ")" but found "]"\n  3 |     return new Response("x"];\n    |                            ^`,
  );
  assert.equal(
    { ...error.problems[0] },
    {
      text: `Expected ")" but found "]"`,
      file: "main.ts",
      line: 3,
      column: 28,
      lineText: `    return new Response("x"];`,
      length: 1,
    },
  );
});

test("columns are characters, not bytes; tabs keep the caret in place", async () => {
  const error = await failure({ "main.ts": `\tconst é = "ü" ü;` });
  assert.is(error.problems[0].column, 16);
  assert.match(render(error), /\n {4}\| \t {14}\^+$/);
});

test("a line too long for a terminal is cut around the place", async () => {
  const error = await failure({ "main.ts": `const a = [${"1,".repeat(300)} ;];` });
  const lines = render(error).split("\n");
  assert.ok(lines.every((line) => line.length < 140));
  assert.is(lines[1][lines[2].indexOf("^")], ";");
});

test("a missing file", async () => {
  const error = await failure({ "main.ts": `import { a } from "./gone.ts";\nexport default a;` });
  assert.is(error.message, `main.ts:1:19: Could not resolve "./gone.ts": no such file`);
});

test("an error in an imported file names that file", async () => {
  const error = await failure({ "src/main.ts": `import "../lib/a.ts";`, "lib/a.ts": "\nlet = ;" }, "src/main.ts");
  assert.match(error.message, /^\.\.\/lib\/a\.ts:2:\d+: /);
});

for (const [specifier, command] of [
  ["hono", "npm install hono"],
  ["npm:hono@4/jsx", "npm install hono@4"],
  ["npm:@hono/zod@>=1", "npm install '@hono/zod@>=1'"],
  ["@hono/zod/x", "npm install @hono/zod"],
  ["jsr:@std/assert@1/equals", "npx jsr add @std/assert@1"],
  ["@std/path/posix", "npx jsr add @std/path"],
]) {
  test(`a package that is not installed: ${specifier}`, async () => {
    const error = await failure({ "main.ts": `import a from "${specifier}"; export default a;` });
    assert.ok(error.message.endsWith(`: no such package in node_modules here or above; ${command}`), error.message);
    assert.ok(error.message.includes(specifier), error.message);
  });
}

const refused: Record<string, RegExp> = {
  "https://deno.land/std@0.200.0/http/server.ts":
    /: nothing is fetched from the network: use Deno\.serve, which is built in$/,
  "https://deno.land/std/path/mod.ts": /: npx jsr add @std\/path, and import "jsr:@std\/path"$/,
  "https://deno.land/std@0.1.0/testing/asserts.ts": /: npx jsr add @std\/assert, /,
  "https://deno.land/std@0.1.0/node/fs.ts": /: import "node:fs" instead$/,
  "https://deno.land/x/oak@v12.6.1/mod.ts": /: npx jsr add @oak\/oak, and import "jsr:@oak\/oak"$/,
  "https://deno.land/x/zod@v3.22.4/mod.ts": /: npm install zod@3\.22\.4, and import "npm:zod@3\.22\.4"$/,
  "https://deno.land/x/dotenv/load.ts": /: run with --env-file/,
  "https://esm.sh/hono@4.1.0/tiny": /: npm install hono@4\.1\.0, and import "npm:hono@4\.1\.0\/tiny"$/,
  "https://esm.sh/v135/@trpc/server@11/deno/x.mjs": /and import "npm:@trpc\/server@11"$/,
  "https://esm.sh/jsr/@std/path@1/posix": /: npx jsr add @std\/path@1, and import "jsr:@std\/path@1\/posix"$/,
  "https://unpkg.com/preact@10/dist/preact.module.js": /: npm install preact@10, and import "npm:preact@10"$/,
  "https://cdn.jsdelivr.net/npm/lit@3/+esm": /: npm install lit@3, and import "npm:lit@3"$/,
  "https://jsr.io/@std/path/1.0.0/mod.ts": /: npx jsr add @std\/path@1\.0\.0, /,
  "http://x/a.ts": /nothing is fetched from the network: save the file in the project/,
  "node:nothing": /this Node has no such built-in module/,
  "bun:sqlite": /bun: imports are not supported/,
  "slipway/nothing": /there is no slipway\/nothing; there are slipway, slipway\/net/,
};
for (const [specifier, reason] of Object.entries(refused)) {
  test(`refused in one clear sentence: ${specifier}`, async () => {
    const error = await failure({ "main.ts": `import "${specifier}";` });
    assert.match(error.message, /^main\.ts:1:8: /);
    assert.match(error.message, reason);
  });
}

test("what an import map leads to is refused by its target's name", async () => {
  const error = await failure({
    "deno.json": `{"imports":{"assert":"jsr:@std/assert@1"}}`,
    "main.ts": `import "assert/strict"; import * as a from "assert"; export default a;`,
  });
  assert.match(error.message, /jsr:@std\/assert@1/);
});

test("every problem is told, the first five with their code", async () => {
  const error = await failure({ "main.ts": Array.from({ length: 7 }, (_, n) => `import "./gone${n}.ts";`).join("\n") });
  assert.is(error.problems.length, 7);
  assert.match(render(error), /gone4[\s\S]*\nand 2 more$/);
});

test("files of other kinds, and native addons", async () => {
  const error = await failure({
    "main.ts": `import "./a.node"; import b from "./b.png"; export default b;`,
    "a.node": "",
    "b.png": "",
  });
  assert.equal(
    error.problems.map(({ text }) => text),
    [
      "a.node is a native addon, which cannot be part of a program; see docs/4-compile.md",
      'b.png: import it with { type: "text" } or with { type: "bytes" }',
    ],
  );
});

test("a name that is not exported", async () => {
  const error = await failure({
    "main.ts": `import { b } from "./a.ts"; console.log(b);`,
    "a.ts": `export const a = 1;`,
  });
  assert.match(error.message, /^main\.ts:1:10: No matching export in "a\.ts" for import "b": it exports a$/);
});

test("no such entry, and a directory as entry", async () => {
  assert.match((await failure({}, "nope.ts")).message, /nope\.ts: no such file$/);
  assert.match((await failure({ "dir/x.ts": "" }, "dir")).message, /dir: a directory; name the handler's file in it$/);
});

test("a deno.json that cannot be read", async () => {
  assert.match((await failure({ "deno.json": `{"imports": }`, "main.ts": "" })).message, /deno\.json: not valid JSON/);
});

test("JSON with comments and trailing commas; neither is one inside a string", () => {
  const text = `{ "a": "// no", /* x */ "b": ["/*", ",]", 1, ], // end\n "c": "\\"//",\n}`;
  assert.equal(JSON.parse(withoutComments(text)), { a: "// no", b: ["/*", ",]", 1], c: '"//' });
});

test.run();
