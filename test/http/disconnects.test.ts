// Clients that leave, at every stage: handlers are told, streams are cancelled, and nothing is left behind.
import { readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { taskCount } from "../../src/runtime/mod.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { runOn } from "../ffi/faulty-system.ts";
import { kernel } from "../ffi/kernel.ts";
import { skip } from "../support/skip.ts";
import { overTls } from "../support/tls.ts";
import { type Client, connect } from "./support/client.ts";
import { onlyHttp1, overHttp2 } from "./support/over-http2.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { eventually, logged, start, turns } from "./support/server.ts";

/** What needs a connection that is half closed: without its client's half, HTTP/2 can't go on. */
const http1 = onlyHttp1(test);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const HALF_POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234";

const leave: Readonly<Record<string, (client: Client) => void>> = {
  closes: (client) => client.socket.destroy(),
  resets: (client) => client.reset(),
};

test("a half-closed client gets a stream that moves, however long it takes", async () => {
  using server = start(() => {
    let ticks = 0;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 150));
          controller.enqueue(new TextEncoder().encode(`${ticks} `));
          if (++ticks === 16) controller.close();
        },
      }),
    );
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.end();
  const [response] = await client.untilEnd();
  assert.match(response.text(), / 15 $/);
});

for (const [how, go] of Object.entries(leave)) {
  test(`request.signal aborts when the client ${how} during a handler; its late response is dropped`, async () => {
    const aborted = Promise.withResolvers<unknown>();
    const cancelled = Promise.withResolvers<unknown>();
    const completed = Promise.withResolvers<unknown>();
    const lines = await logged(async () => {
      using server = start(async (request, info) => {
        info.completed.then(completed.resolve, completed.resolve);
        const { signal } = request;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        aborted.resolve(signal.reason);
        return new Response(new ReadableStream({ pull: () => new Promise(() => {}), cancel: cancelled.resolve }));
      });
      const client = await connect(server.port);
      await client.send(GET);
      await turns(3);
      go(client);
      const reason = (await aborted.promise) as Error;
      assert.is(reason.name, "AbortError");
      await cancelled.promise;
      await eventually(() => server.server.connections === 0, "the connection is forgotten");
      assert.instance(await completed.promise, Error);
    });
    assert.equal(lines, []);
  });

  test(`a stream that is silent is cancelled when the client ${how}`, async () => {
    const cancelled = Promise.withResolvers<unknown>();
    const signals: AbortSignal[] = [];
    using server = start((request) => {
      signals.push(request.signal);
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("hello")),
          cancel: cancelled.resolve,
        }),
      );
    });
    const client = await connect(server.port);
    client.write(GET);
    await client.saw("hello");
    go(client);
    await cancelled.promise;
    assert.ok(signals[0].aborted);
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });

  test(`a stream that produces is cancelled when the client ${how}`, async () => {
    const cancelled = Promise.withResolvers<unknown>();
    using server = start(() => {
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await turns(1);
            controller.enqueue(new Uint8Array(1000));
          },
          cancel: cancelled.resolve,
        }),
      );
    });
    const client = await connect(server.port);
    client.write(GET);
    await client.saw("chunked");
    go(client);
    await cancelled.promise;
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });

  test(`a handler that reads the body is told when the client ${how}`, async () => {
    const told = Promise.withResolvers<unknown>();
    using server = start(async (request) => {
      const error: unknown = await request.text().catch((reason: unknown) => reason);
      await turns(1);
      told.resolve([error, request.signal.aborted]);
      return new Response("nobody reads this");
    });
    const client = await connect(server.port);
    await client.send(HALF_POST);
    await turns(3);
    go(client);
    const [error, aborted] = (await told.promise) as [unknown, boolean];
    assert.instance(error, Error);
    assert.is(aborted, true);
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });

  test(`a handler that waits with an unread body, receiving paused, is told when the client ${how}`, async () => {
    const told = Promise.withResolvers<void>();
    using server = start(async (request) => {
      const { signal } = request;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      told.resolve();
      return new Response("");
    });
    const client = await connect(server.port);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
    const taken = client.send(Buffer.alloc(200_000));
    // A window of HTTP/2 is smaller than the kernel's buffers: what is beyond it never leaves.
    if (overHttp2) taken.catch(() => {});
    else await taken;
    await turns(10);
    go(client);
    await told.promise;
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });
}

test("a half-closed client still gets its answer, streams too", async () => {
  const gate = Promise.withResolvers<void>();
  using server = start(async () => {
    await gate.promise;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await turns(1);
          controller.enqueue(new TextEncoder().encode("late"));
          controller.close();
        },
      }),
    );
  });
  using client = await connect(server.port);
  client.write(GET);
  client.end();
  await turns(10);
  gate.resolve();
  assert.is((await client.untilEnd())[0].text(), "late");
});

test("the signal of a finished request does not abort when the client leaves later", async () => {
  const signals: AbortSignal[] = [];
  using server = start((request) => {
    signals.push(request.signal);
    return new Response("x");
  });
  const client = await connect(server.port);
  client.write(GET);
  await client.response();
  client.socket.destroy();
  await eventually(() => server.server.connections === 0, "the connection is forgotten");
  assert.is(signals[0].aborted, false);
});

for (const [name, request, behave] of [
  ["the server was closed by the handler itself", GET, "close"],
  ["the server was closed by the handler itself, before the body", HALF_POST, "close"],
  ["the answer to an earlier request could not be sent", GET + GET, "fail"],
  ["the answer to an earlier request could not be sent, before the body", GET + HALF_POST, "fail"],
] as const) {
  const title = `a handler is told, and its late failure is caught, when ${name}`;
  if ((overTls || overHttp2) && behave === "fail")
    skip(test, title, "nothing at all can be sent then, the handshake included");
  else
    test(title, async () => {
      const real = kernel();
      const failing = { ...real, sendAt: () => -real.constants.errno.EPIPE };
      const { runtime: other, restore } = runOn(behave === "fail" ? failing : real);
      const states: unknown[] = [];
      let calls = 0;
      try {
        const lines = await logged(async () => {
          using server = start((request, info) => {
            if (behave === "fail" && calls++ === 0) return new Response("first");
            if (behave === "close") server.server.close();
            return (async () => {
              const { signal } = request;
              info.completed.catch(() => states.push("not completed"));
              await turns(3);
              states.push(signal.aborted);
              throw new Error("too late");
            })();
          });
          using client = await connect(server.port);
          client.write(request);
          await client.gone();
          if (name.endsWith("sent, before the body")) return;
          await eventually(() => states.length === 2, "the handler is told");
          await turns(3);
        });
        await eventually(() => other.poller.openCount === 0, "every handle is closed");
        if (name.endsWith("sent, before the body")) {
          assert.equal(lines, []);
          return;
        }
        assert.equal(states, ["not completed", true]);
        assert.is(lines.length, 1);
        assert.match(lines[0], /too late/);
      } finally {
        restore();
      }
    });
}

for (const name of ["text", "json", "bytes", "arrayBuffer", "blob", "formData"] as const) {
  test(`${name}() that nobody awaits yet does not end the process when the body is cut short`, async () => {
    const results: unknown[] = [];
    using server = start(async (request) => {
      const source = request.url.endsWith("/copy") ? new Request(request) : request;
      const reading = source[name]();
      if (request.url.endsWith("/early")) return new Response("early", { status: 401 });
      // Meanwhile the client leaves, and the read fails with nobody there to hear it.
      await eventually(() => request.signal.aborted, "the client has left");
      await turns(3);
      await reading.catch((error: Error) => results.push(error.name));
      return new Response("late");
    });
    using early = await connect(server.port);
    early.write(HALF_POST.replace("/", "/early"));
    assert.is((await early.response()).status, 401);
    for (const path of ["/late", "/copy"]) {
      using late = await connect(server.port);
      await late.send(HALF_POST.replace("/", path));
      await turns(3);
    }
    await eventually(() => results.length === 2, "both reads have failed");
    assert.equal(results, ["ConnectionReset", "ConnectionReset"]);
  });
}

test("a response made of a body that is cut short is cut short itself, and no line is logged", async () => {
  const lines = await logged(async () => {
    using server = start((request) => new Response(request.body?.pipeThrough(new TransformStream())));
    for (const go of [(client: Client) => client.end(), ...Object.values(leave)]) {
      using client = await connect(server.port);
      client.write(HALF_POST);
      await client.saw("01234");
      go(client);
      await eventually(() => server.server.connections === 0, "the connection is forgotten");
    }
  });
  assert.equal(lines, []);
});

const descriptors = (): number => readdirSync("/proc/self/fd").length;

test("10,000 connections, reset or closed at random moments: nothing stays", async () => {
  const seed = chooseSeed();
  console.log(`\nseed ${seed}`);
  const random = new Random(seed);
  let running = 0;
  let streams = 0;
  const later = (): Promise<void> => turns(random.below(3));
  const randomStream = (): ReadableStream<Uint8Array> => {
    let open = true;
    const over = (): void => {
      if (open) streams--;
      open = false;
    };
    streams++;
    return new ReadableStream({
      async pull(controller) {
        await later();
        controller.enqueue(new Uint8Array(random.below(30_000)));
        if (!random.chance(0.2)) return;
        over();
        controller.close();
      },
      cancel: over,
    });
  };
  const lines = await logged(async () => {
    using server = start(async (request) => {
      running++;
      try {
        switch (new URL(request.url).pathname) {
          case "/stream":
            return new Response(randomStream());
          case "/read":
            await later();
            return new Response(await request.bytes().catch(() => "cut"));
          case "/wait":
            await later();
            return new Response("waited");
          default:
            return new Response("now");
        }
      } finally {
        running--;
      }
    });
    const kinds = ["/", "/wait", "/stream", "/read"] as const;
    const one = async (): Promise<void> => {
      const client = await connect(server.port);
      let text = "";
      for (let i = 1 + random.below(3); i > 0; i--) {
        const kind = random.pick(kinds);
        const size = random.below(100_000);
        text += random.chance(0.5)
          ? `GET ${kind} HTTP/1.1\r\nHost: x\r\n\r\n`
          : `POST ${kind} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`;
      }
      if (random.chance(0.5)) text = text.slice(0, random.below(text.length));
      if (random.chance(0.2)) client.socket.pause();
      if (text !== "") client.write(text);
      const moments = random.below(4);
      for (let i = 0; i < moments; i++) await turns(1);
      if (random.chance(0.6)) client.reset();
      else client.socket.destroy();
    };
    const many = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 50) {
        await Promise.all(Array.from({ length: 50 }, one));
      }
      await eventually(() => server.server.connections === 0, "every connection is forgotten");
      await eventually(() => runtime().poller.openCount === 1, "every handle but the listener's is closed");
      await eventually(() => running === 0 && streams === 0, `no handler and no stream runs: ${running}, ${streams}`);
    };
    await many(200);
    const before = descriptors();
    await many(overHttp2 ? 500 : 10_000);
    // A completion kernel closes the last ones a moment after their handles.
    await eventually(() => descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
    assert.is(taskCount(), 0);
  });
  assert.equal(lines, []);
});

http1("half a body, then FIN: 400 for the half-closed client, and not a word in the log", async () => {
  const lines = await logged(async () => {
    using server = start(async (request) => new Response(await request.text()));
    const client = await connect(server.port);
    await client.send(HALF_POST);
    client.socket.end();
    const response = await client.response();
    assert.is(response.status, 400);
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });
  assert.equal(lines, []);
});

test("a handler that fails with its signal's reason, because the client left, is no failure", async () => {
  const lines = await logged(async () => {
    using server = start((request) => {
      const { promise, reject } = Promise.withResolvers<Response>();
      request.signal.addEventListener("abort", () => reject(request.signal.reason));
      return promise;
    });
    const client = await connect(server.port);
    await client.send(GET);
    await turns(3);
    client.reset();
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
    await turns(3);
  });
  assert.equal(lines, []);
});

test.run();
