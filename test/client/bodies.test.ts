// time limit: 300 s
// Bodies in both directions: large ones in little memory, slow readers, early answers, and what ends in the middle.
import { once } from "node:events";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters } from "../../src/client/counters.ts";
import { failure, nodeServer, rawServer, saying, told, until } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const MIB = 1 << 20;
const { base, stop } = await nodeServer();
test.after(stop);
test.after.each(() => assert.is(clientCounters.busy, 0, "no connection is left at work"));
const half = (init: RequestInit): RequestInit => ({ duplex: "half", ...init }) as RequestInit;

/** So many chunks of 64 KiB, each made when it is asked for. */
function chunks(count: number, made: () => void = () => {}): ReadableStream<Uint8Array> {
  let left = count;
  return new ReadableStream(
    {
      pull(controller) {
        if (left-- === 0) return controller.close();
        made();
        controller.enqueue(new Uint8Array(65_536).fill(97));
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * By how many bytes memory grows while something runs, after a first time. The least of some times: on a busy machine
 * V8's own threads may come late to what is garbage, but what is kept shows every time.
 */
async function growth(run: () => Promise<void>): Promise<number> {
  await run();
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4 && least > 16 * MIB; i++) {
    const before = process.memoryUsage.rss();
    await run();
    least = Math.min(least, process.memoryUsage.rss() - before);
  }
  return least;
}

for (const framing of ["", "?length"]) {
  test(`64 MiB down in little memory${framing && ", with a length"}`, async () => {
    const grown = await growth(async () => {
      const { body } = await fetch(`${base}/bytes/${64 * MIB}${framing}`);
      let bytes = 0;
      for await (const chunk of body ?? []) bytes += chunk.length;
      assert.is(bytes, 64 * MIB);
    });
    assert.ok(grown < 48 * MIB, `it grew by ${grown} bytes`);
  });
}

test("64 MiB up in little memory", async () => {
  const grown = await growth(async () => {
    const response = await fetch(`${base}/count`, half({ method: "POST", body: chunks(1024) }));
    assert.is(await response.text(), String(64 * MIB));
  });
  assert.ok(grown < 48 * MIB, `it grew by ${grown} bytes`);
});

test("64 MiB up: bytes, a string, a Blob", async () => {
  const bytes = new Uint8Array(64 * MIB);
  for (const body of [bytes, "x".repeat(64 * MIB), new Blob([bytes])]) {
    assert.is(await (await fetch(`${base}/count`, { method: "POST", body })).text(), String(64 * MIB));
  }
});

test("64 MiB whole", async () => {
  for (const framing of ["", "?length"]) {
    assert.is((await (await fetch(`${base}/bytes/${64 * MIB}${framing}`)).bytes()).length, 64 * MIB);
  }
});

test("who does not read holds the server back", async () => {
  const response = await fetch(`${base}/bytes/${256 * MIB}`);
  const reader = response.body?.getReader();
  assert.ok((await reader?.read())?.value);
  const before = process.memoryUsage().arrayBuffers;
  await fetch(`${base}/echo`).then((other) => other.text());
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * MIB);
  await reader?.cancel();
});

test("a server that does not read holds the stream back", async () => {
  const server = await rawServer((socket) => socket.pause());
  let made = 0;
  const controller = new AbortController();
  const body = chunks(4096, () => made++);
  const call = fetch(server.base, half({ method: "POST", body, signal: controller.signal }));
  // The kernel's buffers are full once nothing more is made for a while.
  for (let seen = -1; seen !== made || made === 0; ) {
    seen = made;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(made < 1024, `${made} chunks of 64 KiB`);
  controller.abort();
  assert.is((await failure(call)).name, "AbortError");
  server.close();
});

test("cancelling a body closes its connection", async () => {
  const server = await saying(`${OK}content-length: 100\r\n\r\nsome`);
  const { body } = await fetch(server.base);
  await body?.cancel();
  await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
  server.close();
});

test("a Response that nobody has any more lets go of its connection", async () => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  await (async () => {
    for (let i = 0; i < 3; i++) await fetch(`${base}/bytes/${64 * MIB}?length`);
  })();
  await until(() => {
    gc();
    return clientCounters.busy === 0;
  });
});

test("an answer before the upload's end is given at once, and ends the upload", async () => {
  let cancelled: unknown;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("begun")),
    cancel: (reason) => {
      cancelled = reason;
    },
  });
  const server = await rawServer((socket) => {
    socket.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nmuch");
  });
  const response = await fetch(server.base, half({ method: "POST", body }));
  assert.is(response.status, 413);
  assert.is(await response.text(), "much");
  await until(() => cancelled !== undefined);
  await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
  server.close();
});

test("an answer and a closed connection are both heard during an upload", async () => {
  for (let i = 0; i < 10; i++) {
    const response = await fetch(`${base}/early`, { method: "POST", body: new Uint8Array(256 * 1024) });
    assert.is(response.status, 413);
    assert.is(await response.text(), "too much");
  }
});

test("both ways at once", async () => {
  // Answers each chunk's bytes as they come.
  const server = await rawServer((socket) => {
    socket.write(`${OK}\r\n`);
    socket.removeAllListeners("data");
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      socket.write(text);
      if (text.includes("0\r\n\r\n")) socket.end();
    });
  });
  const sides = new TransformStream<Uint8Array, Uint8Array>();
  const writer = sides.writable.getWriter();
  const response = await fetch(server.base, half({ method: "POST", body: sides.readable }));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let all = "";
  for (const word of ["one", "two", "three"]) {
    await writer.write(new TextEncoder().encode(word));
    while (!all.includes(word)) all += (await reader?.read())?.value ?? "";
  }
  await writer.close();
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) all += read.value;
  assert.is(all, "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
  server.close();
});

test("a stream that fails, gives no bytes, too many or too few fails the call, and the server sees no end of it", async () => {
  const streams: Record<string, [stream: () => ReadableStream, headers?: HeadersInit]> = {
    fails: [() => new ReadableStream({ pull: (controller) => controller.error(new RangeError("mine")) })],
    "gives text": [() => new ReadableStream({ pull: (controller) => controller.enqueue("text") })],
    "gives too many": [() => new Blob(["abcd"]).stream(), { "content-length": "3" }],
    "gives too few": [() => new Blob(["ab"]).stream(), { "content-length": "3" }],
  };
  for (const [name, [stream, headers]] of Object.entries(streams)) {
    const server = await rawServer(() => {});
    const error = await failure(fetch(server.base, half({ method: "POST", body: stream(), headers })));
    assert.instance(error, TypeError, name);
    assert.match(told(error), /^fetch failed: ./);
    if (name === "fails") assert.is((error.cause as Error).message, "mine");
    await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
    server.close();
  }
});

test("an abort ends the call wherever it is, and the connection with it", async () => {
  const body = (): RequestInit => half({ method: "POST", body: chunks(100_000) });
  const stages: Record<string, [says: string, init: () => RequestInit]> = {
    "before anything": ["", () => ({})],
    "an interim response": ["HTTP/1.1 103 Early Hints\r\n\r\n", () => ({})],
    "half a head": [`${OK}x: `, () => ({})],
    "an upload": ["", body],
    "an upload, answered in part": [`${OK}x: `, body],
  };
  for (const [name, [says, init]] of Object.entries(stages)) {
    const controller = new AbortController();
    const server = await rawServer((socket) => {
      if (says !== "") socket.write(says);
      setImmediate(() => controller.abort(new Error(name)));
    });
    const error = await failure(fetch(server.base, { ...init(), signal: controller.signal }));
    assert.is(error.message, name);
    await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
    server.close();
  }
});

test("an abort ends the body: read as a stream, whole, decoded, or not read yet", async () => {
  const reads: Record<string, (response: Response, abort: () => void) => Promise<unknown>> = {
    stream: async ({ body }, abort) => {
      const reader = body?.getReader();
      await reader?.read();
      abort();
      await reader?.read();
    },
    whole: (response, abort) => {
      const text = response.text();
      abort();
      return text;
    },
    "not yet": (response, abort) => {
      abort();
      return response.text();
    },
    "a clone": async (response, abort) => {
      const copy = response.clone();
      abort();
      await copy.text();
    },
  };
  for (const [name, read] of Object.entries(reads)) {
    const server = await saying(`${OK}content-length: 10\r\n\r\nhello`);
    const controller = new AbortController();
    const response = await fetch(server.base, { signal: controller.signal });
    const error = await failure(read(response as Response, () => controller.abort(new Error(name))));
    assert.is(error.message, name);
    await until(() => server.sockets[0].readableEnded || server.sockets[0].destroyed);
    server.close();
  }
  // All of it had come.
  const controller = new AbortController();
  const response = await fetch(`${base}/echo`, { signal: controller.signal });
  controller.abort();
  assert.is((await failure(response.text())).name, "AbortError");
});

test("a signal that many calls share keeps none of them", async () => {
  const { getEventListeners } = await import("node:events");
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) {
    await Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${base}/echo`, { signal })).text()));
  }
  assert.is(getEventListeners(signal, "abort").length, 0);
});

test("events come as they are sent, compressed ones too", async () => {
  const { createGzip } = await import("node:zlib");
  const server = await rawServer(async (socket) => {
    const gzip = createGzip({ flush: 2 });
    socket.write(`${OK}content-encoding: gzip\r\n\r\n`);
    gzip.on("data", (bytes) => socket.write(bytes));
    gzip.write("one;");
    gzip.flush();
    await once(socket, "data");
    gzip.end("two");
    gzip.on("end", () => socket.end());
  });
  const { body } = await fetch(server.base);
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  let all = "";
  while (all !== "one;") all += (await reader?.read())?.value;
  // The server waits for this byte on the connection; nobody minds what it says.
  server.sockets[0].emit("data", Buffer.from("go"));
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) all += read.value;
  assert.is(all, "one;two");
  server.close();
});

test.run();
