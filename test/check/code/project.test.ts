/** What is read: the entry and what it imports of the user's own, in every spelling; packages and types are not. */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { suite } from "uvu";
import { checkFiles, sourcesIn } from "../../../src/check/code/mod.ts";
import { assertMarked, checked, withFiles } from "./support/marked.ts";

const test = suite("check: the project");

const bad = 'export const load = () => fetch("https://example.com");\n';

test("relative imports, with and without endings, re-exports, import(), require() and workers are followed", async () => {
  const files = {
    "server.ts": `import "./a.ts";
import "./b.js";
import "./c";
import "./folder";
export * from "./d.ts";
export { load } from "./e.ts";
await import("./f.ts");
new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
import type { T } from "./types.ts";
import { type U } from "./types.ts";
`,
    "a.ts": bad,
    "b.ts": bad,
    "c.mjs": 'require("./old.cjs");\n',
    "folder/index.tsx": 'export const page = () => <a href="/">{fetch("https://example.com")}</a>;\n',
    "d.ts": bad,
    "e.ts": bad,
    "f.ts": bad,
    "old.cjs": "module.exports = fetch('https://example.com');\n",
    "worker.ts": bad,
    "types.ts": bad,
    "unrelated.ts": bad,
  };
  const { findings } = await checked(files);
  assert.deepEqual(findings.map(({ file }) => file.replace(/^.*slipway-check-\w+\//, "")).sort(), [
    "a.ts",
    "b.ts",
    "d.ts",
    "e.ts",
    "f.ts",
    "folder/index.tsx",
    "old.cjs",
    "worker.ts",
  ]);
});

test("deno.json's import map, tsconfig's paths and package.json's imports lead to sources; packages do not", async () => {
  const files = {
    "src/server.ts": 'import "mapped";\nimport "lib/one.ts";\nimport "@/two";\nimport "#three";\nimport "hono";\n',
    "deno.json": '{ "imports": { "mapped": "./mapped.ts", "lib/": "./lib/", "hono": "npm:hono@4", }, } // JSONC',
    "tsconfig.json": '{ "compilerOptions": { "paths": { "@/*": ["./app/*"] } } }',
    "package.json": '{ "imports": { "#three": "./three.js" } }',
    "mapped.ts": bad,
    "lib/one.ts": bad,
    "app/two.ts": bad,
    "three.js": bad,
    "node_modules/hono/index.js": bad,
  };
  const { findings } = await checked(files);
  assert.deepEqual(findings.map(({ file }) => file.replace(/^.*slipway-check-\w+\//, "")).sort(), [
    "app/two.ts",
    "lib/one.ts",
    "mapped.ts",
    "three.js",
  ]);
});

test("names are followed across files: through defaults, renames, namespaces, barrels and members", () =>
  assertMarked({
    "server.ts": `import one from "./one.ts";
import { renamed } from "./barrel.ts";
import * as all from "./barrel.ts";
export default {
  async fetch() {
    one(); // ! floating-promise
    renamed(); // ! floating-promise
    all.two(); // ! floating-promise
    all.group.three(); // ! floating-promise
    return new Response("ok");
  },
};
`,
    "barrel.ts": 'export { two as renamed } from "./two.ts";\nexport * from "./two.ts";\n',
    "one.ts": "export default async function one() {\n  await Promise.resolve();\n}\n",
    "two.ts": `export const two = async () => {
  await Promise.resolve();
};
export const group = { three: two };
`,
  }));

test("a local name that hides a global is the local one", () =>
  assertMarked(`export default {
  async fetch(request: Request) {
    const inner = async (fetch: (url: string) => Promise<string>) => await fetch("https://example.com");
    {
      const fetch = (url: string) => url;
      fetch("https://example.com");
    }
    await inner(async (url) => url);
    await fetch("https://example.com"); // ! fetch-without-timeout
    return new Response(request.url);
  },
};
`));

test("circles of imports and of names end", async () => {
  const { files } = await checked({
    "server.ts": 'import { a } from "./a.ts";\nconst x = y;\nconst y = x;\na(x);\nexport const b = a;\n',
    "a.ts": 'export { b as a } from "./server.ts";\nexport * from "./a.ts";\n',
  });
  assert.equal(files.length, 2);
});

test("a page's own code is not held to a server's rules", async () => {
  const { findings } = await checked({
    "client.tsx": `import { useEffect } from "react";
export const App = () => {
  useEffect(() => {
    fetch("https://example.com").then(console.log);
  });
  return <p>hi</p>;
};
`,
  });
  assert.deepEqual(findings, []);
});

test("all of today's syntax is read: decorators, using, satisfies, enums, import attributes, JSX", async () => {
  const { findings } = await checked({
    "server.tsx": `import page from "./page.html" with { type: "text" };
enum Color { Red = "red" }
namespace N { export const x = 1; }
function sealed(target: unknown) {}
@sealed
export class Service {
  accessor name = "x";
  #secret?: string;
  static { Service.prototype.name = "y"; }
  constructor(private readonly url: string, @sealed other?: string) {}
  *all<const T>(of: T[]): Generator<T> { yield* of; }
}
export abstract class Other<in out T> { abstract run(): T; }
export default {
  async fetch(request: Request) {
    await using stack = new AsyncDisposableStack();
    using one = stack as unknown as Disposable;
    label: for (;;) break label;
    const { a = 1, ...rest } = (await request.json()) as { a?: number } satisfies object;
    return new Response(<b>{page}{a}{String(rest)}{Color.Red}{N.x!}</b> as never);
  },
};
declare module "*.html" { const text: string; export default text; }
`,
    "page.html": "<p>",
  });
  assert.deepEqual(findings, []);
});

test("of a folder its sources are read, tests and what was generated left out", () =>
  withFiles(
    {
      "src/a.ts": bad,
      "src/a.test.ts": bad,
      "src/types.d.ts": "export {};",
      "node_modules/x/index.js": bad,
      "dist/a.js": bad,
      ".hidden/a.js": bad,
      "test/b.ts": bad,
      "README.md": "",
    },
    async (folder) => {
      const found = sourcesIn(folder);
      assert.deepEqual(
        found.map((path) => relative(folder, path)),
        ["src/a.ts"],
      );
      assert.equal((await checkFiles(found)).findings.length, 1);
    },
  ));

test("our own templates and the demo are clean", async () => {
  const root = `${import.meta.dirname}/../../..`;
  const { findings } = await checkFiles([...sourcesIn(`${root}/templates`), `${root}/scripts/demo.ts`]);
  assert.deepEqual(findings, []);
});

test.run();
