/** Listening: where, with which options, what accept and close mean, and the errors. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Conn, listen, listenFd, type NetAddr } from "../../src/net/mod.ts";
import {
  AddrInUse,
  AddrNotAvailable,
  BadResource,
  NotFound,
  NotSupported,
  PermissionDenied,
} from "../../src/runtime/errors.ts";
import { onLinux } from "../ffi/kernel.ts";
import { patience } from "../support/patience.ts";
import { skip } from "../support/skip.ts";
import { bytes, descriptors, hasV6, readAll, rejects, text, turns } from "./pair.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-net-"));

/** One byte there and back with node:net on the other side. */
async function exchange(listener: { accept(): Promise<Conn> }, options: net.NetConnectOpts): Promise<Conn> {
  const peer = net.connect(options);
  const conn = await listener.accept();
  await conn.write(bytes("!"));
  const [data] = await once(peer, "data");
  assert.is(String(data), "!");
  peer.destroy();
  conn.close();
  return conn;
}

const where = suite("listen: where");

where("IPv4", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  assert.is(listener.addr.transport, "tcp");
  assert.is(listener.addr.hostname, "127.0.0.1");
  assert.ok(listener.addr.port > 0);
  await exchange(listener, { port: listener.addr.port, host: "127.0.0.1" });
});

where("every IPv4 address by default", async () => {
  using listener = listen({ port: 0 });
  assert.is(listener.addr.hostname, "0.0.0.0");
  await exchange(listener, { port: listener.addr.port, host: "127.0.0.1" });
});

where("localhost, and a name from the system", async () => {
  for (const hostname of ["localhost", "LOCALHOST", (await import("node:os")).hostname()]) {
    using listener = listen({ port: 0, hostname });
    assert.ok(net.isIP(listener.addr.hostname), listener.addr.hostname);
  }
});

if (hasV6) {
  where("IPv6, with and without brackets", async () => {
    for (const hostname of ["::1", "[::1]"]) {
      using listener = listen({ port: 0, hostname });
      assert.is(listener.addr.hostname, "::1");
      const conn = await exchange(listener, { port: listener.addr.port, host: "::1" });
      assert.is((conn.remoteAddr as NetAddr).hostname, "::1");
    }
  });

  where("both families on one socket, IPv4 peers shown as IPv4", async () => {
    using listener = listen({ port: 0, hostname: "::" });
    const { port } = listener.addr;
    const v4 = await exchange(listener, { port, host: "127.0.0.1" });
    assert.is((v4.remoteAddr as NetAddr).hostname, "127.0.0.1");
    const v6 = await exchange(listener, { port, host: "::1" });
    assert.is((v6.remoteAddr as NetAddr).hostname, "::1");
  });

  where("ipv6Only leaves IPv4 alone", async () => {
    using listener = listen({ port: 0, hostname: "::", ipv6Only: true });
    using other = listen({ port: listener.addr.port, hostname: "0.0.0.0" });
    await exchange(other, { port: listener.addr.port, host: "127.0.0.1" });
    await exchange(listener, { port: listener.addr.port, host: "::1" });
  });
} else {
  skip(where, "IPv6", "this machine has no ::1");
}

where("reusePort shares a port, and nothing else does", () => {
  using first = listen({ port: 0, reusePort: true });
  using second = listen({ port: first.addr.port, reusePort: true });
  assert.is(second.addr.port, first.addr.port);
  assert.throws(
    () => listen({ port: first.addr.port }),
    (error: unknown) => error instanceof AddrInUse,
  );
});

where("again at once on the port of a server that had connections", async () => {
  const first = listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = first.addr;
  const peer = net.connect(port, "127.0.0.1");
  const conn = await first.accept();
  conn.close(); // we close first: TIME_WAIT is on our side
  await readAll(peer);
  first.close();
  listen({ port, hostname: "127.0.0.1" }).close();
});

where("a connection's socket has TCP_NODELAY without a call for it", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { system } = await import("../../ffi/libc.ts");
  const sys = system();
  const peer = net.connect(listener.addr.port, "127.0.0.1");
  const taken = Promise.withResolvers<number>();
  listener.takeConnections((fd) => taken.resolve(fd));
  const fd = await taken.promise;
  const value = new Int32Array(1);
  sys.getsockopt(fd, sys.constants.IPPROTO_TCP, sys.constants.TCP_NODELAY, value);
  sys.close(fd);
  peer.destroy();
  assert.is(value[0], 1);
});

where("a Unix socket: made, answered on, removed at close", async () => {
  const path = join(folder, "a.sock");
  const listener = listen({ transport: "unix", path });
  assert.equal(listener.addr, { transport: "unix", path });
  const conn = await exchange(listener, { path });
  assert.equal(conn.remoteAddr, { transport: "unix", path: null });
  assert.equal(conn.localAddr, { transport: "unix", path });
  listener.close();
  assert.not(existsSync(path));
});

where("a Unix socket's file that somebody replaced is left alone", () => {
  const path = join(folder, "b.sock");
  const listener = listen({ transport: "unix", path });
  const { unlinkSync } = process.getBuiltinModule("node:fs");
  unlinkSync(path);
  writeFileSync(path, "mine");
  listener.close();
  assert.is(readFileSync(path, "utf8"), "mine");
});

where("a relative path is found again after chdir", () => {
  const before = process.cwd();
  process.chdir(folder);
  const listener = listen({ transport: "unix", path: "c.sock" });
  process.chdir(before);
  listener.close();
  assert.not(existsSync(join(folder, "c.sock")));
});

if (onLinux) {
  where("an abstract Unix socket, written either way, has no file", async () => {
    for (const mark of ["@", "\0"]) {
      const name = `slipway-test-${process.pid}-é`;
      using listener = listen({ transport: "unix", path: mark + name });
      assert.equal(listener.addr, { transport: "unix", path: `\0${name}` });
      await exchange(listener, { path: `\0${name}` });
    }
  });
} else {
  skip(where, "an abstract Unix socket", "only Linux has them");
}

where("an inherited descriptor is adopted, and made non-blocking and close-on-exec", async () => {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  // A process of its own gets the socket as descriptor 3, as systemd and our own --watch hand it on.
  const mod = new URL("../../src/net/mod.ts", import.meta.url).href;
  const program = `
    const { listenFd } = await import(${JSON.stringify(mod)});
    const listener = listenFd(3);
    const { readFileSync } = await import("node:fs");
    console.log(JSON.stringify([listener.addr, readFileSync("/proc/self/fdinfo/3", "utf8")]));
    const conn = await listener.accept();
    await conn.write(new TextEncoder().encode("from the child"));
    conn.close();
    listener.close();
  `;
  const handle = (server as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit", handle.fd],
  });
  const [out] = await once(child.stdout as NodeJS.ReadableStream, "data");
  const [addr, info] = JSON.parse(String(out)) as [NetAddr, string];
  assert.equal(addr, { transport: "tcp", hostname: "127.0.0.1", port });
  const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? "0", 8);
  assert.ok(flags & 0o4000, "O_NONBLOCK");
  assert.ok(flags & 0o2000000, "O_CLOEXEC");
  server.close(); // ours only: the child's copy still accepts
  const peer = net.connect(port, "127.0.0.1");
  assert.is(text(await readAll(peer)), "from the child");
  if (child.exitCode === null) await once(child, "exit");
  assert.is(child.exitCode, 0);
});

where("listenFd refuses what is no listening socket", () => {
  assert.throws(() => listenFd(0), /descriptor 0 is no listening stream socket/);
  assert.throws(() => listenFd(9999), /no listening stream socket/);
  assert.throws(() => listenFd(-1), TypeError);
});

where.run();

const accepting = suite("Listener.accept and close");

accepting("concurrent accepts are served in order", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const accepts = [listener.accept(), listener.accept(), listener.accept()];
  const ports: number[] = [];
  for (let i = 0; i < 3; i++) {
    const peer = net.connect(listener.addr.port, "127.0.0.1");
    await once(peer, "connect");
    ports.push(peer.localPort as number);
    peer.destroy();
  }
  const conns = await Promise.all(accepts);
  assert.equal(
    conns.map((conn) => conn.remoteAddr.port),
    ports,
  );
  for (const conn of conns) conn.close();
});

accepting("connections that nobody waited for are there later", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const peers = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const peer = net.connect(listener.addr.port, "127.0.0.1");
      await once(peer, "connect");
      return peer;
    }),
  );
  await turns();
  for (const _ of peers) (await listener.accept()).close();
  for (const peer of peers) peer.destroy();
});

accepting("close rejects those that wait, and those that come", async () => {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const waiting = [listener.accept(), listener.accept()];
  listener.close();
  listener.close();
  for (const accept of waiting) await rejects(accept, BadResource, /Listener has been closed/);
  await rejects(listener.accept(), BadResource, /Listener has been closed/);
  assert.ok(listener.addr.port > 0);
  assert.is(listener.fd, -1);
});

accepting("for await ends at close, and leaving it closes", async () => {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const served: number[] = [];
  const loop = (async () => {
    for await (const conn of listener) {
      served.push(conn.remoteAddr.port);
      conn.close();
      if (served.length === 2) listener.close();
    }
  })();
  for (let i = 0; i < 2; i++) await readAll(net.connect(port, "127.0.0.1"));
  await loop;
  assert.is(served.length, 2);

  const other = listen({ port: 0, hostname: "127.0.0.1" });
  const peer = net.connect(other.addr.port, "127.0.0.1").on("error", () => {});
  for await (const conn of other) {
    conn.close();
    break;
  }
  peer.destroy();
  await rejects(other.accept(), BadResource);
});

accepting("a server takes the connections, and gives them back", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const { system } = await import("../../ffi/libc.ts");
  const fds: number[] = [];
  listener.takeConnections((fd) => fds.push(fd));
  await rejects(listener.accept(), TypeError, /go to a server/);
  assert.throws(() => listener.takeConnections(() => {}), /takes this listener's connections already/);
  const first = net.connect(listener.addr.port, "127.0.0.1");
  await once(first, "connect");
  await turns();
  assert.is(fds.length, 1);
  listener.stopAccepting();
  const second = net.connect(listener.addr.port, "127.0.0.1");
  await once(second, "connect");
  await turns();
  assert.is(fds.length, 1);
  (await listener.accept()).close();
  system().close(fds[0]);
  first.destroy();
  second.destroy();
});

accepting("a listener that waits holds the process; unref lets it go; so does not waiting", async () => {
  const mod = new URL("../../src/net/mod.ts", import.meta.url).href;
  const run = async (body: string): Promise<string> => {
    const program = `const { listen, connect } = await import(${JSON.stringify(mod)}); const listener = listen({ port: 0, hostname: "127.0.0.1" }); ${body}`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "ignore" });
    const late = setTimeout(() => child.kill("SIGKILL"), 30_000 * patience);
    const [code, signal] = await once(child, "exit");
    clearTimeout(late);
    return signal ?? String(code);
  };
  const [idle, unreferenced, held, client] = await Promise.all([
    run(""),
    run("listener.accept(); listener.unref();"),
    run("listener.accept(); process.stdin.unref?.(); setTimeout(() => process.exit(7), 300).unref();"),
    run("const accept = listener.accept(); const conn = await connect(listener.addr); const other = await accept;"),
  ]);
  assert.is(idle, "0", "nobody waits");
  assert.is(unreferenced, "0", "unreferenced");
  assert.is(held, "7", "held until the timer");
  assert.is(client, "0", "open connections that nobody uses");
});

accepting.run();

const failing = suite("listen: errors");

/** The error that `fn` throws, its message on one line. */
function thrown(fn: () => unknown): Error & { code?: string } {
  try {
    fn();
  } catch (error) {
    assert.not.match((error as Error).message, /\n/);
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

failing("a taken port says so, and what to do", () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const error = thrown(() => listen({ port: listener.addr.port, hostname: "127.0.0.1" }));
  assert.instance(error, AddrInUse);
  assert.is(error.code, "EADDRINUSE");
  assert.match(
    error.message,
    /Address already in use \(os error (98|48)\): listen on 127\.0\.0\.1:\d+; .*another port/,
  );
});

failing("a taken path", () => {
  using listener = listen({ transport: "unix", path: join(folder, "taken.sock") });
  const error = thrown(() => listen(listener.addr as { transport: "unix"; path: string }));
  assert.instance(error, AddrInUse);
  assert.match(error.message, /unix:.*taken\.sock; choose another path/);
});

failing("an address of another machine", () => {
  const error = thrown(() => listen({ port: 0, hostname: "192.0.2.1" }));
  assert.instance(error, AddrNotAvailable);
  assert.match(error.message, /192\.0\.2\.1 is no address of this machine/);
});

failing("a name that has none", () => {
  assert.instance(
    thrown(() => listen({ port: 0, hostname: "nosuch.invalid" })),
    NotFound,
  );
});

failing("a folder that is not there", () => {
  const error = thrown(() => listen({ transport: "unix", path: join(folder, "no/such.sock") }));
  assert.instance(error, NotFound);
});

failing("a port below 1024 without the privilege", async () => {
  if (process.getuid?.() !== 0) {
    assert.instance(
      thrown(() => listen({ port: 1 })),
      PermissionDenied,
    );
    return;
  }
  const mod = new URL("../../src/net/mod.ts", import.meta.url).href;
  // Root has the privilege; the child gives it up first. (Containers may allow low ports to all: then it listens.)
  const program = `const { listen } = await import(${JSON.stringify(mod)}); process.setgid(65534); process.setuid(65534); try { listen({ port: 1 }); console.log("it listens"); process.exit() } catch (e) { console.log(e.name, e.message) }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out] = await once(child.stdout, "data");
  assert.match(String(out), /^it listens|^PermissionDenied Permission denied \(os error 13\): .*below 1024/);
});

failing("wrong options", () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /listen takes an object/],
    [8000, /listen takes an object/],
    [{ port: 70000 }, /Invalid port \(out of range\): 70000: it must be a whole number from 0 to 65535/],
    [{ port: -1 }, /Invalid port \(out of range\): -1/],
    [{ port: 1.5 }, /Invalid port: 1\.5/],
    [{ port: "http" }, /Invalid port: 'http'/],
    [{ port: true }, /Invalid port \(expected number\): true/],
    [{ port: 0, transport: "vsock" }, /transport "vsock" is not supported by Slipway/],
    [{ port: 0, hostname: 5 }, /hostname must be a string, not number 5/],
    [{ port: 0, hostname: "" }, /hostname is empty/],
    [{ port: 0, backlog: 0 }, /backlog must be a whole number/],
    [{ port: 0, backlog: "many" }, /backlog must be a number/],
    [{ port: 0, transport: "udp" }, /transport must be "tcp" or "unix", not "udp"/],
    [{ transport: "unix" }, /path must be a string, not undefined/],
    [{ transport: "unix", path: "x".repeat(200) }, /path of 200 bytes is too long, 10[37] is the most/],
    [{ transport: "unix", path: "a\0b" }, /NUL/],
  ];
  for (const [options, message] of cases) {
    const error = thrown(() => listen(options as never));
    assert.ok(
      [TypeError, RangeError, NotSupported].some((Class) => error instanceof Class),
      String(error),
    );
    assert.match(error.message, message);
  }
});

failing("leave no descriptor behind", () => {
  listen({ port: 0 }).close();
  const before = descriptors();
  for (let i = 0; i < 10; i++) {
    thrown(() => listen({ port: 0, hostname: "192.0.2.1" }));
    thrown(() => listen({ transport: "unix", path: join(folder, "no/such.sock") }));
  }
  assert.is(descriptors(), before);
});

failing.run();
