/** What runs, by name and age, and the table that SIGUSR1 prints. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { monotonicNow, replaceClock } from "../../src/runtime/clock.ts";
import { formatTaskTable, taskAges, taskSources, taskTable } from "../../src/runtime/task-table.ts";
import { go, setTraceTasks, type Task } from "../../src/runtime/tasks.ts";
import { endProcesses, start } from "../support/process.ts";

const test = suite("the table of tasks");

/** Tasks that end with their signal. */
function park(name: string): Task {
  return go(name, (signal) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())));
}

async function end(tasks: readonly Task[]): Promise<void> {
  for (const task of tasks) task.cancel();
  await Promise.all(tasks.map(({ finished }) => finished));
}

test("many tasks of a name are one row, sorted into ages", async () => {
  const before = Math.ceil(monotonicNow()); // whole milliseconds, as tasks count them
  let now = before;
  const restore = replaceClock(() => now);
  const running = [park("worker"), park("worker")];
  now += 55_000;
  running.push(park("worker"), park("other"));
  now += 9000;
  running.push(park("worker"));
  now += 500;
  try {
    assert.equal(taskTable(), [
      { name: "worker", count: 4, ages: [1, 1, 0, 2], oldestMs: 64_500 },
      { name: "other", count: 1, ages: [0, 1, 0, 0], oldestMs: 9500 },
    ]);
    now += 500;
    assert.equal(taskAges(), [0, 1, 2, 2], "a second is not below a second, nor ten below ten");
    now += 100_000;
    assert.equal(taskAges(), [0, 0, 0, 5]);
  } finally {
    await end(running);
    restore();
  }
  assert.equal(taskTable(), []);
});

test("what has no tasks of its own comes from sources", () => {
  const source = (visit: (name: string, ageMs: number, count?: number) => void) => {
    visit("connection, idle", 500, 3);
    visit("connection, idle", 70_000);
  };
  taskSources.add(source);
  try {
    assert.equal(taskTable(), [{ name: "connection, idle", count: 4, ages: [3, 0, 0, 1], oldestMs: 70_000 }]);
    assert.equal(taskAges(), [3, 0, 0, 1]);
  } finally {
    taskSources.delete(source);
  }
});

test("as text: columns, nothing that a terminal obeys, and no more rows than are read", () => {
  assert.is(formatTaskTable([]), "no tasks\n");
  const rows = Array.from({ length: 100 }, (_, i) => ({
    name: i === 0 ? "a\x1b[2Jb\nc\u202e" : `job ${i}`,
    count: 1000 - i,
    ages: [1000 - i, 0, 0, 0] as [number, number, number, number],
    oldestMs: 12,
  }));
  const lines = formatTaskTable(rows).split("\n");
  assert.is(lines[0], "95050 tasks");
  assert.match(lines[1], /^count +0-1 s +1-10 s +10-60 s +longer +oldest +name$/);
  assert.match(lines[2], /^ 1000 +1000 +0 +0 +0 +12 ms {2}a\?\[2Jb\?c\?$/);
  assert.is(lines[62], "and 40 more names");
  assert.is(lines.length, 64);
});

test("where a task was started is remembered only when asked for", async () => {
  const plain = park("plain");
  assert.is(taskTable()[0].startedAt, undefined);
  setTraceTasks(true);
  const traced = park("traced");
  try {
    const row = taskTable().find(({ name }) => name === "traced");
    assert.match(row?.startedAt ?? "", /^park \(.*task-table\.test\.ts:\d+:\d+\)$/);
    assert.match(formatTaskTable(), /traced, started at park \(/);
    assert.is(taskTable().find(({ name }) => name === "plain")?.startedAt, undefined);
  } finally {
    setTraceTasks(false);
    await end([plain, traced]);
  }
});

const at = (path: string) => JSON.stringify(new URL(`../../src/runtime/${path}`, import.meta.url).href);

if (process.platform !== "win32") {
  test("SIGUSR1 prints it, and opens no inspector", async () => {
    const program = `
      import { go } from ${at("tasks.ts")};
      import { installTaskSignal } from ${at("task-signal.ts")};
      installTaskSignal();
      installTaskSignal();
      go("pump", () => new Promise(() => {}));
      setInterval(() => {}, 1000);
      console.log("ready");`;
    const child = start([process.execPath, "--input-type=module", "-e", program]);
    await child.saw(/ready/);
    child.child.kill("SIGUSR1");
    await child.saw(/1 task\ncount .*\n +1 +.* ms {2}pump\n/);
    child.child.kill("SIGUSR1");
    await child.saw(/pump[\s\S]*pump/);
    const { stderr } = await child.stop();
    assert.not.match(stderr, /Debugger/);
    assert.is(stderr.match(/pump/g)?.length, 2, "once a signal");
  });

  test("a program that listens to SIGUSR1 itself is left alone with it", async () => {
    const program = `
      import { installTaskSignal } from ${at("task-signal.ts")};
      installTaskSignal();
      process.on("SIGUSR1", () => console.log("mine"));
      setInterval(() => {}, 1000);
      console.log("ready");`;
    const child = start([process.execPath, "--input-type=module", "-e", program]);
    await child.saw(/ready/);
    child.child.kill("SIGUSR1");
    await child.saw(/mine/);
    assert.is((await child.stop()).stderr, "");
  });
}

test.after(endProcesses);
test.run();
