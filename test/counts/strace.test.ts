/** What we count is what the kernel sees: strace(1), where there is one, finds the same system calls. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.ts";
import { Client, CountedServer } from "./counted.ts";

const REQUESTS = 300;
const test = suite("strace");

test("recv, send and epoll_wait of 300 requests", async () => {
  const missing = spawnSync("strace", ["-V"]).status === 0 ? undefined : "strace is not installed";
  if (missing !== undefined) return skip(test, "strace", missing);
  const server = await CountedServer.start("plaintext", "epoll");
  if (typeof server === "string") return skip(test, "strace", server);
  await using _ = server;
  await using client = await Client.open(server.port, "plaintext");
  await client.ask();
  const folder = mkdtempSync(join(tmpdir(), "slipway-strace-"));
  const file = join(folder, "counts");
  const strace = spawn("strace", ["-c", "-f", "-p", String(server.pid), "-o", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const gone = once(strace, "exit");
    const attached = once(strace.stderr, "data").then(([text]) => String(text).includes("attached"));
    if (!(await Promise.race([attached, gone.then(() => false)])))
      return skip(test, "strace", "it may not look at a process here");
    const before = await server.counted();
    for (let i = 0; i < REQUESTS; i++) await client.ask();
    const after = await server.counted();
    strace.kill("SIGINT");
    await gone;
    const seen = callsOf(readFileSync(file, "latin1"));
    const ours = (name: string): number => (after.calls[name] ?? 0) - (before.calls[name] ?? 0);
    assert.is(ours("recv"), REQUESTS);
    assert.is(seen["recvfrom"], ours("recv"));
    assert.is(seen["sendto"], ours("send"));
    // libuv's own waiting is epoll_pwait(2), which on arm64 is ours as well.
    if (process.arch === "x64") {
      // Looks that found nothing are not counted: those between the two questions.
      const looks = seen["epoll_wait"] - ours("epoll_wait");
      assert.ok(looks >= 0 && looks < 30, `${looks} looks that found nothing`);
    }
  } finally {
    if (strace.exitCode === null) strace.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

/** From strace's table, whose columns are % time, seconds, usecs/call, calls, errors (or nothing) and syscall. */
function callsOf(table: string): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const line of table.split("\n")) {
    const [, , , count, ...rest] = line.trim().split(/\s+/);
    const name = rest.at(-1);
    if (name !== undefined && /^\d+$/.test(count)) calls[name] = Number(count);
  }
  return calls;
}

test.run();
