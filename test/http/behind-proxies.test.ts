/** A server behind proxies: who the client is, by PROXY headers and by forwarding fields, and who may not say so. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { counters, LIMITS } from "../../src/http/counters.ts";
import type { Handler } from "../../src/http/mod.ts";
import { forwardedUrl } from "../../src/http/request-url.ts";
import { crcTlv, v2 } from "../net/proxy-header.ts";
import { logged } from "../support/logged.ts";
import { connect, exchange } from "./support/client.ts";
import { eventually, start } from "./support/server.ts";

const test = suite("behind proxies");
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** What a request says of itself. */
const tell: Handler = (request, info) => {
  const { remoteAddr } = info;
  const from = "port" in remoteAddr ? `${remoteAddr.hostname} ${remoteAddr.port}` : `unix ${remoteAddr.path}`;
  return new Response(`${from} ${request.url} ${request.headers.get("host")}`);
};
const get = (fields = "", target = "/a?b", host = "shop"): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`;
const line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const fired = (): number => counters.limits[LIMITS.indexOf("proxyProtocol")];

async function told(port: number | string, data: string | Uint8Array): Promise<string> {
  const [response] = await exchange(port, data);
  return response === undefined
    ? "nothing"
    : response.status === 200
      ? response.body.toString()
      : String(response.status);
}

test("without the options nothing is believed", async () => {
  using server = start(tell);
  const fields =
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=192.0.2.1\r\n";
  assert.match(await told(server.port, get(fields)), /^127\.0\.0\.1 \d+ http:\/\/shop\/a\?b shop$/);
  assert.is(await told(server.port, line + get()), "400");
});

test("--trust-proxy: the client, the scheme and the host are those that trusted proxies name", async () => {
  using server = start(tell, { trustProxy: ["loopback", "10.0.0.0/8"] });
  const { port } = server;
  assert.match(await told(port, get()), /^127\.0\.0\.1 [1-9]\d* http:\/\/shop\/a\?b shop$/);
  assert.is(
    await told(port, get("X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.0.0.1\r\n")),
    "192.0.2.1 0 http://shop/a?b shop",
  );
  assert.is(
    await told(
      port,
      get("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: Shop.Example:8443\r\n"),
    ),
    "192.0.2.1 0 https://shop.example:8443/a?b shop",
  );
  assert.is(
    await told(port, get('Forwarded: for="[2001:db8::1]:5000";proto=https;host=shop.example\r\n')),
    "2001:db8::1 5000 https://shop.example/a?b shop",
  );
  // Several lines are one list.
  assert.is(
    await told(port, get("x-forwarded-for: 192.0.2.1\r\nX-FORWARDED-FOR: 10.0.0.1\r\n")),
    "192.0.2.1 0 http://shop/a?b shop",
  );
  assert.is(
    await told(port, get("X-Forwarded-Proto: https\r\n", "http://inner/x?y")).then((text) =>
      text.split(" ").slice(2).join(" "),
    ),
    "https://inner/x?y shop",
  );
});

test("--trust-proxy: what contradicts itself is refused, before the handler and before the body", async () => {
  let called = 0;
  using server = start(() => new Response(String(++called)), { trustProxy: "127.0.0.1" });
  for (const fields of [
    "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n",
    "X-Forwarded-For: nonsense\r\n",
    "X-Forwarded-Proto: gopher\r\n",
    "Forwarded: for=192.0.2.1;host=a/b\r\n",
    "Forwarded: for=\r\nContent-Length: 5\r\nExpect: 100-continue\r\n",
  ]) {
    const lines = await logged(async () => assert.is(await told(server.port, get(fields)), "400", fields));
    assert.ok(lines.length <= 1);
  }
  assert.is(called, 0);
  assert.is(await told(server.port, get("X-Forwarded-For: 192.0.2.2\r\n")), "1");
});

test("--trust-proxy: on a kept connection each request is somebody else's", async () => {
  using server = start(tell, { trustProxy: "127.0.0.1" });
  using client = await connect(server.port);
  const requests = [1, 2, 3].map((i) => get(`X-Forwarded-For: 192.0.2.${i}\r\n`).replace("Connection: close\r\n", ""));
  client.write(requests.join(""));
  const answers = await client.responses(3);
  assert.equal(
    answers.map(({ body }) => body.toString().split(" ")[0]),
    ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
  );
});

test("--trust-proxy: a proxy on a Unix socket, when it is named", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "slipway-test-")), "s.sock");
  const fields = get("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n");
  {
    using _server = start(tell, { path, port: undefined, hostname: undefined, trustProxy: "loopback" } as never);
    assert.is(await told(path, fields), `unix ${path} http://shop/a?b shop`);
  }
  using _server = start(tell, { path, port: undefined, hostname: undefined, trustProxy: "unix" } as never);
  assert.is(await told(path, fields), "192.0.2.1 0 https://shop/a?b shop");
});

test("--proxy-protocol: version 1 and 2, with the request behind it or later, byte by byte", async () => {
  using server = start(tell, { proxyProtocol: true });
  const four = [192, 0, 2, 7, 5, 6, 7, 8, 0xdc, 0x04, 0x01, 0xbb];
  for (const header of [
    latin1(line),
    v2(0x21, 0x11, four),
    v2(0x21, 0x11, four, [crcTlv, [0xe0, Array(500).fill(1)]]),
  ]) {
    const whole = Buffer.concat([header, latin1(get())]);
    assert.is(await told(server.port, whole), "192.0.2.7 56324 http://shop/a?b shop");
    using late = await connect(server.port);
    await late.send(header);
    await late.send(get());
    assert.match((await late.response()).body.toString(), /^192\.0\.2\.7 56324 /);
    using dripped = await connect(server.port);
    for (const byte of whole) await dripped.send(Uint8Array.of(byte));
    assert.match((await dripped.response()).body.toString(), /^192\.0\.2\.7 56324 /);
  }
});

test("--proxy-protocol: the client is known for as long as its connection lives, and to nobody afterwards", async () => {
  using server = start(tell, { proxyProtocol: true });
  using client = await connect(server.port);
  const kept = get().replace("Connection: close\r\n", "");
  client.write(line + kept + kept);
  await client.responses(2);
  client.write(kept);
  for (const { body } of await client.responses(3)) assert.match(body.toString(), /^192\.0\.2\.7 56324 /);
  client.end();
  await client.gone();
  await eventually(() => server.server.connections === 0, "the connection is gone");
  // The handle's next owner: its proxy speaks for itself.
  assert.match(await told(server.port, Buffer.concat([v2(0x20, 0, []), latin1(get())])), /^127\.0\.0\.1 [1-9]\d* /);
  assert.match(await told(server.port, `PROXY UNKNOWN\r\n${get()}`), /^127\.0\.0\.1 [1-9]\d* /);
});

test("--proxy-protocol: a large body and the client's FIN right behind the header", async () => {
  using server = start(
    async (request, { remoteAddr }) => {
      const { length } = await request.text();
      return new Response(`${"hostname" in remoteAddr ? remoteAddr.hostname : ""} ${length}`);
    },
    { proxyProtocol: true },
  );
  const length = 3_000_000;
  using client = await connect(server.port);
  client.write(`${line}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
  client.write(Buffer.alloc(length, "x"));
  client.end();
  assert.is((await client.response()).body.toString(), `192.0.2.7 ${length}`);
});

test("--proxy-protocol: the header is required; what comes without is closed unanswered, counted and said", async () => {
  using server = start(tell, { proxyProtocol: true });
  const wrong = [
    get(),
    "PROXY TCP4 1.2.3.4\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "\r\n\r\nGET",
    "\x16\x03\x01",
    v2(0x21, 0x11, [1, 2]),
    v2(0x31, 0x11, [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2]),
  ];
  const before = fired();
  const lines = await logged(async () => {
    for (const data of wrong) {
      using client = await connect(server.port);
      client.write(data);
      await client.gone();
      assert.is(client.bytes.length, 0, String(data));
    }
  });
  assert.is(fired() - before, wrong.length);
  assert.ok(lines.length <= 1);
  if (lines.length === 1)
    assert.match(lines[0], /a client was closed: no PROXY header before.* limit=proxyProtocol peer=127\.0\.0\.1:\d+/);
  // A check that only connects is no fault, and neither is one that leaves in the middle.
  for (const data of ["", "PROXY TC"]) {
    using client = await connect(server.port);
    if (data !== "") await client.send(data);
    client.end();
    await client.gone();
  }
  await eventually(() => server.server.connections === 0, "they are gone");
  assert.is(fired() - before, wrong.length);
});

test("--proxy-protocol: only from proxies that are trusted", async () => {
  using server = start(tell, { proxyProtocol: true, trustProxy: ["10.0.0.0/8"] });
  const before = fired();
  await logged(async () => {
    using client = await connect(server.port);
    client.write(line + get());
    await client.gone();
    assert.is(client.bytes.length, 0);
  });
  assert.is(fired() - before, 1);
});

test("--proxy-protocol: bounded in time", async () => {
  using server = start(tell, { proxyProtocol: true, readHeaderTimeout: 60 });
  const count = (): number => counters.limits[LIMITS.indexOf("readHeaderTimeout")];
  const before = count();
  await logged(async () => {
    for (const data of ["", "PROXY TCP4 1.2", line, `${line}GET / HT`]) {
      using client = await connect(server.port);
      if (data !== "") client.write(data);
      await client.gone();
    }
  });
  assert.is(count() - before, 4);
});

test("both: fields are believed of the client that the header names, not of the proxy in between", async () => {
  using server = start(tell, { proxyProtocol: true, trustProxy: ["127.0.0.1", "10.0.0.0/8"] });
  const fields = get("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n");
  // A stranger through the load balancer: its fields are its own.
  assert.is(await told(server.port, line + fields), "192.0.2.7 56324 http://shop/a?b shop");
  // Another proxy of ours through the load balancer.
  const inner = "PROXY TCP4 10.0.0.5 198.51.100.1 4000 443\r\n";
  assert.is(await told(server.port, inner + fields), "203.0.113.9 0 https://shop/a?b shop");
  // The load balancer does not know: then nobody does.
  assert.match(await told(server.port, `PROXY UNKNOWN\r\n${fields}`), /^127\.0\.0\.1 [1-9]\d* http:\/\/shop/);
  // It speaks for itself.
  assert.is(
    await told(server.port, Buffer.concat([v2(0x20, 0, []), latin1(fields)])),
    "203.0.113.9 0 https://shop/a?b shop",
  );
});

test("a drain does not wait for headers that never come", async () => {
  using server = start(tell, { proxyProtocol: true });
  using silent = await connect(server.port);
  using half = await connect(server.port);
  await half.send("PROXY TC");
  using quick = await connect(server.port);
  await eventually(() => server.server.connections === 3, "all are accepted");
  const ended = server.server.shutdown();
  // One that comes in time is answered.
  quick.write(line + get());
  assert.match((await quick.response()).body.toString(), /^192\.0\.2\.7 /);
  await Promise.all([silent.gone(), half.gone(), ended]);
});

test("wrong options are a sentence", () => {
  assert.throws(
    () => start(tell, { trustProxy: "localhost" }),
    /^serve: trustProxy: "localhost" is no IP address or range/,
  );
  assert.throws(() => start(tell, { proxyProtocol: "yes" as never }), /^serve: proxyProtocol must be true or false/);
});

test("the URL of a forwarded request, for each form of its target", () => {
  const url = (proto: "http" | "https" | undefined, host: string | undefined, target: string) =>
    forwardedUrl({ proto, host }, "http", "inner:81", target);
  assert.is(url("https", "outer", "/a/../b?c"), "https://outer/b?c");
  assert.is(url("https", undefined, "/"), "https://inner:81/");
  assert.is(url(undefined, "outer:443", "/"), "http://outer:443/");
  assert.is(url("https", "outer:443", "/"), "https://outer/");
  assert.is(url("https", "outer", "*"), "https://outer/*");
  assert.is(url("https", "outer", "http://inner:81/x?y"), "https://outer/x?y");
  assert.is(url(undefined, "outer", "https://inner/x"), "https://outer/x");
  assert.is(url("http", "[2001:db8::1]:8080", "/"), "http://[2001:db8::1]:8080/");
});

test.run();
