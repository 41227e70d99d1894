// Listeners of TLS connections: listenTls against node:tls, openssl(1) and raw sockets; slow, silent and wrong clients; raw
// handlers over TLS.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listen, serveConn } from "../../src/net/mod.ts";
import { BadResource, InvalidData, UnexpectedEof } from "../../src/runtime/errors.ts";
import { HANDSHAKE_MS } from "../../src/tls/conns.ts";
import { serverContext } from "../../src/tls/context.ts";
import { secureListener } from "../../src/tls/listen.ts";
import { connectTls, type ListenTlsOptions, listenTls, type TlsConn } from "../../src/tls/mod.ts";
import { logged } from "../http/support/server.ts";
import { skip } from "../support/skip.ts";
import { certFile, identity } from "../support/tls.ts";
import { bytes, readAll, readExactly, rejects, text, until } from "./pair.ts";

const test = suite("listenTls");
const secure = (options: Partial<ListenTlsOptions> = {}) =>
  listenTls({ port: 0, hostname: "127.0.0.1", ...identity, ...options });
const peer = (port: number, options: tls.ConnectionOptions = {}): tls.TLSSocket => {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: identity.cert, ...options });
  socket.on("error", () => {});
  return socket;
};

async function echo(conn: TlsConn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer))
    await conn.write(buffer.subarray(0, n));
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}: bytes both ways, and both ends`, async () => {
    using listener = secure({ alpnProtocols: ["b", "a"] });
    const client = peer(listener.addr.port, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ["a", "b"],
      allowHalfOpen: true,
    } as tls.ConnectionOptions);
    client.write("hello");
    using conn = await listener.accept();
    assert.is(text(await readExactly(conn, 5)), "hello");
    const info = await conn.handshake();
    assert.is(info.alpnProtocol, "b");
    assert.is(info.version, version);
    assert.is(info.serverName, "localhost");
    await conn.write(bytes("and back"));
    client.end(" bye");
    assert.is(text(await readExactly(conn, 100)), " bye");
    assert.is(await conn.read(new Uint8Array(1)), null);
    await conn.closeWrite();
    assert.is(String(await readAll(client)), "and back");
  });
}

test("what was written before close arrives, although the peer's end was not read", async () => {
  using listener = secure();
  const [client, conn] = await Promise.all([
    connectTls({ port: listener.addr.port, hostname: "localhost", caCerts: [identity.cert] }),
    listener.accept(),
  ]);
  const much = new Uint8Array(3_000_000).fill(7);
  const asked = client.write(much).then(() => client.closeWrite());
  assert.is((await readExactly(conn, much.length)).length, much.length);
  await asked;
  const written = conn.write(much).then(() => conn.close());
  assert.is((await readExactly(client, much.length)).length, much.length);
  assert.is(await client.read(new Uint8Array(1)), null);
  await written;
  client.close();
});

test("closed before the handshake: it is finished, and the peer sees an end", async () => {
  using listener = secure();
  const client = peer(listener.addr.port);
  (await listener.accept()).close();
  assert.is(String(await readAll(client)), "");
  assert.ok(client.authorized);
  const ours = await connectTls({ port: listener.addr.port, hostname: "localhost", caCerts: [identity.cert] });
  using conn = await listener.accept();
  ours.close();
  assert.is(await conn.read(new Uint8Array(1)), null);
  // Who never speaks is not waited for.
  const silent = net.connect(listener.addr.port, "127.0.0.1");
  silent.on("error", () => {});
  (await listener.accept()).close();
  await once(silent, "close");
});

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;
const unlessMissing = noOpenssl ? skipped : test;
function skipped(name: string): void {
  skip(test, name, "there is no openssl(1)");
}

unlessMissing("openssl's client", async () => {
  using listener = secure();
  const args = ["s_client", "-quiet", "-verify_return_error", "-connect", `127.0.0.1:${listener.addr.port}`];
  const client = spawn("openssl", [...args, "-CAfile", certFile, "-servername", "localhost"]);
  client.on("error", () => {});
  client.stdin.write("from openssl\n");
  const conn = await listener.accept();
  assert.is(text(await readExactly(conn, 13)), "from openssl\n");
  await conn.write(bytes("to openssl\n"));
  conn.close();
  let said = "";
  for await (const piece of client.stdout) said += piece;
  assert.is(said, "to openssl\n");
});

test("who says nothing holds up nobody", async () => {
  using listener = secure();
  const silent = net.connect(listener.addr.port, "127.0.0.1");
  const [first] = await Promise.all([listener.accept(), once(silent, "connect")]);
  const waiting = first.handshake().catch(String);
  const client = peer(listener.addr.port);
  using second = await listener.accept();
  client.write("quick");
  assert.is(text(await readExactly(second, 5)), "quick");
  first.close();
  assert.match(String(await waiting), /Interrupted/);
  silent.destroy();
  client.destroy();
});

test("a handshake has its time", async () => {
  assert.is(HANDSHAKE_MS, 10_000);
  const lines = await logged(async () => {
    const listener = listen({ port: 0, hostname: "127.0.0.1" });
    secureListener(listener, serverContext({ certificates: [identity] }), 50);
    let failure: unknown;
    await using server = serveConn(listener, async (conn) => {
      failure = await conn.read(new Uint8Array(1)).catch((error: unknown) => error);
      throw failure;
    });
    const silent = net.connect(server.addr.port, "127.0.0.1");
    await once(silent, "close");
    assert.match(String(failure), /TimedOut: TLS handshake with 127\.0\.0\.1:\d+ timed out after 0\.05 s/);
  });
  // One line, and no failure of the handler's.
  assert.is(lines.length, 1, lines.join("\n"));
  assert.match(lines[0], /a connection was lost before it began: TLS handshake with/);
});

test("a client that is refused is no failure of the handler's", async () => {
  const lines = await logged(async () => {
    const listener = listen({ port: 0, hostname: "127.0.0.1" });
    const context = serverContext({ certificates: [identity], clientAuth: "require", clientCa: identity.cert });
    secureListener(listener, context, 10_000);
    await using server = serveConn(listener, async (conn) => void (await conn.read(new Uint8Array(1))));
    for (let count = 0; count < 3; count++) {
      await new Promise((closed) => peer(server.addr.port).once("close", closed));
    }
  });
  assert.is(lines.length, 1, lines.join("\n"));
  assert.match(
    lines[0],
    /a connection was lost before it began: TLS handshake failed: peer did not return a certificate/,
  );
});

test("clients that speak no TLS, that don't trust us, that leave, that are cut off", async () => {
  using listener = secure();
  const { port } = listener.addr;
  const next = async (): Promise<TlsConn> => listener.accept();

  const plain = net.connect(port, "127.0.0.1").on("error", () => {});
  plain.write("GET / HTTP/1.1\r\n\r\n");
  using one = await next();
  await rejects(one.read(new Uint8Array(1)), InvalidData, /the client speaks HTTP without TLS/);
  plain.destroy();

  const garbage = net.connect(port, "127.0.0.1").on("error", () => {});
  garbage.write(new Uint8Array(100).fill(0x16));
  using two = await next();
  await rejects(two.handshake(), InvalidData, /TLS handshake failed: /);
  garbage.destroy();

  if (!noOpenssl) {
    const openssl = spawn("openssl", ["s_client", "-verify_return_error", "-connect", `127.0.0.1:${port}`]);
    using three = await next();
    await rejects(three.read(new Uint8Array(1)), InvalidData, /fatal alert: the client refused with "unknown ca"/);
    openssl.kill();
  }

  const leaving = net.connect(port, "127.0.0.1").on("error", () => {});
  using four = await next();
  leaving.end();
  await rejects(four.read(new Uint8Array(1)), UnexpectedEof, /in the middle of the TLS handshake/);

  const raw = net.connect(port, "127.0.0.1").on("error", () => {});
  const cut = peer(port, { socket: raw });
  cut.write("some");
  using five = await next();
  assert.is(text(await readExactly(five, 4)), "some");
  raw.end();
  await rejects(five.read(new Uint8Array(1)), UnexpectedEof, /close_notify/);
});

test("a handler that ends says so after everything that it wrote", async () => {
  const listener = secure();
  const much = Buffer.alloc(2_000_000, "x");
  await using server = serveConn(listener, async (conn: TlsConn) => {
    await conn.read(new Uint8Array(1));
    await conn.write(much);
  });
  const clients = Array.from({ length: 4 }, async () => {
    const client = peer(server.addr.port);
    // More than is read: a reset would eat the answer.
    client.write("many bytes");
    return (await readAll(client)).length;
  });
  assert.equal(await Promise.all(clients), [much.length, much.length, much.length, much.length]);
});

test("many at once, both ends ours", async () => {
  const listener = secure();
  await using server = serveConn(listener, echo);
  const ask = async (i: number): Promise<string> => {
    using conn = await connectTls({ port: server.addr.port, hostname: "localhost", caCerts: [identity.cert] });
    const said = `number ${i} `.repeat(1000);
    const [, heard] = await Promise.all([conn.write(bytes(said)), readExactly(conn, said.length)]);
    assert.is(text(heard), said);
    await conn.closeWrite();
    return (await conn.read(new Uint8Array(1))) === null ? "end" : "more";
  };
  assert.equal([...new Set(await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i))))], ["end"]);
  await until(() => server.active === 0, "all handlers have ended");
});

test("closed while it shakes hands", async () => {
  using listener = secure();
  const silent = net.connect(listener.addr.port, "127.0.0.1").on("error", () => {});
  const conn = await listener.accept();
  const writing = conn.write(bytes("x")).catch(String);
  conn.close();
  assert.match(String(await writing), /Interrupted/);
  await rejects(conn.handshake(), BadResource);
  silent.destroy();
});

test("options that can't be", () => {
  const refused = (options: object, Class: new () => Error, message: RegExp): void => {
    try {
      listenTls({ port: 0, ...options } as ListenTlsOptions).close();
    } catch (error) {
      assert.instance(error, Class);
      return assert.match((error as Error).message, message);
    }
    assert.unreachable();
  };
  refused({}, TypeError, /^A key and certificate are required for `Deno.listenTls`/);
  refused({ cert: identity.cert, key: "x" }, InvalidData, /the key can't be read/);
  refused({ cert: "x", key: identity.key }, InvalidData, /the certificate can't be read/);
  refused({ ...identity, alpnProtocols: ["x".repeat(256)] }, TypeError, /alpnProtocols/);
  refused({ ...identity, transport: "unix", path: "/x" }, TypeError, /transport/);
});

test.run();
