// The same calls through the host's fetch and ours, to a server of node:http: both must get, and say, the same.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { nativeFetch, nodeServer } from "./support.ts";

const { base, stop } = await nodeServer();
test.after(stop);

type Calls = Record<string, (fetch: typeof globalThis.fetch) => Promise<globalThis.Response>>;

/** What differs by design: the defaults that each sends, what belongs to a connection, and the clock. */
const OWN = new Set(["date", "user-agent", "accept-encoding", "sec-fetch-mode", "connection", "keep-alive"]);

interface Seen {
  readonly [key: string]: unknown;
}

async function seen(call: Promise<globalThis.Response>): Promise<Seen> {
  let response: globalThis.Response;
  try {
    response = await call;
  } catch (error) {
    return { failed: (error as Error).constructor.name };
  }
  const { status, statusText, ok, type, url, redirected } = response;
  const headers = [...response.headers].filter(([name]) => !OWN.has(name) && name !== "transfer-encoding");
  const hasBody = response.body !== null;
  let body: unknown = await response.text();
  if (response.headers.get("content-type") === "application/json" && body !== "") {
    const said = JSON.parse(body as string) as { headers: Record<string, string> };
    for (const name of OWN) delete said.headers[name];
    const boundary = /boundary=(.*)/.exec(said.headers["content-type"] ?? "")?.[1];
    body = boundary === undefined ? said : JSON.parse(JSON.stringify(said).replaceAll(boundary, "BOUNDARY"));
    if (boundary !== undefined) (body as typeof said).headers["content-length"] = "some";
  }
  return {
    ...{ status, statusText, ok, type, url, redirected, hasBody, body, used: response.bodyUsed },
    headers: headers.filter(([name]) => name !== "content-length"),
  };
}

const form = (): FormData => {
  const data = new FormData();
  data.set("a", "1");
  data.set("file", new File(["content"], "name.txt", { type: "text/plain" }));
  return data;
};
const stream = (text: string): ReadableStream => new Blob([text]).stream();
const half = { duplex: "half" } as RequestInit;

const calls: Calls = {
  GET: (fetch) => fetch(`${base}/echo?q=1#fragment`),
  "URL object": (fetch) => fetch(new URL(`${base}/echo`)),
  "white space and case": (fetch) => fetch(` ${base.toUpperCase()}/echo `),
  "method case": (fetch) => fetch(`${base}/echo`, { method: "post" }),
  "PATCH with a body": (fetch) => fetch(`${base}/echo`, { method: "PATCH", body: "x" }),
  "POST without a body": (fetch) => fetch(`${base}/echo`, { method: "POST" }),
  "PUT without a body": (fetch) => fetch(`${base}/echo`, { method: "PUT" }),
  "DELETE without a body": (fetch) => fetch(`${base}/echo`, { method: "DELETE" }),
  OPTIONS: (fetch) => fetch(`${base}/echo`, { method: "OPTIONS" }),
  "own method": (fetch) => fetch(`${base}/echo`, { method: "PROPFIND" }),
  HEAD: (fetch) => fetch(`${base}/status/200`, { method: "HEAD" }),
  "body: string": (fetch) => fetch(`${base}/echo`, { method: "POST", body: "héllo €" }),
  "body: bytes": (fetch) => fetch(`${base}/echo`, { method: "POST", body: new Uint8Array([1, 2, 255]) }),
  "body: empty string": (fetch) => fetch(`${base}/echo`, { method: "POST", body: "" }),
  "body: Blob": (fetch) => fetch(`${base}/echo`, { method: "POST", body: new Blob(["b"], { type: "x/y" }) }),
  "body: URLSearchParams": (fetch) =>
    fetch(`${base}/echo`, { method: "POST", body: new URLSearchParams({ a: "b c" }) }),
  "body: FormData": (fetch) => fetch(`${base}/echo`, { method: "POST", body: form() }),
  "body: stream": (fetch) => fetch(`${base}/echo`, { method: "POST", body: stream("abc"), ...half }),
  "body: stream of a known length": (fetch) =>
    fetch(`${base}/echo`, { method: "POST", body: stream("abc"), headers: { "content-length": "3" }, ...half }),
  "body: 1 MiB": (fetch) => fetch(`${base}/count`, { method: "POST", body: "x".repeat(1 << 20) }),
  "body: 1 MiB of bytes": (fetch) => fetch(`${base}/count`, { method: "POST", body: new Uint8Array(1 << 20) }),
  "body: 3 MiB Blob": (fetch) => fetch(`${base}/count`, { method: "POST", body: new Blob([new Uint8Array(3 << 20)]) }),
  "headers: record": (fetch) => fetch(`${base}/echo`, { headers: { "X-A": "1", b: " 2 " } }),
  "headers: pairs, one name twice": (fetch) =>
    fetch(`${base}/echo`, {
      headers: [
        ["a", "1"],
        ["a", "2"],
      ],
    }),
  "headers: accept, user's own": (fetch) =>
    fetch(`${base}/echo`, { headers: { accept: "x/y", "accept-language": "de" } }),
  "headers: cookie": (fetch) => fetch(`${base}/echo`, { headers: { cookie: "a=b" } }),
  "headers: host is ours": (fetch) => fetch(`${base}/echo`, { headers: { host: "elsewhere.example" } }),
  "headers: latin1": (fetch) => fetch(`${base}/echo`, { headers: { "x-a": "\xe9" } }),
  "cache: no-store": (fetch) => fetch(`${base}/echo`, { cache: "no-store" }),
  cookies: (fetch) => fetch(`${base}/cookies`),
  "chunks and trailers": (fetch) => fetch(`${base}/chunks/100`),
  "interim responses": (fetch) => fetch(`${base}/interim`),
  "connection: close": (fetch) => fetch(`${base}/close`),
  reason: (fetch) => fetch(`${base}/status/299?reason=Fine%20with%20me&body=x`),
  "no reason": (fetch) => fetch(`${base}/status/200?reason=&body=x`),
  "unknown coding": (fetch) => fetch(`${base}/unknown-coding`),
  "deflate without its wrapper": (fetch) => fetch(`${base}/raw-deflate`),
  "a redirect loop": (fetch) => fetch(`${base}/loop`),
  "a redirect and manual": (fetch) => fetch(`${base}/redirect/302`, { redirect: "manual" }),
  "a redirect and error": (fetch) => fetch(`${base}/redirect/302`, { redirect: "error" }),
  "a redirect to nonsense": (fetch) => fetch(`${base}/redirect/302?to=http://[`),
  "a redirect to ftp": (fetch) => fetch(`${base}/redirect/302?to=ftp://a/`),
  "a redirect to data": (fetch) => fetch(`${base}/redirect/302?to=data:,x`),
  "a redirect without a location": (fetch) => fetch(`${base}/status/302?body=x`),
  "a redirect relative": (fetch) => fetch(`${base}/redirect/307?to=echo?x`),
  "a redirect of a stream": (fetch) => fetch(`${base}/redirect/307`, { method: "POST", body: stream("abc"), ...half }),
  "a redirect of a stream, 303": (fetch) =>
    fetch(`${base}/redirect/303`, { method: "POST", body: stream("abc"), ...half }),
  "a redirect to another origin": (fetch) =>
    fetch(`${base}/redirect/302?to=${encodeURIComponent(`${base.replace("127.0.0.1", "localhost")}/echo`)}`, {
      headers: { authorization: "secret", cookie: "a=b", "x-kept": "1" },
    }),
  "a redirect to the same origin": (fetch) =>
    fetch(`${base}/redirect/302`, { headers: { authorization: "secret", cookie: "a=b" } }),
  "a redirect with a user in it": (fetch) =>
    fetch(`${base}/redirect/302?to=${encodeURIComponent("http://user:pass@localhost/")}`),
  "a relative URL": (fetch) => fetch("/echo"),
  "no port for HTTP": (fetch) => fetch("http://127.0.0.1:6666/"),
  "nobody listens": (fetch) => fetch("http://127.0.0.1:9/"),
  TRACE: (fetch) => fetch(`${base}/echo`, { method: "TRACE" }),
  "GET with a body": (fetch) => fetch(`${base}/echo`, { body: "x" }),
  "a bad header": (fetch) => fetch(`${base}/echo`, { headers: { "a b": "1" } }),
  "aborted before": (fetch) => fetch(`${base}/echo`, { signal: AbortSignal.abort() }),
};
for (const status of [204, 205, 304, 404, 500]) {
  calls[`status ${status}`] = (fetch) => fetch(`${base}/status/${status}`);
}
for (const coding of ["gzip", "x-gzip", "br", "zstd", "deflate", "gzip, br"]) {
  calls[`coding ${coding}`] = (fetch) => fetch(`${base}/coded/${encodeURIComponent(coding)}`);
}
for (const status of [301, 302, 303, 307, 308]) {
  for (const method of ["GET", "HEAD", "POST", "PUT"]) {
    calls[`a redirect ${status} of ${method}`] = (fetch) =>
      fetch(`${base}/redirect/${status}?to=/echo?again`, {
        method,
        body: method.startsWith("P") ? "body" : null,
        headers: { "content-language": "de", "x-kept": "1" },
      });
  }
}

for (const [name, call] of Object.entries(calls)) {
  test(name, async () => {
    const [ours, theirs] = await Promise.all([seen(call(globalThis.fetch)), seen(call(nativeFetch))]);
    // undici names its errors' classes alike: TypeError, or a DOMException for an abort.
    assert.equal(ours, theirs);
  });
}

test.run();
