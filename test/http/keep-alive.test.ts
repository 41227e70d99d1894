// One connection, many requests: when it goes on, when it ends, and requests that come in any pieces.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { overTls } from "../support/tls.ts";
import { connect } from "./support/client.ts";
import { eventually, start, turns } from "./support/server.ts";

const echo = async (request: Request): Promise<Response> =>
  new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`);

test("requests follow each other on one connection", async () => {
  using server = start(echo);
  using client = await connect(server.port);
  for (let i = 0; i < 50; i++) {
    client.write(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const response = (await client.responses(i + 1))[i];
    assert.is(response.text(), `GET /${i} `);
    assert.is(response.header("connection"), null);
  }
  assert.is(server.server.connections, 1);
});

for (const [name, request, persists, says] of [
  ["HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, null],
  ["HTTP/1.1, close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false, "close"],
  ["HTTP/1.1, Close in a list", "GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close ,y\r\n\r\n", false, "close"],
  [
    "HTTP/1.1, close in the second line",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: x\r\nConnection: close\r\n\r\n",
    false,
    "close",
  ],
  ["HTTP/1.1, closed", "GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n", true, null],
  ["HTTP/1.1, keep-alive", "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", true, null],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", false, "close"],
  ["HTTP/1.0, keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, "keep-alive"],
  ["HTTP/1.0, keep-alive and close", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, "close"],
] as const) {
  for (const [kind, handler] of [
    ["at once", () => new Response("x")],
    ["later", async () => new Response("x")],
  ] as const) {
    test(`${name}, answered ${kind}: ${persists ? "goes on" : "ends"}`, async () => {
      using server = start(handler);
      using client = await connect(server.port);
      client.write(request);
      const response = await client.response();
      assert.is(response.status, 200);
      assert.is(response.version, "HTTP/1.1");
      assert.is(response.header("connection"), says);
      if (persists) {
        client.write(request);
        await client.responses(2);
      } else await client.untilEnd();
    });
  }
}

const DRIPPED =
  "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" +
  "POST /second HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n" +
  "GET /third HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const ANSWERS = ["POST /first hello", "POST /second abcde", "GET /third "];

test("one byte at a time", async () => {
  using server = start(echo);
  using client = await connect(server.port);
  for (const byte of DRIPPED) {
    await client.send(byte);
    await turns(1);
  }
  const responses = await client.untilEnd();
  assert.equal(
    responses.map((response) => response.text()),
    ANSWERS,
  );
});

test("cut in two at every place", async () => {
  using server = start(echo);
  await Promise.all(
    Array.from({ length: DRIPPED.length }, async (_, cut) => {
      using client = await connect(server.port);
      await client.send(DRIPPED.slice(0, cut));
      await turns(2);
      client.write(DRIPPED.slice(cut));
      const responses = await client.untilEnd();
      assert.equal(
        responses.map((response) => response.text()),
        ANSWERS,
      );
    }),
  );
});

test("a bad head in pieces is refused as soon as a whole line shows it", async () => {
  using server = start(echo);
  for (const bad of [
    "GET / HTTP/1.1\nHost: x\n\n",
    "GET / HTTP/1.1\r\nHost: x\n\n",
    "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
  ]) {
    for (let cut = 1; cut < bad.length; cut++) {
      using client = await connect(server.port);
      await client.send(bad.slice(0, cut));
      await turns(2);
      client.write(bad.slice(cut));
      assert.is((await client.untilEnd())[0].status, 400);
    }
  }
});

test("an empty line before a request, as old clients send it after a body", async () => {
  using server = start(echo);
  using client = await connect(server.port);
  client.write("\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\r\n");
  await client.responses(1);
  client.write("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.is((await client.responses(2))[1].text(), "GET /next ");
});

test("a large head in small pieces costs no more than its size", async () => {
  using server = start((request) => new Response(String(request.headers.get("x-last"))));
  using client = await connect(server.port);
  const lines = Array.from({ length: 200 }, (_, i) => `X-${i}: ${"v".repeat(2000)}\r\n`).join("");
  const head = `GET / HTTP/1.1\r\nHost: x\r\n${lines}X-Last: yes\r\n\r\n`;
  for (let at = 0; at < head.length; at += 997) await client.send(head.slice(at, at + 997));
  assert.is((await client.response()).text(), "yes");
});

test("a client that goes away between requests, or inside of one, is forgotten", async () => {
  using server = start(echo);
  for (const sent of ["", "GET", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"]) {
    const client = await connect(server.port);
    if (sent !== "") await client.send(sent);
    if (sent.endsWith("\r\n\r\n")) await client.responses(1);
    client.end();
    await client.gone();
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
    client.socket.destroy();
  }
});

test("the absolute form names the host; Host does not (RFC 9112, 3.2.2)", async () => {
  using server = start((request) => new Response(request.url));
  using client = await connect(server.port);
  const own = overTls ? "https" : "http";
  client.write("GET http://example.com:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n");
  client.write("GET HTTP://EXAMPLE.com HTTP/1.1\r\nHost: other\r\n\r\n");
  client.write("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  client.write("GET //double/slash HTTP/1.1\r\nHost: a\r\n\r\n");
  client.write("GET /a/../b/%2e%2e/c HTTP/1.1\r\nHost: A.example:80\r\n\r\n");
  client.write("GET /?q='\"|^` HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
  client.write("GET /ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert.equal(
    (await client.responses(7)).map((response) => response.text()),
    [
      "http://example.com:81/a?b",
      "http://example.com/",
      `${own}://a/*`,
      `${own}://a//double/slash`,
      overTls ? "https://a.example:80/c" : "http://a.example/c",
      new URL(`${own}://[::1]:8080/?q='"|^\``).href,
      `${own}://127.0.0.1:${server.port}/ten`,
    ],
  );
});

test("lower-case and unknown methods reach the handler as they are", async () => {
  using server = start((request) => new Response(request.method));
  using client = await connect(server.port);
  client.write(
    "get / HTTP/1.1\r\nHost: x\r\n\r\nPROPFIND / HTTP/1.1\r\nHost: x\r\n\r\nM-!x / HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  assert.equal(
    (await client.responses(3)).map((response) => response.text()),
    ["get", "PROPFIND", "M-!x"],
  );
});

test.run();
