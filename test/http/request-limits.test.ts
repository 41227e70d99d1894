// What one request may have for itself: by its info, at any moment, and by the server's hook, before its body is read.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Handler, LimitsHook, ServeHandlerInfo } from "../../src/http/mod.ts";
import { connect, exchange } from "./support/client.ts";
import { eventually, logged, start, turns } from "./support/server.ts";
import { movableTime } from "./support/time.ts";

const upload = (length: number, path = "/"): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;
const echo: Handler = async (request) => new Response(await request.text());

test("setReadTimeout counts from its call, also while the body moves", async () => {
  const time = movableTime();
  const longer = Promise.withResolvers<void>();
  using server = start(async (request, info) => {
    await longer.promise;
    info.setReadTimeout("2m");
    return new Response(await request.text());
  });
  using client = await connect(server.port);
  client.write(`${upload(2)}a`);
  await eventually(() => server.server.connections === 1, "the request is there");
  await time.pass(20_000);
  longer.resolve();
  await time.pass(100_000);
  assert.is(client.over, false);
  client.write("b");
  assert.is((await client.response()).text(), "ab");
});

test("a shorter one is effective at once", async () => {
  const time = movableTime();
  using server = start((request, info) => {
    info.setReadTimeout(1000);
    return request.text().then((text) => new Response(text));
  });
  using client = await connect(server.port);
  client.write(`${upload(2)}a`);
  await eventually(() => server.server.connections === 1, "the request is there");
  await turns(3);
  await time.pass(1_100);
  assert.is((await client.untilEnd())[0].status, 408);
});

test("setWriteTimeout gives a handler longer, and setMinRate 0 makes the times absolute", async () => {
  const time = movableTime();
  for (const absolute of [false, true]) {
    const gate = Promise.withResolvers<void>();
    let began = false;
    using server = start(async (_request, info) => {
      info.setWriteTimeout("10m");
      if (absolute) info.setMinRate(0);
      began = true;
      await gate.promise;
      return new Response("at last");
    });
    using client = await connect(server.port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually(() => began, "the handler runs");
    await turns(2);
    await time.pass(590_000);
    assert.is(client.over, false);
    gate.resolve();
    assert.is((await client.response()).text(), "at last");
  }
});

test("setMaxBodyBytes: less than what is announced, or has come, is refused at once; more lets a chunked body pass", async () => {
  const small: Handler = async (request, info) => {
    info.setMaxBodyBytes(10);
    return new Response(await request.text());
  };
  using server = start(small);
  assert.is((await exchange(server.port, upload(11)))[0].status, 413);
  assert.is((await exchange(server.port, `${upload(10)}1234567890`))[0].text(), "1234567890");
  using larger = start(
    (request, info) => {
      info.setMaxBodyBytes("1KiB");
      return echo(request, info);
    },
    { maxBodyBytes: 2 },
  );
  using client = await connect(larger.port);
  await client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  await turns(3);
  client.write("a\r\n1234567890\r\n0\r\n\r\n");
  assert.is((await client.response()).text(), "1234567890");
});

test("setMaxBodyBytes counts for what came with the head as well, up and down", async () => {
  const sent =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\na\r\n1234567890\r\n0\r\n\r\n";
  for (const [limit, status] of [
    [10, 200],
    [9, 413],
  ]) {
    using server = start(
      (request, info) => {
        info.setMaxBodyBytes(limit);
        return echo(request, info);
      },
      { maxBodyBytes: 5 },
    );
    assert.is((await exchange(server.port, sent))[0].status, status);
  }
});

test("the hook is asked with the head, before the handler; what it leaves out stays", async () => {
  const seen: string[] = [];
  const limits: LimitsHook = (request) => {
    seen.push(`limits ${new URL(request.url).pathname} ${request.headers.get("content-length")}`);
    return request.url.endsWith("/large") ? { maxBodyBytes: 100 } : undefined;
  };
  using server = start(
    (request, info) => {
      seen.push(`handler ${new URL(request.url).pathname}`);
      return echo(request, info);
    },
    { limits, maxBodyBytes: 10 },
  );
  assert.is((await exchange(server.port, `${upload(20, "/large")}${"x".repeat(20)}`))[0].text(), "x".repeat(20));
  assert.is((await exchange(server.port, upload(20, "/small")))[0].status, 413);
  assert.is((await exchange(server.port, upload(101, "/large")))[0].status, 413);
  assert.equal(seen, ["limits /large 20", "handler /large", "limits /small 20", "limits /large 101"]);
});

test("a hook that fails, or gives nonsense, fails the request, and the log says what failed", async () => {
  for (const limits of [
    () => {
      throw new Error("told you");
    },
    () => ({ readTimeout: "soon" }),
    async () => ({}),
    () => 5,
  ]) {
    let status: number | undefined;
    const lines = await logged(async () => {
      using server = start(() => new Response("x"), { limits: limits as unknown as LimitsHook });
      status = (await exchange(server.port, `${upload(2)}ab`))[0].status;
    });
    assert.is(status, 500);
    assert.match(lines[0], /^slipway: limits\(request\) failed: /);
    assert.match(lines.join("\n"), /told you|readTimeout of a request must be|must return an object of limits/);
  }
});

test("what the hook misspells is told once, with what was meant, and changes nothing", async () => {
  const limits = (request: Request) => ({
    maxBodyByte: 5,
    readTimeout: undefined,
    [request.method === "POST" ? "idleTimeout" : "\u001b[2J"]: 1,
  });
  const lines = await logged(async () => {
    using server = start(echo, { limits: limits as unknown as LimitsHook });
    for (let i = 0; i < 3; i++) {
      assert.is((await exchange(server.port, `${upload(10)}${"x".repeat(10)}`))[0].text(), "x".repeat(10));
      assert.is((await exchange(server.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[0].status, 200);
    }
  });
  const rest = ": it changes nothing; there are readTimeout, writeTimeout, minRate, maxBodyBytes";
  assert.equal(lines, [
    `slipway: limits(request) gave 'maxBodyByte', which is no limit of a request (did you mean maxBodyBytes?)${rest}`,
    `slipway: limits(request) gave 'idleTimeout', which is no limit of a request but of the whole server${rest}`,
    `slipway: limits(request) gave '\\x1b[2J', which is no limit of a request${rest}`,
  ]);
});

test("limits that are set when the response is out are nobody's: not those of the next request", async () => {
  let late: ServeHandlerInfo | undefined;
  let calls = 0;
  using server = start(async (request, info) => {
    late ??= info;
    calls++;
    return new Response(await request.text());
  });
  using client = await connect(server.port);
  const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
  // Pipelined, so that they are the same connection's without a pause.
  client.write(`${post}body${post}bo`);
  await eventually(() => calls === 2, "the second is there");
  late?.setMaxBodyBytes(1);
  late?.setReadTimeout(1);
  client.write("dy");
  const responses = await client.responses(2);
  assert.equal(
    responses.map(({ status }) => status),
    [200, 200],
  );
});

test("info refuses what is no limit", async () => {
  using server = start((_request, info) => {
    try {
      info.setMaxBodyBytes(0);
    } catch (error) {
      return new Response((error as Error).message);
    }
    return new Response("taken");
  });
  const [response] = await exchange(server.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(response.text(), /^maxBodyBytes of a request must not be 0/);
});

test("info.go: the task's signal aborts with the request's", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const called = Promise.withResolvers<void>();
  using server = start((_request, info) => {
    called.resolve();
    info.go("helper", async (signal) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      await aborted.promise;
    });
    return new Promise(() => {});
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await called.promise;
  client.reset();
  assert.is(((await aborted.promise) as Error).name, "AbortError");
});

test.run();
