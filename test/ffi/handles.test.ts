/** Handles have generations: what comes late for a closed one never reaches the number's, or the descriptor's, next owner. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Handle, Sink } from "../../ffi/poller.ts";
import { kernel, openReadiness } from "./kernel.ts";

const test = suite("handles");
const sys = kernel();
const { SOCK_STREAM } = sys.constants;
const byte = new Uint8Array([1]);

/** A sink that writes down what it hears. */
function recorder(heard: string[], name: string, also?: (what: string, handle: Handle) => void): Sink {
  const note = (what: string) => (handle: Handle) => {
    heard.push(`${name} ${what}`);
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
    failed: note("failed"),
    expired: note("expired"),
  };
}

function pair(): [number, number] {
  const fds = new Int32Array(2);
  assert.is(sys.socketpair(SOCK_STREAM, fds), 0);
  return [fds[0], fds[1]];
}

test("two events in one batch: the first closes the second's handle, and a new connection has its number and descriptor", () => {
  const poller = openReadiness(sys);
  const heard: string[] = [];
  const [a, farA] = pair();
  const [b, farB] = pair();
  const farNew: number[] = [];
  let opened: Handle = -1;
  let second: Handle = -1;
  const onFirst = (what: string): void => {
    if (what !== "received") return;
    // The event of `second` is in this very batch. Close it, and reuse both its numbers.
    poller.close(second);
    const [c, farC] = pair();
    farNew.push(farC);
    assert.is(c, b, "the kernel gives the lowest free descriptor: b's");
    opened = poller.open(c, recorder(heard, "new"));
    assert.is(opened, second, "the handle's number is reused");
    poller.receive(opened);
  };
  const first = poller.open(a, recorder(heard, "first", onFirst));
  second = poller.open(b, recorder(heard, "old"));
  poller.receive(first);
  poller.receive(second);
  sys.send(farA, byte);
  sys.send(farB, byte);
  assert.ok(poller.poll(1000) >= 2, "both events came in one batch");
  assert.equal(heard, ["first received"]);
  // The new connection is whole: it hears what is meant for it.
  sys.send(farNew[0], byte);
  poller.poll(1000);
  assert.equal(heard, ["first received", "new received"]);
  for (const handle of [first, opened]) poller.close(handle);
  for (const fd of [farA, farB, ...farNew]) sys.close(fd);
  assert.is(poller.openCount, 0);
  poller.dispose();
});

test("work that was queued for a closed handle is dropped", () => {
  const poller = openReadiness(sys);
  const heard: string[] = [];
  const [a, farA] = pair();
  const old = poller.open(a, recorder(heard, "old"));
  sys.send(farA, byte);
  poller.poll(1000); // paused: the edge is remembered
  poller.receive(old); // queued
  assert.ok(poller.pending);
  poller.close(old);
  const [b, farB] = pair();
  const fresh = poller.open(b, recorder(heard, "new"));
  assert.is(fresh, old);
  poller.receive(fresh);
  poller.poll(0);
  assert.equal(heard, []);
  poller.close(fresh);
  for (const fd of [farA, farB]) sys.close(fd);
  poller.dispose();
});

test("a stalled handle that was closed is not tried again for its successor", () => {
  let full = true;
  const short = {
    ...sys,
    send: (fd: number, bytes: Uint8Array) => (full ? -sys.constants.errno.ENOBUFS : sys.send(fd, bytes)),
  };
  const poller = openReadiness(short);
  const heard: string[] = [];
  const [a, farA] = pair();
  const old = poller.open(a, recorder(heard, "old"));
  assert.is(poller.send(old, byte, 0, 1), 1);
  assert.is(poller.stalled, 1);
  poller.close(old);
  full = false;
  const [b, farB] = pair();
  const fresh = poller.open(b, recorder(heard, "new"));
  assert.is(fresh, old);
  poller.retry();
  poller.poll(0);
  poller.poll(0);
  assert.equal(heard, []);
  const memory = sys.allocate(16);
  assert.is(sys.receive(farB, memory.address, 16), -sys.constants.errno.EAGAIN, "the old bytes went to nobody");
  poller.close(fresh);
  for (const fd of [farA, farB]) sys.close(fd);
  poller.dispose();
});

test("a sink may close its own handle, or any other, in every callback", () => {
  const poller = openReadiness(sys);
  const heard: string[] = [];
  const close = (_what: string, handle: Handle): void => poller.close(handle);
  for (const how of ["bytes", "end", "reset"]) {
    const [a, far] = pair();
    const handle = poller.open(a, recorder(heard, how, close));
    poller.receive(handle);
    if (how === "bytes") sys.send(far, byte);
    if (how === "end") sys.shutdown(far, sys.constants.SHUT_WR);
    if (how === "reset") sys.send(a, byte); // unread bytes at close: a reset for the other side
    if (how !== "end") sys.close(far);
    poller.poll(1000);
    poller.poll(0);
    if (how === "end") sys.close(far);
  }
  assert.is(poller.openCount, 0);
  assert.equal(heard, ["bytes received", "end ended", "reset failed"]);
  poller.dispose();
});

test("thousands of handles: numbers are reused, the tables grow, closing twice is once", () => {
  const poller = openReadiness(sys);
  const heard: string[] = [];
  const sink = recorder(heard, "");
  const open: { handle: Handle; far: number }[] = [];
  for (let i = 0; i < 1500; i++) {
    const [a, far] = pair();
    open.push({ handle: poller.open(a, sink), far });
  }
  assert.is(new Set(open.map(({ handle }) => handle)).size, 1500);
  assert.is(poller.openCount, 1500);
  for (const { handle } of open.slice(0, 700)) {
    poller.close(handle);
    poller.close(handle);
  }
  assert.is(poller.openCount, 800);
  const [a, far] = pair();
  const again = poller.open(a, sink);
  assert.ok(again < 1500, "a free number before a new one");
  poller.close(again);
  sys.close(far);
  for (const { handle, far } of open) {
    poller.close(handle);
    sys.close(far);
  }
  poller.poll(0);
  assert.is(poller.openCount, 0);
  assert.equal(heard, []);
  poller.dispose();
});

test("what a sink throws is told with its handle, and the others get their events", () => {
  const poller = openReadiness(sys);
  const heard: string[] = [];
  const errors: [Handle, unknown][] = [];
  poller.onSinkError = (handle, error) => void errors.push([handle, error]);
  const [a, farA] = pair();
  const [b, farB] = pair();
  const mistake = new Error("in a sink");
  const bad = poller.open(
    a,
    recorder(heard, "bad", () => {
      throw mistake;
    }),
  );
  const good = poller.open(b, recorder(heard, "good"));
  poller.receive(bad);
  poller.receive(good);
  sys.send(farA, byte);
  sys.send(farB, byte);
  poller.poll(1000);
  assert.equal(errors, [[bad, mistake]]);
  assert.equal(heard, ["bad received", "good received"]);
  for (const handle of [bad, good]) poller.close(handle);
  for (const fd of [farA, farB]) sys.close(fd);
  poller.dispose();
});

test.run();
