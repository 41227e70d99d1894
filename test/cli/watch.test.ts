// time limit: 240 s
// `slipway run --watch`: restarts on save; nobody who connects is ever refused or dropped.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../scripts/soak/port.ts";
import { endProcesses, fromSource, type Server, start, startServer, temporaryFolder } from "../support/process.ts";

let projects = 0;
const root = temporaryFolder();

/** A fresh project that answers with `version`. */
function project(version: string): { file: string; save(version: string): void; write(text: string): void } {
  const folder = join(root, `project-${projects++}`);
  mkdirSync(folder);
  const file = join(folder, "server.ts");
  const write = (text: string) => writeFileSync(file, text);
  const save = (text: string) => write(`export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`);
  save(version);
  return { file, save, write };
}

const watch = (file: string, ...args: string[]) => startServer([...fromSource, "run", file, "--watch", ...args]);

/** One request on a connection of its own: what came back, or why nothing did. */
function once(port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => (answer += text));
    socket.on("error", (error) => resolve(`failed: ${error.message}`));
    socket.on("end", () => {
      const [head, body] = answer.split("\r\n\r\n");
      resolve(head.startsWith("HTTP/1.1 200") ? body : `failed: ${JSON.stringify(answer)}`);
    });
  });
}

/** All that a connection says until its end. */
function hear(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    connect(port, "127.0.0.1")
      .on("data", (chunk) => (all += chunk))
      .on("error", reject)
      .on("end", () => resolve(all));
  });
}

/** Asks until the answer is `expected`; every other answer must be one of `until then`. */
async function becomes(server: Server, expected: string, ...before: string[]): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    const answer = await once(server.port);
    if (answer === expected) return;
    assert.ok(before.includes(answer), answer);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.unreachable(`never answered ${expected}:\n${server.stderr()}`);
}

/** The processes that a process has started, by /proc. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

test("clients that connect all the time are served through every restart", async () => {
  const { file, save } = project("v0");
  const server = await watch(file, "--port", "0");
  const seen = new Set<string>();
  const failures: string[] = [];
  let hammering = true;
  const hammer = async () => {
    while (hammering) {
      const answer = await once(server.port);
      if (answer.startsWith("failed")) failures.push(answer);
      else seen.add(answer);
    }
  };
  const clients = Array.from({ length: 4 }, hammer);
  try {
    for (let version = 1; version <= 4; version++) {
      save(`v${version}`);
      await becomes(server, `v${version}`, `v${version - 1}`);
      // The clients ask again: each of their answers is a second or so away on a busy machine.
      while (!seen.has(`v${version}`)) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  } finally {
    hammering = false;
  }
  await Promise.all(clients);
  assert.equal(failures, []);
  assert.equal([...seen].sort(), ["v0", "v1", "v2", "v3", "v4"]);
  assert.is((await server.stop()).code, 0);
});

test("a connection that was opened for a request is answered by the version that accepted it", async () => {
  const { file, save } = project("old");
  const server = await watch(file, "--port", "0");
  const socket = connect(server.port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  // Served in order: once this later connection has its answer, the first has been accepted.
  assert.is(await once(server.port), "old");
  save("new");
  await server.saw(/restarted/);
  assert.is(await once(server.port), "new");
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk));
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await new Promise((resolve) => socket.once("end", resolve));
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*old$/i);
  await server.stop();
});

test("a syntax error is shown, the version before goes on, and the next save heals", async () => {
  const { file, save, write } = project("good");
  const server = await watch(file, "--port", "0");
  write("export default { fetch: () => new Response( };\n");
  await server.saw(/server\.ts:1:\d+: .*\n.*1 \| export default[\s\S]*the version before goes on serving/);
  assert.is(await once(server.port), "good");
  save("healed");
  await becomes(server, "healed", "good");
  await server.stop();
});

test("a version that throws as it loads, or exports nothing, changes nothing either", async () => {
  const { file, save, write } = project("good");
  const server = await watch(file, "--port", "0");
  write("throw new Error('at load');\n");
  await server.saw(/at load[\s\S]*did not start \(exit code 1\)[\s\S]*the version before goes on/);
  assert.is(await once(server.port), "good");
  write("export const handler = 1;\n");
  await server.saw(/has no default export, it exports 'handler'/);
  assert.is(await once(server.port), "good");
  save("healed");
  await becomes(server, "healed", "good");
  await server.stop();
});

test("a first version that is broken heals on save", async () => {
  const { file, save, write } = project("");
  write("export default {{{\n");
  const server = start([...fromSource, "run", file, "--watch", "--port", "0"]);
  await server.saw(/server\.ts:1:\d+:[\s\S]*waiting for a change/);
  save("healed");
  const [, port] = await server.saw(/Listening on http:\/\/localhost:(\d+)\//);
  assert.is(await once(Number(port)), "healed");
  assert.is((await server.stop()).code, 0);
});

test("modules that it imports are watched, also one that was missing", async () => {
  const { file, write } = project("");
  const folder = join(file, "..");
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib/text.ts"), "export const text: string = 'one';\n");
  write("import { text } from './lib/text.ts';\nexport default { fetch: () => new Response(text) };\n");
  const server = await watch(file, "--port", "0");
  assert.is(await once(server.port), "one");
  writeFileSync(join(folder, "lib/text.ts"), "export const text: string = 'two';\n");
  await becomes(server, "two", "one");
  write("import { text } from './lib/later.ts';\nexport default { fetch: () => new Response(text) };\n");
  await server.saw(/later\.ts/);
  writeFileSync(join(folder, "lib/later.ts"), "export const text = 'three';\n");
  write("import { text } from './lib/later.ts';\nexport default { fetch: () => new Response(text) }; // again\n");
  await becomes(server, "three", "two");
  await server.stop();
});

test("an import map is watched as well, and one that is no JSON is shown", async () => {
  const { file, write } = project("");
  const folder = join(file, "..");
  for (const name of ["one", "two"]) writeFileSync(join(folder, `${name}.ts`), `export const text = "${name}";\n`);
  const map = (name: string) => `{ "imports": { "text": "./${name}.ts" } }`;
  const config = join(folder, "deno.json");
  writeFileSync(config, map("one"));
  write('import { text } from "text";\nexport default { fetch: () => new Response(text) };\n');
  const server = await watch(file, "--port", "0");
  assert.is(await once(server.port), "one");
  writeFileSync(config, "{ imports");
  await server.saw(/deno\.json: not valid JSON[\s\S]*goes on serving/);
  writeFileSync(config, map("two"));
  await becomes(server, "two", "one");
  await server.stop();
});

test("an editor that renames a new file over the old one", async () => {
  const { file, save } = project("one");
  const server = await watch(file, "--port", "0");
  for (const version of ["two", "three"]) {
    const before = version === "two" ? "one" : "two";
    writeFileSync(`${file}.new`, readFileSync(file, "utf8").replace(before, version));
    renameSync(`${file}.new`, file);
    await becomes(server, version, before);
  }
  save("four");
  await becomes(server, "four", "three");
  await server.stop();
});

test("a burst of saves ends with the last version and one child", async () => {
  const { file, save } = project("start");
  const server = await watch(file, "--port", "0");
  const before = ["start"];
  for (let burst = 0; burst < 30; burst++) {
    save(`burst ${burst}`);
    before.push(`burst ${burst}`);
    await new Promise((resolve) => setTimeout(resolve, burst % 5 === 0 ? 60 : 5));
  }
  save("last");
  await becomes(server, "last", ...before);
  if (process.platform === "linux") {
    const pid = server.child.pid ?? 0;
    // esbuild's process is one, the version that serves the other; those that were replaced go, and leave no zombie.
    while (childrenOf(pid).length > 2) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.is((await server.stop()).code, 0);
});

test("a running request is finished by the version that began it", async () => {
  const { file, write, save } = project("");
  write(`let end;
    export default { fetch(request) {
      if (request.url.endsWith("/end")) { end(); return new Response("told"); }
      console.log("began");
      const body = new ReadableStream({ start(controller) {
        controller.enqueue(new TextEncoder().encode("old "));
        process.on("message", () => {});
        setTimeout(() => { controller.enqueue(new TextEncoder().encode("to the end")); controller.close(); }, 1500);
      } });
      return new Response(body);
    } };`);
  const server = await watch(file, "--port", "0");
  const running = fetch(server.url).then((response) => response.text());
  await server.saw(/began/);
  save("new");
  await server.saw(/restarted/);
  assert.is(await once(server.port), "new");
  assert.is(await running, "old to the end");
  await server.stop();
});

test("a version that dies is said, and connections wait for the next", async () => {
  const { file, write, save } = project("");
  write("export default { fetch() { setTimeout(() => process.exit(7)); return new Response('bye'); } };\n");
  const server = await watch(file, "--port", "0");
  assert.is(await once(server.port), "bye");
  await server.saw(/ended with exit code 7; waiting for a change/);
  const waiting = once(server.port);
  save("back");
  assert.is(await waiting, "back");
  await server.stop();
});

test("the port may move in the file", async () => {
  const { file, write } = project("");
  const source = (hostname: string) =>
    `export default { hostname: "${hostname}", port: 0, fetch: () => new Response("at ${hostname}") };\n`;
  write(source("127.0.0.1"));
  const server = await watch(file);
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:/);
  assert.is(await once(server.port), "at 127.0.0.1");
  write(source("127.0.0.2"));
  const [, port] = await server.saw(/Listening on http:\/\/127\.0\.0\.2:(\d+)\//);
  const answer = await fetch(`http://127.0.0.2:${port}/`).then((response) => response.text());
  assert.is(answer, "at 127.0.0.2");
  await server.stop();
});

test("where the admin port is is said once, not at each save", async () => {
  const { file, save } = project("one");
  const port = await freePort();
  const server = await watch(file, "--port", "0", "--admin", `127.0.0.1:${port}`);
  for (const version of ["two", "three"]) {
    save(version);
    await becomes(server, version, "one", "two");
  }
  await server.saw(/restarted[\s\S]*restarted/);
  await server.stop();
  assert.is(server.stderr().match(/Admin port on/g)?.length, 1, server.stderr());
});

test("a Unix socket stays through restarts, and its file goes with the parent", async () => {
  const { file, save } = project("one");
  const path = join(file, "../watched.sock");
  const server = await watch(file, "--unix", path);
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      let answer = "";
      connect(path)
        .on("connect", function (this: Socket) {
          this.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        })
        .on("data", (chunk) => (answer += chunk))
        .on("error", reject)
        .on("end", () => resolve(answer.split("\r\n\r\n")[1]));
    });
  assert.is(await ask(), "one");
  save("two");
  await server.saw(/restarted/);
  assert.is(await ask(), "two");
  assert.is((await server.stop()).code, 0);
  assert.not.ok(existsSync(path));
});

test("connect handlers restart as well", async () => {
  const { file, write } = project("");
  const source = (text: string) =>
    `export default { connect: async (conn) => void (await conn.write(new TextEncoder().encode("${text}"))) };\n`;
  write(source("one"));
  const server = await watch(file, "--port", "0");
  assert.is(await hear(server.port), "one");
  write(source("two"));
  await server.saw(/restarted/);
  assert.is(await hear(server.port), "two");
  await server.stop();
});

test("plain Deno programs restart on the same port without a gap", async () => {
  const { file, write } = project("");
  const source = (text: string) => `Deno.serve({ port: 0, onListen() {} }, () => new Response("${text}"));\n`;
  write(`console.log("port", Deno.serve({ port: 0 }, () => new Response("one")).addr.port);\n`);
  const server = start([...fromSource, "run", file, "--watch"]);
  const port = Number((await server.saw(/port (\d+)/))[1]);
  const answers = new Set<string>();
  let hammering = true;
  const client = (async () => {
    while (hammering) answers.add(await once(port));
  })();
  assert.is(await once(port), "one");
  write(source("two"));
  await server.saw(/restarted/);
  assert.is(await once(port), "two");
  write(source("three"));
  await server.saw(/restarted[\s\S]*restarted/);
  assert.is(await once(port), "three");
  hammering = false;
  await client;
  assert.equal([...answers].sort(), ["one", "three", "two"]);
  assert.is((await server.stop()).code, 0);
});

test("a plain program with two listeners and an accept loop", async () => {
  const { file, write } = project("");
  const source = (text: string) => `const listener = Deno.listen({ port: 0 });
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("${text} http"));
    console.log("ports", listener.addr.port, server.addr.port);
    for await (const conn of listener) {
      await conn.write(new TextEncoder().encode("${text} tcp"));
      conn.close();
    }`;
  write(source("one"));
  const server = start([...fromSource, "run", file, "--watch"]);
  const [, tcp, http] = (await server.saw(/ports (\d+) (\d+)/)).map(Number);
  assert.is(await hear(tcp), "one tcp");
  assert.is(await once(http), "one http");
  write(source("two"));
  await server.saw(/restarted/);
  assert.is(await hear(tcp), "two tcp");
  assert.is(await once(http), "two http");
  assert.is((await server.stop()).code, 0);
});

test("children end when the parent is killed", async () => {
  const { file } = project("alone");
  const server = await watch(file, "--port", "0");
  const children = childrenOf(server.child.pid ?? 0);
  assert.ok(children.length >= 1);
  await server.stop("SIGKILL");
  const alive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  while (children.some(alive)) await new Promise((resolve) => setTimeout(resolve, 20));
});

test("a port that is taken is said at once", async () => {
  const { file } = project("x");
  const holder = await watch(file, "--port", "0");
  const { code, stderr } = await start([...fromSource, "run", file, "--watch", "--port", `${holder.port}`]).finished;
  assert.is(code, 1);
  assert.match(stderr, new RegExp(`^slipway: port ${holder.port} on 0\\.0\\.0\\.0 is taken by [^\\n]*\\n$`));
  await holder.stop();
});

test.after(endProcesses);
test.run();
