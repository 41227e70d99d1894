/** When io_uring's poller sleeps, and what wakes it: `wake`, a parked descriptor, other threads; and how it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { Worker } from "node:worker_threads";
import * as assert from "uvu/assert";
import { skip } from "../../support/skip.ts";
import { connection, errno, listening, Near, newPoller, pattern, refused, same, settle, smallBuffers, sys, tcp, until, uring } from "./support.ts"; // biome-ignore format: one line

const test = uring("waking");
const byte = new Uint8Array([1]);
const source = (file: string): string => JSON.stringify(new URL(`../../../${file}`, import.meta.url).href);
const { AF_INET, SOCK_STREAM } = sys.constants;

test("wake makes the next poll return, and only that one", (poller) => {
  for (let i = 0; i < 3; i++) {
    poller.wake();
    poller.wake();
    assert.is(poller.poll(-1), 0);
    assert.is(poller.poll(0), 0);
  }
  const began = performance.now();
  assert.is(poller.poll(30), 0);
  assert.ok(performance.now() - began > 20, "nothing wakes it before its time");
});

test("poll(-1) waits for what comes, poll(ms) for so long, and poll(0) not at all", async (poller) => {
  const { near, far } = connection(poller);
  poller.receive(near.handle);
  settle(poller);
  assert.is(poller.poll(0), 0);
  assert.is(poller.poll(1.5), 0);
  far.send(byte);
  assert.ok(poller.poll(-1) > 0);
  assert.is(near.length, 1);
  const worker = threaded(
    `Atomics.wait(workerData, 0, 0); Atomics.wait(workerData, 0, 1, 20); sys.send(${far.fd}, new Uint8Array([2]));`,
  );
  await worker.ready;
  worker.go();
  while (near.length < 2) poller.poll(-1);
  assert.equal([...near.bytes], [1, 2]);
  await worker.ended;
  poller.close(near.handle);
  far.close();
});

test("wake from another thread, while this one is in the kernel", async (poller) => {
  // What `wake` writes to: this process has no other.
  const eventfds = new Set<number>();
  const write = sys.eventfdWrite;
  sys.eventfdWrite = (fd) => {
    eventfds.add(fd);
    return write(fd);
  };
  poller.wake();
  sys.eventfdWrite = write;
  poller.poll(0);
  const worker = threaded(`
    for (let i = 1; i <= 200; i++) {
      Atomics.wait(workerData, 0, i - 1);
      sys.eventfdWrite(${[...eventfds][0]});
    }`);
  await worker.ready;
  for (let i = 1; i <= 200; i++) {
    Atomics.store(worker.flag, 0, i);
    Atomics.notify(worker.flag, 0);
    const began = performance.now();
    poller.poll(20_000);
    assert.ok(performance.now() - began < 10_000, "it did not sleep out its time");
  }
  await worker.ended;
});

/** Waits, by poll(2) through a poller of the other kind, until a descriptor is readable; false after so long. */
function readable(fd: number, ms: number): boolean {
  const epfd = sys.epollCreate();
  sys.epollControl(epfd, 1, fd, 1, 0, 0);
  // What the kernel does for the ring meanwhile interrupts the wait, as often as it likes.
  let n = sys.epollWait(epfd, readable.memory.address, 1, ms);
  while (n === -errno.EINTR) n = sys.epollWait(epfd, readable.memory.address, 1, ms);
  sys.close(epfd);
  return n > 0;
}
readable.memory = sys.allocate(64);

test("parked and woken by its descriptor, again and again, with a thread that sends whenever it likes: no byte is left", async (poller) => {
  const COUNT = 20_000;
  const pairs = Array.from({ length: 4 }, () => connection(poller));
  const worker = threaded(`
    Atomics.wait(workerData, 0, 0);
    const one = new Uint8Array(1);
    const fds = ${JSON.stringify(pairs.map(({ far }) => far.fd))};
    for (let i = 0; i < ${COUNT}; i++) {
      while (sys.send(fds[i % fds.length], one) < 0);
      // Now and then one at a time, so that each finds the other side on its way to sleep, or asleep.
      if (i % 3 === 0) for (let spin = (i * 7919) % 3000; spin > 0; spin--) Atomics.load(workerData, 0);
      if (i % 50 === 0) Atomics.wait(workerData, 0, 1, 1);
    }`);
  await worker.ready;
  for (const { near } of pairs) poller.receive(near.handle);
  worker.go();
  const total = (): number => pairs.reduce((sum, { near }) => sum + near.length, 0);
  let parked = 0;
  while (total() < COUNT) {
    poller.poll(0);
    if (poller.pending) continue;
    parked++;
    // The host's loop would sleep here for good.
    assert.ok(total() === COUNT || readable(poller.descriptor, 10_000), `woken, ${total()} of ${COUNT} have come`);
  }
  assert.ok(parked > 20, `${parked} times parked`);
  await worker.ended;
  for (const { near, far } of pairs) {
    poller.close(near.handle);
    far.close();
  }
});

test("parked: whatever is asked for outside of a poll says that a poll is due", (poller) => {
  const { near, far } = connection(poller, tcp(smallBuffers));
  const { fd } = listening();
  let pending = 0;
  poller.onPending = () => pending++;
  const due: Record<string, () => void> = {
    open: () => {
      const opened = new Near(poller, fd);
      poller.accept(opened.handle);
    },
    receive: () => poller.receive(near.handle),
    sendOutgoing: () => void near.answer(pattern(16_000)),
    connect: () => {
      const fresh = new Near(poller, sys.socket(AF_INET, SOCK_STREAM, 0));
      poller.connect(fresh.handle, new Uint8Array([AF_INET, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
      poller.close(fresh.handle);
    },
    close: () => poller.close(near.handle),
  };
  const parks = (): void => {
    for (let looks = 0; looks < 1000; looks++) {
      poller.poll(0);
      if (!poller.pending && !readable(poller.descriptor, 0)) return;
    }
    throw new Error("it never parks");
  };
  parks();
  for (const [what, ask] of Object.entries(due)) {
    pending = 0;
    ask();
    assert.ok(pending > 0 || !poller.pending, `${what}: somebody is told`);
    assert.ok(pending > 0 || what === "connect", what);
    parks();
  }
  until(poller, () => far.read() && far.end !== undefined, "the end");
  for (let handle = 0; poller.openCount > 0; handle++) poller.close(handle);
  far.close();
});

test("a close outside of a poll takes along what has come: somebody is told, and a wake-up is not lost", (poller) => {
  const { near, far } = connection(poller);
  const other = connection(poller);
  poller.receive(near.handle);
  settle(poller);
  let told = 0;
  poller.onPending = () => told++;
  far.send(byte);
  poller.close(other.near.handle, true);
  assert.ok(told > 0 && poller.pending, "the byte was taken from the kernel's queue");
  until(poller, () => near.length === 1, "the byte");
  settle(poller);
  poller.wake();
  poller.close(near.handle, true);
  assert.ok(readable(poller.descriptor, 1000), "who watches hears of the wake-up");
  poller.poll(0);
  settle(poller);
  assert.not(readable(poller.descriptor, 0), "once");
  far.close();
  other.far.close();
});

test("dispose with handles that are closing, at every stage", (poller) => {
  const pairs = Array.from({ length: 30 }, () => connection(poller));
  for (const [i, { near, far }] of pairs.entries()) {
    if (i % 3 > 0) poller.receive(near.handle);
    if (i % 2 === 0) poller.poll(0);
    if (i % 5 === 0) far.send(byte);
    if (i % 7 === 0) near.answer(pattern(100));
  }
  for (const { near } of pairs) poller.close(near.handle);
  poller.dispose();
  for (const [i, { far }] of pairs.entries()) {
    far.read();
    assert.ok(far.end !== undefined, `${i}: its end is told`);
    far.close();
  }
  // What the suite disposes once more must be none the worse: another in its place.
  poller.dispose = () => {};
});

test("several pollers in one process, side by side", (first) => {
  const others = Array.from({ length: 5 }, () => newPoller());
  const all = [first, ...others];
  const pairs = all.map((poller) => ({ poller, ...connection(poller) }));
  for (let round = 0; round < 20; round++) {
    for (const { poller, near, far } of pairs) {
      poller.receive(near.handle);
      far.send(pattern(50, round));
      near.answer(pattern(60, round));
    }
    for (const { poller, near, far } of pairs) {
      until(poller, () => far.read() || far.length === 60 * (round + 1), "the answer");
      until(poller, () => near.length === 50 * (round + 1), "the question");
    }
  }
  for (const { poller, near, far } of pairs) {
    poller.close(near.handle);
    far.close();
  }
  for (const poller of others) poller.dispose();
});

const programs = "a process of its own";
if (refused !== "") skip(test, programs, refused);
else {
  const begin = `
    const { openPoller } = await import(${source("ffi/poller.ts")});
    const { poller } = openPoller();
    const sys = poller.system;
    const { AF_INET, SOCK_STREAM } = sys.constants;
    const nothing = () => {};
    const sink = { accepted: nothing, connected: nothing, received: nothing, datagram: nothing, sent: nothing, ended: nothing, hungUp: nothing, failed: nothing, expired: nothing };
    const connect = (port) => {
      const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
      sys.connect(fd, new Uint8Array([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
      return poller.open(fd, sink);
    };
    const answer = (handle, length) => { poller.outgoing.fill(7, 0, length); return poller.sendOutgoing(handle, 0, length); };
  `;
  /** Runs a program that connects to a server of ours; what the server got, which is to be so much, and the exit code. */
  const run = async (program: string, length: number, worker = false): Promise<[Buffer, number | null]> => {
    const chunks: Buffer[] = [];
    const server = net.createServer((socket) =>
      socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {}),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const text = `${begin} const port = ${port}; ${program}`;
    const whole = worker
      ? `await import(${source("ffi/koffi.ts")}); const { Worker } = await import("node:worker_threads");
         const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(text)})));
         worker.on("exit", (code) => process.exitCode = code);`
      : text;
    const child = spawn(process.execPath, ["--input-type=module", "-e", whole], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, SLIPWAY_POLLER: "uring" },
    });
    const [code] = await once(child, "exit");
    // Connections may wait to be accepted still: closing the server would drop them.
    const total = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    for (let waits = 0; total() < length && waits < 2000; waits++) await new Promise((done) => setTimeout(done, 2));
    await new Promise((resolve) => server.close(resolve));
    return [Buffer.concat(chunks), code];
  };
  for (const worker of [false, true]) {
    const where = worker ? " of a worker" : "";
    for (const [how, end] of [
      ["process.exit", "process.exit(3);"],
      ["its natural end", "process.exitCode = 3;"],
      ["process.exit in a callback", "sink.sent = () => process.exit(3); setImmediate(() => process.exit(3));"],
    ]) {
      test(`answers that were not given to the kernel yet leave with ${how}${where}`, async () => {
        const [got, code] = await run(
          `const handles = Array.from({ length: 3 }, () => connect(port)); poller.poll(0); for (const handle of handles) answer(handle, 1000); ${end}`,
          3000,
          worker,
        );
        assert.is(code, 3);
        same(got, Buffer.alloc(3000, 7), "all");
      });
    }
    test(`an end with everything under way${where}: receives, polls, a listener, sends, closes`, async () => {
      const [, code] = await run(
        `const handles = Array.from({ length: 200 }, () => connect(port));
        for (const [i, handle] of handles.entries()) {
          if (i % 2) poller.receive(handle);
          if (i % 3 === 0) poller.poll(0);
          if (i % 5 === 0) answer(handle, 10);
          if (i % 7 === 0) poller.close(handle);
        }
        const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
        sys.listen(fd, 10);
        poller.accept(poller.open(fd, sink));
        if (Math.random() < 0.5) poller.poll(0);
        process.exit(3);`,
        0,
        worker,
      );
      assert.is(code, 3);
    });
  }

  test("a process does not end by itself while what was taken as sent is on its way, though all is closed", async () => {
    const [got, code] = await run(
      `
      const { runtime } = await import(${source("src/runtime/mod.ts")});
      const { system } = runtime().poller;
      const fd = system.socket(AF_INET, SOCK_STREAM, 0);
      for (const name of [7, 8]) system.setsockopt(fd, system.constants.SOL_SOCKET, name, new Uint8Array(4));
      const handle = runtime().open(fd, { ...sink, connected() {
        for (let i = 0; i < 3; i++) {
          runtime().poller.outgoing.fill(7, 0, 16_000);
          runtime().poller.sendOutgoing(handle, 0, 16_000);
        }
        runtime().close(handle);
        process.exitCode = 3;
      } });
      runtime().poller.connect(handle, new Uint8Array([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));`,
      48_000,
    );
    assert.is(code, 3);
    same(got, Buffer.alloc(48_000, 7), "all");
  });
}

test.run();

interface Threaded {
  readonly flag: Int32Array;
  readonly ready: Promise<unknown>;
  readonly ended: Promise<unknown>;
  go(): void;
}

/** A thread with the system calls at hand; `go` sets its flag to 1. */
function threaded(program: string): Threaded {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const text = `
    import { parentPort, workerData } from "node:worker_threads";
    const { linuxSystem: system } = await import(${source("ffi/libc-linux.ts")});
    const sys = system();
    parentPort.postMessage("ready");
    ${program}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { workerData: flag });
  return {
    flag,
    ready: once(worker, "message"),
    ended: once(worker, "exit"),
    go() {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    },
  };
}
