// Many handshakes at once: each gets its turn, in order, and whoever has been there before is served in between.
import { once } from "node:events";
import { connect as connectBare } from "node:net";
import { connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replaceClock } from "../../src/runtime/clock.ts";
import { HandshakeQueue } from "../../src/tls/handshake-queue.ts";
import { OpenHandshakes } from "../../src/tls/open-handshakes.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { clientHello } from "../support/openssl.ts";
import { identity } from "../support/tls.ts";

const immediate = () => new Promise((resolve) => setImmediate(resolve));

test("2 ms of a turn; what waits goes on in order, a few an iteration of the loop", async () => {
  let now = 1000;
  const restore = replaceClock(() => now);
  try {
    const done: number[] = [];
    const queue = new HandshakeQueue((handle) => {
      done.push(handle);
      now += 1;
      if (handle === 3) queue.add(99, 1);
    });
    assert.is(queue.free, true);
    queue.took(1.5);
    assert.is(queue.free, true);
    queue.took(1);
    assert.is(queue.free, false);
    for (let handle = 1; handle <= 5; handle++) queue.add(handle, 1);
    assert.equal(done, []);
    await immediate();
    assert.equal(done, [1, 2]);
    assert.is(queue.free, false, "others are before it");
    await immediate();
    assert.equal(done, [1, 2, 3, 4]);
    await immediate();
    assert.equal(done, [1, 2, 3, 4, 5, 99]);
    // A step that takes long is the only one.
    for (let handle = 1; handle <= 6000; handle++) queue.add(handle, 1);
    done.length = 0;
    for (let i = 0; i <= 3000; i++) await immediate();
    assert.is(done.length, 6001);
    assert.equal(done.slice(-2), [6000, 99]);
  } finally {
    restore();
  }
});

test("when too many are open the oldest is given up; who is done counts no more", () => {
  const open = new Set<number>();
  const gone: number[] = [];
  let waiting = 0;
  const handshakes = new OpenHandshakes(
    (handle, life) => open.has(handle * 10 + life),
    (handle) => {
      if (handle === waiting) return false;
      gone.push(handle);
      open.delete(handle * 10 + 1);
      handshakes.count--;
      return true;
    },
    3,
  );
  const begin = (handle: number): void => {
    open.add(handle * 10 + 1);
    handshakes.begin(handle, 1);
  };
  for (const handle of [1, 2, 3]) begin(handle);
  open.delete(11);
  handshakes.count--;
  begin(4);
  assert.equal(gone, []);
  begin(5);
  begin(6);
  assert.equal([gone, handshakes.count], [[2, 3], 3]);
  // Who waits for us is not who holds us up.
  waiting = 4;
  begin(7);
  assert.equal([gone, handshakes.count], [[2, 3], 4]);
  waiting = 0;
  begin(8);
  assert.equal([gone, handshakes.count], [[2, 3, 4, 5], 3]);
  // Ten thousand that are done at once leave nothing behind.
  for (let handle = 10; handle < 10_010; handle++) {
    begin(handle);
    open.delete(handle * 10 + 1);
    handshakes.count--;
  }
  assert.equal([gone, handshakes.count], [[2, 3, 4, 5, 6], 2]);
});

test("200 clients at once are all answered, though some go away while they wait", async () => {
  using server = start(() => new Response("hello"), identity);
  const { port } = server;
  const kept = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(kept, "secureConnect");
  const hello = await clientHello();
  const gone = Array.from({ length: 60 }, (_, i) => {
    const socket = connectBare({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.write(i % 2 === 0 ? hello : hello.subarray(0, 100));
    if (i % 3 === 0) socket.end();
    else socket.once("connect", () => setImmediate(() => socket.resetAndDestroy()));
    return socket;
  });
  const answers = Array.from({ length: 200 }, async (_, i) => {
    const maxVersion = i % 2 === 0 ? ("TLSv1.2" as const) : ("TLSv1.3" as const);
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion });
    // Its request comes with the last part of the handshake.
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [bytes] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return String(bytes);
  });
  await logged(async () => {
    for (let i = 0; i < 20; i++) {
      kept.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      assert.match(String((await once(kept, "data"))[0]), /hello$/);
    }
    for (const answer of await Promise.all(answers)) assert.match(answer, /hello$/);
    for (const socket of gone) socket.destroy();
    kept.destroy();
    await eventually(() => server.server.connections === 0, "all are forgotten");
  });
});

test("who waits in vain is closed by the handshake's deadline, and what it sends meanwhile is not kept without end", async () => {
  using server = start(() => new Response("hello"), { ...identity, readHeaderTimeout: 200 });
  const hello = await clientHello();
  await logged(async () => {
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connectBare({ port: server.port, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.write(hello);
      socket.write(Buffer.alloc(500_000, 22));
      socket.resume();
      // Not by `once`, for which a reset is a failure.
      return new Promise((resolve) => socket.on("close", resolve));
    });
    await Promise.all(sockets);
    await eventually(() => server.server.connections === 0, "all are forgotten");
  });
});

test.run();
