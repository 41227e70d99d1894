/** JSON for programs, text for people: which is chosen, and what stands in a line. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { repository, temporaryFolder } from "../support/process.ts";
import { ask, startLogServer, until } from "./support.ts";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Starts a server whose log goes to a file, lets `work` use it, and gives its lines. */
async function linesOf(args: readonly string[], work: (port: number) => Promise<unknown>): Promise<string[]> {
  const path = join(temporaryFolder(), "log");
  const fd = openSync(path, "a");
  const server = await startLogServer(args, fd);
  closeSync(fd);
  await work(server.port);
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, [0, null]);
  return readFileSync(path, "utf8").trimEnd().split("\n");
}

test("auto, and no terminal: JSON, but the line that scripts wait for", async () => {
  const [listening, ...lines] = await linesOf(["auto"], async (port) => {
    await ask(port, "/event?a%20b%0a%1b[m");
    await ask(port, "/fails?x%0aslipway:%20forged");
  });
  assert.match(listening, /^Listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.is(lines.length, 2);
  const [event, failed] = lines.map((line) => JSON.parse(line));
  assert.match(event.time, ISO);
  assert.is(typeof event.pid, "number");
  assert.equal(
    { ...event, time: 0, pid: 0 },
    { level: "info", time: 0, pid: 0, "url.query": "?a b\n\x1b[m", count: 1, message: "it was asked for" },
  );
  assert.is(failed.level, "error");
  assert.is(failed.message, "the handler failed: Error: no such user: ?x");
  assert.is(failed["exception.type"], "Error");
  assert.is(failed["exception.message"], "no such user: ?x\nslipway: forged");
  assert.match(failed["exception.stacktrace"], /^Error: no such user: \?x\nslipway: forged\n {4}at .*server\.ts:\d+/);
});

test("json: every line of ours, the first one too", async () => {
  const lines = await linesOf(["json"], (port) => ask(port, "/throws-oddly?odd"));
  const [listening, failed] = lines.map((line) => JSON.parse(line));
  assert.match(listening.message, /^Listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.is(listening.level, "info");
  assert.match(listening.time, ISO);
  assert.is(failed.message, "the handler failed: ?odd");
  assert.is(failed["exception.type"], "string");
});

test("text: the time, the level, the message, fields, and the stack indented below", async () => {
  const lines = await linesOf(["text"], async (port) => {
    await ask(port, "/event?a%20b%0a%1b[m");
    await ask(port, "/fails?x%0a2026-01-01T00:00:00.000Z%20error%20slipway:%20forged");
  });
  assert.match(lines[0], /^Listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  const time = lines[1].slice(0, 24);
  assert.match(time, ISO);
  assert.is(lines[1].slice(24), ' info slipway: it was asked for url.query="?a b\\n\\u001b[m" count=1');
  assert.match(lines[2].slice(24), / error slipway: the handler failed: Error: no such user: \?x$/);
  // Nothing below looks like an entry.
  for (const line of lines.slice(3)) assert.match(line, /^ {2}/);
});

test("auto on a terminal: text", async () => {
  const program = join(repository, "test/log/programs/server.ts");
  // script(1) gives the program a terminal of its own.
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(program)} auto access`;
  try {
    execFileSync("script", ["--version"], { stdio: "ignore" });
  } catch {
    return; // not everywhere
  }
  const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "exit");
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (shown += text));
  try {
    const port = Number(await until(() => /port (\d+)/.exec(shown)?.[1]));
    await ask(port, "/event?1");
    await until(() => /\d{4}-\S+Z info slipway: it was asked for url\.query=\?1 count=1\r\n/.test(shown));
    await until(() => /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/event\?1 HTTP\/1\.1" 200 /m.test(shown));
    await ask(port, "/exit").catch(() => {});
    assert.is((await ended)[0], 3);
  } finally {
    child.kill("SIGTERM");
  }
});

test.run();
