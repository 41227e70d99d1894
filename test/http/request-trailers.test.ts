// What a client sends behind its body: with HTTP/1.1's chunks, and with SLIPWAY_TEST_H2 over HTTP/2.
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  open,
  POST,
  RST_STREAM,
  uint32,
} from "../http2/support/raw.ts";
import { connect, exchange } from "./support/client.ts";
import { onlyHttp1, overHttp2 } from "./support/over-http2.ts";
import { eventually, start } from "./support/server.ts";

const http1 = onlyHttp1(test);
const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const CLOSES = "Connection: close\r\n\r\n";
const closing = (head: string): string => head.replace(/\r\n$/, CLOSES);

/** Answers with what came behind the body. */
const told = (): ReturnType<typeof start> =>
  start(async (request, info) => {
    const body = await request.text();
    return Response.json([body, [...(await info.requestTrailers())]]);
  });

for (const [name, sent, expected] of [
  [
    "two fields",
    "X-Sum: 1\r\nx-other:2  \r\n",
    [
      ["x-other", "2"],
      ["x-sum", "1"],
    ],
  ],
  ["one field twice", "x-a: 1\r\nx-a: 2\r\n", [["x-a", "1, 2"]]],
  ["an empty value", "x-a:\r\n", [["x-a", ""]]],
  ["letters of latin1", "x-a: caf\xe9\r\n", [["x-a", "caf\xe9"]]],
  ["as much as there may be", `x-a: ${"v".repeat(16_000)}\r\n`, [["x-a", "v".repeat(16_000)]]],
  ["what must not be there", "x-a: 1\r\nauthorization: b\r\ncontent-type: c/d\r\nset-cookie: e=f\r\n", [["x-a", "1"]]],
  ["nothing", "", []],
] as const) {
  // biome-ignore format: one line each
  test(`trailers: ${name}, at once and byte by byte`, async () => {
    using server = told();
    const whole = `${closing(CHUNKED)}5\r\nhello\r\n0\r\n${sent}\r\n`;
    for (const pieces of sent.length > 100 ? [[whole]] : [[whole], [...whole]]) {
      using client = await connect(server.port);
      for (const piece of pieces) await client.send(piece);
      const [answer] = await client.untilEnd();
      assert.equal(JSON.parse(answer.body.toString("utf8")), ["hello", expected]);
    }
  });
}

http1("what only HTTP/1.1 can say there frames nothing, and is left out", async () => {
  using server = told();
  const behind = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: y\r\nX-A: 1\r\n";
  const [answer] = await exchange(server.port, `${closing(CHUNKED)}0\r\n${behind}\r\n`);
  assert.equal(JSON.parse(answer.text()), ["", [["x-a", "1"]]]);
});

test("a request without a body, or with a length, has none; nobody has to ask", async () => {
  using server = start(async (request, info) => {
    if (request.url.endsWith("/ask-first")) {
      const trailers = info.requestTrailers();
      await request.text();
      return Response.json([...(await trailers), ...(await info.requestTrailers())]);
    }
    return Response.json([...(await info.requestTrailers())]);
  });
  for (const [head, expected] of [
    ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", []],
    ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", []],
    ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", []],
    // A small body is here without being read.
    [`${CHUNKED}2\r\nab\r\n0\r\nx-a: 1\r\n\r\n`, [["x-a", "1"]]],
    [
      `${CHUNKED.replace("/ ", "/ask-first ")}2\r\nab\r\n0\r\nx-a: 1\r\n\r\n`,
      [
        ["x-a", "1"],
        ["x-a", "1"],
      ],
    ],
  ] as const) {
    using client = await connect(server.port);
    client.write(head);
    assert.equal(JSON.parse((await client.response()).text()), expected, head);
  }
});

test("many at once have each their own", async () => {
  using server = told();
  using client = await connect(server.port);
  const one = (i: number): string =>
    `${CHUNKED}${(100_000).toString(16)}\r\n${"b".repeat(100_000)}\r\n0\r\nx-i: ${i}\r\n\r\n`;
  for (let i = 0; i < 20; i++) client.write(one(i));
  const answers = await client.responses(20);
  for (const [i, answer] of answers.entries()) assert.equal(JSON.parse(answer.text())[1], [["x-i", String(i)]]);
});

test("a body that is cut, and one that is answered before its end, have none: the promise says why", async () => {
  const why: string[] = [];
  let calls = 0;
  using server = start((request, info) => {
    calls++;
    info.requestTrailers().then(
      () => why.push("came"),
      (error: Error) => why.push(`${error.name}: ${error.message}`),
    );
    return request.url.endsWith("/early") ? new Response("early") : request.text().then((text) => new Response(text));
  });
  for (const path of ["/", "/early"]) {
    using client = await connect(server.port);
    client.write(`${CHUNKED.replace("/ ", `${path} `)}5\r\nhel`);
    if (path === "/early") await client.response();
    else await eventually(() => calls === 1, "it is there");
    client.reset();
    await eventually(() => why.length > 0, "it is told");
    assert.match(why.pop() ?? "", path === "/" ? /the client went away before/ : /answered before its body was read/);
  }
});

test("trailers that are too large are refused", async () => {
  using server = told();
  if (!overHttp2) {
    const [answer] = await exchange(server.port, `${CHUNKED}0\r\nx-a: ${"v".repeat(17_000)}\r\n\r\n`);
    assert.is(answer.status, 400);
    return;
  }
  using raw = await open(server.port);
  raw.request(1, POST, END_HEADERS);
  const fields = block([["x-a", "v".repeat(17_000)]]);
  raw.write(
    frame(HEADERS, END_STREAM, 1, fields.subarray(0, 10_000)),
    frame(CONTINUATION, END_HEADERS, 1, fields.subarray(10_000)),
  );
  assert.is(await raw.reset(1), 1);
  const many = block(Array.from({ length: 400 }, (_, i) => [`x-${i}`, "v"] as const));
  raw.request(3, POST, END_HEADERS);
  raw.write(frame(HEADERS, END_STREAM | END_HEADERS, 3, many));
  assert.is(await raw.reset(3), 1);
  raw.request(5, POST, END_HEADERS);
  raw.request(5, [["x-a", "1"]]);
  assert.equal(JSON.parse(`${(await raw.response(5)).body}`), ["", [["x-a", "1"]]]);
});

if (overHttp2) {
  test("HTTP/2: behind a body that is complete by its length they may come later, or never", async () => {
    let failed = "";
    using server = start(async (request, info) => {
      const body = await request.text();
      try {
        return Response.json([body, [...(await info.requestTrailers())]]);
      } catch (error) {
        failed = (error as Error).name;
        throw error;
      }
    });
    using raw = await open(server.port);
    for (const id of [1, 3]) {
      raw.request(id, [...POST, ["content-length", "5"]], END_HEADERS);
      raw.write(frame(DATA, 0, id, "hello"));
    }
    await raw.settled();
    raw.request(1, [["x-sum", "1"]]);
    assert.equal(JSON.parse(`${(await raw.response(1)).body}`), ["hello", [["x-sum", "1"]]]);
    raw.write(frame(RST_STREAM, 0, 3, uint32(8)));
    await eventually(() => failed !== "", "it is told");
    assert.is(failed, "AbortError");
  });
}

test.run();
