// time limit: 240 s
/** CommonJS beside ES modules: what package.json says of a folder, and what a file says of itself. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bundle, loadBundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, fromSource, start } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("CommonJS and ES modules");
test.after(endProcesses);
test.after(stopEsbuild);

/** As `npm init -y` writes it; a small Express, which is an application for node:http in CommonJS. */
const common = {
  "package.json": `{"name":"shop","type":"commonjs"}`,
  "node_modules/tiny-express/package.json": `{"name":"tiny-express","version":"1.0.0"}`,
  "node_modules/tiny-express/index.js": `const { createServer } = require("node:http");
module.exports = function express() {
  const app = (request, response) => app.handle(request, response);
  app.handle = (request, response) => response.end("express " + request.url);
  app.connect = () => app;
  app.listen = (port, then) => createServer(app).listen(port, then);
  return app;
};`,
};
const express = `const express = require("tiny-express"); const app = express();
const server = app.listen(0, () => console.log("Listening on http://localhost:" + server.address().port));`;

async function exportsOf(files: Record<string, string>, entry = "main.ts"): Promise<Record<string, unknown>> {
  return loadBundle(await bundle(join(project({ ...common, ...files }), entry)));
}

test("a program that only imports, or only its types, exports nothing", async () => {
  for (const source of [
    `import { symlinkSync } from "node:fs";
import { join } from "node:path"; console.debug(join("a", "b"));`,
    `import type { A } from "./a.ts"; console.debug(0 as A);`,
    `import "./a.ts";`,
    `const { join } = require("node:path"); console.debug(join);`,
    `// require, import, exports\nconsole.debug(1);`,
    `console.debug(await 1);`,
  ]) {
    const files = { "main.ts": source, "a.ts": `export type A = number;` };
    assert.equal(Object.keys(await exportsOf(files)), [], source);
    assert.equal(Object.keys(await exportsOf({ ...files, "package.json": "{}" })), [], source);
  }
});

test("a file with import is an ES module, whatever package.json says", async () => {
  const found = await exportsOf({
    "main.ts": `import "./side.ts"; export default (globalThis as any).told;`,
    "side.ts": `import { sep } from "node:path"; (globalThis as any).told = [sep, typeof module, this === undefined];`,
  });
  assert.equal(found.default, ["/", "undefined", true]);
});

test("module.exports, exports.fetch and export = are default exports", async () => {
  for (const [entry, source] of [
    ["main.js", `module.exports = { fetch: () => 7 };`],
    ["main.cjs", `exports.fetch = () => 7;`],
    ["main.ts", `const server = { fetch: () => 7 }; export = server;`],
    ["main.js", `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { fetch: () => 7 };`],
  ]) {
    const { default: handler } = await exportsOf({ [entry]: source }, entry);
    assert.is((handler as { fetch(): number }).fetch(), 7, source);
  }
});

test("a module that is run by a link to it stays a module", async () => {
  const folder = project({ "real/main.ts": `export default { port: 1 };` });
  symlinkSync("real/main.ts", join(folder, "link.ts"));
  assert.equal((await loadBundle(await bundle(join(folder, "link.ts")))).default, { port: 1 });
});

test("what CommonJS exports beside serving on its own is no default export", async () => {
  assert.equal(Object.keys(await exportsOf({ "main.js": `exports.app = 1; exports.start = 2;` }, "main.js")).sort(), [
    "app",
    "start",
  ]);
});

test("a computed import() of an ES module", async () => {
  const { default: values } = await exportsOf({
    "main.ts": `const load = (name: string) => import(name); const near = (name: string) => load(new URL(name, import.meta.url).href);
      export default [(await near("./a.ts")).a, (await near("./b.js")).b, (await near("./c.js")).default];`,
    "a.ts": `export const a: number = 1;`,
    "b.js": `export const b = 2;`,
    "c.js": `module.exports = 3;`,
  });
  assert.equal(values, [1, 2, 3]);
});

const programs = {
  "plain.ts": `import { symlinkSync } from "node:fs";
import { join } from "node:path"; Deno.serve(() => new Response(join("a", "b")));`,
  "express.js": express,
  "exported.js": `${express} module.exports = app;`,
  "handler.js": `module.exports = { fetch: () => new Response("cjs") };`,
};
const answers = { "plain.ts": "a/b", "express.js": "express /", "exported.js": "express /", "handler.js": "cjs" };

for (const [file, expected] of Object.entries(answers)) {
  test(`${file} serves, run and compiled`, async () => {
    const folder = project({ ...common, ...programs });
    const answer = async (command: readonly string[]) => {
      const started = start(command, { cwd: folder, env: { SLIPWAY_PORT: "0" } });
      const [, port] = await started.saw(/Listening on http:\/\/\S*?:(\d+)/);
      assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), expected);
      assert.is((await started.stop()).signal === "SIGKILL", false);
    };
    await answer([...fromSource, "run", file]);
    const compiled = start([await slipwayBinary(), "compile", file, "-o", "out"], { cwd: folder });
    const { code, stderr } = await compiled.finished;
    assert.is(code, 0, stderr);
    await answer([join(folder, "out")]);
  });
}

test.run();
