// time limit: 240 s
// Short versions of what `npm run soak` does by hand: each ends with a table, every line of which must hold.
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { repository, run } from "../support/process.ts";

async function soak(...args: string[]): Promise<string> {
  const command = [process.execPath, join(repository, "scripts/soak/main.ts"), ...args];
  const { code, stdout, stderr } = await run(command, { timeoutSeconds: 110 });
  assert.is(code, 0, `${args.join(" ")}\n${stdout}${stderr}`);
  assert.match(stdout, /\nall \d+ hold\n$/);
  assert.not.match(stdout, /^FAIL/m);
  return stdout;
}

test("twenty seconds of everything at once leave nothing behind", async () => {
  const table = await soak("--seconds", "20");
  // It was no calm sea: the limits cut, and the good clients were many.
  for (const kind of ["silent", "slow heads", "slow bodies", "stalled readers"]) {
    assert.match(table, new RegExp(`^  ${kind} .*\\d cut: (FIN|ECONNRESET)`, "m"), kind);
  }
  for (const kind of ["pipelined", "uploads", "echoes", "downloads", "event streams", "half-closed"]) {
    assert.match(table, new RegExp(`^  ${kind} +.*\\d answered`, "m"), kind);
  }
});

test("three drains under full load lose nothing", async () => {
  await soak("--drains", "3");
});

test("2,000 connections reset at random moments leave nothing", async () => {
  await soak("--resets", "2000");
});

test("2,000 clients of a server with 256 descriptors are all served in the end", async () => {
  await soak("--emfile");
});

test("what it can't do is said", async () => {
  const command = [process.execPath, join(repository, "scripts/soak/main.ts"), "--drains", "many"];
  const { code, stderr } = await run(command);
  assert.is(code, 2);
  assert.match(stderr, /^--drains takes a whole number, not many\n$/);
});

test.run();
