/** What only a completion port does. It runs on Windows, or under Wine (`npm run test:wine`); the table of operations anywhere. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { IocpPoller } from "../../ffi/iocp.ts";
import { type IocpCalls, iocpCalls } from "../../ffi/iocp-calls.ts";
import { Operations } from "../../ffi/iocp-operations.ts";
import type { Sink } from "../../ffi/poller.ts";
import type { System } from "../../ffi/system.ts";
import { winsock } from "../../ffi/winsock.ts";
import { skip } from "../support/skip.ts";

const table = suite("the table of operations");

/** Only `allocate`: each piece at an address far from the others. */
function memoryOnly(): System {
  let next = 0x7000_0000_0000;
  const allocate = (bytes: number) => {
    const address = next;
    next += bytes * 3;
    return { address, buffer: new ArrayBuffer(bytes) };
  };
  return { allocate } as unknown as System;
}

table("an address finds its operation, through every growth", () => {
  const operations = new Operations(memoryOnly());
  for (let i = 0; i < 10_000; i++) {
    const operation = operations.take(1, i);
    assert.is(operations.at(operations.addressOf(operation)), operation);
    assert.is(operations.handles[operation], i);
  }
  assert.is(operations.at(0x7000_0000_0000 - 64), -1);
});

table("an operation that was given back is taken again, as nobody's", () => {
  const operations = new Operations(memoryOnly());
  const first = operations.take(2, 7, 9);
  operations.give(first);
  assert.is(operations.kinds[first], 0);
  assert.is(operations.take(1, 8), first);
  assert.is(operations.extras[first], 0);
});

table.run();

const port = suite("completion port");
const on = (name: string, run: () => void): void => {
  if (process.platform === "win32") port(name, run);
  else skip(port, name, "only Windows has one (npm run test:wine)");
};

interface Told {
  readonly what: string[];
  readonly sink: Sink;
}

function listening(): Told {
  const what: string[] = [];
  const sink = new Proxy({} as Sink, {
    get: (_, name) => (_handle: number, detail: unknown, start: number, end: number) =>
      void what.push(typeof detail === "object" ? `${String(name)} ${end - start}` : String(name)),
  });
  return { what, sink };
}

function pairOn(run: (poller: IocpPoller, ours: number, theirs: number, system: System) => void, calls?: IocpCalls) {
  const system = winsock();
  const poller = new IocpPoller(system, calls ?? iocpCalls());
  const pair = new Int32Array(2);
  assert.is(system.socketpair(system.constants.SOCK_STREAM, pair), 0);
  try {
    run(poller, pair[0], pair[1], system);
  } finally {
    poller.dispose();
  }
}

/** Polls until it is so; a kernel that never says it ends with the file's time. */
function until(poller: IocpPoller, holds: () => boolean): void {
  while (!holds()) poller.poll(100);
}

on("a connection that waits for bytes has asked for none", () => {
  const asked: number[] = [];
  const real = iocpCalls();
  const calls: IocpCalls = { ...real, receive: (fd, operation) => asked.push(fd) && real.receive(fd, operation) };
  pairOn((poller, ours, theirs, system) => {
    const { what, sink } = listening();
    const handle = poller.open(ours, sink);
    poller.receive(handle);
    poller.poll(0);
    assert.equal([asked, what], [[ours], []]);
    system.send(theirs, new Uint8Array(3));
    until(poller, () => what.length > 0);
    assert.equal(what, ["received 3"]);
    poller.close(handle);
    system.close(theirs);
  }, calls);
});

on("the end of a client is seen behind bytes that nobody reads, and told with them in order", () => {
  pairOn((poller, ours, theirs, system) => {
    const { what, sink } = listening();
    const handle = poller.open(ours, sink);
    system.send(theirs, new Uint8Array(1000));
    system.close(theirs);
    until(poller, () => what.length > 0);
    assert.equal(what, ["hungUp"]);
    poller.receive(handle);
    until(poller, () => what.length >= 3);
    assert.equal(what, ["hungUp", "received 1000", "ended"]);
    poller.close(handle);
  });
});

on("what sendSome took is delivered although the handle is closed, and only then is it over", () => {
  pairOn((poller, ours, theirs, system) => {
    const changes: number[] = [];
    poller.onLeaving = (change) => void changes.push(change);
    const handle = poller.open(ours, listening().sink);
    const { EAGAIN } = system.constants.errno;
    let taken = 0;
    const bytes = new Uint8Array(1 << 20);
    for (let n = 0; n !== -EAGAIN; n = poller.sendSome(handle, bytes, 0, bytes.length)) taken += n;
    poller.close(handle);
    assert.equal(changes, [1]);
    const { address } = system.allocate(1 << 16);
    let got = 0;
    for (let n = -EAGAIN; n !== 0; n = system.receive(theirs, address, 1 << 16)) {
      if (n > 0) got += n;
      else if (n !== -EAGAIN) assert.unreachable(`errno ${-n}`);
      poller.poll(0);
    }
    assert.is(got, taken);
    assert.equal(changes, [1, -1]);
    system.close(theirs);
  });
});

on("connections that were accepted during a pause are kept, and told later", () => {
  const system = winsock();
  const poller = new IocpPoller(system, iocpCalls());
  const { AF_INET, SOCK_STREAM } = system.constants;
  const address = new Uint8Array(16);
  address[0] = AF_INET;
  address.set([127, 0, 0, 1], 4);
  const fd = system.socket(AF_INET, SOCK_STREAM, 0);
  system.bind(fd, address);
  system.listen(fd, 64);
  system.getsockname(fd, address);
  const accepted: number[] = [];
  const sink = { accepted: (_: number, one: number) => void accepted.push(one) } as unknown as Sink;
  const listener = poller.open(fd, sink);
  poller.accept(listener);
  poller.pause(listener);
  const clients = Array.from({ length: 10 }, () => system.socket(AF_INET, SOCK_STREAM, 0));
  for (const client of clients) system.connect(client, address);
  for (let looks = 0; looks < 50; looks++) poller.poll(1);
  assert.is(accepted.length, 0);
  poller.accept(listener);
  until(poller, () => accepted.length === 10);
  for (const one of [...accepted, ...clients]) system.close(one);
  poller.close(listener);
  poller.dispose();
});

port.run();
