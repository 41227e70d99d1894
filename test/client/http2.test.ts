// fetch over HTTP/2: against node:http2, our own server, and servers that say bytes which no server should.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import type net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters } from "../../src/client/counters.ts";
import { type CreateHttpClientOptions, createHttpClient } from "../../src/client/http-client.ts";
import { serve } from "../../src/http/mod.ts";
import { issue } from "../support/issued.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";
import { failure, told, until } from "./support.ts";

const root = issue({ name: "Root of the tests", ca: true });
const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"] });
const trusting = (options: CreateHttpClientOptions = {}) => createHttpClient({ caCerts: [root.cert], ...options });
const ask = (url: string, client: unknown, init: RequestInit = {}) => fetch(url, { ...init, client } as RequestInit);

interface Started {
  readonly base: string;
  readonly sessions: http2.ServerHttp2Session[];
  [Symbol.dispose](): void;
}

async function node(
  answer: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {},
): Promise<Started> {
  const sessions: http2.ServerHttp2Session[] = [];
  const server = http2.createSecureServer({ cert: leaf.cert, key: leaf.key, settings, maxSessionMemory: 500 });
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    answer(stream as http2.ServerHttp2Stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    base: `https://localhost:${(server.address() as net.AddressInfo).port}`,
    sessions,
    [Symbol.dispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

const works = suite("HTTP/2");

works("all calls share a connection; what is asked and answered is whole", async () => {
  using server = await node((stream, headers) => {
    stream.respond({ ":status": 200, "x-asked": JSON.stringify(headers), "set-cookie": ["a=1", "b=2"] });
    stream.pipe(stream);
  });
  using client = trusting();
  const sizes = [0, 1, 16_384, 100_000, 2_000_000];
  const calls = sizes.map(async (size, i) => {
    const body = new Uint8Array(size).map((_, k) => (k * 7 + i) % 253);
    const headers: [string, string][] = [
      ["x-own", "  kept "],
      ["cookie", "c=1"],
      ["cookie", "d=2"],
    ];
    const response = await ask(`${server.base}/p?q=${i}`, client, { method: "POST", body, headers });
    const asked = JSON.parse(response.headers.get("x-asked") ?? "{}");
    assert.is(asked[":path"], `/p?q=${i}`);
    assert.is(asked[":method"], "POST");
    assert.is(asked[":scheme"], "https");
    assert.is(asked[":authority"], new URL(server.base).host);
    assert.is(asked["x-own"], "kept");
    assert.is(asked.cookie, "c=1; d=2");
    assert.is(asked["content-length"], `${size}`);
    assert.is(asked.host ?? asked.connection ?? asked["transfer-encoding"], undefined);
    assert.equal(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.is(response.url, `${server.base}/p?q=${i}`);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body)), `${size}`);
  });
  await Promise.all(calls);
  assert.is(server.sessions.length, 1);
});

works("bodies of streams and blobs, HEAD, 204, 304, interim responses, trailers, decoding", async () => {
  using server = await node((stream, headers) => {
    const path = headers[":path"];
    if (path === "/echo") {
      stream.respond();
      return void stream.pipe(stream);
    }
    if (path === "/early") {
      stream.additionalHeaders({ ":status": 103, link: "x" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-after": "1" }));
      return void stream.end("early");
    }
    if (path === "/br") {
      stream.respond({ "content-encoding": "br" });
      return void stream.end(process.getBuiltinModule("node:zlib").brotliCompressSync("compressed"));
    }
    stream.respond({ ":status": Number(path?.slice(1)), "content-length": path === "/200" ? 5 : undefined } as never);
    stream.end(headers[":method"] === "HEAD" || path !== "/200" ? undefined : "hello");
  });
  using client = trusting();
  const stream = new ReadableStream({
    async start(controller) {
      for (let i = 0; i < 5; i++) {
        controller.enqueue(new Uint8Array(30_000).fill(i));
        await new Promise((resolve) => setImmediate(resolve));
      }
      controller.close();
    },
  });
  const put = { method: "PUT", duplex: "half" } as RequestInit;
  const echoed = await ask(`${server.base}/echo`, client, { ...put, body: stream });
  assert.is((await echoed.arrayBuffer()).byteLength, 150_000);
  assert.is(await (await ask(`${server.base}/echo`, client, { ...put, body: new Blob(["a blob"]) })).text(), "a blob");
  const empty = new ReadableStream({ start: (controller) => controller.close() });
  assert.is(await (await ask(`${server.base}/echo`, client, { ...put, body: empty })).text(), "");
  const head = await ask(`${server.base}/200`, client, { method: "HEAD" });
  assert.equal([head.status, head.headers.get("content-length"), await head.text()], [200, "5", ""]);
  assert.is((await ask(`${server.base}/204`, client)).status, 204);
  assert.is((await ask(`${server.base}/304`, client)).status, 304);
  assert.is(await (await ask(`${server.base}/200`, client)).text(), "hello");
  assert.is(await (await ask(`${server.base}/early`, client)).text(), "early");
  assert.is(await (await ask(`${server.base}/br`, client)).text(), "compressed");
  assert.is(server.sessions.length, 1);
});

works("many at once wait for one handshake, and no server gets more than it takes", async () => {
  let now = 0;
  let most = 0;
  using server = await node(
    (stream) => {
      most = Math.max(most, ++now);
      setImmediate(() => {
        now--;
        stream.respond();
        stream.end("x");
      });
    },
    { maxConcurrentStreams: 100 },
  );
  using client = trusting();
  const before = clientCounters.handshakes;
  await Promise.all(Array.from({ length: 80 }, async () => (await ask(server.base, client)).text()));
  assert.is(clientCounters.handshakes - before, 1);
  assert.ok(most <= 100, `${most}`);
});

works("more than a server takes at once go over another connection", async () => {
  using server = await node((stream) => void setTimeout(() => stream.respond({}, { endStream: true }), 20), {
    maxConcurrentStreams: 4,
  });
  using client = trusting();
  await (await ask(server.base, client)).text();
  await Promise.all(Array.from({ length: 12 }, async () => (await ask(server.base, client)).text()));
  assert.ok(server.sessions.length >= 2 && server.sessions.length <= 12, `${server.sessions.length}`);
});

works("a body that nobody reads stalls itself alone", async () => {
  const big = Buffer.alloc(8_000_000, "b");
  using server = await node((stream, headers) => {
    stream.respond();
    stream.end(headers[":path"] === "/big" ? big : "small");
  });
  using client = trusting();
  const unread = await ask(`${server.base}/big`, client);
  for (let i = 0; i < 20; i++) assert.is(await (await ask(server.base, client)).text(), "small");
  const many = await Promise.all(Array.from({ length: 10 }, () => ask(`${server.base}/big`, client)));
  for (const response of [...many, unread]) assert.is((await response.arrayBuffer()).byteLength, big.length);
  assert.is(server.sessions.length, 1);
});

works("a signal resets the stream, and nothing else", async () => {
  const codes: number[] = [];
  using server = await node((stream, headers) => {
    stream.on("close", () => codes.push(stream.rstCode ?? 0));
    if (headers[":path"] === "/slow") return;
    stream.respond();
    if (headers[":path"] === "/body") return void stream.write("begun");
    stream.end("hello");
  });
  using client = trusting();
  assert.is(await (await ask(server.base, client)).text(), "hello");
  for (const path of ["/slow", "/body"]) {
    const controller = new AbortController();
    const call = ask(server.base + path, client, { signal: controller.signal });
    if (path === "/slow") {
      await until(() => (server.sessions[0]?.state as { outboundQueueSize?: number }) !== undefined);
      setImmediate(() => controller.abort("enough"));
      assert.is(await failure(call), "enough" as never);
    } else {
      const response = await call;
      controller.abort("enough");
      assert.is(await failure(response.text()), "enough" as never);
    }
  }
  const cancelled = await ask(`${server.base}/body`, client);
  await cancelled.body?.cancel();
  await until(() => codes.length === 4);
  assert.equal(codes, [0, 8, 8, 8]);
  assert.is(await (await ask(server.base, client)).text(), "hello");
  assert.is(server.sessions.length, 1);
  assert.is(clientCounters.busy, 0);
});

works("what the server has not looked at is sent again, whatever it is", async () => {
  let calls = 0;
  using server = await node((stream) => {
    if (++calls === 1) return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    stream.respond();
    stream.pipe(stream);
  });
  using client = trusting();
  assert.is(await (await ask(server.base, client, { method: "POST", body: "twice" })).text(), "twice");
  assert.is(calls, 2);
});

works("as often as six times in all; a stream that was begun is not, and whoever gives up is not kept", async () => {
  let calls = 0;
  let refusals = 5;
  using server = await node((stream) => {
    if (++calls <= refusals) return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    stream.respond();
    stream.pipe(stream);
  });
  using client = trusting();
  assert.is(await (await ask(server.base, client, { method: "POST", body: "again" })).text(), "again");
  assert.is(calls, 6);
  refusals = Number.POSITIVE_INFINITY;
  for (const body of ["never", new Blob(["never"]).stream()]) {
    calls = 0;
    const error = await failure(ask(server.base, client, { method: "POST", body, duplex: "half" } as RequestInit));
    assert.match(told(error), /REFUSED_STREAM/);
    assert.is(calls, typeof body === "string" ? 6 : 1);
  }
  calls = 0;
  const controller = new AbortController();
  const call = failure(ask(server.base, client, { signal: controller.signal }));
  await until(() => calls === 4);
  controller.abort("enough");
  assert.is(await call, "enough" as never);
  await until(() => clientCounters.busy === 0);
});

works("GOAWAY: what it names is answered, the next call has another connection", async () => {
  using server = await node((stream, headers) => {
    if (headers[":path"] === "/last") stream.session?.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id);
    setImmediate(() => {
      stream.respond();
      stream.end("answered");
    });
  });
  using client = trusting();
  for (let i = 0; i < 3; i++) {
    assert.is(await (await ask(`${server.base}/last`, client)).text(), "answered");
    await until(() => server.sessions.length === i + 1 && clientCounters.busy === 0);
  }
  assert.is(await (await ask(server.base, client)).text(), "answered");
  assert.is(server.sessions.length, 4);
});

works("our own server drains: nothing is lost that it took", async () => {
  const options = { port: 0, hostname: "127.0.0.1", cert: leaf.cert, key: leaf.key, onListen() {} };
  const server = serve(options, async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return new Response("ok");
  });
  const url = `https://localhost:${server.addr.port}/`;
  using client = trusting();
  let going = true;
  const outcomes = new Map<string, number>();
  const worker = async (): Promise<void> => {
    while (going) {
      const outcome = await ask(url, client).then((response) => response.text(), told);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== "ok") return;
    }
  };
  const workers = Array.from({ length: 20 }, worker);
  await until(() => (outcomes.get("ok") ?? 0) > 50);
  await server.shutdown();
  going = false;
  await Promise.all(workers);
  for (const outcome of outcomes.keys()) if (outcome !== "ok") assert.match(outcome, /Connection refused/);
});

works("each call has its own time", async () => {
  using server = await node((stream, headers) => {
    if (headers[":path"] === "/never") return;
    stream.respond();
    if (headers[":path"] === "/half") return void stream.write("half");
    stream.end("hello");
  });
  using client = trusting({ headerTimeout: 60, bodyTimeout: 60 });
  const never = failure(ask(`${server.base}/never`, client));
  const half = await ask(`${server.base}/half`, client);
  assert.match(told(await never), /no response came within 60 ms/);
  assert.match(told(await failure(half.text())), /no byte of the response's body came for 60 ms/);
  assert.is(await (await ask(server.base, client)).text(), "hello");
  assert.is(clientCounters.busy, 0);
});

works("an idle connection goes in its time, says so, and holds no process", async () => {
  using server = await node((stream) => {
    stream.respond();
    stream.end("hello");
  });
  using client = trusting({ poolIdleTimeout: 50 });
  assert.is(await (await ask(server.base, client)).text(), "hello");
  const [session] = server.sessions;
  const said: number[] = [];
  session.on("goaway", (code) => said.push(code));
  await once(session, "close");
  assert.equal(said, [0]);
  assert.is(clientCounters.idle, 0);
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "root.pem"), root.cert);
  const program = `import { install } from ${JSON.stringify(join(repository, "src/fetch/mod.ts"))};
install(() => import(${JSON.stringify(join(repository, "src/client/mod.ts"))}));
console.log(await (await fetch(${JSON.stringify(server.base)})).text());`;
  const env = { NODE_EXTRA_CA_CERTS: join(folder, "root.pem") };
  const { code, stdout, stderr } = await run([process.execPath, "--input-type=module", "-e", program], {
    env,
    timeoutSeconds: 10,
  });
  assert.equal([code, stdout], [0, "hello\n"], stderr);
});

works("http1: false, and a server without HTTP/2", async () => {
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  using client = trusting({ http1: false });
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  assert.match(told(await failure(ask(url, client))), /the server does not speak HTTP\/2, and http1 is false/);
  server.close();
});

// ---- servers that say what they must not

const frame = (type: number, flags: number, stream: number, payload: Uint8Array | string = ""): Buffer => {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
};
const SETTINGS = frame(4, 0, 0);
const OK = 0x88;
const END = 1;
const END_HEADERS = 4;
const field = (name: string, value: string): number[] => [
  0,
  name.length,
  ...Buffer.from(name),
  value.length,
  ...Buffer.from(value),
];
const head = (bytes: readonly number[], flags = END_HEADERS, stream = 1) =>
  frame(1, flags, stream, Uint8Array.from(bytes));
const repeated = (bytes: Buffer, count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes));

/** Says `bytes` once a request has come. What the client says last, as GOAWAY's code or RST_STREAM's. */
async function hostile(bytes: Buffer): Promise<{ error: Error; code: number }> {
  let heard = Buffer.alloc(0);
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key, ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      const first = heard.length === 0;
      heard = Buffer.concat([heard, data]);
      if (first) setImmediate(() => socket.write(bytes));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  using client = trusting({ headerTimeout: "5s" });
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  const error = await failure(ask(url, client).then((response) => response.text()));
  const last = (): number => {
    let code = -1;
    for (let at = 24; at + 9 <= heard.length; at += 9 + heard.readUIntBE(at, 3)) {
      if (heard[at + 3] === 3) code = heard.readUInt32BE(at + 9);
      if (heard[at + 3] === 7) code = heard.readUInt32BE(at + 13);
    }
    return code;
  };
  await until(() => last() >= 0);
  client.close();
  server.close();
  return { error, code: last() };
}

works("GOAWAY that leaves a call out, time and again: it goes to another connection", async () => {
  let connections = 0;
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key, ALPNProtocols: ["h2"] }, (socket) => {
    const last = ++connections === 5;
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(Buffer.concat([SETTINGS, last ? head([OK], END | END_HEADERS) : frame(7, 0, 0, new Uint8Array(8))]));
      if (!last) socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  using client = trusting();
  assert.is((await ask(url, client, { method: "POST", body: "x" })).status, 200);
  assert.is(connections, 5);
  client.close();
  server.close();
});

works("what must be asked over HTTP/1.1 is, where it can be said twice, and so is all that follows", async () => {
  const asked: string[] = [];
  const server = http2.createSecureServer({ cert: leaf.cert, key: leaf.key, allowHTTP1: true }, (request, response) => {
    asked.push(`${request.httpVersion} ${request.method}`);
    if (request.httpVersion === "1.1") return void request.pipe(response);
    request.stream.on("error", () => {});
    request.stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  using client = trusting();
  assert.is(await (await ask(url, client, { method: "POST", body: "twice" })).text(), "twice");
  assert.equal(asked, ["2.0 POST", "1.1 POST"]);
  await (await ask(url, client)).text();
  assert.equal(asked.slice(2), ["1.1 GET"]);
  // Without another protocol there is nothing to be asked again.
  using only = trusting({ http1: false });
  assert.match(told(await failure(ask(url, only))), /HTTP_1_1_REQUIRED/);
  // A stream can't be said twice.
  using fresh = trusting();
  const body = new Blob(["once"]).stream();
  const refused = await failure(ask(url, fresh, { method: "POST", body, duplex: "half" } as RequestInit));
  assert.match(told(refused), /HTTP_1_1_REQUIRED/);
  client.close();
  fresh.close();
  only.close();
  server.close();
});

works("a burst of calls to who speaks HTTP/1.1 only waits for one handshake, and then each has its own", async () => {
  let waiting = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const server = https.createServer({ cert: leaf.cert, key: leaf.key }, (_, response) => {
    most = Math.max(most, ++waiting);
    if (waiting === 20) gate.resolve();
    // All of them are here at once, or nobody is answered.
    void gate.promise.then(() => response.end("x"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as net.AddressInfo).port}/`;
  using client = trusting();
  const before = clientCounters.opened;
  const answers = await Promise.all(Array.from({ length: 20 }, async () => (await ask(url, client)).text()));
  assert.equal(new Set(answers), new Set(["x"]));
  assert.is(most, 20);
  assert.is(clientCounters.opened - before, 20);
  client.close();
  server.close();
});

const wrong = suite("servers that are wrong");

const cases: readonly (readonly [string, Buffer, number, RegExp])[] = [
  ["no SETTINGS at first", head([OK], END | END_HEADERS), 1, /first frame is not SETTINGS/],
  ["HTTP/1.1 after all", Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), 6, /larger than SETTINGS_MAX/],
  ["a push", Buffer.concat([SETTINGS, frame(5, 4, 1, "\0\0\0\x02")]), 1, /it pushes/],
  ["a push that is allowed to be", frame(4, 0, 0, "\0\x02\0\0\0\x01"), 1, /wants to be pushed/],
  ["a stream that nobody opened", Buffer.concat([SETTINGS, head([OK], END_HEADERS, 7)]), 1, /nobody has opened/],
  ["a stream of its own", Buffer.concat([SETTINGS, head([OK], END_HEADERS, 2)]), 1, /nobody has opened/],
  ["DATA on stream 0", Buffer.concat([SETTINGS, frame(0, 0, 0, "x")]), 1, /nobody has opened/],
  ["DATA before its head", Buffer.concat([SETTINGS, frame(0, 0, 1, "x")]), 1, /DATA before its head/],
  [
    "HPACK that is none",
    Buffer.concat([SETTINGS, head([0xff, 0xff, 0xff, 0xff, 0xff])]),
    9,
    /header block is malformed/,
  ],
  ["no status", Buffer.concat([SETTINGS, head(field("a", "b"))]), 1, /no status/],
  ["a status of two digits", Buffer.concat([SETTINGS, head(field(":status", "20"))]), 1, /status is malformed/],
  ["two of them", Buffer.concat([SETTINGS, head([OK, OK])]), 1, /status is malformed/],
  ["one behind fields", Buffer.concat([SETTINGS, head([...field("a", "b"), OK])]), 1, /status is malformed/],
  ["a request's pseudo-header", Buffer.concat([SETTINGS, head([OK, 0x84])]), 1, /pseudo-header/],
  ["upper case", Buffer.concat([SETTINGS, head([OK, ...field("Aa", "b")])]), 1, /malformed/],
  ["a line break", Buffer.concat([SETTINGS, head([OK, ...field("a", "b\r\nc: d")])]), 1, /malformed/],
  ["connection", Buffer.concat([SETTINGS, head([OK, ...field("connection", "close")])]), 1, /it has connection/],
  ["chunked", Buffer.concat([SETTINGS, head([OK, ...field("transfer-encoding", "chunked")])]), 1, /transfer-encoding/],
  ["101", Buffer.concat([SETTINGS, head(field(":status", "101"))]), 1, /no response/],
  [
    "too many interim responses",
    Buffer.concat([SETTINGS, repeated(head(field(":status", "103")), 40)]),
    1,
    /more than 32 interim/,
  ],
  [
    "less than Content-Length",
    Buffer.concat([SETTINGS, head([OK, ...field("content-length", "5")]), frame(0, END, 1, "abc")]),
    1,
    /shorter than its Content-Length/,
  ],
  [
    "more than Content-Length",
    Buffer.concat([SETTINGS, head([OK, ...field("content-length", "2")]), frame(0, END, 1, "abc")]),
    1,
    /longer than it said/,
  ],
  [
    "padding beyond its frame",
    Buffer.concat([SETTINGS, head([OK]), frame(0, 8, 1, "\xffab")]),
    1,
    /padding that is longer/,
  ],
  ["a second head", Buffer.concat([SETTINGS, head([OK]), head([OK])]), 1, /second head/],
  [
    "a frame within a header block",
    Buffer.concat([SETTINGS, head([OK], 0), frame(6, 0, 0, "12345678")]),
    1,
    /within a header block/,
  ],
  ["CONTINUATION alone", Buffer.concat([SETTINGS, frame(9, 4, 1)]), 1, /without a header block/],
  [
    "a flood of CONTINUATION",
    Buffer.concat([SETTINGS, head([OK], 0), repeated(frame(9, 0, 1), 2_000)]),
    11,
    /header block/,
  ],
  [
    "a bomb of HPACK",
    // A field of 4,000 bytes, to be kept, and then named 200 times.
    Buffer.concat([
      SETTINGS,
      head([OK, 0x40, 1, 0x61, 0x7f, 0xa1, 0x1e, ...Buffer.alloc(4000, "b"), ...Buffer.alloc(200, 0xbe)]),
    ]),
    1,
    /larger than 256 KiB/,
  ],
  ["a flood of PING", Buffer.concat([SETTINGS, repeated(frame(6, 0, 0, "12345678"), 5_000)]), 11, /frames without use/],
  ["a flood of SETTINGS", repeated(SETTINGS, 5_000), 11, /frames without use/],
  [
    "a flood of empty DATA",
    Buffer.concat([SETTINGS, head([OK]), repeated(frame(0, 0, 1), 5_000)]),
    11,
    /frames without use/,
  ],
  ["a frame that is too large", Buffer.concat([SETTINGS, frame(6, 0, 0, Buffer.alloc(20_000))]), 6, /larger than/],
  ["a window of nothing", Buffer.concat([SETTINGS, frame(8, 0, 0, "\0\0\0\0")]), 1, /WINDOW_UPDATE of nothing/],
  ["a window too large", Buffer.concat([SETTINGS, frame(8, 0, 0, "\x7f\xff\xff\xff")]), 3, /window that is too large/],
  ["SETTINGS that are cut", frame(4, 0, 0, "abc"), 6, /SETTINGS are malformed/],
];
for (const [name, bytes, code, says] of cases) {
  wrong(name, async () => {
    const before = clientCounters.busy + clientCounters.idle;
    const result = await hostile(bytes);
    assert.instance(result.error, TypeError);
    assert.match(told(result.error), says);
    assert.is(result.code, code);
    assert.is(clientCounters.busy + clientCounters.idle, before);
  });
}

wrong("more than the window allows", async () => {
  const some = repeated(frame(0, 0, 1, Buffer.alloc(16_384)), 80);
  // The body is not read: its window is not filled up again.
  const server = tls.createServer({ cert: leaf.cert, key: leaf.key, ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(Buffer.concat([SETTINGS, head([OK]), some])));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  using client = trusting();
  const response = await ask(`https://localhost:${(server.address() as net.AddressInfo).port}/`, client);
  await until(() => clientCounters.busy === 0);
  assert.match(told(await failure(response.text())), /more than its window allows/);
  client.close();
  server.close();
});

for (const one of [works, wrong]) one.run();
