// Requests that come before the answers to earlier ones have left: served in order, each once, in bounded memory.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Client, connect } from "./support/client.ts";
import { eventually, start, turns } from "./support/server.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const path = (request: Request): string => new URL(request.url).pathname;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const texts = async (client: Client, count: number): Promise<string[]> =>
  (await client.responses(count)).map((response) => response.text());

test("a thousand requests in one write are answered in order", async () => {
  using server = start((request) => new Response(path(request)));
  using client = await connect(server.port);
  client.write(
    numbers(1000)
      .map((i) => get(`/${i}`))
      .join(""),
  );
  assert.equal(
    await texts(client, 1000),
    numbers(1000).map((i) => `/${i}`),
  );
});

test("a thousand requests in one write, each answered later", async () => {
  using server = start(async (request) => {
    await null;
    return new Response(path(request));
  });
  using client = await connect(server.port);
  client.write(
    numbers(1000)
      .map((i) => get(`/${i}`))
      .join(""),
  );
  assert.equal(
    await texts(client, 1000),
    numbers(1000).map((i) => `/${i}`),
  );
});

test("synchronous and asynchronous answers, bodies and streams, in one write", async () => {
  const kinds: ((name: string, request: Request) => Response | Promise<Response>)[] = [
    (name) => new Response(name),
    async (name) => new Response(name),
    async (name, request) => new Response(name + (await request.text())),
    (name) => new Response(new Blob([name]).stream()),
    (name) => new Response(new Blob([name])),
    (name) => new Response(name.padEnd(50_000)),
    async (name) => {
      await turns(1);
      return new Response(name);
    },
  ];
  using server = start((request) => {
    const name = path(request).slice(1);
    return kinds[Number(name) % kinds.length](name, request);
  });
  using client = await connect(server.port);
  // In groups of each shape, so that all neighbours occur.
  const order = numbers(700).map((i) => (i * 31) % 701);
  client.write(order.map((i) => (i % 3 === 0 ? post(`/${i}`, "body") : get(`/${i}`))).join(""));
  const answers = await texts(client, order.length);
  order.forEach((i, at) => {
    const expected = i % 3 === 0 && i % kinds.length === 2 ? `${i}body` : String(i);
    assert.is(answers[at].trimEnd(), expected);
  });
});

test("the second handler starts only when the first answer is out", async () => {
  const gate = Promise.withResolvers<void>();
  const started: string[] = [];
  using server = start(async (request) => {
    started.push(path(request));
    if (path(request) === "/slow") await gate.promise;
    return new Response(path(request));
  });
  using client = await connect(server.port);
  client.write(get("/slow") + get("/quick"));
  await eventually(() => started.length > 0, "the first handler runs");
  await turns(5);
  assert.equal(started, ["/slow"]);
  gate.resolve();
  assert.equal(await texts(client, 2), ["/slow", "/quick"]);
});

test("POSTs with bodies, Content-Length and chunked, back to back", async () => {
  using server = start(async (request) => new Response(await request.text()));
  using client = await connect(server.port);
  const bodies = numbers(300).map((i) => String(i).repeat(1 + (i % 50)));
  client.write(
    bodies
      .map((body, i) =>
        i % 2 === 0
          ? post("/", body)
          : `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      )
      .join(""),
  );
  assert.equal(await texts(client, 300), bodies);
});

test("bodies that no handler reads do not get in the way", async () => {
  using server = start((request) => new Response(path(request)));
  using client = await connect(server.port);
  client.write(
    numbers(200)
      .map((i) => post(`/${i}`, get("/smuggled")))
      .join(""),
  );
  assert.equal(
    await texts(client, 200),
    numbers(200).map((i) => `/${i}`),
  );
});

test("a request behind an unread body that comes in pieces", async () => {
  using server = start((request) => new Response(path(request)));
  for (const cut of [0, 1, 10, 30]) {
    using client = await connect(server.port);
    const first = post("/first", "x".repeat(100_000));
    await client.send(first.slice(0, 50_000));
    await client.responses(1);
    // The end of the dropped body and the beginning of the next request share a segment.
    const second = get("/second");
    await client.send(first.slice(50_000) + second.slice(0, cut));
    await turns(3);
    await client.send(second.slice(cut) + get("/third"));
    assert.equal(await texts(client, 3), ["/first", "/second", "/third"]);
  }
});

test("what follows Connection: close is not served", async () => {
  const served: string[] = [];
  using server = start((request) => {
    served.push(path(request));
    return new Response("x");
  });
  using client = await connect(server.port);
  client.write(`${get("/1")}GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n${get("/3")}`);
  const responses = await client.untilEnd();
  assert.is(responses.length, 2);
  assert.is(responses[1].header("connection"), "close");
  assert.equal(served, ["/1", "/2"]);
});

test("a bad request behind good ones: they are answered, then it", async () => {
  using server = start(async (request) => new Response(path(request)));
  using client = await connect(server.port);
  client.write(`${get("/1")}${get("/2")}GET /3 HTTP/1.1\r\n\r\n${get("/4")}`);
  assert.equal(
    (await client.untilEnd()).map((response) => response.status),
    [200, 200, 400],
  );
});

for (const [kind, handler] of Object.entries({
  synchronous: (request: Request) => new Response(path(request)),
  asynchronous: async (request: Request) => {
    await turns(1);
    return new Response(path(request));
  },
})) {
  test(`the client's FIN behind its requests: all are answered (${kind})`, async () => {
    using server = start(handler);
    using client = await connect(server.port);
    client.write(
      numbers(20)
        .map((i) => get(`/${i}`))
        .join(""),
    );
    client.end();
    assert.equal(
      (await client.untilEnd()).map((response) => response.text()),
      numbers(20).map((i) => `/${i}`),
    );
    await eventually(() => server.server.connections === 0, "the connection is forgotten");
  });
}

for (const [kind, handler] of Object.entries({
  "small answers": () => new Response("hello"),
  "small asynchronous answers": async () => new Response("hello"),
  "large answers": () => new Response("x".repeat(60_000)),
  "very large answers": () => new Response("x".repeat(1_000_000)),
  streams: () => new Response(new Blob(["x".repeat(100_000)]).stream()),
})) {
  test(`a client that sends and does not read is stopped, and served whole once it reads (${kind})`, async () => {
    let served = 0;
    using server = start((request) => {
      served++;
      void request;
      return handler();
    });
    using client = await connect(server.port);
    client.socket.pause();
    const one = await (async () => {
      using probe = await connect(server.port);
      probe.write(get("/"));
      await probe.responses(1);
      return probe.bytes.length;
    })();
    served = 0;
    // More answers than both socket buffers can ever hold.
    const count = Math.ceil(24_000_000 / one) + 200;
    const requests = Buffer.from(get("/").repeat(count), "latin1");
    const heapBefore = process.memoryUsage();
    client.write(requests);
    let before = -1;
    // Stopped: nothing moves any more.
    for (let still = 0; still < 20; before = served) {
      still = served === before ? still + 1 : 0;
      await turns(2);
    }
    assert.ok(served < count, `served ${served} of ${count} requests to a client that reads nothing`);
    const grown = process.memoryUsage().rss - heapBefore.rss;
    assert.ok(grown < 120_000_000, `resident memory grew by ${grown} bytes`);
    let received = 0;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    client.socket.resume();
    await eventually(() => served === count && received >= count * one, "all is served");
    assert.is(received, count * one);
  });
}

test("a client that has ended, and reads its many answers only later, gets them all", async () => {
  using server = start(() => new Response("x".repeat(1500)));
  using client = await connect(server.port);
  client.socket.pause();
  await client.send(get("/").repeat(4500));
  await turns(50);
  client.end();
  // Longer than a silent producer is waited for: there is none here, only a slow reader.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  client.socket.resume();
  await client.until(() => client.ended, "the end");
  assert.is((await client.untilEnd()).length, 4500);
});

test("requests behind a full send buffer are not lost, whatever their kind", async () => {
  using server = start(async (request) => {
    if (path(request) === "/big") return new Response("x".repeat(3_000_000));
    return new Response((await request.text()) || path(request));
  });
  using client = await connect(server.port);
  client.socket.pause();
  const small = numbers(50).map((i) => (i % 2 === 0 ? get(`/${i}`) : post("/", `body ${i}`)));
  client.write(get("/big").repeat(5) + small.join(""));
  await turns(20);
  client.socket.resume();
  assert.equal(
    (await texts(client, 55)).slice(5),
    numbers(50).map((i) => (i % 2 === 0 ? `/${i}` : `body ${i}`)),
  );
});

test.run();
