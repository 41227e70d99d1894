// HTTP/2 by ALPN, with clients that we did not write: node:http2 (nghttp2), curl and h2load.
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually, start } from "../http/support/server.ts";
import { run } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { certFile, identity } from "../support/tls.ts";

const dial = (port: number): ClientHttp2Session =>
  connect(`https://localhost:${port}`, { ca: identity.cert, lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }] as never, 4) }); // biome-ignore format: one line

async function ask(session: ClientHttp2Session, path: string, body?: Buffer): Promise<string> {
  const request = session.request({ ":path": path, ...(body && { ":method": "POST" }) });
  request.end(body);
  let text = "";
  request.setEncoding("utf8").on("data", (part: string) => (text += part));
  await once(request, "end");
  return text;
}

test("who offers h2 gets it, who does not gets HTTP/1.1, on the same port", async () => {
  using server = start((request) => new Response(request.url), identity);
  const session = dial(server.port);
  const [first, second] = await Promise.all([ask(session, "/a"), ask(session, "/b")]);
  assert.equal([first, second], ["a", "b"].map((path) => `https://localhost:${server.port}/${path}`)); // biome-ignore format: one line
  assert.is(session.alpnProtocol, "h2");
  session.close();
  const old = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
  old.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(String((await once(old, "data"))[0]), /^HTTP\/1\.1 200 OK\r\n/);
});

test("the server's preface comes at once, before the client has said anything; and nothing ends there", async () => {
  using server = start(() => new Response("x"), identity);
  const socket = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  let bytes = Buffer.alloc(0);
  socket.on("data", (part: Buffer) => (bytes = Buffer.concat([bytes, part])));
  await eventually(() => bytes.length >= 9, "SETTINGS");
  // RFC 9113, 3.4: type 4, no flags, stream 0.
  assert.equal([...bytes.subarray(3, 9)], [4, 0, 0, 0, 0, 0]);
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  // And the acknowledgement: the connection lives.
  await eventually(() => bytes.subarray(-9).equals(Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0])), "the acknowledgement");
  socket.destroy();
});

test("HTTP/2 is not spoken under TLS by who has not agreed on it", async () => {
  using server = start(() => new Response("x"), identity);
  const socket = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 505 /);
  socket.destroy();
});

test("large bodies both ways, on many streams at once", async () => {
  using server = start((request) => new Response(request.body), identity);
  const session = dial(server.port);
  // Together below the 10 MB that a session of node:http2 keeps.
  const body = Buffer.alloc(400_000, "x");
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(session, "/", body)));
  for (const answer of answers) assert.is(answer.length, body.length);
  session.close();
});

const missing = async (name: string): Promise<boolean> => {
  const { code } = await run(["sh", "-c", `command -v ${name}`]);
  return code !== 0;
};

if (await missing("curl")) skip(test, "curl", "there is no curl");
else
  test("curl", async () => {
    using server = start(() => new Response("hello"), identity);
    const where = ["--cacert", certFile, "--resolve", `localhost:${server.port}:127.0.0.1`];
    const { stdout } = await run([
      "curl",
      "-sS",
      "-w",
      " %{http_version}",
      ...where,
      `https://localhost:${server.port}/`,
    ]);
    assert.match(stdout, /^hello (2|1\.1)$/);
  });

if (await missing("h2load")) skip(test, "h2load", "there is no h2load (Debian: nghttp2-client)");
else
  test("h2load: every one of 4,000 requests is answered, 16 at once on each of 16 connections", async () => {
    using server = start(() => new Response("hello"), identity);
    const load = ["h2load", "-c", "16", "-m", "16", "-n", "4000", `https://127.0.0.1:${server.port}/`];
    const { stdout } = await run(load, { timeoutSeconds: 60 });
    assert.match(stdout, /4000 succeeded, 0 failed, 0 errored/);
  });

test.run();
