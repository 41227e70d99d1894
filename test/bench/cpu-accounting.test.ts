// CPU time of another process, held against what that process says of itself:
// getrusage(2) in the child before and after brackets what we read from outside.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  allowedCores,
  cpuSeconds,
  cpuTicks,
  machineBusySeconds,
  processTree,
  residentBytes,
} from "../../scripts/bench/cpu.ts";

const test = suite("CPU accounting");

// Answers each line: burns 100 ms of CPU when told to (in a thread of its own, too), then prints its own usage.
const program = `
import { Worker } from "node:worker_threads";
import { createInterface } from "node:readline";
const used = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6; };
const burner = "const until = process.cpuUsage().user + 100000; while (process.cpuUsage().user < until);";
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "burn") new Function("process", burner)(process);
  if (line === "thread") await new Promise((resolve) => new Worker(burner, { eval: true }).on("exit", resolve));
  console.log(used());
}`;

async function withChild(body: (pid: number, tell: (line: string) => Promise<number>) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    await body(child.pid ?? 0, async (line) => {
      child.stdin.write(`${line}\n`);
      return Number((await answers.next()).value);
    });
  } finally {
    await ended(child);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

// On systems other than Linux `ps` gives hundredths of a second.
const slack = process.platform === "linux" ? 0.002 : 0.02;

for (const how of ["burn", "thread"]) {
  test(`what a child used is what it says (${how})`, async () => {
    await withChild(async (pid, tell) => {
      const before = await tell("");
      const first = cpuSeconds([pid]);
      const burnt = await tell(how);
      const second = cpuSeconds([pid]);
      const after = await tell("");
      assert.ok(burnt - before >= 0.1);
      assert.ok(first >= before - slack && first <= burnt + slack, `${before} ≤ ${first} ≤ ${burnt}`);
      assert.ok(second >= burnt - slack && second <= after + slack, `${burnt} ≤ ${second} ≤ ${after}`);
    });
  });
}

test("ticks say the same, coarsely", async () => {
  if (process.platform !== "linux") return;
  await withChild(async (pid, tell) => {
    await tell("burn");
    const seconds = cpuSeconds([pid]);
    const ticks = cpuTicks([pid]) / 100;
    assert.ok(Math.abs(ticks - seconds) <= 0.05, `${ticks} and ${seconds}`);
  });
});

test("several processes add up, and one that has ended counts nothing", async () => {
  await withChild(async (one, tellOne) => {
    let gone = 0;
    await withChild(async (two, tellTwo) => {
      await tellOne("burn");
      await tellTwo("burn");
      assert.ok(cpuSeconds([one, two]) >= cpuSeconds([one]) + 0.1);
      gone = two;
    });
    const alone = cpuSeconds([one]);
    assert.ok(Math.abs(cpuSeconds([one, gone]) - alone) < 0.05);
  });
});

test("a process tree holds children and grandchildren", async () => {
  const child = spawn(
    "sh",
    ["-c", `sh -c '"$0" -e "console.log(process.pid); process.stdin.resume()"; true' "$0"; true`, process.execPath],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const exit = once(child, "exit");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const tree = processTree(child.pid ?? 0);
  child.stdin.end();
  await exit;
  assert.is(tree[0], child.pid);
  assert.ok(tree.includes(Number(line)), `${line} in ${tree}`);
  assert.is(tree.length, 3);
});

test("resident memory is this process's own figure", () => {
  const ours = process.memoryUsage.rss();
  const seen = residentBytes([process.pid]);
  assert.ok(seen > ours * 0.8 && seen < ours * 1.25, `${seen} beside ${ours}`);
});

test("cores and the machine's busy time can be read on Linux", () => {
  if (process.platform !== "linux") return;
  const cores = allowedCores();
  assert.ok(cores.length >= 1 && cores.every((core) => Number.isInteger(core) && core >= 0));
  assert.ok(machineBusySeconds() > 0);
});

test.run();
