/** Datagrams over UDP and Unix sockets, with node:dgram on the other side. */
import dgram from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listenDatagram } from "../../src/net/mod.ts";
import { AddrInUse, BadResource, Interrupted, NotFound } from "../../src/runtime/errors.ts";
import { onLinux } from "../ffi/kernel.ts";
import { skip } from "../support/skip.ts";
import { bytes, hasV6, rejects, text } from "./pair.ts";

const test = suite("datagrams");

test("to and from node:dgram", async () => {
  using socket = listenDatagram({ transport: "udp", port: 0 });
  assert.is(socket.addr.hostname, "0.0.0.0");
  const peer = dgram.createSocket("udp4");
  peer.bind(0, "127.0.0.1");
  await once(peer, "listening");
  const { port } = peer.address();
  assert.is(await socket.send(bytes("ping"), { transport: "udp", hostname: "127.0.0.1", port }), 4);
  const [data, info] = await once(peer, "message");
  assert.is(String(data), "ping");
  assert.is(info.port, socket.addr.port);
  peer.send("pong", socket.addr.port, "127.0.0.1");
  const [got, from] = await socket.receive();
  assert.is(text(got), "pong");
  assert.equal(from, { transport: "udp", hostname: "127.0.0.1", port });
  peer.close();
});

test("keeps their borders, their order, and empty ones", async () => {
  using a = listenDatagram({ transport: "udp", port: 0 });
  using b = listenDatagram({ transport: "udp", port: 0 });
  for (const message of ["one", "", "three"]) await a.send(bytes(message), b.addr);
  const got: string[] = [];
  for (let i = 0; i < 3; i++) got.push(text((await b.receive())[0]));
  assert.equal(got, ["one", "", "three"]);
});

test("into the caller's buffer: what does not fit is lost", async () => {
  using a = listenDatagram({ transport: "udp", port: 0 });
  using b = listenDatagram({ transport: "udp", port: 0 });
  await a.send(bytes("too long"), b.addr);
  await a.send(bytes("next"), b.addr);
  const buffer = new Uint8Array(5);
  const [first] = await b.receive(buffer);
  assert.is(text(first), "too l");
  assert.is(first.buffer, buffer.buffer);
  assert.is(text((await b.receive(buffer))[0]), "next");
});

test("receives that wait are served in order", async () => {
  using a = listenDatagram({ transport: "udp", port: 0 });
  using b = listenDatagram({ transport: "udp", port: 0 });
  const receives = [b.receive(), b.receive(), b.receive()];
  for (const message of ["1", "2", "3"]) await a.send(bytes(message), b.addr);
  assert.equal(
    (await Promise.all(receives)).map(([data]) => text(data)),
    ["1", "2", "3"],
  );
});

test("the largest one goes through, one more byte is an error that says so", async () => {
  using a = listenDatagram({ transport: "udp", port: 0 });
  using b = listenDatagram({ transport: "udp", port: 0 });
  const size = 65507; // 65535 less the IPv4 and UDP headers
  assert.is(await a.send(new Uint8Array(size).fill(8), b.addr), size);
  const [got] = await b.receive();
  assert.is(got.length, size);
  const error = await rejects(a.send(new Uint8Array(size + 1), b.addr), Error, /Message too long.*send to 0\.0\.0\.0/);
  assert.is((error as { code?: string }).code, "EMSGSIZE");
});

test("to a port where nobody is: lost, and the socket is sound", async () => {
  using a = listenDatagram({ transport: "udp", port: 0 });
  using b = listenDatagram({ transport: "udp", port: 0 });
  const receive = a.receive();
  await a.send(bytes("lost"), { transport: "udp", hostname: "127.0.0.1", port: 1 });
  await b.send(bytes("found"), a.addr);
  assert.is(text((await receive)[0]), "found");
});

test("by name, and from a dual-stack socket to IPv4", async () => {
  using b = listenDatagram({ transport: "udp", port: 0 });
  using a = listenDatagram({ transport: "udp", port: 0, hostname: hasV6 ? "::" : "0.0.0.0" });
  await a.send(bytes("x"), { transport: "udp", hostname: "localhost", port: b.addr.port });
  const [, from] = await b.receive();
  await b.send(bytes("back"), from);
  const [got, again] = await a.receive();
  assert.is(text(got), "back");
  assert.is(again.hostname, "127.0.0.1");
});

if (hasV6) {
  test("IPv6", async () => {
    using a = listenDatagram({ transport: "udp", port: 0, hostname: "::1" });
    await a.send(bytes("self"), a.addr);
    const [got, from] = await a.receive();
    assert.is(text(got), "self");
    assert.equal(from, a.addr);
  });
} else {
  skip(test, "IPv6", "this machine has no ::1");
}

test("Unix datagrams, with a file and abstract", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-net-"));
  const paths = onLinux ? [join(folder, "d.sock"), `@slipway-dgram-${process.pid}`] : [join(folder, "d.sock")];
  for (const path of paths) {
    const a = listenDatagram({ transport: "unixpacket", path });
    await a.send(bytes("self"), a.addr);
    const [got, from] = await a.receive();
    assert.is(text(got), "self");
    assert.equal(from, { transport: "unixpacket", path: path.replace("@", "\0") });
    a.close();
    assert.not(existsSync(path));
  }
  using a = listenDatagram({ transport: "unixpacket", path: join(folder, "a.sock") });
  await rejects(a.send(bytes("x"), { transport: "unixpacket", path: join(folder, "gone") }), NotFound);
  using nameless = listenDatagram({ transport: "unixpacket" });
  assert.equal(nameless.addr, { transport: "unixpacket", path: null });
  await nameless.send(bytes("from nobody"), a.addr);
  const [got, from] = await a.receive();
  assert.equal([text(got), from.path], ["from nobody", null]);
  await rejects(a.send(bytes("x"), { transport: "udp", hostname: "127.0.0.1", port: 9 }), TypeError);
});

test("a full receiver is waited for, in order (Unix datagrams are never lost)", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-net-"));
  using a = listenDatagram({ transport: "unixpacket", path: join(folder, "a.sock") });
  using b = listenDatagram({ transport: "unixpacket", path: join(folder, "b.sock") });
  const count = 2000;
  const sends = Array.from({ length: count }, (_, i) => a.send(bytes(String(i)), b.addr));
  for (let i = 0; i < count; i++) assert.is(text((await b.receive())[0]), String(i));
  await Promise.all(sends);
});

test("multicast: joined, sent to oneself, left", async () => {
  using a = listenDatagram({ transport: "udp", port: 0, hostname: "0.0.0.0", reuseAddress: true, loopback: true });
  let member: Awaited<ReturnType<typeof a.joinMulticastV4>>;
  try {
    member = await a.joinMulticastV4("224.0.0.114", "127.0.0.1");
  } catch (error) {
    console.log(`multicast is refused here: ${(error as Error).message}`);
    return;
  }
  await member.setLoopback(true);
  await member.setTTL(1);
  await member.leave();
  await rejects(member.leave(), Error, /leave 224\.0\.0\.114/);
  await rejects(a.joinMulticastV4("not an address", "0.0.0.0"), TypeError, /is no IPv4 address/);
});

test("reuseAddress shares a port", () => {
  using a = listenDatagram({ transport: "udp", port: 0, reuseAddress: true });
  listenDatagram({ transport: "udp", port: a.addr.port, reuseAddress: true }).close();
  assert.throws(
    () => listenDatagram({ transport: "udp", port: a.addr.port }),
    (error: unknown) => error instanceof AddrInUse && /another port/.test(error.message),
  );
});

test("close ends what waits with Interrupted, later calls with BadResource, loops quietly", async () => {
  const a = listenDatagram({ transport: "udp", port: 0 });
  const waiting = a.receive();
  const loop = (async () => {
    for await (const _ of a) assert.unreachable();
  })();
  a.close();
  a.close();
  await rejects(waiting, Interrupted);
  await loop;
  await rejects(a.receive(), BadResource, /Socket has been closed/);
  await rejects(a.send(bytes("x"), a.addr), BadResource);
  assert.ok(a.addr.port > 0);
});

test("wrong options and arguments", async () => {
  for (const options of [undefined, {}, { transport: "tcp", port: 0 }, { transport: "udp", port: 70000 }]) {
    assert.throws(() => listenDatagram(options as never), /^(?:transport must be|Invalid port)/);
  }
  using a = listenDatagram({ transport: "udp", port: 0 });
  await rejects(a.send("x" as never, a.addr), TypeError);
  await rejects(a.receive("x" as never), TypeError);
  await rejects(a.send(bytes("x"), { ...a.addr, port: 70000 }), RangeError);
});

test.run();
