// Records that are wrong: they end their connection, with an alert, and leave nothing to any other, though all share the
// memory that they are read from.
import { once } from "node:events";
import { connect as connectBare } from "node:net";
import { connect as connectTls } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start } from "../http/support/server.ts";
import { identity } from "../support/tls.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

async function ask(port: number): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: identity.cert });
  socket.write(GET);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer).split("\r\n\r\n")[1];
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}: one that was tampered with`, async () => {
    using server = start(() => new Response("hello"), identity);
    const raw = connectBare(server.port, "127.0.0.1");
    const socket = connectTls({ socket: raw, servername: "localhost", ca: identity.cert, maxVersion: version });
    const failed = once(socket, "error");
    socket.write(GET);
    await once(socket, "data");
    // What no key that both know has made (RFC 8446, 5.2: bad_record_mac).
    raw.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 7)]));
    const [error] = await failed;
    assert.match(error.message, /alert bad record mac/);
    assert.is(await ask(server.port), "hello");
    socket.destroy();
  });
}

test("one that is no record of TLS, as the first", async () => {
  using server = start(() => new Response("hello"), identity);
  const raw = connectBare(server.port, "127.0.0.1");
  raw.write(Buffer.alloc(200, 22));
  const closed = once(raw, "close");
  raw.resume();
  await closed;
  assert.is(await ask(server.port), "hello");
});

test.run();
