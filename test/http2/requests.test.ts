// From a request to its answer, as ordinary clients of HTTP/2 see it: node's own (nghttp2), and curl where it can.
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, constants, type OutgoingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { connect } from "../http/support/client.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { overTls } from "../support/tls.ts";
import { scheme, session } from "./support/node.ts";
import { connectRaw, END_HEADERS, END_STREAM, frame, GET, open, RST_STREAM, uint32 } from "./support/raw.ts";

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function fetchOn(
  client: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: Uint8Array | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request(headers, { endStream: body === undefined });
    let status = 0;
    let fields: Answer["headers"] = {};
    const chunks: Buffer[] = [];
    stream.on("response", (received) => {
      status = Number(received[":status"]);
      fields = received as Answer["headers"];
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve({ status, headers: fields, body: Buffer.concat(chunks).toString() }));
    stream.on("error", reject);
    if (body !== undefined) stream.end(body);
  });
}

test("a request is answered, and has the same Request and info as with HTTP/1.1", async () => {
  using server = start(
    (request, info) =>
      Response.json({
        method: request.method,
        url: request.url,
        host: request.headers.get("host"),
        cookie: request.headers.get("cookie"),
        names: [...request.headers.keys()],
        peer: (info.remoteAddr as { hostname: string }).hostname,
      }),
    { h2c: true },
  );
  using client = session(server.port);
  const answer = await fetchOn(client, { ":path": "/a?b=c", cookie: ["a=1", "b=2"], "x-some": "thing" });
  assert.is(answer.status, 200);
  assert.equal(JSON.parse(answer.body), {
    method: "GET",
    url: `${scheme}://127.0.0.1:${server.port}/a?b=c`,
    host: `127.0.0.1:${server.port}`,
    cookie: "a=1; b=2",
    names: ["cookie", "host", "x-some"],
    peer: "127.0.0.1",
  });
  assert.is(answer.headers["content-length"], `${Buffer.byteLength(answer.body)}`);
  assert.match(`${answer.headers["date"]}`, /GMT$/);
});

test("a hundred requests at once on one connection, answered in any order", async () => {
  using server = start(
    async (request) => {
      const n = Number(new URL(request.url).searchParams.get("n"));
      if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, n % 7));
      return new Response(`${n}`);
    },
    { h2c: true },
  );
  using client = session(server.port);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => fetchOn(client, { ":path": `/?n=${n}` })));
  for (const [n, { body }] of answers.entries()) assert.is(body, `${n}`);
  assert.is(server.server.connections, 1);
});

for (const [kind, body] of [
  ["a string", () => "é".repeat(300_000)],
  ["bytes", () => new TextEncoder().encode("é".repeat(300_000))],
  ["a Blob", () => new Blob(["é".repeat(300_000)])],
  [
    "a stream",
    () => {
      let left = 100;
      const chunk = new TextEncoder().encode("é".repeat(3000));
      return new ReadableStream({
        pull(controller) {
          if (left-- > 0) controller.enqueue(chunk);
          else controller.close();
        },
      });
    },
  ],
] as const) {
  test(`a large body from ${kind}`, async () => {
    using server = start(() => new Response(body() as BodyInit), { h2c: true });
    using client = session(server.port);
    const answers = await Promise.all([1, 2, 3].map(() => fetchOn(client, { ":path": "/" })));
    for (const answer of answers) assert.is(answer.body, "é".repeat(300_000));
  });
}

test("a body of several megabytes is echoed as a stream, and as a whole", async () => {
  using server = start(
    async (request) => new Response(request.url.endsWith("/stream") ? request.body : await request.bytes()),
    { h2c: true },
  );
  using client = session(server.port);
  const sent = Buffer.alloc(3_000_001, "abcdefghijk");
  for (const path of ["/stream", "/whole"]) {
    const { body } = await fetchOn(client, { ":path": path, ":method": "POST" }, sent);
    assert.is(body.length, sent.length);
    assert.ok(body === sent.toString());
  }
});

test("HEAD, 204 and 304 have no body", async () => {
  using server = start(
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/204") return new Response(null, { status: 204 });
      if (pathname === "/304") return new Response(null, { status: 304, headers: { "content-length": "7" } });
      return new Response("0123456789");
    },
    { h2c: true },
  );
  using client = session(server.port);
  const head = await fetchOn(client, { ":path": "/", ":method": "HEAD" });
  assert.equal([head.status, head.headers["content-length"], head.body], [200, "10", ""]);
  const none = await fetchOn(client, { ":path": "/204" });
  assert.equal([none.status, none.headers["content-length"], none.body], [204, undefined, ""]);
  const same = await fetchOn(client, { ":path": "/304" });
  assert.equal([same.status, same.headers["content-length"], same.body], [304, "7", ""]);
});

test("100 Continue comes when the handler asks for the body, and not before", async () => {
  using server = start(async (request) => new Response(`got ${await request.text()}`), { h2c: true });
  using client = session(server.port);
  const stream = client.request({ ":method": "POST", ":path": "/", expect: "100-continue" }, { endStream: false });
  await new Promise((resolve) => stream.once("continue", resolve));
  stream.end("it");
  let body = "";
  for await (const chunk of stream) body += chunk;
  assert.is(body, "got it");
});

test("fields that concern a connection of HTTP/1.1 don't leave", async () => {
  using server = start(
    () => new Response("x", { headers: { connection: "close", "keep-alive": "timeout=5", "x-kept": "yes" } }),
    { h2c: true },
  );
  using client = session(server.port);
  const { headers } = await fetchOn(client, { ":path": "/" });
  assert.is(headers["connection"], undefined);
  assert.is(headers["keep-alive"], undefined);
  assert.is(headers["x-kept"], "yes");
});

test("heads that need CONTINUATION frames, both ways", async () => {
  const long = "v".repeat(20_000);
  using server = start(
    (request) =>
      new Response(request.headers.get("x-long")?.slice(0, 10), { headers: { "x-long": "w".repeat(40_000) } }),
    {
      h2c: true,
    },
  );
  using client = session(server.port, { maxSendHeaderBlockLength: 100_000 });
  const answer = await fetchOn(client, { ":path": "/", "x-long": long });
  assert.is(answer.body, "vvvvvvvvvv");
  assert.is(answer.headers["x-long"], "w".repeat(40_000));
});

test("a head that does not fit into 64 KiB is a 500, as with HTTP/1.1", async () => {
  using server = start(
    (request) =>
      new Response("x", request.url.endsWith("/large") ? { headers: { "x-long": "w".repeat(100_000) } } : {}),
    { h2c: true },
  );
  using client = session(server.port);
  const lines = await logged(async () => {
    assert.is((await fetchOn(client, { ":path": "/large" })).status, 500);
  });
  assert.ok(lines.some((line) => line.includes("do not fit into 64 KiB")));
  assert.is((await fetchOn(client, { ":path": "/" })).status, 200);
});

test("a client that resets a stream aborts request.signal; the connection goes on", async () => {
  let aborted: unknown;
  const began = Promise.withResolvers<void>();
  using server = start(
    (request) => {
      if (request.url.endsWith("/quick")) return new Response("quick");
      return new Promise((resolve) => {
        request.signal.addEventListener("abort", () => {
          aborted = request.signal.reason;
          resolve(new Response("too late"));
        });
        began.resolve();
      });
    },
    { h2c: true },
  );
  using client = session(server.port);
  const stream = client.request({ ":path": "/slow" });
  stream.on("error", () => {});
  await began.promise;
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => aborted !== undefined, "the signal aborts");
  assert.is((aborted as DOMException).name, "AbortError");
  assert.is((await fetchOn(client, { ":path": "/quick" })).body, "quick");
});

test("a handler that throws is a 500, a stream that fails is INTERNAL_ERROR", async () => {
  using server = start(
    (request) => {
      if (request.url.endsWith("/throws")) throw new Error("on purpose");
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.error(new Error("half way"));
          },
        }),
      );
    },
    { h2c: true },
  );
  using client = session(server.port);
  const lines = await logged(async () => {
    assert.is((await fetchOn(client, { ":path": "/throws" })).status, 500);
    const failed = await fetchOn(client, { ":path": "/fails" }).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    );
    assert.match(`${failed?.message}`, /NGHTTP2_INTERNAL_ERROR/);
  });
  assert.ok(lines.some((line) => line.includes("on purpose")));
  assert.ok(lines.some((line) => line.includes("half way")));
});

test("what came before a stream failed still leaves", async () => {
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("half"));
          },
          async pull(controller) {
            await Promise.resolve();
            controller.error(new Error("the other half"));
          },
        }),
      ),
    { h2c: true },
  );
  using raw = await open(server.port);
  await logged(async () => {
    raw.request(1);
    assert.is(await raw.reset(1), 2);
  });
  assert.is(`${raw.body(1)}`, "half");
});

for (const [name, flags] of [
  ["a request", END_HEADERS | END_STREAM],
  ["a request whose body is still to come", END_HEADERS],
] as const) {
  test(`a handler that closes its server is told, and its late failure is said: ${name}`, async () => {
    const states: unknown[] = [];
    const lines = await logged(async () => {
      using server = start(
        (request, info) => {
          server.server.close();
          return (async () => {
            info.completed.catch(() => states.push("not completed"));
            await new Promise((resolve) => setImmediate(resolve));
            states.push(request.signal.aborted);
            throw new Error("too late");
          })();
        },
        { h2c: true },
      );
      using raw = await open(server.port);
      raw.request(1, GET, flags);
      await raw.client.gone();
      await eventually(() => states.length === 2, "the handler is told");
      await new Promise((resolve) => setImmediate(resolve));
    });
    assert.equal(states, ["not completed", true]);
    assert.ok(
      lines.some((line) => line.includes("too late")),
      lines.join("\n"),
    );
  });
}

test("a handler that fails when its client has left is said to have failed, unless it is with the signal's reason", async () => {
  const lines = await logged(async () => {
    let failed = 0;
    using server = start(
      async (request) => {
        await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
        failed++;
        throw request.url.endsWith("/signal") ? request.signal.reason : new Error("of its own");
      },
      { h2c: true },
    );
    using raw = await open(server.port);
    raw.request(
      1,
      GET.map(([field, value]) => [field, field === ":path" ? "/signal" : value]),
    );
    raw.request(3);
    await raw.settled();
    for (const id of [1, 3]) raw.write(frame(RST_STREAM, 0, id, uint32(8)));
    await eventually(() => failed === 2, "both have failed");
    await raw.settled();
  });
  assert.equal(lines.filter((line) => line.includes("the handler failed")).length, 1);
  assert.ok(lines.some((line) => line.includes("of its own")));
});

test("a client without a table", async () => {
  using server = start(
    (request) => (request.url.endsWith("/a") ? new Response("x") : Promise.resolve(new Response("x"))),
    {
      h2c: true,
    },
  );
  using client = session(server.port, { settings: { headerTableSize: 0 } });
  for (const path of ["/a", "/b", "/a"]) assert.is((await fetchOn(client, { ":path": path })).body, "x");
});

test("HTTP/1.1 is served on the same port", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  assert.is(await (await fetch(server.url)).text(), "x");
});

test("a preface that comes byte by byte", async () => {
  using server = start(() => new Response("x"), { h2c: true });
  using client = await connectRaw(server.port);
  for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0") await client.send(byte);
  await client.until(() => client.bytes.length > 9 && client.bytes[3] === 4, "SETTINGS");
});

test("without h2c the preface is a request of a version too new", async () => {
  using server = start(() => new Response("x"));
  using client = await connect(server.port);
  client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const [response] = await client.untilEnd();
  assert.is(response.status, 505);
});

const run = promisify(execFile);
const curl = await run("curl", ["--version"]).then(
  ({ stdout }) => (stdout.includes("HTTP2") ? "" : "curl was built without HTTP/2"),
  () => "there is no curl",
);
if (curl !== "") skip(test, "curl", curl);
else {
  test("curl, with prior knowledge or by ALPN", async () => {
    using server = start(async (request) => new Response(`${request.method} ${(await request.text()).length}`), {
      h2c: true,
    });
    const { stdout } = await run("curl", [
      "--silent",
      ...(overTls ? ["--http2", "--insecure"] : ["--http2-prior-knowledge"]),
      "--write-out",
      " %{http_version}",
      "--data",
      "x".repeat(100_000),
      server.url,
    ]);
    assert.is(stdout, "POST 100000 2");
  });

  test("curl sends megabytes that nobody reads, and has its answer; 413 as well", async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "body");
    writeFileSync(file, Buffer.alloc(5_000_000));
    for (const [status, maxBodyBytes] of [
      ["200", 10_000_000],
      ["413", 1000],
    ] as const) {
      using server = start(() => new Response("not read"), { h2c: true, maxBodyBytes });
      const { stdout } = await run("curl", [
        ...["--silent", "--max-time", "20", "--output", join(folder, "answer"), "--write-out", "%{http_code}"],
        ...(overTls ? ["--http2", "--insecure"] : ["--http2-prior-knowledge"]),
        ...["--data-binary", `@${file}`, server.url],
      ]);
      assert.is(stdout, status);
    }
  });
}

const h2load = await run("h2load", ["--version"]).then(
  () => "",
  () => "there is no h2load (nghttp2-client)",
);
if (h2load !== "") skip(test, "h2load", h2load);
else {
  test("h2load: thousands of requests on 10 connections of 10 streams, with and without bodies", async () => {
    using server = start(async (request) => new Response(`${(await request.bytes()).length}`), { h2c: true });
    const file = new URL(import.meta.url).pathname;
    for (const body of [[], ["--data", file]]) {
      const { stdout } = await run("h2load", ["-n", "3000", "-c", "10", "-m", "10", ...body, server.url]);
      assert.match(stdout, /3000 succeeded, 0 failed, 0 errored, 0 timeout/);
    }
  });
}

test.run();
