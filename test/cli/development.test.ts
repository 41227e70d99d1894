// What `run` does for the person who looks at it (--dev, a terminal): requests, the error in the browser; and where it
// finds the program: a folder, standard input.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, run, start, startServer, temporaryFolder } from "../support/process.ts";

test.after(endProcesses);

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
mkdirSync(join(folder, "shop"));
mkdirSync(join(folder, "lib"));
write("lib/a.ts", "export const a: number = 5;\nexport const b = 6;\n");
write(
  "shop/main.tsx",
  `interface Order { id: number }
function fail(order: Order): never {
  throw new Error("no <b>database</b> for " + order.id, { cause: new TypeError("inner") });
}
export default {
  fetch(request: Request) {
    if (request.url.endsWith("/fail")) fail({ id: 3 });
    return new Response("hello");
  },
};
`,
);
const html = { accept: "text/html,application/xhtml+xml" };

test("a folder's server in development: requests are shown, a browser sees the error and where it is", async () => {
  const env = { FORCE_COLOR: "1", NO_COLOR: undefined };
  const command = [...fromSource, "run", "shop", "--dev", "--port", "0", "--host", "127.0.0.1"];
  const server = start(command, { cwd: folder, env });
  const [, url] = await server.saw(/Listening on\x1b\[22m \x1b\[36m(http:\S+?)\x1b/);
  const get = (path: string, headers: Record<string, string> = {}) => fetch(new URL(path, url), { headers });
  assert.is(await (await get("/%0aX?q=1")).text(), "hello");
  const page = await get("/fail", html);
  assert.is(page.status, 500);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  const text = await page.text();
  assert.match(text, /<h1>Error: no &#60;b&#62;database&#60;\/b&#62; for 3<\/h1>/);
  assert.match(text, /shop\/main\.tsx:3:9/);
  assert.match(text, /<mark><b> {4}3<\/b> {3}throw new Error/);
  assert.match(text, /<strong>at Object\.fetch \(\S+shop\/main\.tsx:7:\d+\)<\/strong>/);
  assert.match(text, /<h1>TypeError: inner<\/h1>/);
  // Programs, and what came through a proxy or a tunnel.
  for (const headers of [{}, { ...html, "x-forwarded-for": "192.0.2.1" }, { ...html, forwarded: "for=192.0.2.1" }]) {
    const plain = await get("/fail", headers);
    assert.is(await plain.text(), "Internal Server Error");
    assert.is(plain.status, 500);
  }
  const { stderr, code } = await server.stop();
  assert.is(code, 0);
  assert.match(stderr, /Limits \x1b\[22m read 30s, write 30s, idle 2m, body 64MiB/);
  assert.match(stderr, /Running\x1b\[22m slipway \S+, (uring|epoll), node /);
  assert.match(stderr, /\x1b\[1mGET \x1b\[22m \/%0aX\?q=1 \x1b\[32m200\x1b\[39m \x1b\[2m[\d.]+ ms/);
  assert.match(stderr, /GET \x1b\[22m \/fail \x1b\[31m500\x1b/);
});

test("anywhere else there is none of it, whatever colours are forced", async () => {
  const env = { FORCE_COLOR: "1" };
  const command = [...fromSource, "run", "shop/main.tsx", "--port", "0", "--host", "127.0.0.1"];
  const server = await startServer(command, { cwd: folder, env });
  const page = await fetch(`http://127.0.0.1:${server.port}/fail`, { headers: html });
  assert.is(await page.text(), "Internal Server Error");
  const { stderr } = await server.stop();
  assert.match(stderr, /^Listening on \S+\n\{"level":"error"/);
  assert.not.match(stderr, /\x1b|GET/);
});

test("--no-access-log keeps requests quiet, NO_COLOR has no colours, and JSON has no banner", async () => {
  const command = [...fromSource, "run", "shop", "--dev", "--port", "0", "--host", "127.0.0.1"];
  const env = { NO_COLOR: "1", FORCE_COLOR: undefined };
  const server = start([...command, "--no-access-log"], { cwd: folder, env });
  const [, url] = await server.saw(/^Listening on (http:\S+)\nLimits /m);
  await (await fetch(url)).text();
  const { stderr } = await server.stop();
  assert.not.match(stderr, /\x1b|GET/);
  const json = start([...command, "--log-format", "json"], { cwd: folder, env });
  await json.saw(/^\{"level":"info".*Listening on/m);
  assert.not.match((await json.stop()).stderr, /Limits/);
});

test("standard input is a program, whose imports start here", async () => {
  const input = `import { a } from "./lib/a.ts";\nconsole.log(a as number, Deno.args.join(), import.meta.main);\n`;
  const { stdout, stderr, code } = await run([...fromSource, "run", "-", "--", "x", "--y"], { cwd: folder, input });
  assert.is(stderr, "");
  assert.is(stdout, "5 x,--y true\n");
  assert.is(code, 0);
  const empty = await run([...fromSource, "run", "-"], { cwd: folder, input: " " });
  assert.match(empty.stderr, /^slipway: standard input is empty: pipe the program in/);
  assert.is(empty.code, 1);
});

test("what an import does not find, its module has other names for", async () => {
  write("miss.ts", 'import { c } from "./lib/a.ts";\nconsole.log(c);\n');
  const { stderr, code } = await run([...fromSource, "run", "miss.ts"], { cwd: folder });
  assert.match(stderr, /^miss\.ts:1:10: No matching export in "lib\/a\.ts" for import "c": it exports a, b\n/);
  assert.is(code, 1);
});

test("what is thrown as the program loads is shown in its file", async () => {
  write("top.ts", 'function f() {\n\tthrow new Error("top");\n}\nf();\n');
  const { stderr } = await run([...fromSource, "run", "top.ts"], { cwd: folder });
  assert.match(stderr, /Error: top\n.*top\.ts:2:8[\s\S]*\n> 2 \| \tthrow new Error\("top"\);\n {4}\| \t {6}\^\n/);
});

test.run();
