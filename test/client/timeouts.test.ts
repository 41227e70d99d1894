// What is waited for has an end: the defaults, on a clock that the tests move.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters, TIMEOUTS, type Timeout } from "../../src/client/counters.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { Names } from "../../src/client/names.ts";
import { DEFAULTS, setFetchSettings } from "../../src/client/settings.ts";
import type { Ip } from "../../src/net/ip.ts";
import { optionTable } from "../../src/options/table.ts";
import { errors } from "../../src/runtime/errors.ts";
import { movableTime } from "../http/support/time.ts";
import { failure, nodeServer, type RawServer, rawServer, saying, told, until } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const time = movableTime();
const { base, stop } = await nodeServer();
test.after(stop);

const fired = (timeout: Timeout): number => clientCounters.timeouts[TIMEOUTS.indexOf(timeout)];
const ended = ({ sockets }: RawServer): boolean => sockets.every((one) => one.readableEnded || one.destroyed);

/** Pending for `ms`, and no longer than a moment more. */
async function failsAfter(ms: number, promise: Promise<unknown>): Promise<Error> {
  let settled = false;
  const failed = failure(promise).finally(() => {
    settled = true;
  });
  await time.pass(ms - 100);
  assert.not(settled, "too early");
  await time.pass(200);
  return failed;
}

test("the defaults are the option table's", () => {
  const table = Object.fromEntries(
    optionTable
      .filter(({ group, name }) => group === "fetch" && name.startsWith("fetch"))
      .map(({ name, default: value }) => [name[5].toLowerCase() + name.slice(6), value]),
  );
  assert.equal(table, { ...DEFAULTS });
});

for (const [name, bytes] of Object.entries({
  nothing: "",
  "half a head": `${OK}x: y\r\n`,
  interim: "HTTP/1.1 103 x\r\n\r\n",
})) {
  test(`no head in 30 s: ${name}`, async () => {
    let asked = false;
    const server = await rawServer((socket) => {
      if (bytes !== "") socket.write(bytes);
      asked = true;
    });
    const before = fired("header");
    const call = fetch(server.base);
    await until(() => asked);
    const error = await failsAfter(30_000, call);
    assert.instance(error, TypeError);
    assert.instance(error.cause, errors.TimedOut);
    assert.match(told(error), /no response came within 30 s/);
    assert.is(fired("header"), before + 1);
    await until(() => ended(server));
    server.close();
  });
}

test("no byte of a body in 30 s", async () => {
  const server = await saying(`${OK}content-length: 10\r\n\r\nhello`);
  const response = await fetch(server.base);
  await time.pass(29_000);
  server.sockets[0].write("more");
  await time.pass(0);
  const error = await failsAfter(30_000, response.text());
  assert.instance(error.cause, errors.TimedOut);
  await until(() => ended(server));
  server.close();
});

test("a server that takes nothing of a body in 30 s", async () => {
  const server = await rawServer((socket) => socket.pause());
  const call = fetch(server.base, { method: "POST", body: new Uint8Array(64 << 20) });
  const failed = failure(call);
  await until(() => server.sockets.length === 1);
  // Until then something is taken: which moment that is, no test can know.
  for (let passed = 0; passed < 20 && clientCounters.busy > 0; passed++) await time.pass(31_000);
  const error = await failed;
  assert.instance(error.cause, errors.TimedOut);
  assert.match(told(error), /took nothing of the request's body for 30 s/);
  server.close();
});

test("not while the program's own stream is waited for", async () => {
  let go: (() => void) | undefined;
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("slow"));
      go = () => controller.close();
    },
  });
  const call = fetch(`${base}/count`, { method: "POST", body, duplex: "half" } as RequestInit);
  await until(() => clientCounters.busy === 1);
  for (let minute = 0; minute < 3; minute++) await time.pass(60_000);
  go?.();
  assert.is(await (await call).text(), "4");
});

test("not while the program does not read", async () => {
  const server = await rawServer((socket) => {
    socket.write(`${OK}content-length: ${8 << 20}\r\n\r\n`);
    socket.write(Buffer.alloc(8 << 20));
  });
  const response = await fetch(server.base);
  // Receiving has paused once the kernel's buffers are full.
  for (let left = -1; left !== server.sockets[0].writableLength || left === 0; ) {
    left = server.sockets[0].writableLength;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (let minute = 0; minute < 3; minute++) await time.pass(60_000);
  assert.is((await response.arrayBuffer()).byteLength, 8 << 20);
  server.close();
});

test("an idle connection goes after 30 s", async () => {
  const server = await saying(`${OK}content-length: 5\r\n\r\nhello`);
  await (await fetch(server.base)).text();
  await time.pass(29_000);
  assert.not(ended(server));
  assert.is(await (await fetch(server.base)).text(), "hello");
  await time.pass(29_000);
  assert.not(ended(server));
  const before = fired("idle");
  await time.pass(1_100);
  await until(() => ended(server));
  assert.ok(fired("idle") > before);
  server.close();
});

test("a second before its server would close it", async () => {
  const server = await saying(`${OK}keep-alive: timeout=5, max=100\r\ncontent-length: 5\r\n\r\nhello`);
  await (await fetch(server.base)).text();
  await time.pass(3_900);
  assert.not(ended(server));
  await time.pass(200);
  await until(() => ended(server));
  server.close();
});

test("what the options say holds at once, and what a client's say for it", async () => {
  setFetchSettings({ ...DEFAULTS, headerTimeout: 1_000 });
  let asked = 0;
  const server = await rawServer(() => asked++);
  const call = fetch(server.base);
  await until(() => asked === 1);
  assert.match(told(await failsAfter(1_000, call)), /within 1 s/);
  using client = createHttpClient({ headerTimeout: "2s" });
  const other = fetch(server.base, { client } as RequestInit);
  await until(() => asked === 2);
  assert.match(told(await failsAfter(2_000, other)), /within 2 s/);
  setFetchSettings({ ...DEFAULTS, headerTimeout: Number.POSITIVE_INFINITY });
  const endless = failure(fetch(server.base));
  await until(() => asked === 3);
  await time.pass(3_600_000);
  server.sockets[2].destroy();
  assert.instance((await endless).cause, errors.ConnectionReset);
  setFetchSettings(DEFAULTS);
  server.close();
});

test("names are believed for 10 s, and failures not at all", async () => {
  let asked = 0;
  let fails = false;
  const ip: Ip = { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" };
  const names = new Names(async () => {
    asked++;
    if (fails) throw new errors.NotFound("no");
    return [ip];
  });
  assert.equal(await Promise.all([names.look("a"), names.look("a")]), [[ip], [ip]]);
  await names.look("a");
  assert.is(asked, 1);
  await time.pass(10_001);
  await names.look("a");
  assert.is(asked, 2);
  names.forget("a");
  fails = true;
  for (let i = 0; i < 2; i++) assert.instance(await failure(names.look("a")), errors.NotFound);
  assert.is(asked, 4);
  fails = false;
  for (let i = 0; i < 1000; i++) await names.look(`name-${i}`);
  await names.look("name-999");
  assert.is(asked, 1004);
  await names.look("name-0");
  assert.is(asked, 1005);
});

test.run();
