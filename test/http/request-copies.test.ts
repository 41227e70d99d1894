// What handlers do with an incoming request beside reading it: clone, copy, tee, pipe, pass on, cancel, ignore.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start } from "./support/server.ts";

type Use = (request: Request) => Response | Promise<Response>;

const length = async (promise: Promise<string>): Promise<string> => String((await promise).length);
const body = (request: Request): ReadableStream<Uint8Array<ArrayBuffer>> => {
  if (request.body === null) throw new Error("no body");
  return request.body;
};

const uses: Readonly<Record<string, readonly [use: Use, expected: (size: number) => string]>> = {
  clone: [
    async (request) => {
      const clone = request.clone();
      return new Response(`${await length(request.text())} ${await length(clone.text())}`);
    },
    (size) => `${size} ${size}`,
  ],
  copy: [
    async (request) => {
      const copy = new Request(request, { headers: { "x-new": "1" } });
      return new Response(`${await length(copy.text())} ${request.bodyUsed} ${copy.headers.get("x-new")}`);
    },
    (size) => `${size} true 1`,
  ],
  "copy-to": [
    async (request) => {
      const copy = new Request("http://other/", request);
      return new Response(`${await length(copy.text())} ${copy.url} ${copy.method}`);
    },
    (size) => `${size} http://other/ POST`,
  ],
  look: [
    async (request) => {
      void request.body;
      return new Response(await length(request.text()));
    },
    String,
  ],
  tee: [
    async (request) => {
      const [a, b] = body(request).tee();
      const lengths = await Promise.all([length(new Response(a).text()), length(new Response(b).text())]);
      return new Response(lengths.join(" "));
    },
    (size) => `${size} ${size}`,
  ],
  pipe: [(request) => new Response(body(request).pipeThrough(new TransformStream())), (size) => "x".repeat(size)],
  gzip: [
    (request) =>
      new Response(
        body(request).pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip")),
      ),
    (size) => "x".repeat(size),
  ],
  proxy: [
    (request) =>
      fetch(new URL("/look", request.url), { method: "POST", body: request.body, duplex: "half" } as RequestInit),
    String,
  ],
  "proxy-copy": [(request) => fetch(new Request(new URL("/look", request.url), request)), String],
  blob: [async (request) => new Response(await request.blob()), (size) => "x".repeat(size)],
  cancel: [
    async (request) => {
      await body(request).cancel("enough");
      return new Response("cancelled");
    },
    () => "cancelled",
  ],
  "first-piece": [
    async (request) => {
      const reader = body(request).getReader();
      const { value } = await reader.read();
      await reader.cancel();
      return new Response(String((value?.length ?? 0) > 0));
    },
    () => "true",
  ],
  lock: [
    (request) => {
      body(request).getReader();
      return new Response("locked");
    },
    () => "locked",
  ],
  "late-clone": [
    async (request) => {
      await request.text();
      try {
        request.clone();
        return new Response("cloned");
      } catch (error) {
        return new Response((error as Error).name);
      }
    },
    () => "TypeError",
  ],
};

for (const [name, [, expected]] of Object.entries(uses)) {
  for (const size of [5, 100_000, 3_000_000]) {
    test(`${name}, ${size} bytes`, async () => {
      using server = start((request) => uses[new URL(request.url).pathname.slice(1)][0](request));
      for (let i = 0; i < 2; i++) {
        const response = await fetch(`${server.url}/${name}`, { method: "POST", body: "x".repeat(size) });
        const text = await response.text();
        if (text !== expected(size)) assert.unreachable(`${response.status} ${text.slice(0, 100)}`);
      }
    });
  }
}

test.run();
