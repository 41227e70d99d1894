/** What we say to systemd, heard by a datagram socket of the test's, and by systemd's own tools where they are. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DatagramConn, listenDatagram } from "../../src/net/mod.ts";
import { Notifier, notifySettings } from "../../src/supervisor/notify.ts";
import { logged } from "../support/logged.ts";
import { endProcesses, repository, start, temporaryFolder } from "../support/process.ts";
import { open } from "./client.ts";

const test = suite("sd_notify");
test.after(endProcesses);
const server = [process.execPath, join(repository, "test/supervisor/programs/server.ts")];
const serve = JSON.stringify([{ port: 0, hostname: "127.0.0.1" }]);

/** The next message, as its assignments. */
async function heard(socket: DatagramConn): Promise<string[]> {
  const [bytes] = await socket.receive();
  return new TextDecoder().decode(bytes).split("\n");
}

/** The next message that is no ping. */
async function said(socket: DatagramConn): Promise<string[]> {
  for (;;) {
    const message = await heard(socket);
    if (message[0] !== "WATCHDOG=1") return message;
  }
}

test("the environment is read once, and nothing of it is left for children", () => {
  const env = { NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "20000000", WATCHDOG_PID: String(process.pid), OTHER: "1" };
  assert.equal(notifySettings(env), { path: "/run/n", pingMs: 10_000 });
  assert.equal(env, { OTHER: "1" });
  assert.is(notifySettings({}), undefined);
  assert.is(notifySettings({ NOTIFY_SOCKET: "" }), undefined);
  const pings = (usec: string, pid?: string) =>
    notifySettings({ NOTIFY_SOCKET: "@n", WATCHDOG_USEC: usec, WATCHDOG_PID: pid })?.pingMs;
  assert.is(pings("1"), 1);
  assert.is(pings("3000000"), 1500);
  assert.is(pings("999999999999999"), 0x7fffffff);
  for (const none of ["0", "-1", "", "x", "1e9"]) assert.is(pings(none), 0, none);
  // Meant for another process.
  assert.is(pings("3000000", "1"), 0);
});

for (const kind of ["a path", "an abstract name"]) {
  test(`ready, status, pings, the end: to ${kind}`, async () => {
    const path = kind === "a path" ? join(temporaryFolder(), "notify") : `@slipway-notify-${process.pid}`;
    using socket = listenDatagram({ transport: "unixpacket", path });
    const started = start(server, { env: { SERVE: serve, NOTIFY_SOCKET: path, WATCHDOG_USEC: "40000" } });
    const ready = await heard(socket);
    assert.is(ready[0], "READY=1");
    assert.match(ready[1], /^STATUS=Listening on port \d+$/);
    assert.is(ready.length, 2);
    for (let i = 0; i < 3; i++) assert.equal(await heard(socket), ["WATCHDOG=1"]);
    started.child.kill("SIGTERM");
    assert.equal(await said(socket), ["STOPPING=1", "STATUS=Finishing what runs", "EXTEND_TIMEOUT_USEC=15000000"]);
    assert.is((await started.finished).code, 0);
  });
}

test("a loop that is stuck does not ping", async () => {
  const path = join(temporaryFolder(), "notify");
  using socket = listenDatagram({ transport: "unixpacket", path });
  const started = start(server, { env: { SERVE: serve, NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" } });
  const port = Number(/\d+/.exec((await said(socket))[1])?.[0]);
  const client = await open({ port });
  // Pings that came before the answer to "block", whose handler holds the loop for 1500 ms, and while it did.
  let pings = 0;
  let counting = true;
  const counted = (async () => {
    while (counting) {
      await heard(socket);
      pings++;
    }
  })();
  await client.ask("go");
  const before = pings;
  await client.ask("block");
  // 150 would have come in that time; those that were on their way may have.
  assert.ok(pings - before < 15, `${pings - before} pings`);
  counting = false;
  await counted;
  client.socket.destroy();
  await started.stop();
});

test("a restart moves the service to the new process: first MAINPID from the old, then the new one speaks", async () => {
  const path = join(temporaryFolder(), "notify");
  using socket = listenDatagram({ transport: "unixpacket", path });
  // WATCHDOG_PID names the first process, as systemd's does.
  const wrapper = `export WATCHDOG_PID=$$; exec "$0" "$@"`;
  const env = { SERVE: serve, NOTIFY_SOCKET: path, WATCHDOG_USEC: "40000" };
  const started = start(["sh", "-c", wrapper, ...server], { env });
  assert.is((await said(socket))[0], "READY=1");
  started.child.kill("SIGUSR2");
  const [main] = await said(socket);
  const pid = Number(/^MAINPID=(\d+)$/.exec(main)?.[1]);
  assert.ok(pid > 0 && pid !== started.child.pid);
  assert.is((await said(socket))[0], "READY=1");
  await new Promise((resolve) => started.child.once("exit", resolve));
  // The old one ended without a STOPPING=1, which would have been the service's end. The new one pings.
  for (let i = 0; i < 3; i++) assert.equal(await heard(socket), ["WATCHDOG=1"]);
  process.kill(pid, "SIGTERM");
  assert.is((await said(socket))[0], "STOPPING=1");
});

test("a manager that is slow hears everything in order, and nobody waits for it", async () => {
  const path = join(temporaryFolder(), "notify");
  const socket = listenDatagram({ transport: "unixpacket", path });
  const notifier = new Notifier({ path, pingMs: 0 });
  // More than net.unix.max_dgram_qlen takes at once (10 to 512).
  for (let i = 0; i < 600; i++) notifier.say(`STATUS=${i}`);
  for (let i = 0; i < 600; i++) assert.equal(await heard(socket), [`STATUS=${i}`]);
  notifier.say("STATUS=a\nREADY=1\0x", "B=2");
  assert.equal(await heard(socket), ["STATUS=a READY=1 x", "B=2"]);
  notifier.close();
  socket.close();
});

test("nobody there, or nowhere to go: one line, and the service goes on", async () => {
  const lines = await logged(async () => {
    for (let i = 0; i < 3; i++) {
      const notifier = new Notifier({ path: join(temporaryFolder(), "nobody"), pingMs: 0 });
      notifier.say("READY=1");
      notifier.close();
    }
  });
  assert.is(lines.length, 1);
  assert.match(lines[0], /could not be notified \(ENOENT\)/);
  for (const path of ["vsock:2:1234", "relative", "@", `/${"x".repeat(200)}`]) {
    const [line, more] = await logged(async () => new Notifier({ path, pingMs: 10 }).say("READY=1"));
    assert.match(line, /NOTIFY_SOCKET.*not notified$/);
    assert.is(more, undefined);
  }
});

test("without a supervisor nothing is said and nothing is missed", async () => {
  assert.not.ok(existsSync("/run/nothing"));
  const started = start(server, { env: { SERVE: serve, NOTIFY_SOCKET: undefined, WATCHDOG_USEC: "1000" } });
  await started.saw(/^Listening/m);
  const { code, stderr } = await started.stop();
  assert.is(code, 0);
  assert.is(stderr, "");
});

test.run();
