// Streams of small pieces: what is there at the same moment leaves in one send, and nothing waits for more.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runOn } from "../ffi/faulty-system.ts";
import { singleFault } from "../ffi/single-fault.ts";
import { until } from "../net/pair.ts";
import { type Client, connect } from "./support/client.ts";
import { type Http2Socket, overHttp2 } from "./support/over-http2.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const encoder = new TextEncoder();
type Controller = ReadableStreamDefaultController<Uint8Array>;

/** All of them at once. */
const stream = (pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });

/** Runs on a poller of its own; `sends` says how many calls of send(2) there were so far. */
async function counted(run: (sends: () => number) => Promise<void>): Promise<void> {
  const { system, counts } = singleFault(undefined);
  const { runtime, restore } = runOn(system);
  try {
    await run(() => (counts.get("send") ?? 0) + (counts.get("sendAt") ?? 0));
    await until(() => runtime.poller.openCount === 0, "every handle is closed");
  } finally {
    restore();
    runtime.dispose();
  }
}

/** How many there were before the client asks: HTTP/2 has settled its SETTINGS by then. */
async function before(client: Client, sends: () => number): Promise<number> {
  if (overHttp2) await (client.socket as unknown as Http2Socket).settled();
  return sends();
}

test("a short stream is one send, with its head and its end", async () => {
  await counted(async (sends) => {
    using server = start(() => {
      const parts = ["<html>", "", "<body>", "é", "</html>"].map((part) => encoder.encode(part));
      return new Response(stream(parts));
    });
    using client = await connect(server.port);
    const first = await before(client, sends);
    client.write(GET);
    const got = await client.response();
    assert.is(got.text(), "<html><body>é</html>");
    if (!overHttp2) assert.ok(client.text.includes("\r\n6\r\n<html>\r\n6\r\n<body>\r\n2\r\n"));
    assert.is(sends() - first, 1);
  });
});

test("events leave when they come, those of one moment together", async () => {
  await counted(async (sends) => {
    let controller: Controller | undefined;
    using server = start(() => new Response(new ReadableStream({ start: (given) => void (controller = given) })));
    using client = await connect(server.port);
    const first = await before(client, sends);
    client.write(GET);
    // The head does not wait for the first event.
    await client.saw("\r\n\r\n");
    assert.is(sends() - first, 1);
    for (let round = 1; round <= 3; round++) {
      for (let i = 0; i < 100; i++) controller?.enqueue(encoder.encode(`data: ${round}.${i}\n\n`));
      await client.saw(`data: ${round}.99\n\n`);
      assert.is(sends() - first, 1 + round);
    }
    controller?.close();
    await client.response();
    assert.is(sends() - first, 5);
  });
});

test("many thousand pieces, of all sizes around the batch, arrive in order", async () => {
  const sizes = [1, 7, 100, 8191, 8192, 8193, 20_000, 32_750, 32_751, 32_768, 40_000, 3, 70_000, 0, 5];
  const pieces = Array.from({ length: 300 }, (_, i) => new Uint8Array(sizes[i % sizes.length]).fill(i));
  const whole = Buffer.concat(pieces);
  for (const headers of [new Headers(), new Headers({ "content-length": String(whole.length) })]) {
    await counted(async (sends) => {
      using server = start(() => new Response(stream(pieces), { headers }));
      using client = await connect(server.port);
      client.write(GET + GET);
      for (const got of await client.responses(2)) assert.ok(got.body.equals(whole));
      assert.ok(sends() < 2 * 2 * pieces.length, `${sends()} sends`);
    });
  }
});

test("a client that reads nothing stops a producer of small pieces, and gets all of them when it reads", async () => {
  const piece = encoder.encode("0123456789abcdef".repeat(8));
  const all = 400_000;
  let made = 0;
  using server = start(
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(piece);
            if (++made === all) controller.close();
          },
        }),
      ),
  );
  using client = await connect(server.port);
  client.socket.pause();
  client.write(GET);
  let before = -1;
  for (let still = 0; still < 25; before = made) {
    still = made > 0 && before === made ? still + 1 : 0;
    await turns(3);
  }
  assert.ok(made < all, `${made} pieces for a client that reads none`);
  client.socket.resume();
  await client.until(() => client.bytes.subarray(-7).equals(Buffer.from("\r\n0\r\n\r\n")), "the end");
  assert.is(made, all);
});

test("what came before an error still leaves", async () => {
  const lines = await logged(async () => {
    let first = true;
    using server = start(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              if (!first) throw new Error("the second one fails");
              first = false;
              controller.enqueue(encoder.encode("the first piece"));
            },
          }),
        ),
    );
    using client = await connect(server.port);
    client.write(GET);
    await client.gone();
    assert.ok(client.text.startsWith("HTTP/1.1 200"));
    assert.ok(client.text.includes("the first piece"));
    assert.not.ok(client.text.includes("\r\n0\r\n\r\n"));
  });
  assert.is(lines.length, 1);
});

test("a client that leaves while pieces wait: the producer is told, and nothing is said of it", async () => {
  const lines = await logged(async () => {
    const told = Promise.withResolvers<unknown>();
    let controller: Controller | undefined;
    using server = start(
      () =>
        new Response(
          new ReadableStream({ start: (given) => void (controller = given), cancel: (reason) => told.resolve(reason) }),
        ),
    );
    const client = await connect(server.port);
    client.write(GET);
    await client.saw("\r\n\r\n");
    client.reset();
    await eventually(() => {
      try {
        controller?.enqueue(encoder.encode("x"));
      } catch {
        return true;
      }
      return false;
    }, "the stream is cancelled");
    assert.instance(await told.promise, Error);
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });
  assert.equal(lines, []);
});

test.run();
