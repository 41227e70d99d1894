// A listener ends while clients connect as fast as they can: whoever was let in is served, all others are refused.
import { once } from "node:events";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listen, serveConn } from "../../src/net/mod.ts";
import { onLinux } from "../ffi/kernel.ts";
import { skip } from "../support/skip.ts";
import { until } from "./pair.ts";

const test = suite("turning away");

/** In a thread of its own: 20 clients at a time, each of which sends a byte and wants it back. */
const clients = `
  const net = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const counts = {};
  let refused = false;
  const one = () => new Promise((resolve) => {
    let got = "nothing";
    const socket = net.connect({ port: workerData, host: "127.0.0.1" }, () => socket.end("x"));
    socket.on("data", () => (got = "answered"));
    socket.on("error", (error) => (got = error.code));
    socket.on("close", () => resolve(got));
  });
  const loop = async () => {
    while (!refused) {
      const got = await one();
      counts[got] = (counts[got] ?? 0) + 1;
      if (got === "ECONNREFUSED") refused = true;
    }
  };
  Promise.all(Array.from({ length: 20 }, loop)).then(() => parentPort.postMessage(counts));
`;

const linux = (name: string, run: () => Promise<void>): void =>
  onLinux ? void test(name, run) : skip(test, name, "no other kernel drops SYNs for a socket");

linux("clients that connect while it closes are served or refused, never reset", async () => {
  let served = 0;
  for (let round = 0; round < 5; round++) {
    const listener = listen({ port: 0, hostname: "127.0.0.1" });
    const server = serveConn(listener, async (conn) => {
      served++;
      await conn.write(new Uint8Array((await conn.read(new Uint8Array(1))) ?? 0));
    });
    const worker = new Worker(clients, { eval: true, workerData: listener.addr.port });
    const counts = once(worker, "message");
    await until(() => served > 200 * (round + 1), "load");
    listener.takeWaiting();
    await server.shutdown();
    const [got] = await counts;
    const { answered, ECONNREFUSED, ...others } = got;
    assert.ok(answered > 100 && ECONNREFUSED > 0);
    assert.equal(others, {}, `round ${round}`);
    await worker.terminate();
  }
});

linux("a listener that turns away serves who is there, and its socket is closed as any other", async () => {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const server = serveConn(listener, async (conn) => {
    const buffer = new Uint8Array(10);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
      await conn.write(buffer.subarray(0, n));
  });
  const before = net.connect(port, "127.0.0.1");
  await once(before, "connect");
  listener.takeWaiting();
  assert.is(server.active, 1);
  const late = net.connect(port, "127.0.0.1");
  const refused = once(late, "error");
  let connected = false;
  late.on("connect", () => (connected = true));
  before.write("still");
  assert.is(String((await once(before, "data"))[0]), "still");
  before.end();
  await server.shutdown();
  // Its SYN was dropped; the next one, a second later, finds nobody.
  const [error] = await refused;
  assert.is(error.code, "ECONNREFUSED");
  assert.is(connected, false);
  // The port is free at once.
  using again = listen({ port, hostname: "127.0.0.1" });
  assert.is(again.addr.port, port);
});

test.run();
