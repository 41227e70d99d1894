// Many connections, all kinds of requests, random pieces and speeds: on a sound kernel, and on one that fails.
// SLIPWAY_SEED repeats a run, but not the kernel's timing.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { taskCount } from "../../src/runtime/mod.ts";
import { type Faults, faultySystem, runOn } from "../ffi/faulty-system.ts";
import { mixture } from "./support/mixture.ts";
import { overHttp2 } from "./support/over-http2.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { eventually, logged } from "./support/server.ts";

/** Faults that pass: no answer may be touched by them. */
const passing: Faults = {
  accept: { rate: 0.3, kinds: ["EINTR", "EAGAIN", "ECONNABORTED"] },
  receive: { rate: 0.2, kinds: ["EINTR", "EAGAIN", "short"] },
  send: { rate: 0.2, kinds: ["EINTR", "EAGAIN", "short"] },
  close: { rate: 0.2, kinds: ["EINTR"] },
  wait: { rate: 0.2, kinds: ["EINTR", "short"] },
};
/** Faults that end connections. */
const breaking: Faults = {
  ...passing,
  receive: { rate: 0.03, kinds: ["ECONNRESET", "ETIMEDOUT", "EINTR", "short"] },
  send: { rate: 0.03, kinds: ["EPIPE", "ECONNRESET", "EAGAIN", "short"] },
};

const seed = chooseSeed();
console.log(`seed ${seed}`);

/** Streams of node:http2, in between, take their time. */
const CONNECTIONS = overHttp2 ? 80 : 200;

test(`${CONNECTIONS} connections, 20 requests each`, async () => {
  const { answered } = await mixture(new Random(seed), CONNECTIONS, false);
  assert.is(answered, CONNECTIONS * 20);
});

test("short counts, interrupted and refused calls: the same answers", async () => {
  const random = new Random(seed);
  const faulty = faultySystem(() => random.next(), passing);
  const { runtime, restore } = runOn(faulty.system);
  try {
    const { answered } = await mixture(new Random(seed), CONNECTIONS / 2, false);
    assert.is(answered, CONNECTIONS * 10);
    assert.ok(faulty.injected.size >= 8, `injected: ${[...faulty.injected.keys()]}`);
    await eventually(() => runtime.poller.openCount === 0, "every handle is closed");
  } finally {
    restore();
  }
});

test("connections that break anywhere: what had been answered is right, nothing stays", async () => {
  const random = new Random(seed);
  const faulty = faultySystem(() => random.next(), breaking);
  const { runtime, restore } = runOn(faulty.system);
  try {
    let answered = 0;
    const lines = await logged(async () => {
      ({ answered } = await mixture(new Random(seed), CONNECTIONS, true));
    });
    assert.equal(lines, []);
    assert.ok(answered > CONNECTIONS && answered < CONNECTIONS * 20, `${answered} answered`);
    await eventually(() => runtime.poller.openCount === 0, "every handle is closed");
    assert.is(taskCount(), 0);
  } finally {
    restore();
  }
});

test.run();
