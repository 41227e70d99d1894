// Compressed responses as clients see them: node's zlib undoes them, over HTTP/1.1 and HTTP/2.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, constants, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FsFile, open } from "../../../src/deno/fs-file.ts";
import { compressionCounters as counters } from "../../../src/http/compression/counters.ts";
import type { Handler } from "../../../src/http/mod.ts";
import { overTls } from "../../support/tls.ts";
import { type Client, connect } from "../support/client.ts";
import type { RawResponse } from "../support/responses.ts";
import { eventually, logged, start, type TestServer } from "../support/server.ts";

const text = `${JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ i, name: `grün ${i}` })))}\n`;
const plain = { headers: { "content-type": "text/plain" } };
const encoder = new TextEncoder();

const compressed = (handler: Handler): TestServer => start(handler, { compress: true, h2c: true });

const undo: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

async function ask(server: TestServer, accept: string | null, extra = "", method = "GET"): Promise<RawResponse> {
  using client = await connect(server.port);
  const line = accept === null ? "" : `Accept-Encoding: ${accept}\r\n`;
  // Twice: what is left behind by the first would be in the second's way.
  client.write(`${method} / HTTP/1.1\r\nHost: x\r\n${line}${extra}\r\n`.repeat(2));
  const [first, second] = await client.responses(2, [method, method]);
  assert.ok(second.body.equals(first.body));
  return first;
}

async function chunksOf(client: Client, count: number): Promise<void> {
  await client.until(() => client.text.split("\r\n\r\n").length > count, `${count} pieces`);
}

const bodies: Readonly<Record<string, () => Response>> = {
  "a string": () => new Response(text),
  bytes: () => new Response(encoder.encode(text), plain),
  "a Blob": () => new Response(new Blob([text], { type: "text/plain" })),
  "a stream": () => new Response(new Blob([text]).stream(), plain),
  "a stream with its length": () =>
    new Response(new Blob([text]).stream(), {
      headers: { "content-type": "text/plain", "content-length": String(Buffer.byteLength(text)) },
    }),
  "a large string": () => new Response(text.repeat(40)),
  "large bytes": () => new Response(encoder.encode(text.repeat(40)), plain),
  "a promise": () => new Response(text),
};
for (const [what, make] of Object.entries(bodies)) {
  test(`${what}: each coding is whole again, and its head tells of it`, async () => {
    using server = compressed(what === "a promise" ? async () => await make() : make);
    const whole = await (await make()).text();
    for (const coding of ["gzip", "br", "zstd"]) {
      const response = await ask(server, coding);
      assert.is(response.header("content-encoding"), coding);
      assert.is(response.header("vary"), "Accept-Encoding");
      assert.is(undo[coding](response.body).toString(), whole);
      assert.ok(response.body.length < whole.length / 2);
    }
    for (const none of [null, "identity", "deflate"]) {
      const response = await ask(server, none);
      assert.is(response.header("content-encoding"), null);
      assert.is(response.header("vary"), "Accept-Encoding");
      assert.is(response.text(), whole);
    }
    assert.is(counters.memory, 0);
  });
}

test("HTTP/2 has it alike", async () => {
  if (overTls) return;
  using server = compressed(({ url }) => new Response(url.endsWith("/large") ? text.repeat(40) : text));
  const session = connectHttp2(server.url);
  for (const [path, whole] of [
    ["/", text],
    ["/large", text.repeat(40)],
  ]) {
    const stream = session.request({ ":path": path, "accept-encoding": "br" });
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    stream.on("response", resolve);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.is((await promise)["content-encoding"], "br");
    assert.is(brotliDecompressSync(Buffer.concat(chunks)).toString(), whole);
  }
  session.close();
});

test("HTTP/2: events leave one by one, and a stream that is reset ends the encoder", async () => {
  if (overTls) return;
  let event = (_: string): void => {};
  let cancelled = false;
  using server = compressed(() => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        event = (name) => controller.enqueue(encoder.encode(`data: ${name}\n\n`));
      },
      cancel() {
        cancelled = true;
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const session = connectHttp2(server.url);
  const stream = session.request({ ":path": "/", "accept-encoding": "gzip" });
  await once(stream, "response");
  const gunzip = createGunzip();
  let got = "";
  gunzip.on("data", (bytes: Buffer) => {
    got += bytes.toString();
  });
  stream.on("data", (bytes: Buffer) => gunzip.write(bytes));
  for (const name of ["one", "two"]) {
    event(name);
    await eventually(() => got.endsWith(`data: ${name}\n\n`), `event ${name}`);
  }
  stream.close();
  await eventually(() => cancelled && counters.memory === 0, "the encoder is gone, and the stream cancelled");
  session.destroy();
});

const left: Readonly<Record<string, () => Response>> = {
  small: () => new Response("x".repeat(1023)),
  "a small stream with its length": () =>
    new Response(new Blob(["x"]).stream(), { headers: { "content-type": "text/plain", "content-length": "1" } }),
  "of a type that is compressed already": () => new Response(text, { headers: { "content-type": "image/png" } }),
  "without a type": () => new Response(encoder.encode(text)),
  encoded: () => new Response(text, { headers: { "content-encoding": "x-own" } }),
  "a part": () => new Response(text, { status: 206, headers: { "content-range": "bytes 0-9/10" } }),
  "no-transform": () => new Response(text, { headers: { "cache-control": "no-transform" } }),
  nothing: () => new Response(null, { status: 204 }),
};
for (const [what, make] of Object.entries(left)) {
  test(`left alone, without a word: ${what}`, async () => {
    using server = compressed(make);
    const response = await ask(server, "gzip, br, zstd");
    assert.ok(["x-own", null].includes(response.header("content-encoding")));
    assert.is(response.header("vary"), null);
    assert.is(response.text(), await make().text());
  });
}

test("what does not shrink stays as it is", async () => {
  const noise = randomBytes(2000);
  using server = compressed(() => new Response(noise, plain));
  const response = await ask(server, "gzip");
  assert.is(response.header("content-encoding"), null);
  assert.is(response.header("vary"), "Accept-Encoding");
  assert.ok(response.body.equals(noise));
});

test("who must not get it as it is gets also small and odd things compressed", async () => {
  using server = compressed(() => new Response("small", { headers: { "content-type": "image/png" } }));
  const response = await ask(server, "gzip, identity;q=0");
  assert.is(response.header("content-encoding"), "gzip");
  assert.is(gunzipSync(response.body).toString(), "small");
});

test("HEAD says what GET says, but for the length that nobody knows", async () => {
  const init = { headers: { "content-type": "text/plain", etag: '"1"', "accept-ranges": "bytes" } };
  using server = compressed(({ url }) => new Response(url.endsWith("?") ? text : text.repeat(40), init));
  const get = await ask(server, "gzip");
  const head = await ask(server, "gzip", "", "HEAD");
  const names = (response: RawResponse): string[] =>
    response.fields
      .map(([name, value]) => `${name}: ${value}`)
      .filter((line) => !/^(?:date|content-length|transfer)/.test(line));
  assert.equal(names(head), names(get));
  assert.is(head.header("content-length"), null);
  assert.is(head.header("etag"), 'W/"1"');
  assert.is(head.header("accept-ranges"), null);
  const raw = await ask(server, null, "", "HEAD");
  assert.is(raw.header("content-length"), String(Buffer.byteLength(text.repeat(40))));
  assert.is(raw.header("etag"), '"1"');
  assert.is(raw.header("accept-ranges"), "bytes");
});

test("HEAD without a body, but with the length of one", async () => {
  using server = compressed(
    () => new Response(null, { headers: { "content-type": "text/css", "content-length": "5000" } }),
  );
  const coded = await ask(server, "br", "", "HEAD");
  assert.equal([coded.header("content-encoding"), coded.header("content-length")], ["br", null]);
  const raw = await ask(server, null, "", "HEAD");
  assert.equal([raw.header("vary"), raw.header("content-length")], ["Accept-Encoding", "5000"]);
});

test("304 has the Vary of its 200", async () => {
  using server = compressed(() => new Response(null, { status: 304, headers: { etag: '"1"' } }));
  const response = await ask(server, "br");
  assert.equal([response.header("vary"), response.header("etag")], ["Accept-Encoding", '"1"']);
});

test("HTTP/1.0 gets it to the connection's end", async () => {
  using server = compressed(() => new Response(text.repeat(40)));
  using client = await connect(server.port);
  client.write("GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
  const [response] = await client.untilEnd(["GET"]);
  assert.is(gunzipSync(response.body).toString(), text.repeat(40));
});

for (const [coding, finish] of [
  ["gzip", constants.Z_SYNC_FLUSH],
  ["br", constants.BROTLI_OPERATION_FLUSH],
  ["zstd", constants.ZSTD_e_continue],
] as const) {
  test(`${coding}: events leave one by one, each when it is made`, async () => {
    let event: (name: string) => void = () => {};
    let close = (): void => {};
    using server = compressed(() => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          event = (name) => controller.enqueue(encoder.encode(`data: ${name}\n\n`));
          close = () => controller.close();
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    using client = await connect(server.port);
    client.write(`GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: ${coding}\r\n\r\n`);
    const so = (): string => {
      const at = client.bytes.indexOf("\r\n\r\n") + 4;
      const parts: Buffer[] = [];
      for (let from = at; from < client.bytes.length; ) {
        const line = client.bytes.indexOf("\r\n", from);
        const size = Number.parseInt(client.bytes.toString("latin1", from, line), 16);
        if (line < 0 || !(size > 0)) break;
        parts.push(client.bytes.subarray(line + 2, line + 2 + size));
        from = line + 4 + size;
      }
      const bytes = Buffer.concat(parts);
      if (bytes.length === 0) return "";
      if (coding === "gzip") return gunzipSync(bytes, { finishFlush: finish }).toString();
      if (coding === "br") return brotliDecompressSync(bytes, { finishFlush: finish }).toString();
      return zstdDecompressSync(bytes, { finishFlush: finish }).toString();
    };
    let whole = "";
    for (const name of ["one", "two", "three"]) {
      await eventually(() => event.length === 1 && counters.memory > 0, "the stream is there");
      event(name);
      whole += `data: ${name}\n\n`;
      await client.until(() => so() === whole, `event ${name}`);
    }
    close();
    await client.response();
    await eventually(() => counters.memory === 0, "the encoder is gone");
  });
}

test("chunks that come at once are compressed together", async () => {
  let reads = 0;
  using server = compressed(() => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++reads > 500) controller.close();
        else controller.enqueue(encoder.encode(`line ${reads % 7} of many\n`));
      },
    });
    return new Response(body, plain);
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
  const response = await client.response();
  assert.is(gunzipSync(response.body).toString().split("\n").length, 501);
  // Flushed one by one, each would be 10 bytes and more.
  assert.ok(response.body.length < 500, `${response.body.length} bytes`);
});

test("a client that goes away ends the encoder, and the stream is told", async () => {
  let cancelled: unknown;
  using server = compressed(() => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode("x".repeat(5000))),
      cancel(reason) {
        cancelled = reason;
      },
    });
    return new Response(body, plain);
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\n\r\n");
  await chunksOf(client, 1);
  assert.ok(counters.memory > 0);
  client.reset();
  await eventually(() => cancelled !== undefined, "the stream is cancelled");
  assert.is(counters.memory, 0);
});

test("a client that does not read stops the source", async () => {
  let given = 0;
  using server = compressed(() => {
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          given += 64 * 1024;
          controller.enqueue(new Uint8Array(randomBytes(64 * 1024)));
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, plain);
  });
  using client = await connect(server.port);
  client.socket.pause();
  client.write("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: zstd\r\n\r\n");
  await eventually(() => given > 0, "it has begun");
  // As long as the kernel takes it, it goes on.
  for (let before = -1; before !== given; await new Promise((resolve) => setTimeout(resolve, 50))) before = given;
  assert.ok(given < 64 * 1024 * 1024, `${given} bytes were taken`);
  client.reset();
  await eventually(() => counters.memory === 0, "the encoder is gone");
});

test("a stream that fails half way is cut, and what had come before leaves", async () => {
  using server = compressed(() => {
    let n = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (n++ === 0) controller.enqueue(encoder.encode("begun ".repeat(300)));
        else controller.error(new Error("the source is dry"));
      },
    });
    return new Response(body, plain);
  });
  const lines = await logged(async () => {
    using client = await connect(server.port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
    await client.gone();
    const at = client.bytes.indexOf("\r\n\r\n") + 4;
    const line = client.bytes.indexOf("\r\n", at);
    const size = Number.parseInt(client.bytes.toString("latin1", at, line), 16);
    const gunzip = createGunzip();
    gunzip.on("error", () => {});
    gunzip.write(client.bytes.subarray(line + 2, line + 2 + size));
    const [first] = (await once(gunzip, "data")) as Buffer[];
    assert.ok(first.toString().startsWith("begun begun"));
    assert.not(client.text.endsWith("0\r\n\r\n"));
  });
  assert.match(lines.join("\n"), /a response was cut off.*the source is dry/s);
  assert.is(counters.memory, 0);
});

test("encoders have a bound: who comes then gets it as it is", async () => {
  const before = counters.memory;
  counters.memory = 64 * 1024 * 1024;
  try {
    using server = compressed(() => new Response(text.repeat(40)));
    const response = await ask(server, "br");
    assert.equal([response.header("content-encoding"), response.header("vary")], [null, "Accept-Encoding"]);
    assert.is(response.text(), text.repeat(40));
  } finally {
    counters.memory = before;
  }
});

test("a file is read, not sent as it lies there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-compress-"));
  try {
    const path = join(folder, "page.html");
    writeFileSync(path, text.repeat(100));
    const type = { headers: { "content-type": "text/html" } };
    using server = compressed(async () => new Response(((await open(path)) as FsFile).readable, type));
    assert.is(zstdDecompressSync((await ask(server, "zstd")).body).toString(), text.repeat(100));
    const raw = await ask(server, null);
    assert.equal([raw.framing, raw.text()], ["length", text.repeat(100)]);
    writeFileSync(path, "small");
    assert.is((await ask(server, "zstd")).text(), "small");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what is no Response fails as it does without", async () => {
  using server = compressed((() => "text") as unknown as Handler);
  const lines = await logged(async () => assert.is((await ask(server, "br")).status, 500));
  assert.match(lines.join("\n"), /must return a Response/);
});

test("compress must be true or false", () => {
  assert.throws(
    () => start(() => new Response(), { compress: "yes" as never }),
    /compress of serve must be true or false/,
  );
});

test.run();
