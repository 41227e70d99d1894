// The main thread's part with workers that are only numbers: none of what is accepted is lost, however slow they are.

import { once } from "node:events";
import { closeSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listen } from "../../src/net/mod.ts";
import { Distribution, type SharedListener, type Taker } from "../../src/parallel/distribution.ts";
import { RING, Shared } from "../../src/parallel/shared.ts";
import { until } from "./support.ts";

function taker(): Taker {
  return { shared: new Shared(), wake() {}, given: [], head: 0, since: 0 };
}

function begin(...takers: Taker[]): { distribution: Distribution; shared: SharedListener; port: number } {
  const distribution = new Distribution();
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const shared = distribution.share(listener as never);
  if (shared === undefined) throw new Error("no room for a listener");
  for (const one of takers) {
    distribution.add(one);
    shared.holders.add(one);
    distribution.accept(shared, one, true);
  }
  distribution.begin();
  return { distribution, shared, port };
}

async function open(port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port, host: "127.0.0.1" }).on("error", () => {}));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

test("more at once than a ring holds: the rest waits, and comes as room is made", async () => {
  const slow = taker();
  const { distribution, shared, port } = begin(slow);
  const count = RING + 300;
  const sockets = await open(port, count);
  await until(
    async () => slow.shared.waiting,
    (waiting) => waiting === RING,
  );
  const fds = new Set<number>();
  await until(
    async () => {
      slow.shared.take((fd, id) => {
        assert.is(id, shared.id);
        fds.add(fd);
      });
      return fds.size;
    },
    (taken) => taken === count,
  );
  for (const fd of fds) closeSync(fd);
  for (const socket of sockets) socket.destroy();
  distribution.end(shared);
});

test("what a worker has not come to goes to the others when it is gone", async () => {
  const [a, b] = [taker(), taker()];
  const { distribution, shared, port } = begin(a, b);
  const sockets = await open(port, 10);
  await until(
    async () => a.shared.waiting + b.shared.waiting,
    (waiting) => waiting === 10,
  );
  distribution.remove(a);
  const fds: number[] = [];
  b.shared.take((fd) => fds.push(fd));
  assert.is(fds.length, 10);
  for (const fd of fds) closeSync(fd);
  for (const socket of sockets) socket.destroy();
  distribution.close(shared, b);
  assert.is(shared.listener.fd, -1);
});

test.run();
