// A connection that waits for its client has a deadline, wherever it waits; one that waits for its handler has none.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Handler } from "../../src/http/mod.ts";
import { connect } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import { eventually, start, type TestServer, turns } from "./support/server.ts";
import { movableTime } from "./support/time.ts";

/** Half a head is HTTP/1.1's: over HTTP/2 one that stays in pieces is in test/http2/limits. */
const http1 = onlyHttp1(test);
const IDLE_MS = 1000;
/** No deadline is late by more than this: a slot of the wheel, and the next millisecond. */
const LATE_MS = 20;
const time = movableTime();
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const all = { readHeaderTimeout: IDLE_MS, readTimeout: IDLE_MS, idleTimeout: IDLE_MS };

function impatient(handler: Handler): TestServer {
  return start(handler, all);
}

const later = async (request: Request): Promise<Response> => {
  await turns(2);
  return new Response(request.url.endsWith("/body") ? await request.text() : "x");
};
const post = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

const REFUSED = 408;
for (const [name, sent, expected] of [
  ["nothing yet", "", []],
  ["the first byte", "G", [REFUSED]],
  ["an empty line", "\r\n", [REFUSED]],
  ["half a head", "GET / HTTP/1.1\r\nHost", [REFUSED]],
  ["a request, answered", GET, [200]],
  ["a request, and half of another", `${GET}GET / HT`, [200, REFUSED]],
  ["two requests, and half of another", `${GET}${GET}GET / HT`, [200, 200, REFUSED]],
  ["an unread body that stops", `${post(1000)}half`, [200]],
  [
    "an unread chunked body that stops",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    [200],
  ],
] as const) {
  const statuses: readonly number[] = expected;
  for (const [kind, handler] of [
    ["at once", () => new Response("x")],
    ["later", later],
  ] as const) {
    (statuses.at(-1) === REFUSED ? http1 : test)(
      `a client that has sent ${name} (handler answers ${kind}): it is closed`,
      async () => {
        using server = impatient(handler);
        using client = await connect(server.port);
        if (sent !== "") client.write(sent);
        await client.responses(statuses.filter((status) => status === 200).length);
        await time.pass(IDLE_MS - LATE_MS);
        assert.is(client.over, false);
        await time.pass(2 * LATE_MS);
        const responses = await client.untilEnd();
        assert.equal(
          responses.map((response) => response.status),
          statuses,
        );
        await eventually(() => server.server.connections === 0, "the connection is forgotten");
      },
    );
  }
}

http1("a head that drips does not move its deadline", async () => {
  using server = impatient(() => new Response("x"));
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n");
  for (let i = 0; i < 4; i++) {
    client.write(`X-${i}: y\r\n`);
    await time.pass(IDLE_MS / 4);
  }
  await time.pass(LATE_MS);
  await client.gone();
  assert.match(client.text, /^HTTP\/1\.1 408 /);
});

test("a handler takes as long as it takes, and a stream too", async () => {
  const waiting: (() => void)[] = [];
  const long = () => new Promise<void>((done) => waiting.push(done));
  using server = impatient(async (request) => {
    await long();
    if (request.method === "POST") return new Response(await request.text());
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await long();
          controller.enqueue(new TextEncoder().encode("at last"));
          controller.close();
        },
      }),
    );
  });
  using client = await connect(server.port);
  client.write(`${GET}${post(4)}body`);
  // The first handler, its stream, and the second handler.
  for (let i = 0; i < 3; i++) {
    await eventually(() => waiting.length > 0, "somebody takes long");
    await time.pass(IDLE_MS * 4);
    waiting.pop()?.();
  }
  assert.equal(
    (await client.responses(2)).map((response) => response.text()),
    ["at last", "body"],
  );
});

test("requests that keep coming keep the connection", async () => {
  using server = impatient(() => new Response("x"));
  using client = await connect(server.port);
  for (let i = 1; i <= 10; i++) {
    client.write(GET);
    await client.responses(i);
    await time.pass(IDLE_MS - LATE_MS);
  }
  assert.is(client.over, false);
});

test.run();
