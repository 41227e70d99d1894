// The main thread's part with workers that are only numbers: who gets how many is exact here, where no machine can hold a
// worker up but the test; and none of what is accepted is lost, however slow they are.

import { once } from "node:events";
import { closeSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { listen } from "../../src/net/mod.ts";
import { Distribution, type SharedListener, type Taker } from "../../src/parallel/distribution.ts";
import { RING, Shared, SIGNALED } from "../../src/parallel/shared.ts";
import { replaceClock } from "../../src/runtime/clock.ts";
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

/** A worker that comes to everything at once, as long as it is not told to wait. */
class Prompt implements Taker {
  readonly shared: Shared = new Shared();
  readonly given: number[] = [];
  readonly fds: number[] = [];
  head = 0;
  since = 0;
  heldUp = false;

  wake(): void {
    if (!this.heldUp) this.look();
  }
  look(): void {
    this.shared.set(SIGNALED, 0);
    this.shared.take((fd) => this.fds.push(fd));
  }
  /** So many of its connections end. */
  end(count: number, listener: number): void {
    for (const fd of this.fds.splice(0, count)) {
      closeSync(fd);
      this.shared.ended(listener);
    }
  }
}

/** Two such workers and a listener whose connections are counted; `more` opens some, and says who has how many then. */
function two(): {
  readonly workers: readonly [Prompt, Prompt];
  readonly id: number;
  more(count: number): Promise<number[]>;
  end(): void;
} {
  const workers = [new Prompt(), new Prompt()] as const;
  const { distribution, shared, port } = begin(...workers);
  distribution.limit(shared, Number.POSITIVE_INFINITY);
  const sockets: Socket[] = [];
  const have = () => workers.map(({ fds }) => fds.length);
  return {
    workers,
    id: shared.id,
    async more(count) {
      const wanted = workers[0].fds.length + workers[1].fds.length + count;
      sockets.push(...(await open(port, count)));
      return until(
        async () => have(),
        ([a, b]) => a + b === wanted,
      );
    },
    end() {
      for (const worker of workers) worker.end(worker.fds.length, shared.id);
      for (const socket of sockets) socket.destroy();
      distribution.end(shared);
    },
  };
}

test("connections are spread evenly, whether they come at once or one by one", async () => {
  const { more, end } = two();
  assert.equal(await more(100), [50, 50]);
  for (let each = 51; each <= 60; each++) {
    await more(1);
    assert.equal(await more(1), [each, each]);
  }
  end();
});

test("as connections end, who has fewer gets the next ones", async () => {
  const { workers, id, more, end } = two();
  await more(40);
  workers[0].end(15, id);
  assert.equal(await more(15), [20, 20]);
  workers[1].end(20, id);
  assert.equal(await more(10), [20, 10]);
  end();
});

test("who is held up gets none, what it was given goes to the other, and afterwards it catches up", async () => {
  let now = 0;
  const restore = replaceClock(() => now);
  const { workers, more, end } = two();
  const [a] = workers;
  a.heldUp = true;
  // Of ten it has half, on their way; once it has not looked for 50 ms the other has them all.
  const opened = more(10);
  await until(
    async () => a.shared.waiting,
    (waiting) => waiting === 5,
  );
  now += 51;
  assert.equal(await opened, [0, 10]);
  assert.equal(await more(10), [0, 20]);
  a.heldUp = false;
  a.look();
  assert.equal(await more(20), [20, 20]);
  restore();
  end();
});

test("who is held up as it stops listening keeps its last connections, when nobody else takes any", async () => {
  let now = 0;
  const restore = replaceClock(() => now);
  const [a, b] = [new Prompt(), new Prompt()];
  a.heldUp = true;
  const { distribution, shared: own, port } = begin(a);
  distribution.add(b);
  const both = distribution.share(listen({ port: 0, hostname: "127.0.0.1" }) as never);
  if (both === undefined) throw new Error("no room for a listener");
  for (const worker of [a, b]) distribution.accept(both, worker, true);
  const sockets = await open(port, 5);
  sockets.push(...(await open((both.listener.addr as { port: number }).port, 4)));
  await until(
    async () => [a.shared.waiting, b.fds.length],
    ([waiting, taken]) => waiting === 7 && taken === 2,
  );
  assert.ok(distribution.stop(own, a, false));
  assert.is(own.listener.fd, -1);
  now += 51;
  await until(
    async () => b.fds.length,
    (taken) => taken === 4,
  );
  a.look();
  assert.is(a.fds.length, 5);
  for (const fd of [...a.fds, ...b.fds]) closeSync(fd);
  for (const socket of sockets) socket.destroy();
  distribution.end(both);
  restore();
});

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

test("what nobody takes when a worker is gone waits for one that does, as long as the socket lives", async () => {
  const [a, b] = [taker(), taker()];
  const { distribution, shared, port } = begin(a);
  distribution.add(b);
  shared.holders.add(b);
  const sockets = await open(port, 10);
  await until(
    async () => a.shared.waiting,
    (waiting) => waiting === 10,
  );
  distribution.remove(a);
  assert.is(b.shared.waiting, 0);
  distribution.accept(shared, b, true);
  const fds: number[] = [];
  b.shared.take((fd) => fds.push(fd));
  assert.is(fds.length, 10);
  for (const fd of fds) closeSync(fd);
  // Again, and nobody comes any more.
  const more = await open(port, 10);
  await until(
    async () => b.shared.waiting,
    (waiting) => waiting === 10,
  );
  const ends = more.map((socket) => once(socket.resume(), "close"));
  distribution.remove(b);
  distribution.end(shared);
  await Promise.all(ends);
  for (const socket of sockets) socket.destroy();
});

test("a socket that has been closed leaves its place to another, once nothing is left of it", async () => {
  const worker = new Prompt();
  const { distribution, shared, port } = begin(worker);
  distribution.limit(shared, 100);
  const [socket] = await open(port, 1);
  await until(
    async () => worker.fds.length,
    (count) => count === 1,
  );
  distribution.close(shared, worker);
  const share = (): SharedListener | undefined =>
    distribution.share(listen({ port: 0, hostname: "127.0.0.1" }) as never);
  // Its connection is open yet.
  const second = share();
  assert.is(second?.id, shared.id + 1);
  worker.end(1, shared.id);
  socket.destroy();
  const third = share();
  assert.is(third?.id, shared.id);
  for (const one of [second, third]) if (one !== undefined) distribution.end(one);
  for (let i = 0; i < 200; i++) {
    const next = share();
    assert.ok(next !== undefined && next.id <= shared.id + 1);
    distribution.end(next);
  }
});

test.run();
