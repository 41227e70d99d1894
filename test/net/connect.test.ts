/** Connecting: by address, by name, with rivals (RFC 8305), with a signal and a deadline, and in vain. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeIp } from "../../src/net/address.ts";
import { connect, listen, type TcpConn } from "../../src/net/mod.ts";
import { ConnectionRefused, NotFound, TimedOut } from "../../src/runtime/errors.ts";
import { Runtime, replaceRuntime } from "../../src/runtime/turn.ts";
import { errno, kernel, onLinux, openReadiness } from "../ffi/kernel.ts";
import { skip } from "../support/skip.ts";
import { bytes, descriptors, hasV6, readExactly, rejects, text, turns, until } from "./pair.ts";

const test = suite("connect");
const server = net.createServer((socket) => socket.on("error", () => {}).end("hello"));
let port = 0;

test.before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as net.AddressInfo).port;
});
test.after(() => void server.close());

test("to an address, a bracketed one, localhost, and the default", async () => {
  for (const hostname of ["127.0.0.1", "localhost", undefined]) {
    using conn = await connect(hostname === undefined ? { port } : { port, hostname });
    assert.is(text(await readExactly(conn, 100)), "hello");
    assert.equal(conn.remoteAddr, { transport: "tcp", hostname: "127.0.0.1", port });
    assert.is(conn.localAddr.hostname, "127.0.0.1");
    assert.ok(conn.localAddr.port > 0);
  }
});

test("to a listener's own addr", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const [conn, other] = await Promise.all([connect(listener.addr as { port: number }), listener.accept()]);
  await conn.write(bytes("x"));
  assert.is(await other.read(new Uint8Array(1)), 1);
  conn.close();
  other.close();
});

test("to a Unix socket, and an abstract one", async () => {
  const file = `/tmp/slipway-connect-${process.pid}.sock`;
  for (const path of onLinux ? [file, `@slipway-connect-${process.pid}`] : [file]) {
    using listener = listen({ transport: "unix", path });
    const [conn, other] = await Promise.all([connect({ transport: "unix", path }), listener.accept()]);
    assert.equal(conn.remoteAddr, { transport: "unix", path: path.replace("@", "\0") });
    assert.equal(conn.localAddr, { transport: "unix", path: null });
    await other.write(bytes("over"));
    assert.is(text(await readExactly(conn, 4)), "over");
    conn.close();
    other.close();
  }
});

const full = "a Unix server whose queue is full is waited for";
if (!onLinux) skip(test, full, "elsewhere it refuses");
else
  test(full, async () => {
    const path = `@slipway-full-${process.pid}`;
    using listener = listen({ transport: "unix", path, backlog: 1 });
    const connects = Array.from({ length: 10 }, () => connect({ transport: "unix", path }));
    await turns();
    const conns = [];
    for (let i = 0; i < 10; i++) conns.push(await listener.accept());
    for (const conn of [...(await Promise.all(connects)), ...conns]) conn.close();
  });

test("refused: the class, the errno, where, and what it means", async () => {
  const error = await rejects(
    connect({ port: 1 }),
    ConnectionRefused,
    new RegExp(`os error ${errno("ECONNREFUSED")}\\): connect to 127\\.0\\.0\\.1:1; nothing`),
  );
  assert.is((error as { code?: string }).code, "ECONNREFUSED");
  await rejects(connect({ transport: "unix", path: "/nosuch/socket" }), NotFound, /unix:\/nosuch\/socket/);
});

/** A test that needs ::1. */
function testV6(name: string, run: () => Promise<void>): void {
  if (hasV6) test(name, run);
  else skip(test, name, "this machine has no ::1");
}

testV6("refused on every address of a name: all are told", async () => {
  const error = await rejects(connect({ port: 1, hostname: "localhost" }), Error, /127\.0\.0\.1:1.*\[::1\]:1/);
  assert.instance(error.cause, AggregateError);
  assert.is((error.cause as AggregateError).errors.length, 2);
});

test("a name without an address", async () => {
  await rejects(
    connect({ port: 1, hostname: "nosuch.invalid" }),
    NotFound,
    /no address for the name "nosuch\.invalid"/,
  );
});

test("a name of this machine, through the system's lookup", async () => {
  const { hostname } = await import("node:os");
  const found = await lookup(hostname()).catch(() => undefined);
  if (found === undefined) return;
  using listener = listen({ port: 0, hostname: found.address });
  const [conn, other] = await Promise.all([
    connect({ port: listener.addr.port, hostname: hostname() }),
    listener.accept(),
  ]);
  conn.close();
  other.close();
});

test("wrong options are TypeErrors and RangeErrors", async () => {
  for (const options of [undefined, {}, { port: "x" }, { port: 1, hostname: 1 }, { port: 1, transport: "udp" }]) {
    await rejects(connect(options as never), TypeError);
  }
  await rejects(connect({ port: 65536 }), RangeError);
  await rejects(connect({ transport: "unix" } as never), TypeError);
});

/** A kernel that answers connect(2) with an errno for the addresses that a test names. */
function answering(answers: Record<string, number>): { asked: string[]; restore: () => void } {
  const asked: string[] = [];
  const real = kernel();
  const names = (address: Uint8Array): string =>
    address.length === 16 ? address.subarray(4, 8).join(".") : `v6:${address[23]}`;
  const faked = {
    ...real,
    connect(fd: number, address: Uint8Array) {
      const name = names(address);
      asked.push(name);
      const answer = answers[name];
      return answer === undefined ? real.connect(fd, address) : -answer;
    },
  };
  const restore = replaceRuntime(new Runtime(openReadiness(faked)));
  return { asked, restore };
}

testV6("Happy Eyeballs: a failure begins the next attempt at once", async () => {
  const { asked, restore } = answering({ "127.0.0.1": errno("ENETUNREACH") });
  try {
    using listener = listen({ port: 0, hostname: "::1" });
    // Who waited for the delay would not be back before the file's time is over.
    const [conn, other] = await Promise.all([
      connect({ port: listener.addr.port, hostname: "localhost", autoSelectFamilyAttemptDelay: 300_000 }),
      listener.accept(),
    ]);
    assert.equal(asked, ["127.0.0.1", "v6:1"]);
    assert.is(conn.remoteAddr.hostname, "::1");
    conn.close();
    other.close();
  } finally {
    restore();
  }
});

testV6("Happy Eyeballs: the other family wins when the first is silent, and the loser is closed", async () => {
  using silent = blackHole();
  const before = descriptors();
  using listener = listen({ port: silent.port, hostname: "::1" });
  const accept = listener.accept();
  // 127.0.0.1 has a listener whose queue is full: its SYNs are dropped, as a firewall drops them.
  const conn = await connect({ port: silent.port, hostname: "localhost", autoSelectFamilyAttemptDelay: 20 });
  assert.is(conn.remoteAddr.hostname, "::1");
  conn.close();
  (await accept).close();
  listener.close();
  await until(() => descriptors() <= before, "the loser's descriptor is closed");
});

testV6("Happy Eyeballs off: a silent address is waited for until the deadline", async () => {
  using silent = blackHole();
  using listener = listen({ port: silent.port, hostname: "::1" });
  assert.ok(listener);
  const options = { port: silent.port, hostname: "localhost", autoSelectFamily: false, deadline: Date.now() + 60 };
  await rejects(connect(options), TimedOut, /connect to localhost:\d+ timed out/);
});

test("a signal ends it with its reason, and the socket is closed", async () => {
  using silent = blackHole();
  const before = descriptors();
  const controller = new AbortController();
  const connecting = connect({ port: silent.port, signal: controller.signal });
  await turns();
  assert.is(descriptors(), before + 1);
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.is(await connecting.catch((error) => error), reason);
  assert.is(descriptors(), before);
});

test("a signal that is aborted already, or fires during the lookup", async () => {
  const before = descriptors();
  await rejects(connect({ port, signal: AbortSignal.abort() }), DOMException);
  const controller = new AbortController();
  const connecting = connect({ port, hostname: "nosuch.invalid", signal: controller.signal });
  controller.abort();
  await rejects(connecting, DOMException);
  assert.is(descriptors(), before);
});

test("a signal that fires after the connection stands changes nothing", async () => {
  const controller = new AbortController();
  using conn: TcpConn = await connect({ port, signal: controller.signal });
  controller.abort();
  assert.is(text(await readExactly(conn, 5)), "hello");
});

test("deadlines: passed, ahead, as a Date", async () => {
  using silent = blackHole();
  await rejects(connect({ port: silent.port, deadline: Date.now() - 1 }), TimedOut);
  await rejects(connect({ port: silent.port, deadline: new Date(Date.now() + 30) }), TimedOut);
  using conn = await connect({ port, deadline: Date.now() + 60_000 });
  assert.ok(conn);
});

test("a socket is never connected to itself", async () => {
  // A free port of the range for outgoing connections, tried often enough that the kernel hands it out by itself.
  const [low, high] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s+/).map(Number);
  const target = low + Math.floor((high - low) / 2);
  for (let i = 0; i < 200; i++) {
    const conn = await connect({ port: target }).catch((error) => error as Error);
    if (conn instanceof Error) continue;
    const self = conn.localAddr.port === conn.remoteAddr.port;
    conn.close();
    assert.not(self);
  }
});

/** A port on 127.0.0.1 that answers nothing: its queue of two is full, and the kernel drops what comes. */
function blackHole(): { port: number } & Disposable {
  const sys = kernel();
  const c = sys.constants;
  const listener = listen({ port: 0, hostname: "127.0.0.1", backlog: 1 });
  const address = encodeIp(c, { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" }, listener.addr.port);
  const fds = Array.from({ length: 4 }, () => {
    const fd = sys.socket(c.AF_INET, c.SOCK_STREAM, 0);
    sys.connect(fd, address);
    return fd;
  });
  return {
    port: listener.addr.port,
    [Symbol.dispose]() {
      listener.close();
      for (const fd of fds) sys.close(fd);
    },
  };
}

test.run();
