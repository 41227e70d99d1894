// Several certificates, by the name that the client asks for (SNI) and by the keys that it understands; seen by OpenSSL's
// clients, also when the ClientHello comes in pieces.
import { once } from "node:events";
import { connect as connectBare, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/http/mod.ts";
import { serverContext } from "../../src/tls/context.ts";
import { type Certified, ServerNames } from "../../src/tls/names.ts";
import { start } from "../http/support/server.ts";
import { certificate } from "../support/certificates.ts";

const first = certificate(["first.test"], { commonName: "first" });
const wild = certificate(["*.wild.test", "wild.test"], { commonName: "wild" });
const exact = certificate(["www.wild.test"], { commonName: "exact" });
const rsa = certificate(["first.test", "only-rsa.test"], { commonName: "rsa", type: "rsa" });
const old = certificate([], { commonName: "old.test" });
const certificates = [first, wild, exact, rsa, old];
const hello = () => new Response("hello");

/** The common name of the certificate that a client is shown. */
async function shown(port: number, servername: string | undefined, more: ConnectionOptions = {}): Promise<string> {
  const options = { port, host: "127.0.0.1", rejectUnauthorized: false, ...more };
  const socket = connect(servername === undefined ? options : { ...options, servername });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(String((await once(socket, "data"))[0]), /hello$/);
  socket.destroy();
  return String(CN);
}

const RSA_ONLY = "RSA-PSS+SHA256:RSA+SHA256";

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}: an exact name before a wildcard's, which is one label; else the first`, async () => {
    using server = start(hello, { tls: { certificates } });
    const only = { minVersion: version, maxVersion: version };
    for (const [name, expected] of [
      ["first.test", "first"],
      ["FIRST.test", "first"],
      ["wild.test", "wild"],
      ["a.wild.test", "wild"],
      ["www.wild.test", "exact"],
      ["WWW.Wild.Test", "exact"],
      ["a.b.wild.test", "first"],
      ["www.wild.test.evil.test", "first"],
      ["only-rsa.test", "rsa"],
      ["old.test", "old.test"],
      ["nobody.test", "first"],
      [undefined, "first"],
    ] as const) {
      // TLS 1.2 clients choose the key by the order of their ciphers: here one has no choice.
      const sigalgs = expected === "rsa" ? RSA_ONLY : "ECDSA+SHA256";
      assert.is(await shown(server.port, name, { ...only, sigalgs }), expected, name);
    }
  });

  test(`${version}: of two keys for a name the client gets the one that it understands`, async () => {
    using server = start(hello, { tls: { certificates } });
    const only = { minVersion: version, maxVersion: version };
    assert.is(await shown(server.port, "first.test", { ...only, sigalgs: RSA_ONLY }), "rsa");
    assert.is(await shown(server.port, undefined, { ...only, sigalgs: RSA_ONLY }), "rsa");
    assert.is(await shown(server.port, "first.test", { ...only, sigalgs: "ECDSA+SHA256" }), "first");
  });
}

test("cert and key are the first of them", async () => {
  using server = start(hello, { cert: old.cert, key: old.key, tls: { certificates: [first] } });
  assert.is(await shown(server.port, undefined), "old.test");
  assert.is(await shown(server.port, "first.test"), "first");
});

test("a ClientHello in pieces, each byte alone: the right certificate", async () => {
  using server = start(hello, { tls: { certificates } });
  const between = createServer((client: Socket) => {
    const up = connectBare({ port: server.port, host: "127.0.0.1", noDelay: true });
    let first = true;
    client.on("data", async (bytes: Buffer) => {
      if (!first) return void up.write(bytes);
      first = false;
      for (const byte of bytes) {
        up.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    up.on("data", (bytes: Buffer) => client.write(bytes));
    client.on("close", () => up.destroy()).on("error", () => {});
    up.on("close", () => client.destroy()).on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(between, "listening");
  const { port } = between.address() as { port: number };
  assert.is(await shown(port, "www.wild.test"), "exact");
  between.close();
});

test("a session of one name is resumed under it, and under no other", async () => {
  using server = start(hello, { tls: { certificates } });
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const options = { port: server.port, host: "127.0.0.1", rejectUnauthorized: false, minVersion: version, maxVersion: version }; // biome-ignore format: one line
    const one = connect({ ...options, servername: "www.wild.test" });
    const [session] = (await once(one, "session")) as [Buffer];
    one.destroy();
    for (const [servername, reused] of [
      ["www.wild.test", true],
      ["first.test", false],
    ] as const) {
      const again = connect({ ...options, servername, session });
      await once(again, "secureConnect");
      assert.is(again.isSessionReused(), reused, `${version} ${servername}`);
      again.destroy();
    }
  }
});

test("renewed: new connections get the new ones, a handshake that has begun is finished", async () => {
  const context = serverContext({ certificates, alpn: ["http/1.1"] });
  using server = start(hello, { tls: context });
  const begun = connectBare({ port: server.port, host: "127.0.0.1" });
  await once(begun, "connect");
  const secure = connect({ socket: begun, servername: "www.wild.test", rejectUnauthorized: false });
  const renewed = certificate(["www.wild.test"], { commonName: "renewed" });
  context.renew({ certificates: [first, renewed] });
  await once(secure, "secureConnect");
  secure.destroy();
  assert.is(await shown(server.port, "www.wild.test"), "renewed");
  assert.is(await shown(server.port, "a.wild.test"), "first");
  // One alone: nobody asks for names any more.
  context.renew({ certificates: [renewed] });
  assert.is(await shown(server.port, "first.test"), "renewed");
  assert.throws(() => context.renew({ certificates: [first, { cert: first.cert, key: wild.key }] }), /certificate 2: the key does not/); // biome-ignore format: one line
  assert.is(await shown(server.port, "first.test"), "renewed");
});

test("which certificates go with a name", () => {
  const all: Certified[] = [
    { names: ["a.test", "*.b.test"], keyType: "ec" },
    { names: ["x.b.test"], keyType: "rsa" },
    { names: ["*.b.test", "a.test"], keyType: "rsa" },
    { names: ["*.test", "f*.c.test", "*"], keyType: "ec" },
  ];
  const names = new ServerNames(all);
  assert.equal(names.fallback, [0, 2]);
  assert.equal(names.find("x.b.test"), [1, 0]);
  assert.equal(names.find("y.b.test"), [0, 2]);
  assert.equal(names.find("A.test."), [0, 2]);
  assert.equal(names.find("c.test"), [3]);
  assert.equal(names.find("foo.c.test"), undefined);
  for (const none of ["", ".", "test", ".b.test", "127.0.0.1", "*.b.test.x"])
    assert.is(names.find(none), undefined, none);
});

test("what is no list of certificates is said", () => {
  const attempt = (tls: unknown) => () => serve({ port: 0, onListen() {}, tls } as object, hello).close();
  assert.throws(attempt({ certificates: {} }), /tls.certificates of serve must be a list/);
  assert.throws(attempt({ certificates: [{ cert: "x" }] }), /tls.certificates\[0\] of serve: key is missing/);
  assert.throws(attempt({ certificates: [first, { cert: "x", key: "y" }] }), /TLS, certificate 2: the certificate can't be read/); // biome-ignore format: one line
});

test.run();
