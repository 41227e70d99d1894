/**
 * 15,300 connections opened, reset and closed at random, by peers that behave in every bad way: afterwards there is no
 * descriptor, no task, no handle, and no slope in memory.
 */
import { once } from "node:events";
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFrom, seed } from "../ffi/faulty-system.ts";
import { Program, sockets } from "./process.ts";

const test = suite("churn");
const ROUNDS = 9;
const CONNECTIONS = 1700;
const AT_ONCE = 50;

const mod = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);
const program = `
  const { listen, serveConn } = await import(${mod("net/mod.ts")});
  const { runtime, taskCount } = await import(${mod("runtime/mod.ts")});
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
    const buffer = new Uint8Array(2000);
    conn.setDeadline(Date.now() + 60_000);
    for (let n; (n = await conn.read(buffer)) !== null; ) {
      await conn.write(buffer.subarray(0, n));
      if (buffer[0] === 0x7a) return;             // "z": leave with bytes unread
      if (buffer[0] === 0x77) await conn.write(new Uint8Array(1e6)); // "w": more than fits
    }
  });
  console.log(server.addr.port);
  const { createInterface } = await import("node:readline");
  createInterface(process.stdin).on("line", async () => {
    for (let i = 0; i < 500 && (taskCount() > 0 || runtime().poller.openCount > 1); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (let i = 0; i < 4; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
    console.log(JSON.stringify({
      tasks: taskCount(), handles: runtime().poller.openCount, stalled: runtime().poller.stalled,
      heap: heapUsed, outside: external + arrayBuffers, rss,
    }));
  });
`;

/** One connection of one kind. */
async function visit(port: number, random: () => number): Promise<void> {
  const client = net.connect({ port, host: "127.0.0.1", allowHalfOpen: random() < 0.5 });
  client.on("error", () => {});
  const kind = Math.floor(random() * 10);
  if (kind === 0) return void client.destroy(); // perhaps before it stands
  await Promise.race([once(client, "connect"), once(client, "close")]);
  if (kind === 1) return void client.destroy();
  if (kind === 2) return void client.resetAndDestroy();
  client.write(kind === 3 ? "z".repeat(5000) : kind === 4 ? "w" : "hello");
  if (kind === 5) return void client.resetAndDestroy();
  if (kind === 6) return void client.destroy();
  if (kind === 4) client.pause();
  else await Promise.race([once(client, "data"), once(client, "close")]);
  if (kind === 4 || kind === 7) return void client.resetAndDestroy();
  client.end();
  client.resume();
  if (!client.destroyed) await Promise.race([once(client, "end"), once(client, "close")]).catch(() => {});
  client.destroy();
}

test(`${ROUNDS * CONNECTIONS} connections leave nothing behind`, async () => {
  const random = randomFrom(seed("churn"));
  await using server = new Program(program, ["--expose-gc"]);
  const port = Number(await server.line());
  const idle = sockets(server.pid);
  const rounds: { heap: number; outside: number; rss: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let left = CONNECTIONS;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) await visit(port, random);
      }),
    );
    const state = JSON.parse(await server.ask("state"));
    assert.is(state.tasks, 0, `tasks after round ${round}`);
    assert.is(state.handles, 1, `handles after round ${round}: the listener's only`);
    assert.is(state.stalled, 0);
    assert.is(sockets(server.pid), idle, `descriptors after round ${round}`);
    rounds.push(state);
  }
  assert.is(server.log, "", "nothing to complain about");
  // A leak grows in every round; compilers, tables and allocators that settle do so in some. So what counts is the
  // second smallest growth of a round, in bytes a connection: the smallest leaked object would be 24.
  const growth = (key: "heap" | "outside" | "rss"): number => {
    const steps = rounds.slice(1).map((round, i) => (round[key] - rounds[i][key]) / CONNECTIONS);
    return steps.sort((a, b) => a - b)[1];
  };
  const shown = JSON.stringify(rounds);
  console.log(`bytes a connection: heap ${growth("heap")}, outside ${growth("outside")}, resident ${growth("rss")}`);
  assert.ok(growth("heap") < 24, `${growth("heap")} bytes of heap a connection: ${shown}`);
  assert.ok(growth("outside") < 5, `${growth("outside")} bytes beside the heap a connection: ${shown}`);
  assert.ok(growth("rss") < 1000, `${growth("rss")} resident bytes a connection: ${shown}`);
});

test.run();
