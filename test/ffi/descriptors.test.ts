/** All our descriptors are close-on-exec and non-blocking, and no signal can end us for writing to nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect, listen, listenDatagram } from "../../src/net/mod.ts";
import { runtime } from "../../src/runtime/mod.ts";

const test = suite("descriptors");
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
/** What a descriptor is, "" for the one that read the directory and is gone. */
const target = (fd: string | number): string => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
};
const list = (): string[] => readdirSync("/proc/self/fd").filter((fd) => target(fd) !== "");
const flags = (fd: string | number): number =>
  Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "", 8);

test("listening, accepted, connected, datagram, epoll and eventfd: each has both flags", async () => {
  const before = new Set(list());
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const folder = mkdtempSync(join(tmpdir(), "slipway-flags-"));
  const unix = listen({ transport: "unix", path: join(folder, "a") });
  const udp = listenDatagram({ transport: "udp", port: 0 });
  const dgram = listenDatagram({ transport: "unixpacket", path: join(folder, "b") });
  const [client, accepted] = await Promise.all([connect({ port: listener.addr.port }), listener.accept()]);
  const [unixClient, unixAccepted] = await Promise.all([
    connect(unix.addr as { transport: "unix"; path: string }),
    unix.accept(),
  ]);
  const uring = runtime().poller.name === "uring";
  // io_uring's poller has an epoll set beside it, for listeners and datagram sockets; each of the two has an eventfd.
  const pollers = uring ? ["eventfd", "eventfd", "eventpoll", "io_uring"] : ["eventfd", "eventpoll"];
  const ours = list().filter((fd) => !before.has(fd));
  const seen: string[] = [];
  for (const fd of ours) {
    const what = target(fd);
    const kind = /^socket|eventpoll|io_uring|eventfd/.exec(what)?.[0];
    if (kind === undefined) continue;
    seen.push(kind);
    assert.ok(flags(fd) & O_CLOEXEC, `${what} is not close-on-exec`);
    // The pollers' own are never read from: the flag means nothing there.
    if (kind !== "eventpoll" && kind !== "io_uring") assert.ok(flags(fd) & O_NONBLOCK, `${what} blocks`);
  }
  assert.equal([...seen].sort(), [...pollers, ...new Array(8).fill("socket")], "every one of ours was looked at");
  for (const end of [listener, unix, udp, dgram, client, accepted, unixClient, unixAccepted]) end.close();
  assert.is(runtime().poller.openCount, 0);
  rmSync(folder, { recursive: true });
});

test("a process started meanwhile inherits none", async () => {
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const child = spawn("ls", ["-l", "/proc/self/fd"], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  await once(child, "close");
  assert.match(target(listener.fd), /^socket:/);
  assert.not.ok(out.includes(target(listener.fd)), out);
  assert.not.match(out, /eventfd/);
});

test("writing to a reset peer is an error, not SIGPIPE, even where SIGPIPE has its default", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    setImmediate(() => socket.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const mod = new URL("../../src/net/mod.ts", import.meta.url).href;
  const koffi = new URL("../../ffi/koffi.ts", import.meta.url).href;
  // Node ignores SIGPIPE; a program of ours must not depend on that, so it is given its default, which kills.
  const program = `
    const { koffi } = await import(${JSON.stringify(koffi)});
    const SIGPIPE = 13, SIG_DFL = 0;
    koffi.load(null).func("signal", "void *", ["int", "uintptr_t"])(SIGPIPE, SIG_DFL);
    const { connect, listen } = await import(${JSON.stringify(mod)});
    const outcomes = new Set();
    for (let i = 0; i < 20; i++) {
      const conn = await connect({ port: ${port} }).catch(() => undefined);
      for (let j = 0; conn && j < 50; j++) {
        const done = await conn.write(new Uint8Array(1000)).then(() => "", (error) => error.name);
        if (done) outcomes.add(done);
        await new Promise(setImmediate);
      }
      conn?.close();
    }
    const unix = listen({ transport: "unix", path: "/tmp/slipway-sigpipe-" + process.pid });
    const [a, b] = await Promise.all([connect(unix.addr), unix.accept()]);
    b.close();
    outcomes.add(await a.write(new Uint8Array(10)).then(() => "sent", (error) => error.name));
    unix.close();
    console.log(JSON.stringify([...outcomes].sort()));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  const [code, signal] = await once(child, "close");
  server.close();
  assert.is(signal, null);
  assert.is(code, 0);
  const outcomes = JSON.parse(out) as string[];
  assert.ok(outcomes.includes("BrokenPipe"), out);
  assert.ok(
    outcomes.every((name) => name === "BrokenPipe" || name === "ConnectionReset"),
    out,
  );
});

test.run();
