// 103 Early Hints before a response, and trailers behind its body: for HTTP/1.1, and with SLIPWAY_TEST_H2 for HTTP/2.
import { request as ask1, type IncomingMessage } from "node:http";
import type { IncomingHttpHeaders } from "node:http2";
import { request as askTls } from "node:https";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ServeHandlerInfo } from "../../src/http/mod.ts";
import { session } from "../http2/support/node.ts";
import { GET, open } from "../http2/support/raw.ts";
import { overTls } from "../support/tls.ts";
import { connect } from "./support/client.ts";
import { overHttp2 } from "./support/over-http2.ts";
import { eventually, logged, start, type TestServer } from "./support/server.ts";

interface Seen {
  readonly status: number;
  readonly hints: readonly Record<string, unknown>[];
  readonly body: string;
  readonly trailers: Record<string, unknown>;
}

/** By clients of node's. */
function get(server: TestServer, path = "/", method = "GET"): Promise<Seen> {
  return overHttp2 ? get2(server, path, method) : get1(server, path, method);
}
function get1({ port }: TestServer, path: string, method: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const hints: Record<string, unknown>[] = [];
    const request = (overTls ? askTls : ask1)({ port, path, method, agent: false });
    request.on("information", ({ statusCode, headers }) => hints.push({ statusCode, ...headers }));
    request.on("error", reject);
    request.on("response", (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, hints, body, trailers: response.trailers }));
    });
    request.end();
  });
}
async function get2({ port }: TestServer, path: string, method: string): Promise<Seen> {
  using client = session(port);
  const stream = client.request({ ":path": path, ":method": method });
  const hints: Record<string, unknown>[] = [];
  let trailers: IncomingHttpHeaders = {};
  let status = 0;
  stream.on("headers", ({ ":status": statusCode, ...headers }) => hints.push({ statusCode, ...headers }));
  stream.on("response", (headers) => {
    status = Number(headers[":status"]);
  });
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  let body = "";
  for await (const chunk of stream) body += chunk;
  return { status, hints, body, trailers };
}

const LINK = "</app.css>; rel=preload; as=style";

for (const [name, handler] of Object.entries({
  "at once": (_: Request, info: ServeHandlerInfo) => {
    info.earlyHints({ link: LINK });
    return new Response("page");
  },
  later: async (_: Request, info: ServeHandlerInfo) => {
    info.earlyHints({ link: LINK });
    await new Promise((resolve) => setImmediate(resolve));
    return new Response("page");
  },
})) {
  test(`early hints, before a response that is given ${name}`, async () => {
    using server = start(handler);
    const { status, hints, body } = await get(server);
    assert.equal([status, body], [200, "page"]);
    assert.equal(hints, [{ statusCode: 103, link: LINK }]);
  });
}

test("several hints, while the response is being made; after it has begun there are none", async () => {
  const gate = Promise.withResolvers<void>();
  let behind: (() => void) | undefined;
  using server = start(async (_, info) => {
    info.earlyHints([
      ["link", "</a>"],
      ["link", "</b>"],
    ]);
    await gate.promise;
    info.earlyHints({ link: "</c>" });
    await new Promise((resolve) => setImmediate(resolve));
    behind = () => info.earlyHints({ link: "</d>" });
    return new Response("page");
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.saw("</a>, </b>");
  gate.resolve();
  const responses = await client.responses(3);
  assert.equal(
    responses.map(({ status }) => status),
    [103, 103, 200],
  );
  behind?.();
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.responses(6);
  assert.not.ok(client.text.includes("</d>"));
});

const bodies: Record<string, () => BodyInit | null> = {
  "a string": () => "body",
  bytes: () => new TextEncoder().encode("body"),
  "a Blob": () => new Blob(["body"]),
  "a stream": () => new Blob(["body"]).stream(),
  "a large string": () => "b".repeat(200_000),
  nothing: () => null,
};
for (const [name, body] of Object.entries(bodies)) {
  test(`trailers behind ${name}, given at once, promised, or by a function`, async () => {
    let called = 0;
    using server = start(async (request, info) => {
      const path = new URL(request.url).pathname;
      if (path === "/at-once") info.trailers({ "x-sum": "1", "x-other": "2" });
      if (path === "/promised")
        info.trailers(new Promise((resolve) => setTimeout(resolve, 2, { "x-sum": "1", "x-other": "2" })));
      if (path === "/function") {
        info.trailers(() => {
          called++;
          return { "x-sum": "1", "x-other": "2" };
        });
      }
      return new Response(body());
    });
    const expected = body() === null ? "" : name.includes("large") ? "b".repeat(200_000) : "body";
    for (const path of ["/at-once", "/promised", "/function"]) {
      const seen = await get(server, path);
      assert.ok(seen.body === expected);
      assert.equal({ ...seen.trailers }, { "x-sum": "1", "x-other": "2" }, path);
    }
    assert.is(called, 1);
    assert.equal({ ...(await get(server, "/none")).trailers }, {});
  });
}

test("what is counted while the body is sent can be its trailer", async () => {
  using server = start((_, info) => {
    let sum = 0;
    const source = new Blob(["x".repeat(300_000)]).stream();
    const counted = source.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          sum += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
    info.trailers(() => ({ "x-length": `${sum}` }));
    return new Response(counted);
  });
  assert.is((await get(server)).trailers["x-length"], "300000");
});

test("none behind what has no body, nor behind what answers an error", async () => {
  using server = start((request, info) => {
    info.trailers({ "x-sum": "1" });
    const { pathname } = new URL(request.url);
    if (pathname === "/throws") throw new Error("on purpose");
    return pathname === "/204" ? new Response(null, { status: 204 }) : new Response("body");
  });
  await logged(async () => {
    for (const [path, method, status] of [
      ["/", "HEAD", 200],
      ["/204", "GET", 204],
      ["/throws", "GET", 500],
    ] as const) {
      const seen = await get(server, path, method);
      assert.equal([seen.status, { ...seen.trailers }], [status, {}], path);
    }
  });
});

test("trailers that fail cut the response, and say why in the log", async () => {
  using server = start((_, info) => {
    info.trailers(() => Promise.reject(new Error("no sum")));
    return new Response("body");
  });
  const lines = await logged(async () => {
    const failed = await get(server).then(
      () => undefined,
      (error: Error) => error,
    );
    assert.ok(failed !== undefined);
  });
  assert.ok(
    lines.some((line) => line.includes("no sum")),
    lines.join("\n"),
  );
});

test("fields that come too late are refused where they are said, or cut the response where they are computed", async () => {
  let refused = "";
  using server = start((_, info) => {
    try {
      info.earlyHints({ "content-length": "3" });
    } catch (error) {
      refused = `${error}`;
    }
    info.trailers({ "content-type": "text/plain" });
    return new Response("body");
  });
  const lines = await logged(async () => {
    await get(server).catch(() => {});
    await eventually(() => refused !== "", "the handler ran");
  });
  assert.match(refused, /TypeError: early hints can't have a field "content-length"/);
  assert.ok(
    lines.some((line) => line.includes('trailers can\'t have a field "content-type"')),
    lines.join("\n"),
  );
});

if (!overHttp2 && !overTls) {
  test("HTTP/1.0 gets neither", async () => {
    using server = start(async (_, info) => {
      info.earlyHints({ link: LINK });
      info.trailers({ "x-sum": "1" });
      return new Response("body");
    });
    using client = await connect(server.port);
    client.write("GET / HTTP/1.0\r\n\r\n");
    const [only] = await client.untilEnd();
    assert.equal([only.status, only.text()], [200, "body"]);
  });

  test("pipelined: each has its own, and in its place", async () => {
    using server = start(async (request, info) => {
      const path = new URL(request.url).pathname;
      if (path === "/plain") return new Response("plain");
      info.earlyHints({ link: `<${path}>` });
      info.trailers({ "x-path": path });
      return new Response("body");
    });
    using client = await connect(server.port);
    client.write(["/a", "/plain", "/b"].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
    await client.saw("x-path: /b\r\n\r\n");
    const order = ["</a>", "x-path: /a", "\r\nplain", "</b>", "x-path: /b"].map((text) => client.text.indexOf(text));
    assert.equal(
      order,
      [...order].sort((a, b) => a - b),
    );
  });
}

if (overHttp2) {
  test("HTTP/2: trailers wait for no window, the body before them does", async () => {
    using server = start((_, info) => {
      info.trailers({ "x-sum": "1" });
      return new Response("0123456789");
    });
    using raw = await open(server.port, Buffer.from([0, 4, 0, 0, 0, 3]));
    raw.request(1, GET);
    await raw.client.until(() => raw.body(1).length === 3, "three bytes");
    raw.write(Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 7]));
    const { fields, body } = await raw.response(1);
    assert.is(`${body}`, "0123456789");
    assert.is(fields.get("x-sum"), "1");
  });
}

test.run();
