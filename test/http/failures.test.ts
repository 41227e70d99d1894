// What goes wrong in a handler becomes one response and one line in the log, never a crash or a silent connection.

import * as undici from "undici";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Handler, ServeOptions } from "../../src/http/mod.ts";
import { connect } from "./support/client.ts";
import { logged, start } from "./support/server.ts";

const REQUEST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

interface Seen {
  readonly status: number;
  readonly text: string;
  readonly log: readonly string[];
}

/** The answer to one request; the connection must be fit for another one. */
async function answer(handler: Handler, options: ServeOptions = {}): Promise<Seen> {
  let seen: Seen = { status: 0, text: "", log: [] };
  const log = await logged(async () => {
    let calls = 0;
    using server = start((request, info) => {
      return calls++ === 0 ? handler(request, info) : new Response("still here");
    }, options);
    using client = await connect(server.port);
    client.write(REQUEST);
    const first = await client.response();
    client.write(REQUEST);
    assert.is((await client.responses(2))[1].text(), "still here");
    seen = { status: first.status, text: first.text(), log: [] };
  });
  return { ...seen, log };
}

const boom = (): never => {
  throw new Error("boom");
};
const usedUp = async (): Promise<Response> => {
  const response = new Response("used");
  await response.text();
  return response;
};
const wrong = (value: unknown): Response => value as Response;

const cases: Readonly<Record<string, readonly [Handler, RegExp]>> = {
  "throws at once": [boom, /boom/],
  "throws later": [
    async () => {
      await null;
      return boom();
    },
    /boom/,
  ],
  "throws when it has read the body": [
    async (request) => {
      assert.is(await request.text(), "hello");
      return boom();
    },
    /boom/,
  ],
  "throws what is no error": [
    () => {
      throw "a string";
    },
    /a string/,
  ],
  "throws undefined": [
    () => {
      throw undefined;
    },
    /undefined/,
  ],
  "rejects with null": [() => Promise.reject(null), /null/],
  "returns nothing": [() => wrong(undefined), /must return a Response.*not undefined/],
  "returns null": [() => wrong(null), /not null/],
  "returns a string": [() => wrong("hello"), /not a string/],
  "returns an object": [() => wrong({ status: 200 }), /not an object of class Object/],
  "returns an object without a prototype": [() => wrong(Object.create(null)), /must return a Response/],
  "returns a number, later": [async () => wrong(7), /not a number/],
  "returns a thenable that throws": [
    () =>
      // biome-ignore lint/suspicious/noThenProperty: the point of it
      wrong({ then: boom }),
    /boom/,
  ],
  "returns what throws when it is asked for then": [
    () =>
      wrong({
        // biome-ignore lint/suspicious/noThenProperty: the point of it
        get then() {
          return boom();
        },
      }),
    /boom/,
  ],
  "returns Response.error()": [() => Response.error(), /network error/],
  "returns a used Response": [usedUp, /already read/],
  "returns a Response whose body is locked": [
    () => {
      const response = new Response(new ReadableStream());
      response.body?.getReader();
      return response;
    },
    /already read|locked/,
  ],
  "returns header fields beyond 64 KiB": [
    () => new Response("x", { headers: { "x-big": "b".repeat(100_000) } }),
    /do not fit/,
  ],
  "reads the body twice": [
    async (request) => {
      await request.text();
      return new Response(await request.text());
    },
    /already been read/,
  ],
};

for (const [name, [handler, line]] of Object.entries(cases)) {
  test(`a handler that ${name}: 500 and one line`, async () => {
    const { status, text, log } = await answer(handler);
    assert.is(status, 500);
    assert.is(text, "Internal Server Error");
    assert.is(log.length, 1, log.join("\n"));
    assert.match(log[0], line);
    assert.match(log[0], /^slipway: the handler failed: /);
  });

  test(`a handler that ${name}: onError answers, nothing is logged`, async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): Response => {
      errors.push(error);
      return new Response("sorry", { status: 503 });
    };
    const { status, text, log } = await answer(handler, { onError });
    assert.is(status, 503);
    assert.is(text, "sorry");
    assert.equal(log, []);
    assert.is(errors.length, 1);
    assert.match(String(errors[0]), line);
  });
}

for (const [name, onError, lines] of [
  ["throws", boom, 1],
  ["rejects", async () => boom(), 1],
  ["returns nothing", () => wrong(undefined), 1],
  ["resolves with nothing", async () => wrong(undefined), 1],
  ["returns a string", () => wrong("x"), 1],
  ["returns Response.error()", () => Response.error(), 1],
  ["resolves with Response.error()", async () => Response.error(), 1],
  ["returns a used Response", usedUp, 1],
  ["returns fields beyond 64 KiB", () => new Response("x", { headers: { "x-big": "b".repeat(100_000) } }), 1],
] as const) {
  for (const [when, handler] of [
    ["at once", boom],
    ["later", async () => boom()],
  ] as const) {
    test(`onError ${name}, for what was thrown ${when}: a plain 500`, async () => {
      const { status, text, log } = await answer(handler, { onError });
      assert.is(status, 500);
      assert.is(text, "Internal Server Error");
      assert.is(log.length, lines, log.join("\n"));
      assert.match(log[0], /onError/);
    });
  }
}

test("onError may take its time", async () => {
  const onError = async (error: unknown): Promise<Response> => {
    await new Promise((resolve) => setImmediate(resolve));
    return new Response(`late: ${(error as Error).message}`, { status: 500 });
  };
  assert.is((await answer(boom, { onError })).text, "late: boom");
});

test("a Response of npm's undici, with cookies and a stream", async () => {
  const { status, text, log } = await answer(() => {
    const headers = new undici.Headers([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    return new undici.Response("from undici", { status: 201, headers }) as unknown as Response;
  });
  assert.equal([status, text, log], [201, "from undici", []]);
});

test("a used Response of npm's undici", async () => {
  const { status, log } = await answer(async () => {
    const response = new undici.Response("x");
    await response.text();
    return response as unknown as Response;
  });
  assert.is(status, 500);
  assert.is(log.length, 1);
});

test("the Response of a fetch goes through, whole and streaming, decompressed once", async () => {
  const { gzipSync } = await import("node:zlib");
  using upstream = start((request) => {
    if (request.url.endsWith("/gzip")) {
      return new Response(gzipSync("zipped"), { headers: { "content-encoding": "gzip", "x-from": "upstream" } });
    }
    return new Response(new Blob(["streamed"]).stream(), { status: 203, headers: { "x-from": "upstream" } });
  });
  using server = start((request) => fetch(`${upstream.url}${new URL(request.url).pathname}`));
  for (const [path, status, text] of [
    ["/plain", 203, "streamed"],
    ["/gzip", 200, "zipped"],
  ] as const) {
    const response = await fetch(server.url + path);
    assert.is(response.status, status);
    assert.is(response.headers.get("x-from"), "upstream");
    assert.is(response.headers.get("content-encoding"), null);
    assert.is(await response.text(), text);
  }
});

test("one Response object given twice: the second is refused, not sent empty", async () => {
  const lines = await logged(async () => {
    const response = new Response("once");
    using server = start(() => response);
    assert.is(await (await fetch(server.url)).text(), "once");
    assert.is((await fetch(server.url)).status, 500);
  });
  assert.is(lines.length, 1);
  assert.match(lines[0], /clone/);
});

test("one Response without a body may be given again and again", async () => {
  const response = new Response(null, { status: 204 });
  using server = start(() => response);
  assert.is((await fetch(server.url)).status, 204);
  assert.is((await fetch(server.url)).status, 204);
});

test("info.completed resolves when the response is out, and rejects when it can't be", async () => {
  const promises: Promise<string>[] = [];
  const lines = await logged(async () => {
    using server = start((request, info) => {
      promises.push(
        info.completed.then(
          () => "sent",
          (error: Error) => error.name,
        ),
      );
      if (request.url.endsWith("/cut")) return new Response(new ReadableStream({ pull: boom }));
      return new Response("x");
    });
    await (await fetch(server.url)).text();
    await fetch(`${server.url}/cut`).then(
      (response) => response.text().catch(() => {}),
      () => {},
    );
  });
  assert.equal(await Promise.all(promises), ["sent", "Error"]);
  assert.is(lines.length, 1);
});

test("info.remoteAddr is the client's own address", async () => {
  const addresses: unknown[] = [];
  using server = start((_request, info) => {
    addresses.push(info.remoteAddr);
    return new Response("x");
  });
  using client = await connect(server.port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.response();
  assert.equal(addresses, [{ transport: "tcp", hostname: "127.0.0.1", port: client.socket.localPort }]);
});

test.run();
