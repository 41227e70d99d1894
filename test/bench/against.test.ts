// --against as a whole, with tiny numbers: a line a question, what it keeps, how it
// ends, and that no worktree is left behind.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Comparison, line } from "../../scripts/bench/against.ts";
import { skip } from "../support/skip.ts";

const test = suite("bench --against");
const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "slipway-bench-against-test-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

/** Worktrees of this test's own: others may run one of their own meanwhile. */
const env = { ...process.env, TMPDIR: directory };

function bench(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "scripts/bench/main.ts"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env,
      timeout: 100_000,
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

const git = (...args: string[]): string => spawnSync("git", ["-C", root, ...args], { encoding: "utf8" }).stdout ?? "";
const commit = git("rev-parse", "HEAD").trim();

if (commit === "") skip(test, "a revision of ours", "this is no git checkout");
else {
  test("a revision of ours: a verdict with its interval, JSON, and no worktree left", async () => {
    const tiny = ["--rounds", "8", "--seconds", "0.1", "--warmup", "0.05", "--out", directory];
    const { code, out, err } = await bench("plaintext", "--against", commit, ...tiny);
    assert.match(
      out,
      // No end of the interval, where the machine left one of the two no time in some round.
      /^plaintext +(better|same|worse) +cost [−+]\d+\.\d % \([−+]\d+\.\d % to [−+](?:\d+\.\d|Infinity) %\) /m,
      err + out,
    );
    assert.match(out, /^[01] better, [01] same, [01] worse$/m);
    assert.is(code, / 1 worse$/m.test(out) ? 1 : 0, out);
    const kept = JSON.parse(readFileSync(join(directory, "against.json"), "utf8"));
    assert.is(kept.commit, commit);
    assert.is(kept.questions[0].ratios.length, 8);
    assert.not.ok(git("worktree", "list").includes(directory));
  });

  test("interrupted, it leaves no worktree either", async () => {
    const child = spawn(process.execPath, [join(root, "scripts/bench/main.ts"), "plaintext", "--against", commit], {
      stdio: ["ignore", "pipe", "ignore"],
      env,
    });
    const exit = once(child, "exit");
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    assert.match(line, /^here: /); // the worktree is there
    child.kill("SIGINT");
    assert.is((await exit)[0], 130);
    assert.not.ok(git("worktree", "list").includes(directory));
  });
}

test("what cannot be done is said in one line", async () => {
  for (const [args, message] of [
    [["--against", "no-such-revision"], /^bench: --against no-such-revision: git knows no such revision$/],
    [["--against", "HEAD", "--rounds", "7"], /^bench: --rounds 7: --against needs 8 at least/],
  ] as const) {
    const { code, out, err } = await bench(...args);
    assert.is(code, 1);
    assert.match(err.trim(), message);
    assert.is(out, "");
  }
});

test("a line says cost, interval and both figures", () => {
  const interval = { low: 0.9, middle: 0.95, high: 0.99 };
  const comparison: Comparison = {
    question: "json",
    unit: "CPU µs/request",
    here: 11.444,
    there: 12.05,
    ratios: [],
    interval,
    verdict: "better",
  };
  assert.is(
    line(comparison),
    "json            better  cost −5.0 % (−10.0 % to −1.0 %)   11.4 here, 12.1 there, CPU µs/request",
  );
});

test.run();
