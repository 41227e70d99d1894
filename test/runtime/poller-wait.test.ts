/** Waiting with the poller's own call: all that the host's loop has comes as if the thread were parked in that. */
import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import type { EventLoopUtilization, performance as Performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect, listen, serveConn } from "../../src/net/mod.ts";
import { runtime } from "../../src/runtime/mod.ts";
import { until } from "../net/pair.ts";
import { run } from "../support/process.ts";

const mod = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);

/** What sends everything back, in a thread of its own: ours only waits meanwhile. */
const PEER = `
  const { parentPort } = process.getBuiltinModule("node:worker_threads");
  const server = process.getBuiltinModule("node:net").createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`;
const peer = new Worker(PEER, { eval: true });
peer.unref();
const [port] = (await once(peer, "message")) as [number];
const conn = await connect({ port });
const buffer = new Uint8Array(10);

/** One message there and back. */
async function exchange(): Promise<void> {
  await conn.write(buffer);
  await conn.read(buffer);
}

/** Traffic, until the thread waits with the poller. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20_000 && !runtime().waitsOnPoller; i++) await exchange();
  assert.ok(runtime().waitsOnPoller, "it waits with the poller");
}

const utilization = (since?: EventLoopUtilization): EventLoopUtilization =>
  (performance as unknown as typeof Performance).eventLoopUtilization(since);

const test = suite("waiting with the poller");
// What is waited for may hold nothing itself.
const keeper = setInterval(() => {}, 1_000_000);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** While the thread waits for `conn`, and not for long if it waits in vain. */
async function waiting<T>(what: () => Promise<T>): Promise<T> {
  await settle();
  const read = conn.read(buffer);
  const result = await what();
  assert.ok(runtime().waitsOnPoller, "it still does");
  await conn.write(buffer);
  await read;
  return result;
}

test("timers come, not too early however long nothing else has", async () => {
  for (const ms of [0, 1, 20, 150]) {
    const from = performance.now();
    await waiting(() => sleep(ms));
    assert.ok(performance.now() - from >= ms - 1, `${performance.now() - from} ms, of ${ms}`);
  }
  // One that is set when a long wait is over begins then, not when that wait did.
  await settle();
  const after = sleep(100).then(() => conn.write(buffer));
  await conn.read(buffer);
  const from = performance.now();
  await Promise.all([after, sleep(50)]);
  assert.ok(performance.now() - from >= 49);
});

test("so do immediates, ticks and promises", async () => {
  await waiting(() => new Promise<void>((resolve) => setImmediate(resolve)));
  await waiting(() => new Promise<void>((resolve) => process.nextTick(resolve)));
  await waiting(async () => {
    for (let i = 0; i < 100; i++) await undefined;
  });
});

test("and files, other threads' messages, signals and processes", async () => {
  assert.match(await waiting(() => readFile(new URL(import.meta.url), "utf8")), /files/);
  const code = await waiting(async () => {
    const worker = new Worker(`require("worker_threads").parentPort.once("message", process.exit)`, { eval: true });
    worker.postMessage(3);
    return once(worker, "exit");
  });
  assert.equal(code, [3]);
  const signal = await waiting(async () => {
    const told = once(process, "SIGUSR2");
    process.kill(process.pid, "SIGUSR2");
    return told;
  });
  assert.is(signal[0], "SIGUSR2");
  const child = await waiting(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["-p", "6 * 7"]);
    return stdout;
  });
  assert.is(child, "42\n");
});

test("and what sockets of the host's get", async () => {
  const theirs = net.createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(theirs, "listening");
  const client = net.connect((theirs.address() as net.AddressInfo).port, "127.0.0.1");
  await once(client, "connect");
  await waiting(async () => {
    for (let i = 0; i < 20; i++) {
      client.write("ping");
      assert.is(String((await once(client, "data"))[0]), "ping");
    }
  });
  client.destroy();
  theirs.close();
});

test("nobody starves: timers, files and immediates under traffic that never pauses", async () => {
  let busy = true;
  const counts = { timers: 0, files: 0, immediates: 0 };
  const timer = setInterval(() => counts.timers++, 1);
  const files = (async () => {
    for (; busy; counts.files++) await readFile(new URL(import.meta.url));
  })();
  const immediates = (async () => {
    for (; busy; counts.immediates++) await new Promise((resolve) => setImmediate(resolve));
  })();
  const from = performance.now();
  // Until each has come often enough: what starves never does.
  while (Math.min(...Object.values(counts)) < 10 && performance.now() - from < 20_000) await exchange();
  busy = false;
  clearInterval(timer);
  await Promise.all([files, immediates]);
  assert.ok(Math.min(...Object.values(counts)) >= 10, JSON.stringify(counts));
});

test("an idle thread makes no turns, and says that it is idle", async () => {
  await settle();
  const read = conn.read(buffer);
  await sleep(50);
  const before = runtime().stats.turns;
  const began = utilization();
  const from = performance.now();
  await sleep(400);
  assert.ok(runtime().waitsOnPoller);
  const { idle, active, utilization: busy } = utilization(began);
  assert.ok(runtime().stats.turns - before < 10, `${runtime().stats.turns - before} turns`);
  const elapsed = performance.now() - from;
  assert.ok(
    Math.abs(idle + active - elapsed) < 50 + elapsed / 5,
    `${idle} ms idle, ${active} ms active, of ${elapsed}`,
  );
  assert.ok(busy < 0.5, `${busy}`);
  await conn.write(buffer);
  await read;
});

test("a busy one says that it is busy", async () => {
  const began = utilization();
  const until = performance.now() + 300;
  while (performance.now() < until) {
    await exchange();
    for (const from = performance.now(); performance.now() - from < 20; );
  }
  assert.ok(utilization(began).utilization > 0.4);
});

test("when most wake-ups are the host's, its loop has the thread again", async () => {
  await settle();
  const read = conn.read(buffer);
  for (let i = 0; i < 2000 && runtime().waitsOnPoller; i++) await sleep(1);
  assert.not(runtime().waitsOnPoller);
  await conn.write(buffer);
  await read;
});

test("what a task throws outside of all promises ends no turns", async () => {
  const caught: unknown[] = [];
  const keep = (error: unknown): void => void caught.push(error);
  process.on("uncaughtException", keep);
  const unhandled = (error: unknown): void => void caught.push(error);
  process.on("unhandledRejection", unhandled);
  process.nextTick(() => {
    throw new Error("of a tick");
  });
  queueMicrotask(() => {
    throw new Error("of a microtask");
  });
  void Promise.reject(new Error("of a promise"));
  for (let i = 0; i < 20; i++) await exchange();
  await until(() => caught.length === 3, "all three are told");
  process.off("uncaughtException", keep);
  process.off("unhandledRejection", unhandled);
  assert.equal(caught.map((error) => (error as Error).message).sort(), ["of a microtask", "of a promise", "of a tick"]);
  await settle();
  await exchange();
});

test("what lacks memory outside of a turn is tried again", async () => {
  await settle();
  const read = conn.read(buffer);
  const { system, constants } = runtime().poller;
  const calls = system as { -readonly [K in keyof typeof system]: (typeof system)[K] };
  const { send } = calls;
  let failed = false;
  calls.send = () => {
    calls.send = send;
    failed = true;
    return -constants.errno.ENOMEM;
  };
  await sleep(1);
  await conn.write(buffer);
  await read;
  assert.ok(failed);
});

test("a turn belongs to nobody's context, whoever has queued it", async () => {
  const storage = new AsyncLocalStorage<number>();
  const seen = new Set<number | undefined>();
  await using inner = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (inner) => {
    seen.add(storage.getStore());
    await storage.run(1, async () => {
      await inner.read(buffer);
      await inner.write(buffer);
    });
  });
  for (let i = 0; i < 50; i++) {
    using client = await connect({ port: inner.addr.port });
    await storage.run(2, () => client.write(buffer));
    await client.read(buffer);
  }
  assert.equal([...seen], [undefined]);
});

const program = (then: string): string => `
  import { once } from "node:events";
  import { parentPort, Worker } from "node:worker_threads";
  import { connect } from ${mod("net/mod.ts")};
  import { runtime } from ${mod("runtime/mod.ts")};
  const peer = new Worker(${JSON.stringify(PEER)}, { eval: true });
  peer.unref();
  const [port] = await once(peer, "message");
  const conn = await connect({ port });
  const buffer = new Uint8Array(10);
  for (let i = 0; i < 20000 && !runtime().waitsOnPoller; i++) {
    await conn.write(buffer);
    await conn.read(buffer);
  }
  if (!runtime().waitsOnPoller) throw new Error("it does not wait with the poller");
  ${then}`;

for (const [name, then] of Object.entries({
  "when everything is closed": "conn.close();",
  "when its last read ends as the host's loop has something, too": `
    let on = true;
    const spin = () => { if (on) setImmediate(spin); };
    spin();
    const read = conn.read(buffer);
    await conn.write(buffer);
    await read;
    on = false;`,
  "when nobody holds it any more": "conn.unref(); void conn.read(buffer);",
  "when it is told to": "setTimeout(() => process.exit(0), 20);",
})) {
  test(`the process ends ${name}`, async () => {
    const { code, signal, stderr } = await run(
      [process.execPath, "--input-type=module-typescript", "-e", program(then)],
      {
        // After 30 s a timer of V8's would help who hangs.
        timeoutSeconds: 25,
      },
    );
    assert.equal({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
  });
}

test("a thread can be ended from outside while it waits", async () => {
  const worker = new Worker(
    new URL(
      `data:text/javascript,${encodeURIComponent(program(`void conn.read(buffer); parentPort.postMessage("waits");`))}`,
    ),
  );
  assert.equal(await once(worker, "message"), ["waits"]);
  assert.is(await worker.terminate(), 1);
});

test.after(() => {
  conn.close();
  clearInterval(keeper);
});
test.run();
