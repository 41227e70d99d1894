// A client that asks and does not read, one small answer at a time: the last one that was taken as sent waits in truth,
// and the connection is not idle. Over a Unix socket, whose buffers are small.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ServeOptions } from "../../src/http/mod.ts";
import { type Client, connect } from "./support/client.ts";
import { overHttp2 } from "./support/over-http2.ts";
import { eventually, logged, start, type TestServer, turns } from "./support/server.ts";

/** Node's streams of HTTP/2 take 64 KiB each without being read. */
const BODY = "x".repeat(overHttp2 ? 80_000 : 15_000);

interface Unread {
  readonly server: TestServer["server"];
  readonly client: Client;
  /** How many requests the handler has had. */
  readonly asked: number;
}

/** Asks, reading nothing, until the server no longer takes requests, and then does `then`. */
async function unread(options: ServeOptions, then: (state: Unread) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-unread-"));
  let asked = 0;
  const path = join(folder, "s.sock");
  using server = start(
    () => {
      asked++;
      return new Response(BODY);
    },
    { path, port: undefined, hostname: undefined, ...options } as ServeOptions,
  );
  const client = await connect(path);
  try {
    client.socket.pause();
    for (let before = -1; before < asked; ) {
      before = asked;
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      for (let looks = 0; looks < 200 && asked === before; looks++) await turns(1);
    }
    assert.ok(asked > 2, `${asked} requests`);
    await then({ server: server.server, client, asked });
  } finally {
    client.socket.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a drain waits for what waits to be read, and loses none of it", async () => {
  await unread({}, async ({ server, client, asked }) => {
    const ended = server.shutdown();
    let over = false;
    ended.then(() => (over = true));
    // Longer than an idle connection has.
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.is(over, false);
    client.socket.resume();
    const answers = await client.untilEnd();
    // The one request that was sent in vain may have been taken since.
    assert.ok(answers.length >= asked, `${answers.length} answers to ${asked} requests`);
    for (const answer of answers) assert.is(answer.text(), BODY);
    await ended;
  });
});

test("the write timeout ends a client that reads nothing, and not the idle timeout", async () => {
  const lines = await logged(() =>
    unread({ writeTimeout: 200 }, async ({ server }) => {
      await eventually(() => server.connections === 0, "the connection is cut");
    }),
  );
  assert.match(lines.join("\n"), /did not read a response in time/);
});

test("a client that has filled its socket and then says FIN still counts, until it has read", async () => {
  await unread({}, async ({ server, client, asked }) => {
    client.end();
    await turns(20);
    assert.is(server.connections, 1);
    client.socket.resume();
    const answers = await client.untilEnd();
    assert.ok(answers.length >= asked, `${answers.length} answers to ${asked} requests`);
    for (const answer of answers) assert.is(answer.text(), BODY);
    await eventually(() => server.connections === 0, "it is gone");
  });
});

test.run();
