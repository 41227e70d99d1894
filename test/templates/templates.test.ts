// time limit: 300 s
// Each template, as a user meets it: scaffolded, type-checked with nothing installed, its own test, run, compiled.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
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

for (const template of Object.keys(templates)) {
  const tests = suite(template);
  const home = join(folder, template);
  mkdirSync(home);

  tests("new says what to do next, in three lines", async () => {
    const { code, stdout, stderr } = await run([...fromSource, "new", "shop", "--template", template], { cwd: home });
    assert.is(code, 0, stderr);
    assert.equal(stdout.split("\n"), [
      `Made shop/ from the template ${template}.`,
      "  cd shop && slipway run server.ts --watch",
      "  slipway compile server.ts -o shop",
      "",
    ]);
  });
  const read = (name: string) => readFileSync(join(home, "shop", name), "utf8");
  tests("has what a project needs, with its name filled in", () => {
    const files = readdirSync(join(home, "shop"));
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
    const left = files.filter((name) => /\bNAME\b|__NAME|NAME__|\bTODO\b/.test(read(name)));
    assert.equal(left, [], "nothing of a placeholder is left, also not as a formatter may have made of it");
    assert.match(read("README.md"), /^# shop\n\n\S/);
    assert.is(JSON.parse(read("package.json")).name, "shop");
    assert.ok(read("README.md").split("\n").length <= 45, "a screen");
    assert.match(read("README.md"), /Node 22\.18 or newer \(`node --test`\), or Deno/);
  });
  tests("types check with nothing installed", async () => {
    const { code, stdout } = await run([join(bin, "tsc"), "--noEmit"], { cwd: join(home, "shop") });
    assert.is(stdout, "");
    assert.is(code, 0);
  });
  tests("its own test passes under Node", async () => {
    const { code, stdout } = await run([process.execPath, "--test", "server.test.ts"], { cwd: join(home, "shop") });
    assert.is(code, 0, stdout);
    assert.match(stdout, /^(#|ℹ) pass [1-9]/m);
  });
  tests("its own test passes under Deno, types and all", async () => {
    const env = { DENO_DIR: join(folder, "deno"), NO_COLOR: "1", PATH: `${bin}:${process.env.PATH}` };
    const { code, stdout, stderr } = await run([join(bin, "deno"), "test", "-A"], { cwd: join(home, "shop"), env });
    assert.is(code, 0, stdout + stderr);
    assert.match(stdout, /\| [1-9]\d* passed \| 0 failed/);
  });
  tests("a signal to npm start ends the server", async () => {
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
  tests("runs from source", () => serves([...fromSource, "run", "server.ts", "--port", "0"], join(home, "shop")));

  tests("the binary alone scaffolds, runs and compiles it, and the result runs alone", async () => {
    const binary = await slipwayBinary();
    const empty = join(home, "binary");
    mkdirSync(empty);
    const env = { PATH: undefined, HOME: undefined, NODE_OPTIONS: undefined };
    const made = await run([binary, "new", "shop", "--template", template], { cwd: empty, env });
    assert.is(made.code, 0, made.stderr);
    const project = join(empty, "shop");
    assert.equal(readdirSync(project).sort(), readdirSync(join(home, "shop")).sort());
    await serves([binary, "run", "server.ts", "--port", "0"], project, env);
    const compiled = await run([binary, "compile", "server.ts", "-o", "shop"], { cwd: project, env });
    assert.is(compiled.code, 0, compiled.stderr);
    assert.ok(existsSync(join(project, "shop")));
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere);
    await serves([join(project, "shop"), "--port", "0"], elsewhere, env);
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
