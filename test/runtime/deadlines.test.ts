/** The timer wheel against a plain map, on random programs with a clock of the test's own. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { monotonicNow, replaceClock } from "../../src/runtime/clock.ts";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import { randomFrom, seed } from "../ffi/faulty-system.ts";

const TICK = 16;
const test = suite("deadlines");

test("random programs: never early, at most a tick late, each once, and `nearest` in time", () => {
  const runSeed = seed("deadlines");
  for (let program = 0; program < 300; program++) {
    const random = randomFrom(runSeed + program);
    const pick = (n: number): number => Math.floor(random() * n);
    let now = random() * 1e6;
    /** Deadline, and the tick by which it must be told: its own, or for one that has passed already the next. */
    const model = new Map<number, { at: number; due: number }>();
    const expired: number[] = [];
    const handles = 1 + pick(program % 10 === 0 ? 3000 : 40);
    // Distances of all kinds: within a tick, within the round of 131 s, beyond it; and in the past.
    const distance = (): number =>
      [random() * 16, random() * 500, random() * 130_000, random() * 1e6, -random() * 100][pick(5)];
    const wheel = new Deadlines(now, (handle) => {
      const set = model.get(handle);
      if (set === undefined) throw new Error(`program ${program}: handle ${handle} expired without a deadline`);
      assert.ok(set.at <= now, `program ${program}: handle ${handle} expired ${set.at - now} ms early`);
      model.delete(handle);
      expired.push(handle);
      // What a sink may do when it is told: set itself anew, set others, clear others.
      const what = pick(6);
      if (what === 0) change(handle, now + Math.abs(distance()) + 1);
      if (what === 1) change(pick(handles), now + Math.abs(distance()) + 1);
      if (what === 2) change(pick(handles), 0);
    });
    const change = (handle: number, at: number): void => {
      const nearer = wheel.set(handle, at);
      if (at === 0) model.delete(handle);
      else model.set(handle, { at, due: Math.max(Math.ceil(at / TICK), Math.floor(now / TICK) + 1) });
      assert.is(wheel.get(handle), at);
      if (nearer) assert.ok(wheel.nearest < Number.POSITIVE_INFINITY);
    };
    const check = (): void => {
      // The timer that is armed for `nearest` must not be later than any deadline's own tick.
      let earliest = Number.POSITIVE_INFINITY;
      for (const { due } of model.values()) earliest = Math.min(earliest, due * TICK);
      assert.ok(wheel.nearest <= earliest, `program ${program}: the next look at ${wheel.nearest}, ${earliest} is due`);
    };
    for (let step = 0; step < 60; step++) {
      for (let i = pick(8); i > 0; i--) {
        const handle = pick(handles);
        change(handle, random() < 0.2 ? 0 : Math.max(1, now + distance()));
      }
      check();
      now =
        random() < 0.3 && wheel.nearest < 1e12
          ? Math.max(now, wheel.nearest)
          : now + [1, 20, 3000, 200_000][pick(4)] * random();
      // As the turn does it: what does not go into one comes in the next.
      do wheel.advance(now);
      while (wheel.nearest <= now);
      for (const [handle, { at, due }] of model) {
        assert.ok(now < due * TICK, `program ${program}: handle ${handle} is ${now - at} ms late`);
      }
      check();
    }
    // In the end everything that is set comes, by following `nearest` alone.
    for (let i = 0; i < 100_000 && model.size > 0; i++) {
      assert.ok(wheel.nearest < Number.POSITIVE_INFINITY, `program ${program}: ${model.size} are forgotten`);
      now = Math.max(now, wheel.nearest);
      wheel.advance(now);
      for (const handle of random() < 0.5 ? [...model.keys()] : []) if (random() < 0.2) change(handle, 0);
    }
    assert.is(model.size, 0, `program ${program}`);
  }
});

test("moving a deadline later costs no look in between", () => {
  let told = 0;
  const wheel = new Deadlines(0, () => told++);
  assert.ok(wheel.set(7, 1000));
  assert.is(wheel.nearest, 1008);
  assert.not(wheel.set(7, 5000), "later: the timer may stay as it is");
  wheel.advance(1008);
  assert.is(told, 0);
  assert.ok(wheel.nearest >= 5000 && wheel.nearest < 5016 + TICK);
  wheel.advance(5008);
  assert.is(told, 1);
  assert.is(wheel.nearest, Number.POSITIVE_INFINITY);
});

test("of thousands that pass together a turn is told a few, and the others in the next ones", () => {
  const told: number[] = [];
  const wheel = new Deadlines(0, (handle) => {
    told.push(handle);
    // A round later: the same slot.
    if (handle % 2 === 0) wheel.set(handle, 8192 * TICK + 1000);
  });
  for (let handle = 0; handle < 4000; handle++) wheel.set(handle, 1000);
  let turns = 0;
  for (; wheel.nearest <= 1008; turns++) {
    const before = told.length;
    wheel.advance(1008);
    assert.ok(told.length - before <= 64, `${told.length - before} in a turn`);
    // One that waits for its turn is let go, one is moved, one comes to them.
    if (turns === 0) wheel.set(told.includes(1) ? 3999 : 1, 0);
    if (turns === 1) wheel.set(5001, 500);
  }
  assert.ok(turns > 50 && turns < 200, `${turns} turns`);
  assert.is(told.length, 4000, "all but the one that was let go, and the one that came");
  assert.is(new Set(told).size, 4000);
  assert.ok(wheel.nearest > 1008 && wheel.nearest <= 8192 * TICK + 1008, `then at ${wheel.nearest}`);
});

test("a cleared deadline is never told, and a handle beyond the table grows it", () => {
  const told: number[] = [];
  const wheel = new Deadlines(0, (handle) => told.push(handle));
  wheel.set(50_000, 100);
  wheel.set(3, 100);
  wheel.set(3, 0);
  assert.is(wheel.get(99_999_999), 0);
  wheel.advance(1000);
  assert.equal(told, [50_000]);
});

test("the clock can be replaced, and put back", () => {
  const restore = replaceClock(() => 42);
  assert.is(monotonicNow(), 42);
  restore();
  assert.not.equal(monotonicNow(), 42);
});

test.run();
