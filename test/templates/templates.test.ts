// time limit: 300 s
// Each template, as a user meets it: scaffolded, type-checked with nothing installed, its own test, run, compiled.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket as WebSocketClient } from "ws";
import { templates } from "../../src/cli/templates.ts";
import { slipwayBinary } from "../support/binary.ts";
import {
  endProcesses,
  fromSource,
  repository,
  run,
  type Server,
  startServer,
  temporaryFolder,
} from "../support/process.ts";

const folder = temporaryFolder();

/** What the proxy of its template stands in front of. */
const application = createServer((request, response) => response.end(`application ${request.url}\n`));
await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
application.unref();
process.env["UPSTREAMS"] = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
const bin = join(repository, "node_modules", ".bin");

/** What a server made from a template must do. */
const checks: Record<string, (server: Server) => Promise<void>> = {
  async minimal(server) {
    assert.is(await text(`${server.url}/there`), "Hello from /there\n");
  },
  async http(server) {
    const page = await fetch(server.url);
    assert.is(page.headers.get("content-type"), "text/html; charset=utf-8");
    assert.match(await page.text(), /<h1>.+ is running<\/h1>/);
    assert.match(await text(`${server.url}/api/time`), /^\{"now":"20/);
    const echo = await fetch(`${server.url}/api/echo`, { method: "POST", body: '{"a":[1,2]}' });
    assert.equal(await echo.json(), { you: { a: [1, 2] } });
    assert.is((await fetch(`${server.url}/api/echo`, { method: "POST", body: "{" })).status, 400);
    assert.is(await text(`${server.url}/api/count`), "1\n2\n3\n4\n5\n");
    assert.is((await fetch(`${server.url}/nowhere`)).status, 404);
  },
  async proxy(server) {
    assert.is(await text(`${server.url}/edge`), "the edge is up\n");
    assert.is(await text(`${server.url}/a/b?c`), "application /a/b?c\n");
  },
  async static(server) {
    const page = await fetch(server.url);
    assert.match(await page.text(), /<h1>.+ is running<\/h1>/);
    assert.is(page.headers.get("content-security-policy"), "default-src 'self'");
    assert.match(await text(`${server.url}/about`), /public\/about\.html/);
    const again = await fetch(server.url, { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
    assert.is(again.status, 304);
    const none = await fetch(`${server.url}/nowhere`, { headers: { accept: "text/html" } });
    assert.is(none.status, 404);
    assert.match(await none.text(), /no such page/);
    const part = await fetch(`${server.url}/robots.txt`, { headers: { range: "bytes=5-9" } });
    assert.is(part.status, 206);
    assert.is(await part.text(), "agent");
    assert.is((await fetch(`${server.url}/server.ts`)).status, 404);
    assert.is((await fetch(`${server.url}/..%2fserver.ts`)).status, 404);
  },
  async api(server) {
    const headers = { "content-type": "application/json" };
    const made = await fetch(`${server.url}/notes`, { method: "POST", body: '{"title":"milk"}', headers });
    assert.is(made.status, 201);
    const { id } = (await made.json()) as { id: number };
    assert.match(await text(`${server.url}/notes`), /"title":"milk"/);
    assert.is((await fetch(`${server.url}/notes`, { method: "POST", body: "{}", headers })).status, 422);
    const large = JSON.stringify({ title: "x", text: "x".repeat(100_000) });
    assert.is((await fetch(`${server.url}/notes`, { method: "POST", body: large, headers })).status, 413);
    assert.is((await fetch(`${server.url}/notes/${id}`, { method: "DELETE" })).status, 204);
    assert.match(await text(`${server.url}/openapi.json`), /"openapi":"3\.1\.0"/);
  },
  async websocket(server) {
    assert.match(await text(server.url), /new WebSocket\(/);
    const ann = await guest(server, "Ann");
    const bob = await guest(server, "Bob");
    bob.send('{"type":"say","text":"hello there"}');
    await ann.hears(/"said","name":"Bob","text":"hello there"/);
    bob.close();
    await ann.hears(/"left","name":"Bob"/);
    const elsewhere = { origin: "http://elsewhere.example", upgrade: "websocket", connection: "upgrade" };
    assert.is(await statusOf(`${server.url}/chat`, elsewhere), 403);
    ann.close();
  },
  async tcp(server) {
    const ann = person(server.port, "Ann");
    await ann.hears(/Hello Ann/);
    const bob = person(server.port, "Bob");
    await ann.hears(/\* Bob came/);
    bob.says("hello there");
    await ann.hears(/Bob: hello there/);
    bob.leaves();
    await ann.hears(/\* Bob left/);
    ann.leaves();
  },
};

/** What `compile` is told besides. */
const includes: Record<string, string[]> = { static: ["--include", "public"] };

for (const template of Object.keys(templates)) {
  const tests = suite(template);
  const home = join(folder, template);
  mkdirSync(home);

  tests("new says what to do next, in four lines", async () => {
    const { code, stdout, stderr } = await run([...fromSource, "new", "shop", "--template", template], { cwd: home });
    assert.is(code, 0, stderr);
    assert.equal(stdout.split("\n"), [
      `Made shop/ from the template ${template}.`,
      "  cd shop && slipway run server.ts --watch",
      "  slipway test",
      ["  slipway compile server.ts -o shop", ...(includes[template] ?? [])].join(" "),
      "",
    ]);
  });
  let scaffolded: string[] = [];
  const read = (name: string) => readFileSync(join(home, "shop", name), "utf8");
  tests("has what a project needs, with its name filled in", () => {
    const files = readdirSync(join(home, "shop"));
    scaffolded = files.toSorted();
    for (const name of [
      "server.ts",
      "server.test.ts",
      "README.md",
      "package.json",
      "deno.json",
      "tsconfig.json",
      "slipway.d.ts",
      ".gitignore",
    ]) {
      assert.ok(files.includes(name), name);
    }
    const left = files
      .filter((name) => statSync(join(home, "shop", name)).isFile())
      .filter((name) => /\bNAME\b|__NAME|NAME__|\bTODO\b/.test(read(name)));
    assert.equal(left, [], "nothing of a placeholder is left, also not as a formatter may have made of it");
    assert.match(read("README.md"), /^# shop\n\n\S/);
    assert.is(JSON.parse(read("package.json")).name, "shop");
    assert.ok(read("README.md").split("\n").length <= 45, "a screen");
    assert.match(read("README.md"), /^slipway test$/m);
  });
  tests("its pages' tables stand in columns", () => {
    for (const page of ["README.md", "deploy/README.md"].filter((name) => existsSync(join(home, "shop", name))))
      for (const [table] of read(page).matchAll(/(?:^\|.*\n)+/gm))
        assert.is(
          new Set(
            table
              .trimEnd()
              .split("\n")
              .map((row) => row.length),
          ).size,
          1,
          `${page}:\n${table}`,
        );
  });
  tests("types check with nothing installed", async () => {
    const { code, stdout } = await run([join(bin, "tsc"), "--noEmit"], { cwd: join(home, "shop") });
    assert.is(stdout, "");
    assert.is(code, 0);
  });
  tests("its own tests pass", async () => {
    const { code, stdout, stderr } = await run([...fromSource, "test"], { cwd: join(home, "shop") });
    assert.is(code, 0, stdout + stderr);
    assert.match(stdout, /ok \| [1-9]\d* passed \| 0 failed/);
  });
  // The package.json of all is one, and so is what runs it: once is enough.
  const once: (name: string, run: () => Promise<void>) => void = template === "http" ? tests : () => {};
  once("a signal to npm start ends the server", async () => {
    const path = join(home, "bin");
    mkdirSync(path);
    writeFileSync(join(path, "slipway"), `#!/bin/sh\nexec ${fromSource.map((word) => `'${word}'`).join(" ")} "$@"\n`, {
      mode: 0o755,
    });
    const env = { PATH: `${path}:${process.env.PATH}`, SLIPWAY_PORT: "0" };
    const server = await startServer(["npm", "start"], { cwd: join(home, "shop"), env });
    // npm's own code differs, and so does what it prints; that its output ends says that the server has.
    await server.stop();
    assert.not.ok(await accepts(server.port));
  });
  once("runs from source", () => serves([...fromSource, "run", "server.ts", "--port", "0"], join(home, "shop")));

  tests("the binary alone scaffolds, runs and compiles it, and the result runs alone", async () => {
    const binary = await slipwayBinary();
    const empty = join(home, "binary");
    mkdirSync(empty);
    const env = { PATH: undefined, HOME: undefined, NODE_OPTIONS: undefined };
    const made = await run([binary, "new", "shop", "--template", template], { cwd: empty, env });
    assert.is(made.code, 0, made.stderr);
    const project = join(empty, "shop");
    assert.equal(readdirSync(project).sort(), scaffolded);
    await serves([binary, "run", "server.ts", "--port", "0"], project, env);
    const compiled = await run([binary, "compile", "server.ts", "-o", "shop", ...(includes[template] ?? [])], {
      cwd: project,
      env,
    });
    assert.is(compiled.code, 0, compiled.stderr);
    assert.ok(existsSync(join(project, "shop")));
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere);
    await serves([join(project, "shop"), "--port", "0"], elsewhere, env);
    // Worker threads load what is kept apart in the executable in a way of their own.
    const apart = template === "static" || template === "proxy";
    if (apart) await serves([join(project, "shop"), "--port", "0", "--parallel", "2"], elsewhere, env);
  });
  tests.after(endProcesses);
  tests.run();

  async function serves(command: string[], cwd: string, env?: Record<string, undefined>): Promise<void> {
    const server = await startServer(command, { cwd, env });
    await checks[template](server);
    assert.is((await server.stop()).code, 0, server.stderr());
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

const text = async (url: string) => (await fetch(url)).text();

/** By node:http, which lets us say any Origin. */
function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject).end();
  });
}

/** Somebody in the browser's chat, by a client that is not ours. */
async function guest(server: Server, name: string) {
  const socket = new WebSocketClient(`${server.url.replace("http", "ws")}/chat`);
  let heard = "";
  let check = () => {};
  socket.on("message", (data) => {
    heard += data;
    check();
  });
  const hears = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      socket.on("close", () => reject(new Error(`closed; heard ${heard}`)));
      check = () => {
        if (pattern.test(heard)) resolve();
      };
      check();
    });
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  socket.send(JSON.stringify({ type: "join", name }));
  await hears(/"welcome"/);
  return { hears, send: (text: string) => socket.send(text), close: () => socket.close() };
}

/** Somebody in the chat. */
function person(port: number, name: string) {
  let heard = "";
  let check = () => {};
  const socket = connect(port, "127.0.0.1", () => socket.write(`${name}\n`));
  socket.on("data", (chunk) => {
    heard += chunk;
    check();
  });
  return {
    says: (line: string) => void socket.write(`${line}\n`),
    leaves: () => void socket.end(),
    hears: (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        socket.on("close", () => reject(new Error(`closed; heard ${JSON.stringify(heard)}`)));
        check = () => {
          if (pattern.test(heard)) resolve();
        };
        check();
      }),
  };
}
