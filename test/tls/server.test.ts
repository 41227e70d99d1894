// A server that speaks TLS, seen by OpenSSL's clients (node:tls and curl): what is agreed on, what is refused, how both
// sides end, and that nothing of a connection stays.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect as connectBare } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve as denoServe } from "../../src/deno/serve.ts";
import { counters, LIMITS } from "../../src/http/counters.ts";
import { serve } from "../../src/http/mod.ts";
import { InvalidData } from "../../src/runtime/errors.ts";
import { runtime } from "../../src/runtime/turn.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { clientHello } from "../support/openssl.ts";
import { skip } from "../support/skip.ts";
import { certFile, identity } from "../support/tls.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const hello = () => new Response("hello");

/** A client that trusts the certificate of the tests. */
async function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: identity.cert, ...options });
  await once(socket, "secureConnect");
  return socket;
}

async function ask(socket: TLSSocket, request = GET): Promise<string> {
  socket.write(request);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString("latin1");
}

/** Why a client was refused. */
async function refusal(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  const error = await Promise.race([
    once(socket, "error").then(([reason]) => reason as NodeJS.ErrnoException),
    once(socket, "secureConnect").then(() => undefined),
  ]);
  socket.destroy();
  return error === undefined ? "none" : (error.code ?? error.message);
}

const fired = (): number => counters.limits[LIMITS.indexOf("tlsHandshake")];
const secure = (handler = hello, more = {}) => start(handler, { ...identity, ...more });

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}, http/1.1 by ALPN, and several requests on a connection`, async () => {
    using server = secure();
    const socket = await dial(server.port, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ["x", "http/1.1"],
    });
    assert.is(socket.getProtocol(), version);
    assert.is(socket.alpnProtocol, "http/1.1");
    assert.is(socket.authorized, true);
    for (let i = 0; i < 3; i++) assert.match(await ask(socket), /^HTTP\/1\.1 200 OK\r\n[\s\S]*hello$/);
    socket.destroy();
  });
}

test("what is older than TLS 1.2, without forward secrecy, by groups that cost us ten times as much, or of another protocol is refused", async () => {
  using server = secure();
  const lines = await logged(async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    assert.match(await refusal(server.port, old), /PROTOCOL_VERSION/);
    const weak = { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256:AES256-SHA:ECDHE-ECDSA-AES128-SHA" } as const;
    assert.match(await refusal(server.port, weak), /HANDSHAKE_FAILURE/);
    for (const ecdhCurve of ["P-521", "X448"])
      assert.is.not(await refusal(server.port, { ecdhCurve }), "none", ecdhCurve);
    for (const ecdhCurve of ["X25519MLKEM768", "X25519", "P-256", "P-384", "P-521:P-256"]) {
      assert.is(await refusal(server.port, { ecdhCurve }), "none", ecdhCurve);
    }
    assert.match(await refusal(server.port, { ALPNProtocols: ["spdy/3"] }), /NO_APPLICATION_PROTOCOL/);
  });
  assert.ok(lines.length >= 1 && lines.every((line) => line.includes("tlsHandshake")), lines.join("\n"));
});

test("AES with 128 bits is preferred, ChaCha20 with who has it first; by both versions", async () => {
  using server = secure();
  const chosen = async (options: object) => {
    const socket = await dial(server.port, options);
    const { standardName } = socket.getCipher();
    socket.destroy();
    return standardName;
  };
  const AES = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
  const CHACHA = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
  assert.is(await chosen({ ciphers: AES }), "TLS_AES_128_GCM_SHA256");
  assert.is(await chosen({ ciphers: CHACHA }), "TLS_CHACHA20_POLY1305_SHA256");
  assert.is(await chosen({ ciphers: "TLS_AES_256_GCM_SHA384" }), "TLS_AES_256_GCM_SHA384");
  const old = { maxVersion: "TLSv1.2" };
  assert.match(
    await chosen({ ...old, ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256" }),
    /AES_128/,
  );
  assert.match(await chosen({ ...old, ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256" }), /CHACHA20/); // biome-ignore format: one line
});

test("nobody renegotiates; and what is said to who tries goes to nobody else", async () => {
  using server = secure();
  const socket = await dial(server.port, { maxVersion: "TLSv1.2" });
  const other = await dial(server.port);
  assert.match(await ask(socket), /hello$/);
  socket.on("error", () => {});
  socket.renegotiate({}, () => {});
  await new Promise((resolve) => socket.on("close", resolve));
  for (let i = 0; i < 3; i++) assert.match(await ask(other), /hello$/);
  other.destroy();
});

test("HTTP without TLS is told so; what is no protocol at all is closed", async () => {
  using server = secure();
  const before = fired();
  await logged(async () => {
    assert.match(await bare(server.port, GET), /^HTTP\/1\.0 400 Bad Request\r\n[\s\S]*https:\/\//);
    assert.is(await bare(server.port, "\0\x01\x02"), "");
    // A record with no ClientHello in it: an alert.
    assert.match(await bare(server.port, "\x16\x03\x01\x00\x05hello"), /^\x15\x03[\s\S]{5}$/);
  });
  assert.is(fired() - before, 3);
});

/** All that a connection is answered to these bytes. */
async function bare(port: number, bytes: string): Promise<string> {
  const socket = connectBare({ port, host: "127.0.0.1" });
  socket.write(bytes, "latin1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  await once(socket, "close");
  return text;
}

test("the URL of a request is https, with the name and port that the client said", async () => {
  using server = start((request) => new Response(request.url), identity);
  const socket = await dial(server.port);
  assert.match(
    await ask(socket, "GET /a?b HTTP/1.1\r\nHost: localhost:8443\r\n\r\n"),
    /https:\/\/localhost:8443\/a\?b$/,
  );
  assert.match(await ask(socket, "GET / HTTP/1.1\r\nHost: localhost:443\r\n\r\n"), /\r\nhttps:\/\/localhost\/$/);
  socket.destroy();
});

test("info.tls says what was agreed on", async () => {
  const seen: unknown[] = [];
  using server = start((_request, info) => {
    const { handshakeMs = -1, ...rest } = info.tls ?? {};
    assert.ok(handshakeMs >= 0 && handshakeMs < 60_000, String(handshakeMs));
    seen.push(rest);
    return new Response("hello");
  }, identity);
  const options = { minVersion: "TLSv1.3", ALPNProtocols: ["http/1.1"], ciphers: "TLS_AES_256_GCM_SHA384" } as const;
  const socket = await dial(server.port, options);
  const session = once(socket, "session");
  await ask(socket);
  const [ticket] = (await session) as [Buffer];
  socket.destroy();
  const again = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305" }); // biome-ignore format: one line
  await once(again, "secureConnect");
  await ask(again);
  again.destroy();
  const resumed = await dial(server.port, { ...options, session: ticket });
  await ask(resumed);
  resumed.destroy();
  const first = { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", protocol: "http/1.1", serverName: "localhost", resumed: false, peerCertificate: undefined }; // biome-ignore format: one line
  assert.equal(seen, [
    first,
    { version: "TLSv1.2", cipher: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", protocol: undefined, serverName: undefined, resumed: false, peerCertificate: undefined }, // biome-ignore format: one line
    { ...first, resumed: true },
  ]);
  using plain = start((_request, info) => new Response(String(info.tls)), { cert: undefined, key: undefined });
  const bareSocket = connectBare({ port: plain.port, host: "127.0.0.1" });
  bareSocket.write(GET);
  assert.match(String((await once(bareSocket, "data"))[0]), /undefined$/);
  bareSocket.destroy();
});

test("sessions are resumed, in both versions, with a ticket", async () => {
  using server = secure();
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const options = { minVersion: version, maxVersion: version };
    const first = connectTls({ port: server.port, host: "127.0.0.1", ca: identity.cert, servername: "localhost", ...options }); // biome-ignore format: one line
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    const again = await dial(server.port, { ...options, session });
    assert.is(again.isSessionReused(), true, version);
    assert.match(await ask(again), /hello$/);
    again.destroy();
  }
});

test("both say that they end: close_notify before FIN, after `Connection: close` and at the client's own", async () => {
  using server = secure();
  const socket = await dial(server.port);
  const seen: string[] = [];
  // node:tls tells of close_notify by "end"; FIN without it is an error in OpenSSL 3, and no "end".
  socket.on("end", () => seen.push("end")).on("error", (error) => seen.push(error.message));
  socket.resume();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await once(socket, "close");
  assert.equal(seen, ["end"]);
  const other = await dial(server.port);
  other.resume();
  other.end();
  await once(other, "close");
  await eventually(() => server.server.connections === 0, "both are forgotten");
});

test("many records at once, and a handler that reads slowly: nothing is lost behind a pause", async () => {
  const size = 3_000_000;
  using server = start(async (request) => {
    let read = 0;
    for await (const chunk of request.body ?? []) {
      read += chunk.length;
      for (const byte of chunk) if (byte !== 7) return new Response("another byte");
      await new Promise((resolve) => setImmediate(resolve));
    }
    return new Response(String(read));
  }, identity);
  const socket = await dial(server.port);
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
  socket.write(Buffer.alloc(size, 7));
  assert.match((await once(socket, "data"))[0].toString(), /\r\n\r\n3000000$/);
  socket.destroy();
});

test("a client that says nothing, or stops within its handshake, has as long as for a head", async () => {
  using server = secure(hello, { readHeaderTimeout: 150 });
  await logged(async () => {
    assert.is(await bare(server.port, ""), "");
    const hello = await clientHello();
    // Half of it; and all of it, but no answer to the server's part.
    assert.is(await bare(server.port, hello.subarray(0, 60).toString("latin1")), "");
    assert.match(await bare(server.port, hello.toString("latin1")), /^\x16\x03\x03/);
  });
  await eventually(() => server.server.connections === 0, "all are forgotten");
});

test("2,000 connections that end anywhere in their handshake, or behind it: no memory of OpenSSL's, no handle is left", async () => {
  using server = secure();
  const hello = await clientHello();
  // Without what JavaScript's heap happens to have.
  const resident = (): number => {
    const { rss, heapTotal } = process.memoryUsage();
    return (rss - heapTotal) / 1024 / 1024;
  };
  const round = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, k) => {
          if (k % 2 === 0) {
            const socket = await dial(server.port);
            await ask(socket);
            if (k % 4 === 0) socket.destroy();
            else socket.end();
            await once(socket, "close");
          } else {
            const socket = connectBare({ port: server.port, host: "127.0.0.1" });
            socket.on("error", () => {});
            socket.write(hello.subarray(0, 1 + ((i * 7 + k * 31) % hello.length)));
            socket.end();
            socket.resume();
            await once(socket, "close");
          }
        }),
      );
    }
  };
  await logged(async () => {
    await round(600);
    const before = resident();
    await round(2000);
    await eventually(() => server.server.connections === 0, "every connection is forgotten");
    // An SSL that stays is 20 KB: 2,000 of them would be 40 MB.
    assert.ok(resident() - before < 20, `${Math.round(resident() - before)} MiB more`);
  });
  assert.ok(runtime().poller.openCount <= 3, `${runtime().poller.openCount} handles`);
});

test("what can't be a server's identity is said in one sentence", () => {
  const { cert, key } = identity;
  const attempt = (options: object): string => {
    try {
      serve({ port: 0, onListen() {}, ...options }, hello).close();
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(attempt({ cert }), /key is missing/);
  assert.match(attempt({ key }), /cert is missing/);
  assert.is(attempt({ cert: 1, key }), "TLS: cert must be the text of a PEM file, or its bytes, not number");
  assert.is(attempt({ cert, key: {} }), "TLS: key must be the text of a PEM file, or its bytes, not object");
  assert.is(attempt({ tls: { certificates: [{ pfx: "x".charCodeAt(0) }] } }), "TLS: pfx must be bytes, not number");
  assert.match(attempt({ cert: "x", key }), /the certificate can't be read: there is nothing in PEM format/);
  assert.match(attempt({ cert, key: "x" }), /the key can't be read: there is nothing in PEM format/);
  assert.match(
    attempt({ cert: key, key: cert }),
    /the certificate can't be read: it holds no certificate, but: .*PRIVATE KEY$/,
  );
  assert.match(attempt({ cert, key: cert }), /the key can't be read: it holds no private key, but: CERTIFICATE$/);
  assert.match(
    attempt({ cert: cert.slice(0, 300), key }),
    /the certificate can't be read: it is cut short or damaged$/,
  );
  assert.match(attempt({ cert, key: key.slice(0, 100) }), /the key can't be read: it is cut short or damaged$/);
  assert.throws(
    () => serve({ port: 0, cert: "x", key }, hello),
    (error: Error) => error instanceof InvalidData && error.name === "InvalidData",
  );
  // Deno's own refusal: nobody who meant TLS is served without it.
  const byFile = { port: 0, certFile: "cert.pem", keyFile: "key.pem" };
  assert.throws(() => denoServe(byFile, hello), /^Unsupported 'certFile' \/ 'keyFile' options provided: use 'cert'/);
  const { privateKey } = process.getBuiltinModule("node:crypto").generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "abc" });
  assert.match(
    attempt({ cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) }),
    /does not belong to the cert/,
  );
  assert.match(attempt({ cert, key: pem }), /the key is encrypted: give its passphrase/);
  assert.match(attempt({ cert, key: pem, passphrase: "x" }), /the key's passphrase is wrong/);
});

const curl = ((): boolean => {
  try {
    execFileSync("curl", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
if (!curl) skip(test, "curl trusts it and is answered", "there is no curl");
else
  test("curl trusts it and is answered", async () => {
    using server = secure();
    const { run } = await import("../support/process.ts");
    const args = ["-sS", "--cacert", certFile, "--resolve", `localhost:${server.port}:127.0.0.1`];
    const { code, stdout, stderr } = await run(["curl", ...args, `https://localhost:${server.port}/`]);
    assert.is(code, 0, stderr);
    assert.is(stdout, "hello");
  });

test.run();
