// time limit: 240 s
// `slipway run`: where it listens, what it prints, what it serves, how it ends.
import { execFile } from "node:child_process";
import { existsSync, lstatSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  endProcesses,
  fromSource,
  type RunOptions,
  run,
  start,
  startServer,
  temporaryFolder,
} from "../support/process.ts";

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const serve = (args: string[], options: RunOptions = {}) =>
  startServer([...fromSource, "run", ...args], { cwd: folder, ...options });
const text = async (url: string) => (await fetch(url)).text();
const curl = async (...args: string[]) =>
  (await promisify(execFile)("curl", ["-sS", "--max-time", "10", ...args])).stdout;

write(
  "good.ts",
  "export default { fetch: (request: Request) => new Response('ok ' + new URL(request.url).pathname) };",
);

/** Reads a socket until it has seen `pattern`. */
function heard(socket: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    socket.on("data", (chunk) => {
      all += chunk;
      if (pattern.test(all)) resolve(all);
    });
    socket.on("close", () => reject(new Error(`closed after ${JSON.stringify(all)}`)));
    socket.on("error", reject);
  });
}

const where = suite("where it listens");
where("--port 0 prints the port that it really got", async () => {
  const server = await serve(["good.ts", "--port", "0"]);
  assert.match(server.url, /^http:\/\/localhost:[1-9]\d*$/);
  assert.is(await text(`${server.url}/x`), "ok /x");
  assert.is(server.stdout(), "");
  assert.is((await server.stop()).code, 0);
});
where("--host", async () => {
  const server = await serve(["good.ts", "--port", "0", "--host", "127.0.0.1"]);
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:/);
  assert.is(await text(`${server.url}/x`), "ok /x");
  await server.stop();
});
where("IPv6", async () => {
  const server = await serve(["good.ts", "--port", "0", "--host", "::1"]);
  assert.match(server.url, /^http:\/\/\[::1\]:/);
  assert.is(await text(`${server.url}/x`), "ok /x");
  await server.stop();
});
where("the environment", async () => {
  const server = await serve(["good.ts"], { env: { SLIPWAY_PORT: "0", SLIPWAY_HOST: "127.0.0.1" } });
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:/);
  await server.stop();
});
where("the file", async () => {
  write("port.ts", "export default { port: 0, hostname: '127.0.0.1', fetch: () => new Response('p') };");
  const server = await serve(["port.ts"]);
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:/);
  assert.is(await text(server.url), "p");
  await server.stop();
});
where("a Unix socket, whose file goes with the server", async () => {
  const path = join(folder, "a.sock");
  const server = await serve(["good.ts", "--unix", path]);
  assert.is(server.url, `unix:${path}`);
  assert.is(await curl("--unix-socket", path, "http://localhost/x"), "ok /x");
  assert.is((await server.stop()).code, 0);
  assert.not.ok(existsSync(path));
});
where("a Unix socket that a killed server left behind is replaced", async () => {
  const path = join(folder, "stale.sock");
  const killed = await serve(["good.ts", "--unix", path]);
  await killed.stop("SIGKILL");
  assert.ok(lstatSync(path).isSocket());
  const server = await serve(["good.ts", "--unix", path]);
  assert.is(await curl("--unix-socket", path, "http://localhost/y"), "ok /y");
  await server.stop();
});
where("a Unix socket that somebody answers on is not", async () => {
  const path = join(folder, "busy.sock");
  const owner = createServer().listen(path);
  await new Promise((resolve) => owner.once("listening", resolve));
  const { code, stderr } = await run([...fromSource, "run", "good.ts", "--unix", path], { cwd: folder });
  owner.close();
  assert.is(code, 1);
  assert.match(stderr, /a server is already listening on .*busy\.sock: stop it, or choose another path with --unix\n$/);
});
where.after(endProcesses);
where.run();

const programs = suite("what it serves");
const serves = (name: string, source: string, expected: string) =>
  programs(name, async () => {
    const file = `${name.replaceAll(/\W+/g, "-")}.tsx`;
    write(file, source);
    const server = await serve([file, "--port", "0"]);
    assert.is(await text(`${server.url}/path`), expected);
    assert.is((await server.stop()).code, 0);
  });
serves("an object with fetch", "export default { fetch: () => new Response('object') };", "object");
serves("a function", "export default (request: Request) => new Response(request.method);", "GET");
serves("an async function", "export default async () => new Response(await Promise.resolve('later'));", "later");
serves(
  "an object whose fetch needs its this",
  "class App { greeting = 'from this'; fetch() { return new Response(this.greeting); } }\nexport default new App();",
  "from this",
);
serves(
  "a function with a fetch of its own",
  "const app = Object.assign(() => 1, { fetch: () => new Response('its own') });\nexport default app;",
  "its own",
);
serves(
  "onError beside fetch",
  "export default { fetch() { throw new Error('x'); }, onError: (error) => new Response('caught ' + error.message) };",
  "caught x",
);
programs("connect", async () => {
  write(
    "connect.ts",
    `export default { greeting: "hi", async connect(conn) {
      await conn.write(new TextEncoder().encode(this.greeting + "\\n"));
      const buffer = new Uint8Array(100);
      const count = await conn.read(buffer);
      await conn.write(buffer.subarray(0, count));
    } };`,
  );
  const server = await serve(["connect.ts", "--port", "0"]);
  assert.match(server.url, /^tcp:\/\/localhost:\d+$/);
  const socket = connect(server.port, "127.0.0.1");
  await heard(socket, /^hi\n/);
  socket.write("echo");
  await heard(socket, /echo/);
  await new Promise((resolve) => socket.once("end", resolve));
  socket.destroy();
  assert.is((await server.stop()).code, 0);
});
programs("a plain Deno program", async () => {
  write(
    "plain.ts",
    "Deno.serve({ port: 0, onListen: (addr) => console.log('port', addr.port) }, () => new Response('plain'));",
  );
  const server = start([...fromSource, "run", "plain.ts"], { cwd: folder });
  const [, port] = await server.saw(/port (\d+)/);
  assert.is(await text(`http://127.0.0.1:${port}`), "plain");
  await server.stop();
});
programs("a Deno program that names no address takes ours, and ends gracefully", async () => {
  write("plain-flags.ts", "Deno.serve(() => new Response('flags'));");
  const server = start([...fromSource, "run", "plain-flags.ts", "--port", "0", "--host", "127.0.0.1"], { cwd: folder });
  const [, url] = await server.saw(/Listening on (http:\/\/127\.0\.0\.1:\d+)\//);
  assert.is(await text(url), "flags");
  const { code, stderr } = await server.stop();
  assert.is(code, 0);
  assert.not.match(stderr, /change nothing/);
});
programs("a Deno program that names its address is not moved, and that is said", async () => {
  write("plain-named.ts", "Deno.serve({ port: 0 }, () => new Response('named'));");
  const server = start([...fromSource, "run", "plain-named.ts", "--port", "1"], { cwd: folder });
  const [, port] = await server.saw(/Listening on http:\/\/0\.0\.0\.0:(\d+)\/[\s\S]*chooses its own address: --port/);
  assert.is(await text(`http://127.0.0.1:${port}`), "named");
  await server.stop();
});
programs("a Deno program that listens to signals decides for itself", async () => {
  write(
    "plain-signal.ts",
    "Deno.addSignalListener('SIGTERM', () => { console.log('mine'); Deno.exit(9); });\nDeno.serve({ port: 0 }, () => new Response());",
  );
  const server = start([...fromSource, "run", "plain-signal.ts"], { cwd: folder });
  await server.saw(/Listening/);
  const { code, stdout } = await server.stop();
  assert.is(code, 9);
  assert.is(stdout, "mine\n");
});
programs("arguments of its own", async () => {
  write("args.ts", "export default { fetch: () => Response.json(Deno.args) };");
  const server = await serve(["args.ts", "--port", "0", "--", "a", "--flag", "-x"]);
  assert.is(await text(server.url), '["a","--flag","-x"]');
  await server.stop();
});
const tool = (name: string, source: string, code: number, stdout = "") =>
  programs(`a program that ends by itself: ${name}`, async () => {
    write("tool.ts", source);
    const {
      code: actual,
      stdout: printed,
      stderr,
    } = await run([...fromSource, "run", "tool.ts", "--", "--its-own"], {
      cwd: folder,
    });
    assert.is(stderr, "");
    assert.is(printed, stdout);
    assert.is(actual, code);
  });
tool("it prints", "console.log('arguments:', ...Deno.args);", 0, "arguments: --its-own\n");
tool("it prints without a word of Deno", "console.log('x');", 0, "x\n");
tool("it waits at its top level", "await new Promise((resolve) => setTimeout(resolve, 5));", 0);
tool("it waits later", "setTimeout(() => {}, 0);", 0);
tool("it uses a module of Node", "import { mkdirSync } from 'node:fs';\nmkdirSync('made');", 0);
tool("it uses Deno", "Deno.mkdirSync('made by Deno');", 0);
tool("it sets its exit code", "process.exitCode = 5;", 5);
programs("an import of a page as text", async () => {
  write("page.html", "<p>page");
  write(
    "asset.ts",
    'import page from "./page.html" with { type: "text" };\nexport default { fetch: () => new Response(page) };',
  );
  const server = await serve(["asset.ts", "--port", "0"]);
  assert.is(await text(server.url), "<p>page");
  await server.stop();
});
programs.after(endProcesses);
programs.run();

const ending = suite("how it ends");
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  ending(`${signal} lets a running request finish, then exits with 0`, async () => {
    write(
      "slow.ts",
      `let release;
      export default { async fetch(request) {
        if (new URL(request.url).pathname === "/release") { release(); return new Response("released"); }
        const done = new Promise((resolve) => (release = resolve));
        process.on("${signal}", () => release());
        console.log("in handler");
        await done;
        return new Response("finished");
      } };`,
    );
    const server = await serve(["slow.ts", "--port", "0"]);
    const response = text(server.url);
    await server.saw(/in handler/);
    server.child.kill(signal);
    assert.is(await response, "finished");
    assert.is((await server.finished).code, 0);
  });
}
ending("a second signal ends it at once", async () => {
  write("never.ts", "export default { fetch() { console.log('in handler'); return new Promise(() => {}); } };");
  const server = await serve(["never.ts", "--port", "0"]);
  const response = text(server.url).catch(() => "cut");
  await server.saw(/in handler/);
  server.child.kill("SIGTERM");
  // The first signal has been seen once nobody accepts any more.
  while (await accepts(server.port)) await new Promise((resolve) => setTimeout(resolve, 10));
  server.child.kill("SIGTERM");
  const { code } = await server.finished;
  assert.is(code, 143);
  assert.is(await response, "cut");
});
ending("an idle connection does not hold it up", async () => {
  const server = await serve(["good.ts", "--port", "0"]);
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  await heard(socket, /ok \/x/);
  socket.on("error", () => {});
  assert.is((await server.stop()).code, 0);
  socket.destroy();
});
ending.after(endProcesses);
ending.run();

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
