// Certificates in PKCS#12, and what their authority says of them (OCSP), both made by openssl and seen by node:tls.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/http/mod.ts";
import { serverContext } from "../../src/tls/context.ts";
import { logged, start } from "../http/support/server.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { fromSource, run, start as startProcess, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const hello = () => new Response("hello");
const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const path = (name: string): string => join(folder, name);
function file(name: string, text: string | Uint8Array): string {
  writeFileSync(path(name), text);
  return path(name);
}

const ca = certificate([], { commonName: "CA", use: "authority" });
const own = certificate(["localhost"], { commonName: "own", by: ca });
const rsa = certificate(["localhost"], { commonName: "rsa", type: "rsa", by: ca });
const other = certificate(["other.test"], { commonName: "other", by: ca });

let count = 0;
async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await run(["openssl", ...args]);
  assert.is(code, 0, stderr);
}
async function store({ cert, key }: Made, ...args: string[]): Promise<Buffer> {
  const out = path(`${++count}.pfx`);
  const [c, k] = [file(`${count}.pem`, cert), file(`${count}-key.pem`, key)];
  await openssl("pkcs12", "-export", "-in", c, "-inkey", k, "-out", out, ...args);
  return readFileSync(out);
}

/** The authority's answer about a certificate. */
async function answer({ cert }: Made, days: number): Promise<Buffer> {
  const n = ++count;
  const [caFile, caKey, one] = [file("ca.pem", ca.cert), file("ca-key.pem", ca.key), file(`${n}.pem`, cert)];
  const index = file(`${n}.txt`, `V\t300101000000Z\t\t${new X509Certificate(cert).serialNumber}\tunknown\t/CN=x\n`);
  const [asked, out] = [path(`${n}.req`), path(`${n}.der`)];
  await openssl("ocsp", "-issuer", caFile, "-cert", one, "-no_nonce", "-reqout", asked);
  const signer = ["-index", index, "-CA", caFile, "-rsigner", caFile, "-rkey", caKey];
  await openssl("ocsp", ...signer, "-reqin", asked, "-respout", out, "-ndays", `${days}`);
  return readFileSync(out);
}

async function shown(port: number, more: object = {}): Promise<{ name: string; staple: Buffer | undefined }> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    servername: "localhost",
    requestOCSP: true,
    ...more,
  });
  let staple: Buffer | undefined;
  socket.on("OCSPResponse", (bytes: Buffer) => {
    staple = bytes ?? undefined;
  });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return { name: String(CN), staple };
}

const there = ((): boolean => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

if (!there) skip(test, "PKCS#12 and OCSP", "there is no openssl");
else {
  test("PKCS#12 alone, beside PEM, and with a chain", async () => {
    const pfx = await store(own, "-passout", "pass:abc", "-certfile", file("chain.pem", ca.cert));
    using server = start(hello, { tls: { certificates: [{ pfx, passphrase: "abc" }] } });
    const socket = connect({ port: server.port, host: "127.0.0.1", servername: "localhost", ca: ca.cert });
    await once(socket, "secureConnect");
    assert.is(socket.getPeerCertificate(true).issuerCertificate.subject.CN, "CA");
    socket.destroy();
    using both = start(hello, { ...rsa, tls: { certificates: [{ pfx, passphrase: "abc" }, other] } });
    assert.is((await shown(both.port, { sigalgs: "ECDSA+SHA256" })).name, "own");
    assert.is((await shown(both.port, { sigalgs: "RSA-PSS+SHA256" })).name, "rsa");
    assert.is((await shown(both.port, { servername: "other.test" })).name, "other");
  });

  test("what can't be used is said", async () => {
    const pfx = await store(own, "-passout", "pass:abc");
    const attempt = (identity: object) => () =>
      serve({ port: 0, onListen() {}, tls: { certificates: [identity as never] } }, hello).close();
    assert.throws(attempt({ pfx }), /the PKCS#12 file is encrypted: give its passphrase/);
    assert.throws(attempt({ pfx, passphrase: "x" }), /the PKCS#12 file's passphrase is wrong/);
    assert.throws(attempt({ pfx: Buffer.from("hello") }), /the file is no PKCS#12/);
    const bare = await store(own, "-passout", "pass:", "-nokeys");
    assert.throws(attempt({ pfx: bare, passphrase: "" }), /there is no private key in the PKCS#12 file/);
    assert.throws(attempt({ ...own, ocsp: Buffer.from("hello") }), /the OCSP response can't be read/);
    assert.throws(
      attempt({ ...own, ocsp: Buffer.of(0x30, 3, 10, 1, 6) }),
      /the OCSP response is an error of the authority \(6\)/,
    );
  });

  test("the authority's word is shown to who asks, for each certificate its own, as long as it holds", async () => {
    const [a, b] = [await answer(own, 3), await answer(rsa, 3)];
    const context = serverContext({
      certificates: [{ ...own, ocsp: a }, { ...rsa, ocsp: b }, other],
      alpn: ["http/1.1"],
    });
    using server = start(hello, { tls: context });
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const only = { minVersion: version, maxVersion: version };
      assert.equal((await shown(server.port, { ...only, sigalgs: "ECDSA+SHA256" })).staple, a);
      assert.equal((await shown(server.port, { ...only, sigalgs: "RSA-PSS+SHA256" })).staple, b);
      assert.is((await shown(server.port, { ...only, servername: "other.test" })).staple, undefined);
    }
    // Nobody checks its signature but the client.
    const old = Buffer.from(a.toString("latin1").replace(/(\xa0\x11\x18\x0f)\d{4}/, "$12020"), "latin1");
    for (const [ocsp, says] of [
      [b, /is about another certificate, and is not shown/],
      [old, /holds no longer, and is not shown/],
    ] as const) {
      const lines = await logged(async () => context.renew({ certificates: [{ ...own, ocsp }] }));
      assert.match(lines.join("\n"), says);
      assert.equal(await shown(server.port), { name: "own", staple: undefined });
    }
    context.renew({ certificates: [{ ...own, ocsp: a }] });
    assert.equal((await shown(server.port)).staple, a);
  });

  test("--tls-pfx and --tls-ocsp; both are read again", async () => {
    const program = file("server.ts", 'export default { fetch: () => new Response("hello") };\n');
    const [pfx, word, ocsp] = [
      file("own.pfx", await store(own, "-passout", "pass:abc")),
      file("word", "abc\n"),
      file("own.der", await answer(own, 3)),
    ];
    const tls = ["--tls-pfx", pfx, "--tls-passphrase-file", word, "--tls-ocsp", ocsp, "--log-format", "text"];
    const server = startProcess([...fromSource, "run", program, "--port", "0", ...tls]);
    const port = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
    assert.equal(await shown(port), { name: "own", staple: readFileSync(ocsp) });
    writeFileSync(pfx, await store(rsa, "-passout", "pass:abc"));
    writeFileSync(ocsp, await answer(rsa, 3));
    server.child.kill("SIGHUP");
    await server.saw(/The certificate was read again/);
    assert.equal(await shown(port), { name: "rsa", staple: readFileSync(ocsp) });
    await server.stop();
    const { stderr } = await run([...fromSource, "run", program, "--port", "0", "--tls-pfx", pfx]);
    assert.match(stderr, /the PKCS#12 file is encrypted: give its passphrase \([^ ]*own.pfx\)\n$/);
    const many = await run([...fromSource, "run", program, "--port", "0", ...tls, "--tls-ocsp", ocsp]);
    assert.match(many.stderr, /--tls-ocsp names more files than there are certificates/);
  });
}

test.run();
