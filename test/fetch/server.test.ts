import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Headers,
  type IncomingRequest,
  isForeignResponse,
  isLightResponse,
  markBodyUsed,
  Request,
  Response,
  requestFrom,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
  responseStatusText,
  toLightResponse,
} from "../../src/fetch/mod.ts";

const NativeResponse = globalThis.Response;
const NativeRequest = globalThis.Request;
const NativeHeaders = globalThis.Headers;

/** A request as the parser would hand it over, which counts what is asked of it. */
class Incoming implements IncomingRequest {
  readonly method: string;
  readonly head: string;
  readonly fieldsStart: number;
  readonly #body: string | null;
  readonly abort = new AbortController();
  readonly asked: string[] = [];

  constructor(lines: readonly string[], body: string | null = null) {
    this.head = lines.join("\r\n");
    this.method = lines[0].split(" ")[0];
    this.fieldsStart = lines.length > 1 ? lines[0].length + 2 : this.head.length;
    this.#body = body;
  }

  url(): string {
    this.asked.push("url");
    return "http://a.example/path?q=1";
  }

  hasBody(): boolean {
    this.asked.push("hasBody");
    return this.#body !== null;
  }

  openBody(): ReadableStream<Uint8Array> {
    this.asked.push("openBody");
    return new Blob([this.#body ?? ""]).stream();
  }

  async readAll(): Promise<Uint8Array> {
    this.asked.push("readAll");
    return new TextEncoder().encode(this.#body ?? "");
  }

  signal(): AbortSignal {
    this.asked.push("signal");
    return this.abort.signal;
  }
}

const FIELDS = [
  "Host: a.example",
  "X-Spaced: \t in the middle \t",
  "accept: text/html",
  "Accept: */*",
  "COOKIE: a=1",
  "cookie: b=2",
  "X-Empty:",
  "X-Colons: a:b:c",
  "X-Latin: \xe9",
  "X: short",
  "Set-Cookie: one",
  "set-cookie: two",
];
const get = (): Incoming => new Incoming(["GET /path?q=1 HTTP/1.1", ...FIELDS]);
const post = (body = "body"): Incoming => new Incoming(["POST /path HTTP/1.1", "Content-Type: text/plain"], body);

const requests = suite("requestFrom");

requests("asks nothing before it is touched", () => {
  const incoming = get();
  const request = requestFrom(incoming);
  assert.equal(incoming.asked, []);
  assert.is(request.method, "GET");
  assert.is(request.headers.get("host"), "a.example");
  assert.equal(incoming.asked, []);
  assert.is(request.url, "http://a.example/path?q=1");
  assert.is(request.url, "http://a.example/path?q=1");
  assert.equal(incoming.asked, ["url"]);
  assert.is(request.signal, incoming.abort.signal);
});

requests("is a Request, with the defaults of one", () => {
  const request = requestFrom(get());
  assert.instance(request, Request);
  assert.is(request.mode, "cors");
  assert.is(request.redirect, "follow");
  assert.is(request.duplex, "half");
  assert.is(Object.prototype.toString.call(request), "[object Request]");
});

requests("headers: any case, white space, joined values, each kind of line", () => {
  const { headers } = requestFrom(get());
  assert.instance(headers, Headers);
  const seen = [
    "x-spaced",
    "X-SPACED",
    "Accept",
    "cookie",
    "x-empty",
    "x-colons",
    "x-latin",
    "x",
    "x-absent",
    "set-cookie",
  ];
  assert.equal(
    seen.map((name) => headers.get(name)),
    ["in the middle", "in the middle", "text/html, */*", "a=1; b=2", "", "a:b:c", "\xe9", "short", null, "one, two"],
  );
  assert.equal(headers.getSetCookie(), ["one", "two"]);
  assert.ok(headers.has("X-Empty"));
  assert.throws(() => headers.get("x y"), TypeError);
  assert.throws(() => headers.get("Host: a.example\r\nX-Spaced"), TypeError);
  assert.throws(() => headers.has(""), TypeError);
});

requests("headers: a name that is part of another, or has a letter's neighbour in it", () => {
  const { headers } = requestFrom(new Incoming(["GET / HTTP/1.1", "X-A-B: 1", "A^b: 2", "_: 3"]));
  assert.equal(
    ["x-a", "a-b", "a~b", "a^B", "_", "x-a-b"].map((name) => headers.get(name)),
    [null, null, null, "2", "3", "1"],
  );
});

requests("headers: read before and after they were listed, the same", () => {
  const { headers } = requestFrom(get());
  const before = FIELDS.map((line) => headers.get(line.split(":")[0]));
  const listed = [...headers];
  assert.equal(
    FIELDS.map((line) => headers.get(line.split(":")[0])),
    before,
  );
  const native = new NativeHeaders();
  for (const line of FIELDS) native.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1));
  assert.equal(listed, [...native]);
});

requests("headers: none at all", () => {
  const { headers } = requestFrom(new Incoming(["GET / HTTP/1.0"]));
  assert.is(headers.get("host"), null);
  assert.equal([...headers], []);
});

requests("headers: immutable, but a copy isn't", () => {
  const { headers } = requestFrom(get());
  assert.throws(() => headers.set("a", "b"), TypeError);
  assert.throws(() => headers.append("a", "b"), TypeError);
  assert.throws(() => headers.delete("host"), TypeError);
  const copy = new Headers(headers);
  copy.set("host", "b.example");
  assert.is(copy.get("Host"), "b.example");
  assert.is(headers.get("Host"), "a.example");
  const moved = new Request(requestFrom(get()));
  moved.headers.set("host", "c.example");
  assert.is(moved.headers.get("host"), "c.example");
});

for (const method of ["text", "json", "arrayBuffer", "bytes", "blob"] as const) {
  requests(`${method}() reads it all in one piece`, async () => {
    const incoming = post('"body"');
    const request = requestFrom(incoming);
    await request[method]();
    assert.equal(incoming.asked, ["hasBody", "readAll"]);
    assert.ok(request.bodyUsed);
    assert.ok(request.body?.locked);
    let error: unknown;
    await request[method]().catch((e: unknown) => {
      error = e;
    });
    assert.instance(error, TypeError);
    assert.equal(incoming.asked, ["hasBody", "readAll"]);
  });
}

requests("body opens a stream, once; text() then reads that", async () => {
  const incoming = post();
  const request = requestFrom(incoming);
  const body = request.body;
  assert.is(request.body, body);
  assert.not(request.bodyUsed);
  assert.is(await request.text(), "body");
  assert.ok(request.bodyUsed);
  assert.equal(incoming.asked, ["hasBody", "openBody"]);
});

requests("no body: null, and text() is empty as often as one likes", async () => {
  const request = requestFrom(get());
  assert.is(request.body, null);
  assert.is(await request.text(), "");
  assert.is(await request.text(), "");
  assert.not(request.bodyUsed);
});

requests("formData() of what came in", async () => {
  const lines = ["POST / HTTP/1.1", "Content-Type: application/x-www-form-urlencoded"];
  const form = await requestFrom(new Incoming(lines, "a=1&b=2")).formData();
  assert.equal(
    [...form],
    [
      ["a", "1"],
      ["b", "2"],
    ],
  );
});

requests("clone() reads the body twice, and the signal is followed", async () => {
  const incoming = post();
  const request = requestFrom(incoming);
  const copy = request.clone();
  assert.is(await copy.text(), "body");
  assert.is(await request.text(), "body");
  assert.is(copy.url, request.url);
  assert.is(copy.method, "POST");
  assert.is(copy.headers.get("content-type"), "text/plain");
  assert.throws(() => copy.headers.set("a", "b"), TypeError);
  incoming.abort.abort("gone");
  assert.is(copy.signal.reason, "gone");
});

requests("new Request(request) takes its body, without a stream", async () => {
  const incoming = post();
  const request = requestFrom(incoming);
  const moved = new Request(request, { headers: { a: "1" } });
  assert.ok(request.bodyUsed);
  assert.is(moved.method, "POST");
  assert.is(await moved.text(), "body");
  assert.not.ok(incoming.asked.includes("openBody"));
  assert.equal([...moved.headers], [["a", "1"]]);
  incoming.abort.abort("gone");
  assert.is(moved.signal.reason, "gone");
});

requests("a request that was made from one has its own headers, in its clone too", async () => {
  const moved = new Request(requestFrom(post()), { headers: { a: "1" } });
  const copy = moved.clone();
  copy.headers.set("b", "2");
  assert.equal(
    [...copy.headers],
    [
      ["a", "1"],
      ["b", "2"],
    ],
  );
  assert.is(await copy.text(), "body");
  assert.is(await moved.text(), "body");
});

requests("new Request(url, request), as proxies do it", async () => {
  const moved = new Request("http://b.example/", requestFrom(post()) as RequestInit);
  assert.is(moved.url, "http://b.example/");
  assert.is(moved.method, "POST");
  assert.is(await moved.text(), "body");
});

requests.run();

const responses = suite("what the server asks of a Response");

responses("a string, with nothing else", () => {
  const response = new Response("hello");
  assert.ok(isLightResponse(response));
  assert.is(responseStatus(response), 200);
  assert.is(responseStatusText(response), "");
  assert.is(responseBody(response), "hello");
  assert.is(responseFields(response), null);
  assert.is(responseContentType(response), "text/plain;charset=UTF-8");
});

responses("fields in the order they were given, set-cookie apart, our content type only where none is given", () => {
  const headers: [string, string][] = [
    ["Set-Cookie", "a"],
    ["B", "1"],
    ["set-cookie", "b"],
  ];
  const response = Response.json({ a: 1 }, { status: 201, statusText: "Made", headers });
  assert.equal(responseFields(response), ["set-cookie", "a", "b", "1", "set-cookie", "b"]);
  assert.is(responseContentType(response), "application/json");
  assert.is(responseBody(response), '{"a":1}');
  assert.is(responseStatusText(response), "Made");
  const own = new Response("x", { headers: { "Content-Type": "text/css" } });
  assert.is(responseContentType(own), null);
  assert.equal(responseFields(own), ["content-type", "text/css"]);
});

responses("fields follow what is done to headers", () => {
  const response = new Response("x", { headers: { a: "1" } });
  response.headers.set("b", "2");
  response.headers.delete("a");
  assert.equal(responseFields(response), ["content-type", "text/plain;charset=UTF-8", "b", "2"]);
  assert.is(responseContentType(response), null);
  response.headers.delete("content-type");
  response.headers.delete("b");
  assert.is(responseFields(response), null);
  assert.is(responseContentType(response), null);
});

responses("a body of each kind, as it is", async () => {
  assert.is(responseBody(new Response()), null);
  assert.equal(responseBody(new Response(new Uint8Array([1, 2]))), new Uint8Array([1, 2]));
  const blob = new Blob(["b"], { type: "a/b" });
  assert.is(responseBody(new Response(blob)), blob);
  assert.is(responseContentType(new Response(blob)), "a/b");
  const stream = new Blob(["s"]).stream();
  assert.is(responseBody(new Response(stream)), stream);
  const query = new Response(new URLSearchParams({ a: "1" }));
  assert.is(responseBody(query), "a=1");
  assert.is(responseContentType(query), "application/x-www-form-urlencoded;charset=UTF-8");
  const form = new FormData();
  form.set("a", "1");
  assert.type(responseBody(new Response(form)), "string");
  assert.match(responseContentType(new Response(form)) ?? "", /^multipart\/form-data; boundary=/);
  form.set("f", new File(["x"], "f"));
  assert.instance(responseBody(new Response(form)), Blob);
});

responses("used by the handler, and used by the server", async () => {
  const read = new Response("x");
  await read.text();
  assert.ok(responseBodyUsed(read));
  const locked = new Response("x");
  locked.body?.getReader();
  assert.ok(responseBodyUsed(locked));
  const sent = new Response("x");
  assert.not(responseBodyUsed(sent));
  markBodyUsed(sent);
  assert.ok(sent.bodyUsed);
  assert.ok(sent.body?.locked);
  assert.throws(() => sent.clone(), TypeError);
  assert.not(responseBodyUsed(new Response()));
});

responses("a body that somebody looked at is still the string, until he reads from it", async () => {
  const response = new Response("x");
  const body = response.body;
  assert.is(responseBody(response), "x");
  const again = new Response(body, response);
  assert.is(responseBody(again), "x");
  assert.is(again.body, body);
  assert.not(responseBodyUsed(again));
  const copy = again.clone();
  assert.instance(responseBody(copy), ReadableStream);
  assert.is(await copy.text(), "x");
  assert.is(await again.text(), "x");
  assert.ok(responseBodyUsed(response) && responseBodyUsed(again));
});

responses("others' responses become ours", async () => {
  const native = new NativeResponse("hi", {
    status: 418,
    statusText: "Tea",
    headers: [
      ["Set-Cookie", "a"],
      ["set-cookie", "b"],
    ],
  });
  assert.not(isLightResponse(native));
  assert.ok(isForeignResponse(native));
  const response = toLightResponse(native);
  assert.is(responseStatus(response), 418);
  assert.is(responseStatusText(response), "Tea");
  assert.equal(responseFields(response), [
    "content-type",
    "text/plain;charset=UTF-8",
    "set-cookie",
    "a",
    "set-cookie",
    "b",
  ]);
  assert.is(await response.text(), "hi");
  assert.throws(() => toLightResponse(native), TypeError);
  assert.throws(() => toLightResponse(NativeResponse.error()), RangeError);
  assert.is(responseBody(toLightResponse(new NativeResponse(null, { status: 204 }))), null);
});

responses("what is no response isn't taken for one", () => {
  for (const no of [
    null,
    undefined,
    "x",
    5,
    {},
    { status: 200, headers: {} },
    () => 1,
    new NativeRequest("http://a/"),
    { [Symbol.toStringTag]: "Response" },
  ]) {
    assert.not(isLightResponse(no));
    assert.not(isForeignResponse(no));
  }
});

responses.run();
