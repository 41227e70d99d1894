// A worker that dies is replaced; nobody else's connection is lost, and what it had is closed.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";
import { begin, folder, openMany, serve, serveExecutable, until, whoAnswers } from "./support.ts";

test("an uncaught error ends one worker with its connections, and another takes its place", async () => {
  const server = await serve();
  const many = await openMany(server.port, 10);
  const [{ client, thread }] = many;
  await client.get("/throw");
  const lost = many.filter((one) => one.thread === thread);
  const kept = many.filter((one) => one.thread !== thread);
  await Promise.all(lost.map((one) => one.client.closed));
  assert.ok(kept.length > 0);
  for (const one of kept) assert.is(await one.client.get(), one.thread);
  await server.saw(/a worker thread died/);
  assert.match(server.stderr(), /Uncaught Error: thrown on purpose\n +at .*server\.ts:\d+/);
  // The new one has none yet, so it gets the next ones.
  const next = await until(
    () => whoAnswers(server.port),
    (answer) => answer !== kept[0].thread,
  );
  assert.is.not(next, thread);
  const { code } = await server.stop();
  assert.is(code, 0);
});

test("deaths leave no descriptor behind", async () => {
  const server = await serve(["--stall-warning", "none"]);
  const { pid } = server.child;
  const counts: number[] = [];
  for (let death = 0; death < 4; death++) {
    await until(
      async () => (await openAndClose(server.port, 10)).size,
      (threads) => threads === 2,
    );
    counts.push(await settled(async () => readdirSync(`/proc/${pid}/fd`).length));
    await whoAnswers(server.port, "/throw");
    await until(
      async () => server.stderr().match(/a worker thread died/g)?.length,
      (deaths) => deaths === death + 1,
    );
  }
  assert.ok(counts[3] <= counts[1], counts.join(" "));
  assert.is((await server.stop()).code, 0);
});

test("files that it has open, or is opening, are closed as well", async () => {
  const cwd = project({
    "held.txt": "x",
    "holds.ts": `
      import { open, openSync } from "node:fs";
      export default {
        async fetch() {
          openSync("held.txt");
          await Deno.open("held.txt");
          setTimeout(() => {
            for (let i = 0; i < 20; i++) open("held.txt", () => {});
            throw new Error("thrown on purpose");
          });
          return new Response("holds");
        },
      };
    `,
  });
  const command = [...fromSource, "run", "holds.ts", "--port", "0", "--parallel", "2"];
  const server = await startServer(command, { cwd });
  const { pid } = server.child;
  const held = (): number =>
    readdirSync(`/proc/${pid}/fd`).filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`).endsWith("/held.txt")).length;
  assert.is(await whoAnswers(server.port), "holds");
  await server.saw(/a worker thread died/);
  assert.is(held(), 0);
  const { code } = await server.stop();
  assert.is(code, 0);
});

test("what is freed for it goes back to the malloc that it came from, whichever that is", async () => {
  // glibc's own, which stands before libc's and checks what it is given. Where there is none nothing is checked.
  const checker = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
    .map((folder) => join(folder, "libc_malloc_debug.so.0"))
    .find(existsSync);
  const env = checker === undefined ? {} : { LD_PRELOAD: checker, MALLOC_CHECK_: "3" };
  const server = await serveExecutable([], { env });
  await whoAnswers(server.port, "/throw");
  await server.saw(/a worker thread died/);
  const { code, signal } = await server.stop();
  assert.is(signal, null);
  assert.is(code, 0);
});

/** Which threads answer on so many connections. */
async function openAndClose(port: number, count: number): Promise<ReadonlySet<string>> {
  const many = await openMany(port, count);
  for (const { client } of many) client.close();
  await Promise.all(many.map(({ client }) => client.closed));
  return new Set(many.map(({ thread }) => thread));
}

/** A number that has stopped falling. */
async function settled(ask: () => Promise<number>): Promise<number> {
  let same = 0;
  let least = Number.POSITIVE_INFINITY;
  await until(ask, (now) => {
    same = now < least ? 0 : same + 1;
    least = Math.min(least, now);
    return same === 20;
  });
  return least;
}

test("one that runs out of memory is replaced, its descriptors are closed and its poller's memory is free", async () => {
  const env = { NODE_OPTIONS: "--max-old-space-size=64" };
  const server = await serve(["--stall-warning", "none"], { env });
  const many = await openMany(server.port, 20);
  const [{ client, thread }] = many;
  const before = sockets(server.child.pid);
  const [all, rings] = [descriptors(server.child.pid), ringMappings(server.child.pid)];
  client.get("/memory").catch(() => {});
  await Promise.all(many.filter((one) => one.thread === thread).map((one) => one.client.closed));
  await server.saw(/"reason":"it ran out of memory"/);
  await until(
    () => whoAnswers(server.port),
    (answer) => many.every((one) => one.thread !== answer),
  );
  for (const one of many) one.client.close();
  await until(
    async () => sockets(server.child.pid),
    (now) => now <= before - 20,
  );
  // The new one may be at something else yet.
  await until(
    async () => [descriptors(server.child.pid) - all, ringMappings(server.child.pid) - rings],
    ([more, mappings]) => more <= -20 && mappings <= 0,
  );
  const { code } = await server.stop();
  assert.is(code, 0);
});

test("a program that dies again and again is not started for ever: exit code 1", async () => {
  const cwd = project({
    "dies.ts": `export default { fetch: () => new Response("x") }; setTimeout(() => { throw new Error("again"); }, 300);`,
  });
  const server = await startServer([...fromSource, "run", "dies.ts", "--port", "0", "--parallel", "2"], { cwd });
  const { code, stderr } = await server.finished;
  assert.is(code, 1);
  assert.match(stderr, /worker threads die again and again: the process ends/);
  assert.ok((stderr.match(/Uncaught Error: again/g) ?? []).length <= 12);
});

test("a program that can't be loaded ends the process as without workers, and is told once", async () => {
  const cwd = project({ "bad.ts": `throw new Error("at load");`, "none.ts": "const x = 1;" });
  const bad = await begin("bad.ts", cwd).finished;
  assert.is(bad.code, 1);
  assert.match(bad.stderr, /^slipway: bad\.ts failed as it was loaded: Error: at load\n +at .*bad\.ts:1:7\n$/);
  const none = await begin("none.ts", cwd).finished;
  assert.is(none.code, 1);
  assert.match(none.stderr, /^slipway: none\.ts exports nothing and listens on nothing/);
});

test("a port that is taken is told as without workers", async () => {
  const server = await serve();
  const { code, stderr } = await begin("server.ts", folder, "--port", String(server.port)).finished;
  assert.is(code, 1);
  assert.match(stderr, /^slipway: port \d+ on 0\.0\.0\.0 is taken by /);
  await server.stop();
});

function descriptors(pid = 0): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function ringMappings(pid = 0): number {
  return readFileSync(`/proc/${pid}/maps`, "latin1").split("[io_uring]").length - 1;
}

function sockets(pid = 0): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith("socket:")).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

test.after(endProcesses);
test.run();
