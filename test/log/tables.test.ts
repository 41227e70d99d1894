/** What is no line of the log by nature: the table of SIGUSR1, and what another thread says of one that hangs. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, repository, type Started, start } from "../support/process.ts";

test.after(endProcesses);

const source = (path: string): string => JSON.stringify(join(repository, "src", path));

/** A process with a log of that format, that runs `body`. */
function program(format: string, body: string): Started {
  const text = `import { startLog } from ${source("log/mod.ts")};
    import { go } from ${source("runtime/tasks.ts")};
    import { installTaskSignal } from ${source("runtime/task-signal.ts")};
    import { startStallMonitor } from ${source("runtime/stall-monitor.ts")};
    import { serve } from ${source("http/mod.ts")};
    startLog({ format: ${JSON.stringify(format)} });
    installTaskSignal();
    setInterval(() => {}, 1000);
    ${body}
    console.log("ready");`;
  return start([process.execPath, "--input-type=module", "-e", text]);
}

if (process.platform !== "win32") {
  test("json: the table of SIGUSR1 is one entry, its rows are values, and names are only text", async () => {
    const child = program(
      "json",
      `for (let i = 0; i < 70; i++) go("one of many " + i, () => new Promise(() => {}));
       for (let i = 0; i < 3; i++) go("pump\\u001b[2J\\n\\u202e", () => new Promise(() => {}));`,
    );
    await child.saw(/ready/);
    child.child.kill("SIGUSR1");
    await child.saw(/"message":"73 tasks"/);
    const { stderr } = await child.stop();
    assert.match(stderr, /^[\x20-\x7e]+\n$/);
    const { level, pid, time, tasks } = JSON.parse(stderr);
    assert.is(level, "info");
    assert.is(pid, child.child.pid);
    assert.is(new Date(time).toISOString(), time);
    assert.is(tasks.length, 60);
    const [{ oldestMs, ages, ...first }] = tasks;
    assert.equal(first, { name: "pump\u001b[2J\n\u202e", count: 3 });
    assert.is(ages.length, 4);
    assert.ok(Number.isInteger(oldestMs) && oldestMs >= 0, `${oldestMs}`);
  });

  for (const format of ["auto", "text"]) {
    test(`${format}: it is text, for whoever sent the signal`, async () => {
      const child = program(format, `go("pump", () => new Promise(() => {}));`);
      await child.saw(/ready/);
      child.child.kill("SIGUSR1");
      await child.saw(/pump/);
      assert.match((await child.stop()).stderr, /^1 task\ncount .*\n +1 .* ms {2}pump\n$/);
    });
  }
}

for (const format of ["json", "auto", "text"]) {
  test(`${format}: a thread that hangs is told by another one, in the log's format`, async () => {
    const child = program(
      format,
      `startStallMonitor({ warningMs: 100, hungMs: 500, trace: true });
       const { addr } = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
         for (;;);
       });
       console.log("port " + addr.port);`,
    );
    const [, port] = await child.saw(/port (\d+)/);
    fetch(`http://127.0.0.1:${port}/hang`).catch(() => {});
    await child.saw(/has been blocked for \d+ s.*\n/);
    const [line] = (await child.stop("SIGKILL")).stderr.split("\n");
    const says = /^the main thread has been blocked for \d+ s by GET \/hang at /;
    if (format === "text") return assert.match(line.replace(/^slipway: /, ""), says);
    const { level, time, pid, ms, message } = JSON.parse(line);
    assert.is(level, "warn");
    assert.is(new Date(time).toISOString(), time);
    assert.is(pid, child.child.pid);
    assert.ok(Number.isInteger(ms) && ms >= 500, `${ms}`);
    assert.match(message, says);
  });
}

test.run();
