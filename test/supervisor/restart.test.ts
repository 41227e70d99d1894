/** SIGUSR2: another process takes over the sockets, and no client notices. */
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, repository, type Started, start, temporaryFolder } from "../support/process.ts";
import { open, pidAt } from "./client.ts";

const test = suite("restart on SIGUSR2");
const program = [process.execPath, join(repository, "test/supervisor/programs/server.ts")];
const successors = new Set<number>();

function serve(what: readonly unknown[], env: Readonly<Record<string, string>> = {}): Started {
  return start(program, { env: { SERVE: JSON.stringify(what), ...env } });
}

/** Waits for the next process's own line; its id. Successors write to the same pipes. */
async function taken(started: Started, not: number): Promise<number> {
  const match = await started.saw(new RegExp(`SIGUSR2: process (?!${not}\\b)(\\d+) has taken over`));
  const pid = Number(match[1]);
  successors.add(pid);
  return pid;
}

async function portOf(started: Started): Promise<number> {
  const match = await started.saw(/^Listening \d+ (.*)$/m);
  return (JSON.parse(match[1]) as { port: number }[])[0].port;
}

/** Ends a process that is not our child, and waits until it is gone. */
async function end(pid: number): Promise<void> {
  process.kill(pid, "SIGTERM");
  await gone(pid);
}

async function gone(pid: number): Promise<void> {
  const until = performance.now() + 20_000;
  while (runs(pid)) {
    if (performance.now() > until) throw new Error(`process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  successors.delete(pid);
}

/** A zombie has ended; when process 1 looks after it, is not ours to say. */
function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

test.after(() => {
  for (const pid of successors) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  endProcesses();
});

test("no connection is refused or lost while the process is replaced twice; the old ones finish and exit with 0", async () => {
  const old = serve([{ port: 0, hostname: "127.0.0.1" }]);
  const port = await portOf(old);
  const pinned = await open({ port });
  assert.is(await pinned.ask("hello"), `${old.child.pid} hello`);
  let over = false;
  const seen = new Set<number>();
  let count = 0;
  const knocking = [1, 2, 3, 4].map(async () => {
    while (!over) {
      seen.add(await pidAt({ port, host: "127.0.0.1" }));
      count++;
    }
  });
  old.child.kill("SIGUSR2");
  const second = await taken(old, 0);
  // A connection from before goes on with the old process.
  assert.is(await pinned.ask("still there"), `${old.child.pid} still there`);
  assert.is(old.child.exitCode, null);
  pinned.socket.end();
  await new Promise((resolve) => old.child.once("exit", resolve));
  assert.is(old.child.exitCode, 0);
  assert.is(await pidAt({ port }), second);
  process.kill(second, "SIGUSR2");
  const third = await taken(old, second);
  await gone(second);
  assert.is(await pidAt({ port }), third);
  over = true;
  await Promise.all(knocking);
  assert.equal([...seen].sort(), [old.child.pid, second, third].sort());
  assert.ok(count > 20);
  await end(third);
  await assertRefused(port);
});

async function assertRefused(port: number): Promise<void> {
  const error = await open({ port }).then(
    () => undefined,
    (failed) => failed,
  );
  assert.is(error?.code, "ECONNREFUSED");
}

test("several sockets at once; a Unix socket's file outlives the old process and ends with the last", async () => {
  const path = join(temporaryFolder(), "s.sock");
  const abstract = `@slipway-restart-${process.pid}`;
  const old = serve([
    { port: 0, hostname: "127.0.0.1" },
    { transport: "unix", path },
    { port: 0, hostname: "::1" },
    { transport: "unix", path: abstract },
  ]);
  const match = await old.saw(/^Listening \d+ (.*)$/m);
  const [first, , third] = JSON.parse(match[1]) as { port: number }[];
  const everywhere = () =>
    Promise.all([
      pidAt({ port: first.port, host: "127.0.0.1" }),
      pidAt({ path }),
      pidAt({ port: third.port, host: "::1" }),
      pidAt({ path: abstract.replace("@", "\0") }),
    ]);
  assert.equal(new Set(await everywhere()), new Set([old.child.pid]));
  old.child.kill("SIGUSR2");
  const next = await taken(old, 0);
  await gone(old.child.pid ?? 0);
  assert.ok(existsSync(path));
  assert.equal(new Set(await everywhere()), new Set([next]));
  await end(next);
  assert.not.ok(existsSync(path));
});

test("a new process that fails, changes nothing, and the reason is one line; the next try can succeed", async () => {
  const broken = join(temporaryFolder(), "broken");
  const path = join(temporaryFolder(), "s.sock");
  const old = serve([{ transport: "unix", path }], { BREAK: broken });
  await old.saw(/^Listening/m);
  writeFileSync(broken, "exit");
  old.child.kill("SIGUSR2");
  await old.saw(
    /^slipway: SIGUSR2: no restart: the new process ended before it was ready \(exit code 7\); this one goes on$/m,
  );
  assert.is(await pidAt({ path }), old.child.pid);
  writeFileSync(broken, "hang");
  old.child.kill("SIGUSR2");
  // While one is under way there is no second.
  await old.saw(/^hanging$/m);
  old.child.kill("SIGUSR2");
  await old.saw(/no restart: one is under way$/m);
  assert.is(await pidAt({ path }), old.child.pid);
  rmSync(broken);
  // The end of the old one is the end of the one that it has started.
  const { code, stderr } = await old.stop();
  assert.is(code, 0, stderr);
  assert.not.ok(existsSync(path));
});

test("the successor inherits the command, its folder and its environment as they were, and passes none of it on", async () => {
  const folder = temporaryFolder();
  const old = start([process.execPath, "--no-warnings", program[1], "an argument", ""], {
    cwd: folder,
    env: { SERVE: '[{"transport":"unix","path":"relative.sock"}]', SECRET: "kept" },
  });
  await old.saw(/^Listening/m);
  const path = join(folder, "relative.sock");
  old.child.kill("SIGUSR2");
  const next = await taken(old, 0);
  assert.equal(readFileSync(`/proc/${next}/cmdline`, "utf8").split("\0").slice(1, -1), [
    "--no-warnings",
    program[1],
    "an argument",
    "",
  ]);
  assert.is(readlinkSync(`/proc/${next}/cwd`), folder);
  const client = await open({ path });
  let text = "";
  client.socket.on("data", (chunk) => (text += chunk));
  await client.ask("child");
  client.socket.end();
  await client.ended;
  assert.match(text, /^SECRET=kept$/m);
  assert.not.match(text, /SLIPWAY_RESTART/);
  // Of its sockets none goes on to its children. (Node's pipes to a child, 0 to 2, are sockets as well.)
  assert.equal(text.match(/ (?:[3-9]|\d\d+) -> '?socket:.*/g), null);
  await end(next);
});

test("what the new version does not ask for is closed, not left to hang", async () => {
  const ports = [0, 1].map(() => ({ port: 0, hostname: "127.0.0.1" }));
  // The environment is inherited: so the wish changes by way of the file that BREAK names no more.
  const old = serve([...ports, "passed"], {});
  const match = await old.saw(/^Listening \d+ (.*)$/m);
  const bound = (JSON.parse(match[1]) as { port: number }[]).map(({ port }) => port);
  old.child.kill("SIGUSR2");
  const next = await taken(old, 0);
  await gone(old.child.pid ?? 0);
  // The same question twice gets two sockets, each once.
  assert.equal(await Promise.all(bound.map((port) => pidAt({ port }))), [next, next]);
  await end(next);
});

test("where it can't be done, one line says so and nothing happens", async () => {
  const old = serve([{ port: 0, hostname: "127.0.0.1" }], { NO_RESTART: "slipway run --watch restarts on save" });
  const port = await portOf(old);
  old.child.kill("SIGUSR2");
  await old.saw(/^slipway: SIGUSR2: no restart: slipway run --watch restarts on save$/m);
  assert.is(await pidAt({ port }), old.child.pid);
  await old.stop();
  const early = serve([{ port: 0, hostname: "127.0.0.1" }], { LOADING_MS: "1500" });
  // Before, the signal is fatal, as it is to any process.
  await early.saw(/^loading$/m);
  early.child.kill("SIGUSR2");
  await early.saw(/no restart: this process is still starting$/m);
  await early.saw(/^Listening/m);
  await early.stop();
});

test("a variable that nobody of ours has set is ignored", async () => {
  for (const text of ["", "x", "{}", '{"channel":77,"sockets":[],"activated":{"count":0,"names":""}}']) {
    const started = start(program, {
      env: { SERVE: '[{"port":0,"hostname":"127.0.0.1"}]', SLIPWAY_RESTART: text },
    });
    assert.is(await pidAt({ port: await portOf(started) }), started.child.pid);
    const { code, stderr } = await started.stop();
    assert.is(code, 0);
    assert.match(stderr, /^slipway: SLIPWAY_RESTART is for a process that takes over from another: .*\n$/);
  }
});

test.run();
