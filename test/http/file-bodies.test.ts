// Responses made of `Deno.open(…).readable`: the kernel sends the file, and whatever may happen to it meanwhile.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FsFile, open } from "../../src/deno/fs-file.ts";
import { PROGRAM_ROOT, provideAssets } from "../../src/runtime/assets.ts";
import { runOn } from "../ffi/faulty-system.ts";
import { type Fault, type Injected, singleFault } from "../ffi/single-fault.ts";
import { until } from "../net/pair.ts";
import { connect } from "./support/client.ts";
import { onlyHttp1, overHttp2 } from "./support/over-http2.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

/** By sendfile(2), which frames of HTTP/2 can't be. */
const http1 = onlyHttp1(test);

const folder = mkdtempSync(join(tmpdir(), "slipway-files-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LARGE = 24 * 1024 * 1024;

let count = 0;
function file(length: number): { path: string; bytes: Buffer } {
  const path = join(folder, String(count++));
  const bytes = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  writeFileSync(path, bytes);
  return { path, bytes };
}

/** Descriptors of this process that stand for files below our folder. */
const openFiles = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false; // closed since, like the one that listed them
    }
  }).length;
const closed = (): Promise<void> => eventually(() => openFiles() === 0, "the file is closed");
const opened = async (path: string): Promise<FsFile> => (await open(path)) as FsFile;
const respond = (path: string, init?: ResponseInit) => async () => new Response((await opened(path)).readable, init);

/** Runs on a poller whose calls are counted, and one of which may fail. */
async function counted(fault: Fault | undefined, run: (injected: Injected) => Promise<void>): Promise<Injected> {
  const injected = singleFault(fault);
  const { runtime, restore } = runOn(injected.system);
  try {
    await run(injected);
    await until(() => runtime.poller.openCount === 0, "every handle is closed");
  } finally {
    restore();
    runtime.dispose();
  }
  return injected;
}

http1("a file has its length, goes by sendfile(2), and is closed behind it; the connection goes on", async () => {
  const { path, bytes } = file(3_000_001);
  const { counts } = await counted(undefined, async () => {
    using server = start(respond(path, { headers: { "content-type": "a/b" } }));
    using client = await connect(server.port);
    client.write(GET + GET);
    for (const got of await client.responses(2)) {
      assert.is(got.header("content-length"), String(bytes.length));
      assert.is(got.header("content-type"), "a/b");
      assert.ok(got.body.equals(bytes));
    }
    await closed();
  });
  assert.ok((counts.get("sendFile") ?? 0) >= 6);
  assert.is(counts.get("send") ?? 0, 0);
});

test("HEAD and 304 say how long it is, and send nothing", async () => {
  const { path } = file(5000);
  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 304],
  ] as const) {
    using server = start(async () => {
      const opening = await opened(path);
      if (status === 200) return new Response(opening.readable);
      opening.close();
      return new Response(null, { status, headers: { "content-length": "5000" } });
    });
    using client = await connect(server.port);
    client.write(GET.replace("GET", method).repeat(2));
    for (const got of await client.responses(2, [method, method])) {
      assert.is(got.header("content-length"), "5000");
      assert.is(got.body.length, 0);
    }
    await closed();
  }
});

http1("HTTP/1.0 gets a length, and may keep its connection", async () => {
  const { path, bytes } = file(100_000);
  using server = start(respond(path));
  using client = await connect(server.port);
  client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".repeat(2));
  for (const got of await client.responses(2)) assert.ok(got.body.equals(bytes));
});

test("a part: after seek, as many bytes as content-length says", async () => {
  const { path, bytes } = file(2_000_000);
  using server = start(async () => {
    const part = await opened(path);
    await part.seek(700_001, 0);
    return new Response(part.readable, { status: 206, headers: { "content-length": "900000" } });
  });
  using client = await connect(server.port);
  client.write(GET + GET);
  for (const got of await client.responses(2)) {
    assert.is(got.status, 206);
    assert.ok(got.body.equals(bytes.subarray(700_001, 1_600_001)));
  }
  await closed();
});

http1("a Response around the body of another is the file still", async () => {
  const { path, bytes } = file(1_000_000);
  const { counts } = await counted(undefined, async () => {
    using server = start(async () => {
      const first = new Response((await opened(path)).readable);
      return new Response(first.body, { headers: { "x-more": "1" } });
    });
    using client = await connect(server.port);
    client.write(GET);
    assert.ok((await client.response()).body.equals(bytes));
  });
  assert.ok((counts.get("sendFile") ?? 0) > 0);
});

test("a file inside a compiled program: at once, whole or a part of it, and never more than there is", async () => {
  const text = "inside ".repeat(40_000);
  const inside = new TextEncoder().encode(text);
  const one = (name: string) => (name === "a.txt" ? inside : undefined);
  provideAssets({ read: one, size: (name) => one(name)?.length, executable: () => false, names: () => ["a.txt"] });
  const path = `${PROGRAM_ROOT}/a.txt`;
  let seeks = 0;
  let lengths: string | undefined;
  const { counts } = await counted(undefined, async () => {
    using server = start(async () => {
      const asset = await open(path);
      await asset.seek(seeks, 0);
      return new Response(asset.readable, lengths === undefined ? {} : { headers: { "content-length": lengths } });
    });
    using client = await connect(server.port);
    client.write(GET + GET.replace("GET", "HEAD"));
    const [whole, head] = await client.responses(2, ["GET", "HEAD"]);
    assert.is(whole.text(), text);
    assert.is(head.header("content-length"), String(text.length));
    seeks = 7;
    lengths = "14";
    client.write(GET);
    assert.is((await client.responses(3, ["GET", "HEAD"]))[2].text(), "inside inside ");
    lengths = String(text.length);
    const lines = await logged(async () => {
      client.write(GET);
      // The head waits for the first frame there: it can still be an error.
      if (overHttp2) assert.is((await client.responses(4, ["GET", "HEAD"]))[3].status, 500);
      else await client.gone();
    });
    assert.match(lines.join(), /a file ended 7 bytes before/);
  });
  assert.is(counts.get("sendFile") ?? 0, 0);
});

test("a stream that was read from, and what it is piped through, are streams", async () => {
  const { path, bytes } = file(300_000);
  const upper = new TransformStream<Uint8Array, Uint8Array>();
  using server = start(async () => new Response((await opened(path)).readable.pipeThrough(upper)));
  using client = await connect(server.port);
  client.write(GET);
  const got = await client.response();
  assert.is(got.framing, "chunked");
  assert.ok(got.body.equals(bytes));
  await closed();
  const begun = (await opened(path)).readable;
  const reader = begun.getReader();
  await reader.read();
  reader.releaseLock();
  assert.throws(() => new Response(begun));
  await begun.cancel();
  await closed();
});

test("an empty file, one of /proc, a pipe: their bytes, whatever their size says", async () => {
  const { path: empty } = file(0);
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const [path, expected] of [
    [empty, ""],
    ["/proc/version", readFileSync("/proc/version", "latin1")],
    [pipe, "through a pipe"],
  ]) {
    using server = start(respond(path));
    using client = await connect(server.port);
    client.write(GET);
    if (path === pipe) await writeFile(pipe, expected);
    const got = await client.response();
    assert.is(got.text(), expected);
    assert.is(got.framing, "chunked");
  }
  await closed();
});

for (const at of [0, 1]) {
  http1(`a file that sendfile(2) refuses is read, also when it has taken ${at} pieces before`, async () => {
    const { path, bytes } = file(1_500_000);
    const fault: Fault = { call: "sendFile", kind: "EINVAL", at, times: 1000 };
    const { hits } = await counted(fault, async () => {
      using server = start(respond(path));
      using client = await connect(server.port);
      client.write(GET + GET);
      for (const got of await client.responses(2)) assert.ok(got.body.equals(bytes));
      await closed();
    });
    assert.ok(hits > 0);
  });
}

for (const kind of ["EINTR", "EAGAIN", "ENOMEM", "1 byte", "half"] as const) {
  http1(`${kind} of sendfile(2) is nobody's trouble`, async () => {
    const { path, bytes } = file(500_000);
    const { hits } = await counted({ call: "sendFile", kind, at: 0, times: 2 }, async () => {
      using server = start(respond(path));
      using client = await connect(server.port);
      client.write(GET);
      assert.ok((await client.response()).body.equals(bytes));
    });
    assert.is(hits, 2);
  });
}

for (const times of [1, 1000]) {
  http1(`what is not in memory is read by another thread first, be it ${times} times`, async () => {
    const { path, bytes } = file(5_000_000);
    const injected = await counted({ call: "peekFile", kind: "EAGAIN", at: 0, times }, async () => {
      using server = start(respond(path));
      using client = await connect(server.port);
      client.write(GET + GET);
      for (const got of await client.responses(2)) assert.ok(got.body.equals(bytes));
      await closed();
    });
    assert.ok(injected.hits >= Math.min(times, 10), `${injected.hits} times`);
    assert.is(injected.counts.get("send") ?? 0, 0);
  });
}

/** A client that has asked, has got the head, and reads nothing until told. */
async function stalled(port: number): Promise<Awaited<ReturnType<typeof connect>>> {
  const client = await connect(port);
  client.write(GET);
  await client.saw("\r\n\r\n");
  client.socket.pause();
  await turns(20);
  return client;
}

test("a file cut short while it is being sent cuts the connection, with a line in the log", async () => {
  const { path } = file(LARGE);
  const lines = await logged(async () => {
    using server = start(respond(path));
    using client = await stalled(server.port);
    truncateSync(path, 1000);
    client.socket.resume();
    await client.gone();
    assert.ok(client.bytes.length < LARGE);
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
    await closed();
  });
  assert.is(lines.length, 1);
  assert.match(lines[0], /a response was cut off.*a file ended \d+ bytes before/);
});

test("a file that is shorter than the handler's content-length cuts the connection", async () => {
  const { path } = file(1000);
  const lines = await logged(async () => {
    using server = start(respond(path, { headers: { "content-length": "1001" } }));
    using client = await connect(server.port);
    client.write(GET);
    await client.gone();
    assert.ok(client.text.includes("content-length: 1001"));
  });
  assert.match(lines.join(), /a file ended 1 bytes before/);
  await closed();
});

test("a file that grows meanwhile is sent as long as it was", async () => {
  const { path, bytes } = file(LARGE);
  using server = start(respond(path));
  using client = await stalled(server.port);
  writeFileSync(path, "more", { flag: "a" });
  client.socket.resume();
  assert.ok((await client.response()).body.equals(bytes));
});

test("a handler that closes the file meanwhile cuts the response, and no other file is sent in its place", async () => {
  const { path } = file(LARGE);
  const { path: other } = file(LARGE);
  const lines = await logged(async () => {
    let sending: FsFile | undefined;
    using server = start(async () => {
      sending = await opened(path);
      return new Response(sending.readable);
    });
    using client = await stalled(server.port);
    sending?.close();
    using next = await opened(other);
    client.socket.resume();
    await client.gone();
    assert.ok(client.bytes.length < LARGE);
    assert.is(await next.seek(0, 1), 0);
  });
  assert.match(lines.join(), /the file was closed while it was being sent/);
});

test("a client that leaves midway, by reset or by FIN: the file is closed, and nobody is blamed", async () => {
  const { path } = file(LARGE);
  const lines = await logged(async () => {
    using server = start(respond(path));
    for (const leave of ["reset", "end"] as const) {
      const client = await stalled(server.port);
      assert.is(openFiles(), 1);
      if (leave === "reset") client.reset();
      else {
        // Half closed: it still gets all of it.
        client.end();
        client.socket.resume();
        assert.is((await client.response()).body.length, LARGE);
      }
      await closed();
      client.socket.destroy();
      await eventually(() => server.server.connections === 0, "the connection is forgotten");
    }
  });
  assert.equal(lines, []);
});

http1("a client that takes nothing runs into writeTimeout, and the file is closed", async () => {
  const { path } = file(LARGE);
  await logged(async () => {
    using server = start(respond(path), { writeTimeout: 200 });
    using client = await stalled(server.port);
    await eventually(() => server.server.connections === 0, "the connection is cut");
    client.socket.resume();
    await client.gone();
    assert.ok(client.bytes.length < LARGE);
    await closed();
  });
});

test("a slow client costs no memory: nothing of the file waits with us", async () => {
  const { path, bytes } = file(LARGE);
  const injected = await counted(undefined, async () => {
    using server = start(respond(path));
    const before = process.memoryUsage().arrayBuffers;
    const clients = await Promise.all(Array.from({ length: 8 }, () => stalled(server.port)));
    // What the clients' own sockets have read and hold is theirs.
    const theirs = clients.reduce((sum, client) => sum + client.bytes.length * 4 + 1e6, 0);
    assert.ok(process.memoryUsage().arrayBuffers - before < theirs + 4e6);
    for (const client of clients) client.socket.resume();
    for (const client of clients) {
      assert.is((await client.response()).body.length, bytes.length);
      client.socket.destroy();
    }
  });
  assert.is(injected.counts.get("send") ?? 0, 0);
});

test("a drain waits for a file that is being sent, and says close in the next one's head", async () => {
  const { path, bytes } = file(LARGE);
  using server = start(respond(path));
  using client = await stalled(server.port);
  const ended = server.server.shutdown();
  await turns(5);
  client.socket.resume();
  assert.ok((await client.response()).body.equals(bytes));
  await ended;
  await closed();
});

test("a request that waits to be told to go on is answered with a file", async () => {
  const { path, bytes } = file(100_000);
  using server = start(respond(path));
  using client = await connect(server.port);
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  const got = await client.response();
  assert.is(got.status, 200);
  assert.ok(got.body.equals(bytes));
});

test("no descriptor is left", () => {
  assert.is(openFiles(), 0);
  assert.ok(readdirSync(folder).length > 0);
});

test.run();
