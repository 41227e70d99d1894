/** The turn: our loop inside the host's, busy or parked, in every thread, and nobody starves. */
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Sink } from "../../ffi/poller.ts";
import { connect, listen, serveConn } from "../../src/net/mod.ts";
import { replaceClock } from "../../src/runtime/clock.ts";
import { TimedOut } from "../../src/runtime/errors.ts";
import { runtime } from "../../src/runtime/mod.ts";
import { rejects } from "../net/pair.ts";

const test = suite("the turn");

test("timers, files and promises go on under traffic, and so do deadlines", async () => {
  await using server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
    const buffer = new Uint8Array(1000);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
      await conn.write(buffer.subarray(0, n));
  });
  let busy = true;
  let timers = 0;
  let files = 0;
  const tick = (): void => {
    timers++;
    if (busy) setTimeout(tick, 0);
  };
  tick();
  const reading = (async () => {
    while (busy) {
      await readFile(new URL(import.meta.url));
      files++;
    }
  })();
  using quiet = await connect({ port: server.addr.port });
  quiet.setReadDeadline(Date.now() + 30);
  let expired = false;
  const deadline = rejects(quiet.read(new Uint8Array(1)), TimedOut).then(() => (expired = true));

  const exchange = async (): Promise<number> => {
    using conn = await connect({ port: server.addr.port });
    const buffer = new Uint8Array(1000);
    let count = 0;
    // At least 200 rounds, and on until the deadline has come: under load, not after it.
    for (; count < 200 || !expired; count++) {
      await conn.write(buffer.subarray(0, 100));
      await conn.read(buffer);
    }
    return count;
  };
  await Promise.all(Array.from({ length: 20 }, exchange));
  busy = false;
  await Promise.all([reading, deadline]);
  assert.ok(timers > 10, `${timers} timers`);
  assert.ok(files > 10, `${files} files`);
});

test("a sink that throws loses its own connection only, with one entry in the log", async () => {
  const rt = runtime();
  const { system } = rt.poller;
  const original = console.error;
  const log: string[] = [];
  console.error = (...args: unknown[]) => void log.push(args.join(" "));
  try {
    const pair = new Int32Array(2);
    system.socketpair(system.constants.SOCK_STREAM, pair);
    const nothing = (): void => {};
    const failed = Promise.withResolvers<void>();
    const sink: Sink = {
      accepted: nothing,
      connected: nothing,
      received() {
        throw new Error("a mistake of ours");
      },
      datagram: nothing,
      sent: nothing,
      ended: nothing,
      hungUp: nothing,
      failed: () => failed.resolve(),
      expired: nothing,
    };
    const before = rt.poller.openCount;
    const handle = rt.open(pair[0], sink);
    rt.poller.receive(handle);
    system.send(pair[1], new Uint8Array(1));
    await failed.promise; // its owner is told
    await new Promise((resolve) => setImmediate(resolve));
    assert.is(rt.poller.openCount, before);
    system.close(pair[1]);
    await using server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), (conn) =>
      conn.write(new Uint8Array([7])),
    );
    using conn = await connect({ port: server.addr.port });
    const buffer = new Uint8Array(1);
    assert.is(await conn.read(buffer), 1);
  } finally {
    console.error = original;
  }
  assert.is(log.length, 1, log.join("\n"));
  assert.match(log[0], /internal error.*a mistake of ours/);
});

test("each thread has its own: three Workers serve at once", async () => {
  const mod = JSON.stringify(new URL("../../src/net/mod.ts", import.meta.url).href);
  const program = `
    import { parentPort } from "node:worker_threads";
    const { listen, serveConn } = await import(${mod});
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
      const buffer = new Uint8Array(100);
      for (let n; (n = await conn.read(buffer)) !== null; ) await conn.write(buffer.subarray(0, n));
    });
    parentPort.once("message", () => server.shutdown().then(() => parentPort.close()));
    parentPort.postMessage(server.addr.port);
  `;
  const workers = Array.from(
    { length: 3 },
    () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`)),
  );
  const ports = await Promise.all(workers.map((worker) => new Promise<number>((done) => worker.once("message", done))));
  await Promise.all(
    ports.map(async (port) => {
      using conn = await connect({ port });
      const buffer = new Uint8Array(100);
      for (let i = 0; i < 100; i++) {
        await conn.write(buffer.fill(i));
        assert.is(await conn.read(buffer), 100);
        assert.is(buffer[99], i);
      }
    }),
  );
  const codes = await Promise.all(
    workers.map((worker) => {
      const exit = new Promise<number>((done) => worker.once("exit", done));
      worker.postMessage("end");
      return exit;
    }),
  );
  assert.equal(codes, [0, 0, 0]);
});

test("outside a turn the clock is read: a deadline set after a long silence is not in the past", () => {
  const rt = runtime();
  const restore = replaceClock(() => performance.now() + 300_000);
  try {
    assert.ok(rt.now >= 300_000, String(rt.now));
  } finally {
    restore();
  }
});

test("who waits for a descriptor learns of a closed connection's last bytes as well", () => {
  const rt = runtime();
  let told = 0;
  const closed = (): void => void told++;
  rt.closing.add(closed);
  rt.poller.onLeaving(1);
  assert.is(told, 0);
  rt.poller.onLeaving(-1);
  rt.closing.delete(closed);
  assert.is(told, 1);
});

test.run();
