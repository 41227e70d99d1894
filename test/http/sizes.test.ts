// Every limit that is a size or a count: what is too much is refused, by its own status, and what is just enough is not.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { counters, LIMITS, type LimitName } from "../../src/http/counters.ts";
import type { Handler, ServeOptions } from "../../src/http/mod.ts";
import { connect, exchange } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

const http1 = onlyHttp1(test);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const upload = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
const fired = (limit: LimitName): number => counters.limits[LIMITS.indexOf(limit)];
const echo: Handler = async (request) => new Response(await request.text());

/** The answer to `sent`, and how often the limit fired for it. */
async function answer(limit: LimitName, sent: string, options: ServeOptions, handler: Handler = echo) {
  using server = start(handler, options);
  const before = fired(limit);
  const responses = await exchange(server.port, sent);
  return { status: responses[0]?.status, close: responses[0]?.header("connection"), fired: fired(limit) - before };
}

test("a body that announces too much is refused before the handler, and before it is sent", async () => {
  let called = 0;
  const handler: Handler = () => {
    called++;
    return new Response("x");
  };
  const refused = { status: 413, close: "close", fired: 1 };
  assert.equal(await answer("maxBodyBytes", upload(64 * 1024 * 1024 + 1), {}, handler), refused);
  assert.equal(await answer("maxBodyBytes", upload(11), { maxBodyBytes: 10 }, handler), refused);
  const waits = upload(11).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
  assert.equal(await answer("maxBodyBytes", waits, { maxBodyBytes: 10 }, handler), refused);
  assert.is(called, 0);
});

test("a chunked body is refused when it has become too much", async () => {
  const sent = `${CHUNKED}8\r\n12345678\r\n3\r\n123\r\n0\r\n\r\n`;
  assert.equal(await answer("maxBodyBytes", sent, { maxBodyBytes: 10 }), { status: 413, close: "close", fired: 1 });
  // Sent in pieces, to a handler that waits for it.
  using server = start(echo, { maxBodyBytes: 10 });
  using client = await connect(server.port);
  await client.send(`${CHUNKED}8\r\n12345678\r\n`);
  await turns(3);
  client.write("3\r\n123\r\n");
  assert.is((await client.response()).status, 413);
});

test("a body of exactly the limit is served, and the connection goes on", async () => {
  using server = start(echo, { maxBodyBytes: 10 });
  using client = await connect(server.port);
  client.write(`${upload(10)}1234567890${CHUNKED}a\r\n1234567890\r\n0\r\n\r\n${GET}`);
  const responses = await client.responses(3);
  assert.equal(
    responses.map((response) => response.text()),
    ["1234567890", "1234567890", ""],
  );
});

test("a response that has begun is cut when the body becomes too much", async () => {
  using server = start(
    (request) => {
      const reader = request.body?.getReader();
      return new Response(
        new ReadableStream({
          async pull(controller) {
            const part = await reader?.read();
            if (part === undefined || part.done) return controller.close();
            controller.enqueue(part.value);
          },
        }),
      );
    },
    { maxBodyBytes: 10 },
  );
  using client = await connect(server.port);
  await client.send(`${CHUNKED}4\r\n1234\r\n`);
  await client.saw("1234");
  client.write("8\r\n12345678\r\n");
  await client.gone();
  assert.not.match(client.text, /\r\n0\r\n\r\n$/);
});

http1("heads: too many bytes, too many fields", async () => {
  const fields = (count: number): string => Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join("");
  const head = (extra: string): string => `GET / HTTP/1.1\r\nHost: x\r\n${extra}Connection: close\r\n\r\n`;
  assert.equal(await answer("maxHeaderCount", head(fields(255)), {}), { status: 431, close: "close", fired: 1 });
  assert.equal(await answer("maxHeaderCount", head(fields(254)), {}), { status: 200, close: "close", fired: 0 });
  assert.equal(await answer("maxHeaderBytes", head(`X: ${"y".repeat(1000)}\r\n`), { maxHeaderBytes: 1000 }), {
    status: 431,
    close: "close",
    fired: 1,
  });
  assert.equal(await answer("maxHeaderBytes", head(`X: ${"y".repeat(900)}\r\n`), { maxHeaderBytes: 1000 }), {
    status: 200,
    close: "close",
    fired: 0,
  });
});

http1("beyond maxConnections clients wait, one line says so, and each that closes lets one in", async () => {
  const lines = await logged(async () => {
    using server = start(() => new Response("x"), { maxConnections: 3 });
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(server.port)));
    await eventually(() => server.server.connections === 3, "three are accepted");
    await turns(5);
    assert.is(server.server.connections, 3);
    for (const client of clients) client.write(GET);
    const served = (): number => clients.filter((client) => client.bytes.length > 0).length;
    for (let i = 3; i <= 10; i++) {
      await eventually(() => served() === i, `${i} are served`);
      assert.ok(server.server.connections <= 3);
      const done = clients.find((client) => client.bytes.length > 0 && !client.socket.writableEnded);
      done?.end();
    }
    for (const client of clients) client[Symbol.dispose]();
  });
  assert.is(lines.length, 1);
  assert.match(lines[0], /accept on 127\.0\.0\.1:\d+ waits: 3 connections are open, as many as maxConnections allows/);
});

test("the last of maxRequestsPerConnection is answered with connection: close", async () => {
  const before = fired("maxRequestsPerConnection");
  for (const handler of [() => new Response("x"), async () => new Response("x")]) {
    using server = start(handler, { maxRequestsPerConnection: 2 });
    using client = await connect(server.port);
    client.write(GET);
    assert.is((await client.response()).header("connection"), null);
    client.write(GET);
    const responses = await client.untilEnd();
    assert.is(responses.length, 2);
    assert.is(responses[1].header("connection"), "close");
  }
  assert.is(fired("maxRequestsPerConnection"), before + 2);
});

http1("requests are counted by method and status class, and bytes both ways", async () => {
  using server = start((request) => new Response("x", { status: request.url.endsWith("/404") ? 404 : 200 }));
  const { requests } = counters;
  const before = requests.slice();
  const [bytesIn, bytesOut] = [counters.bytesIn, counters.bytesOut];
  const sent = `${GET}${GET}HEAD /404 HTTP/1.1\r\nHost: x\r\n\r\n${upload(2)}ab`;
  using client = await connect(server.port);
  client.write(sent);
  await client.responses(4, ["GET", "GET", "HEAD", "POST"]);
  await exchange(server.port, "BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await exchange(server.port, "nonsense\r\n\r\n");
  const grown = [...requests].map((count, i) => [i, count - before[i]]).filter(([, count]) => count > 0);
  // METHODS × CLASSES: GET 2xx twice, HEAD 4xx, POST 2xx, _OTHER 2xx and 4xx.
  assert.equal(grown, [
    [2, 2],
    [10, 1],
    [14, 1],
    [56, 1],
    [58, 1],
  ]);
  assert.ok(counters.bytesIn - bytesIn > sent.length);
  assert.ok(counters.bytesOut - bytesOut >= client.bytes.length);
});

test("an option that is no limit is refused in a sentence", () => {
  for (const [options, message] of [
    [{ readTimeout: 0 }, /readTimeout of serve must not be 0: write "none"/],
    [{ maxBodyBytes: "lots" }, /maxBodyBytes of serve must be a size/],
    [{ limits: 5 }, /limits of serve must be a function/],
  ] as const) {
    assert.throws(() => start(() => new Response("x"), options as unknown as ServeOptions), message);
  }
});

test.run();
