// A server is given a connection with its client's first bytes; a client that says nothing is no worse off.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { handshakesOn, isDeferring } from "../../src/net/deferred.ts";
import { listen } from "../../src/net/mod.ts";
import { runOn } from "../ffi/faulty-system.ts";
import { errno, kernel, onLinux } from "../ffi/kernel.ts";
import { skip } from "../support/skip.ts";
import { connect } from "./support/client.ts";
import { eventually, start, turns } from "./support/server.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const linux = (name: string, run: () => void | Promise<void>): void =>
  onLinux ? void test(name, run) : skip(test, name, "only Linux has TCP_DEFER_ACCEPT");

linux("who says nothing is accepted after a second, and has its time for a request from there on", async () => {
  using server = start(() => new Response("x"));
  using client = await connect(server.port);
  assert.is(handshakesOn(server.port, 0), true);
  await eventually(() => server.server.connections === 1, "it is accepted");
  assert.is(handshakesOn(server.port, 0), false);
  client.write(GET);
  assert.is((await client.response()).status, 200);
});

test("a head that comes in pieces is answered as ever, as is one that comes with its end", async () => {
  using server = start(() => new Response("x"));
  using pieces = await connect(server.port);
  await pieces.send(GET.slice(0, 9));
  await eventually(() => server.server.connections === 1, "it is accepted");
  pieces.write(GET.slice(9));
  assert.is((await pieces.response()).status, 200);
  using ending = await connect(server.port);
  ending.write(GET);
  ending.end();
  assert.is((await ending.untilEnd())[0].status, 200);
});

test("a drain waits for clients that have connected and said nothing yet, and answers them", async () => {
  using server = start(() => new Response("x"), { drainIdle: "10s" });
  using client = await connect(server.port);
  assert.is(server.server.connections, 0);
  const drained = server.server.drain();
  await turns(20);
  assert.is(client.over, false);
  client.write(GET);
  assert.is((await client.untilEnd())[0].header("connection"), "close");
  client.end();
  assert.equal(await drained, { cut: 0 });
});

linux("not where clients have little time, and not for raw connections", () => {
  for (const [limits, deferring] of [
    [{}, true],
    [{ readHeaderTimeout: "none" }, true],
    [{ readHeaderTimeout: "1s" }, false],
  ] as const) {
    const listener = listen({ port: 0, hostname: "127.0.0.1" });
    assert.is(isDeferring(kernel(), listener.fd), false);
    using _ = start(() => new Response("x"), { listener, ...limits });
    assert.is(isDeferring(kernel(), listener.fd), deferring, JSON.stringify(limits));
  }
});

// Who has not been deferred is watched before there is an answer.
linux("a connection that can't be watched after its first answer is closed, and forgotten", async () => {
  const real = kernel();
  let refuses = false;
  const refusing =
    <A extends readonly unknown[]>(call: (...args: A) => number) =>
    (...args: A): number =>
      refuses ? -errno("ENOMEM") : call(...args);
  const { restore } = runOn(
    "kqueue" in real
      ? { ...real, keventChange: refusing(real.keventChange) }
      : { ...real, epollControl: refusing(real.epollControl) },
  );
  try {
    using server = start(() => new Response("x"));
    refuses = true;
    using client = await connect(server.port);
    client.write(GET);
    assert.is((await client.untilEnd())[0].status, 200);
    await eventually(() => server.server.connections === 0, "it is forgotten");
  } finally {
    restore();
  }
});

test.run();
