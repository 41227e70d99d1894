// time limit: 300 s
// Every TypeScript block of every page that is a program is run by the built binary, with no Node on the PATH: a server answers
// and ends by SIGTERM, tests pass, benchmarks and what only computes end by themselves. Pieces that leave out the program around
// them are typed only (blocks.test.ts); they are listed here, with the reason.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freePort } from "../../scripts/soak/port.ts";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, repository, run, type Started, start, temporaryFolder } from "../support/process.ts";
import { type Block, blocksOf, pages } from "./support/blocks.ts";

/** Blocks that are not run, by what they contain. */
const NOT_RUN: readonly (readonly [part: string, why: string])[] = [
  ["listen({ port: 8000 }); //", "calls side by side, not one program"],
  ['hostname: "db.internal"', "no such machine is there: test/net and test/tls connect to one that is"],
  ["conn.setReadDeadline(Date.now() + 30_000); // every", "a piece: the connection is another program's"],
  ["using socket = listenDatagram", "answers what comes by UDP, for ever: test/net/datagram.test.ts"],
  ['addEventListener("unhandledrejection"', "a piece: it hears of what the program around it does"],
  ["docker.sock", "a daemon's socket: test/client reaches one of its own"],
  ["fetch: handler, readTimeout", "a piece: the handler is left out"],
  ["cert: otherCert", "a piece: certificates and handler are left out"],
  ['clientAuth: "require", clientCa', "a piece: certificates are left out"],
  ["of lines) await socket.write(line)", "a piece: socket and lines are left out"],
];
/** Pages whose blocks are examples of something else. */
const OTHERS: Readonly<Record<string, string>> = {
  "docs/check.md": "half of them are bad: test/check/code/docs.test.ts holds what is found in each against the page",
};
const FILES: Readonly<Record<string, string>> = {
  "motd.txt": "be kind\n",
  "public/page.html": "<h1>page</h1>\n",
  "package.json": '{"type":"module"}\n',
};

/** Whom docs/client.md asks, and who stands behind docs/proxy.md's. */
const upstream = createServer((_, response) => response.end("1.20\n")).listen(0, "127.0.0.1");
upstream.unref();
await once(upstream, "listening");
const behind = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;

const binary = await slipwayBinary();
const used = new Set<string>();
const folder = temporaryFolder();
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}
symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
const env = { PATH: `${dirname(binary)}:/usr/bin:/bin`, NODE_OPTIONS: undefined, NODE_COMPILE_CACHE: undefined };

for (const page of pages) {
  const programs = blocksOf(page).filter(({ language, text }) => {
    const refused = NOT_RUN.find(([part]) => text.includes(part));
    if (refused !== undefined) used.add(refused[0]);
    return language === "ts" && refused === undefined;
  });
  if (page in OTHERS) used.add(page);
  if (page in OTHERS || programs.length === 0) continue;
  const test = suite(page);
  for (const block of programs) test(`line ${block.line}`, () => runProgram(block));
  test.after(endProcesses);
  test.run();
}

async function runProgram({ page, line, text }: Block): Promise<void> {
  const name = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1] ?? `${page.replaceAll(/\W/g, "-")}-${line}.ts`;
  const port = await freePort();
  writeFileSync(
    join(folder, name),
    text.replaceAll(/\bport: [1-9]\d*/g, `port: ${port}`).replaceAll(/127\.0\.0\.1:(?:9000|300[01])\b/g, behind),
  );
  if (text.includes("cert.pem")) certificate();
  const verb = /\bDeno\.bench\b/.test(text) ? "bench" : /\bDeno\.test\b|"node:test"/.test(text) ? "test" : "run";
  if (verb !== "run") {
    const { code, stdout, stderr } = await run([binary, verb, name], { cwd: folder, env, timeoutSeconds: 60 });
    assert.is(code, 0, stdout + stderr);
    return;
  }
  const started = start([binary, "run", name], { cwd: folder, env: { ...env, SLIPWAY_PORT: String(port) } });
  if (await listens(port, started)) {
    const [, scheme] = /Listening on (\w+):\/\//.exec(started.stdout() + started.stderr()) ?? [];
    if (scheme === "http") {
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(20_000) });
      await response.body?.cancel();
      assert.ok(response.status < 500, `${response.status} ${started.stderr()}`);
    }
    const { code, signal } = await started.stop();
    // One that listens on its own, and says nothing of SIGTERM, ends by it.
    assert.ok(code === 0 || signal === "SIGTERM", `${code} ${signal} ${started.stderr()}`);
    return;
  }
  const { code, stdout, stderr } = await started.finished;
  assert.is(code, 0, stdout + stderr);
}

/** False once the program has ended. */
async function listens(port: number, { child }: Started): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (connected) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function certificate(): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"];
  const options = { cwd: folder, stdio: "ignore" } as const;
  execFileSync("openssl", ["req", "-x509", ...key, "-subj", "/CN=localhost", "-out", "cert.pem"], options);
}

const tables = suite("what is not run");
tables("is still there", () => {
  for (const what of [...Object.keys(OTHERS), ...NOT_RUN.map(([part]) => part)]) assert.ok(used.has(what), what);
});
tables.run();
