/** Tasks: named, counted, ended by a signal, and their failure is nobody else's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { go, taskCount, tasks } from "../../src/runtime/mod.ts";
import { loggedText } from "../support/logged.ts";

const test = suite("tasks");

test("runs at once up to its first await, and is counted until it ends", async () => {
  const before = taskCount();
  const steps: string[] = [];
  const gate = Promise.withResolvers<void>();
  const task = go("reader", async () => {
    steps.push("began");
    await gate.promise;
    steps.push("ended");
  });
  assert.equal(steps, ["began"]);
  assert.is(taskCount(), before + 1);
  assert.ok(tasks().includes(task));
  assert.is(task.name, "reader");
  assert.ok(Math.abs(Date.now() - task.startedAt) < 60_000);
  gate.resolve();
  await task.finished;
  assert.equal(steps, ["began", "ended"]);
  assert.is(taskCount(), before);
  assert.not.ok(tasks().includes(task));
});

test("are listed oldest first", async () => {
  const gate = Promise.withResolvers<void>();
  const started = ["a", "b", "c"].map((name) => go(name, () => gate.promise));
  assert.equal(
    tasks()
      .filter((task) => started.includes(task))
      .map(({ name }) => name),
    ["a", "b", "c"],
  );
  gate.resolve();
  await Promise.all(started.map(({ finished }) => finished));
});

test("a failure is logged with the name and the stack, and finished still resolves", async () => {
  for (const fail of [
    () => {
      throw new Error("at once");
    },
    async () => {
      await null;
      throw new Error("later");
    },
    () => Promise.reject("no error at all"),
  ]) {
    const before = taskCount();
    const log = await loggedText(async () => {
      assert.is(await go("fragile", fail).finished, undefined);
    });
    assert.match(
      log,
      /^slipway: task "fragile" failed: (Error: at once\n\s+at .*tasks\.test|Error: later\n|no error at all)/,
    );
    assert.is(taskCount(), before);
  }
});

test("cancel aborts its signal; saying so is no failure", async () => {
  const log = await loggedText(async () => {
    const task = go("waiter", async (signal) => {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    task.cancel();
    await task.finished;
    const reason = new Error("enough");
    const other = go("waiter", (signal) => {
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    other.cancel(reason);
    await other.finished;
    assert.is(other.signal.reason, reason);
    assert.ok(other.signal.aborted);
  });
  assert.is(log, "");
});

test("another failure of a cancelled task is logged", async () => {
  const log = await loggedText(async () => {
    const task = go("waiter", async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new Error("while cleaning up");
    });
    task.cancel();
    await task.finished;
  });
  assert.match(log, "while cleaning up");
});

test("a failing task never ends the process", async () => {
  const mod = new URL("../../src/runtime/mod.ts", import.meta.url).href;
  const program = `
    const { go, taskCount } = await import(${JSON.stringify(mod)});
    for (let i = 0; i < 3; i++) go("bad " + i, async () => { await null; null.x; });
    setTimeout(() => { console.log("alive", taskCount()); }, 20);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let log = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (log += chunk));
  const [code] = await once(child, "close");
  assert.is(code, 0);
  assert.is(out, "alive 0\n");
  assert.is(log.match(/slipway: task "bad \d" failed: TypeError/g)?.length, 3);
});

test.run();
