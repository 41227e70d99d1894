/** More handles than the table begins with: it grows under the feet of whoever is at work. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { connect, listen, serveConn } from "../../src/net/mod.ts";

const test = suite("many handles");

test("three thousand handles, opened while others are served", async () => {
  await using server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
    const buffer = new Uint8Array(8);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await conn.write(buffer.subarray(0, n));
    }
  });
  const conns: Awaited<ReturnType<typeof connect>>[] = [];
  const echo = async (i: number): Promise<void> => {
    const buffer = new Uint8Array([i & 0xff, i >> 8]);
    await conns[i].write(buffer);
    buffer.fill(0xee);
    assert.is(await conns[i].read(buffer), 2);
    assert.equal([...buffer], [i & 0xff, i >> 8]);
  };
  for (let i = 0; i < 1500; i += 50) {
    conns.push(...(await Promise.all(Array.from({ length: 50 }, () => connect({ port: server.addr.port })))));
    await Promise.all(Array.from({ length: 50 }, (_, k) => echo(i + k)));
  }
  await Promise.all(conns.map((_, i) => echo(i)));
  for (const conn of conns) conn.close();
});

test.run();
