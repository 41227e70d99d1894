/** What a handler may import, and what it finds when it does: bundled and evaluated in this process. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bundle, loadBundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { repository } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("modules of a program");
test.after(stopEsbuild);

/** Evaluates `main.ts` of a project and gives its default export. */
async function evaluate(files: Record<string, string | Uint8Array>, entry = "main.ts"): Promise<unknown> {
  const folder = project(files);
  return (await loadBundle(await bundle(join(folder, entry)))).default;
}

test("TypeScript, over several files", async () => {
  const value = await evaluate({
    "main.ts": `import { twice, type Pair } from "./lib/twice.ts"; const p: Pair = twice(21); export default p.sum;`,
    "lib/twice.ts": `export interface Pair { sum: number } export function twice(n: number): Pair { return { sum: n + n }; }`,
  });
  assert.is(value, 42);
});

test("TypeScript that is more than types: enum, parameter property, namespace", async () => {
  const value = await evaluate({
    "main.ts": `enum Color { red = 3 } class A { constructor(readonly n: number) {} } namespace N { export const x = 1 }
      export default Color.red + new A(4).n + N.x;`,
  });
  assert.is(value, 8);
});

test("decorators of the standard, which V8 does not know yet", async () => {
  const value = await evaluate({
    "main.ts": `function double(method: any, _: any) { return function (this: any) { return method.call(this) * 2 } }
      class A { @double answer() { return 21 } } export default new A().answer();`,
  });
  assert.is(value, 42);
});

const jsxRuntime = {
  "node_modules/mini/package.json": `{"name":"mini","version":"1.0.0","exports":{"./jsx-runtime":"./jsx.js"}}`,
  "node_modules/mini/jsx.js": `exports.jsx = exports.jsxs = (tag, { children }) => "<" + tag + ">" + children + "</" + tag + ">";`,
};

test("JSX by the file's own pragma", async () => {
  const value = await evaluate(
    { ...jsxRuntime, "main.tsx": `/** @jsxImportSource mini */\nexport default <b>hi</b>;` },
    "main.tsx",
  );
  assert.is(value, "<b>hi</b>");
});

test("JSX by deno.json", async () => {
  const value = await evaluate(
    {
      ...jsxRuntime,
      "deno.jsonc": `{ // comment\n "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "mini", }, /* more */ }`,
      "src/main.tsx": `export default <i>{"a" + 1}</i>;`,
    },
    "src/main.tsx",
  );
  assert.is(value, "<i>a1</i>");
});

test("JSX by tsconfig.json, classic too", async () => {
  const value = await evaluate(
    {
      "tsconfig.json": `{"compilerOptions":{"jsx":"react","jsxFactory":"h"}}`,
      "main.tsx": `const h = (tag: string, _: unknown, text: string) => tag + ":" + text; export default <p>x</p>;`,
    },
    "main.tsx",
  );
  assert.is(value, "p:x");
});

test("JSON, with and without its attribute", async () => {
  const value = await evaluate({
    "main.ts": `import a from "./d.json" with { type: "json" }; import b from "./d.json"; export default a.x + b.x;`,
    "d.json": `{"x":21}`,
  });
  assert.is(value, 42);
});

test("text and bytes by attribute, text by ending", async () => {
  const value = await evaluate({
    "main.ts": `import page from "./page.html"; import text from "./data.bin" with { type: "text" };
      import bytes from "./data.bin" with { type: "bytes" }; import code from "./main.ts" with { type: "text" };
      export default [page, text, bytes, code.startsWith("import page")];`,
    "page.html": "<h1>é</h1>\n",
    "data.bin": new Uint8Array([65, 66]),
  });
  assert.equal(value, ["<h1>é</h1>\n", "AB", new Uint8Array([65, 66]), true]);
});

const packages = {
  "node_modules/esm/package.json": `{"name":"esm","version":"2.0.0","type":"module","exports":{".":"./index.js","./sub":"./sub.js"}}`,
  "node_modules/esm/index.js": `import { helper } from "cjs"; export const name = "esm+" + helper();`,
  "node_modules/esm/sub.js": `export default import.meta.url;`,
  "node_modules/cjs/package.json": `{"name":"cjs","version":"1.0.0","main":"lib"}`,
  "node_modules/cjs/lib/index.js": `const { sep } = require("path"); exports.helper = () => "cjs" + sep; exports.maybe = () => { try { return require("not-there"); } catch (error) { return error.code; } };`,
  "node_modules/@scope/tool/package.json": `{"name":"@scope/tool","version":"0.1.0","exports":"./tool.mjs"}`,
  "node_modules/@scope/tool/tool.mjs": `export default 7;`,
};

test("packages from the nearest node_modules, ES and CommonJS, by plain name and npm:", async () => {
  const value = await evaluate(
    {
      ...packages,
      "src/main.ts": `import { name } from "esm"; import { name as same } from "npm:esm@^2.0.0"; import tool from "npm:@scope/tool@0.1";
        import cjs, { helper } from "cjs"; import url from "npm:/esm@2/sub";
        export default [name, same === name, tool, helper(), cjs.maybe(), url.slice(-24)];`,
    },
    "src/main.ts",
  );
  assert.equal(value, ["esm+cjs/", true, 7, "cjs/", "MODULE_NOT_FOUND", "/node_modules/esm/sub.js"]);
});

test("deno.json's import map: names, prefixes, packages with subpaths", async () => {
  const value = await evaluate({
    ...packages,
    "deno.json": `{"imports":{"lib":"./lib/mod.ts","@/":"./lib/","tool":"npm:@scope/tool@0.1.0","esm":"npm:esm@2"}}`,
    "lib/mod.ts": `export const a = 1;`,
    "lib/deep/b.ts": `export const b = 2;`,
    "main.ts": `import { a } from "lib"; import { b } from "@/deep/b.ts"; import tool from "tool"; import url from "esm/sub"; export default [a, b, tool, typeof url];`,
  });
  assert.equal(value, [1, 2, 7, "string"]);
});

test("package.json's imports", async () => {
  const value = await evaluate({
    "package.json": `{"name":"x","imports":{"#lib/*":"./lib/*.ts"}}`,
    "lib/a.ts": `export default 5;`,
    "main.ts": `import a from "#lib/a"; export default a;`,
  });
  assert.is(value, 5);
});

test("node: built-ins, named and default, by import, import() and require", async () => {
  const value = await evaluate({
    "main.ts": `import fs, { readFileSync } from "node:fs"; import * as path from "path"; import { createRequire } from "node:module";
      const { EOL } = await import("node:os"); const require = createRequire(import.meta.url);
      export default [fs.readFileSync === readFileSync, path.join("a", "b"), EOL, require("node:url").URL === URL];`,
  });
  assert.equal(value, [true, "a/b", "\n", true]);
});

test("await at the top, in the entry, in what it imports, and in what it import()s", async () => {
  const value = await evaluate({
    "main.ts": `import { a } from "./a.ts"; const { b } = await import("./b.ts"); export default [a, b, await Promise.resolve(3)];`,
    "a.ts": `export const a = await new Promise((resolve) => setImmediate(resolve, 1));`,
    "b.ts": `export const b = await Promise.resolve(2);`,
  });
  assert.equal(value, [1, 2, 3]);
});

test("a module is evaluated once, in the order of imports; import() waits for its call", async () => {
  const value = await evaluate({
    "log.ts": `export const log: string[] = [];`,
    "a.ts": `import { log } from "./log.ts"; log.push("a");`,
    "b.ts": `import "./a.ts"; import { log } from "./log.ts"; log.push("b");`,
    "late.ts": `import { log } from "./log.ts"; log.push("late");`,
    "main.ts": `import "./b.ts"; import "./a.ts"; import { log } from "./log.ts"; log.push("main"); await import("./late.ts"); await import("./late.ts"); export default log;`,
  });
  assert.equal(value, ["a", "b", "main", "late"]);
});

test("import.meta is each module's own", async () => {
  const folder = project({
    "src/main.ts": `import { meta } from "../lib/other.ts"; const { url, filename, dirname, main } = import.meta;
      export default [{ url, filename, dirname, main }, meta, import.meta.resolve("./x.txt"), import.meta.resolve("fs")];`,
    "lib/other.ts": `const { url, filename, dirname, main } = import.meta; export const meta = { url, filename, dirname, main };`,
  });
  const { default: value } = await loadBundle(await bundle(join(folder, "src/main.ts")));
  const of = (path: string, dirname: string, main: boolean) => ({
    url: `file://${folder}/${path}`,
    filename: `${folder}/${path}`,
    dirname: `${folder}/${dirname}`,
    main,
  });
  assert.equal(value, [
    of("src/main.ts", "src", true),
    of("lib/other.ts", "lib", false),
    `file://${folder}/src/x.txt`,
    "node:fs",
  ]);
});

test("__filename, __dirname and require.resolve in CommonJS, as entry and as package", async () => {
  const files = {
    "node_modules/old/package.json": `{"name":"old","version":"1.0.0"}`,
    "node_modules/old/index.js": `#!/usr/bin/env node\n"use strict";\nmodule.exports = [__filename, require("path").basename(__dirname), require.resolve("fs")];`,
    "main.cjs": `module.exports = [__dirname, require("old"), typeof module, typeof exports];`,
  };
  const folder = project(files);
  const { default: value } = await loadBundle(await bundle(join(folder, "main.cjs")));
  assert.equal(value, [folder, [`${folder}/node_modules/old/index.js`, "old", "fs"], "object", "object"]);
});

test("a module may ask whether it has __dirname, and declare its own", async () => {
  const value = await evaluate({
    "main.ts": `import { dirname } from "node:path"; import own from "./own.mjs"; export default [typeof __dirname === "undefined" || __dirname === import.meta.dirname, own];`,
    "own.mjs": `import { fileURLToPath } from "node:url"; const __filename = fileURLToPath(import.meta.url); export default __filename.endsWith("/own.mjs");`,
  });
  assert.equal(value, [true, true]);
});

test("import.meta in a comment of a CommonJS file leaves it CommonJS", async () => {
  const value = await evaluate({
    "main.ts": `import a from "./a.js"; export default a.x;`,
    "a.js": `// not import.meta\nmodule.exports = { x: 1 };`,
  });
  assert.is(value, 1);
});

test("modules are strict, and a name of ours does not hide the author's", async () => {
  const value = await evaluate({
    "main.ts": `const __slipway = 1; export default [(function (this: unknown) { return this })(), __slipway];`,
  });
  assert.equal(value, [undefined, 1]);
});

test("a computed import() finds built-ins and files, and says what is missing", async () => {
  const value = await evaluate({
    "main.ts": `const load = (name: string) => import(name); const os = await load("node:os");
      const file = await load(new URL("./extra.mjs", import.meta.url).href); const missing = await load("./nope.mjs").catch((error) => error.code);
      export default [typeof os.EOL, file.extra, missing];`,
    "extra.mjs": `export const extra = 9;`,
  });
  assert.equal(value, ["string", 9, "ERR_MODULE_NOT_FOUND"]);
});

test("what was exported, by name", async () => {
  const folder = project({
    "main.ts": `export const a = 1; export default { fetch() { return 2; } }; export * from "./b.ts";`,
    "b.ts": `export const b = 3;`,
  });
  const namespace = await loadBundle(await bundle(join(folder, "main.ts")));
  assert.equal(Object.keys(namespace).sort(), ["a", "b", "default"]);
});

test("Hono and h3 from npm, unchanged", async () => {
  const folder = project({
    "main.tsx": `/** @jsxImportSource hono/jsx */\nimport { Hono } from "npm:hono@4"; import { H3 } from "h3";
      const hono = new Hono().get("/", (c) => c.html(<b>hono</b>)); const h3 = new H3().get("/", () => "h3");
      const ask = async (app: { fetch(r: Request): unknown }) => (await (app.fetch(new Request("http://x/")) as Promise<Response>)).text();
      export default [await ask(hono), await ask(h3)];`,
  });
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const { default: value } = await loadBundle(await bundle(join(folder, "main.tsx")));
  assert.equal(value, ["<b>hono</b>", "h3"]);
});

test("the program names every file that it was made of", async () => {
  const folder = project({
    "main.ts": `import "./a.ts"; import t from "./t.txt"; export default t;`,
    "a.ts": "",
    "t.txt": "",
    "other.ts": "",
  });
  const { inputs } = await bundle(join(folder, "main.ts"));
  assert.equal(inputs.map((path) => path.slice(folder.length + 1)).sort(), ["a.ts", "main.ts", "t.txt"]);
});

test("nothing of this machine is in a program: the same sources elsewhere give the same bytes", async () => {
  const files = {
    "app/src/main.ts": `import "../lib/a.ts"; import { name } from "esm"; import { helper } from "cjs"; export default [name, helper, import.meta.url];`,
    "app/lib/a.ts": `console.debug(import.meta.dirname);`,
  };
  const here = project({
    ...files,
    ...Object.fromEntries(Object.entries(packages).map(([path, text]) => [`app/${path}`, text])),
  });
  // Packages installed one folder higher, and one further away behind a link.
  const above = project({ ...files, ...packages });
  const store = project(packages);
  const linked = project(files);
  symlinkSync(join(store, "node_modules"), join(linked, "app/node_modules"));
  const [first, ...others] = await Promise.all(
    [here, above, linked].map((folder) => bundle(join(folder, "app/src/main.ts"))),
  );
  for (const { code, map, entry } of others) assert.equal([code, map, entry], [first.code, first.map, first.entry]);
  assert.not.match(first.code + first.map, /slipway-test/);
});

test.run();
