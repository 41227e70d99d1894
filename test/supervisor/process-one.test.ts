/** Process 1 of a container, in a PID namespace of its own (unshare(1)), which takes root or user namespaces. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, repository, run, start } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const test = suite("process 1");
test.after(endProcesses);
const program = (name: string) => [process.execPath, join(repository, "test/supervisor/programs", name)];

/** How to become process 1 here; undefined where the system forbids it. */
const container = [
  ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"],
  ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"],
].find(([command, ...args]) => {
  const { status, stdout } = spawnSync(command, [...args, "sh", "-c", "echo $$"], { encoding: "utf8" });
  return status === 0 && stdout.trim() === "1";
});

const forbidden = "unshare --pid is not permitted here, or not installed";

/** The id, out here, of the process 1 in there: the only child of unshare. */
function inner(unshare: number): number {
  return Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, "utf8").trim());
}

if (container === undefined) {
  skip(test, "SIGTERM drains a server that is process 1", forbidden);
  skip(test, "signals end a program that is still loading", forbidden);
  skip(test, "orphans are reaped, Node's own children keep their status", forbidden);
} else {
  const inside = (command: readonly string[], env: Readonly<Record<string, string>>) =>
    start([...container, ...command], { env });
  const serve = JSON.stringify([{ port: 0, hostname: "127.0.0.1" }]);

  test("SIGTERM drains a server that is process 1, and SIGUSR2 is refused in a line", async () => {
    const started = inside(program("server.ts"), { SERVE: serve });
    await started.saw(/^Listening 1 /m);
    const pid = inner(started.child.pid ?? 0);
    process.kill(pid, "SIGUSR2");
    await started.saw(/SIGUSR2: no restart: this is process 1, whose end is the container's: start another/);
    process.kill(pid, "SIGTERM");
    const { code, stderr } = await started.finished;
    assert.is(code, 0, stderr);
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ] as const) {
    test(`${signal} ends a program that is still loading, as it would any other process`, async () => {
      const started = inside(program("server.ts"), { SERVE: serve, LOADING_MS: "60000" });
      await started.saw(/^loading$/m);
      process.kill(inner(started.child.pid ?? 0), signal);
      assert.is((await started.finished).code, code);
    });
  }

  test("orphans are reaped, and Node's own children, and those of its Workers, keep their status", async () => {
    const { stdout, stderr, code } = await run([...container, ...program("orphans.ts")]);
    assert.is(code, 0, stderr);
    const { pid, ends, late, left } = JSON.parse(stdout);
    assert.is(pid, 1);
    assert.equal(ends, [0, 1, 2, 3, 4, 42, 5, 6, 7, 8, 9, "SIGKILL"].sort());
    assert.is(late, 5);
    assert.is(left, 0);
  });
}

test.run();
