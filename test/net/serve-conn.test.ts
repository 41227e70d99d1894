/** serveConn: a task a connection, endings that lose nothing, failures that stay alone. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Conn, connect, listen, serveConn } from "../../src/net/mod.ts";
import { runtime, taskCount, tasks } from "../../src/runtime/mod.ts";
import { loggedText } from "../support/logged.ts";
import { skip } from "../support/skip.ts";
import { bytes, readAll, readExactly, rejects, text, turns, until } from "./pair.ts";

async function echo(conn: Conn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
    await conn.write(buffer.subarray(0, n));
}

const has = (command: string, ...args: string[]): boolean => spawnSync(command, args).error === undefined;
const test = suite("serveConn");

test("serves many at once, each its own bytes, and counts them as tasks", async () => {
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo);
  const before = taskCount();
  const peers = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const peer = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
      await once(peer, "connect");
      peer.write(`I am ${i}`);
      return peer;
    }),
  );
  await until(() => server.active === 50, "50 are served");
  assert.is(taskCount(), before + 50);
  assert.ok(tasks().some(({ name }) => name === `connection on 127.0.0.1:${server.addr.port}`));
  const answers = await Promise.all(
    peers.map((peer) => {
      peer.end();
      return readAll(peer);
    }),
  );
  for (const [i, answer] of answers.entries()) assert.is(answer.toString(), `I am ${i}`);
  await server.shutdown();
  assert.is(server.active, 0);
  assert.is(taskCount(), before);
});

test("what a handler wrote arrives, although the client's bytes lie unread", async () => {
  const answer = "x".repeat(200_000);
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
    await conn.read(new Uint8Array(1));
    await conn.write(bytes(answer));
  });
  // close(2) would reset here: the client has sent, and goes on to send, what nobody reads.
  for (let i = 0; i < 10; i++) {
    const peer = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
    let error: Error | undefined;
    peer.on("error", (e) => (error = e));
    peer.write("y".repeat(30_000));
    const got = await readAll(peer);
    peer.end("and more");
    assert.is(got.length, answer.length);
    assert.is(error, undefined);
    peer.destroy();
  }
  await server.shutdown();
});

test("a peer that never ends is cut after a second, and one that floods when it has sent 16 MiB", async () => {
  const { poller } = runtime();
  await until(() => poller.openCount === 0, "the connections of earlier tests are gone");
  const server = serveConn(
    listen({ port: 0, hostname: "127.0.0.1" }),
    async (conn) => void (await conn.write(bytes("bye"))),
  );
  const silent = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
  const flooding = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
  for (const peer of [silent, flooding]) {
    peer.on("error", () => {});
    assert.is((await readAll(peer)).toString(), "bye");
  }
  await server.shutdown();
  assert.is(poller.openCount, 2, "both linger");
  flooding.write(Buffer.alloc(20 * 1024 * 1024));
  await until(() => poller.openCount === 1, "the flood is cut", 900);
  await until(() => poller.openCount === 0, "the silent one is cut", 3000);
  silent.destroy();
  flooding.destroy();
});

test("what the kernel had no room for is still sent when the handler has ended", async () => {
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), (conn) => {
    // Nobody waits for it: the rest of the piece is with the poller when the handler ends.
    for (let i = 0; i < 100; i++) conn.write(new Uint8Array(256 * 1024).fill(3)).catch(() => {});
  });
  const peer = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
  peer.pause();
  await once(peer, "connect");
  await turns(20);
  const got = await readAll(peer);
  assert.ok(got.length % (256 * 1024) === 0 && got.length > 0, `${got.length} bytes: a write was cut in two`);
  peer.destroy();
  await server.shutdown();
});

test("a handler that throws is logged with the peer's address, and nobody else notices", async () => {
  let port = 0;
  const log = await loggedText(async () => {
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
      if ((await conn.read(new Uint8Array(1))) === 1) throw new Error("my mistake");
      await conn.write(bytes("fine"));
    });
    const failing = net.connect({ port: server.addr.port, host: "127.0.0.1" });
    await once(failing, "connect");
    port = failing.localPort as number;
    failing.end("!");
    assert.is((await readAll(failing)).length, 0);
    const other = net.connect({ port: server.addr.port, host: "127.0.0.1", allowHalfOpen: true });
    other.end();
    assert.is((await readAll(other)).toString(), "fine");
    await server.shutdown();
  });
  assert.match(log, `slipway: connection from 127.0.0.1:${port} failed: Error: my mistake`);
  assert.match(log, /serve-conn\.test\.ts:\d+/);
});

test("a handler that throws before its first await, or something that is no error", async () => {
  const log = await loggedText(async () => {
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), () => {
      throw "a string";
    });
    assert.is((await readAll(net.connect(server.addr.port, "127.0.0.1"))).length, 0);
    await server.shutdown();
  });
  assert.match(log, /failed: a string/);
});

test("a peer's reset is nobody's log line", async () => {
  const log = await loggedText(async () => {
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo);
    const peer = net.connect(server.addr.port, "127.0.0.1");
    await once(peer, "connect");
    await until(() => server.active === 1, "served");
    peer.resetAndDestroy();
    await until(() => server.active === 0, "ended");
    await server.shutdown();
  });
  assert.is(log, "");
});

test("shutdown: no new connections, handlers hear it, and it waits for them", async () => {
  let heard: unknown;
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn, signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    heard = signal.reason;
    await conn.write(bytes("goodbye"));
  });
  const peer = net.connect(server.addr.port, "127.0.0.1");
  const got = readAll(peer);
  await until(() => server.active === 1, "served");
  let finished = false;
  void server.finished.then(() => (finished = true));
  await turns();
  assert.not(finished);
  await server.shutdown();
  assert.ok(finished);
  assert.instance(heard, DOMException);
  assert.is((await got).toString(), "goodbye");
  const refused = net.connect(server.addr.port, "127.0.0.1");
  const [error] = await once(refused, "error");
  assert.is(error.code, "ECONNREFUSED");
});

test("its signal, closing its listener, and `await using` shut it down", async () => {
  const controller = new AbortController();
  const bySignal = serveConn(listen({ port: 0 }), echo, { signal: controller.signal });
  controller.abort();
  await bySignal.finished;
  const listener = listen({ port: 0 });
  const byListener = serveConn(listener, echo);
  listener.close();
  await byListener.finished;
  await serveConn(listen({ port: 0 }), echo, { signal: AbortSignal.abort() }).finished;
  let finished: Promise<void>;
  {
    await using server = serveConn(listen({ port: 0 }), echo);
    finished = server.finished;
  }
  await finished;
});

test("maxConnections: who is too many waits until somebody leaves, and is then served", async () => {
  let most = 0;
  const said = await loggedText(async () => {
    await using server = serveConn(
      listen({ port: 0, hostname: "127.0.0.1" }),
      async (conn) => {
        most = Math.max(most, server.active);
        await echo(conn);
      },
      { maxConnections: 2 },
    );
    const { port } = server.addr;
    const peers = await Promise.all(Array.from({ length: 6 }, () => connect({ hostname: "127.0.0.1", port })));
    await Promise.all(
      peers.map(async (peer, i) => {
        await peer.write(bytes(`I am ${i}`));
        await peer.closeWrite();
        assert.is(await new Response(peer.readable).text(), `I am ${i}`);
      }),
    );
  });
  assert.is(most, 2);
  assert.match(said, /waits: 2 connections are open, as many as maxConnections allows/);
});

test("close cuts everybody, quietly", async () => {
  const log = await loggedText(async () => {
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo);
    const peers = Array.from({ length: 5 }, () => net.connect(server.addr.port, "127.0.0.1"));
    await until(() => server.active === 5, "five are served");
    server.close();
    await server.finished;
    await Promise.all(peers.map(readAll));
  });
  assert.is(log, "");
});

test("a connection that the handler closed is left alone", async () => {
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), (conn) => conn.close());
  assert.is((await readAll(net.connect(server.addr.port, "127.0.0.1"))).length, 0);
  await server.shutdown();
});

test("our own client against our own server, over a Unix socket", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "slipway-net-")), "echo.sock");
  const server = serveConn(listen({ transport: "unix", path }), echo);
  using conn = await connect({ transport: "unix", path });
  await conn.write(bytes("there and back"));
  await conn.closeWrite();
  assert.is(text(await readExactly(conn, 100)), "there and back");
  assert.is(await conn.read(new Uint8Array(1)), null);
  await server.shutdown();
  await rejects(connect({ transport: "unix", path }), Error);
});

/** Runs a client without holding up our own loop. */
async function client(command: string, args: string[], input: string): Promise<string> {
  const { spawn } = await import("node:child_process");
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(input);
  let out = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  await once(child, "close");
  return out;
}

if (has("nc", "-h")) {
  test("nc over TCP and a Unix socket", async () => {
    await using tcp = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), echo);
    assert.is(await client("nc", ["-N", "127.0.0.1", String(tcp.addr.port)], "by nc\n"), "by nc\n");
    const path = join(mkdtempSync(join(tmpdir(), "slipway-net-")), "nc.sock");
    await using unix = serveConn(listen({ transport: "unix", path }), echo);
    assert.is(await client("nc", ["-N", "-U", unix.addr.path], "by nc, too\n"), "by nc, too\n");
  });
} else {
  skip(test, "nc over TCP and a Unix socket", "nc is not installed (apt install netcat-openbsd)");
}

if (has("curl", "--version")) {
  test("curl, to a handler that speaks HTTP/1.0 by hand", async () => {
    await using server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
      const head = new Uint8Array(4096);
      for (let n = 0; !text(head.subarray(0, n)).includes("\r\n\r\n"); ) n += (await conn.read(head.subarray(n))) ?? 0;
      await conn.write(bytes("HTTP/1.0 200 OK\r\n\r\nhello curl"));
    });
    assert.is(await client("curl", ["-s", `http://127.0.0.1:${server.addr.port}/`], ""), "hello curl");
  });
} else {
  skip(test, "curl, to a handler that speaks HTTP/1.0 by hand", "curl is not installed");
}

test.run();
