// Connections: kept, shared, lost, bounded, and what a call does then.
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters, OUTCOMES } from "../../src/client/counters.ts";
import { createHttpClient, type HttpClient } from "../../src/client/http-client.ts";
import { serve } from "../../src/http/mod.ts";
import { listen } from "../../src/net/mod.ts";
import { errors } from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../support/process.ts";
import { failure, nodeServer, rawServer, saying, told, until } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const HELLO = `${OK}content-length: 5\r\n\r\nhello`;
const withClient = (client: HttpClient, init: RequestInit = {}): RequestInit => ({ ...init, client }) as RequestInit;
const { base, stop } = await nodeServer();

const reuse = suite("reuse");

reuse("one connection for calls that follow each other, one each for those at once", async () => {
  const server = await saying(HELLO);
  for (let i = 0; i < 5; i++) assert.is(await (await fetch(server.base)).text(), "hello");
  assert.is(server.sockets.length, 1);
  await Promise.all(Array.from({ length: 4 }, async () => (await fetch(server.base)).text()));
  assert.is(server.sockets.length, 4);
  server.close();
});

// Each would be waited for to its end.
const patient = { drainIdle: "10m", drainTimeout: "none", onListen() {} } as const;

reuse("a server of this process that shuts down does not wait for what is kept for it", async () => {
  const path = join(temporaryFolder(), "kept.sock");
  using own = createHttpClient({ proxy: { transport: "unix", path } });
  const onPort = serve({ ...patient, port: 0 }, () => new Response("port"));
  const onPath = serve({ ...patient, path }, () => new Response("path"));
  const url = `http://localhost:${onPort.addr.port}/`;
  for (let i = 0; i < 3; i++) assert.is(await (await fetch(url)).text(), "port");
  assert.is(await (await fetch("http://localhost/", withClient(own))).text(), "path");
  await Promise.all([onPort.shutdown(), onPath.shutdown()]);
});

reuse("nor does it cut what is asked, and another server's on the same port is dialled again", async () => {
  const server = serve({ ...patient, hostname: "127.0.0.1", port: 0 }, async () => {
    await asked.promise;
    return new Response("late");
  });
  const asked = Promise.withResolvers<void>();
  const { port } = server.addr;
  const other = serve({ ...patient, hostname: "127.0.0.2", port }, () => new Response("other"));
  assert.is(await (await fetch(`http://127.0.0.2:${port}/`)).text(), "other");
  const call = fetch(`http://127.0.0.1:${port}/`);
  await until(() => server.connections === 1);
  const ended = server.shutdown();
  asked.resolve();
  assert.is(await (await call).text(), "late");
  await ended;
  assert.is(await (await fetch(`http://127.0.0.2:${port}/`)).text(), "other");
  await other.shutdown();
});

reuse("a body that is read later frees its connection, if all of it has come", async () => {
  const server = await saying(HELLO);
  const first = await fetch(server.base);
  const second = await fetch(server.base);
  assert.equal([await second.text(), await first.text()], ["hello", "hello"]);
  assert.is(server.sockets.length, 1);
  server.close();
});

for (const [name, head] of Object.entries({
  "connection: close": `${OK}connection: close\r\ncontent-length: 5\r\n\r\nhello`,
  "connection: a list": `${OK}connection: x, CLOSE\r\ncontent-length: 5\r\n\r\nhello`,
  "HTTP/1.0": "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
  "a keep-alive of a second": `${OK}keep-alive: timeout=1\r\ncontent-length: 5\r\n\r\nhello`,
})) {
  reuse(`none after ${name}`, async () => {
    const server = await saying(head);
    // Often: that a time and a second is never later than itself must not hang on how the sum is rounded.
    for (let i = 0; i < 64; i++) assert.is(await (await fetch(server.base)).text(), "hello");
    assert.is(server.sockets.length, 64);
    server.close();
  });
}

reuse("HTTP/1.0 that says keep-alive is kept", async () => {
  const server = await saying("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello");
  for (let i = 0; i < 2; i++) assert.is(await (await fetch(server.base)).text(), "hello");
  assert.is(server.sockets.length, 1);
  server.close();
});

reuse("a redirect's connection is used for what follows", async () => {
  const before = clientCounters.opened;
  await (await fetch(`${base}/redirect/302`)).text();
  assert.ok(clientCounters.opened - before <= 1);
});

reuse("no more idle connections than asked for", async () => {
  const asked: net.Socket[] = [];
  const server = await rawServer((socket) => {
    asked.push(socket);
    if (asked.length === 5) for (const each of asked) each.write(HELLO);
  });
  using client = createHttpClient({ poolMaxIdlePerHost: 2 });
  const before = clientCounters.idle;
  const calls = Array.from({ length: 5 }, () => fetch(server.base, withClient(client)));
  await Promise.all(calls.map(async (call) => (await call).text()));
  assert.is(clientCounters.idle - before, 2);
  await until(() => server.sockets.filter((socket) => socket.readableEnded || socket.destroyed).length === 3);
  server.close();
});

reuse("a client has connections of its own, and none once it is closed", async () => {
  const server = await saying(HELLO);
  const client = createHttpClient();
  await (await fetch(server.base)).text();
  await (await fetch(server.base, withClient(client))).text();
  assert.is(server.sockets.length, 2);
  client.close();
  await until(() => server.sockets[1].readableEnded || server.sockets[1].destroyed);
  assert.not(server.sockets[0].readableEnded);
  assert.instance(await failure(fetch(server.base, withClient(client))), errors.BadResource);
  server.close();
});

reuse.run();

const lost = suite("a kept connection that ends as a request leaves");

/** Answers the first request of each connection, and ends it at the second, without a byte or after `bytes`. */
function ending(how: "FIN" | "reset", bytes = "") {
  const seen = new WeakSet<net.Socket>();
  return rawServer((socket) => {
    if (!seen.has(socket)) {
      seen.add(socket);
      return void socket.write(HELLO);
    }
    if (bytes !== "") socket.write(bytes);
    if (how === "FIN") socket.end();
    else socket.resetAndDestroy();
  });
}

for (const how of ["FIN", "reset"] as const) {
  for (const [name, init] of Object.entries<RequestInit>({
    GET: {},
    HEAD: { method: "HEAD" },
    "PUT with a body": { method: "PUT", body: "x" },
    DELETE: { method: "DELETE" },
    "POST with a key": { method: "POST", body: "x", headers: { "idempotency-key": "1" } },
  })) {
    lost(`${how}: ${name} is sent once more`, async () => {
      const server = await ending(how);
      const before = clientCounters.retried;
      await (await fetch(server.base)).text();
      assert.is((await fetch(server.base, init)).status, 200);
      assert.is(server.sockets.length, 2);
      assert.is(clientCounters.retried, before + 1);
      server.close();
    });
  }
  for (const [name, init] of Object.entries<RequestInit>({
    POST: { method: "POST", body: "x" },
    "POST without a body": { method: "POST" },
    PATCH: { method: "PATCH", body: "x" },
  })) {
    lost(`${how}: ${name} is not`, async () => {
      const server = await ending(how);
      await (await fetch(server.base)).text();
      const error = await failure(fetch(server.base, init));
      assert.instance(error.cause, errors.ConnectionReset);
      assert.is(server.sockets.length, 1);
      server.close();
    });
  }
  lost(`${how}: a stream is not, whatever the method`, async () => {
    const server = await ending(how);
    await (await fetch(server.base)).text();
    const body = new Blob(["x"]).stream();
    const error = await failure(fetch(server.base, { method: "PUT", body, duplex: "half" } as RequestInit));
    assert.instance(error, TypeError);
    assert.is(server.sockets.length, 1);
    server.close();
  });
  lost(`${how}: nothing is, once a byte of the response has come`, async () => {
    const server = await ending(how, "HTTP/1.1 2");
    await (await fetch(server.base)).text();
    assert.instance(await failure(fetch(server.base)), TypeError);
    assert.is(server.sockets.length, 1);
    server.close();
  });
}

lost("a new connection that ends is not tried again", async () => {
  const server = await rawServer((socket) => socket.end());
  assert.instance((await failure(fetch(server.base))).cause, errors.ConnectionReset);
  assert.is(server.sockets.length, 1);
  server.close();
});

lost("a server that restarts loses no GET", async () => {
  let server = await saying(HELLO);
  const { port } = server;
  await Promise.all(Array.from({ length: 8 }, async () => (await fetch(server.base)).text()));
  server.close();
  server = await rawServer((socket) => socket.write(HELLO), port);
  const texts = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(server.base)).text()));
  assert.equal(
    texts,
    Array.from({ length: 8 }, () => "hello"),
  );
  server.close();
});

lost.run();

const connecting = suite("connecting");

/** An address where SYNs are dropped: the queue is full, and nobody accepts. */
async function full(): Promise<{ url: string; close(): void }> {
  const listener = listen({ port: 0, hostname: "127.0.0.1", backlog: 1 });
  const { port } = listener.addr;
  const fillers: net.Socket[] = [];
  for (let connected = true; connected; ) {
    const filler = net.connect(port, "127.0.0.1");
    filler.on("error", () => {});
    fillers.push(filler);
    connected = await Promise.race([
      once(filler, "connect").then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 500, false)),
    ]);
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      for (const filler of fillers) filler.destroy();
      listener.close();
    },
  };
}

connecting("is refused where nobody listens", async () => {
  const server = await saying("");
  server.close();
  const error = await failure(fetch(server.base));
  assert.instance(error, TypeError);
  assert.instance(error.cause, errors.ConnectionRefused);
  assert.match(
    told(error),
    /^fetch failed: error sending request for url \(.*\): client error \(Connect\): Connection refused \(os error \d+\): connect to 127\.0\.0\.1:\d+; nothing listens/,
  );
});

connecting("a name that is none", async () => {
  const error = await failure(fetch("http://no-such-name.invalid/"));
  assert.instance(error, TypeError);
  assert.instance(error.cause, errors.NotFound);
});

connecting("takes no longer than it may, and an abort ends it", async () => {
  const { url, close } = await full();
  using client = createHttpClient({ connectTimeout: 100 });
  const timedOut = clientCounters.outcomes[OUTCOMES.indexOf("timeout")];
  const error = await failure(fetch(url, withClient(client)));
  assert.instance(error.cause, errors.TimedOut);
  assert.is(clientCounters.outcomes[OUTCOMES.indexOf("timeout")], timedOut + 1);
  const controller = new AbortController();
  const call = fetch(url, { signal: controller.signal });
  await until(() => clientCounters.connecting === 1);
  controller.abort("enough");
  assert.is(await failure(call), "enough" as never);
  await until(() => clientCounters.connecting === 0);
  close();
});

connecting("goes to a Unix socket where a client says so", async () => {
  const path = join(temporaryFolder(), "socket");
  const heads: string[] = [];
  const server = net.createServer((socket) => {
    socket.on("data", (bytes) => {
      heads.push(String(bytes));
      socket.write(HELLO);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  using client = createHttpClient({ proxy: { transport: "unix", path }, allowHost: true });
  assert.is(await (await fetch("http://some.name/a?b", withClient(client))).text(), "hello");
  await (await fetch("http://some.name/", withClient(client, { headers: { host: "other.name" } }))).text();
  assert.match(heads[0], /^GET \/a\?b HTTP\/1\.1\r\nhost: some\.name\r\n/);
  assert.match(heads[1], /\r\nhost: other\.name\r\n/);
  const secure = await failure(fetch("https://some.name/", withClient(client)));
  assert.match(told(secure), /the server does not speak TLS there \(it says "HTTP\/1\.1 200 OK"\)/);
  client.close();
  server.close();
});

connecting("what a client can't do it says", () => {
  for (const options of [{ localAddress: "127.0.0.1" }, { proxy: { url: "http://proxy:3128" } }]) {
    assert.throws(
      () => createHttpClient(options),
      (error: Error) => error instanceof errors.NotSupported,
    );
  }
  assert.throws(
    () => createHttpClient({ caCerts: ["x"] }),
    (error: Error) => error instanceof errors.InvalidData && /caCerts of Deno\.createHttpClient/.test(error.message),
  );
  assert.throws(() => createHttpClient({ cert: "x" }), TypeError);
  assert.throws(() => createHttpClient({ http1: false, http2: false }), TypeError);
  for (const options of [{ headerTimeout: "soon" }, { connectTimeout: 0 }, { poolMaxIdlePerHost: -1 }]) {
    assert.throws(() => createHttpClient(options), TypeError);
  }
});

connecting("a thousand at once", async () => {
  // The machine may need longer for so many.
  using client = createHttpClient({ connectTimeout: "1m", poolIdleTimeout: 60_000 });
  const calls = Array.from({ length: 1000 }, async (_, i) => {
    const response = await fetch(`${base}/echo?${i}`, {
      ...withClient(client),
      method: i % 2 === 0 ? "POST" : "GET",
      body: i % 2 === 0 ? String(i) : null,
    });
    return (await response.json()) as { url: string; body: string };
  });
  for (const [i, { url, body }] of (await Promise.all(calls)).entries()) {
    assert.is(url, `/echo?${i}`);
    assert.is(body, i % 2 === 0 ? String(i) : "");
  }
  assert.is(clientCounters.busy, 0);
});

connecting.after(stop);
connecting.run();
