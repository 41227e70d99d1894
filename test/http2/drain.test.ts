// How connections of HTTP/2 end with their server: told in two steps, so that nothing on its way is lost.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually, start, turns } from "../http/support/server.ts";
import { session } from "./support/node.ts";
import { block, DATA, END_STREAM, frame, GET, GOAWAY, HEADERS, open, PING, type Raw } from "./support/raw.ts";

const STREAM_MAX = 2 ** 31 - 1;

function goaways(raw: Raw): number[] {
  return raw.frames.filter(({ type }) => type === GOAWAY).map(({ payload }) => payload.readUInt32BE(0));
}
/** Answers the server's PING that asks whether GOAWAY was read. */
async function pong(raw: Raw): Promise<void> {
  const ping = await raw.frame(({ type, flags }) => type === PING && flags === 0, "the drain's PING");
  raw.write(frame(PING, 1, 0, ping.payload));
}

test("an idle connection: GOAWAY, PING, GOAWAY with the last stream, FIN; drained at once", async () => {
  using server = start(() => new Response("x"), { h2c: true, drainIdle: 20_000 });
  using raw = await open(server.port);
  raw.request(1);
  await raw.response(1);
  const drained = server.server.drain();
  await pong(raw);
  await raw.client.gone();
  assert.equal(goaways(raw), [STREAM_MAX, 1]);
  assert.is(raw.client.error, undefined);
  raw.client.end();
  assert.equal(await drained, { cut: 0 });
});

test("a client that does not answer the PING has drainIdle", async () => {
  using server = start(() => new Response("x"), { h2c: true, drainIdle: 50 });
  using raw = await open(server.port);
  const drained = server.server.drain();
  await raw.client.gone();
  assert.equal(goaways(raw), [STREAM_MAX, 0]);
  raw.client.end();
  await drained;
});

test("requests that were on their way are answered, later ones are not, what runs is finished", async () => {
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  using server = start(
    async () => {
      calls++;
      await gate.promise;
      return new Response("done");
    },
    { h2c: true, drainIdle: 20_000 },
  );
  using raw = await open(server.port);
  raw.request(1);
  await raw.settled();
  const drained = server.server.drain();
  await raw.frame(({ type }) => type === GOAWAY, "GOAWAY");
  // It had not read that yet.
  raw.request(3);
  await pong(raw);
  await raw.client.until(() => goaways(raw).length === 2, "the second GOAWAY");
  assert.equal(goaways(raw), [STREAM_MAX, 3]);
  raw.request(5);
  raw.write(frame(DATA, END_STREAM, 5));
  await raw.settled();
  gate.resolve();
  assert.is(`${(await raw.response(1)).body}`, "done");
  assert.is(`${(await raw.response(3)).body}`, "done");
  await raw.client.gone();
  assert.is(calls, 2);
  raw.client.end();
  assert.equal(await drained, { cut: 0 });
});

test("during drainDelay clients are told, and served all the same", async () => {
  using server = start(() => new Response("x"), { h2c: true, drainDelay: 200, drainIdle: 20_000 });
  using raw = await open(server.port);
  raw.request(1);
  await raw.response(1);
  const drained = server.server.drain();
  await raw.frame(({ type }) => type === GOAWAY, "GOAWAY");
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
  // A new one is told with its first bytes.
  using late = await open(server.port);
  late.request(1);
  assert.is((await late.response(1)).status, "200");
  await late.frame(({ type }) => type === GOAWAY, "GOAWAY");
  await Promise.all([pong(raw), pong(late)]);
  await Promise.all([raw.client.gone(), late.client.gone()]);
  assert.equal(goaways(raw), [STREAM_MAX, 3]);
  assert.equal(goaways(late), [STREAM_MAX, 1]);
  raw.client.end();
  late.client.end();
  assert.equal(await drained, { cut: 0 });
});

test("half a head is no request: the last GOAWAY leaves it out, so that its client asks elsewhere", async () => {
  using server = start(() => new Response("x"), { h2c: true, drainIdle: 0 });
  using raw = await open(server.port);
  raw.request(1);
  await raw.response(1);
  raw.write(frame(HEADERS, END_STREAM, 3, block(GET).subarray(0, 10)));
  await turns(3);
  const drained = server.server.drain();
  await raw.client.gone();
  assert.equal(goaways(raw), [STREAM_MAX, 1]);
  assert.is(raw.client.error, undefined);
  raw.client.end();
  assert.equal(await drained, { cut: 0 });
});

test("what is not done by drainTimeout is cut, counted by request, and told", async () => {
  const reasons: unknown[] = [];
  using server = start(
    (request) => {
      request.signal.addEventListener("abort", () => reasons.push(request.signal.reason));
      return new Promise(() => {});
    },
    { h2c: true, drainTimeout: 100 },
  );
  using raw = await open(server.port);
  raw.request(1);
  raw.request(3);
  await raw.settled();
  assert.equal(await server.server.drain(), { cut: 2 });
  assert.is(reasons.length, 2);
  assert.match((reasons[0] as Error).message, /shut down/);
});

test("close ends all at once", async () => {
  let reason: unknown;
  const server = start(
    (request) => {
      request.signal.addEventListener("abort", () => {
        reason = request.signal.reason;
      });
      return new Promise(() => {});
    },
    { h2c: true },
  );
  using raw = await open(server.port);
  raw.request(1);
  await raw.settled();
  server.server.close();
  assert.match((reason as Error).message, /was closed/);
  await raw.client.gone();
  await server.server.finished;
});

test("a client that leaves aborts every request of its connection", async () => {
  let aborted = 0;
  using server = start(
    (request) => {
      request.signal.addEventListener("abort", () => aborted++);
      return new Promise(() => {});
    },
    { h2c: true },
  );
  for (const how of ["end", "reset"] as const) {
    aborted = 0;
    using raw = await open(server.port);
    for (const id of [1, 3, 5]) raw.request(id);
    await raw.settled();
    if (how === "end") raw.client.end();
    else raw.client.reset();
    await eventually(() => aborted === 3, `three are aborted after ${how}`);
    await eventually(() => server.server.connections === 0, "nothing is left");
  }
});

test("node's client under a drain loses nothing", async () => {
  using server = start(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return new Response("x");
    },
    { h2c: true, drainIdle: 500 },
  );
  const client = session(server.port);
  let answered = 0;
  let asked = 0;
  const failed: unknown[] = [];
  let away = false;
  client.on("goaway", () => {
    away = true;
  });
  client.on("error", (error) => failed.push(error));
  const ask = (): void => {
    asked++;
    const stream = client.request({ ":path": "/" });
    stream.on("error", (error) => failed.push(error));
    stream.resume();
    stream.on("end", () => {
      answered++;
      if (!away && !client.closed) ask();
    });
  };
  client.once("connect", () => {
    for (let i = 0; i < 10; i++) ask();
  });
  await eventually(() => answered > 50, "some answers");
  await server.server.drain();
  await eventually(() => answered === asked || failed.length > 0, "all are answered");
  client.destroy();
  assert.equal(failed, []);
  assert.is(answered, asked);
});

test.run();
