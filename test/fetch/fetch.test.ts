import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import * as undici from "undici";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  Headers,
  install,
  Request,
  Response,
  requestFrom,
  responseFields,
  toLightResponse,
} from "../../src/fetch/mod.ts";

const capturedFetch = globalThis.fetch;
install();

let server: Server;
let base: string;

test.before(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

test.after(() => {
  server.close();
  server.closeAllConnections();
});

/** Echoes what it got, or answers compressed, or never. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === "/silent") return;
  if (request.url === "/gzip") {
    const body = gzipSync("compressed");
    response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length, etag: '"e"' });
    response.end(request.method === "HEAD" ? undefined : body);
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  response.setHeader("set-cookie", ["a=1", "b=2"]);
  response.setHeader("content-type", "application/json");
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
}

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}
const echo = async (answer: Promise<globalThis.Response>): Promise<Echo> => (await (await answer).json()) as Echo;

test("fetch(url): what comes is a Response", async () => {
  const response = await fetch(`${base}/x`);
  assert.instance(response, Response);
  assert.instance(response.headers, Headers);
  assert.equal(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.is(((await response.json()) as Echo).url, "/x");
  assert.instance(new Response(), response.constructor as typeof Response);
});

test("fetch(request) with a body of each kind", async () => {
  const bodies: [BodyInit, string | undefined][] = [
    ["text é", "text/plain;charset=UTF-8"],
    [new TextEncoder().encode("bytes"), undefined],
    [new Blob(["blob"], { type: "a/b" }), "a/b"],
    [new URLSearchParams({ a: "1" }), "application/x-www-form-urlencoded;charset=UTF-8"],
    [new Blob(["stream"]).stream(), undefined],
  ];
  for (const [body, type] of bodies) {
    const request = new Request(`${base}/p`, {
      method: "POST",
      body,
      headers: { "x-a": "1" },
      duplex: "half",
    } as RequestInit);
    const got = await echo(fetch(request));
    assert.is(got.method, "POST");
    assert.is(got.headers["content-type"], type);
    assert.is(got.headers["x-a"], "1");
    assert.ok(got.body.length > 0);
    assert.ok(request.bodyUsed);
    let error: unknown;
    await fetch(request).catch((e: unknown) => {
      error = e;
    });
    assert.instance(error, TypeError);
  }
});

test("fetch(request): the content type is what its headers say, even none", async () => {
  const request = new Request(base, { method: "POST", body: "x" });
  request.headers.delete("content-type");
  const got = await echo(fetch(request));
  assert.is(got.headers["content-type"], undefined);
  assert.is(got.headers["content-length"], "1");
});

test("fetch(request, init)", async () => {
  const request = new Request(`${base}/a`, { method: "POST", body: "one", headers: { a: "1" } });
  const got = await echo(fetch(request, { method: "PUT", body: "two", headers: { b: "2" } }));
  assert.equal([got.method, got.body, got.headers["a"], got.headers["b"]], ["PUT", "two", undefined, "2"]);
});

test("fetch(url, init) with our Headers, and with our Request as the init", async () => {
  assert.is((await echo(fetch(base, { headers: new Headers({ a: "1" }) }))).headers["a"], "1");
  const request = new Request("http://elsewhere.example/", { method: "POST", body: "b", headers: { a: "2" } });
  const got = await echo(fetch(`${base}/to`, request as RequestInit));
  assert.equal([got.method, got.url, got.body, got.headers["a"]], ["POST", "/to", "b", "2"]);
});

test("fetch(request) of a native one, of a URL, of a string", async () => {
  const native = new undici.Request(`${base}/n`, { headers: { a: "1" } });
  assert.is((await echo(fetch(new Request(native as unknown as globalThis.Request)))).headers["a"], "1");
  assert.is((await echo(fetch(new URL(`${base}/u`)))).url, "/u");
});

test("fetch of a request from the network, as a proxy does", async () => {
  const lines = [
    "POST /in HTTP/1.1",
    "Host: front.example",
    "Connection: keep-alive, X-Hop",
    "X-Hop: 1",
    "Keep-Alive: 1",
    "Transfer-Encoding: chunked",
    "X-End: 2",
  ];
  const incoming = () => ({
    method: "POST",
    head: lines.join("\r\n"),
    fieldsStart: lines[0].length + 2,
    url: () => `${base}/in`,
    hasBody: () => true,
    openBody: () => new Blob(["in"]).stream(),
    readAll: async () => new TextEncoder().encode("in"),
    signal: () => new AbortController().signal,
  });
  for (const got of [
    await echo(fetch(requestFrom(incoming()))),
    await echo(fetch(`${base}/in`, requestFrom(incoming()) as RequestInit)),
  ]) {
    assert.equal([got.method, got.url, got.body], ["POST", "/in", "in"]);
    assert.equal([got.headers["x-end"], got.headers["x-hop"], got.headers["keep-alive"]], ["2", undefined, undefined]);
  }
});

test("a signal aborts the fetch of our request", async () => {
  const controller = new AbortController();
  const answer = fetch(new Request(`${base}/silent`, { signal: controller.signal }));
  controller.abort(new RangeError("enough"));
  let error: unknown;
  await answer.catch((e: unknown) => {
    error = e;
  });
  assert.instance(error, RangeError);
});

test("bad arguments reject, they don't throw", async () => {
  for (const call of [
    () => fetch("relative"),
    () => fetch(new Request(base), { method: "b d" }),
    () => (fetch as () => Promise<unknown>)(),
  ]) {
    let error: unknown;
    await call().catch((e: unknown) => {
      error = e;
    });
    assert.instance(error, TypeError);
  }
});

const decompressed: Record<string, () => Promise<globalThis.Response>> = {
  "return fetch(url)": async () => fetch(`${base}/gzip`),
  "new Response(res.body, res)": async () => {
    const response = await fetch(`${base}/gzip`);
    return new Response(response.body, response);
  },
  "new Response(res.body, { headers: res.headers })": async () => {
    const response = await fetch(`${base}/gzip`);
    return new Response(response.body, { headers: response.headers });
  },
  "return capturedFetch(url)": () => capturedFetch(`${base}/gzip`),
  "new Response(res.body, res) of a captured fetch": async () => {
    const response = await capturedFetch(`${base}/gzip`);
    return new Response(response.body, response);
  },
  "npm undici's fetch(url)": async () => (await undici.fetch(`${base}/gzip`)) as unknown as globalThis.Response,
};

for (const [how, make] of Object.entries(decompressed)) {
  test(`a decompressed body goes on without its coding: ${how}`, async () => {
    const made = await make();
    const response = made.constructor === Response ? (made as Response) : toLightResponse(made);
    const fields = responseFields(response) ?? [];
    assert.not(fields.includes("content-encoding"));
    assert.not(fields.includes("content-length"));
    assert.ok(fields.includes("etag"));
    assert.is(await response.text(), "compressed");
  });
}

test("a HEAD's content coding and length stay", async () => {
  const response = toLightResponse(await fetch(`${base}/gzip`, { method: "HEAD" }));
  assert.is(response.headers.get("content-encoding"), "gzip");
  assert.ok(response.headers.has("content-length"));
});

test("a body that the handler compressed itself keeps its coding", () => {
  const response = new Response(new Blob([gzipSync("x")]).stream(), {
    headers: { "content-encoding": "gzip", "content-length": "9" },
  });
  assert.is(response.headers.get("content-encoding"), "gzip");
  assert.is(response.headers.get("content-length"), "9");
});

test.run();
