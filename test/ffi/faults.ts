/**
 * Every call into the kernel fails now and then, in every way it can, and no byte is lost, doubled or moved; and where a
 * failure is final, it is told once, to the right one, and everything is given back.
 */
import { once } from "node:events";
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Conn, connect, listen, listenDatagram, serveConn, type TcpListener } from "../../src/net/mod.ts";
import { BrokenPipe, ConnectionReset, Interrupted } from "../../src/runtime/errors.ts";
import { taskCount } from "../../src/runtime/tasks.ts";
import { descriptors, hasV6, until } from "../net/pair.ts";
import { skip } from "../support/skip.ts";
import { type Backend, type Faults, faultySystem, randomFrom, runOn, seed } from "./faulty-system.ts";
import { randomRing } from "./ring-faults.ts";

/** Faults that pass: traffic must come through them unharmed. */
const passing: Faults = {
  accept: { rate: 0.3, kinds: ["EINTR", "EAGAIN", "ECONNABORTED", "EPROTO", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] },
  receive: { rate: 0.2, kinds: ["EINTR", "EINTR", "EAGAIN", "EAGAIN", "short", "short", "short"] },
  send: { rate: 0.2, kinds: ["EINTR", "EINTR", "EAGAIN", "EAGAIN", "short", "short", "short"] },
  connect: { rate: 0.3, kinds: ["EINTR"] },
  close: { rate: 0.2, kinds: ["EINTR"] },
  wait: { rate: 0.2, kinds: ["EINTR", "short"] },
  getpeername: { rate: 0.2, kinds: ["ENOTCONN"] },
};
/** Out of memory: waits 100 ms a time, so rare. */
const memory: Faults = {
  ...passing,
  receive: { rate: 0.02, kinds: ["ENOMEM", "ENOBUFS", "short", "EAGAIN"] },
  send: { rate: 0.02, kinds: ["ENOMEM", "ENOBUFS", "short", "EAGAIN"] },
};

async function echo(conn: Conn): Promise<void> {
  const buffer = new Uint8Array(20_000);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
    await conn.write(buffer.subarray(0, n));
}

/** Bytes that depend on where they are, so that none can be lost or doubled unnoticed. */
function pattern(length: number, salt: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + salt, 2654435761) >>> 11) & 255;
  return bytes;
}

/** Sends and expects the same back, by our client. */
async function exchangeOurs(port: number, data: Uint8Array): Promise<void> {
  using conn = await connect({ port });
  const sending = conn.write(data).then(() => conn.closeWrite());
  // Awaited below, unless reading fails first. An injected EPIPE does not end the reading, as a real one would.
  sending.catch(() => conn.close());
  const got = new Uint8Array(data.length + 1);
  let at = 0;
  for (let n: number | null; (n = await conn.read(got.subarray(at))) !== null; ) at += n;
  await sending;
  assert.is(at, data.length);
  assert.ok(Buffer.compare(got.subarray(0, at), data) === 0, "the bytes differ");
}

/** The same by node's. */
async function exchangeNode(port: number, data: Uint8Array): Promise<void> {
  const peer = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  peer.end(data);
  const chunks: Buffer[] = [];
  peer.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(peer, "end");
  assert.ok(Buffer.compare(Buffer.concat(chunks), data) === 0, "the bytes differ");
}

/** The tests for this backend; `refused` is why it does not work here, "" when it does. */
export function faultsOn(backend: Backend, refused = ""): void {
  const title = `faults [${backend}]`;
  const test = suite(title);
  const runSeed = seed(title);
  const one = (name: string, run: () => void | Promise<void>): void =>
    refused === "" ? void test(name, run) : skip(test, name, refused);
  /** Those of the calls that this backend makes; what it asks of the ring has its own. */
  const ours = (faults: Faults): Faults =>
    backend !== "uring"
      ? faults
      : Object.fromEntries(Object.entries(faults).filter(([call]) => call !== "receive" && call !== "wait"));
  const ring = (random: () => number, rate: number, breaking: number) =>
    backend === "uring" ? randomRing(random, rate, breaking) : undefined;

  for (const [name, faults, rounds] of [
    ["interrupted, refused and cut short", passing, 60],
    ["out of memory", memory, 24],
  ] as const) {
    one(`streams, ${name}: byte for byte`, async () => {
      const random = randomFrom(runSeed);
      const { system, injected } = faultySystem(random, ours(faults));
      const before = descriptors();
      const tasks = taskCount();
      const error = console.error;
      console.error = () => {}; // the line about missing descriptors, which is right
      const { runtime, restore } = runOn(system, backend, ring(random, 0.15, 0)?.ring);
      try {
        const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo);
        const { port } = server.addr;
        await Promise.all(
          Array.from({ length: rounds }, (_, i) => {
            const data = pattern(Math.floor(random() ** 3 * 400_000), i);
            return i % 3 === 0 ? exchangeNode(port, data) : exchangeOurs(port, data);
          }),
        );
        await server.shutdown();
        await until(() => runtime.poller.openCount === 0, "every handle is closed");
        assert.is(taskCount(), tasks);
      } finally {
        restore();
        console.error = error;
        runtime.dispose();
      }
      for (const [call, { kinds }] of Object.entries(ours(faults))) {
        for (const kind of kinds) assert.ok(injected.has(`${call} ${kind}`), `no ${call} ${kind} in this run`);
      }
      await until(() => descriptors() <= before, "no descriptor is left");
    });
  }

  one("datagrams: each arrives whole, or not at all", async () => {
    const random = randomFrom(runSeed);
    const { system, stop } = faultySystem(
      random,
      ours({
        receiveFrom: { rate: 0.2, kinds: ["EINTR", "EAGAIN", "ECONNREFUSED"] },
        sendTo: { rate: 0.2, kinds: ["EINTR", "EAGAIN"] },
        wait: { rate: 0.2, kinds: ["EINTR", "short"] },
      }),
    );
    const rings = ring(random, 0.15, 0);
    const { runtime, restore } = runOn(system, backend, rings?.ring);
    try {
      using a = listenDatagram({ transport: "udp", port: 0 });
      using b = listenDatagram({ transport: "udp", port: 0 });
      for (let i = 0; i < 300; i++) {
        const data = pattern(Math.floor(random() * 5000), i);
        const [[got]] = await Promise.all([b.receive(), a.send(data, b.addr)]);
        assert.ok(Buffer.compare(got, data) === 0, `datagram ${i}`);
      }
      stop();
      rings?.stop();
    } finally {
      restore();
      runtime.dispose();
    }
  });

  one("a datagram that finds no memory is sent later, in order", async () => {
    let left = 3;
    const random = randomFrom(runSeed);
    const { system } = faultySystem(random, {});
    const { ENOBUFS } = system.constants.errno;
    const { sendTo } = system;
    const { runtime, restore } = runOn(
      { ...system, sendTo: (...args) => (left-- > 0 ? -ENOBUFS : sendTo(...args)) },
      backend,
    );
    try {
      using a = listenDatagram({ transport: "udp", port: 0 });
      const sends = ["1", "2", "3"].map((digit) => a.send(new TextEncoder().encode(digit), a.addr));
      assert.equal(await Promise.all(sends), [1, 1, 1]);
      for (const digit of ["1", "2", "3"]) assert.is(new TextDecoder().decode((await a.receive())[0]), digit);
    } finally {
      restore();
      runtime.dispose();
    }
  });

  one("a peer that is gone before its address was asked for has the unspecified one", async () => {
    const { system } = faultySystem(() => 0, {});
    const { ENOTCONN } = system.constants.errno;
    const { runtime, restore } = runOn({ ...system, getpeername: () => -ENOTCONN }, backend);
    try {
      for (const [hostname, unspecified] of [
        ["127.0.0.1", "0.0.0.0"],
        ["::1", "::"],
      ]) {
        if (hostname === "::1" && !hasV6) continue;
        using listener = listen({ port: 0, hostname });
        const [conn, other] = await Promise.all([connect({ port: listener.addr.port, hostname }), listener.accept()]);
        assert.equal(other.remoteAddr, { transport: "tcp", hostname: unspecified, port: 0 });
        assert.is(other.localAddr.hostname, hostname);
        conn.close();
        other.close();
      }
    } finally {
      restore();
      runtime.dispose();
    }
  });

  one("final failures reach their own connection only, once, and leave nothing", async () => {
    const random = randomFrom(runSeed);
    const before = descriptors();
    const tasks = taskCount();
    const { system, injected, stop } = faultySystem(
      random,
      ours({
        receive: { rate: 0.01, kinds: ["ECONNRESET", "ETIMEDOUT"] },
        send: { rate: 0.01, kinds: ["EPIPE", "ECONNRESET"] },
        socket: { rate: 0.1, kinds: ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] },
        connect: { rate: 0.1, kinds: ["ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL"] },
        watch: { rate: 0.1, kinds: ["ENOMEM"] },
      }),
    );
    const rings = ring(random, 0.02, 0.01);
    const error = console.error;
    console.error = () => {}; // lost connections, timeouts: each has its line
    const { runtime, restore } = runOn(system, backend, rings?.ring);
    let failed = 0;
    let served = 0;
    try {
      let listener: TcpListener | undefined;
      while (listener === undefined) {
        try {
          listener = listen({ port: 0, hostname: "127.0.0.1" });
        } catch (e) {
          assert.match((e as Error).message, /os error \d+\): listen on/);
        }
      }
      const server = serveConn(listener, echo);
      const { port } = server.addr;
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          for (let round = 0; round < 20; round++) {
            try {
              await exchangeOurs(port, pattern(Math.floor(random() * 20_000), i));
              served++;
            } catch (e) {
              // What an injected failure looks like from the other side: fewer bytes, or a reset.
              const short = (e as { code?: string }).code === "ERR_ASSERTION" && !/differ/.test((e as Error).message);
              const told =
                e instanceof Interrupted ||
                e instanceof ConnectionReset ||
                e instanceof BrokenPipe ||
                /os error \d+/.test(String(e));
              assert.ok(short || told, String(e));
              failed++;
            }
          }
        }),
      );
      assert.ok(failed > 20 && served > 20, `${failed} failed, ${served} served`);
      stop();
      rings?.stop();
      for (let i = 0; i < 5; i++) await exchangeOurs(port, pattern(50_000, i));
      await server.shutdown();
      await until(() => runtime.poller.openCount === 0, "every handle is closed");
      assert.is(taskCount(), tasks);
    } finally {
      restore();
      console.error = error;
      runtime.dispose();
    }
    const watching = backend === "uring" ? [] : ["receive ECONNRESET", "watch ENOMEM"];
    for (const name of ["send EPIPE", "socket EMFILE", "connect ECONNREFUSED", ...watching]) {
      assert.ok(injected.has(name), `no ${name} in this run`);
    }
    await until(() => descriptors() <= before, "no descriptor is left");
  });

  test.run();
}
