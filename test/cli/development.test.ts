// What `run` does for the person who looks at it (--dev, a terminal): requests, the error in the browser; and where it
// finds the program: a folder, standard input.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BundleError, bundle, stopEsbuild } from "../../src/bundle/mod.ts";
import { lanAddresses } from "../../src/cli/dev/banner.ts";
import { authorStack, codeFrame } from "../../src/cli/dev/code-frame.ts";
import { endProcesses, fromSource, run, start, startServer, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

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
  // What would open a browser notes what it was given.
  mkdirSync(join(folder, "bin"));
  writeFileSync(
    join(folder, "bin/xdg-open"),
    `#!/bin/sh\necho "$1" > ${folder}/opened.part && mv ${folder}/opened.part ${folder}/opened\n`,
    { mode: 0o755 },
  );
  const env = { FORCE_COLOR: "1", NO_COLOR: undefined, PATH: `${folder}/bin:${process.env.PATH}` };
  const command = [...fromSource, "run", "shop", "--dev", "--open", "--port", "0", "--host", "127.0.0.1"];
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
  for (let tries = 0; !existsSync(join(folder, "opened")); tries++) {
    assert.ok(tries < 500, "nothing was opened");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.is(readFileSync(join(folder, "opened"), "utf8"), `${url}\n`);
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

test("--no-access-log keeps requests quiet, and NO_COLOR has no colours", async () => {
  const command = [...fromSource, "run", "shop", "--dev", "--port", "0", "--host", "127.0.0.1"];
  const env = { NO_COLOR: "1", FORCE_COLOR: undefined };
  const server = start([...command, "--no-access-log", "--log-format", "text"], { cwd: folder, env });
  const [, url] = await server.saw(/^Listening on (http:\S+)\nLimits /m);
  await (await fetch(new URL("/fail", url))).text();
  const { stderr } = await server.stop();
  assert.not.match(stderr, /\x1b|GET/);
  // As text, for people, errors have the author's frames and lines alone.
  assert.match(stderr, /error slipway: the handler failed: Error: no [\s\S]* > 3 \| {3}throw new Error/);
  assert.not.match(stderr, /service\.ts/);
});

const terminal = spawnSync("script", ["--version"]).status === 0 && process.platform === "linux";
if (!terminal) skip(test, "at a terminal", "script(1) of util-linux is not installed");
else {
  test("at a terminal it is so by itself, in four lines with the admin port; in production it is not", async () => {
    const words = [...fromSource, "run", "shop", "--port", "0", "--host", "127.0.0.1", "--admin", "127.0.0.1:0"];
    const shell = words.map((word) => `'${word}'`).join(" ");
    const at = (env: Record<string, string | undefined>) =>
      start(["script", "-qec", `exec ${shell}`, "/dev/null"], { cwd: folder, env: { NO_COLOR: "1", ...env } });
    const person = at({ NODE_ENV: undefined, FORCE_COLOR: undefined });
    await person.saw(/Running slipway/);
    const production = at({ NODE_ENV: "production", FORCE_COLOR: undefined });
    await production.saw(/Listening on/);
    // What script(1) starts ends with its terminal.
    for (const { child } of [person, production]) child.kill();
    const [shown, quiet] = await Promise.all([person.finished, production.finished]);
    const lines = shown.stdout.split(/\r?\n/).filter((line) => line !== "");
    assert.equal(
      lines.slice(0, 4).map((line) => line.split(" ")[0]),
      ["Admin", "Listening", "Limits", "Running"],
      shown.stdout,
    );
    assert.not.match(quiet.stdout, /Limits/);
  });
}

test("standard input is a program, whose imports start here", async () => {
  const input = `import { a } from "./lib/a.ts";\nconsole.log(a as number, Deno.args.join(), import.meta.main);\n`;
  const { stdout, stderr, code } = await run([...fromSource, "run", "-", "--", "x", "--y"], { cwd: folder, input });
  assert.is(stderr, "");
  assert.is(stdout, "5 x,--y true\n");
  assert.is(code, 0);
});

test("what an import does not find, its module has other names for", async () => {
  write("miss.ts", 'import { c } from "./lib/a.ts";\nconsole.log(c);\n');
  const error = await bundle(join(folder, "miss.ts")).catch((error: unknown) => error);
  await stopEsbuild();
  assert.instance(error, BundleError);
  assert.is((error as Error).message, 'miss.ts:1:10: No matching export in "lib/a.ts" for import "c": it exports a, b');
});

test("code around a place: the author's own, never a package's, and nothing where the file is gone", () => {
  write("top.ts", 'function f() {\n\tthrow new Error("top");\n}\nf();\n');
  const frames = (...files: string[]) => `Error: top${files.map((file) => `\n    at f (${file})`).join("")}`;
  const own = `${folder}/top.ts:2:8`;
  const frame = '  1 | function f() {\n> 2 | \tthrow new Error("top");\n    | \t      ^\n  3 | }';
  assert.is(codeFrame(frames(`${folder}/node_modules/x/i.js:1:1`, "node:fs:1:2", `file://${own}`)), frame);
  const inner = ["slipway:/src/http/service.ts:1:1", "node:internal/x:1:2", `${folder}/node_modules/x/i.js:1:1`];
  const all = frames(own, ...inner);
  assert.is(authorStack(all), `${frames(own, inner[2])}\n${frame.replace(/^/gm, "    ")}`);
  assert.is(authorStack(frames(...inner)), frames(...inner));
  assert.is(codeFrame(frames(`${folder}/gone.ts:2:8`)), "");
  assert.is(codeFrame(frames(`${folder}/top.ts:200:8`)), "");
  assert.is(codeFrame("Error: top"), "");
});

test("addresses for other machines, only where every interface is listened on", () => {
  const one = { address: "192.0.2.7", family: "IPv4", internal: false, netmask: "", mac: "", cidr: null } as const;
  const interfaces = { lo: [{ ...one, address: "127.0.0.1", internal: true }], eth0: [one] };
  const near = (hostname: string) =>
    lanAddresses("https://localhost:8443/", { transport: "tcp", hostname, port: 0 }, interfaces);
  assert.equal(near("0.0.0.0"), ["https://192.0.2.7:8443/"]);
  assert.equal(near("127.0.0.1"), []);
});

test.run();
