/** What differs on a system that has kqueue. Run by kqueue.test.ts where one is played; on a real one it runs as it is. */
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { koffi } from "../../ffi/koffi.ts";
import { openKqueue } from "../../ffi/kqueue.ts";
import { type Handle, openPoller, type Sink } from "../../ffi/poller.ts";
import { HANGUP, READABLE, ReadinessPoller, URGENT, WRITABLE } from "../../ffi/readiness.ts";
import type { BsdSystem } from "../../ffi/system.ts";
import { decodeAddress, encodeIp, encodeUnix } from "../../src/net/address.ts";
import { connect, listen } from "../../src/net/mod.ts";
import { ConnectionRefused } from "../../src/runtime/errors.ts";
import { seen } from "../support/kqueue/c-library.ts";
import { kernel } from "./kernel.ts";

const test = suite("kqueue");
const sys = kernel() as BsdSystem;
const { constants } = sys;
const { SOCK_STREAM, SOCK_DGRAM, AF_INET, AF_UNIX, SOL_SOCKET, SHUT_WR } = constants;
const { EAGAIN, EBADF, ECONNREFUSED, EINPROGRESS, ENOPROTOOPT, ENOTCONN, ENOTSOCK } = constants.errno;
const LOOPBACK = { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" };
const byte = new Uint8Array([1]);

function pair(): [number, number] {
  const fds = new Int32Array(2);
  assert.is(sys.socketpair(SOCK_STREAM, fds), 0);
  return [fds[0], fds[1]];
}

/** A listening socket on the loopback, and its address. */
function listening(): { fd: number; address: Uint8Array } {
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  assert.is(sys.bind(fd, encodeIp(constants, LOOPBACK, 0)), 0);
  assert.is(sys.listen(fd, 10), 0);
  const address = new Uint8Array(128);
  const length = sys.getsockname(fd, address);
  return { fd, address: address.slice(0, length) };
}

function option(fd: number, name: number): number {
  const out = new Int32Array(1);
  const result = sys.getsockopt(fd, SOL_SOCKET, name, out);
  return result < 0 ? result : out[0];
}

/** As /proc tells them, in Linux's octal. */
const flags = (fd: number): number =>
  Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "", 8);
const NON_BLOCKING = 0o4000;
const CLOSE_ON_EXEC = 0o2000000;

function recorder(heard: string[], also?: (what: string, handle: Handle) => void): Sink {
  const note = (what: string) => (handle: Handle) => {
    heard.push(what);
    also?.(what, handle);
  };
  return {
    accepted: note("accepted"),
    connected: note("connected"),
    received: note("received"),
    datagram: note("datagram"),
    sent: note("sent"),
    ended: note("ended"),
    hungUp: note("hungUp"),
    failed: (handle, errno) => note(`failed ${errno}`)(handle),
    expired: note("expired"),
  };
}

test("it is the poller of this system, and no other is to be had", () => {
  const { poller, refused } = openPoller();
  assert.is(poller.name, "kqueue");
  assert.equal(refused, []);
  poller.dispose();
  const before = process.env["SLIPWAY_POLLER"];
  process.env["SLIPWAY_POLLER"] = "epoll";
  try {
    assert.throws(() => openPoller(), /no such poller here; choose one of: kqueue$/);
  } finally {
    process.env["SLIPWAY_POLLER"] = before;
  }
});

test("sockets are non-blocking, close-on-exec and without SIGPIPE: made, accepted, in pairs", () => {
  const { fd: listener, address } = listening();
  const client = sys.socket(AF_INET, SOCK_STREAM, 0);
  assert.ok([0, -EINPROGRESS].includes(sys.connect(client, address)));
  let accepted = -EAGAIN;
  while (accepted === -EAGAIN) accepted = sys.accept(listener);
  const [a, b] = pair();
  for (const fd of [listener, client, accepted, a, b]) {
    assert.ok(flags(fd) & NON_BLOCKING, "non-blocking");
    assert.ok(flags(fd) & CLOSE_ON_EXEC, "close-on-exec");
    if (constants.SO_NOSIGPIPE >= 0) assert.is(option(fd, constants.SO_NOSIGPIPE), 1);
    sys.close(fd);
  }
});

test("accepting is accept(2) and one fcntl(2) on macOS, and accept4(2) alone elsewhere", () => {
  const { fd: listener, address } = listening();
  const client = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.connect(client, address);
  while (sys.accept(listener) !== -EAGAIN);
  seen.calls.clear();
  const second = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.connect(second, address);
  seen.calls.clear();
  let accepted = -EAGAIN;
  let tries = 0;
  while (accepted === -EAGAIN) {
    tries++;
    accepted = sys.accept(listener);
  }
  assert.equal(
    [...seen.calls],
    constants.system === "darwin"
      ? [["accept", tries], ["fcntl", 1]] // biome-ignore format: pairs
      : [["accept4", tries]],
  );
  for (const fd of [listener, client, second, accepted]) sys.close(fd);
});

test("a socket address begins with its length, whichever way it goes", () => {
  const { fd, address } = listening();
  assert.equal([...address.subarray(0, 2)], [16, AF_INET]);
  assert.is(decodeAddress(constants, address, address.length).transport, "tcp");
  sys.close(fd);
  const folder = mkdtempSync(join(tmpdir(), "slipway-kqueue-"));
  const path = join(folder, "s");
  const encoded = encodeUnix(constants, path);
  assert.equal([...encoded.subarray(0, 2)], [encoded.length, AF_UNIX]);
  const named = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
  assert.is(sys.bind(named, encoded), 0);
  const got = new Uint8Array(128);
  assert.equal(decodeAddress(constants, got, sys.getsockname(named, got)), { transport: "unix", path });
  // Who has no name has one of zeros there.
  const unnamed = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
  assert.is(sys.sendTo(unnamed, byte, encoded), 1);
  const memory = sys.allocate(16);
  const length = new Uint32Array(1);
  assert.is(sys.receiveFrom(named, memory.address, 16, got, length), 1);
  assert.equal(decodeAddress(constants, got, length[0]), { transport: "unix", path: null });
  assert.equal(decodeAddress(constants, got, sys.getsockname(unnamed, got)), { transport: "unix", path: null });
  sys.close(named);
  sys.close(unnamed);
  rmSync(folder, { recursive: true });
});

test("options that are bits are told as 1, what the system lacks is refused, a listener is known as one", () => {
  const { fd } = listening();
  const one = new Uint8Array([1, 0, 0, 0]);
  sys.setsockopt(fd, SOL_SOCKET, constants.SO_REUSEADDR, one);
  assert.is(option(fd, constants.SO_REUSEADDR), 1);
  assert.is(option(fd, constants.SO_ACCEPTCONN), 1);
  const [a, b] = pair();
  assert.is(option(a, constants.SO_ACCEPTCONN), 0);
  assert.is(sys.setsockopt(fd, SOL_SOCKET, constants.SO_ATTACH_FILTER, one), -ENOPROTOOPT);
  assert.is(sys.setsockopt(fd, constants.IPPROTO_TCP, constants.TCP_DEFER_ACCEPT, one), -ENOPROTOOPT);
  for (const end of [fd, a, b]) sys.close(end);
});

test("every call answers with the system's own errno, negated", () => {
  const memory = sys.allocate(16);
  const file = openSync(import.meta.filename, "r");
  assert.is(sys.receive(file, memory.address, 16), -ENOTSOCK);
  closeSync(file);
  const alone = sys.socket(AF_INET, SOCK_STREAM, 0);
  assert.is(sys.shutdown(alone, SHUT_WR), -ENOTCONN);
  assert.is(sys.getpeername(alone, new Uint8Array(128)), -ENOTCONN);
  sys.close(alone);
  assert.is(sys.close(alone), -EBADF);
  const [a, b] = pair();
  assert.is(sys.receive(a, memory.address, 16), -EAGAIN);
  for (const end of [a, b]) sys.close(end);
});

test("data that is left is read before the end that came with it", () => {
  const poller = new ReadinessPoller(sys, openKqueue(sys));
  const heard: string[] = [];
  const [a, far] = pair();
  const handle = poller.open(a, recorder(heard));
  poller.receive(handle);
  sys.send(far, byte);
  sys.close(far);
  poller.poll(1000);
  while (poller.pending) poller.poll(0);
  assert.equal(heard, ["received", "ended"]);
  poller.close(handle);
  poller.dispose();
});

test("the end is told as such where it is read, and not where we have ended writing ourselves", () => {
  const backend = openKqueue(sys);
  const [a, far] = pair();
  assert.is(backend.open(a, 7, 1), 0);
  const told = (): number[] => {
    const count = backend.poll(0);
    return [...backend.events.subarray(0, count)].map((events) => events & ~URGENT);
  };
  assert.equal(told(), [WRITABLE], "there is room");
  assert.equal(told(), [], "and it is told once");
  sys.shutdown(a, SHUT_WR);
  assert.equal(told(), [WRITABLE], "our own end is nobody's hang-up");
  sys.send(far, byte);
  assert.equal(told(), [READABLE]);
  sys.shutdown(far, SHUT_WR);
  const last = told();
  assert.ok(last.includes(READABLE | HANGUP), `${last}`);
  assert.is(backend.handles[0], 7);
  assert.is(backend.generations[0], 1);
  sys.close(a);
  sys.close(far);
  backend.dispose();
});

test("a connection that is refused fails with ECONNREFUSED, and the next one to a listener succeeds", async () => {
  const poller = new ReadinessPoller(sys, openKqueue(sys));
  const { fd: closed, address: nobody } = listening();
  sys.close(closed);
  const { fd: listener, address } = listening();
  for (const [to, expected] of [
    [nobody, `failed ${ECONNREFUSED}`],
    [address, "connected"],
  ] as const) {
    const heard: string[] = [];
    const handle = poller.open(sys.socket(AF_INET, SOCK_STREAM, 0), recorder(heard));
    const begun = poller.connect(handle, to);
    if (begun < 0) heard.push(`failed ${-begun}`); // on the loopback it may be known at once
    for (let i = 0; i < 100 && heard.length === 0; i++) poller.poll(100);
    assert.is(heard[0], expected, "who hears it closes the handle");
    poller.close(handle);
  }
  sys.close(listener);
  poller.dispose();
  await refusedTo(connect({ port: 1, hostname: "127.0.0.1" }));
});

async function refusedTo(promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (e) => e,
  );
  assert.instance(error, ConnectionRefused);
}

test("a socket that is registered before it connects is silent until it has", () => {
  const backend = openKqueue(sys);
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  assert.is(backend.open(fd, 1, 1), 0);
  assert.is(backend.poll(0), 0);
  const { fd: listener, address } = listening();
  sys.connect(fd, address);
  assert.is(backend.poll(1000), 1);
  assert.is(backend.events[0], WRITABLE);
  sys.close(fd);
  sys.close(listener);
  backend.dispose();
});

test("a descriptor's next owner hears nothing of the former one, in one batch or later", () => {
  const poller = new ReadinessPoller(sys, openKqueue(sys));
  const heard: string[] = [];
  const [a, farA] = pair();
  const [b, farB] = pair();
  let far = -1;
  let fresh = -1;
  let old = -1;
  const first = poller.open(
    a,
    recorder(heard, () => {
      if (fresh >= 0) return;
      poller.close(old);
      const [c, farC] = pair();
      assert.is(c, b);
      far = farC;
      fresh = poller.open(c, recorder(heard));
      poller.receive(fresh);
    }),
  );
  old = poller.open(b, recorder(heard));
  poller.receive(first);
  poller.receive(old);
  sys.send(farA, byte);
  sys.send(farB, byte);
  poller.poll(1000);
  assert.equal(heard, ["received"]);
  poller.poll(0);
  assert.equal(heard, ["received"]);
  sys.send(far, byte);
  poller.poll(1000);
  assert.equal(heard, ["received", "received"]);
  for (const handle of [first, fresh]) poller.close(handle);
  for (const end of [farA, farB, far]) sys.close(end);
  poller.dispose();
});

test("a refused registration is what open returns, and half of one does not stay", () => {
  const backend = openKqueue(sys);
  assert.is(backend.open(999, 1, 1), -EBADF);
  const [a, b] = pair();
  let changes = 0;
  // The second filter alone is refused.
  const half = openKqueue({
    ...sys,
    keventChange(kq, at, count) {
      changes++;
      if (count !== 2) return sys.keventChange(kq, at, count);
      const first = sys.keventChange(kq, at, 1);
      return first < 0 ? first : -constants.errno.ENOMEM;
    },
  });
  assert.is(half.open(a, 1, 1), -constants.errno.ENOMEM);
  assert.is(changes, 3, "the wake, both filters, and one taken back");
  sys.send(b, byte);
  assert.is(half.poll(0), 0);
  for (const end of [a, b]) sys.close(end);
  for (const each of [backend, half]) each.dispose();
});

test("a refused change is an event where there is room for one (EV_ERROR, EV_RECEIPT), else what the call returns", () => {
  const { EV_ADD, EV_ERROR, EV_RECEIPT } = { EV_ADD: 1, EV_ERROR: 0x4000, EV_RECEIPT: 0x40 };
  const kq = sys.kqueue();
  const stride = constants.keventBytes;
  const memory = sys.allocate(2 * stride);
  const view = new DataView(memory.buffer);
  view.setBigUint64(0, 999n, true);
  view.setInt16(8, -1, true);
  view.setUint16(10, EV_ADD | EV_RECEIPT, true);
  assert.is(sys.keventChange(kq, memory.address, 1), -EBADF);
  const raw = koffi.load(null).func("kevent", "int", ["int", "uintptr_t", "int", "uintptr_t", "int", "uintptr_t"]);
  assert.is(raw(kq, memory.address, 1, memory.address + stride, 1, 0), 1);
  assert.ok(view.getUint16(stride + 10, true) & EV_ERROR);
  assert.is(view.getBigInt64(stride + 16, true), BigInt(EBADF));
  const [a, b] = pair();
  view.setBigUint64(0, BigInt(a), true);
  assert.is(raw(kq, memory.address, 1, memory.address + stride, 1, 0), 1);
  assert.is(view.getBigInt64(stride + 16, true), 0n, "a receipt");
  for (const fd of [a, b, kq]) sys.close(fd);
});

test("a descriptor to attend to ends a wait, as long as it is readable, and is let go of", () => {
  const poller = new ReadinessPoller(sys, openKqueue(sys));
  const [a, far] = pair();
  assert.is(poller.attend(a), 0);
  assert.is(poller.wait(0), false);
  assert.is(poller.attendedReady, false);
  sys.send(far, byte);
  for (let i = 0; i < 2; i++) {
    assert.is(poller.wait(1000), false);
    assert.is(poller.attendedReady, true);
  }
  assert.is(poller.attend(-1), 0);
  poller.wait(0);
  assert.is(poller.attendedReady, false);
  for (const fd of [a, far]) sys.close(fd);
  poller.dispose();
});

test("wakes: before, and from a Worker while this thread is parked in the kernel", async () => {
  const poller = new ReadinessPoller(sys, openKqueue(sys));
  poller.wake();
  poller.wake();
  assert.is(poller.poll(-1), 0);
  assert.is(poller.poll(0), 0);
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { parentPort, workerData } from "node:worker_threads";
    const { system } = await import(${module("../../ffi/libc.ts")});
    const sys = system();
    const memory = sys.allocate(sys.constants.keventBytes);
    const view = new DataView(memory.buffer);
    for (let at = 0; at < sys.constants.keventBytes; at++) view.setUint8(at, 0);
    view.setInt16(8, sys.constants.EVFILT_USER, true);
    view.setUint32(12, 0x01000000, true); // NOTE_TRIGGER
    parentPort.postMessage("ready");
    Atomics.wait(workerData, 0, 0);
    Atomics.wait(workerData, 0, 1, 50);
    sys.keventChange(${poller.descriptor}, memory.address, 1);
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { workerData: flag });
  await once(worker, "message");
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  const parked = performance.now();
  assert.is(poller.poll(20_000), 0);
  assert.ok(performance.now() - parked < 15_000, "it did not sleep out its time");
  await once(worker, "exit");
  poller.dispose();
});

test("sendfile: the file first; what was sent is told though the socket is full; the end of the file is 0", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-kqueue-"));
  const path = join(folder, "f");
  const size = 8 * 1024 * 1024;
  writeFileSync(path, new Uint8Array(size).fill(7));
  const file = openSync(path, "r");
  const [a, far] = pair();
  const first = sys.sendFile(a, file, 0, size);
  assert.ok(first > 0 && first < size, String(first));
  assert.is(sys.sendFile(a, file, first, size), -EAGAIN);
  const memory = sys.allocate(65536);
  let read = 0;
  let sent = first;
  while (read < size) {
    const n = sys.receive(far, memory.address, 65536);
    if (n > 0) read += n;
    else if (sent < size) sent += Math.max(0, sys.sendFile(a, file, sent, size));
  }
  assert.is(sent, size);
  assert.is(sys.sendFile(a, file, size, 10), 0);
  assert.is(sys.sendFile(a, file, 0, 0), 0);
  closeSync(file);
  for (const fd of [a, far]) sys.close(fd);
  rmSync(folder, { recursive: true });
});

test("what its peer has not acknowledged is told, and what memory holds of a file can't be", () => {
  const [a, far] = pair();
  const unacknowledged = sys.unacknowledged(a);
  assert.is(unacknowledged, 0);
  sys.send(a, new Uint8Array(100));
  assert.ok(sys.unacknowledged(a) >= 100);
  const file = openSync(import.meta.filename, "r");
  assert.is(sys.peekFile(file, 0), -constants.errno.EOPNOTSUPP);
  closeSync(file);
  for (const fd of [a, far]) sys.close(fd);
});

test("no write could have raised SIGPIPE", async () => {
  const before = seen.unprotected;
  using listener = listen({ port: 0, hostname: "127.0.0.1" });
  const socket = net.connect(listener.addr.port, "127.0.0.1");
  const conn = await listener.accept();
  socket.resetAndDestroy();
  let failed = "";
  for (let i = 0; failed === "" && i < 1000; i++) {
    await conn.write(new Uint8Array(1000)).catch((error) => (failed = error.name));
    await new Promise(setImmediate);
  }
  assert.ok(["BrokenPipe", "ConnectionReset"].includes(failed), failed);
  conn.close();
  assert.is(seen.unprotected, before);
});

test.run();
