/**
 * Projects as Deno takes them: import maps, scopes, workspaces, JSX, what else can be imported. Each program exports what
 * it saw; what is expected is what Deno 2.9 gives for the same files.
 */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bundle, loadBundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { type AskedProject, askProject } from "../../src/bundle/project.ts";
import { project } from "../support/project.ts";

const test = suite("projects of Deno");
test.after(stopEsbuild);

async function evaluate(files: Record<string, string | Uint8Array>, entry = "main.ts"): Promise<unknown> {
  return (await loadBundle(await bundle(join(project(files), entry)))).default;
}

/** A package of npm's with `.`, `./sub`, and one more entry for Deno. */
function npm(name: string): Record<string, string> {
  const exports = { ".": { deno: "./deno.js", node: "./node.js" }, "./sub": "./sub.js" };
  return {
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, version: "1.0.0", type: "module", exports }),
    [`node_modules/${name}/deno.js`]: `export default "${name} for Deno";`,
    [`node_modules/${name}/sub.js`]: `export default "${name}/sub";`,
  };
}

test("the import map: names, prefixes, URLs, relative keys, built-ins, scopes", async () => {
  const value = await evaluate({
    ...npm("lib"),
    "deno.json": JSON.stringify({
      imports: {
        lib: "npm:lib@^1.0.0",
        "@/": "./",
        "https://deno.land/x/foo/": "./foo/",
        "./a.ts": "./b.ts",
        "node:os": "./os.ts",
        fs: "node:fs",
        x: "./x1.ts",
      },
      scopes: { "./sub/": { x: "./x2.ts" }, "./sub/deep/": { y: "./x3.ts" } },
    }),
    "b.ts": `export default "b";`,
    "os.ts": `export default "my os";`,
    "foo/mod.ts": `export default "foo";`,
    ...Object.fromEntries([1, 2, 3].map((n) => [`x${n}.ts`, `export default ${n};`])),
    "sub/m.ts": `import x from "x"; import a from "../a.ts"; import deep from "./deep/n.ts"; export default [x, a, deep];`,
    "sub/deep/n.ts": `import x from "x"; import y from "y"; export default [x, y];`,
    "main.ts": `import lib from "lib"; import sub from "lib/sub"; import foo from "https://deno.land/x/foo/mod.ts";
      import a from "./a.ts"; import os from "node:os"; import { readFileSync } from "fs"; import x from "x"; import m from "@/sub/m.ts";
      export default [lib, sub, foo, a, os, typeof readFileSync, x, m];`,
  });
  assert.equal(value, ["lib for Deno", "lib/sub", "foo", "b", "my os", "function", 1, [2, "b", [2, 3]]]);
});

test("the map in a file of its own, whose names start from there", async () => {
  const value = await evaluate({
    "deno.jsonc": `{ "importMap": "./maps/map.json", /* and */ }`,
    "maps/map.json": `{"imports":{"x":"./x.ts","up":"../up.ts"},"scopes":{"../sub/":{"x":"../up.ts"}}}`,
    "maps/x.ts": `export default "x";`,
    "up.ts": `export default "up";`,
    "sub/a.ts": `export { default } from "x";`,
    "main.ts": `import x from "x"; import up from "up"; import a from "./sub/a.ts"; export default [x, up, a];`,
  });
  assert.equal(value, ["x", "up", "up"]);
});

test("a workspace: members by their names, each with its own map and the root's; jsr: names them too", async () => {
  const files = {
    "deno.json": `{"workspace":["./a","./packages/*"],"imports":{"shared":"./shared.ts"},"compilerOptions":{"jsxFactory":"h","jsx":"react"}}`,
    "shared.ts": `export default "shared";`,
    "a/deno.json": `{"name":"@scope/a","version":"1.0.0","exports":{".":"./mod.ts","./util":"./util.ts"},"imports":{"own":"./own.ts"}}`,
    "a/mod.ts": `import own from "own"; import shared from "shared"; export default own + "+" + shared;`,
    "a/own.ts": `export default "a's";`,
    "a/util.ts": `export default "util";`,
    "packages/b/deno.json": `{"name":"@scope/b","exports":"./mod.tsx","imports":{"own":"./own.ts"}}`,
    "packages/b/own.ts": `export default "b's";`,
    "packages/b/mod.tsx": `import own from "own"; import a from "@scope/a"; import util from "@scope/a/util"; import same from "jsr:@scope/a@1";
      const h = (tag: string) => tag; export default [own, a, util, same, <b />];`,
    "main.ts": `import b from "@scope/b"; export default b;`,
  };
  const expected = ["b's", "a's+shared", "util", "a's+shared", "b"];
  assert.equal(await evaluate(files), expected, "from the root");
  assert.equal(await evaluate(files, "packages/b/mod.tsx"), expected, "from a member");
});

test("a package's own name, and one that is linked from elsewhere", async () => {
  const value = await evaluate(
    {
      "me/deno.json": `{"name":"@me/lib","exports":{".":"./mod.ts"},"links":["../other"]}`,
      "me/mod.ts": `export default "me";`,
      "other/deno.json": `{"name":"@you/other","exports":"./x.ts"}`,
      "other/x.ts": `export default "other";`,
      "me/main.ts": `import me from "@me/lib"; import other from "@you/other"; export default [me, other];`,
    },
    "me/main.ts",
  );
  assert.equal(value, ["me", "other"]);
});

test("JSR's packages, under the names that npm and jsr give them", async () => {
  const value = await evaluate({
    ...npm("@jsr/std__fake"),
    ...npm("@std/other"),
    "deno.json": `{"imports":{"@std/fake":"jsr:@std/fake@^1.0.2","short":"jsr:@std/fake@1/sub"}}`,
    "main.ts": `import a from "jsr:@std/fake@1"; import b from "@std/fake/sub"; import c from "short";
      import d from "jsr:/@std/other@^1.0"; import e from "@std/other/sub"; export default [a, b, c, d, e];`,
    "node_modules/plain/package.json": `{"name":"plain"}`,
  });
  const [fake, other] = ["@jsr/std__fake", "@std/other"];
  assert.equal(value, [`${fake} for Deno`, `${fake}/sub`, `${fake}/sub`, `${other} for Deno`, `${other}/sub`]);
});

test("the default of a CommonJS module is module.exports, whatever it was compiled from", async () => {
  const value = await evaluate({
    "c.cjs": `exports.x = 4; exports.default = 9; exports.__esModule = true;`,
    "main.ts": `import c, { x } from "./c.cjs"; export default [c.default, x, (await import("./c.cjs")).default.x];`,
  });
  assert.equal(value, [9, 4, 4]);
});

const runtime = `export const jsx = (tag, props) => [tag, props]; export const jsxs = jsx; export const Fragment = "F";`;

test("JSX by jsxImportSource from the map, from npm, precompiled, by pragma, and React's where nothing is said", async () => {
  const value = await evaluate(
    {
      "deno.json": `{"compilerOptions":{"jsx":"precompile","jsxImportSource":"ui"},"imports":{"ui/jsx-runtime":"./ui.js"}}`,
      "ui.js": runtime,
      "own.tsx": `/** @jsx hh */ const hh = (tag: string) => tag + "!"; export default <b />;`,
      "other.tsx": `/** @jsxRuntime automatic @jsxImportSource npm:other@1 */ export default <i />;`,
      "node_modules/other/package.json": `{"name":"other","type":"module","exports":{"./jsx-runtime":"./jsx.js"}}`,
      "node_modules/other/jsx.js": `export const jsx = () => "other's";`,
      "main.tsx": `import own from "./own.tsx"; import other from "./other.tsx"; export default [<p a="1">{2}<></></p>, own, other];`,
    },
    "main.tsx",
  );
  assert.equal(value, [["p", { a: "1", children: [2, ["F", {}]] }], "b!", "other's"]);
  const react = `const React = { createElement: (tag: string, _: unknown, text: string) => tag + text }; export default <p>x</p>;`;
  assert.is(await evaluate({ "main.tsx": react }, "main.tsx"), "px");
});

test("TypeScript that Deno runs: decorators of both kinds, their metadata, using at the top of two modules", async () => {
  const both = await Promise.all([
    evaluate({
      "main.ts": `const log: string[] = []; const note = (_: unknown, c: any) => { c.metadata[c.name] = 1; log.push(c.kind) };
        class A { @note accessor a = 1; @note b = 2; @note static c() {} } export default [log, (A as any)[(Symbol as any).metadata]];`,
    }),
    evaluate({
      "deno.json": `{"compilerOptions":{"experimentalDecorators":true}}`,
      "main.ts": `const seen: unknown[] = []; const p = (_: object, name: string, index: number) => { seen.push(name, index) };
        class A { m(@p a: string) { return a } } export default seen;`,
    }),
    evaluate({
      "log.ts": `export const log: string[] = []; export const thing = (name: string) => ({ [Symbol.dispose]: () => log.push(name) });`,
      "lib.ts": `import { log, thing } from "./log.ts"; using _ = thing("lib ends"); log.push("lib");`,
      "main.ts": `import "./lib.ts"; import { log, thing } from "./log.ts"; log.push("main"); { await using _ = thing("block ends") } export default log;`,
    }),
  ]);
  const metadata = Object.assign(Object.create(null), { c: 1, a: 1, b: 1 });
  assert.equal(both, [
    [["method", "accessor", "field"], metadata],
    ["m", 0],
    ["lib", "lib ends", "main", "block ends"],
  ]);
});

test("classes and functions keep their names, of which the bundle may have two", async () => {
  const value = await evaluate({
    "a.ts": `export class Foo extends Error { constructor(m: string) { super(m); this.name = this.constructor.name } } export function bar() { return bar.name }`,
    "b.ts": `import { Foo as Base } from "./a.ts"; export class Foo extends Base { self() { return Foo } } export function bar() { return bar.name }
      export class Own { static name = "mine"; static own() { return Own } } export class Called { static name() { return Called } }
      export const expression = class _expression {};`,
    "c.cjs": `class Foo { m() { return new Foo() } } exports.Foo = Foo;`,
    "late.ts": `export class Foo {} export function bar() {}`,
    "main.ts": `import * as a from "./a.ts"; import * as b from "./b.ts"; import c from "./c.cjs"; const late = await import("./late.ts");
      export default [a.Foo.name, b.Foo.name, new b.Foo("x").name, c.Foo.name, late.Foo.name, a.bar(), b.bar(), late.bar.name, b.Own.name, typeof b.Called.name, b.expression.name];`,
  });
  const classes = ["Foo", "Foo", "Foo", "Foo", "Foo"];
  assert.equal(value, [...classes, "bar", "bar", "bar", "mine", "function", "_expression"]);
});

test("emitDecoratorMetadata is warned about", async () => {
  const { warnings } = await bundle(
    join(
      project({
        "deno.json": `{"compilerOptions":{"experimentalDecorators":true,"emitDecoratorMetadata":true}}`,
        "main.ts": `export default 1;`,
      }),
      "main.ts",
    ),
  );
  assert.match(warnings.join(), /deno\.json: emitDecoratorMetadata is not supported/);
});

test("WebAssembly and data: URLs are modules", async () => {
  const value = await evaluate({
    "add.wasm": Buffer.from("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=", "base64"),
    "main.ts": `import { add } from "./add.wasm"; import js from "data:text/javascript,export default 42"; import json from "data:application/json,[1]" with { type: "json" };
      import { t } from "data:application/typescript;base64,ZXhwb3J0IGNvbnN0IHQ6IG51bWJlciA9IDc7"; const code = "export default 44";
      export default [add(1, 2), js, json, t, (await import("data:text/javascript," + code)).default];`,
  });
  assert.equal(value, [3, 42, [1], 7, 44]);
});

test("computed imports: the program's own modules as they are, others from the disk, with the map, and what is missing", async () => {
  const value = await evaluate(
    {
      "deno.json": `{"imports":{"lib":"./lib.ts","/":"./","./":"./"}}`,
      "state.ts": `export const state = { n: 0 };`,
      "lib.ts": `import { state } from "./state.ts"; enum E { a = 4 } export const at: number = E.a + state.n;`,
      "routes/a.ts": `import { state } from "../state.ts"; import x from "lib2"; export default ["a", state.n, x, import.meta.main];`,
      "routes/d.json": `{"d":1}`,
      "node_modules/lib2/package.json": `{"name":"lib2","type":"module","exports":"./i.js"}`,
      "node_modules/lib2/i.js": `export default "lib2";`,
      "src/main.ts": `import { state } from "../state.ts"; state.n = 5; const seen: unknown[] = [];
      for (const name of ["lib", "../routes/a.ts", import.meta.resolve("/state.ts"), "node:path"]) seen.push(await import(name));
      const [lib, a, same, path] = seen as any[]; const again = await import(new URL("../routes/a.ts", import.meta.url).href);
      const json = await import("../routes/" + "d.json", { with: { type: "json" } });
      const dir = import.meta.dirname; const text = await import(\`\${dir}/../routes/d.json\`, { with: { type: "text" } });
      const errors = await Promise.all(["none", "./none.ts", "https://example.com/x.ts"].map((name) => import(name).catch((e: any) => e.name + " " + e.code)));
      export default [lib.at, a.default, again === a, same.state === state, path.default.sep, json.default, text.default, errors];`,
    },
    "src/main.ts",
  );
  const missing = "TypeError ERR_MODULE_NOT_FOUND";
  const a = ["a", 5, "lib2", false];
  assert.equal(value, [9, a, true, true, "/", { d: 1 }, `{"d":1}`, [missing, missing, missing]]);
});

test("several computed imports at once", async () => {
  const names = Array.from({ length: 6 }, (_, n) => `./late${n}.ts`);
  const value = await evaluate({
    ...Object.fromEntries(
      names.map((name, n) => [name, `import { log } from "./log.ts"; log.push(${n}); export default ${n};`]),
    ),
    "log.ts": `export const log: number[] = [];`,
    "main.ts": `import { log } from "./log.ts"; const names = Array.from({ length: 6 }, (_, n) => "./late" + n + ".ts").map(String);
      const all = await Promise.all(names.map((name) => import(name))); export default [all.map((one) => one.default), log.sort()];`,
  });
  assert.equal(value, [
    [0, 1, 2, 3, 4, 5],
    [0, 1, 2, 3, 4, 5],
  ]);
});

test("import.meta.resolve asks the map, and says what it does not know", async () => {
  const folder = project({
    "deno.json": `{"imports":{"lib":"./lib/o.ts","lib/":"./lib/","os":"node:os"}}`,
    "main.ts": `const { resolve } = import.meta; let error; try { resolve("nope") } catch (e) { error = (e as Error).name }
      export default [resolve("lib"), resolve("lib/a.ts"), resolve("./x.ts"), resolve("os"), resolve("node:fs"), resolve("https://a.b/c"), error];`,
  });
  const { default: value } = await loadBundle(await bundle(join(folder, "main.ts")));
  const url = `file://${folder}`;
  const own = [`${url}/lib/o.ts`, `${url}/lib/a.ts`, `${url}/x.ts`];
  assert.equal(value, [...own, "node:os", "node:fs", "https://a.b/c", "TypeError"]);
});

test("the command line names another file, a map, or none", async () => {
  const folder = project({
    "deno.json": JSON.stringify({ imports: { "#x": "./near.ts" } }),
    "other/deno.json": JSON.stringify({ imports: { "#x": "./there.ts", "#y": "./there.ts" } }),
    "maps/map.json": JSON.stringify({ imports: { "#x": "../mapped.ts" } }),
    "near.ts": `export default "near";`,
    "other/there.ts": `export default "there";`,
    "mapped.ts": `export default "mapped";`,
    "main.ts": `import x from "#x"; export default x;`,
  });
  const value = async (asked: AskedProject) => {
    askProject(asked);
    try {
      return (await loadBundle(await bundle(join(folder, "main.ts")))).default;
    } finally {
      askProject({});
    }
  };
  const [config, importMap] = [join(folder, "other/deno.json"), join(folder, "maps/map.json")];
  assert.is(await value({}), "near");
  assert.is(await value({ config }), "there");
  assert.is(await value({ importMap }), "mapped");
  assert.is(await value({ config, importMap }), "mapped");
  assert.is(await value({ config: false, importMap }), "mapped");
  let failure = "";
  await value({ config: false }).catch((error: Error) => (failure = error.message));
  assert.match(failure, /Could not resolve "#x"/);
});

test.run();
