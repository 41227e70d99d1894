// time limit: 240 s
// The command line of a compiled server, and what of ours must work the same in the binary: watch, version, errors.
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import manifest from "../../package.json" with { type: "json" };
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, run, startServer, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const env = { PATH: undefined, HOME: undefined, NODE_OPTIONS: undefined };
const binary = await slipwayBinary();
const shop = join(folder, "shop");
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
// A kept connection may end, as the version that it led to does, just as it is used again.
const text = async (url: string) => (await fetch(url, { headers: { connection: "close" } })).text();

const compiled = suite("a compiled server");
compiled.before(async () => {
  write("server.ts", "export default { fetch: () => Response.json(Deno.args) };");
  const { code, stderr, stdout } = await run([binary, "compile", "server.ts", "-o", "shop"], { cwd: folder, env });
  assert.is(code, 0, stderr);
  assert.match(stdout, /^shop {2}\d+\.\d MB\n$/);
});

async function fails(args: string[], code: number, expected: RegExp, more: Record<string, string> = {}): Promise<void> {
  const { code: actual, stdout, stderr } = await run([shop, ...args], { cwd: folder, env: { ...env, ...more } });
  assert.match(stderr, expected);
  assert.is(actual, code);
  assert.is(stdout, "");
  assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
}

compiled("--help", async () => {
  const { code, stdout, stderr } = await run([shop, "--help"], { cwd: folder, env });
  assert.is(code, 0);
  assert.is(stderr, "");
  assert.match(stdout, /^Usage: shop \[options\]/);
  for (const flag of ["--port", "--host", "--unix", "--read-timeout", "--print-config", "--version", "--help"])
    assert.ok(stdout.includes(flag), flag);
});
compiled("--print-config shows each option and where it came from", async () => {
  const { code, stdout } = await run([shop, "--read-timeout", "2m", "--print-config"], {
    cwd: folder,
    env: { ...env, SLIPWAY_IDLE_TIMEOUT: "90s" },
  });
  assert.is(code, 0);
  assert.match(stdout, /^readTimeout +2m +flag --read-timeout$/m);
  assert.match(stdout, /^idleTimeout +90s +environment SLIPWAY_IDLE_TIMEOUT$/m);
  assert.match(stdout, /^writeTimeout +30s +default$/m);
});
compiled("an option that is none, and one with a bad value", async () => {
  await fails(
    ["--red-timeout", "1s"],
    2,
    /^shop: unknown option '--red-timeout' \(did you mean --read-timeout\?\); see/,
  );
  await fails(["--read-timeout", "0"], 2, /^shop: --read-timeout must not be 0: write "none" for no limit\n$/);
});
compiled("--healthcheck asks the admin port of the server that runs", async () => {
  const socket = join(folder, "admin.sock");
  const server = await startServer([shop, "--port", "0", "--admin", `unix:${socket}`], { cwd: folder, env });
  const asked = await run([shop, "--healthcheck", "--admin", `unix:${socket}`], { cwd: folder, env });
  assert.is(asked.code, 0, asked.stderr);
  await server.stop();
  const unhealthy = /^shop: unhealthy: unix:.*admin\.sock: connect ENOENT/;
  await fails(["--healthcheck"], 1, unhealthy, { SLIPWAY_ADMIN: `unix:${socket}` });
  // Something else than ours.
  const other = createServer((connection) => connection.end("SSH-2.0-x\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  await fails(["--healthcheck", "--admin", `127.0.0.1:${port}`], 1, /answered nothing that is HTTP/);
  other.close();
  await fails(["--healthcheck"], 2, /--healthcheck asks the admin port: say which/);
});
compiled("a form that --print-config does not have", () =>
  fails(["--print-config=xml"], 2, /^shop: --print-config=xml is no form of it: .*=json; see shop --help\n$/),
);
compiled("--version", async () => {
  const { code, stdout } = await run([shop, "--version"], { cwd: folder, env });
  assert.is(code, 0);
  assert.is(stdout, `shop (slipway ${manifest.version}, node ${process.versions.node})\n`);
});
compiled("--port 0, arguments of its own, and a graceful end", async () => {
  const server = await startServer([shop, "--port", "0", "--", "a", "--b"], { cwd: folder, env });
  assert.is(await text(server.url), '["a","--b"]');
  assert.is((await server.stop("SIGINT")).code, 0);
});
compiled("-p and --host", async () => {
  const server = await startServer([shop, "-p", "0", "--host", "127.0.0.1"], { cwd: folder, env });
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:/);
  await server.stop();
});
compiled("the environment", async () => {
  const server = await startServer([shop], { cwd: folder, env: { ...env, SLIPWAY_PORT: "0", SLIPWAY_HOST: "::1" } });
  assert.match(server.url, /^http:\/\/\[::1\]:/);
  await server.stop();
});
compiled("--unix, whose file goes with it", async () => {
  const path = join(folder, "shop.sock");
  const server = await startServer([shop, "--unix", path], { cwd: folder, env });
  assert.is(server.url, `unix:${path}`);
  const answer = await promisify(execFile)("curl", ["-sS", "--unix-socket", path, "http://localhost/"]);
  assert.is(answer.stdout, "[]");
  await server.stop();
  assert.not.ok(existsSync(path));
});
compiled("an unknown flag names the nearest", () =>
  fails(["--prot", "1"], 2, /^shop: unknown option '--prot' \(did you mean --port\?\); see shop --help\n$/),
);
compiled("an unexpected argument", () => fails(["start"], 2, /^shop: unexpected argument 'start'/));
compiled("a tool that ends by itself", async () => {
  write("tool.ts", "console.log('arguments:', ...Deno.args);");
  assert.is((await run([binary, "compile", "tool.ts", "-o", "tool"], { cwd: folder, env })).code, 0);
  const { code, stdout, stderr } = await run([join(folder, "tool"), "--", "--its-own"], { cwd: folder, env });
  assert.is(stderr, "");
  assert.is(stdout, "arguments: --its-own\n");
  assert.is(code, 0);
});
compiled("a failure's causes, with the author's own lines", async () => {
  write(
    "fails.ts",
    `interface Unused {}
export default { fetch(request: Request) {
  if (request.url.endsWith("/weird")) throw { weird: 1 };
  throw new Error("outer", { cause: new TypeError("inner") });
} };`,
  );
  assert.is((await run([binary, "compile", "fails.ts", "-o", "fails"], { cwd: folder, env })).code, 0);
  const command = [join(folder, "fails"), "--port", "0", "--log-format", "text"];
  const server = await startServer(command, { cwd: folder, env });
  assert.is((await fetch(server.url)).status, 500);
  const inner =
    /the handler failed: Error: outer\n {4}at .*fails\.ts:4:9[\s\S]*\n {2}Caused by: TypeError: inner\n.*fails\.ts:4:/;
  await server.saw(inner);
  assert.is((await fetch(`${server.url}/weird`)).status, 500);
  await server.saw(/slipway: the handler failed: \{ weird: 1 \}$/m);
  await server.stop();
});
compiled("a flag without its value", () => fails(["--port"], 2, /^shop: --port needs a value/));
compiled("a bad port", () => fails(["--port", "x"], 2, /^shop: --port must be a whole number/));
compiled("a value for a flag that takes none", () => fails(["--help=x"], 2, /^shop: --help takes no value/));
compiled("--unix with --port", () => fails(["--unix", "x", "--port", "1"], 2, /^shop: --unix and --port exclude/));
compiled("a bad variable", () => fails([], 2, /^shop: the environment's SLIPWAY_PORT/, { SLIPWAY_PORT: "x" }));
compiled("a port that is taken", async () => {
  const holder = createServer().listen(0, "0.0.0.0");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as { port: number };
  try {
    await fails(["--port", `${port}`], 1, new RegExp(`^shop: port ${port} on 0\\.0\\.0\\.0 is taken by`));
  } finally {
    holder.close();
  }
});
compiled.after(endProcesses);
compiled.run();

const same = suite("the binary");
same("version --verbose", async () => {
  const { code, stdout } = await run([binary, "version", "--verbose"], { cwd: folder, env });
  assert.is(code, 0);
  assert.match(stdout, new RegExp(`^slipway {2}${manifest.version}$`, "m"));
  assert.match(stdout, /^poller {3}\w+ \(the best that works here(; .+)?\)$/m);
  assert.ok(stdout.includes(binary));
});
same("a mistyped verb", async () => {
  const { code, stderr } = await run([binary, "rnu"], { cwd: folder, env });
  assert.is(code, 2);
  assert.match(stderr, /^slipway: unknown verb 'rnu' \(did you mean run\?\)/);
});
same("a syntax error", async () => {
  write("broken.ts", "const a = = 1;\n");
  const { code, stderr } = await run([binary, "run", "broken.ts"], { cwd: folder, env });
  assert.is(code, 1);
  assert.match(stderr, /^broken\.ts:1:11: Unexpected "="\n/);
});
same("an error as the program loads", async () => {
  write("throws.ts", "type A = 1;\nthrow new Error('no database');\n");
  const { code, stderr } = await run([binary, "run", "throws.ts"], { cwd: folder, env });
  assert.is(code, 1);
  assert.match(
    stderr,
    /^slipway: throws\.ts failed as it was loaded: Error: no database\n {4}at .*throws\.ts:2:7\)?\n(?:[ >].*\n)*$/,
  );
});
same("run --watch", async () => {
  const source = (version: string) => `export default { fetch: () => new Response("${version}") };\n`;
  write("watched.ts", source("one"));
  const server = await startServer([binary, "run", "watched.ts", "--watch", "--port", "0"], { cwd: folder, env });
  assert.is(await text(server.url), "one");
  write("watched.ts", source("two"));
  await server.saw(/restarted watched\.ts/);
  assert.is(await text(server.url), "two");
  write("watched.ts", "export default {{{\n");
  await server.saw(/watched\.ts:1:17[\s\S]*the version before goes on serving/);
  assert.is(await text(server.url), "two");
  assert.is((await server.stop()).code, 0);
});
same.after(endProcesses);
same.run();
