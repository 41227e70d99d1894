import * as undici from "undici";
import { suite } from "uvu";
import * as assert from "uvu/assert";

// Code that took the host's classes before ours were in place.
const captured = globalThis.fetch;
const Captured = { Request: globalThis.Request, Response: globalThis.Response, Headers: globalThis.Headers };

import {
  Headers,
  install,
  isLightResponse,
  Request,
  Response,
  responseFields,
  toLightResponse,
} from "../../src/fetch/mod.ts";

install();
install();

const globals = suite("install");

globals("puts ours on globalThis, as the host's were", () => {
  assert.is(globalThis.Request, Request as unknown);
  assert.is(globalThis.Response, Response as unknown);
  assert.is(globalThis.Headers, Headers as unknown);
  for (const name of ["Request", "Response", "Headers"]) {
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(globalThis, name) ?? {};
    assert.equal({ enumerable, writable, configurable }, { enumerable: false, writable: true, configurable: true });
  }
  assert.is(globalThis.fetch.name, "fetch");
  assert.is(globalThis.fetch.length, 1);
});

globals("structuredClone refuses ours, as it does the host's", () => {
  for (const one of [new Response("x"), new Request("http://a/"), new Headers()]) {
    assert.throws(
      () => structuredClone(one),
      (e: Error) => e instanceof DOMException && e.name === "DataCloneError",
    );
  }
  assert.equal(structuredClone({ a: [1, new Date(0)] }), { a: [1, new Date(0)] });
  const buffer = new ArrayBuffer(2);
  structuredClone(buffer, { transfer: [buffer] });
  assert.is(buffer.byteLength, 0);
});

globals.run();

const instances = suite("instanceof");

instances("ours and the host's, both ways", () => {
  const pairs = [
    [new Response("x"), new Captured.Response("x"), Response, Captured.Response],
    [new Request("http://a/"), new Captured.Request("http://a/"), Request, Captured.Request],
    [new Headers(), new Captured.Headers(), Headers, Captured.Headers],
  ] as unknown as [object, object, new () => object, new () => object][];
  for (const [ours, native, Ours, Native] of pairs) {
    assert.instance(ours, Ours);
    assert.instance(native, Ours);
    assert.instance(ours, Native);
    assert.instance(native, Native);
    for (const no of [null, undefined, 1, "x", {}, [], () => 1]) assert.not((no as unknown) instanceof Ours);
  }
  assert.not((new Response() as object) instanceof Request);
  assert.not((new Captured.Headers() as object) instanceof Response);
});

instances("npm's undici", () => {
  assert.instance(new undici.Response("x"), Response);
  assert.instance(new undici.Request("http://a/"), Request);
  assert.instance(new undici.Headers(), Headers);
});

instances("subclasses: their own instances only", async () => {
  class Page extends Response {
    constructor(html: string) {
      super(html, { headers: { "content-type": "text/html" } });
    }
    override get status(): number {
      return 299;
    }
  }
  const page = new Page("<p>");
  assert.instance(page, Page);
  assert.instance(page, Response);
  assert.ok(isLightResponse(page));
  assert.is(page.status, 299);
  assert.is(await page.clone().text(), "<p>");
  assert.not((new Response() as object) instanceof Page);
  assert.not((new Captured.Response() as object) instanceof Page);
  class Own extends Headers {
    shout(name: string): string {
      return (this.get(name) ?? "").toUpperCase();
    }
  }
  assert.is(new Own({ a: "b" }).shout("a"), "B");
  class Call extends Request {}
  assert.is(new Call("http://a/").url, "http://a/");
});

instances("every member of the host's is overridden", () => {
  for (const [Ours, Native] of [
    [Response, Captured.Response],
    [Request, Captured.Request],
    [Headers, Captured.Headers],
  ] as const) {
    const missing = Reflect.ownKeys(Native.prototype).filter(
      (key) => !Object.hasOwn(Ours.prototype, key) && key !== "attribute",
    );
    assert.equal(missing, []);
    assert.equal(
      Reflect.ownKeys(Native).filter((key) => !Object.hasOwn(Ours, key)),
      [],
    );
  }
});

instances.run();

const others = suite("native and npm's instances, handed to ours");

for (const [whose, theirs] of Object.entries({
  "the host's": Captured,
  "npm undici's": undici as unknown as typeof Captured,
})) {
  others(`new Request(request) of ${whose}`, async () => {
    const controller = new AbortController();
    const native = new theirs.Request("http://a.example/x", {
      method: "POST",
      body: "body",
      headers: { a: "1" },
      cache: "no-store",
      redirect: "manual",
      signal: controller.signal,
    });
    const request = new Request(native);
    assert.is(request.url, "http://a.example/x");
    assert.is(request.method, "POST");
    assert.is(request.cache, "no-store");
    assert.is(request.redirect, "manual");
    assert.is(request.headers.get("a"), "1");
    assert.is(request.headers.get("content-type"), "text/plain;charset=UTF-8");
    assert.is(await request.text(), "body");
    assert.ok(native.bodyUsed);
    controller.abort("why");
    assert.is(request.signal.reason, "why");
    assert.throws(() => new Request(native), TypeError);
  });

  others(`new Request(request, init) of ${whose}`, async () => {
    const native = new theirs.Request("http://a.example/x", { method: "POST", body: "body" });
    const request = new Request(native, { method: "PUT", body: "other" });
    assert.is(request.method, "PUT");
    assert.is(await request.text(), "other");
    assert.not(native.bodyUsed);
  });

  others(`new Response(body, response) of ${whose}`, async () => {
    const native = new theirs.Response("body", {
      status: 202,
      statusText: "S",
      headers: [
        ["a", "1"],
        ["set-cookie", "x"],
        ["set-cookie", "y"],
      ],
    });
    const response = new Response(native.body, native);
    assert.is(response.status, 202);
    assert.is(response.statusText, "S");
    assert.equal(response.headers.getSetCookie(), ["x", "y"]);
    assert.is(await response.text(), "body");
    assert.ok(native.bodyUsed);
  });

  others(`new Headers(headers) of ${whose}`, () => {
    const native = new theirs.Headers([
      ["a", "1"],
      ["set-cookie", "x"],
      ["Set-Cookie", "y"],
    ]);
    assert.equal([...new Headers(native)], [...native]);
    assert.is(new Response(null, { headers: native }).headers.get("a"), "1");
  });

  others(`toLightResponse of ${whose}`, async () => {
    const native = new theirs.Response("body", {
      status: 202,
      headers: { a: "1", connection: "x-hop, close", "x-hop": "1", "transfer-encoding": "chunked" },
    });
    const response = toLightResponse(native);
    assert.equal(responseFields(response), ["a", "1", "content-type", "text/plain;charset=UTF-8"]);
    assert.is(await response.text(), "body");
  });
}

others("a response like node-fetch's: a Node stream for a body", async () => {
  const { Readable } = await import("node:stream");
  class Alike {
    readonly status = 200;
    readonly statusText = "OK";
    readonly bodyUsed = false;
    readonly url = "http://a.example/";
    readonly headers = new undici.Headers({ a: "1", "content-encoding": "gzip" });
    readonly body = Readable.from([Buffer.from("no"), Buffer.from("de")]);
    readonly [Symbol.toStringTag] = "Response";
    clone(): this {
      return this;
    }
    async arrayBuffer(): Promise<ArrayBuffer> {
      return new ArrayBuffer(0);
    }
  }
  const response = toLightResponse(new Alike() as unknown as globalThis.Response);
  assert.equal([...response.headers], [["a", "1"]]);
  assert.is(await response.text(), "node");
});

others.run();

const ours = suite("ours, handed to the host's");

ours("new NativeResponse(body, response)", async () => {
  const response = new Response("body", {
    status: 203,
    headers: [
      ["a", "1"],
      ["set-cookie", "x"],
      ["set-cookie", "y"],
    ],
  });
  const native = new Captured.Response(response.body, response);
  assert.is(native.status, 203);
  assert.equal(native.headers.getSetCookie(), ["x", "y"]);
  assert.is(await native.text(), "body");
  assert.ok(response.bodyUsed);
});

ours("new NativeHeaders(headers)", () => {
  const headers = new Headers([
    ["b", "1"],
    ["a", "2"],
    ["set-cookie", "x"],
    ["set-cookie", "y"],
  ]);
  assert.equal([...new Captured.Headers(headers)], [...headers]);
});

ours("new NativeRequest(url, request)", async () => {
  const request = new Request("http://a.example/", { method: "POST", body: "b", headers: { a: "1" } });
  const native = new Captured.Request(request.url, request as RequestInit);
  assert.is(native.method, "POST");
  assert.is(native.headers.get("a"), "1");
  assert.is(await native.text(), "b");
});

ours("what can't work says so: fetch and Request of code that took the host's, given a Request of ours", async () => {
  const request = new Request("http://127.0.0.1:9/");
  assert.throws(() => new Captured.Request(request), TypeError);
  for (const fetch of [captured, undici.fetch as unknown as typeof captured]) {
    let error: unknown;
    await fetch(request).catch((e: unknown) => {
      error = e;
    });
    assert.instance(error, TypeError);
  }
  const inside = structuredClone({ response: new Response("x") });
  assert.equal(inside, { response: {} as never });
});

ours("console.log shows what is in them", async () => {
  const { inspect } = await import("node:util");
  assert.match(
    inspect(new Response("x", { headers: { a: "1" } })),
    /^Response \{\s+status: 200,.*headers: Headers \{ a: '1', 'content-type': /s,
  );
  assert.match(inspect(new Request("http://a/")), /^Request \{\s+method: 'GET',\s+url: 'http:\/\/a\/'/);
  assert.is(
    inspect(
      new Headers([
        ["b", "2"],
        ["set-cookie", "x"],
      ]),
    ),
    "Headers { b: '2', 'set-cookie': [ 'x' ] }",
  );
  assert.match(inspect({ deep: { er: { still: { r: new Response() } } } }, { depth: 2 }), /still: \[Object\]/);
});

ours.run();
