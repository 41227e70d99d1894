// Handshakes with a byte changed on the way, in either direction: they fail with a reason or do not notice, and leave nothing
// to the connections behind them, with which they share the memory that TLS is read from.
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { InvalidData, TimedOut, UnexpectedEof } from "../../src/runtime/errors.ts";
import { connectTls, listenTls, type TlsConn } from "../../src/tls/mod.ts";
import { chooseSeed, Random } from "../http/support/random.ts";
import { bytes, descriptors, readExactly, text, until } from "../net/pair.ts";
import { issue } from "../support/issued.ts";

const seed = chooseSeed();
const RUNS = Number(process.env["SLIPWAY_RUNS"] ?? 60);
const choice = new Random(seed);
const random = (below: number): number => choice.below(below);

const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"] });
const test = suite(`changed on the way (SLIPWAY_SEED=${seed})`);

/** Passes bytes on, with one of them changed: the so many-th of what the server says, or the client. */
async function meddler(to: number, whose: "server" | "client", at: number, bit: number): Promise<net.Server> {
  const server = net.createServer((client) => {
    const upstream = net.connect(to, "127.0.0.1");
    const pass = (from: net.Socket, into: net.Socket, changed: boolean): void => {
      let passed = 0;
      from.on("error", () => into.destroy());
      from.on("data", (data: Buffer) => {
        if (changed && at >= passed && at < passed + data.length) data[at - passed] ^= bit;
        passed += data.length;
        into.write(data);
      });
      from.on("end", () => into.end());
    };
    pass(client, upstream, whose === "client");
    pass(upstream, client, whose === "server");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;
const expected = (error: unknown): boolean =>
  error instanceof InvalidData ||
  error instanceof UnexpectedEof ||
  error instanceof TimedOut ||
  /reset|broken pipe/i.test(String(error));

async function talk(port: number): Promise<void> {
  using conn = await connectTls({ port, hostname: "localhost", caCerts: [root.cert], deadline: Date.now() + 300 });
  conn.setDeadline(Date.now() + 300);
  await conn.write(bytes("hello"));
  assert.is(text(await readExactly(conn, 5)), "hello");
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`our client, ${version}`, async () => {
    const server = tls.createServer({ cert: leaf.cert, key: leaf.key, maxVersion: version }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    await talk(portOf(server));
    const before = descriptors();
    let failed = 0;
    const once1 = async (): Promise<void> => {
      // A handshake is some 1,200 bytes of the server's and 500 of the client's.
      const whose = random(3) === 0 ? "client" : "server";
      const between = await meddler(portOf(server), whose, random(whose === "server" ? 1300 : 600), 1 << random(8));
      try {
        await talk(portOf(between));
      } catch (error) {
        failed++;
        assert.ok(expected(error), String(error));
      }
      between.close();
      // Behind each of them everything is as before.
      await talk(portOf(server));
    };
    for (let i = 0; i < RUNS; i += 10) await Promise.all(Array.from({ length: 10 }, once1));
    assert.ok(failed > RUNS / 4, `${failed} of ${RUNS} noticed`);
    await until(() => descriptors() <= before, "no descriptor is left");
    server.close();
  });
}

test("our server", async () => {
  using listener = listenTls({ port: 0, hostname: "127.0.0.1", cert: leaf.cert, key: leaf.key });
  const errors: unknown[] = [];
  const echo = async (conn: TlsConn): Promise<void> => {
    try {
      conn.setDeadline(Date.now() + 300);
      const buffer = new Uint8Array(100);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        await conn.write(buffer.subarray(0, n));
      }
    } catch (error) {
      errors.push(error);
    }
    conn.close();
  };
  void (async () => {
    for await (const conn of listener) void echo(conn);
  })();
  const { port } = listener.addr;
  const ask = (to: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = tls.connect({ port: to, host: "127.0.0.1", servername: "localhost", ca: root.cert });
      socket.on("error", () => {});
      socket.on("close", () => resolve(false));
      socket.on("data", (data) => {
        resolve(String(data) === "hello");
        socket.end();
      });
      socket.write("hello");
    });
  for (let i = 0; i < RUNS; i += 10) {
    const some = Array.from({ length: 10 }, async () => {
      const whose = random(3) === 0 ? "server" : "client";
      const between = await meddler(port, whose, random(whose === "server" ? 1300 : 600), 1 << random(8));
      await ask(portOf(between));
      between.close();
      assert.ok(await ask(port), "the next one is served");
    });
    await Promise.all(some);
  }
  for (const error of errors) assert.ok(expected(error), String(error));
  assert.ok(errors.length > RUNS / 4);
});

test.run();
