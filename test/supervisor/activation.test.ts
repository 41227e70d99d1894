/** Sockets that systemd passes: sd_listen_fds(3), and systemd-socket-activate where it is installed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listen } from "../../src/net/mod.ts";
import { descriptorOf, listenFds } from "../../src/supervisor/activation.ts";
import { endProcesses, repository, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { open, pidAt } from "./client.ts";

const test = suite("socket activation");
test.after(endProcesses);
const server = [process.execPath, join(repository, "test/supervisor/programs/server.ts")];
const self = String(process.pid);

test("LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, which are gone afterwards", () => {
  const read = (env: Record<string, string>) => {
    const found = listenFds(env);
    assert.equal(Object.keys(env), [], "variables are left");
    return found;
  };
  assert.equal(read({ LISTEN_FDS: "2", LISTEN_PID: self, LISTEN_FDNAMES: "http:admin" }), [
    { fd: 3, name: "http" },
    { fd: 4, name: "admin" },
  ]);
  assert.equal(read({ LISTEN_FDS: "2", LISTEN_PID: self, LISTEN_FDNAMES: ":x:y" }), [
    { fd: 3, name: "unknown" },
    { fd: 4, name: "x" },
  ]);
  assert.equal(read({ LISTEN_FDS: "1", LISTEN_PID: self, LISTEN_PIDFDID: "7" }), [{ fd: 3, name: "unknown" }]);
  // For another process, or nonsense: none.
  assert.equal(read({ LISTEN_FDS: "1", LISTEN_PID: "1" }), []);
  assert.equal(read({ LISTEN_FDS: "1" }), []);
  assert.equal(read({ LISTEN_PID: self }), []);
  for (const count of ["0", "-1", "x", "", "1e2", "999999"]) {
    assert.equal(read({ LISTEN_FDS: count, LISTEN_PID: self }), [], count);
  }
  assert.equal(listenFds({}), []);
});

test("fd: and a number or a name; else a sentence that says which names there are", () => {
  const sockets = [
    { fd: 3, name: "http" },
    { fd: 4, name: "twice" },
    { fd: 5, name: "twice" },
  ];
  assert.is(descriptorOf("7", sockets), 7);
  assert.is(descriptorOf("http", sockets), 3);
  assert.throws(() => descriptorOf("twice", sockets), /fd:twice names 2 sockets .*: write fd:4, fd:5$/);
  assert.throws(() => descriptorOf("https", sockets), /sockets were passed as http, twice, twice; write fd: and/);
  assert.throws(() => descriptorOf("http", []), /no sockets were passed \(LISTEN_FDS\)/);
});

/** Runs the server with two sockets of ours as descriptors 3 and 4, as systemd would. */
const activate = `export LISTEN_PID=$$; exec "$0" "$@"`;

test("all that is passed is served, under the names of the unit; nothing is left for children", async () => {
  const path = join(temporaryFolder(), "s.sock");
  using tcp = listen({ port: 0, hostname: "127.0.0.1" });
  using unix = listen({ transport: "unix", path });
  for (const what of [["passed"], ["fd:web", "fd:4"]]) {
    const { spawn } = await import("node:child_process");
    const child = spawn("sh", ["-c", activate, ...server], {
      env: { ...process.env, LISTEN_FDS: "2", LISTEN_FDNAMES: "web:local", SERVE: JSON.stringify(what) },
      stdio: ["ignore", "pipe", "inherit", tcp.fd, unix.fd],
    });
    try {
      assert.is(await pidAt({ port: tcp.addr.port }), child.pid);
      assert.is(await pidAt({ path }), child.pid);
      const client = await open({ path });
      let text = "";
      client.socket.on("data", (chunk) => (text += chunk));
      await client.ask("child");
      client.socket.end();
      await client.ended;
      assert.not.match(text, /LISTEN_/);
      assert.equal(text.match(/ (?:[3-9]|\d\d+) -> '?socket:.*/g), null);
    } finally {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      assert.is(await exited, 0);
    }
    // The file is its maker's.
    assert.ok(existsSync(path));
  }
});

test("a restart passes them on under the same numbers and names", async () => {
  using tcp = listen({ port: 0, hostname: "127.0.0.1" });
  using other = listen({ port: 0, hostname: "127.0.0.1" });
  const { spawn } = await import("node:child_process");
  const child = spawn("sh", ["-c", activate, ...server], {
    env: {
      ...process.env,
      LISTEN_FDS: "2",
      LISTEN_FDNAMES: "web:other",
      SERVE: JSON.stringify(["fd:other", { port: 0, hostname: "127.0.0.1" }, "fd:web"]),
    },
    stdio: ["ignore", "pipe", "pipe", tcp.fd, other.fd],
  });
  let next = 0;
  try {
    assert.is(await pidAt({ port: tcp.addr.port }), child.pid);
    const told = new Promise<number>((resolve) => {
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        const match = /SIGUSR2: process (\d+) has taken over/.exec(text);
        if (match) resolve(Number(match[1]));
      });
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGUSR2");
    next = await told;
    assert.is(await exited, 0);
    assert.is(await pidAt({ port: tcp.addr.port }), next);
    assert.is(await pidAt({ port: other.addr.port }), next);
  } finally {
    child.kill("SIGKILL");
    if (next > 0) process.kill(next, "SIGTERM");
  }
});

const tool = "/usr/bin/systemd-socket-activate";
if (existsSync(tool)) {
  test("systemd's own tool: the server starts with its first client, who is answered", async () => {
    const path = join(temporaryFolder(), "activated.sock");
    const inner = ["--setenv=SERVE", "--fdname=public"];
    const started = start([tool, "-l", path, ...inner, ...server], { env: { SERVE: '["fd:public"]' } });
    await started.saw(/Listening on/);
    // It becomes the server: exec(2), the same process.
    assert.is(await pidAt({ path }), started.child.pid);
    assert.is((await started.stop()).code, 0);
  });
} else {
  skip(test, "systemd's own tool: the server starts with its first client", `${tool} is not installed`);
}

test.run();
