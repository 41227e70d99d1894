// The graceful end of a server, step by step: nothing that was sent to it is lost, and it has a bound.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { counters } from "../../src/http/counters.ts";
import { servers } from "../../src/http/servers.ts";
import { runOn } from "../ffi/faulty-system.ts";
import { kernel } from "../ffi/kernel.ts";
import { type Client, connect } from "./support/client.ts";
import { onlyHttp1 } from "./support/over-http2.ts";
import { eventually, start, turns } from "./support/server.ts";

/** Of connections that are asked on after the drain has begun: of HTTP/2 they are told so, see test/http2/drain. */
const http1 = onlyHttp1(test);

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

async function refused(port: number): Promise<void> {
  const error = await connect(port, "127.0.0.1", "http/1.1").then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason,
  );
  assert.is(error?.code, "ECONNREFUSED");
}

http1("for drainDelay everything is still accepted, with connection: close on every answer", async () => {
  using server = start(() => new Response("x"), { drainDelay: 300 });
  using before = await connect(server.port);
  before.write(GET);
  assert.is((await before.response()).header("connection"), null);
  const drained = server.server.drain();
  assert.is(server.server.draining, true);
  const state = [...servers()].find((one) => one.draining);
  assert.is(state?.accepting, true);
  using during = await connect(server.port);
  during.write(GET);
  before.write(GET);
  assert.is((await during.untilEnd())[0].header("connection"), "close");
  assert.is((await before.untilEnd())[1].header("connection"), "close");
  during.end();
  before.end();
  assert.equal(await drained, { cut: 0 });
  await refused(server.port);
  assert.is([...servers()].includes(state as never), false);
});

test("descriptors that lack for a moment hold up the end for a moment, though nobody is connected", async () => {
  const real = kernel();
  let lacking = 2;
  const { EMFILE } = real.constants.errno;
  const accept = (fd: number): number => (lacking-- > 0 ? -EMFILE : real.accept(fd));
  const { restore } = runOn({ ...real, accept });
  try {
    using server = start(() => new Response("x"), { drainTimeout: "20s" });
    const began = performance.now();
    assert.equal(await server.server.drain(), { cut: 0 });
    assert.ok(performance.now() - began < 10_000, "long before its bound");
    assert.ok(lacking < 0, "it was tried again");
  } finally {
    restore();
  }
});

http1("a request that comes within drainIdle on an idle connection is answered", async () => {
  using server = start(() => new Response("x"), { drainIdle: "10s" });
  using idle = await connect(server.port);
  idle.write(GET);
  await idle.response();
  using fresh = await connect(server.port);
  const drained = server.server.drain();
  await turns(5);
  assert.is(idle.over, false);
  for (const client of [idle, fresh]) {
    client.write(GET);
    assert.is((await client.untilEnd()).at(-1)?.header("connection"), "close");
    client.end();
  }
  assert.equal(await drained, { cut: 0 });
});

test("what was pipelined is answered to the last, which says close; a handler that answers at once, or later", async () => {
  for (const handler of [
    () => new Response("x"),
    async () => {
      await turns(1);
      return new Response("x");
    },
  ]) {
    let shut: Promise<unknown> | undefined;
    using server = start(
      () => {
        shut ??= server.server.drain();
        return handler();
      },
      { drainIdle: "10s" },
    );
    using client = await connect(server.port);
    await client.send(GET.repeat(20));
    const responses = await client.untilEnd();
    assert.is(responses.length, 20);
    assert.equal(
      responses.map((response) => response.header("connection")),
      [...Array(19).fill(null), "close"],
    );
    client.end();
    await shut;
  }
});

test("half a request that goes on is answered too", async () => {
  using server = start(() => new Response("x"), { drainIdle: "10s" });
  using client = await connect(server.port);
  await client.send(`${GET}GET / HTTP/1.1\r\n`);
  await client.response();
  const drained = server.server.drain();
  client.write("Host: x\r\n\r\n");
  assert.is((await client.untilEnd()).length, 2);
  client.end();
  assert.equal(await drained, { cut: 0 });
});

// Over HTTP/2 a client that has read GOAWAY need not say what it was about to: test/http2/drain.test.ts has that.
http1("connections that wait in the kernel's queue are taken, not reset", async () => {
  using server = start(() => new Response("x"), { drainIdle: "10s" });
  const clients: Client[] = await Promise.all(Array.from({ length: 50 }, () => connect(server.port)));
  // Their connect has returned, so they are in the queue at least; the drain begins before another turn does.
  const late = Array.from({ length: 50 }, () => connect(server.port));
  clients.push(...(await Promise.all(late)));
  const drained = server.server.drain();
  for (const client of clients) client.write(GET);
  for (const client of clients) {
    assert.is((await client.untilEnd()).length, 1);
    client.end();
  }
  assert.equal(await drained, { cut: 0 });
});

http1("half a head that came before the end has its whole time, not only drainIdle", async () => {
  using server = start(() => new Response("x"), { drainIdle: 0 });
  using fresh = await connect(server.port);
  await fresh.send("GET / HTTP/1.1\r\n");
  using kept = await connect(server.port);
  kept.write(GET);
  await kept.response();
  await kept.send("GET / HTTP/1.1\r\n");
  await turns(3);
  const drained = server.server.drain();
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const client of [fresh, kept]) {
    client.write("Host: x\r\n\r\n");
    assert.is((await client.untilEnd()).at(-1)?.status, 200);
    client.end();
  }
  assert.equal(await drained, { cut: 0 });
});

http1(
  "a response that only the connection's end frames is cut by a reset, so that nobody takes it for the whole",
  async () => {
    using server = start(
      () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) })),
      { drainTimeout: 200 },
    );
    using client = await connect(server.port);
    client.write("GET / HTTP/1.0\r\n\r\n");
    await client.saw("\r\n\r\n");
    assert.equal(await server.server.drain(), { cut: 1 });
    await client.gone();
    assert.is((client.error as NodeJS.ErrnoException | undefined)?.code, "ECONNRESET");
  },
);

test("past drainTimeout what runs is cut, counted, and told by its signal", async () => {
  const reasons: Error[] = [];
  const cut = counters.cut;
  using server = start(
    (request) => {
      request.signal.addEventListener("abort", () => reasons.push(request.signal.reason));
      return new Promise(() => {});
    },
    { drainTimeout: 200, drainIdle: 0 },
  );
  using one = await connect(server.port);
  using two = await connect(server.port);
  one.write(GET);
  two.write(GET);
  await eventually(() => server.server.connections === 2, "both are there");
  await turns(3);
  assert.equal(await server.server.drain(), { cut: 2 });
  assert.equal(
    reasons.map((reason) => reason.message),
    Array(2).fill("the server was shut down before the response was sent"),
  );
  assert.is(counters.cut, cut + 2);
  await Promise.all([one.gone(), two.gone()]);
  await refused(server.port);
});

test("drain asked twice is one drain; close ends it at once", async () => {
  using server = start(() => new Promise(() => {}), { drainDelay: "1h" });
  using client = await connect(server.port);
  client.write(GET);
  await eventually(() => server.server.connections === 1, "the client is there");
  const drained = server.server.drain();
  assert.is(server.server.drain(), drained);
  server.server.close();
  assert.equal(await drained, { cut: 0 });
});

test.run();
