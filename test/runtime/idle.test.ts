/** An idle server costs nothing: parked in the kernel with 1,000 open connections, 0 CPU ticks in 5 seconds. */
import { once } from "node:events";
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../net/pair.ts";
import { Program, sockets, ticks } from "./process.ts";

const test = suite("idle");
const CONNECTIONS = 1000;

test(`${CONNECTIONS} connections, 5 s, 0 ticks`, async () => {
  const mod = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);
  await using server = new Program(`
    const { listen, serveConn } = await import(${mod("net/mod.ts")});
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
      const buffer = new Uint8Array(100);
      conn.setReadDeadline(Date.now() + 120_000);
      for (let n; (n = await conn.read(buffer)) !== null; ) await conn.write(buffer.subarray(0, n));
    });
    console.log(server.addr.port);
  `);
  const port = Number(await server.line());
  const before = sockets(server.pid);
  const clients: net.Socket[] = [];
  // In small groups: what is tested is the silence afterwards.
  while (clients.length < CONNECTIONS) {
    const group = Array.from({ length: 100 }, () => net.connect({ port, host: "127.0.0.1" }));
    await Promise.all(group.map((client) => once(client, "connect")));
    await Promise.all(
      group.map((client) => {
        client.write("x");
        return once(client, "data");
      }),
    );
    clients.push(...group);
  }
  assert.is(sockets(server.pid) - before, CONNECTIONS);

  // V8's own housekeeping after the rush (garbage collection on its threads) is not ours: wait until it is over.
  let last = -1;
  await until(() => {
    const now = ticks(server.pid);
    const quiet = now === last;
    last = now;
    return quiet;
  }, "the rush is over");
  await new Promise((resolve) => setTimeout(resolve, 1500));

  const start = ticks(server.pid);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  assert.is(ticks(server.pid) - start, 0, "ticks in 5 s");

  const sample = clients[CONNECTIONS >> 1];
  sample.write("awake");
  const [answer] = await once(sample, "data");
  assert.is(String(answer), "awake");
  for (const client of clients) client.destroy();
});

test.run();
