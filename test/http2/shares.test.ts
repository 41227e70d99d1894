// A connection that sends much at once has a share of a turn, and the others are served before it has its next: told by the
// order in which handlers are called, not by any clock.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runtime } from "../../src/runtime/turn.ts";
import { start } from "../http/support/server.ts";
import { block, END_HEADERS, END_STREAM, frame, GET, HEADERS, open, type Raw } from "./support/raw.ts";

const path = (name: string) => GET.map(([field, value]) => [field, field === ":path" ? name : value] as const);

function requests(count: number, name: string): Buffer {
  const one = block(path(name));
  const ids = Array.from({ length: count }, (_, i) => 2 * i + 1);
  return Buffer.concat(ids.map((id) => frame(HEADERS, END_STREAM | END_HEADERS, id, one)));
}

/** As a handler that takes its time. */
function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

/** Connections that the server has read the preface of. */
async function connected(port: number, count: number): Promise<Raw[]> {
  const all = await Promise.all(Array.from({ length: count }, () => open(port)));
  for (const raw of all) await raw.settled();
  return all;
}

test("who sends one request is not behind the hundred of somebody else", async () => {
  const order: string[] = [];
  using server = start(
    (request) => {
      order.push(new URL(request.url).pathname);
      busy(0.2);
      return new Response("x");
    },
    { h2c: true },
  );
  const all = await connected(server.port, 5);
  const much = all.slice(0, 4);
  const little = all[4];
  // What is written now lies in the server's sockets before it looks at any of them.
  for (const raw of much) raw.write(requests(100, "/much"));
  little.write(requests(1, "/little"));
  assert.is((await little.response(1)).status, "200");
  const before = order.indexOf("/little");
  assert.ok(before < 100, `after ${before} of 400`);
  for (const raw of much) for (let id = 1; id < 200; id += 2) assert.is((await raw.response(id)).status, "200");
  assert.is(order.length, 401);
  assert.is(runtime().shares.size, 0);
  for (const raw of all) raw[Symbol.dispose]();
});

test("what handlers do after an await is part of a share, too", async () => {
  const order: string[] = [];
  using server = start(
    async (request) => {
      await undefined;
      order.push(new URL(request.url).pathname);
      busy(1);
      return new Response("x");
    },
    { h2c: true },
  );
  const all = await connected(server.port, 5);
  const much = all.slice(0, 4);
  const little = all[4];
  // It learns from the first ones.
  for (const raw of much) raw.write(requests(100, "/much"));
  while (order.length < 150) await new Promise((resolve) => setImmediate(resolve));
  const from = order.length;
  little.write(requests(1, "/little"));
  assert.is((await little.response(1)).status, "200");
  const waited = order.indexOf("/little") - from;
  assert.ok(waited < 64, `after ${waited}`);
  for (const raw of all) raw[Symbol.dispose]();
});

test("a connection that is reset while its requests wait leaves nothing behind", async () => {
  let calls = 0;
  using server = start(
    () => {
      calls++;
      busy(0.2);
      return new Response("x");
    },
    { h2c: true },
  );
  const [gone, stays] = await connected(server.port, 2);
  gone.write(requests(100, "/gone"));
  while (calls === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(runtime().shares.size > 0 || calls === 100);
  gone.client.reset();
  stays.request(1);
  assert.is((await stays.response(1)).status, "200");
  while (runtime().shares.size > 0) await new Promise((resolve) => setImmediate(resolve));
  stays[Symbol.dispose]();
});

test.run();
