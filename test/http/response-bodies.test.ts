// Responses of every kind, read off the wire by the letter of RFC 9112.
import { createHash, randomBytes } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start as startProcess } from "../support/process.ts";
import { connect, exchange } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import type { RawResponse } from "./support/responses.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

const http1 = onlyHttp1(test);

const get = (method = "GET", version = "1.1"): string => `${method} / HTTP/${version}\r\nHost: x\r\n\r\n`;

/** What the handler's response looks like on the wire, and that the connection is fit for another request. */
async function wire(make: () => Response | Promise<Response>, method = "GET"): Promise<RawResponse> {
  using server = start(async () => await make());
  using client = await connect(server.port);
  client.write(get(method) + get(method));
  const [first, second] = await client.responses(2, [method, method]);
  assert.ok(second.body.equals(first.body));
  return first;
}

const stream = (...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === "string" ? new TextEncoder().encode(part) : part);
      controller.close();
    },
  });

const large = "0123456789abcdef".repeat(100_000);
const bodies: Readonly<Record<string, readonly [() => Response, string, RawResponse["framing"], string | null]>> = {
  "a string": [() => new Response("hello"), "hello", "length", "text/plain;charset=UTF-8"],
  "a string beyond ASCII": [() => new Response("grün €𝄞"), "grün €𝄞", "length", "text/plain;charset=UTF-8"],
  "a long string beyond ASCII": [
    () => new Response("€".repeat(90)),
    "€".repeat(90),
    "length",
    "text/plain;charset=UTF-8",
  ],
  "a lone surrogate": [() => new Response("a\ud800b"), "a\ufffdb", "length", "text/plain;charset=UTF-8"],
  "a large string": [() => new Response(large), large, "length", "text/plain;charset=UTF-8"],
  "a large string beyond ASCII": [() => new Response(`é${large}`), `é${large}`, "length", "text/plain;charset=UTF-8"],
  "an empty string": [() => new Response(""), "", "length", "text/plain;charset=UTF-8"],
  nothing: [() => new Response(), "", "length", null],
  null: [() => new Response(null), "", "length", null],
  bytes: [() => new Response(new TextEncoder().encode("bytes")), "bytes", "length", null],
  "a part of an array": [
    () => new Response(new TextEncoder().encode("xbytesx").subarray(1, 6)),
    "bytes",
    "length",
    null,
  ],
  "no bytes": [() => new Response(new Uint8Array(0)), "", "length", null],
  "an ArrayBuffer": [() => new Response(new TextEncoder().encode("buffer").buffer), "buffer", "length", null],
  "a DataView": [() => new Response(new DataView(new TextEncoder().encode("view").buffer)), "view", "length", null],
  "a Blob": [() => new Response(new Blob(["blob"], { type: "a/b" })), "blob", "length", "a/b"],
  "an empty Blob": [() => new Response(new Blob([])), "", "length", null],
  URLSearchParams: [
    () => new Response(new URLSearchParams({ a: "b c" })),
    "a=b+c",
    "length",
    "application/x-www-form-urlencoded;charset=UTF-8",
  ],
  JSON: [() => Response.json({ a: 1 }), '{"a":1}', "length", "application/json"],
  "a stream": [() => new Response(stream("a", "b", "c")), "abc", "chunked", null],
  "an empty stream": [() => new Response(stream()), "", "chunked", null],
  "a stream with empty pieces": [() => new Response(stream("", "a", "", "b", "")), "ab", "chunked", null],
  "a stream of large pieces": [() => new Response(stream(large, large)), large + large, "chunked", null],
  "a stream with a length": [
    () => new Response(stream("ab", "c"), { headers: { "content-length": "3" } }),
    "abc",
    "length",
    null,
  ],
};

for (const [name, [make, text, framing, type]] of Object.entries(bodies)) {
  test(`${name}: GET and HEAD`, async () => {
    const got = await wire(make);
    assert.is(got.status, 200);
    assert.is(got.text(), text);
    assert.is(got.framing, framing);
    assert.is(got.header("content-type"), type);
    const head = await wire(make, "HEAD");
    assert.is(head.header("content-type"), type);
    assert.is(head.header("transfer-encoding"), null);
    if (framing === "length") assert.is(head.header("content-length"), got.header("content-length"));
  });
}

http1("FormData", async () => {
  const form = new FormData();
  form.set("a", "b");
  using server = start(() => new Response(form));
  const [got] = await exchange(server.port, get("GET", "1.0"));
  const boundary = /^multipart\/form-data; ?boundary=(.+)$/.exec(got.header("content-type") ?? "")?.[1];
  assert.ok(boundary && got.text().includes(`--${boundary}--`));
});

http1("a date, a reason, and no field twice", async () => {
  const got = await wire(() => new Response("x", { status: 404, headers: { "x-a": "b" } }));
  assert.is(got.reason, "Not Found");
  assert.match(got.header("date") ?? "", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  const own = await wire(() => new Response("x", { statusText: "Fine", headers: { date: "never" } }));
  assert.is(own.reason, "Fine");
  assert.is(own.header("date"), "never");
  assert.is((await wire(() => new Response("x", { status: 599 }))).reason, "");
});

test("what Headers take and the wire does not leaves as spaces (RFC 9110, 5.5)", async () => {
  const headers = { "x-a": "a\x01b\x1b[31m\x7fc", "x-b": "tab\tand \xe4 stay" };
  const got = await wire(() => new Response("x", { headers }));
  assert.is(got.header("x-a"), "a b [31m c");
  assert.is(got.header("x-b"), "tab\tand \xe4 stay");
});

for (const status of [204, 304]) {
  test(`${status} has no body and no framing, by GET and by HEAD`, async () => {
    const make = (): Response => new Response(null, { status, headers: { etag: '"a"' } });
    for (const method of ["GET", "HEAD"]) {
      const got = await wire(make, method);
      assert.is(got.status, status);
      assert.is(got.header("content-length"), null);
      assert.is(got.header("transfer-encoding"), null);
      assert.is(got.header("etag"), '"a"');
    }
  });
}

test("205 has an empty body", async () => {
  assert.is((await wire(() => new Response(null, { status: 205 }))).header("content-length"), "0");
});

test("HEAD and 304 may say the length that GET would have", async () => {
  const headers = { "content-length": "1234" };
  assert.is((await wire(() => new Response(null, { headers }), "HEAD")).header("content-length"), "1234");
  assert.is((await wire(() => new Response(null, { status: 304, headers }))).header("content-length"), "1234");
});

test("a wrong content-length of a whole body is put right", async () => {
  for (const length of ["1", "1000", "x", "-1"]) {
    const got = await wire(() => new Response("hello", { headers: { "content-length": length } }));
    assert.is(got.header("content-length"), "5");
    assert.is(got.text(), "hello");
  }
  assert.is(
    (await wire(() => new Response(null, { headers: { "content-length": "9" } }))).header("content-length"),
    "0",
  );
});

test("fields of the connection are the server's: transfer-encoding, keep-alive, upgrade", async () => {
  const headers = { "transfer-encoding": "gzip", "keep-alive": "x", upgrade: "y", te: "z", "x-mine": "1" };
  const got = await wire(() => new Response("hello", { headers }));
  for (const name of Object.keys(headers)) assert.is(got.header(name), name === "x-mine" ? "1" : null);
});

http1("connection: close from the handler closes after the response", async () => {
  for (const make of [
    () => new Response("x", { headers: { connection: "close" } }),
    () => new Response(stream("x"), { headers: { Connection: "a, Close" } }),
  ]) {
    using server = start(make);
    const got = await exchange(server.port, get() + get());
    assert.is(got.length, 1);
    assert.is(got[0].header("connection"), "close");
  }
});

test("several set-cookie lines, values in latin1, many fields", async () => {
  const got = await wire(() => {
    const headers = new Headers({ "x-latin": "\xe4\xf6\xfc\xff", "x-empty": "" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    headers.append("vary", "a");
    headers.append("vary", "b");
    for (let i = 0; i < 100; i++) headers.set(`x-${i}`, "v".repeat(100));
    return new Response("x", { headers });
  });
  const cookies = got.fields.filter(([name]) => name === "set-cookie").map(([, value]) => value);
  assert.equal(cookies, ["a=1; Path=/", "b=2"]);
  assert.is(got.header("x-latin"), "\xe4\xf6\xfc\xff");
  assert.is(got.header("x-empty"), "");
  assert.is(got.header("vary"), "a, b");
  assert.is(got.header("x-99"), "v".repeat(100));
});

test("the same Response shape again and again, with other values", async () => {
  let i = 0;
  using server = start(() => new Response(String(i), { headers: { "x-i": String(i++) } }));
  using client = await connect(server.port);
  client.write(get().repeat(100));
  const got = await client.responses(100);
  got.forEach((response, at) => {
    assert.is(response.text(), String(at));
    assert.is(response.header("x-i"), String(at));
  });
});

http1("HTTP/1.0: a stream ends with the connection, anything else has its length", async () => {
  using streaming = start(() => new Response(stream("a", "b")));
  const [streamed] = await exchange(streaming.port, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert.is(streamed.framing, "close");
  assert.is(streamed.text(), "ab");
  assert.is(streamed.header("connection"), "close");
  using plain = start(() => new Response(new Blob(["ab"])));
  const [whole] = await exchange(plain.port, "GET / HTTP/1.0\r\n\r\n");
  assert.is(whole.framing, "length");
});

http1("HTTP/1.0: a stream that fails midway ends in a reset, not as if it were whole", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("half")),
          pull: () => gate.promise,
        }),
      ),
  );
  const lines = await logged(async () => {
    using client = await connect(server.port);
    client.write("GET / HTTP/1.0\r\n\r\n");
    await client.saw("half");
    gate.reject(new Error("the producer broke"));
    await client.until(() => client.error !== undefined, "a reset").catch(() => {});
    assert.is((client.error as NodeJS.ErrnoException | undefined)?.code, "ECONNRESET");
  });
  assert.is(lines.length, 1);
});

test("64 MiB down, byte-exact, as bytes, as a Blob and as a stream", async () => {
  const piece = randomBytes(1 << 20);
  const whole = Buffer.concat(Array.from({ length: 64 }, () => piece));
  const expected = createHash("sha256").update(whole).digest("hex");
  const makes = [
    () => new Response(whole),
    () => new Response(new Blob([whole])),
    () => new Response(stream(...Array.from({ length: 64 }, () => piece))),
  ];
  let i = 0;
  using server = start(() => makes[i++ % makes.length]());
  for (const _ of makes) {
    const hash = createHash("sha256");
    for await (const chunk of (await fetch(server.url)).body ?? []) hash.update(chunk);
    assert.is(hash.digest("hex"), expected);
  }
});

test("of a large Blob a part waits for a client that does not read, not all of it", async () => {
  const blob = new Blob([new Uint8Array(48 << 20).fill(7), "the end"]);
  using server = start(() => new Response(blob));
  using client = await connect(server.port);
  client.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  client.write(get());
  await eventually(() => server.server.connections === 1, "it has begun");
  await turns(50);
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20);
  client.socket.resume();
  const { body } = await client.response();
  assert.is(body.length, blob.size);
  assert.is(body.subarray(-7).toString(), "the end");
});

test("a large Blob that is sent again and again is byte-exact each time, to whoever reads it slowly as well", async () => {
  const piece = randomBytes(1 << 20);
  const blob = new Blob([...Array.from({ length: 5 }, () => piece), "the end"]);
  const expected = Buffer.concat([...Array.from({ length: 5 }, () => piece), Buffer.from("the end")]);
  using server = start(() => new Response(blob));
  using slow = await connect(server.port);
  slow.socket.pause();
  slow.write(get());
  await eventually(() => server.server.connections === 1, "it has begun");
  for (let i = 0; i < 6; i++) {
    using client = await connect(server.port);
    client.write(get() + get());
    for (const { body } of await client.responses(2)) assert.ok(body.equals(expected));
  }
  slow.socket.resume();
  assert.ok((await slow.response()).body.equals(expected));
});

http1("a client that does not read stalls the producer", async () => {
  let pulled = 0;
  const cancelled = Promise.withResolvers<unknown>();
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled++;
            controller.enqueue(new Uint8Array(64 * 1024));
          },
          cancel: cancelled.resolve,
        }),
      ),
  );
  const client = await connect(server.port);
  client.socket.pause();
  client.write(get());
  await eventually(() => pulled > 10, "the producer runs");
  let before = -1;
  for (let still = 0; still < 25; before = pulled) {
    still = before === pulled ? still + 1 : 0;
    await turns(3);
  }
  assert.ok(pulled < 400, `${pulled} pieces of 64 KiB for a client that reads none`);
  client.reset();
  await cancelled.promise;
  await eventually(() => server.server.connections === 0, "the connection is forgotten");
});

test("a stream that always has more does not keep the others from their turn", async () => {
  const piece = new TextEncoder().encode("more");
  using server = start((request) => {
    if (!request.url.endsWith("/endless")) return new Response("me too");
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) }));
  });
  // In a process of its own, since it must take all that comes while we are busy.
  const program = `fetch("${server.url}/endless").then(async ({ body }) => { for await (const chunk of body); })`;
  const reading = startProcess([process.execPath, "--eval", program]);
  await eventually(() => server.server.connections === 1, "it reads");
  for (let i = 0; i < 20; i++) assert.is(await (await fetch(server.url)).text(), "me too");
  await turns(50);
  assert.is(reading.child.exitCode, null);
  await reading.stop("SIGKILL");
});

http1("a stream that fails midway cuts the connection: the client sees that it is not whole", async () => {
  for (const headers of [new Headers(), new Headers({ "content-length": "100" })]) {
    const lines = await logged(async () => {
      const failing = (): ReadableStream<Uint8Array> =>
        new ReadableStream({
          async pull(controller) {
            controller.enqueue(new TextEncoder().encode("half"));
            await turns(2);
            controller.error(new Error("no more"));
          },
        });
      using server = start(() => new Response(failing(), { headers }));
      using client = await connect(server.port);
      client.write(get() + get());
      await client.gone();
      assert.ok(client.text.includes("half"));
      assert.not.ok(client.text.includes("\r\n0\r\n\r\n"));
      assert.is(client.text.split("HTTP/1.1").length, 2);
    });
    assert.is(lines.length, 1);
    assert.match(lines[0], /no more/);
  }
});

for (const [name, make] of Object.entries({
  "fewer bytes than its content-length": () => new Response(stream("short"), { headers: { "content-length": "30" } }),
  strings: () => new Response(new ReadableStream({ start: (controller) => controller.enqueue("text") })),
})) {
  test(`a stream that gives ${name} is cut off, with a line in the log`, async () => {
    const lines = await logged(async () => {
      using server = start(make);
      using client = await connect(server.port);
      client.write(get());
      await client.gone();
      assert.not.ok(client.text.includes("too long"));
    });
    assert.is(lines.length, 1);
    assert.match(lines[0], /a response was cut off/);
  });
}

test("onError is told of a stream that fails midway, whatever it does itself", async () => {
  const told: string[] = [];
  const halves = [new Error("no more"), "text", new Error("and again")];
  const lines = await logged(async () => {
    const handler = (): Response => {
      const half = halves.shift();
      const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
        controller.enqueue(new TextEncoder().encode("half"));
        await turns(2);
        if (typeof half === "string") controller.enqueue(half);
        else controller.error(half);
      };
      return new Response(new ReadableStream({ pull }));
    };
    const onError = async (error: unknown): Promise<Response> => {
      told.push(String(error));
      if (told.length === 3) throw new Error("onError as well");
      return new Response("too late");
    };
    using server = start(handler, { onError });
    for (let i = 0; i < 3; i++) {
      using client = await connect(server.port);
      client.write(get());
      await client.gone();
      assert.not.ok(client.text.includes("too late"));
    }
    await turns(2);
  });
  assert.equal(told, [
    "Error: no more",
    "TypeError: a body's stream must give Uint8Arrays: expected typed ArrayBufferView",
    "Error: and again",
  ]);
  assert.is(lines.filter((line) => line.includes("a response was cut off")).length, 3);
  assert.match(lines[3], /onError failed itself.*onError as well/);
});

for (const length of [0, 3, 8]) {
  test(`of a stream that gives more than its content-length, ${length}, so much is sent, and a line in the log`, async () => {
    const told: unknown[] = [];
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(new TextEncoder().encode("long")),
        cancel: (reason) => void told.push(reason),
      });
    // What comes next on the connection is the next response, and nothing of this one.
    const lines = await logged(async () => {
      const headers = { "content-length": String(length) };
      const { body } = await wire(() => new Response(endless(), { headers }));
      assert.is(body.toString(), "longlong".slice(0, length));
    });
    assert.match(lines[0], /the rest of a stream was left out.*more bytes than its content-length/);
    assert.match(String(told[0]), /more bytes/);
  });
}

test("a large string is cut between characters, wherever its pairs of surrogates stand", async () => {
  for (const before of [0, 1, 2]) {
    const text = `${"x".repeat(before)}${"😀".repeat(400_000)}\ud83d`;
    using server = start(() => new Response(text));
    const bytes = Buffer.from(await (await fetch(server.url)).arrayBuffer());
    assert.ok(bytes.equals(Buffer.from(text)), `${before} characters before the pairs`);
  }
});

test.run();
