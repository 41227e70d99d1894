// What a connection still sends after it was refused is thrown away: it never reaches another connection's requests.

import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../support/process.ts";
import { connect } from "./support/client.ts";
import { start } from "./support/server.ts";

const ORDINARY = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

// A Unix socket takes some 200 KB at once, so that one turn of the server finds more than it reads in one call.
const path = join(temporaryFolder(), "socket");

test("bytes behind a refusal are no part of the next connection's request", async () => {
  let served = 0;
  using _server = start(
    (request) => {
      served++;
      return new Response(request.method);
    },
    { path, port: undefined, hostname: undefined },
  );
  for (let i = 0; i < 20; i++) {
    const stranger = await connect(path);
    // More than one read: the rest is found by the loop in which the first part is refused.
    stranger.write(`G(T / HTTP/1.1\r\n${"a".repeat(400_000)}`);
    await stranger.until(() => stranger.text.includes("\r\n\r\n"), "the refusal");
    assert.match(stranger.text, /^HTTP\/1\.1 400 /);
    stranger.socket.destroy();
    // One of them gets the descriptor and the handle of the stranger.
    const others = await Promise.all([connect(path), connect(path), connect(path)]);
    for (const other of others) other.write(ORDINARY);
    for (const other of others) {
      await other.until(() => other.over, "the answer and its end");
      // "aaa…GET" is a method as well, by its letters.
      assert.match(other.text, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nGET$/);
      other.socket.destroy();
    }
    assert.is(stranger.text.split("HTTP/1.1").length, 2, "one refusal, not one for each read");
  }
  assert.is(served, 60);
});

test.run();
