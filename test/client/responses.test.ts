// What servers say, byte by byte: where a response ends must never be a matter of opinion.
import { once } from "node:events";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errors } from "../../src/runtime/errors.ts";
import { failure, rawServer, saying, told, until } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const big = "x".repeat(300_000);

/** Each is refused: the call, or the reading of its body, rejects with a TypeError that says why. */
const malformed: Record<string, [bytes: string, why: RegExp]> = {
  garbage: ["GARBAGE\r\n\r\n", /does not begin with HTTP\/1\./],
  "garbage, one byte": ["G", /does not begin with HTTP\/1\./],
  "HTTP/0.9": ["<html>hello</html>", /does not begin with HTTP\/1\./],
  "HTTP/2.0": ["HTTP/2.0 200 OK\r\n\r\n", /does not begin with HTTP\/1\./],
  "HTTP/1.2": ["HTTP/1.2 200 OK\r\n\r\n", /version/],
  "lower case": ["http/1.1 200 OK\r\n\r\n", /does not begin with HTTP\/1\./],
  "status of two digits": ["HTTP/1.1 20 OK\r\n\r\n", /three digits/],
  "status of four digits": ["HTTP/1.1 2000 OK\r\n\r\n", /three digits/],
  "status 000": ["HTTP/1.1 000 OK\r\n\r\n", /three digits/],
  "status of letters": ["HTTP/1.1 2x0 OK\r\n\r\n", /three digits/],
  "two spaces": ["HTTP/1.1  200 OK\r\n\r\n", /three digits/],
  "NUL in the reason": ["HTTP/1.1 200 O\0K\r\n\r\n", /status line/],
  "bare LF behind the status line": ["HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", /status line/],
  "bare LF behind a field": [`${OK}content-length: 0\n\r\n`, /value of a header field/],
  "bare LF at the end": [`${OK}content-length: 0\r\n\n`, /name of a header field/],
  "bare CR in a value": [`${OK}x: a\rb\r\n\r\n`, /value of a header field/],
  "NUL in a value": [`${OK}x: a\0b\r\n\r\n`, /value of a header field/],
  "a folded field": [`${OK}x: a\r\n b\r\ncontent-length: 0\r\n\r\n`, /folded/],
  "a space before the first field": [`${OK} x: a\r\n\r\n`, /folded/],
  "a space before the colon": [`${OK}content-length : 0\r\n\r\n`, /name of a header field/],
  "no colon": [`${OK}content-length\r\n\r\n`, /name of a header field/],
  "an empty name": [`${OK}: x\r\n\r\n`, /name of a header field/],
  "two lengths": [`${OK}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`, /more than one Content-Length/],
  "the same length twice": [`${OK}content-length: 3\r\ncontent-length: 3\r\n\r\nabc`, /more than one Content-Length/],
  "a list of lengths": [`${OK}content-length: 3, 3\r\n\r\nabc`, /not a number/],
  "a negative length": [`${OK}content-length: -1\r\n\r\n`, /not a number/],
  "a signed length": [`${OK}content-length: +3\r\n\r\nabc`, /not a number/],
  "a hex length": [`${OK}content-length: 0x3\r\n\r\nabc`, /not a number/],
  "an empty length": [`${OK}content-length:\r\n\r\n`, /not a number/],
  "a length beyond 2^53": [`${OK}content-length: 9007199254740993\r\n\r\n`, /not a number/],
  "length and chunks": [
    `${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    /both Content-Length and/,
  ],
  "chunks and length": [
    `${OK}transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n`,
    /both Content-Length and/,
  ],
  "two codings": [`${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, /is not chunked/],
  "chunked twice": [
    `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    /more than one Transfer/,
  ],
  identity: [`${OK}transfer-encoding: identity\r\n\r\n`, /is not chunked/],
  "almost chunked": [`${OK}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`, /is not chunked/],
  "chunks in HTTP/1.0": ["HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", /HTTP\/1\.0/],
  "a chunk size that is none": [`${OK}transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`, /no valid size/],
  "a chunk that is too long": [`${OK}transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n`, /no valid size/],
  "a chunk with bare LF": [`${OK}transfer-encoding: chunked\r\n\r\n3\nabc\n0\n\n`, /no valid size/],
  "a trailer that is none": [`${OK}transfer-encoding: chunked\r\n\r\n0\r\nx y\r\n\r\n`, /no valid size/],
  "a head that never ends": [`${OK}${`x: ${"y".repeat(1000)}\r\n`.repeat(300)}`, /larger than 256 KiB/],
  "one field that never ends": [`${OK}x: ${big}`, /larger than 256 KiB/],
  "a reason that never ends": [`HTTP/1.1 200 ${big}`, /larger than 256 KiB/],
  "too many fields": [`${OK}${"x: y\r\n".repeat(600)}\r\n`, /more than 512 header fields/],
  "101": ["HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", /protocol that nobody asked for/],
  "interim responses without end": ["HTTP/1.1 102 Processing\r\n\r\n".repeat(100), /interim responses/],
};

for (const [name, [bytes, why]] of Object.entries(malformed)) {
  test(`malformed: ${name}`, async () => {
    const server = await saying(bytes);
    const error = await failure(fetch(`${server.base}/path?secret`).then((response) => response.text()));
    assert.instance(error, TypeError);
    assert.match(told(error), why);
    assert.match(told(error), `${server.base}/path`);
    assert.not.match(told(error), "secret");
    assert.instance(error.cause, errors.InvalidData);
    // The connection is not left open.
    await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
    server.close();
  });
}

/** Each is cut off: what is there already is no whole response. */
const cut: Record<string, string> = {
  nothing: "",
  "part of the version": "HTT",
  "part of a status line": "HTTP/1.1 2",
  "part of a head": `${OK}content-le`,
  "a head without its last line": `${OK}content-length: 3\r\n`,
  "part of a body": `${OK}content-length: 10\r\n\r\nabc`,
  "no byte of a body": `${OK}content-length: 10\r\n\r\n`,
  "part of a chunk": `${OK}transfer-encoding: chunked\r\n\r\na\r\nabc`,
  "chunks without the last": `${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`,
  "chunks without the last line": `${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n`,
  "an interim response": "HTTP/1.1 103 Early Hints\r\n\r\n",
};
for (const [name, bytes] of Object.entries(cut)) {
  for (const how of ["FIN", "reset"] as const) {
    test(`cut after ${name}, by ${how}`, async () => {
      const server = await rawServer((socket) => {
        socket.write(bytes, "latin1");
        if (how === "FIN") socket.end();
        else socket.resetAndDestroy();
      });
      const error = await failure(fetch(server.base).then((response) => response.text()));
      assert.instance(error, TypeError);
      assert.match(told(error), /^(fetch failed|error reading a body from connection): .*(closed|reset|broken|Broken)/);
      assert.ok(error.cause instanceof errors.ConnectionReset || error.cause instanceof errors.UnexpectedEof);
      server.close();
    });
  }
}

/** Each is a whole response, whatever the shape. */
const whole: Record<string, [bytes: string, text: string, end?: true]> = {
  "no reason": ["HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", "x"],
  "an empty reason": ["HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\nx", "x"],
  "obs-text in the reason": ["HTTP/1.1 200 \xe9\r\ncontent-length: 1\r\n\r\nx", "x"],
  "HTTP/1.0 until the end": ["HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end", true],
  "HTTP/1.1 until the end": [`${OK}\r\nuntil the end`, "until the end", true],
  "nothing until the end": [`${OK}\r\n`, "", true],
  "leading zeros": [`${OK}content-length: 0003\r\n\r\nabc`, "abc"],
  "white space": [`${OK}Content-Length:\t 3 \t\r\n\r\nabc`, "abc"],
  "chunk extensions": [`${OK}transfer-encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`, "abc"],
  "trailers that mean nothing": [
    `${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ncontent-length: 50\r\nset-cookie: a\r\n\r\n`,
    "abc",
  ],
  "interim responses": [
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}content-length: 1\r\n\r\nx`,
    "x",
  ],
  "300 fields": [`${OK}${"x: y\r\n".repeat(300)}content-length: 1\r\n\r\nx`, "x"],
  "a head of 200 KiB": [`${OK}x: ${"y".repeat(200_000)}\r\ncontent-length: 1\r\n\r\nx`, "x"],
};
for (const [name, [bytes, text, end]] of Object.entries(whole)) {
  test(`whole: ${name}`, async () => {
    const server = await saying(bytes, end);
    assert.is(await (await fetch(server.base)).text(), text);
    server.close();
  });
  test(`whole, a byte at a time: ${name}`, async () => {
    if (bytes.length > 10_000) return;
    const server = await rawServer(async (socket) => {
      for (const byte of bytes) {
        if (!socket.write(byte, "latin1")) await once(socket, "drain");
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (end) socket.end();
    });
    assert.is(await (await fetch(server.base)).text(), text);
    server.close();
  });
}

test("what follows a response that has no body is nobody's answer", async () => {
  for (const [method, head] of [
    ["HEAD", `${OK}content-length: 5\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx`],
    ["GET", `HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`],
    ["GET", `HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["GET", `${OK}content-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison`],
    ["GET", `${OK}transfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison`],
  ]) {
    const server = await rawServer((socket, _head, n) => {
      socket.write(n === 1 ? head : `${OK}content-length: 4\r\nconnection: close\r\n\r\ngood`, "latin1");
    });
    await (await fetch(server.base, { method })).text();
    assert.is(await (await fetch(server.base)).text(), "good");
    assert.is(server.sockets.length, 2);
    server.close();
  }
});

test("what comes while nobody asks closes the connection", async () => {
  const server = await rawServer((socket) => {
    socket.write(`${OK}content-length: 4\r\n\r\ngood`);
  });
  assert.is(await (await fetch(server.base)).text(), "good");
  server.sockets[0].write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
  await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
  assert.is(await (await fetch(server.base)).text(), "good");
  assert.is(server.sockets.length, 2);
  server.close();
});

test("a coded body that ends too early, or is none, fails", async () => {
  const { gzipSync } = await import("node:zlib");
  const bytes = gzipSync("x".repeat(1000));
  for (const body of [bytes.subarray(0, -4), Buffer.from("no gzip at all"), Buffer.alloc(0)]) {
    const server = await rawServer((socket) => {
      socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    });
    const response = await fetch(server.base);
    if (body.length === 0) assert.is(await response.text(), "");
    else {
      const error = await failure(response.text());
      assert.instance(error, TypeError);
      assert.match(told(error), /Content-Encoding gzip/);
    }
    server.close();
  }
});

test.run();
