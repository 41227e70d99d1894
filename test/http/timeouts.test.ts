// Every time limit at its default, on a clock that the tests move: who is slow, who only takes long, and who is silent by
// nature.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { counters, LIMITS, type LimitName } from "../../src/http/counters.ts";
import { taskTable } from "../../src/runtime/task-table.ts";
import { connect } from "./support/client.ts";
import { onlyHttp1, overHttp2 } from "./support/over-http2.ts";
import { eventually, start, turns } from "./support/server.ts";
import { movableTime } from "./support/time.ts";

/** Over HTTP/2 a connection speaks first, and it is streams that are cut, not what carries them. */
const http1 = onlyHttp1(test);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const upload = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
const fired = (limit: LimitName): number => counters.limits[LIMITS.indexOf(limit)];
const noBody = new Uint8Array(64 * 1024);

http1("a connection that never speaks is closed after 5 s, without a word", async () => {
  const time = movableTime();
  using server = start(() => new Response("x"));
  using client = await connect(server.port);
  await eventually(() => server.server.connections === 1, "the connection is accepted");
  const before = fired("readHeaderTimeout");
  await time.pass(4_800);
  assert.is(client.over, false);
  await time.pass(300);
  assert.equal(await client.untilEnd(), []);
  assert.is(fired("readHeaderTimeout"), before + 1);
});

http1("a head that drips gets 408 five seconds after its connection's first moment, or its first byte", async () => {
  for (const first of [true, false]) {
    const time = movableTime();
    using server = start(() => new Response("x"));
    using client = await connect(server.port);
    if (!first) {
      client.write(GET);
      await client.response();
      await time.pass(60_000);
    }
    client.write("GET / HTTP/1.1\r\nHost: x\r\n");
    for (let i = 0; i < 4; i++) {
      await time.pass(1_200);
      client.write(`X-${i}: y\r\n`);
    }
    assert.is(client.over, false);
    await time.pass(400);
    const responses = await client.untilEnd();
    assert.is(responses.at(-1)?.status, 408);
    assert.is(responses.at(-1)?.header("connection"), "close");
    assert.is(responses.length, first ? 1 : 2);
  }
});

test("an idle connection lives for 120 s after its last answer", async () => {
  const time = movableTime();
  using server = start(() => new Response("x"));
  using client = await connect(server.port);
  for (let i = 1; i <= 3; i++) {
    client.write(GET);
    await client.responses(i);
    await time.pass(119_000);
    assert.is(client.over, false);
  }
  await time.pass(1_100);
  assert.is((await client.untilEnd()).length, 3);
});

test("a body that drips gets 408 after 30 s; its reader and the signal are told", async () => {
  const time = movableTime();
  const told: unknown[] = [];
  using server = start(async (request) => {
    request.signal.addEventListener("abort", () => told.push(request.signal.reason.name));
    try {
      return new Response(await request.text());
    } catch (error) {
      told.push((error as Error).name);
      throw error;
    }
  });
  using client = await connect(server.port);
  const before = fired("readTimeout");
  client.write(upload(1000));
  for (let i = 0; i < 29; i++) {
    client.write("x");
    await time.pass(1_000);
  }
  assert.is(client.over, false);
  await time.pass(1_500);
  const [response] = await client.untilEnd();
  assert.is(response.status, 408);
  assert.is(response.header("connection"), "close");
  await eventually(() => told.length === 2, "both are told");
  assert.equal(told, ["TimeoutError", "TimeoutError"]);
  assert.is(fired("readTimeout"), before + 1);
});

test("an upload lives as long as it moves, and no longer: a burst buys no time for drips", async () => {
  const time = movableTime();
  using server = start(async (request) => new Response(String((await request.arrayBuffer()).byteLength)));
  using client = await connect(server.port);
  const seconds = 100;
  client.write(upload(noBody.length * seconds + 10));
  for (let i = 0; i < seconds; i++) {
    await client.send(noBody);
    await time.pass(1_000);
  }
  assert.is(client.over, false);
  for (let i = 0; i < 29; i++) {
    client.write("x");
    await time.pass(1_000);
    if (i === 8) break;
  }
  assert.is(client.over, false);
  await time.pass(15_000);
  assert.is(client.over, false);
  await time.pass(15_000);
  assert.is((await client.untilEnd())[0].status, 408);
});

test("with minRate 0 the times are absolute, whatever moves", async () => {
  const time = movableTime();
  using server = start(async (request) => new Response(String((await request.arrayBuffer()).byteLength)), {
    minRate: 0,
    writeTimeout: "none",
  });
  using client = await connect(server.port);
  client.write(upload(noBody.length * 100));
  for (let i = 0; i < 29; i++) {
    await client.send(noBody);
    await time.pass(1_000);
  }
  assert.is(client.over, false);
  await time.pass(1_500);
  await client.gone();
  assert.match(client.text, /^HTTP\/1\.1 408 /);
});

test("a handler that reads slowly is not its client's fault", async () => {
  const time = movableTime();
  const steps: (() => void)[] = [];
  let read = 0;
  using server = start(async (request) => {
    for await (const chunk of request.body ?? []) {
      read += chunk.length;
      await new Promise<void>((resolve) => steps.push(resolve));
    }
    return new Response(String(read));
  });
  using client = await connect(server.port);
  const length = noBody.length * 16;
  client.write(upload(length));
  client.write(new Uint8Array(length));
  while (read < length) {
    await eventually(() => steps.length > 0, "the handler has a chunk");
    await time.pass(20_000);
    assert.is(client.over, false);
    steps.pop()?.();
    const before = read;
    await eventually(() => read > before || read === length, "the next chunk");
  }
  steps.pop()?.();
  assert.is((await client.response()).text(), String(length));
});

test("a handler that does not answer within 30 s: 503, its signal aborts, and it is seen to go on", async () => {
  const time = movableTime();
  const gate = Promise.withResolvers<void>();
  let reason: unknown;
  using server = start(async (request) => {
    request.signal.addEventListener("abort", () => {
      reason = request.signal.reason;
    });
    await gate.promise;
    return new Response("too late");
  });
  const givenUp = () => taskTable().find(({ name }) => name === "http request, given up on")?.count ?? 0;
  for (const request of [
    GET,
    `${upload(4)}body`,
    "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
  ]) {
    using client = await connect(server.port);
    const before = fired("writeTimeout");
    await client.send(request);
    await eventually(() => server.server.connections === 1, "the connection is there");
    await turns(3);
    await time.pass(29_500);
    assert.is(client.over, false);
    await time.pass(1_000);
    const response = await client.response();
    assert.is(response.status, 503);
    // A stream that has ended is no reason to end the others.
    if (!overHttp2) {
      await client.untilEnd();
      assert.is(response.header("connection"), "close");
    }
    assert.is((reason as Error).name, "TimeoutError");
    assert.is(fired("writeTimeout"), before + 1);
    client.end();
    await eventually(() => server.server.connections === 0, "the connection is gone");
  }
  assert.is(givenUp(), 3);
  gate.resolve();
  await eventually(() => givenUp() === 0, "the handlers have ended");
});

test("an event stream may be silent as long as it likes, and a handler take its time over a stream", async () => {
  const time = movableTime();
  const events: ((text: string) => void)[] = [];
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          start(controller) {
            events.push((text) => controller.enqueue(new TextEncoder().encode(text)));
          },
        }),
      ),
  );
  using client = await connect(server.port);
  client.write(GET);
  await eventually(() => events.length === 1, "the stream is open");
  for (let i = 0; i < 5; i++) {
    events[0](`event ${i}`);
    await client.saw(`event ${i}`);
    await time.pass(600_000);
  }
  assert.is(client.over, false);
});

test("a client that stops reading is cut 30 s later, and little is kept for it", async () => {
  const time = movableTime();
  let made = 0;
  const cancelled = Promise.withResolvers<unknown>();
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            made += noBody.length;
            if (made > 64 * 1024 * 1024) controller.close();
            else controller.enqueue(noBody);
          },
          cancel: cancelled.resolve,
        }),
      ),
  );
  using client = await connect(server.port);
  client.socket.pause();
  client.write(GET);
  let before = -1;
  await eventually(() => {
    const still = before === made && made > 0;
    before = made;
    return still;
  }, "the stream stands still");
  await turns(5);
  const held = made;
  await time.pass(2_000);
  await time.pass(27_000);
  assert.is(server.server.connections, 1);
  await time.pass(2_000);
  // A busy machine's kernel may have moved something after all: that is progress, and moves the deadline.
  for (let i = 0; i < 4 && server.server.connections > 0; i++) await time.pass(31_000);
  assert.is(((await cancelled.promise) as Error).name, "TimeoutError");
  assert.is(server.server.connections, 0);
  assert.ok(held < 16 * 1024 * 1024, `${held} bytes were made for a client that reads nothing`);
});

test("a client that reads slowly but steadily gets everything", async () => {
  const time = movableTime();
  const length = 12 * 1024 * 1024;
  using server = start(() => new Response(new Uint8Array(length)));
  using client = await connect(server.port);
  client.socket.pause();
  client.write(GET);
  await turns(5);
  // A kernel tells its peer of room in the receive buffer only when that is a sixteenth of it: 400 KiB of 6 MiB.
  for (let read = 0; read < length && !client.over; ) {
    const before = client.bytes.length;
    client.socket.resume();
    await client.until(() => client.bytes.length - before >= 1024 * 1024 || client.bytes.length >= length, "more");
    client.socket.pause();
    read = client.bytes.length;
    await turns(3);
    await time.pass(read >= length ? 0 : 20_000);
  }
  client.socket.resume();
  assert.is((await client.response()).body.length, length);
});

http1("a client that pipelines and reads no answers is cut", async () => {
  const time = movableTime();
  using server = start(() => new Response(noBody));
  using client = await connect(server.port);
  client.socket.pause();
  client.write(GET.repeat(1000));
  await eventually(() => server.server.connections === 1, "the connection is there");
  await turns(20);
  // What a busy machine's kernel moves into its buffers only now is progress, and moves the deadline once more.
  for (let i = 0; i < 4 && server.server.connections > 0; i++) await time.pass(31_000);
  await eventually(() => server.server.connections === 0, "the client is cut");
});

test("no limit is spelled none, and is none", async () => {
  const time = movableTime();
  using server = start(() => new Promise(() => {}), {
    readHeaderTimeout: "none",
    readTimeout: "none",
    writeTimeout: "none",
    idleTimeout: "none",
  });
  using silent = await connect(server.port);
  using partial = await connect(server.port);
  partial.write("GET / HT");
  using waiting = await connect(server.port);
  waiting.write(GET);
  using body = await connect(server.port);
  body.write(`${upload(10)}12`);
  await eventually(() => server.server.connections === 4, "all are connected");
  await turns(3);
  await time.pass(3_600_000);
  await turns(3);
  assert.is(server.server.connections, 4);
  for (const client of [silent, partial, waiting, body]) assert.is(client.over, false);
});

test.run();
