/** The log on real descriptors: whatever stands behind standard error, it stops neither a request nor the end. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openChannel } from "../../src/log/channel.ts";
import { temporaryFolder } from "../support/process.ts";
import { ask, type LogServer, Pipe, startLogServer, until } from "./support.ts";

async function end(server: LogServer): Promise<void> {
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, [0, null]);
}

/** Until so many lines are counted: those of the access log are written in a moment. */
async function countedAsLost({ port }: LogServer, lines: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { failed } = JSON.parse((await ask(port, "/dropped")).body);
    if (failed >= lines) return;
    assert.ok(tries < 1000, `${failed} lines counted`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("a pipe whose reader has stopped: clients notice nothing, lines are dropped and counted, and said later", async () => {
  using pipe = new Pipe();
  const server = await startLogServer(["json", "access"], pipe.writeEnd);
  await ask(server.port, "/fill");
  const { body } = await ask(server.port, "/dropped");
  const { full, rate } = JSON.parse(body);
  assert.ok(full > 0, `${body}: 26 × 40 lines of 8,000 do not fit into a mebibyte`);
  assert.is(rate, 0);
  for (let i = 0; i < 200; i++) assert.is((await ask(server.port, "/")).body, "hello");
  let text = "";
  await until(() => (text += pipe.read()).includes("lines of the log were dropped"));
  for (const line of text.trimEnd().split("\n")) JSON.parse(line);
  const last = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
  assert.match(last.message, /^\d+ lines of the log were dropped: whoever reads the log did not keep up$/);
  await end(server);
});

test("the end comes within a bound on a full pipe that nobody reads", async () => {
  using pipe = new Pipe();
  const server = await startLogServer(["text", "access"], pipe.writeEnd);
  await ask(server.port, "/fill");
  const began = Date.now();
  await end(server);
  assert.ok(Date.now() - began < 10_000, `${Date.now() - began} ms`);
});

test("process.exit() loses no line that was written before", async () => {
  using pipe = new Pipe();
  const server = await startLogServer(["json", "access"], pipe.writeEnd);
  await ask(server.port, "/");
  await ask(server.port, "/exit").catch(() => {});
  assert.equal(await server.ended, [3, null]);
  const lines = pipe
    .read()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.match(lines.shift()?.message, /^Listening on http/);
  assert.is(lines.shift()?.message, "GET / 200");
  assert.equal(
    lines.map(({ message, i }) => `${message} ${i}`),
    Array.from({ length: 10 }, (_, i) => `one of the last lines ${i}`),
  );
});

test("a reader that is gone ends nothing", async () => {
  using pipe = new Pipe();
  const server = await startLogServer(["json", "access"], pipe.writeEnd);
  pipe.closeReader();
  for (let i = 0; i < 20; i++) assert.is((await ask(server.port, "/")).body, "hello");
  await countedAsLost(server, 20);
  await end(server);
});

test("a pipe's own flags are left alone: it is shared with whoever started us", () => {
  using pipe = new Pipe();
  const flags = () => /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pipe.writeEnd}`, "utf8"))?.[1];
  const before = flags();
  const channel = openChannel(pipe.writeEnd);
  assert.is(channel.kind, "now");
  if (channel.kind !== "now") return;
  const page = Buffer.alloc(4096, "x");
  let written = 0;
  for (let n = 1; n > 0; ) written += n = channel.write(page);
  assert.is(written, 65_536, "a full pipe answers 0, and at once");
  assert.is(flags(), before);
  pipe.read();
  assert.is(channel.write(page), 4096);
});

test("a pipe of another user, which cannot be opened again, does not hold us up either", async () => {
  if (process.getuid?.() !== 0) return;
  using pipe = new Pipe(); // mode 600
  const server = await startLogServer(["json", "access"], pipe.writeEnd, 65_534);
  await ask(server.port, "/fill");
  for (let i = 0; i < 50; i++) assert.is((await ask(server.port, "/")).body, "hello");
  let text = "";
  await until(() => (text += pipe.read()).includes("lines of the log were dropped"));
  for (const line of text.trimEnd().split("\n")) JSON.parse(line);
  await end(server);
});

test("a file gets every line, in order, and a process that ends at once loses none", async () => {
  const path = join(temporaryFolder(), "log");
  const fd = openSync(path, "a");
  const read = () => readFileSync(path, "utf8");
  const server = await startLogServer(["json", "access"], fd);
  await Promise.all(Array.from({ length: 100 }, (_, i) => ask(server.port, `/${i}`)));
  await ask(server.port, "/exit").catch(() => {});
  assert.equal(await server.ended, [3, null]);
  closeSync(fd);
  const lines = read()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.is(lines.length, 1 + 100 + 10);
  assert.is(lines.filter((line) => line["event.name"] === "http.access").length, 100);
  assert.equal(
    lines.slice(-10).map(({ i }) => i),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test("lines that a file does not take fast enough: nobody reads it, and nobody is blamed", async () => {
  const path = join(temporaryFolder(), "log");
  const fd = openSync(path, "a");
  const server = await startLogServer(["json"], fd);
  closeSync(fd);
  await ask(server.port, "/fill");
  await end(server);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const dropped = lines.map((line) => JSON.parse(line).message).filter((message) => message.includes("were dropped"));
  assert.ok(dropped.length > 0);
  for (const message of dropped) {
    assert.match(message, /^\d+ lines of the log were dropped: they came faster than the file takes them$/);
  }
});

test("a disk that is full ends nothing", async () => {
  const fd = openSync("/dev/full", "w");
  const server = await startLogServer(["json", "access"], fd);
  for (let i = 0; i < 20; i++) assert.is((await ask(server.port, "/")).body, "hello");
  await countedAsLost(server, 20);
  await end(server);
  closeSync(fd);
});

test("a socket, as systemd and Node give it, that nobody reads", async () => {
  const server = await startLogServer(["json", "access"], "pipe");
  await ask(server.port, "/fill");
  for (let i = 0; i < 50; i++) assert.is((await ask(server.port, "/")).body, "hello");
  const { full } = JSON.parse((await ask(server.port, "/dropped")).body);
  assert.ok(full > 0);
  let text = "";
  server.child.stderr?.setEncoding("utf8").on("data", (part) => (text += part));
  await until(() => text.includes("lines of the log were dropped"));
  for (const line of text.trimEnd().split("\n").slice(1)) JSON.parse(line);
  await end(server);
});

test.run();
