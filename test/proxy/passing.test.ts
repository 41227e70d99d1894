// What a proxy passes on, of requests and of answers, and what it keeps to itself (RFC 9110, 7.6; RFC 7239).
import { createHash, randomBytes } from "node:crypto";
import { createServer, request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { proxy } from "../../src/proxy/mod.ts";
import { rawServer, saying, until } from "../client/support.ts";
import { connect } from "../http/support/client.ts";
import type { RawResponse } from "../http/support/responses.ts";
import { start } from "../http/support/server.ts";
import { overTls } from "../support/tls.ts";
import { type Echoed, echo, nodeUpstream, proxied, type TestProxy, values } from "./support.ts";

const SCHEME = overTls ? "https" : "http";

async function ask(edge: TestProxy, head: string, body = "", method = "GET"): Promise<RawResponse> {
  using client = await connect(edge.port);
  client.write(`${head.replaceAll("\n", "\r\n")}\r\n\r\n${body}`);
  return await client.response(method);
}
const echoed = async (edge: TestProxy, head: string, body = ""): Promise<Echoed> => {
  const response = await ask(edge, head, body);
  assert.is(response.status, 200, response.text());
  return JSON.parse(response.text());
};

test("target and method go as they came, Host too", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  for (const target of ["/", "/a/../b//c?x=%2F#".replace("#", ""), "/%2e%2e/x", "//evil/x", "/?a=b?c"]) {
    const got = await echoed(edge, `GET ${target} HTTP/1.1\nHost: shop.example:81`);
    assert.equal([got.method, got.url, values(got, "host")], ["GET", target, ["shop.example:81"]]);
  }
  const absolute = await echoed(edge, "GET http://other.example/p?q HTTP/1.1\nHost: other.example");
  assert.equal([absolute.url, values(absolute, "host")], ["/p?q", ["other.example"]]);
  const options = await echoed(edge, "OPTIONS * HTTP/1.1\nHost: x");
  assert.is(options.url, "*");
  const own = await echoed(edge, "PROPFIND /x HTTP/1.1\nHost: x");
  assert.equal([own.method, values(own, "content-length")], ["PROPFIND", ["0"]]);
});

test("Host may be the upstream's own, or another one", async () => {
  using upstream = await nodeUpstream(echo);
  using own = proxied(upstream.base, { host: "upstream" });
  using other = proxied(upstream.base, { host: "app.internal" });
  using pass = proxied(upstream.base);
  const host = async (edge: TestProxy, head: string): Promise<string[]> => values(await echoed(edge, head), "host");
  assert.equal(await host(own, "GET / HTTP/1.1\nHost: x"), [`127.0.0.1:${upstream.port}`]);
  assert.equal(await host(other, "GET / HTTP/1.1\nHost: x"), ["app.internal"]);
  assert.equal(await host(pass, "GET / HTTP/1.0"), [`127.0.0.1:${upstream.port}`]);
});

test("what is about a connection stays behind, and what Connection names", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  const got = await echoed(
    edge,
    `GET / HTTP/1.1
Host: x
Connection: x-secret, keep-alive
X-Secret: 1
Keep-Alive: timeout=5
Proxy-Connection: keep-alive
Proxy-Authorization: Basic eA==
Proxy: http://evil/
TE: trailers
Trailer: x
Upgrade: h2c
HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA
Expect-CT: stays
X-Stays: a
X-Stays: b`,
  );
  const names = got.rawHeaders.filter((_, i) => i % 2 === 0);
  assert.equal(names, ["host", "connection", "te", "expect-ct", "x-stays", "x-stays", "forwarded", "via"]);
  assert.equal(values(got, "connection"), ["te"]);
  assert.not(names.includes("x-secret"));
});

test("a client can't make the proxy forget what it adds, nor say it in its place", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base, { xForwarded: true, name: "edge" });
  const got = await echoed(
    edge,
    `GET / HTTP/1.1
Host: x.example
Connection: close, X-Forwarded-For, Forwarded, Via
X-Forwarded-For: 6.6.6.6
X_Forwarded_For: 6.6.6.6
X-Forwarded-Proto: gopher
X-Forwarded-Host: evil
X-Real-IP: 6.6.6.6
Forwarded: for=6.6.6.6`,
  );
  assert.equal(values(got, "x-forwarded-for"), ["127.0.0.1"]);
  assert.equal(values(got, "x_forwarded_for"), []);
  assert.equal(values(got, "x-real-ip"), []);
  assert.equal(values(got, "x-forwarded-proto"), [SCHEME]);
  assert.equal(values(got, "x-forwarded-host"), ["x.example"]);
  assert.equal(values(got, "forwarded"), [`for=127.0.0.1;host=x.example;proto=${SCHEME}`]);
  assert.equal(values(got, "via"), ["1.1 edge"]);
});

test("what a trusted proxy says of its client stays, and ours comes behind", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base, { name: "edge" }, { trustProxy: "loopback" });
  const standard = await echoed(edge, "GET / HTTP/1.1\nHost: x\nForwarded: for=9.9.9.9;proto=https\nVia: 1.0 front");
  assert.equal(values(standard, "forwarded"), [`for=9.9.9.9;proto=https, for=127.0.0.1;host=x;proto=${SCHEME}`]);
  assert.equal(values(standard, "via"), ["1.0 front, 1.1 edge"]);
  const older = await echoed(edge, "GET / HTTP/1.1\nHost: x\nX-Forwarded-For: 9.9.9.9");
  assert.equal(values(older, "forwarded"), [`for=9.9.9.9, for=127.0.0.1;host=x;proto=${SCHEME}`]);
  assert.equal(values(older, "x-forwarded-for"), []);
  using both = proxied(upstream.base, { xForwarded: true }, { trustProxy: "loopback" });
  const chain = await echoed(both, "GET / HTTP/1.1\nHost: x\nX-Forwarded-For: 9.9.9.9\nX-Forwarded-Proto: https");
  assert.equal(values(chain, "x-forwarded-for"), ["9.9.9.9, 127.0.0.1"]);
  assert.equal(values(chain, "x-forwarded-proto"), ["https"]);
});

test("bodies: with a length, in chunks, large, empty; and a length that stays one", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  const length = await echoed(edge, "POST / HTTP/1.1\nHost: x\nContent-Length: 5", "hello");
  assert.equal([length.body, values(length, "content-length")], ["hello", ["5"]]);
  const empty = await echoed(edge, "POST / HTTP/1.1\nHost: x\nContent-Length: 0");
  assert.equal([empty.length, values(empty, "content-length")], [0, ["0"]]);
  using client = await connect(edge.port);
  client.write("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  client.write("6\r\n world\r\n0\r\nX-Trailer: dropped\r\n\r\n");
  const chunked: Echoed = JSON.parse((await client.response()).text());
  assert.is(chunked.body, "hello world");
  assert.equal(values(chunked, "x-trailer"), []);
  using large = await connect(edge.port);
  large.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  large.write(Buffer.alloc(3_000_000, 65));
  const got: Echoed = JSON.parse((await large.response()).text());
  assert.equal([got.length, values(got, "content-length")], [3_000_000, ["3000000"]]);
});

test("Expect: 100-continue is answered when there is somebody to take the body", async () => {
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  await client.saw("100 Continue");
  client.write("body");
  const [, response] = await client.responses(2);
  const got: Echoed = JSON.parse(response.text());
  assert.equal([got.body, values(got, "expect")], ["body", []]);
});

test("a download of many MiB comes through whole, and a pipeline in order", async () => {
  const bytes = randomBytes(8_000_000);
  using upstream = await nodeUpstream((request, response) =>
    response.end(request.url === "/big" ? bytes : request.url),
  );
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write(["/a", "/big", "/c"].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
  const responses = await client.responses(3);
  const hash = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
  assert.equal([responses[0].text(), hash(responses[1].body), responses[2].text()], ["/a", hash(bytes), "/c"]);
});

const answers: Readonly<Record<string, readonly [said: string, method: string, check: (r: RawResponse) => void]>> = {
  "HEAD with a length": [
    "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
    "HEAD",
    (r) => assert.equal([r.header("content-length"), r.body.length], ["1234", 0]),
  ],
  "HEAD without one": [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HEAD",
    (r) => assert.equal([r.header("content-length"), r.header("transfer-encoding")], [null, null]),
  ],
  "204 with a length": [
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "GET",
    (r) => assert.equal([r.status, r.header("content-length"), r.body.length], [204, null, 0]),
  ],
  "304 with a length": [
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n',
    "GET",
    (r) => assert.equal([r.status, r.header("etag"), r.body.length], [304, '"x"', 0]),
  ],
  "interim responses before it that are its server's own matter": [
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "GET",
    (r) => assert.equal([r.status, r.text()], [200, "ok"]),
  ],
  trailers: [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n2\r\nok\r\n0\r\nX: behind\r\n\r\n",
    "GET",
    (r) => assert.equal([r.text(), r.header("trailer"), r.header("x")], ["ok", null, null]),
  ],
  "its own words, several cookies, another status": [
    "HTTP/1.1 299 Sort Of\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: up\r\nVia: 1.0 back\r\nContent-Length: 0\r\n\r\n",
    "GET",
    (r) => {
      assert.equal([r.status, r.reason, r.header("server")], [299, "Sort Of", "up"]);
      assert.equal(r.fields.filter(([name]) => name === "set-cookie").length, 2);
      assert.is(r.header("via"), "1.0 back, 1.1 edge");
    },
  ],
  "what is about its connection": [
    "HTTP/1.1 200 OK\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
    "GET",
    (r) => {
      for (const name of ["connection", "x-hop", "keep-alive", "proxy-authenticate", "upgrade"]) {
        assert.is(r.header(name), null, name);
      }
    },
  ],
  "a coding that nobody here undoes": [
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz",
    "GET",
    (r) => assert.equal([r.header("content-encoding"), r.header("content-length"), r.text()], ["gzip", "3", "xyz"]),
  ],
};
for (const [what, [said, method, check]] of Object.entries(answers)) {
  test(`answers: ${what}`, async () => {
    const upstream = await saying(said);
    try {
      using edge = proxied(upstream.base, { name: "edge" });
      using client = await connect(edge.port);
      client.write(`${method} / HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(2));
      const [first, second] = await client.responses(2, [method, method]);
      check(first);
      check(second);
    } finally {
      upstream.close();
    }
  });
}

test("early hints are passed on as they come", async () => {
  let finish = (): void => {};
  const upstream = await rawServer((socket) => {
    socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\nX: hop\r\n\r\n");
    finish = () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.saw("a.css");
    finish();
    const [hints, response] = await client.responses(2);
    assert.equal([hints.status, hints.header("link"), hints.header("x")], [103, "</a.css>; rel=preload", null]);
    assert.equal([response.status, response.text()], [200, "ok"]);
  } finally {
    upstream.close();
  }
});

test("an answer streams: each piece comes when the upstream has said it", async () => {
  let say: (text: string) => void = () => {};
  const upstream = await rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    say = (text) => socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  });
  try {
    using edge = proxied(upstream.base);
    using client = await connect(edge.port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.saw("event-stream");
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      say(event);
      await client.saw(event);
    }
  } finally {
    upstream.close();
  }
});

test("a request streams: the upstream has its first piece before the last is sent", async () => {
  let got = "";
  using upstream = await nodeUpstream((request, response) => {
    request.on("data", (bytes: Buffer) => {
      got += bytes.toString();
    });
    request.on("end", () => response.end("ok"));
  });
  using edge = proxied(upstream.base);
  using client = await connect(edge.port);
  client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
  await until(() => got === "first");
  client.write("4\r\nlast\r\n0\r\n\r\n");
  assert.is((await client.response()).text(), "ok");
  assert.is(got, "firstlast");
});

test("a handler may send another body than the one that came: it has its own length, whatever came", async () => {
  if (overTls) return;
  using upstream = await nodeUpstream(echo);
  const handler = proxy(upstream.base);
  try {
    const bodies = ["changed", new TextEncoder().encode("changed"), new Blob(["changed"]), undefined];
    for (const body of bodies) {
      const init = body === undefined ? {} : { body };
      using front = start((request, info) => handler(new Request(request, init), info));
      for (const size of [5, 300_000]) {
        for (const sent of ["b".repeat(size), new Blob(["b".repeat(size)]).stream()]) {
          const asked = { method: "POST", body: sent, duplex: "half", signal: AbortSignal.timeout(20_000) };
          const got: Echoed = await (await fetch(front.url, asked as RequestInit)).json();
          assert.is(got.length, body === undefined ? size : 7);
          const chunked = body === undefined && typeof sent !== "string";
          assert.equal(values(got, "content-length"), chunked ? [] : [String(got.length)]);
        }
      }
    }
  } finally {
    handler.close();
  }
});

test("HTTP/2 in front, HTTP/1.1 behind", async () => {
  if (overTls) return;
  using upstream = await nodeUpstream(echo);
  using edge = proxied(upstream.base, { name: "edge" }, { h2c: true });
  const session = connectHttp2(edge.url);
  const ask2 = async (headers: Record<string, string>, body?: string): Promise<Echoed> => {
    const stream = session.request(headers);
    stream.end(body);
    let text = "";
    for await (const part of stream) text += part;
    return JSON.parse(text);
  };
  const get = await ask2({ ":path": "/x?y", te: "trailers", cookie: "a=1" });
  assert.equal(
    [get.url, values(get, "via"), values(get, "te"), values(get, "cookie")],
    ["/x?y", ["2 edge"], ["trailers"], ["a=1"]],
  );
  assert.equal(values(get, "host"), [`127.0.0.1:${edge.port}`]);
  const post = await ask2({ ":path": "/", ":method": "POST" }, "b".repeat(300_000));
  assert.equal([post.length, values(post, "transfer-encoding")], [300_000, ["chunked"]]);
  session.close();
});

test("a Unix socket is an upstream too", async () => {
  const path = `\0slipway-proxy-${process.pid}`;
  const server = createServer(echo);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    using edge = proxied(`unix:@${path.slice(1)}`);
    const got = await echoed(edge, "GET /x HTTP/1.1\nHost: shop");
    assert.equal([got.url, values(got, "host")], ["/x", ["shop"]]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("the server in front compresses what the upstream does not", async () => {
  const text = "compress me ".repeat(1000);
  using upstream = await nodeUpstream((request, response) => {
    response.setHeader("content-type", "text/plain");
    if (request.url === "/whole") response.end(text);
    else {
      response.write(text);
      setImmediate(() => response.end(text));
    }
  });
  using edge = proxied(upstream.base, {}, { compress: true });
  for (const [path, whole] of [
    ["/whole", text],
    ["/stream", text + text],
  ]) {
    const response = await ask(edge, `GET ${path} HTTP/1.1\nHost: x\nAccept-Encoding: gzip`);
    assert.equal([response.header("content-encoding"), gunzipSync(response.body).toString()], ["gzip", whole]);
  }
});

test("a request that the program has changed goes as it is now", async () => {
  using upstream = await nodeUpstream(echo);
  const pass = proxy(upstream.base);
  using edge = start((request, info) => {
    const url = new URL(request.url);
    url.pathname = url.pathname.replace(/^\/api/, "");
    const changed = new Request(url, request);
    changed.headers.set("x-added", "1");
    return pass(changed, info);
  });
  const answer = await new Promise<string>((resolve, reject) => {
    const { request } = overTls ? process.getBuiltinModule("node:https") : { request: httpRequest };
    const sent = request(`${edge.url}/api/x?y`, { method: "POST", rejectUnauthorized: false }, (response) => {
      response.setEncoding("utf8").once("data", resolve);
    });
    sent.on("error", reject);
    sent.end("body");
  });
  pass.close();
  const got: Echoed = JSON.parse(answer);
  assert.equal([got.method, got.url, got.body, values(got, "x-added")], ["POST", "/x?y", "body", ["1"]]);
});

test("a request that came over no connection is passed on as well", async () => {
  using upstream = await nodeUpstream(echo);
  const pass = proxy(upstream.base, { xForwarded: true });
  const got: Echoed = JSON.parse(
    await (await pass(new Request("https://shop.example/a?b", { method: "POST", body: "x" }))).text(),
  );
  pass.close();
  assert.equal([got.method, got.url, got.body, values(got, "host")], ["POST", "/a?b", "x", ["shop.example"]]);
  assert.equal(values(got, "forwarded"), ["for=unknown;host=shop.example;proto=https"]);
});

test("options are checked where the proxy is made", () => {
  assert.throws(() => proxied("ftp://x"), /is no upstream: write http:\/\/host:port/);
  assert.throws(() => proxied("http://x/path"), /is no upstream/);
  assert.throws(() => proxied([]), /proxy needs an upstream/);
  assert.throws(() => proxied("http://x", { tries: 0 }), /tries of proxy must be a whole number from 1/);
  assert.throws(() => proxied("http://x", { timeout: 1 } as never), /'timeout' is no option/);
  assert.throws(() => proxied("http://x", { host: "a b" }), /host of proxy must be/);
  assert.throws(() => proxied("http://x", { headerTimeout: "soon" }), /headerTimeout of proxy/);
});

test.run();
