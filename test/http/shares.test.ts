// A client that pipelines much has a share of a turn, and the others are served before it has its next: told by the order in
// which handlers are called, not by any clock.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runtime } from "../../src/runtime/turn.ts";
import { connect } from "./support/client.ts";
import { start } from "./support/server.ts";

const MANY = 400;

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

const handlers: Readonly<Record<string, (seen: (path: string) => void) => (request: Request) => unknown>> = {
  "at once": (seen) => (request) => {
    seen(new URL(request.url).pathname);
    return new Response("x");
  },
  "after an await": (seen) => async (request) => {
    await undefined;
    seen(new URL(request.url).pathname);
    return new Response("x");
  },
};

for (const [how, handler] of Object.entries(handlers)) {
  test(`answered ${how}: who sends one request is not behind the hundreds of somebody else`, async () => {
    const order: string[] = [];
    using server = start(
      handler((path) => {
        order.push(path);
        busy(0.1);
      }) as (request: Request) => Response,
    );
    const all = await Promise.all(Array.from({ length: 5 }, () => connect(server.port)));
    for (const client of all) {
      client.write(get("/first"));
      await client.until(() => client.text.includes("\r\n\r\nx"), "the first answer");
    }
    const much = all.slice(0, 4);
    const little = all[4];
    // What is written now lies in the server's sockets before it looks at any of them.
    for (const client of much) client.write(get("/much").repeat(MANY));
    little.write(get("/little"));
    const answers = (text: string): number => text.split("HTTP/1.1 200 OK").length - 1;
    await little.until(() => answers(little.text) === 2, "an answer");
    const before = order.indexOf("/little") - 5;
    assert.ok(before < MANY, `after ${before} of ${4 * MANY}`);
    for (const client of much) await client.until(() => answers(client.text) === MANY + 1, "every answer");
    assert.is(order.length, 5 + 1 + 4 * MANY);
    assert.is(runtime().shares.size, 0);
    for (const client of all) client[Symbol.dispose]();
  });

  test(`answered ${how}: what waits as the client half-closes is answered`, async () => {
    using server = start(handler(() => busy(0.1)) as (request: Request) => Response);
    const client = await connect(server.port);
    client.write(get("/").repeat(MANY));
    client.end();
    await client.until(() => client.over, "the end");
    assert.is(client.text.split("HTTP/1.1 200 OK").length - 1, MANY);
    client[Symbol.dispose]();
  });
}

test("what waits as its server closes is nobody's: the handle has another owner by then", async () => {
  for (let round = 0; round < 5; round++) {
    let calls = 0;
    const closing = start(() => {
      calls++;
      busy(0.1);
      return new Response("x");
    });
    const client = await connect(closing.port);
    client.write(get("/").repeat(MANY));
    while (runtime().shares.size === 0 && calls < MANY) await new Promise((resolve) => setImmediate(resolve));
    closing[Symbol.dispose]();
    using next = start(() => new Response("y"));
    while (runtime().shares.size > 0) await new Promise((resolve) => setImmediate(resolve));
    using other = await connect(next.port);
    other.write(get("/"));
    await other.until(() => other.text.endsWith("y"), "an answer of the next server");
    client[Symbol.dispose]();
  }
});

test.run();
