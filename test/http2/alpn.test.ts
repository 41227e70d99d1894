// HTTP/2 over TLS: chosen by ALPN, and by nothing else (RFC 9113, 3.2).
import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTls } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start } from "../http/support/server.ts";
import { identity } from "../support/tls.ts";
import { PREFACE } from "./support/raw.ts";

const trusting = { host: "127.0.0.1", servername: "localhost", ca: identity.cert };

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`requests, bodies both ways, and a drain, with ${version}`, async () => {
    using server = start(
      async (request) => Response.json([request.url, (await request.bytes()).length], { headers: { "x-a": "b" } }),
      { ...identity, drainIdle: 2000 },
    );
    const client = connect(`https://localhost:${server.port}`, {
      ...trusting,
      minVersion: version,
      maxVersion: version,
    });
    const ask = async (n: number): Promise<void> => {
      const stream = client.request({ ":path": `/${n}`, ":method": "POST" });
      const head = once(stream, "response") as Promise<[IncomingHttpHeaders]>;
      stream.end(Buffer.alloc(n * 10_000));
      let body = "";
      for await (const chunk of stream) body += chunk;
      assert.equal(JSON.parse(body), [`https://localhost:${server.port}/${n}`, n * 10_000]);
      assert.is((await head)[0]["x-a"], "b");
    };
    await Promise.all(Array.from({ length: 30 }, (_, n) => ask(n)));
    assert.is(server.server.connections, 1);
    const closed = once(client, "close");
    await server.server.drain();
    await closed;
  });
}

test("large answers to several streams at once", async () => {
  const large = "é".repeat(500_000);
  using server = start(() => new Response(large), { ...identity });
  const client = connect(`https://localhost:${server.port}`, trusting);
  const bodies = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of client.request({ ":path": "/" })) chunks.push(chunk as Buffer);
      return `${Buffer.concat(chunks)}`;
    }),
  );
  assert.ok(bodies.every((body) => body === large));
  client.destroy();
});

test("without ALPN it is HTTP/1.1, also for who begins with the preface", async () => {
  using server = start(() => new Response("x"), { ...identity, h2c: true });
  const socket = connectTls({ ...trusting, port: server.port });
  await once(socket, "secureConnect");
  socket.write(PREFACE);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  assert.match(`${bytes}`, /^HTTP\/1\.1 505 /);
  socket.destroy();
});

test.run();
