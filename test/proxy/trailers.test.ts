// Trailer fields through a proxy, both ways (RFC 9110, 6.5): node:http and our own server behind, HTTP/1.1 and HTTP/2 in front.
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../client/support.ts";
import { connect } from "../http/support/client.ts";
import { start } from "../http/support/server.ts";
import { overTls } from "../support/tls.ts";
import { nodeUpstream, proxied, type TestProxy } from "./support.ts";

interface Told {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: NodeJS.Dict<string | string[]>;
}

/** What node:http has of the answer. */
function ask(
  edge: TestProxy,
  {
    method = "GET",
    headers = {},
    body = "",
    trailers = {},
  }: Partial<Record<"method" | "body", string>> & {
    readonly headers?: Record<string, string>;
    readonly trailers?: Record<string, string>;
  } = {},
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { port: edge.port, host: "127.0.0.1", path: "/", method, headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () =>
          resolve({ status: response.statusCode, body: text, headers: response.headers, trailers: response.trailers }),
        );
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    if (body !== "") sent.write(body);
    sent.addTrailers(trailers);
    sent.end();
  });
}

/** An upstream of bytes. */
async function upstreamOf(connection: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    connection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { base: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
}

/** Answers with what it was asked, and says its own behind it. */
function nodeEcho(request: IncomingMessage, response: ServerResponse): void {
  let body = "";
  request.setEncoding("utf8").on("data", (part: string) => (body += part));
  request.on("end", () => {
    const { headers, trailers, rawTrailers } = request;
    // node:http announces none to HEAD.
    response.writeHead(200, request.method === "HEAD" ? {} : { trailer: "x-sum, content-type" });
    response.write(JSON.stringify({ body, te: headers.te, trailer: headers.trailer, trailers, rawTrailers }));
    response.addTrailers({ "x-sum": "of the answer", "x-b": "kept", Via: "9.9 nobody" });
    response.end();
  });
}

const plain = overTls ? () => {} : test;

plain("both ways, node:http before and behind", async () => {
  using upstream = await nodeUpstream(nodeEcho);
  using edge = proxied(upstream.base);
  for (const size of [5, 300_000]) {
    const { body, trailers, headers } = await ask(edge, {
      method: "POST",
      headers: { te: "trailers", connection: "te, close", trailer: "X-Sum, Host", "transfer-encoding": "chunked" },
      body: "b".repeat(size),
      trailers: { "X-Sum": "of the request" },
    });
    const got = JSON.parse(body);
    assert.is(got.body.length, size);
    assert.equal(got.trailers, { "x-sum": "of the request" });
    assert.equal([got.te, got.trailer], ["trailers", "x-sum"]);
    assert.equal({ ...trailers }, { "x-sum": "of the answer", "x-b": "kept" }, "without its Via");
    assert.is(headers["transfer-encoding"], "chunked");
  }
  // Nobody said that it takes any: the upstream is not told so.
  assert.is(JSON.parse((await ask(edge)).body).te, undefined);
});

plain("our own server behind, which knows them by info.trailers and info.requestTrailers", async () => {
  using upstream = start(async (request, info) => {
    const body = await request.text();
    info.trailers({ "x-length": `${body.length}` });
    return Response.json([...(await info.requestTrailers())]);
  });
  using edge = proxied(`http://127.0.0.1:${upstream.port}`);
  const headers = { "transfer-encoding": "chunked" };
  const told = await ask(edge, { method: "PUT", headers, body: "hello", trailers: { "x-a": "1", "X-B": "2" } });
  assert.equal(JSON.parse(told.body), [
    ["x-a", "1"],
    ["x-b", "2"],
  ]);
  assert.equal({ ...told.trailers }, { "x-length": "5" });
});

plain("HTTP/2 in front: its own frames of trailers, also beside a content-length", async () => {
  using upstream = await nodeUpstream(nodeEcho);
  using edge = proxied(upstream.base, {}, { h2c: true });
  const session = connectHttp2(edge.url);
  try {
    for (const length of [undefined, "5"]) {
      const stream = session.request(
        { ":method": "POST", te: "trailers", trailer: "x-sum", ...(length && { "content-length": length }) },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "by frame", "x-forwarded-for": "6.6.6.6" }));
      stream.end("hello");
      let text = "";
      let behind: Record<string, unknown> = {};
      stream.on("trailers", (fields) => (behind = fields));
      for await (const part of stream) text += part;
      const got = JSON.parse(text);
      assert.equal([got.body, got.te, got.trailer], ["hello", "trailers", "x-sum"]);
      assert.equal(got.trailers, { "x-sum": "by frame" }, "and not what would be said of who asks");
      assert.is(behind["x-sum"], "of the answer");
    }
  } finally {
    session.close();
  }
});

plain("what frames, routes or names the connection does not get through behind a body either", async () => {
  const bad = [
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Host: evil",
    "Authorization: Basic eA==",
    "Set-Cookie: a=b",
    "Content-Type: text/evil",
    "Proxy-Status: x",
    "Connection: close",
    "X-Hop: 1",
    "X-Request-Id: theirs",
    "Forwarded: for=6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
  ];
  const section = `${bad.join("\r\n")}\r\nX-Fine: yes\r\n\r\n`;
  const seen: string[] = [];
  using upstream = await upstreamOf((socket) => {
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (!text.includes("\r\n0\r\n") || !/\r\n0\r\n(?:.+\r\n)*\r\n$/.test(text)) return;
      seen.push(text.slice(text.lastIndexOf("\r\n0\r\n") + 5));
      text = "";
      socket.write(
        `HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${section}`,
      );
    });
  });
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  let all = "";
  client.socket.on("data", (data) => (all += data.toString("latin1")));
  client.write(
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${section}`,
  );
  await until(() => all.endsWith("\r\n\r\n") && all.includes("\r\n0\r\n"));
  assert.equal(seen, ["x-fine: yes\r\n\r\n"]);
  assert.is(all.slice(all.lastIndexOf("\r\n0\r\n") + 5), "x-fine: yes\r\n\r\n");
});

plain("more than fits behind a body is left out, and the body is whole all the same", async () => {
  using upstream = await nodeUpstream((_, response) => {
    response.write("whole");
    response.addTrailers({ "x-large": "v".repeat(15_000) });
    response.end();
  });
  using edge = proxied(upstream.base);
  const { body, trailers } = await ask(edge);
  assert.equal([body, Object.keys(trailers)], ["whole", []]);
});

plain("those of an answer that the program did not send are not sent with another", async () => {
  using upstream = await nodeUpstream((_, response) => {
    response.write("begun, and never ended");
  });
  const edge = proxied(upstream.base);
  using front = start(async (request, info) => {
    await edge.handler(request, info);
    return new Response("instead");
  });
  try {
    const { body, headers, trailers } = await ask(front as TestProxy);
    assert.equal([body, headers["content-length"], Object.keys(trailers)], ["instead", "7", []]);
  } finally {
    edge[Symbol.dispose]();
  }
});

plain("an upstream that ends within its trailers is a cut, not an end", async () => {
  using upstream = await upstreamOf((socket) => {
    socket.once("data", () => {
      socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Su");
    });
  });
  using edge = proxied(upstream.base);
  let failed = "";
  await ask(edge).catch((error: Error & { code?: string }) => (failed = error.code ?? error.message));
  assert.is(failed, "ECONNRESET");
});

plain("HTTP/1.0 and HEAD have none", async () => {
  using upstream = await nodeUpstream(nodeEcho);
  using edge = proxied(upstream.base);
  using old = await connect(edge.port);
  old.write("GET / HTTP/1.0\r\n\r\n");
  const answer = await old.response();
  assert.is(answer.status, 200);
  assert.not.match(answer.text(), /x-sum: of the answer/);
  const head = await ask(edge, { method: "HEAD" });
  assert.equal([head.status, Object.keys(head.trailers)], [200, []]);
});

if (overTls) test("nothing here is about TLS", () => {});
test.run();
