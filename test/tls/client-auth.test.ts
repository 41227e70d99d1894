// Certificates of clients: who is let in, what the handler is told of them, which alert others get; and that a ticket lets in
// nobody who would not be let in without.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { handshakeCounters } from "../../src/http/handshakes.ts";
import { serve } from "../../src/http/mod.ts";
import type { PeerCertificate } from "../../src/tls/info.ts";
import { logged, start } from "../http/support/server.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const server = certificate(["localhost"]);
const ca = certificate([], { commonName: "Clients' CA", use: "authority" });
const otherCa = certificate([], { commonName: "Another CA", use: "authority", type: "rsa" });
const alice = certificate(["alice.test"], { commonName: "alice", use: "client", by: ca });
const bob = certificate([], { commonName: "bob", use: "client", by: ca, type: "rsa" });
const expired = certificate([], { commonName: "late", use: "client", by: ca, days: -1 });
const stranger = certificate([], { commonName: "stranger", use: "client", by: otherCa });
const wrongUse = certificate(["srv.test"], { commonName: "srv", use: "server", by: ca });

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
type Version = (typeof VERSIONS)[number];

/** What the handler saw, or the code of the error that the client got; and its session. */
async function visit(
  port: number,
  version: Version,
  who?: Made,
  more: ConnectionOptions = {},
): Promise<{ told: string; session?: Buffer; resumed: boolean }> {
  const socket = connect({
    ...{ port, host: "127.0.0.1", rejectUnauthorized: false, minVersion: version, maxVersion: version },
    ...(who && { cert: who.cert, key: who.key }),
    ...more,
  });
  let session: Buffer | undefined;
  let text = "";
  socket.on("session", (one: Buffer) => {
    session = one;
  });
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  const failed = new Promise<string>((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const told = await Promise.race([failed, once(socket, "end").then(() => text.split("\r\n\r\n")[1])]);
  const resumed = socket.isSessionReused();
  socket.destroy();
  return { told, session, resumed };
}

const handler = (_request: Request, info: { tls?: { peerCertificate?: PeerCertificate } | undefined }) =>
  new Response(info.tls?.peerCertificate?.subject ?? "nobody");
const open = (clientAuth: "none" | "request" | "require", clientCa: string = ca.cert) =>
  start(handler as never, { ...server, tls: { clientAuth, ...(clientAuth !== "none" && { clientCa }) } });

for (const version of VERSIONS) {
  test(`${version}: require lets in whom the authority has signed, and nobody else, by the right alert`, async () => {
    using one = open("require");
    await logged(async () => {
      assert.is((await visit(one.port, version, alice)).told, "CN=alice");
      assert.is((await visit(one.port, version, bob)).told, "CN=bob");
      const none = version === "TLSv1.3" ? "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" : /HANDSHAKE_FAILURE/;
      assert.match((await visit(one.port, version)).told, none);
      assert.match((await visit(one.port, version, expired)).told, /CERTIFICATE_EXPIRED/);
      assert.match((await visit(one.port, version, stranger)).told, /UNKNOWN_CA/);
      assert.match((await visit(one.port, version, wrongUse)).told, /UNSUPPORTED_CERTIFICATE/);
    });
    for (const reason of ["certificate verify failed: certificate has expired", "peer did not return a certificate"]) {
      assert.ok(handshakeCounters.reasons.has(reason), [...handshakeCounters.reasons.keys()].join());
    }
  });

  test(`${version}: request lets in who has none, but not who has a wrong one`, async () => {
    using one = open("request");
    await logged(async () => {
      assert.is((await visit(one.port, version)).told, "nobody");
      assert.is((await visit(one.port, version, alice)).told, "CN=alice");
      assert.match((await visit(one.port, version, stranger)).told, /UNKNOWN_CA/);
    });
  });

  test(`${version}: a resumed session has its certificate; no ticket opens a door that is closed without`, async () => {
    using required = open("require");
    using requested = open("request");
    using free = open("none");
    using other = open("require", otherCa.cert);
    const first = await visit(required.port, version, alice);
    assert.is(first.told, "CN=alice");
    const again = await visit(required.port, version, undefined, { session: first.session });
    assert.equal([again.told, again.resumed], ["CN=alice", true]);
    await logged(async () => {
      for (const [session, port] of [
        [(await visit(free.port, version)).session, required.port],
        [(await visit(requested.port, version)).session, required.port],
        [first.session, other.port],
      ] as const) {
        const { told } = await visit(port, version, undefined, { session });
        assert.match(told, /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/);
      }
      assert.equal((await visit(requested.port, version, undefined, { session: first.session })).told, "nobody");
    });
  });
}

test("what the handler sees is the whole certificate, also when it looks late", async () => {
  let late: (() => PeerCertificate | undefined) | undefined;
  using one = start(
    ((_request: Request, info: { tls: { peerCertificate: PeerCertificate | undefined } }) => {
      const { tls } = info;
      late = () => tls.peerCertificate;
      return new Response("x");
    }) as never,
    { ...server, tls: { clientAuth: "request", clientCa: ca.cert } },
  );
  await visit(one.port, "TLSv1.3", alice);
  const seen = late?.();
  const expected = new X509Certificate(alice.cert);
  assert.is(seen?.fingerprint256, expected.fingerprint256);
  assert.is(seen?.issuer, "CN=Clients' CA");
  assert.is(seen?.subjectAltName, "DNS:alice.test");
  assert.is(seen?.validTo, expected.validTo);
  assert.equal(Buffer.from(seen?.raw ?? []), expected.raw);
  assert.is(seen?.toString(), expected.toString());
  await visit(one.port, "TLSv1.2");
  assert.is(late?.(), undefined);
});

test("with several certificates, clients are asked under each name", async () => {
  const second = certificate(["second.test"]);
  using one = start(handler as never, { ...server, tls: { certificates: [second], clientAuth: "require", clientCa: ca.cert } }); // biome-ignore format: one line
  await logged(async () => {
    for (const servername of ["localhost", "second.test"]) {
      assert.is((await visit(one.port, "TLSv1.3", alice, { servername })).told, "CN=alice");
      assert.match((await visit(one.port, "TLSv1.3", undefined, { servername })).told, /CERTIFICATE_REQUIRED/);
    }
  });
});

test("modern is TLS 1.3 alone", async () => {
  using one = start(handler as never, { ...server, tls: { policy: "modern" } });
  await logged(async () => {
    assert.match((await visit(one.port, "TLSv1.2")).told, /PROTOCOL_VERSION/);
    assert.is((await visit(one.port, "TLSv1.3")).told, "nobody");
  });
});

test("what can't be is said in one sentence", () => {
  const attempt = (tls: unknown) => () => serve({ port: 0, onListen() {}, ...server, tls } as object, handler as never).close(); // biome-ignore format: one line
  assert.throws(attempt({ clientAuth: "require" }), /^TLS: to ask clients for certificates, say who signs them/);
  assert.throws(attempt({ clientAuth: "request", clientCa: "x" }), /^TLS: the authorities of clients can't be read/);
  assert.throws(attempt({ clientAuth: "yes" }), /tls.clientAuth of serve must be one of none, request, require/);
  assert.throws(attempt({ policy: "old" }), /tls.policy of serve must be one of intermediate, modern/);
});

const curl = ((): boolean => {
  try {
    execFileSync("curl", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
const title = "curl shows a certificate, over HTTP/2 as well";
if (!curl) skip(test, title, "there is no curl");
else
  test(title, async () => {
    using one = open("require");
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const mine = ["--cert", file("alice.pem", alice.cert), "--key", file("alice-key.pem", alice.key)];
    const args = ["-sS", "--cacert", file("ca.pem", server.cert), "--resolve", `localhost:${one.port}:127.0.0.1`];
    for (const version of ["--http1.1", "--http2"]) {
      const { stdout, stderr } = await run(["curl", ...args, ...mine, version, `https://localhost:${one.port}/`]);
      assert.is(stdout, "CN=alice", stderr);
    }
  });

test.run();
