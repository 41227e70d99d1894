// The admin port keeps nothing alive, costs an idle process nothing, and answers when all else must wait.
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LoopDelay } from "../../src/admin/metrics/loop-delay.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { type Client, connect } from "../http/support/client.ts";
import { eventually, start as startServing } from "../http/support/server.ts";
import { logged } from "../support/logged.ts";
import { endProcesses, repository, type Started, start } from "../support/process.ts";
import { ask, open } from "./support/ask.ts";
import { parseOpenMetrics, valueIn } from "./support/openmetrics.ts";

test.after(endProcesses);

const source = (path: string): string => JSON.stringify(join(repository, "src", path));

/** A process with an admin port that runs `body`; `files` is its descriptor limit. */
function program(body: string, files?: number): Started {
  const text = `import { openAdmin } from ${source("admin/mod.ts")};
    import { serve } from ${source("http/mod.ts")};
    import { writeSync } from "node:fs";
    const admin = await openAdmin({ address: "127.0.0.1:0", insecure: false, config: () => [] });
    const say = (text) => writeSync(1, text + "\\n");
    say("admin " + admin.addr.port);
    ${body}`;
  const node = [process.execPath, "--input-type=module-typescript", "-e", text];
  return start(files === undefined ? node : ["sh", "-c", `ulimit -n ${files}; exec "$0" "$@"`, ...node]);
}

async function portOf(child: Started, name: string): Promise<number> {
  return Number((await child.saw(new RegExp(`^${name} (\\d+)$`, "m")))[1]);
}

test("a process whose work is done ends, whoever is connected to its admin port", async () => {
  const child = program(`process.stdin.once("data", () => process.stdin.destroy());`);
  const port = await portOf(child, "admin");
  using idle = await connect(port);
  using kept = await connect(port);
  using half = await connect(port);
  kept.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.is((await kept.response()).status, 200);
  half.write("GET /metrics HTTP/1.1\r\nHo");
  await ask(port, "/healthz");
  child.child.stdin?.write("done\n");
  assert.is((await child.finished).code, 0);
  await idle.until(() => idle.over, "the end");
});

test("connections that came and went leave what holds the process as it was", async () => {
  const child = program(`
    const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("x"));
    say("public " + server.addr.port);
    process.on("SIGTERM", () => server.close());`);
  const [port, served] = [await portOf(child, "admin"), await portOf(child, "public")];
  for (let i = 0; i < 20; i++) {
    await ask(port, "/healthz", { headers: { connection: i % 2 === 0 ? "close" : "keep-alive" } });
    using kept = await connect(port);
    kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await kept.response();
    kept.socket[i % 3 === 0 ? "resetAndDestroy" : "end"]();
    if (i % 3 !== 0) await kept.untilEnd();
  }
  // Had one reason too many been taken back, the process would have ended, with nothing but its server to hold it.
  for (let i = 0; i < 5; i++) {
    assert.is((await ask(served, "/", { headers: { connection: "close" } })).text, "x");
    assert.is((await ask(port, "/healthz")).text, "ok\n");
  }
  assert.is(child.child.exitCode, null);
  assert.is((await child.stop()).code, 0);
});

test("it answers while the public server takes no more connections", async () => {
  await using admin = await open();
  using server = startServing(() => new Response("x"), { maxConnections: 2 });
  using first = await connect(server.port);
  using second = await connect(server.port);
  await eventually(() => server.server.connections === 2, "both are accepted");
  const third = connectSocket(server.port, "127.0.0.1");
  try {
    const families = parseOpenMetrics((await admin.get("/metrics")).text);
    assert.is(valueIn(families, "slipway_servers", { state: "waiting" }), 1);
    assert.ok(valueIn(families, "slipway_limits_fired_total", { limit: "maxConnections" }) >= 1);
    assert.is((await admin.get("/readyz")).status, 200);
  } finally {
    third.destroy();
  }
  assert.not(first.over || second.over);
});

for (const [name, max] of [
  ["no descriptor left", "none"],
  ["used up what the descriptor limit leaves", "auto"],
  ["used it up although it may have more connections", "1000"],
] as const) {
  test(`it answers when the process has ${name}`, async () => {
    const child = program(
      `const server = serve({ port: 0, hostname: "127.0.0.1", maxConnections: ${JSON.stringify(max)}, readHeaderTimeout: "none", onListen() {} }, () => new Response("x"));
       say("public " + server.addr.port);`,
      80,
    );
    const [port, served] = [await portOf(child, "admin"), await portOf(child, "public")];
    const clients: Socket[] = [];
    try {
      for (let i = 0; i < 150; i++) {
        const client = connectSocket(served, "127.0.0.1");
        client.on("error", () => {});
        clients.push(client);
      }
      await child.saw(/accept on 127\.0\.0\.1:\d+.* sockets are open/);
      using one = await connect(port);
      using two = await connect(port);
      for (let i = 0; i < 10; i++) {
        for (const client of [one, two]) {
          client.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
          assert.is((await client.responses(i + 1))[i].status, 200);
        }
        const families = parseOpenMetrics((await ask(port, "/metrics")).text);
        assert.is(valueIn(families, "process_max_fds"), 80);
        assert.is(valueIn(families, "slipway_servers", { state: "waiting" }), 1);
        assert.is(valueIn(families, "slipway_servers", { state: "accepting" }), 0);
        assert.ok(valueIn(families, "process_open_fds") >= (max === "none" ? 75 : 60));
        assert.ok(valueIn(families, "process_resident_memory_bytes") > 0);
        assert.is((await ask(port, "/readyz")).status, 200);
      }
      assert.not.match(child.stderr(), new RegExp(`accept on 127\\.0\\.0\\.1:${port}`));
    } finally {
      for (const client of clients) client.destroy();
    }
    assert.is((await ask(served, "/", { headers: { connection: "close" } })).text, "x");
    const families = parseOpenMetrics((await ask(port, "/metrics")).text);
    assert.is(valueIn(families, "slipway_servers", { state: "accepting" }), 1);
    await child.stop("SIGKILL");
  });
}

test("past a few connections, who comes is sent away, and the others go on", async () => {
  await using admin = await open();
  const clients: Client[] = [];
  try {
    for (let i = 0; i < 32; i++) clients.push(await connect(admin.port));
    clients[0].write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.is((await clients[0].response()).status, 200);
    const lines = await logged(async () => {
      for (let i = 0; i < 2; i++) {
        using late = await connect(admin.port);
        await late.until(() => late.over, "the end");
      }
    });
    assert.equal(lines, [
      `slipway: the admin port takes 32 connections and has them: one more was closed at once address=127.0.0.1:${admin.port}`,
    ]);
    assert.is(clients.filter((client) => client.over).length, 0);
    clients[1].socket.destroy();
    await eventually(() => clients[1].socket.closed, "one has left");
    const again = async () => (await ask(admin.port, "/healthz").catch(() => undefined))?.status === 200;
    for (const end = Date.now() + 20_000; !(await again()); ) assert.ok(Date.now() < end);
  } finally {
    for (const { socket } of clients) socket.destroy();
  }
});

test("a limit that fires here is said to be the admin port's", async () => {
  const sockets = runtime().poller.openCount;
  {
    await using admin = await open();
    const lines = await logged(async () => {
      using client = await connect(admin.port);
      client.write("nonsense\r\n\r\n");
      assert.is((await client.response()).status, 400);
    });
    assert.is(lines.length, 1);
    assert.match(lines[0], /^slipway: a client of the admin port .*limit=malformedRequest/);
  }
  await eventually(() => runtime().poller.openCount === sockets, "nothing lingers");
});

test("closing it leaves no socket, and stops what only it read", async () => {
  const sockets = runtime().poller.openCount;
  const admin = await open();
  using client = await connect(admin.port);
  client.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await client.response();
  await admin.admin.close();
  await client.until(() => client.over, "the end");
  assert.is(runtime().poller.openCount, sockets);
});

test("the delay of the loop is measured while somebody looks, and shows what held it", async () => {
  let turns = 0;
  const delay = new LoopDelay(() => turns++, { busyMs: 5, quietMs: 1e6, watchedMs: 60 });
  assert.not(delay.running);
  delay.watch();
  await eventually(() => delay.histogram.counts.some((count) => count > 0), "a first measurement");
  const held = performance.now();
  while (performance.now() - held < 30);
  await eventually(() => delay.histogram.sum >= 0.02, "the stall is seen");
  // Nobody looks any more: it stops by itself.
  await eventually(() => !delay.running, "it stops");
  delay.watch();
  assert.ok(delay.running);
  delay.stop();
  assert.not(delay.running);
});

test("while nothing happens it hardly looks", async () => {
  const delay = new LoopDelay(() => 7, { busyMs: 5, quietMs: 1e6, watchedMs: 1e6 });
  delay.watch();
  await eventually(() => delay.histogram.counts.some((count) => count > 0), "the first measurement");
  const looks = () => delay.histogram.counts.reduce((sum, count) => sum + count, 0);
  await new Promise((done) => setTimeout(done, 30));
  assert.is(looks(), 1);
  delay.stop();
});

test.run();
