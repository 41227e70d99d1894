// Bodies on their way to the handler: both framings, streams with back-pressure, early answers, 100-continue.
import { createHash, randomBytes } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Client, connect, exchange } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

const http1 = onlyHttp1(test);

const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
const post = (length: number, ...fields: string[]): string =>
  ["POST / HTTP/1.1", "Host: x", `Content-Length: ${length}`, ...fields, "", ""].join("\r\n");
const next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("trailers and extensions are read and dropped", async () => {
  using server = start(async (request) => new Response(`${await request.text()} ${request.headers.get("trailing")}`));
  using client = await connect(server.port);
  client.write(`${CHUNKED}5;name;n="q\\"uo;te" ; m=t\r\nhello\r\n000\r\nTrailing: x\r\nOther: \t\r\n\r\n${next}`);
  const [first, second] = await client.responses(2);
  assert.is(first.text(), "hello null");
  assert.is(second.status, 200);
});

test("sizes in upper and lower case, with leading zeros", async () => {
  using server = start(async (request) => new Response(String((await request.bytes()).length)));
  const body = `${"x".repeat(0xab)}\r\n00aB\r\n${"x".repeat(0xab)}`;
  assert.is(
    (
      await exchange(
        server.port,
        `${CHUNKED.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}AB\r\n${body}\r\n0\r\n\r\n`,
      )
    )[0].text(),
    "342",
  );
});

for (const [name, read] of Object.entries({
  text: async (request: Request) => (await request.text()).length,
  bytes: async (request: Request) => (await request.bytes()).length,
  arrayBuffer: async (request: Request) => (await request.arrayBuffer()).byteLength,
  blob: async (request: Request) => (await request.blob()).size,
  iteration: async (request: Request) => {
    let size = 0;
    for await (const chunk of request.body ?? []) size += chunk.length;
    return size;
  },
  "byob reader": async (request: Request) => {
    const reader = request.body?.getReader({ mode: "byob" });
    let size = 0;
    for (;;) {
      const { done, value } = (await reader?.read(new Uint8Array(1000))) ?? { done: true, value: undefined };
      size += value?.length ?? 0;
      if (done) return size;
    }
  },
})) {
  test(`read by ${name}, in one piece and in many`, async () => {
    using server = start(async (request) => new Response(String(await read(request))));
    using client = await connect(server.port);
    client.write(`${post(10)}0123456789${CHUNKED}0\r\n\r\n${post(0)}`);
    const body = "x".repeat(100_000);
    client.write(post(body.length));
    for (let at = 0; at < body.length; at += 9999) {
      await client.send(body.slice(at, at + 9999));
      await turns(1);
    }
    assert.equal(
      (await client.responses(4)).map((response) => response.text()),
      ["10", "0", "0", "100000"],
    );
  });
}

test("no body: body is null for GET, and for a length of 0 nothing is read", async () => {
  using server = start(async (request) => new Response(`${request.body === null} ${await request.text()}`));
  using client = await connect(server.port);
  client.write(`${next}${post(0)}${CHUNKED}0\r\n\r\n`);
  const texts = (await client.responses(3)).map((response) => response.text());
  assert.is(texts[0], "true ");
  assert.is(texts[2], "false ");
});

test("GET and HEAD with a body: a Request has none, it is dropped, and the connection goes on", async () => {
  using server = start((request) => {
    const copy = new Request(request, { headers: { "x-copied": "yes" } });
    return new Response(`${copy.body}`);
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n12");
  client.write("HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  client.write(next);
  const texts = (await client.responses(3, ["GET", "HEAD", "GET"])).map((response) => response.text());
  assert.equal(texts, ["null", "", "null"]);
  await turns(5);
  assert.is(client.text.split("HTTP/1.1 200").length, 4);
});

test("64 MiB up, byte-exact, by length and in chunks", async () => {
  using server = start(async (request) => {
    const hash = createHash("sha256");
    for await (const chunk of request.body ?? []) hash.update(chunk);
    return new Response(hash.digest("hex"));
  });
  const piece = randomBytes(1 << 20);
  const whole = Buffer.concat(Array.from({ length: 64 }, () => piece));
  using client = await connect(server.port);
  client.write(post(whole.length));
  await client.send(whole);
  assert.is((await client.responses(1))[0].text(), sha(whole));
  client.write(CHUNKED);
  for (let i = 0; i < 64; i++) {
    client.write("100000\r\n");
    client.write(piece);
    await client.send("\r\n");
  }
  client.write("0\r\n\r\n");
  assert.is((await client.responses(2))[1].text(), sha(whole));
});

/** Writes until the server takes no more; returns how many bytes it took. */
async function flood(client: Client, piece: Buffer, most: number): Promise<number> {
  let taken = 0;
  const write = (): void => {
    client.socket.write(piece, () => {
      taken += piece.length;
      if (taken < most && !client.over) write();
    });
  };
  write();
  let before = -1;
  for (let still = 0; still < 25 && taken < most; before = taken) {
    still = before === taken ? still + 1 : 0;
    await turns(3);
  }
  return taken;
}

test("a handler that does not read stalls the sender, and then gets everything", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(async (request) => {
    await gate.promise;
    let size = 0;
    for await (const chunk of request.body ?? []) size += chunk.length;
    return new Response(String(size));
  });
  using client = await connect(server.port);
  const total = 40_000_000;
  client.write(post(total));
  const taken = await flood(client, Buffer.alloc(100_000), total);
  assert.ok(taken < 20_000_000, `the server took ${taken} bytes that nobody reads`);
  gate.resolve();
  assert.is((await client.response()).text(), String(total));
});

test("a handler that reads slowly is never ahead by more than the high-water mark", async () => {
  let worst = 0;
  using server = start(async (request) => {
    let size = 0;
    for await (const chunk of request.body ?? []) {
      worst = Math.max(worst, chunk.length);
      size += chunk.length;
      if (size < 2_000_000) await turns(1);
    }
    return new Response(String(size));
  });
  using client = await connect(server.port);
  client.write(post(8_000_000));
  client.write(Buffer.alloc(8_000_000));
  assert.is((await client.response()).text(), "8000000");
  // 64 KiB wait at most, and one read of 64 KiB comes on top.
  assert.ok(worst <= 131_072, `a chunk of ${worst} bytes waited`);
});

http1("chunks of one byte cost no array each", async () => {
  using server = start(async (request) => new Response(String((await request.bytes()).length)));
  using client = await connect(server.port);
  const count = 2_000_000;
  const before = process.memoryUsage();
  client.write(CHUNKED);
  client.write(Buffer.from("1\r\nx\r\n".repeat(count)));
  client.write("0\r\n\r\n");
  assert.is((await client.response()).text(), String(count));
  const grown = process.memoryUsage().rss - before.rss;
  assert.ok(grown < 150_000_000, `resident memory grew by ${grown}`);
});

for (const [kind, length] of [
  ["a small unread body", 1000],
  ["an unread body that is still coming", 200_000],
] as const) {
  test(`${kind}: the connection goes on`, async () => {
    using server = start((request) => new Response(new URL(request.url).pathname));
    using client = await connect(server.port);
    client.write(post(length));
    assert.is((await client.response()).text(), "/");
    client.write(Buffer.alloc(length));
    client.write(next);
    assert.is((await client.responses(2))[1].text(), "/next");
  });
}

for (const [kind, head, body] of [
  ["Content-Length", post(10_000_000), Buffer.alloc(10_000_000)],
  [
    "chunks",
    CHUNKED,
    Buffer.concat(Array.from({ length: 100 }, () => Buffer.from(`186a0\r\n${"x".repeat(100_000)}\r\n`))),
  ],
] as const) {
  http1(
    `10 MB that nobody wants (${kind}): the early answer reaches a client that writes all before it reads`,
    async () => {
      using server = start(() => new Response("too much".repeat(100), { status: 413 }));
      for (let i = 0; i < 10; i++) {
        using client = await connect(server.port);
        // As most clients do: first write all, then read.
        client.socket.pause();
        await client.send(head);
        await client.send(body);
        client.socket.resume();
        const responses = await client.untilEnd();
        assert.is(responses.length, 1);
        assert.is(responses[0].status, 413);
        assert.is(responses[0].text().length, 800);
        if (kind === "Content-Length") assert.is(responses[0].header("connection"), "close");
      }
      await eventually(() => server.server.connections === 0, "the connections are forgotten");
    },
  );
}

test("a large body that becomes the response: the connection goes on", async () => {
  using server = start((request) => new Response(request.body ?? "none"));
  using client = await connect(server.port);
  const length = 1_000_000;
  client.write(post(length));
  await turns(3);
  client.write(Buffer.alloc(length, "x"));
  client.write(next);
  const [first, second] = await client.responses(2);
  assert.is(first.body.length, length);
  assert.is(first.header("connection"), null);
  assert.is(second.text(), "none");
});

test("a reader that is left over when the answer is out is told", async () => {
  const told = Promise.withResolvers<unknown>();
  using server = start((request) => {
    request.text().then(told.resolve, told.resolve);
    return new Response("early");
  });
  using client = await connect(server.port);
  client.write(`${post(10)}01234`);
  await client.response();
  assert.instance(await told.promise, Error);
});

test("100 Continue is sent when the body is asked for, once", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(async (request) => {
    await gate.promise;
    return new Response(await request.text());
  });
  using client = await connect(server.port);
  client.write(post(5, "Expect: 100-Continue"));
  await turns(10);
  assert.is(client.text, "");
  gate.resolve();
  await client.saw("HTTP/1.1 100 Continue\r\n\r\n");
  client.write("hello");
  const [interim, final] = await client.responses(2);
  assert.is(interim.status, 100);
  assert.is(final.text(), "hello");
  client.write(next);
  await client.responses(3);
});

test("100 Continue for a stream is sent when it is first read", async () => {
  using server = start(async (request) => {
    const { body } = request;
    await turns(5);
    return new Response(body);
  });
  using client = await connect(server.port);
  client.write(CHUNKED.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
  await client.saw("HTTP/1.1 100 Continue\r\n\r\n");
  client.write("5\r\nhello\r\n0\r\n\r\n");
  assert.is((await client.responses(2))[1].text(), "hello");
});

http1("an early final answer in place of 100 Continue ends the connection, and says so", async () => {
  using server = start(() => new Response("no", { status: 403 }));
  const responses = await exchange(server.port, post(5, "Expect: 100-continue"));
  assert.equal(
    responses.map((response) => [response.status, response.header("connection")]),
    [[403, "close"]],
  );
});

http1("no 100 Continue to HTTP/1.0, nor when there is no body or it is here already", async () => {
  using server = start(async (request) => new Response(await request.text()));
  using old = await connect(server.port);
  old.write("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  await turns(10);
  assert.is(old.text, "");
  old.write("hello");
  assert.is((await old.untilEnd()).length, 1);
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
  client.write(`${post(5, "Expect: 100-continue")}hello`);
  assert.equal(
    (await client.responses(2)).map((response) => response.status),
    [200, 200],
  );
});

http1("a chunked coding that goes bad while the handler reads: it is told, the client gets 400", async () => {
  const told = Promise.withResolvers<unknown>();
  const lines = await logged(async () => {
    using server = start(async (request) => {
      const result = await request.text().catch((error: unknown) => error);
      told.resolve([result, request.signal.aborted]);
      return new Response("never seen");
    });
    using client = await connect(server.port);
    await client.send(`${CHUNKED}5\r\nhello\r\n`);
    await turns(5);
    client.write(`zz\r\n${next}`);
    const responses = await client.untilEnd();
    assert.equal(
      responses.map((response) => response.status),
      [400],
    );
    const [error, aborted] = (await told.promise) as [unknown, boolean];
    assert.instance(error, TypeError);
    assert.is(aborted, true);
  });
  // One line about the limit now and then; nothing about the handler.
  assert.equal(
    lines.filter((line) => !line.includes("limit=malformedRequest")),
    [],
  );
});

http1("a body cut short by the client's end: the reader is told", async () => {
  const told = Promise.withResolvers<unknown>();
  using server = start(async (request) => {
    told.resolve(await request.text().catch((error: unknown) => error));
    return new Response("");
  });
  using client = await connect(server.port);
  await client.send(`${post(10)}01234`);
  await turns(3);
  client.end();
  assert.is(((await told.promise) as Error).name, "ConnectionReset");
  await eventually(() => server.server.connections === 0, "the connection is forgotten");
});

test("forms and blobs arrive as what they are", async () => {
  using server = start(async (request) => {
    const type = request.headers.get("content-type") ?? "";
    if (!type.includes("form")) return new Response(await request.blob());
    const form = await request.formData();
    const file = form.get("file");
    return Response.json([form.get("a"), file instanceof File ? [file.name, await file.text()] : file]);
  });
  const form = new FormData();
  form.set("a", "ü");
  form.set("file", new File(["contents"], "name.txt"));
  assert.equal(await (await fetch(server.url, { method: "POST", body: form })).json(), ["ü", ["name.txt", "contents"]]);
  const search = new URLSearchParams({ a: "ü&", file: "" });
  assert.equal(await (await fetch(server.url, { method: "POST", body: search })).json(), ["ü&", ""]);
  const echoed = await fetch(server.url, { method: "POST", body: new Blob(["x\0y"], { type: "text/a" }) });
  assert.is(echoed.headers.get("content-type"), "text/a");
  assert.is(await echoed.text(), "x\0y");
});

test.run();
