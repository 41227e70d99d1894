// Strict-Transport-Security and the redirect from http: on every answer of the program's, in both versions of HTTP, once; on
// nothing that came without TLS.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readHsts } from "../../src/tls/hsts.ts";
import { logged, start } from "../http/support/server.ts";
import { fromSource, run, start as startProcess, temporaryFolder } from "../support/process.ts";
import { certFile, identity, keyFile } from "../support/tls.ts";

const HSTS = "strict-transport-security";
const VALUE = "max-age=15552000";
const shared = new Response(null, { status: 204 });

const handler = async (request: Request): Promise<Response> => {
  switch (new URL(request.url).pathname) {
    case "/own":
      return new Response("x", { headers: { [HSTS]: "max-age=0" } });
    case "/json":
      return Response.json({ a: 1 }, { headers: { "x-a": "b" } });
    case "/redirect":
      return Response.redirect("https://a.test/");
    case "/shared":
      return shared;
    case "/stream":
      return new Response(new Blob(["a", "b"]).stream());
    case "/body":
      return new Response(await request.text());
    default:
      return new Response("hello");
  }
};

async function byHttp1(port: number, path: string): Promise<string[]> {
  const asked = get({ port, host: "127.0.0.1", path, rejectUnauthorized: false, agent: false });
  const [response] = await once(asked, "response");
  response.resume();
  await once(response, "end");
  return response.rawHeaders.flatMap((name: string, i: number, all: string[]) =>
    i % 2 === 0 && name.toLowerCase() === HSTS ? [all[i + 1]] : [],
  );
}

async function byHttp2(port: number, path: string): Promise<string[]> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream = session.request({ ":path": path });
  const [headers] = await once(stream, "response");
  stream.resume();
  await once(stream, "close");
  session.destroy();
  return [headers[HSTS] ?? []].flat();
}

for (const [name, ask] of [
  ["HTTP/1.1", byHttp1],
  ["HTTP/2", byHttp2],
] as const) {
  test(`${name}: on every kind of answer, once, and never over the program's own`, async () => {
    for (const wrapped of [handler, (request: Request) => handler(request)]) {
      using server = start(wrapped, { ...identity, tls: { hsts: "180d" } });
      for (const path of ["/", "/json", "/redirect", "/shared", "/shared", "/stream", "/body"]) {
        assert.equal(await ask(server.port, path), [VALUE], path);
      }
      assert.equal(await ask(server.port, "/own"), ["max-age=0"]);
    }
    using synchronous = start(() => new Response("x"), { ...identity, tls: { hsts: "180d" } });
    assert.equal(await ask(synchronous.port, "/"), [VALUE]);
    using without = start(handler, { ...identity });
    assert.equal(await ask(without.port, "/"), []);
  });
}

test("on refusals and failures too, in both versions", async () => {
  const options = { ...identity, tls: { hsts: "180d" }, maxHeaderBytes: 1_000 };
  const failing = (request: Request): Response => {
    if (request.url.endsWith("/own")) return new Response("", { headers: { [HSTS]: "max-age=0" } });
    throw new Error("for the test");
  };
  const lines = await logged(async () => {
    for (const ask of [byHttp1, byHttp2]) {
      using server = start(failing, options);
      assert.equal(await ask(server.port, "/"), [VALUE], "500");
      assert.equal(await ask(server.port, `/${"x".repeat(2_000)}`), [VALUE], "431 or 414");
      using own = start(failing, { ...options, onError: () => new Response("", { headers: { [HSTS]: "max-age=1" } }) });
      assert.equal(await ask(own.port, "/"), ["max-age=1"]);
      using later = start(failing, { ...options, onError: async () => new Response("") });
      assert.equal(await ask(later.port, "/"), [VALUE]);
      using limited = start(failing, {
        ...options,
        limits: () => {
          throw new Error("for the test");
        },
      });
      assert.equal(await ask(limited.port, "/"), [VALUE]);
      using without = start(failing, { ...identity });
      assert.equal(await ask(without.port, "/"), []);
    }
  });
  assert.ok(lines.length > 0);
});

test("as people write it", () => {
  assert.is(readHsts("180d"), VALUE);
  assert.is(readHsts("1y includeSubDomains"), "max-age=31536000; includeSubDomains");
  assert.is(readHsts(" 2y; includesubdomains; PRELOAD "), "max-age=63072000; includeSubDomains; preload");
  for (const bad of ["", "180", "0d", "11y", "1h", "180d maybe", "x", 180, null, "-1d", "99999d", "1d\r\nx: y"]) {
    assert.throws(() => readHsts(bad), /hsts must be days or years/, String(bad));
  }
  for (const bad of ["1y preload", "90d includeSubDomains preload"])
    assert.throws(() => readHsts(bad), /preload needs/);
});

const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const program = join(folder, "server.ts");
writeFileSync(program, 'export default { fetch: () => new Response("hello") };\n');
const TLS = ["--tls-cert", certFile, "--tls-key", keyFile, "--log-format", "text"];

/** All that is answered to these bytes. */
async function bare(port: number, bytes: string): Promise<string> {
  const socket = connectPlain({ port, host: "127.0.0.1" });
  socket.end(bytes, "latin1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  return text;
}

for (const threads of ["1", "2"]) {
  test(`--redirect-http, ${threads} threads: every request is sent to https, and ends with the server`, async () => {
    const args = ["--port", "0", "--redirect-http", "127.0.0.1:0", "--hsts", "180d", "--parallel", threads];
    const server = startProcess([...fromSource, "run", program, ...TLS, ...args]);
    const https = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
    const http = Number((await server.saw(/^Listening on http:\S*?:(\d+)\/ \(redirects to https\)$/m))[1]);
    const end = "Connection: close\r\n\r\n";
    for (const [request, location] of [
      [`GET /a/b?c=d HTTP/1.1\r\nHost: shop.test\r\n${end}`, `https://shop.test:${https}/a/b?c=d`],
      [`GET / HTTP/1.1\r\nHost: shop.test:8080\r\n${end}`, `https://shop.test:${https}/`],
      [`GET / HTTP/1.1\r\nHost: [::1]:80\r\n${end}`, `https://[::1]:${https}/`],
      [`POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n${end}abc`, `https://shop.test:${https}/x`],
      [`GET //evil.test/ HTTP/1.1\r\nHost: shop.test\r\n${end}`, `https://shop.test:${https}//evil.test/`],
      [`GET http://named.test/y HTTP/1.1\r\nHost: shop.test\r\n${end}`, `https://named.test:${https}/y`],
    ]) {
      const answer = await bare(http, request);
      assert.match(answer, /^HTTP\/1\.1 308 Permanent Redirect\r\n/, request);
      assert.ok(answer.includes(`\r\nlocation: ${location}\r\n`), answer);
      assert.not.match(answer, /strict-transport/);
    }
    for (const bad of [
      `GET / HTTP/1.1\r\nHost: a b\r\n${end}`,
      `GET / HTTP/1.1\r\n${end}`,
      `GET / HTTP/1.1\r\nHost: a@b\r\n${end}`,
      `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n${end}`,
    ]) {
      assert.match(await bare(http, bad), /^HTTP\/1\.1 400 /, bad);
    }
    assert.equal(await byHttp1(https, "/"), [VALUE]);
    const { code } = await server.stop();
    assert.is(code, 0);
  });
}

test("the port of https may be another outside; curl follows", async () => {
  const args = ["--port", "0", "--redirect-http", "127.0.0.1:0", "--redirect-port", "443"];
  const server = startProcess([...fromSource, "run", program, ...TLS, ...args]);
  const https = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
  const http = Number((await server.saw(/^Listening on http:\S*?:(\d+)/m))[1]);
  assert.match(await bare(http, "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n"), /\r\nlocation: https:\/\/a\.test\/\r\n/);
  let curl = true;
  try {
    execFileSync("curl", ["--version"], { stdio: "ignore" });
  } catch {
    curl = false;
  }
  if (curl) {
    const to = ["--connect-to", `localhost:443:127.0.0.1:${https}`, "--connect-to", `localhost:80:127.0.0.1:${http}`];
    const { stdout } = await run(["curl", "-sL", "--cacert", certFile, ...to, "http://localhost/"]);
    assert.is(stdout, "hello");
  }
  await server.stop();
});

test("what can't be is said in one line", async () => {
  for (const [args, says] of [
    [["--redirect-http", ":0"], /--redirect-http alone does nothing: give --tls-cert and --tls-key/],
    [[...TLS, "--redirect-port", "443"], /--redirect-port alone does nothing: give --redirect-http/],
    [[...TLS, "--redirect-http", "here"], /--redirect-http must be an address like :8000/],
    [[...TLS, "--hsts", "yes"], /--hsts: TLS: hsts must be days or years/],
  ] as const) {
    const { code, stderr } = await run([...fromSource, "run", program, "--port", "0", ...args]);
    assert.is.not(code, 0);
    assert.match(stderr, says);
    assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

test.run();
