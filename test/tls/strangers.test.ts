// Our clients at servers that nobody here wrote and that are not Node's either: openssl s_server and Deno.serve.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createHttpClient } from "../../src/client/http-client.ts";
import { install } from "../../src/fetch/mod.ts";
import { InvalidData } from "../../src/runtime/errors.ts";
import { connectTls } from "../../src/tls/mod.ts";
import { bytes, readExactly, rejects, text } from "../net/pair.ts";
import { denoProgram, noDeno } from "../support/deno.ts";
import { issue } from "../support/issued.ts";
import { temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

install(() => import("../../src/client/mod.ts"));
const test = suite("servers of others");
const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const root = issue({ name: "Root of the tests", ca: true });
const middle = issue({ name: "Intermediate", issuer: root, ca: true });
const leaf = issue({ name: "leaf", issuer: middle, dns: ["localhost"] });
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const [cert, key] = [file("cert.pem", leaf.cert), file("key.pem", leaf.key)];
const chain = file("chain.pem", middle.cert);
const started: ChildProcess[] = [];
test.after(() => {
  for (const child of started) child.kill("SIGKILL");
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Reverses each line that it is told. */
async function openssl(...args: string[]): Promise<number> {
  const port = await freePort();
  const usual = ["s_server", "-rev", "-accept", `127.0.0.1:${port}`, "-cert", cert, "-key", key, "-cert_chain", chain];
  const child = spawn("openssl", [...usual, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  let said = "";
  for await (const piece of child.stdout.iterator({ destroyOnReturn: false })) {
    said += piece;
    if (said.includes("ACCEPT")) break;
  }
  child.stdout.resume();
  child.stderr.resume();
  return port;
}
const dial = (port: number, options: object = {}) =>
  connectTls({ port, hostname: "localhost", caCerts: [root.cert], ...options });

if (spawnSync("openssl", ["version"]).status !== 0) skip(test, "openssl s_server", "there is no openssl(1)");
else withOpenssl();

function withOpenssl(): void {
  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`openssl s_server ${version}`, async () => {
      const port = await openssl(version, "-alpn", "a,b");
      using conn = await dial(port, { alpnProtocols: ["b"] });
      const info = await conn.handshake();
      assert.is(info.version, version === "-tls1_2" ? "TLSv1.2" : "TLSv1.3");
      assert.is(info.alpnProtocol, "b");
      await conn.write(bytes("hear me\n"));
      assert.is(text(await readExactly(conn, 8)), "em raeh\n");
    });
  }

  test("openssl s_server that speaks TLS 1.1 at most, or ciphers without forward secrecy", async () => {
    const weak = await openssl("-tls1_1", "-cipher", "ALL:@SECLEVEL=0");
    using first = await dial(weak);
    await rejects(first.handshake(), InvalidData, /refused with "protocol version"|speaks no TLS from 1\.2 on/);
    const old = await openssl("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA");
    using second = await dial(old);
    await rejects(second.handshake(), InvalidData, /the server refused with "handshake failure"/);
  });

  test("openssl s_server that wants a certificate, and checks it", async () => {
    const authority = file("authority.pem", root.cert);
    const port = await openssl("-Verify", "1", "-verify_return_error", "-CAfile", authority);
    const me = issue({ name: "me", issuer: root, client: true });
    const conn = await dial(port, { cert: me.cert, key: me.key });
    await conn.write(bytes("who am I\n"));
    assert.is(text(await readExactly(conn, 9)), "I ma ohw\n");
    // It serves one after the other.
    conn.close();
    using nobody = await dial(port);
    await rejects(nobody.read(new Uint8Array(1)), InvalidData, /refused with "certificate required"/);
  });
}

if (denoProgram === undefined) skip(test, "Deno.serve", noDeno);
else {
  const deno = denoProgram;
  test("Deno.serve: HTTP/2 and HTTP/1.1, bodies both ways, many at once", async () => {
    const program = file(
      "server.ts",
      `Deno.serve({ port: 0, hostname: "127.0.0.1", cert: Deno.readTextFileSync(${JSON.stringify(cert)}),
  key: Deno.readTextFileSync(${JSON.stringify(key)}), onListen: ({ port }) => console.log(port) },
  async (request) => new Response(await request.arrayBuffer(), { headers: { "x-name": new URL(request.url).pathname } }));`,
    );
    const child = spawn(deno, ["run", "-A", "--no-check", program], { stdio: ["ignore", "pipe", "inherit"] });
    started.push(child);
    const [line] = await once(child.stdout, "data");
    for (const http2 of [true, false]) {
      using client = createHttpClient({ caCerts: [root.cert], http2 });
      const calls = Array.from({ length: 40 }, async (_, i) => {
        const body = new Uint8Array(i * 20_000).fill(i);
        const init = { method: "POST", body, client } as RequestInit;
        const response = await fetch(`https://localhost:${Number(String(line))}/${i}`, init);
        assert.is(response.headers.get("x-name"), `/${i}`);
        assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body)));
      });
      await Promise.all(calls);
    }
  });
}

test.run();
