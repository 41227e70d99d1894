// The poller's `sendFile` and `sendSome`: what it takes, what it says when the socket is full, and when to go on.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openPoller, SENDING, type Sink } from "../../ffi/poller.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-send-file-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** A file of `length` bytes, each of which follows from its place. */
function file(length: number): { fd: number; bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
  const path = join(folder, `${length}`);
  writeFileSync(path, bytes);
  return { fd: openSync(path, "r"), bytes };
}

interface Told {
  sent: number;
  got: Uint8Array[];
  failed: number[];
}

/** Two ends of a connection on one poller; `told` is what the sinks of both heard. */
function pair() {
  const { poller } = openPoller();
  const { system, constants } = poller;
  const fds = new Int32Array(2);
  assert.is(system.socketpair(constants.SOCK_STREAM, fds), 0);
  const told: Told = { sent: 0, got: [], failed: [] };
  const sink: Sink = {
    accepted() {},
    connected() {},
    received: (_handle, bytes, start, end) => told.got.push(bytes.slice(start, end)),
    datagram() {},
    sent: () => told.sent++,
    ended() {},
    hungUp() {},
    failed: (_handle, errno) => told.failed.push(errno),
    expired() {},
  };
  const sender = poller.open(fds[0], sink);
  const receiver = poller.open(fds[1], sink);
  poller.poll(0);
  return {
    poller,
    sender,
    receiver,
    told,
    EAGAIN: constants.errno.EAGAIN,
    [Symbol.dispose]() {
      poller.close(sender);
      poller.close(receiver);
      poller.dispose();
    },
  };
}

const joined = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

test("from an offset, at most so many bytes, and none at the file's end", () => {
  using ends = pair();
  const { fd, bytes } = file(10_000);
  assert.is(ends.poller.sendFile(ends.sender, fd, 100, 1000), 1000);
  assert.is(ends.poller.sendFile(ends.sender, fd, 9000, 5000), 1000);
  assert.is(ends.poller.sendFile(ends.sender, fd, 10_000, 5000), 0);
  ends.poller.receive(ends.receiver);
  while (joined(ends.told.got).length < 2000) ends.poller.poll(1000);
  assert.ok(joined(ends.told.got).equals(joined([bytes.subarray(100, 1100), bytes.subarray(9000)])));
  closeSync(fd);
});

test("a full socket says EAGAIN, and `sent` when there is room; behind bytes of `send` that wait it says EAGAIN too", () => {
  using ends = pair();
  const { fd, bytes } = file(3_000_000);
  let at = 0;
  for (let n = 1; n > 0; at += Math.max(0, n)) n = ends.poller.sendFile(ends.sender, fd, at, 500_000);
  assert.ok(at > 0 && at < bytes.length);
  assert.is(ends.poller.sendFile(ends.sender, fd, at, 1000), -ends.EAGAIN);
  assert.is(ends.told.sent, 0);
  ends.poller.receive(ends.receiver);
  while (ends.told.sent === 0) ends.poller.poll(1000);
  while (at < bytes.length) {
    // What `send` keeps comes first.
    const kept = Math.min(bytes.length - at, 700_000);
    if (ends.poller.send(ends.sender, bytes, at, at + kept) === SENDING) {
      assert.is(ends.poller.sendFile(ends.sender, fd, at, 1000), -ends.EAGAIN);
    }
    at += kept;
    while (ends.poller.sendFile(ends.sender, fd, at, 100) === -ends.EAGAIN) ends.poller.poll(1000);
    at = Math.min(bytes.length, at + 100);
  }
  while (joined(ends.told.got).length < bytes.length) ends.poller.poll(1000);
  assert.ok(joined(ends.told.got).equals(bytes));
  closeSync(fd);
});

test("sendSome takes what fits, keeps nothing, and says when there is room", () => {
  using ends = pair();
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 11 + (i >> 9)) & 255);
  ends.poller.receive(ends.receiver);
  let at = 0;
  let full = 0;
  while (at < bytes.length) {
    const n = ends.poller.sendSome(ends.sender, bytes, at, Math.min(bytes.length, at + 1_000_000));
    if (n >= 0) at += n;
    else {
      assert.is(n, -ends.EAGAIN);
      full++;
      const before = ends.told.sent;
      while (ends.told.sent === before) ends.poller.poll(1000);
    }
  }
  assert.ok(full > 0);
  while (joined(ends.told.got).length < bytes.length) ends.poller.poll(1000);
  assert.ok(joined(ends.told.got).equals(bytes));
});

test("what has more behind it arrives before that, small or large, whatever the socket takes", () => {
  using ends = pair();
  const head = Uint8Array.from({ length: 10 }, (_, i) => 200 + i);
  const body = Uint8Array.from({ length: 70_000 }, (_, i) => i & 127);
  const expected = Buffer.concat(Array.from({ length: 20 }, () => Buffer.concat([head, body])));
  ends.poller.receive(ends.receiver);
  const all = (bytes: Uint8Array, more: boolean): void => {
    for (let at = 0; at < bytes.length; ) {
      const n = ends.poller.sendSome(ends.sender, bytes, at, bytes.length, more);
      if (n >= 0) at += n;
      else for (const before = ends.told.sent; ends.told.sent === before; ) ends.poller.poll(1000);
    }
  };
  for (let i = 0; i < 20; i++) {
    all(head, true);
    all(body, false);
  }
  while (joined(ends.told.got).length < expected.length) ends.poller.poll(1000);
  assert.ok(joined(ends.told.got).equals(expected));
});

test("what can't be sent from is an errno, and the connection is none the worse", () => {
  using ends = pair();
  const folderFd = openSync(folder, "r");
  assert.ok(ends.poller.sendFile(ends.sender, folderFd, 0, 10) < 0);
  closeSync(folderFd);
  assert.is(ends.poller.sendFile(ends.sender, folderFd, 0, 10), -ends.poller.constants.errno.EBADF);
  ends.poller.receive(ends.receiver);
  ends.poller.send(ends.sender, new Uint8Array([1, 2]), 0, 2);
  while (ends.told.got.length === 0) ends.poller.poll(1000);
  assert.equal([...joined(ends.told.got)], [1, 2]);
});

test("a peer that has gone is an errno, not a signal", () => {
  using ends = pair();
  const { fd } = file(1000);
  ends.poller.close(ends.receiver);
  assert.is(ends.poller.sendFile(ends.sender, fd, 0, 10), -ends.poller.constants.errno.EPIPE);
  closeSync(fd);
});

test("offsets beyond 4 GiB", () => {
  using ends = pair();
  const { fd } = file(1001);
  assert.is(ends.poller.sendFile(ends.sender, fd, 5 * 2 ** 30, 10), 0);
  closeSync(fd);
});

test.run();
