// Server after server drained while nghttp2's client (node:http2) asks without a pause: what a handler was given is
// answered whole, and what is not answered never got to a handler, so that its client may ask again (RFC 9113, 6.8).
import type { ClientHttp2Session } from "node:http2";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually, start } from "../http/support/server.ts";
import { session } from "./support/node.ts";

const DRAINS = 50;
const AT_ONCE = 20;

test(`${DRAINS} drains under load: nothing is lost that a handler was given`, async () => {
  const given = new Set<string>();
  const answered = new Set<string>();
  const refused = new Map<string, string>();
  const cut: number[] = [];
  let serial = 0;
  /** Of each drain: streams answered beyond what its last GOAWAY names, and those within that are not. */
  const beyond: string[] = [];

  const ask = (client: ClientHttp2Session, streams: Map<string, number>): Promise<void> =>
    new Promise((resolve) => {
      const name = `${serial++}`;
      const upload = serial % 3 === 0;
      const stream = client.request(
        { ":path": `/${name}`, ":method": upload ? "POST" : "GET" },
        { endStream: !upload },
      );
      let body = "";
      let error = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      stream.on("error", (failed: NodeJS.ErrnoException) => {
        error = failed.message;
      });
      stream.on("close", () => {
        if (stream.id !== undefined) streams.set(name, stream.id);
        if (body.endsWith(`end of ${name}`)) answered.add(name);
        else refused.set(name, error || `reset with ${stream.rstCode}`);
        resolve();
      });
      if (upload) stream.end(Buffer.alloc(30_000));
    });

  for (let round = 0; round < DRAINS; round++) {
    using server = start(
      async (request) => {
        const name = new URL(request.url).pathname.slice(1);
        given.add(name);
        if (request.method === "POST") await request.bytes();
        else if (Number(name) % 2 === 0) return new Response(`end of ${name}`);
        else await new Promise((resolve) => setTimeout(resolve, Number(name) % 5));
        return new Response(`${"x".repeat((Number(name) % 7) * 5000)}end of ${name}`);
      },
      { h2c: true, drainIdle: 1000 },
    );
    const client = session(server.port);
    // That a connection was told to end is no error of it.
    client.on("error", () => {});
    const streams = new Map<string, number>();
    let last = -1;
    client.on("goaway", (_code, lastStream) => {
      last = lastStream ?? -1;
    });
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    const before = answered.size;
    const asking = Array.from({ length: AT_ONCE }, async () => {
      while (!client.closed && !client.destroyed) await ask(client, streams);
    });
    await eventually(() => answered.size > before + 30, "some answers");
    cut.push((await server.server.drain()).cut);
    await Promise.all(asking);
    client.destroy();
    assert.ok(last > 0 && last < 2 ** 31 - 1, `the last GOAWAY names stream ${last}`);
    for (const [name, id] of streams) {
      if (id <= last !== answered.has(name)) beyond.push(`${name} on ${id}, the last being ${last}`);
    }
  }
  assert.equal(beyond, []);
  assert.equal(cut, Array(DRAINS).fill(0));
  assert.equal(
    [...given].filter((name) => !answered.has(name)),
    [],
    "given to a handler, and not answered",
  );
  assert.equal(
    [...refused].filter(([name]) => given.has(name)),
    [],
    "refused though a handler had it",
  );
  assert.ok(answered.size > DRAINS * 30);
});

test.run();
