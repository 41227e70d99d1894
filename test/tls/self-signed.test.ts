import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { selfSigned, selfSignedFolder } from "../../src/tls/self-signed.ts";
import { makeCertificate } from "../../src/tls/x509.ts";
import { openssl } from "../support/openssl.ts";
import { run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const DAY = 86_400_000;

test("made once, for localhost by name and address; the key is the user's alone", () => {
  const folder = join(temporaryFolder(), "state");
  const one = selfSigned(folder);
  const { cert, key, fingerprint, file } = one;
  const certificate = new X509Certificate(cert);
  assert.is(certificate.fingerprint256, fingerprint);
  assert.ok(certificate.checkHost("localhost"));
  for (const ip of ["127.0.0.1", "::1"]) assert.is(certificate.checkIP(ip), ip);
  assert.is(certificate.checkHost("example.com"), undefined);
  assert.is(certificate.ca, false);
  assert.ok(certificate.verify(certificate.publicKey));
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
  assert.equal(selfSigned(folder), one);
  assert.is(readFileSync(file ?? "", "utf8"), cert);
  assert.equal(readdirSync(folder).sort(), ["localhost-pair.pem", "localhost.pem"]);
  assert.is(statSync(join(folder, "localhost-pair.pem")).mode & 0o777, 0o600);
  assert.is(statSync(folder).mode & 0o777, 0o700);
});

test("made anew a month before it runs out, when others could read it, and when it is broken", () => {
  const folder = join(temporaryFolder(), "state");
  const pair = join(folder, "localhost-pair.pem");
  const now = Date.now();
  const first = selfSigned(folder, now);
  assert.is(selfSigned(folder, now + 334 * DAY).fingerprint, first.fingerprint);
  const second = selfSigned(folder, now + 336 * DAY);
  assert.is.not(second.fingerprint, first.fingerprint);
  assert.is(readFileSync(second.file ?? "", "utf8"), second.cert);
  chmodSync(pair, 0o644);
  const third = selfSigned(folder);
  assert.is.not(third.fingerprint, second.fingerprint);
  assert.is(statSync(pair).mode & 0o777, 0o600);
  for (const broken of ["", "x", third.cert, third.key + first.cert, `${third.key}${third.cert.slice(0, 100)}`]) {
    writeFileSync(pair, broken);
    assert.ok(new X509Certificate(selfSigned(folder).cert).checkHost("localhost"), broken);
  }
});

test("several that start at once have the same; without a place to write each has its own", async () => {
  const folder = join(temporaryFolder(), "state");
  const module = JSON.stringify(join(import.meta.dirname, "../../src/tls/self-signed.ts"));
  const program = `const { selfSigned } = await import(${module}); console.log(selfSigned(${JSON.stringify(folder)}).fingerprint);`;
  const all = await Promise.all([1, 2, 3].map(() => run([process.execPath, "--input-type=module", "-e", program])));
  assert.match(all[0].stdout, /^[0-9A-F:]{95}\n$/, all[0].stderr);
  assert.equal(new Set(all.map(({ stdout }) => stdout)).size, 1);
  const file = join(temporaryFolder(), "file");
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "");
  const nowhere = selfSigned(join(file, "below"));
  assert.is(nowhere.file, undefined);
  assert.ok(new X509Certificate(nowhere.cert).checkHost("localhost"));
});

test("where they are kept", () => {
  assert.is(selfSignedFolder({ XDG_STATE_HOME: "/x/y" }), "/x/y/slipway");
  assert.match(selfSignedFolder({ XDG_STATE_HOME: "y" }), /\/\.local\/state\/slipway$/);
});

const title = "OpenSSL reads and verifies what is made, with every kind of key, after 2050 as well";
if (!openssl) skip(test, title, "there is no openssl");
else
  test(title, async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const pairs = [
      generateKeyPairSync("ec", { namedCurve: "P-256" }),
      generateKeyPairSync("rsa", { modulusLength: 2048 }),
      generateKeyPairSync("ed25519"),
    ];
    for (const [i, { publicKey, privateKey }] of pairs.entries()) {
      const file = join(folder, `${i}.pem`);
      const names = [...Array.from({ length: 30 }, (_, k) => `host-${k}.example.test`), "10.1.2.3", "::1"];
      const dates = { notBefore: new Date(Date.now() - DAY), notAfter: new Date("2071-02-03T04:05:06Z") };
      const issuer = { commonName: "Prüfung", privateKey };
      writeFileSync(file, makeCertificate({ commonName: "Prüfung", names, publicKey, issuer, ...dates }));
      const { code, stdout, stderr } = await run(["bash", "-c", `openssl verify -x509_strict -purpose sslserver -CAfile ${file} ${file} && openssl x509 -in ${file} -noout -text -certopt ext_error`]); // biome-ignore format: one line
      assert.is(code, 0, stderr);
      assert.match(stdout, /Not After : Feb {2}3 04:05:06 2071 GMT/);
      assert.match(stdout, /DNS:host-29.example.test, IP Address:10.1.2.3, IP Address:0:0:0:0:0:0:0:1/);
      assert.match(stdout, /X509v3 Extended Key Usage: \n +TLS Web Server Authentication/);
      assert.match(stdout, /X509v3 Key Usage: critical\n +Digital Signature\n/);
    }
  });

test.run();
