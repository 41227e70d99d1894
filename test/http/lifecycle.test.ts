// Servers come and go: where they listen, how they stop, and that nothing of them stays.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/http/mod.ts";
import { listen } from "../../src/net/mod.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { onLinux } from "../ffi/kernel.ts";
import { temporaryFolder } from "../support/process.ts";
import { type Client, connect } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

const http1 = onlyHttp1(test);

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const quiet = { onListen() {} };

http1("shutdown closes idle connections, lets busy ones finish, and refuses new ones", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(
    async (request) => {
      if (request.url.endsWith("/slow")) await gate.promise;
      return new Response("done");
    },
    { readHeaderTimeout: 300 },
  );
  using fresh = await connect(server.port);
  using idle = await connect(server.port);
  idle.write(GET);
  await idle.response();
  using partial = await connect(server.port);
  await partial.send("GET / HT");
  using busy = await connect(server.port);
  busy.write(`GET /slow HTTP/1.1\r\nHost: x\r\n\r\n${GET}`);
  await turns(10);
  let over = false;
  const finished = server.server.shutdown().then(() => {
    over = true;
  });
  await fresh.gone();
  await idle.gone();
  await partial.gone();
  await assertRefused(() => connect(server.port));
  assert.is(over, false);
  gate.resolve();
  const responses = await busy.untilEnd();
  assert.is(responses[0].text(), "done");
  assert.is(responses.at(-1)?.header("connection"), "close");
  await finished;
  await server.server.finished;
  assert.is(server.server.connections, 0);
});

async function assertRefused(work: () => Promise<Client>): Promise<void> {
  const error = await work().then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason,
  );
  assert.is(error?.code, "ECONNREFUSED");
}

http1("shutdown answers the request that lies unread on an idle connection", async () => {
  using server = start(() => new Response("ok"));
  using client = await connect(server.port);
  client.write(GET);
  await client.responses(1);
  // A small write to an idle socket reaches the kernel before it returns, and so does the shutdown: nothing reads between.
  client.write(GET);
  const finished = server.server.shutdown();
  const [, last] = await client.responses(2);
  assert.is(last.text(), "ok");
  assert.is(last.header("connection"), "close");
  await finished;
});

test("shutdown waits for a stream, and for a client that still reads", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode("begin "));
            await gate.promise;
            controller.enqueue(new TextEncoder().encode("end"));
            controller.close();
          },
        }),
      ),
  );
  using client = await connect(server.port);
  client.write(GET);
  await client.saw("begin");
  const finished = server.server.shutdown();
  gate.resolve();
  assert.is((await client.untilEnd())[0].text(), "begin end");
  await finished;
});

http1("a request that comes while its connection drains is answered with connection: close", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let calls = 0;
  using server = start(async () => {
    await gates[calls++]?.promise;
    return new Response("x");
  });
  using client = await connect(server.port);
  await client.send(GET);
  await eventually(() => calls === 1, "the handler runs");
  const finished = server.server.shutdown();
  gates[0].resolve();
  assert.is((await client.untilEnd())[0].header("connection"), "close");
  await finished;
});

test("close cuts everything at once; signals abort, streams are cancelled", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const cancelled = Promise.withResolvers<unknown>();
  using server = start((request) => {
    if (request.url.endsWith("/stream")) {
      return new Response(new ReadableStream({ pull: () => new Promise(() => {}), cancel: cancelled.resolve }));
    }
    request.signal.addEventListener("abort", () => aborted.resolve(request.signal.reason));
    return new Promise(() => {});
  });
  using waiting = await connect(server.port);
  using streaming = await connect(server.port);
  using idle = await connect(server.port);
  await waiting.send(GET);
  streaming.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  await streaming.saw("chunked");
  await eventually(() => server.server.connections === 3, "who says nothing is accepted, too");
  server.server.close();
  await Promise.all([waiting.gone(), streaming.gone(), idle.gone(), aborted.promise, cancelled.promise]);
  await server.server.finished;
  server.server.close();
  await server.server.shutdown();
});

test("a handler may close or shut down its own server", async () => {
  for (const how of ["close", "shutdown"] as const) {
    for (const late of [false, true]) {
      using server = start((): Response | Promise<Response> => {
        void server.server[how]();
        const response = new Response("bye");
        return late ? turns(1).then(() => response) : response;
      });
      using client = await connect(server.port);
      client.write(GET + GET);
      await client.gone();
      if (how === "shutdown") assert.is((await client.untilEnd())[0].text(), "bye");
      await server.server.finished;
    }
  }
});

test("the signal option shuts down; one that is aborted already throws", async () => {
  const controller = new AbortController();
  using server = start(() => new Response("x"), { signal: controller.signal });
  using client = await connect(server.port);
  client.write(GET);
  await client.response();
  controller.abort();
  await server.server.finished;
  await client.gone();
  assert.throws(() => serve({ port: 0, ...quiet, signal: controller.signal }, () => new Response("x")));
});

test("await using shuts down", async () => {
  let finished: Promise<void> | undefined;
  {
    await using server = serve({ port: 0, hostname: "127.0.0.1", ...quiet }, () => new Response("x"));
    finished = server.finished;
  }
  await finished;
});

test("a Unix socket, as a file and abstract", async () => {
  const file = join(temporaryFolder(), "socket");
  for (const path of onLinux ? [file, `\0slipway-test-${process.pid}`] : [file]) {
    const addresses: unknown[] = [];
    using server = start(
      (_request, info) => {
        addresses.push(info.remoteAddr);
        return new Response("local");
      },
      { port: undefined, hostname: undefined, path },
    );
    assert.equal(server.server.addr, { transport: "unix", path });
    using client = await connect(path);
    client.write(GET);
    assert.is((await client.response()).text(), "local");
    assert.equal(addresses, [{ transport: "unix", path }]);
    client.end();
    await server.server.shutdown();
    assert.is(existsSync(file), false);
  }
});

test("IPv6", async () => {
  const addresses: unknown[] = [];
  using server = start(
    (request, info) => {
      addresses.push(info.remoteAddr);
      return new Response(request.url);
    },
    { hostname: "::1" },
  );
  using client = await connect(server.port, "::1");
  client.write(`GET / HTTP/1.1\r\nHost: [::1]:${server.port}\r\n\r\n`);
  assert.is((await client.response()).text(), `http://[::1]:${server.port}/`);
  assert.equal(addresses, [{ transport: "tcp", hostname: "::1", port: client.socket.localPort }]);
});

test("a listener of one's own; an address that is taken; a handler that is none", async () => {
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  using server = start(() => new Response("x"), { listener });
  assert.equal(server.server.addr, listener.addr);
  assert.is((await fetch(server.url)).status, 200);
  assert.throws(
    () => start(() => new Response("x"), { port: server.port }),
    (error: Error) => error.name === "AddrInUse",
  );
  assert.throws(() => serve({ port: 0, ...quiet }, undefined as unknown as () => Response), TypeError);
});

test("onListen is told the address; without it a line is printed; what it throws is logged", async () => {
  const told: unknown[] = [];
  using server = start(() => new Response("x"), { onListen: (addr) => void told.push(addr) });
  assert.equal(told, [server.server.addr]);
  const lines = await logged(async () => {
    const printing = serve({ port: 0, hostname: "127.0.0.1" }, () => new Response("x"));
    const { addr } = printing;
    printing.close();
    assert.ok("port" in addr);
    using failing = start(() => new Response("x"), {
      onListen() {
        throw new Error("told you");
      },
    });
    assert.is((await fetch(failing.url)).status, 200);
  });
  assert.is(lines.length, 2);
  assert.match(lines[0], /^Listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.match(lines[1], /told you/);
});

test("a thousand keep-alive connections at once, three requests each", async () => {
  using server = start((request) => new Response(new URL(request.url).pathname));
  const clients: Client[] = [];
  for (let i = 0; i < 1000; i += 50) {
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => connect(server.port)))));
  }
  // They are connected before the server has accepted them.
  await eventually(() => server.server.connections === 1000, "all are accepted");
  for (let round = 1; round <= 3; round++) {
    clients.forEach((client, i) => {
      client.write(`GET /${i}/${round} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    await Promise.all(
      clients.map(async (client, i) => {
        assert.is((await client.responses(round))[round - 1].text(), `/${i}/${round}`);
      }),
    );
  }
  const finished = server.server.shutdown();
  await Promise.all(clients.map((client) => client.gone()));
  await finished;
  for (const client of clients) client.socket.destroy();
});

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const settled = (): Promise<void> => eventually(() => runtime().poller.openCount === 0, "every handle is closed");

test("200 servers, started, used and shut down: no descriptor, no handle, no listener of a signal", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const one = async (): Promise<void> => {
    using server = start(() => new Response("x"), { signal });
    using client = await connect(server.port);
    client.write(GET);
    await client.response();
    const finished = server.server.shutdown();
    await client.untilEnd();
    client.end();
    await finished;
  };
  await settled();
  await one();
  await settled();
  const before = descriptors();
  for (let i = 0; i < 200; i++) await one();
  await settled();
  await eventually(() => descriptors() <= before, `the descriptors are back at ${before}`);
  await turns(5);
  assert.is(listeners, 0);
});

test.run();
