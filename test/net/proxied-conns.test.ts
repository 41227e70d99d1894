/** serveConn behind a proxy: conn.remoteAddr is the client's, and nothing of the client's bytes is lost or added. */
import { once } from "node:events";
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Conn, listen, serveConn } from "../../src/net/mod.ts";
import { runtime } from "../../src/runtime/mod.ts";
import { logged } from "../support/logged.ts";
import { readAll, until } from "./pair.ts";
import { v2 } from "./proxy-header.ts";

const test = suite("raw connections behind a proxy");
const line = "PROXY TCP6 2001:db8::7 ::1 56324 443\r\n";

/** Says who the client is, then echoes. */
async function answer(conn: Conn): Promise<void> {
  const addr = conn.remoteAddr;
  const who = "port" in addr ? `${addr.hostname} ${addr.port}` : `unix ${addr.path}`;
  await conn.write(new TextEncoder().encode(`${who}\n`));
  const buffer = new Uint8Array(7);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) await conn.write(buffer.slice(0, n));
}

async function dial(port: number): Promise<net.Socket> {
  const peer = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  peer.on("error", () => {});
  await once(peer, "connect");
  return peer;
}

/** Resolves when the server has closed, with FIN or a reset. */
function gone(peer: net.Socket): Promise<void> {
  peer.resume();
  peer.once("end", () => peer.destroy());
  return new Promise((resolve) => peer.once("close", () => resolve()));
}

test("the client's address, and its bytes from the first to the last, however they come", async () => {
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), answer, { proxyProtocol: true });
  const { port } = server.addr;
  const long = "0123456789".repeat(20_000);
  for (const [pieces, expected] of [
    [[`${line}hello`], "2001:db8::7 56324\nhello"],
    [[line, "hello"], "2001:db8::7 56324\nhello"],
    [[...`${line}hello`], "2001:db8::7 56324\nhello"],
    [[line + long], `2001:db8::7 56324\n${long}`],
    [[line], "2001:db8::7 56324\n"],
    [[Buffer.concat([v2(0x21, 0x11, [1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 1]), Buffer.from("x")])], "1.2.3.4 256\nx"],
    [
      [
        v2(
          0x21,
          0x31,
          [..."/run/c".padEnd(216, "\0")].map((c) => c.charCodeAt(0)),
        ),
        "y",
      ],
      "unix /run/c\ny",
    ],
  ] as const) {
    const peer = await dial(port);
    for (const piece of pieces) await new Promise((resolve) => peer.write(piece, resolve));
    peer.end();
    assert.is((await readAll(peer)).toString(), expected);
  }
  for (const header of [v2(0x20, 0, []), Buffer.from("PROXY UNKNOWN\r\n")]) {
    const peer = await dial(port);
    const { localPort } = peer;
    peer.end(header);
    assert.is((await readAll(peer)).toString(), `127.0.0.1 ${localPort}\n`);
  }
  await server.shutdown();
});

test("what is no header, comes from elsewhere, or takes too long is closed, and said once", async () => {
  let served = 0;
  const serve = (options: object) =>
    serveConn(listen({ port: 0, hostname: "127.0.0.1" }), () => void served++, { proxyProtocol: true, ...options });
  for (const [options, data, reason] of [
    [{}, "GET / HTTP/1.1\r\n\r\n", /was closed: no PROXY header before the first byte$/],
    [{ trustProxy: ["10.0.0.0/8"] }, line, /was closed: it is no proxy that trustProxy names$/],
    [{ readHeaderTimeout: 50 }, "PROXY TC", /was closed: no whole PROXY header came within readHeaderTimeout$/],
  ] as const) {
    const server = serve(options);
    const lines = await logged(async () => {
      for (let i = 0; i < 3; i++) {
        const peer = await dial(server.addr.port);
        peer.write(data);
        await gone(peer);
      }
    });
    assert.is(lines.length, 1);
    assert.match(lines[0], /^slipway: proxyProtocol: 127\.0\.0\.1:\d+ /);
    assert.match(lines[0], reason);
    await server.shutdown();
  }
  assert.is(served, 0);
});

test("shutdown does not wait for headers, and leaves nothing open", async () => {
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), answer, { proxyProtocol: true });
  const before = runtime().poller.openCount;
  const silent = await dial(server.addr.port);
  const half = await dial(server.addr.port);
  half.write("PROXY");
  const left = await dial(server.addr.port);
  left.end("PRO");
  await until(() => runtime().poller.openCount >= before + 2, "they are accepted");
  const closed = [silent, half, left].map(gone);
  await server.shutdown();
  await Promise.all(closed);
  await until(() => runtime().poller.openCount <= before - 1, "all is closed");
});

test("those that wait for their header count as connections", async () => {
  const options = { proxyProtocol: true, maxConnections: 2 };
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), answer, options);
  const { port } = server.addr;
  const [silent, served] = [await dial(port), await dial(port)];
  await logged(async () => {
    served.write(line);
    await until(() => server.active === 1, "one is served");
    // Connected, but in the kernel's queue.
    const third = await dial(port);
    third.write(line);
    const answered = once(third, "data");
    assert.is(await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 50, "waits"))]), "waits");
    silent.destroy();
    await answered;
    third.destroy();
  });
  served.destroy();
  await server.shutdown();
});

test("wrong options are a sentence", () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  assert.throws(
    () => serveConn(listener, answer, { proxyProtocol: true, trustProxy: ["x"] }),
    /^serveConn: trustProxy: "x" is no IP address/,
  );
  assert.throws(() => serveConn(listener, answer, { proxyProtocol: true, readHeaderTimeout: 0 }), /readHeaderTimeout/);
});

test.run();
