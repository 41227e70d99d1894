/** `npm run idle` measures, and says what went wrong. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { descriptorLimit } from "../../scripts/bench/cpu.ts";
import { repository } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const test = suite("npm run idle");
const idle = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(repository, "scripts/idle/main.ts"), ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });

const name = "a table with a row for each kind, and an idle process over some seconds";
if (process.platform === "linux" && descriptorLimit() >= 4096) {
  test(name, () => {
    const { status, stdout, stderr } = idle("http", "raw", "--to", "2100", "--hold", "2", "--poller", "epoll");
    assert.is(status, 0, stderr);
    assert.match(stdout, /2 s with all of them open: resident/);
    for (const kind of ["HTTP, after a request", "raw, a task in `await conn.read(p)`"]) {
      const row = stdout.split("\n").find((line) => line.startsWith(`| ${kind} | epoll | `));
      assert.match(row ?? "no row", /\| \d+, \d+\.\d\d ms \|$/);
    }
  });
} else skip(test, name, "it needs Linux, and 4,096 descriptors");

test("a kind that there is not, and numbers that are none", () => {
  assert.match(idle("tls").stderr, /^idle: no kind is called tls; there are http, /);
  assert.match(idle("--to", "many").stderr, /^idle: --to: a whole number, at least 2100/);
});

test.run();
