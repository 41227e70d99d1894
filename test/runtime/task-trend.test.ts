/** The leak detector, by a clock that the tests move. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { replaceClock } from "../../src/runtime/clock.ts";
import { turnBegan, turnEnded } from "../../src/runtime/stall-clock.ts";
import { taskSources } from "../../src/runtime/task-table.ts";
import { type TrendWarning, watchTaskTrend } from "../../src/runtime/task-trend.ts";
import { go, setTraceTasks, Task } from "../../src/runtime/tasks.ts";
import { loggedText } from "../support/logged.ts";

const test = suite("the warning about tasks that only become more");

let now = 1000;
let restore = () => {};
let unwatch = () => {};
let warnings: { at: number; warning: TrendWarning }[] = [];
const running: { task: Task; until: number }[] = [];

test.before.each(() => {
  now = 1000;
  warnings = [];
  restore = replaceClock(() => now);
  unwatch = watchTaskTrend((warning) => warnings.push({ at: now, warning }));
});

test.after.each(async () => {
  unwatch();
  const all = running.splice(0);
  for (const { task } of all) task.cancel();
  await Promise.all(all.map(({ task }) => task.finished));
  restore();
});

const parked = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** A task that lasts so long by the moved clock. */
function start(name: string, lastsMs = Number.POSITIVE_INFINITY): void {
  running.push({ task: go(name, parked), until: now + lastsMs });
}

/** Moves the clock on in seconds; each is a turn, and `each` may start tasks. Ends those that are due. */
async function pass(seconds: number, each: (second: number) => unknown = () => {}): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    now += 1000;
    for (let at = running.length - 1; at >= 0; at--) {
      if (running[at].until > now) continue;
      const [{ task }] = running.splice(at, 1);
      task.cancel();
      await task.finished;
    }
    turnBegan(now);
    each(i);
    turnEnded(0);
  }
}

test("a leak with each of many requests is found within minutes, once", async () => {
  await pass(600, () => start("leak"));
  assert.is(warnings.length, 1);
  const [{ at, warning }] = warnings;
  assert.ok(at < 200_000, `after ${at} ms`);
  assert.is(warning.grew[0].name, "leak");
  assert.ok(warning.grew[0].by >= 110, String(warning.grew[0].by));
  assert.ok(warning.overMs >= 120_000);
});

test("a leak of three a minute among tasks that end", async () => {
  await pass(20 * 60, (second) => {
    for (let i = 0; i < 3; i++) start("work", 100 + ((second * 7919 + i * 104729) % 15_000));
    if (second % 20 === 7) start("leak");
  });
  assert.is(warnings.length, 1);
  assert.is(warnings[0].warning.grew[0].name, "leak");
});

test("a leak of one a minute in a process that does nothing else: no turn, only the tasks' own starts", () => {
  for (let i = 0; i < 40; i++) {
    now += 60_000;
    start("leak");
  }
  assert.is(warnings.length, 1);
  assert.is(warnings[0].warning.grew[0].name, "leak");
});

test("load that rises all the time, of tasks that end, is none", async () => {
  await pass(30 * 60, (second) => {
    // Up to twelve a second, most of them short, some of half a minute.
    for (let i = 0; i < 1 + second / 150; i++) start("work", (second + i) % 10 === 0 ? 30_000 : 900);
  });
  assert.equal(warnings, []);
});

test("nor a pool that fills and then stays", async () => {
  await pass(90, () => start("pool"));
  await pass(30 * 60, () => start("work", 5000));
  assert.equal(warnings, []);
});

test("nor tasks that come in waves", async () => {
  await pass(40 * 60, (second) => {
    if (second % 120 < 60) start("wave", 120_000 - (second % 120) * 1000);
  });
  assert.equal(warnings, []);
});

test("clients that come back to a restarted server are none, clients who only come for half an hour are told of", async () => {
  const connections: number[] = [];
  const source = (visit: (name: string, ageMs: number, count?: number) => void) => {
    for (const at of connections) visit("connection", now - at, 7);
  };
  taskSources.add(source);
  try {
    await pass(10 * 60, () => connections.push(now));
    await pass(10 * 60);
    assert.equal(warnings, []);
    await pass(30 * 60, () => connections.push(now));
    assert.is(warnings.length, 1);
    assert.is(warnings[0].warning.grew[0].name, "connection");
  } finally {
    taskSources.delete(source);
  }
});

test("a kind of tasks with a class of its own is looked at as connections are", async () => {
  class Lasting extends Task {}
  const begin = () => {
    const task = new Lasting("connection on 127.0.0.1:1");
    task.run(() => parked(task.signal));
    running.push({ task, until: Number.POSITIVE_INFINITY });
  };
  await pass(10 * 60, begin);
  assert.equal(warnings, []);
});

test("the three that grew most are named, and where they start", async () => {
  setTraceTasks(true);
  try {
    await pass(300, (second) => {
      start("b");
      if (second % 2 === 0) start("c");
      if (second % 3 === 0) start("d");
      start("a");
      start("a");
      start("ends", 5000);
    });
  } finally {
    setTraceTasks(false);
  }
  assert.is(warnings.length, 1);
  const { grew } = warnings[0].warning;
  assert.equal(
    grew.map(({ name }) => name),
    ["a", "b", "c"],
  );
  for (const { startedAt } of grew) assert.match(startedAt ?? "", /task-trend\.test\.ts:\d+:\d+/);
});

test("names without number are one, and cost no memory each", async () => {
  let next = 0;
  await pass(300, () => {
    for (let i = 0; i < 5; i++) start(`job ${next++}`);
  });
  assert.is(warnings.length, 1);
  assert.is(warnings[0].warning.grew[0].name, "(other names)");
});

test("the line", async () => {
  unwatch();
  const text = await loggedText(async () => {
    unwatch = watchTaskTrend();
    await pass(300, () => start("le\x1bak"));
  });
  assert.match(
    text,
    /^slipway: tasks become more and more and do not end: give each an end, by its signal or a timeout; --trace-tasks shows where they start tasks=\d+ within="2 min" grew="le\?ak \(120 more\)"\n$/,
  );
});

test.run();
