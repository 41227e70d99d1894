// time limit: 180 s
// --tls-cert and its like: what can't be used is said, and a certificate that changes is taken up by new connections.

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSecretFile } from "../../src/cli/secret-file.ts";
import { expiring } from "../../src/cli/tls-expiry.ts";
import { TlsFiles } from "../../src/cli/tls-files.ts";
import { httpsContext } from "../../src/http/mod.ts";
import { certificate } from "../support/certificates.ts";
import { logged } from "../support/logged.ts";
import { fromSource, run, start, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { certFile, identity, keyFile, otherCertFile, otherKeyFile } from "../support/tls.ts";

const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const program = join(folder, "server.ts");
writeFileSync(program, 'export default { fetch: () => new Response("hello") };\n');
const slipway = (...args: string[]) => run([...fromSource, "run", program, "--port", "0", ...args]);

for (const [title, args, says] of [
  ["a certificate alone", ["--tls-cert", certFile], /--tls-cert alone does nothing: .* give --tls-key as well\n$/],
  ["a key alone", ["--tls-key", keyFile], /--tls-key alone does nothing: .* give --tls-cert as well\n$/],
  [
    "fewer keys",
    ["--tls-cert", `${certFile},${otherCertFile}`, "--tls-key", keyFile],
    /--tls-cert names 2 files.*give --tls-key as often/,
  ],
  [
    "no ticket keys",
    ["--tls-ticket-keys", "env:NONE_OF_THIS_NAME"],
    /names env:NONE_OF_THIS_NAME: there is no such environment variable/,
  ],
  ["no name of a variable", ["--tls-ticket-keys", "env:"], /--tls-ticket-keys names no variable: write env:NAME\n$/],
  [
    "clients without an authority",
    [...["--tls-cert", certFile, "--tls-key", keyFile], "--tls-client-auth", "require"],
    /--tls-client-auth alone does nothing: give --tls-client-ca/,
  ],
  [
    "an authority alone",
    [...["--tls-cert", certFile, "--tls-key", keyFile], "--tls-client-ca", certFile],
    /--tls-client-ca alone does nothing: give --tls-client-auth/,
  ],
  [
    "no authority",
    [...["--tls-cert", certFile, "--tls-key", keyFile], "--tls-client-auth", "require", "--tls-client-ca", program],
    /the authorities of clients can't be read: .* \([^,]*server.ts\)\n$/,
  ],
  [
    "client certificates without TLS",
    ["--tls-client-auth", "require"],
    /--tls-client-auth does nothing without a certificate: give --tls-cert/,
  ],
  ["HSTS without TLS", ["--hsts", "180d"], /--hsts does nothing without a certificate: give --tls-cert/],
  ["no such file", ["--tls-cert", "/none", "--tls-key", keyFile], /--tls-cert names \/none: there is no such file\n$/],
  ["a folder", ["--tls-cert", "/tmp", "--tls-key", keyFile], /--tls-cert names \/tmp: it is a folder\n$/],
  [
    "a key of another",
    ["--tls-cert", certFile, "--tls-key", otherKeyFile],
    /the key does not belong to the certificate \(/,
  ],
  ["no PEM", ["--tls-cert", program, "--tls-key", keyFile], /the certificate can't be read: there is nothing in PEM/],
] as const) {
  test(`${title} is said in one line`, async () => {
    const { code, stdout, stderr } = await slipway(...args);
    assert.is.not(code, 0);
    assert.is(stdout, "");
    assert.match(stderr, says);
    assert.is(stderr.trimEnd().split("\n").length, 1, stderr);
  });
}

async function dial(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return socket;
}

async function keyOf(port: number): Promise<"EC" | "RSA"> {
  const socket = await dial(port);
  const { bits } = socket.getPeerCertificate();
  socket.destroy();
  return bits === 256 ? "EC" : "RSA";
}

async function answers(socket: TLSSocket): Promise<void> {
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(String((await once(socket, "data"))[0]), /hello$/);
}

for (const threads of [1, 2]) {
  test(`SIGHUP: new connections get the new certificate, ${threads} threads; a broken pair changes nothing`, async () => {
    const [cert, key] = [join(folder, `cert${threads}.pem`), join(folder, `key${threads}.pem`)];
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
    const files = ["--tls-cert", cert, "--tls-key", key, "--parallel", String(threads)];
    const server = start([...fromSource, "run", program, "--port", "0", "--log-format", "text", ...files]);
    const [, port] = await server.saw(/^Listening on https:\S*?:(\d+)/m);
    const old = await dial(Number(port));
    await answers(old);
    assert.is(await keyOf(Number(port)), "EC");

    copyFileSync(otherCertFile, cert);
    copyFileSync(otherKeyFile, key);
    server.child.kill("SIGHUP");
    await server.saw(/The certificate was read again/);
    for (let until = performance.now() + 20_000; ; ) {
      const keys = await Promise.all(Array.from({ length: 12 }, () => keyOf(Number(port))));
      if (keys.every((kind) => kind === "RSA")) break;
      assert.ok(threads > 1 && performance.now() < until, keys.join());
    }
    await answers(old);

    copyFileSync(keyFile, key);
    server.child.kill("SIGHUP");
    await server.saw(/the certificate was not changed, what was before stays: TLS: the key does not belong/);
    const stderr = server.stderr();
    assert.is(stderr.split("The certificate was read again").length, 2, stderr);
    assert.is(await keyOf(Number(port)), "RSA");
    await answers(old);
    old.destroy();
    await server.stop();
  });
}

test("several certificates, by the name asked for; renewed together, each message names its files", async () => {
  const second = certificate(["second.test"], { commonName: "second" });
  const [cert, key] = [join(folder, "second cert.pem"), join(folder, "second key.pem")];
  writeFileSync(cert, second.cert);
  writeFileSync(key, second.key);
  const files = ["--tls-cert", certFile, "--tls-key", keyFile, "--tls-cert", cert, "--tls-key", key];
  const server = start([...fromSource, "run", program, "--port", "0", "--log-format", "text", ...files]);
  const port = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
  const shown = async (servername: string): Promise<unknown> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, servername });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };
  assert.is(await shown("second.test"), "second");
  assert.is(await shown("localhost"), "localhost");
  const renewed = certificate(["second.test"], { commonName: "renewed" });
  writeFileSync(cert, renewed.cert);
  server.child.kill("SIGHUP");
  await server.saw(
    /TLS, certificate 2: the key does not belong to the certificate \([^,]*second cert.pem, [^,]*second key.pem\)/,
  );
  assert.is(await shown("second.test"), "second");
  writeFileSync(key, renewed.key);
  server.child.kill("SIGHUP");
  await server.saw(/The certificate was read again/);
  assert.is(await shown("second.test"), "renewed");
  await server.stop();
});

test("--tls self-signed: kept for the user, printed once, the same for every thread; off is off", async () => {
  const env = { XDG_STATE_HOME: join(folder, "state") };
  const server = start(
    [...fromSource, "run", program, "--port", "0", "--log-format", "text", "--tls", "self-signed", "--parallel", "2"],
    { env },
  );
  const [, fingerprint] = await server.saw(/^Self-signed certificate for localhost: \S+, SHA-256 ([0-9A-F:]{95})$/m);
  const port = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
  const ca = readFileSync(join(env.XDG_STATE_HOME, "slipway/localhost.pem"));
  for (let i = 0; i < 6; i++) {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
    await once(socket, "secureConnect");
    assert.is(socket.getPeerCertificate().fingerprint256, fingerprint);
    socket.destroy();
  }
  const { stderr } = await server.stop();
  assert.is(stderr.match(/Self-signed certificate/g)?.length, 1, stderr);
  const both = await slipway("--tls", "self-signed", "--tls-cert", certFile, "--tls-key", keyFile);
  assert.match(both.stderr, /--tls \(self-signed\) and a certificate of your own exclude each other/);
  const off = start([...fromSource, "run", program, "--port", "0", "--tls", "off", "--log-format", "text"], {
    env: { SLIPWAY_TLS_CERT: certFile, SLIPWAY_TLS_KEY: keyFile },
  });
  await off.saw(/^Listening on http:/m);
  await off.stop();
});

const closedTerminal = "SIGHUP of a terminal that was closed ends it, as it does without TLS";
if (!existsSync("/usr/bin/script")) skip(test, closedTerminal, "there is no script(1), which makes a terminal");
else
  test(closedTerminal, async () => {
    const words = [...fromSource, "run", program, "--port", "0", "--tls-cert", certFile, "--tls-key", keyFile];
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const terminal = start(["script", "-qfec", quoted, "/dev/null"], { env: { NO_COLOR: "1" } });
    const [, port] = await terminal.saw(/^Listening on https:\S*?:(\d+)/m);
    await answers(await dial(Number(port)));
    terminal.child.kill("SIGKILL");
    for (let open = true; open; ) {
      open = await dial(Number(port)).then(
        (socket) => {
          socket.destroy();
          return true;
        },
        () => false,
      );
    }
  });

test("a program's own server that speaks TLS by a flag says https, and is redirected to", async () => {
  const plain = join(folder, "plain.ts");
  const redirect = ["--redirect-http", "127.0.0.1:0"];
  // Opened long after it was loaded; and by a program that is never loaded.
  const opening = `Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => new Response("hello"))`;
  for (const text of [`setTimeout(() => ${opening}, 50);\n`, `await ${opening}.finished;\n`]) {
    writeFileSync(plain, text);
    const server = start([...fromSource, "run", plain, "--tls-cert", certFile, "--tls-key", keyFile, ...redirect]);
    const [, port] = await server.saw(/^Listening on https:\S*?:(\d+)/m);
    await answers(await dial(Number(port)));
    const [, http] = await server.saw(/^Listening on http:\S*?:(\d+)\/ \(redirects to https\)$/m);
    const answer = await fetch(`http://127.0.0.1:${http}/a?b`, { redirect: "manual" });
    assert.equal([answer.status, answer.headers.get("location")], [308, `https://127.0.0.1:${port}/a?b`]);
    assert.is((await server.stop()).code, 0);
  }

  // Nothing is served that would be redirected to.
  writeFileSync(plain, `Deno.listen({ port: 0, hostname: "127.0.0.1" });\n`);
  const raw = await run([...fromSource, "run", plain, "--tls-cert", certFile, "--tls-key", keyFile, ...redirect]);
  assert.is(raw.code, 1);
  assert.match(raw.stderr, /--redirect-http is for servers of HTTP on a port: this program opens none\n$/);
});

test("a pipe is read once, and again without it; one that nobody writes to is given up", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  assert.throws(() => readSecretFile(pipe, 50), /it is a pipe, and nothing came from it for 0.05 s/);
  // In two pieces, of which the second comes later.
  const writer = spawn("sh", ["-c", `{ printf abc; sleep 0.2; cat '${certFile}'; } > '${pipe}'`]);
  const expected = `abc${readFileSync(certFile, "utf8")}`;
  assert.is(readSecretFile(pipe).toString(), expected);
  assert.is(readSecretFile(pipe).toString(), expected);
  if (writer.exitCode === null) await once(writer, "exit");
  assert.throws(() => readSecretFile("/dev/zero"), /neither a file nor a pipe/);
  assert.is(readSecretFile(certFile).toString(), readFileSync(certFile, "utf8"));
});

test("run --watch: SIGHUP reads the certificate again, and ends nothing", async () => {
  const [cert, key] = [join(folder, "watched cert.pem"), join(folder, "watched key.pem")];
  copyFileSync(certFile, cert);
  copyFileSync(keyFile, key);
  const files = ["--tls-cert", cert, "--tls-key", key];
  const server = start([...fromSource, "run", program, "--watch", "--port", "0", "--log-format", "text", ...files]);
  const [, port] = await server.saw(/^Listening on https:\S*?:(\d+)/m);
  assert.is(await keyOf(Number(port)), "EC");
  copyFileSync(otherCertFile, cert);
  copyFileSync(otherKeyFile, key);
  server.child.kill("SIGHUP");
  await server.saw(/The certificate was read again/);
  assert.is(await keyOf(Number(port)), "RSA");
  assert.is((await server.stop()).code, 0);
});

test("--print-config makes no certificate", async () => {
  const env = { XDG_STATE_HOME: join(folder, "none made") };
  const words = [...fromSource, "run", program, "--tls", "self-signed", "--print-config"];
  const { code, stdout, stderr } = await run(words, { env });
  assert.is(code, 0, stderr);
  assert.match(stdout, /^tls +self-signed +flag --tls$/m);
  assert.is(stderr, "");
  assert.is(existsSync(join(folder, "none made")), false);
});

test("a program with a certificate of its own is not left believing that --tls-client-auth asks its clients", async () => {
  const own = join(folder, "own.ts");
  writeFileSync(
    own,
    `import { readFileSync } from "node:fs";
const [cert, key] = ${JSON.stringify([certFile, keyFile])}.map((file) => readFileSync(file, "utf8"));
Deno.serve({ port: 0, cert, key }, () => new Response("hello"));
`,
  );
  const { code, stderr } = await run([...fromSource, "run", own, "--tls-client-auth", "require"]);
  assert.is.not(code, 0);
  assert.match(stderr, /--tls-client-auth does nothing without a certificate: .*tls of Deno.serve/);
});

test("a certificate that runs out is said", async () => {
  const [late, soon, well] = [-1, 1, 30].map((days) => certificate([`${days}.test`], { days }));
  const context = httpsContext({ certificates: [late, soon, well] });
  const lines = expiring(context);
  assert.is(lines.length, 2);
  assert.match(lines[0], /^the certificate for -1\.test has run out: it was valid until 20\d\d-\d\d-\d\dT\d\d:\d\dZ$/);
  assert.match(lines[1], /^the certificate for 1\.test runs out: it is valid until /);
  const [cert, key] = [join(folder, "late.pem"), join(folder, "late-key.pem")];
  writeFileSync(cert, late.cert);
  writeFileSync(key, late.key);
  const server = start([
    ...fromSource,
    "run",
    program,
    "--port",
    "0",
    "--log-format",
    "text",
    "--tls-cert",
    cert,
    "--tls-key",
    key,
  ]);
  await server.saw(/the certificate for -1\.test has run out/);
  await server.stop();
});

test("a session is resumed whichever thread it comes to, also with another certificate", async () => {
  const [cert, key] = [join(folder, "cert-t.pem"), join(folder, "key-t.pem")];
  copyFileSync(certFile, cert);
  copyFileSync(keyFile, key);
  const files = ["--tls-cert", cert, "--tls-key", key, "--parallel", "2", "--log-format", "text"];
  const server = start([...fromSource, "run", program, "--port", "0", ...files]);
  const port = Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]);
  const first = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  const [session] = (await once(first, "session")) as [Buffer];
  first.destroy();
  const resumed = async (): Promise<boolean> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, session });
    await once(socket, "secureConnect");
    const again = socket.isSessionReused();
    socket.destroy();
    return again;
  };
  for (let i = 0; i < 12; i++) assert.is(await resumed(), true, `connection ${i}`);
  copyFileSync(otherCertFile, cert);
  copyFileSync(otherKeyFile, key);
  server.child.kill("SIGHUP");
  await server.saw(/The certificate was read again/);
  assert.is(await resumed(), true);
  await server.stop();
});

test("ticket keys that are given: resumed across a restart, by every thread, and as they change", async () => {
  const file = join(folder, "tickets");
  const [a, b] = [randomBytes(80).toString("base64"), randomBytes(48).toString("hex")];
  writeFileSync(file, `${a}\n`);
  const tls = ["--tls-cert", certFile, "--tls-key", keyFile, "--log-format", "text", "--parallel", "2"];
  const open = async (keys: string, env = {}) => {
    const server = start([...fromSource, "run", program, "--port", "0", ...tls, "--tls-ticket-keys", keys], { env });
    return { server, port: Number((await server.saw(/^Listening on https:\S*?:(\d+)/m))[1]) };
  };
  const ticket = async (port: number): Promise<Buffer> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    const [session] = (await once(socket, "session")) as [Buffer];
    socket.destroy();
    return session;
  };
  const resumed = async (port: number, session: Buffer): Promise<boolean> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, session });
    await once(socket, "secureConnect");
    const again = socket.isSessionReused();
    socket.destroy();
    return again;
  };
  const first = await open(file);
  const session = await ticket(first.port);
  for (let i = 0; i < 6; i++) assert.is(await resumed(first.port, session), true);
  await first.server.stop();

  const second = await open("env:SHARED", { SHARED: `${b},${a}` });
  for (let i = 0; i < 6; i++) assert.is(await resumed(second.port, session), true);
  await second.server.stop();

  writeFileSync(file, `${b}\n`);
  const third = await open(file);
  assert.is(await resumed(third.port, session), false, "another key");
  writeFileSync(file, `${b}\n${a}\n`);
  third.server.child.kill("SIGHUP");
  await third.server.saw(/The ticket keys were read again/);
  for (let until = performance.now() + 20_000, yes = 0; yes < 6; ) {
    yes = (await resumed(third.port, session)) ? yes + 1 : 0;
    assert.ok(performance.now() < until);
  }
  writeFileSync(file, "half a k");
  third.server.child.kill("SIGHUP");
  await third.server.saw(/the ticket keys were not changed, what was before stays: .*key 1 is not 80 or 48 bytes/);
  assert.is(await resumed(third.port, session), true);
  await third.server.stop();
});

test("files that change are read when both have been written", async () => {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  copyFileSync(certFile, cert);
  copyFileSync(keyFile, key);
  const context = httpsContext({ certificates: [identity] });
  const before = context.pointer;
  let reads = 0;
  const files = new TlsFiles({
    files: [cert, key],
    what: "The certificate was",
    apply() {
      reads++;
      context.renew({ certificates: [{ cert: readFileSync(cert), key: readFileSync(key) }] });
    },
  });
  files.look();
  copyFileSync(otherCertFile, cert);
  files.look();
  copyFileSync(otherKeyFile, key);
  files.look();
  assert.is(reads, 0, "not while they change");
  const lines = await logged(async () => files.look());
  assert.is(reads, 1);
  assert.is.not(context.pointer, before);
  files.look();
  assert.is(reads, 1, "once");
  assert.match(lines.join("\n"), /^[^\n]*The certificate was read again[^\n]*$/);
});

test.run();
