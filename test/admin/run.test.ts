// The admin port as people start it: slipway run --admin, through drains, restarts, reloads and mistakes.
import { existsSync, lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, run, type Server, startServer, temporaryFolder } from "../support/process.ts";
import { ask } from "./support/ask.ts";
import { parseOpenMetrics, valueIn } from "./support/openmetrics.ts";

test.after(endProcesses);

function file(text: string): string {
  const path = join(temporaryFolder(), "server.ts");
  writeFileSync(path, text);
  return path;
}

const serving = (path: string, ...flags: string[]): Promise<Server> =>
  startServer([...fromSource, "run", path, "--host", "127.0.0.1", "--port", "0", ...flags]);

async function adminPort(server: Server): Promise<number> {
  return Number((await server.saw(/^Admin port on http:\/\/127\.0\.0\.1:(\d+)\/$/m))[1]);
}

/** Each request waits for the next one on the admin side: what "in flight" is, is never a matter of time. */
const slow = `
const waiting = [];
export default {
  fetch(request) {
    if (new URL(request.url).pathname === "/go") {
      for (const resolve of waiting.splice(0)) resolve(new Response("done"));
      return new Response("gone");
    }
    return new Promise((resolve) => waiting.push(resolve));
  },
  ready: { disk: () => true },
};`;

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !(await holds()); await new Promise((done) => setTimeout(done, 20))) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
  }
}

test("flag, checks of the file, and a drain that it answers through, and does not delay", async () => {
  const server = await serving(file(slow), "--admin", "127.0.0.1:0", "--drain-idle", "20ms", "--drain-delay", "300ms");
  const admin = await adminPort(server);
  assert.match((await ask(admin, "/readyz")).text, /^ready\ndisk: ok/);
  assert.match((await ask(admin, "/config")).text, /^admin +127\.0\.0\.1:0 +flag: --admin$/m);
  assert.match((await ask(admin, "/config")).text, /^drainDelay +300ms +flag/m);
  const answer = ask(server.port, "/");
  const inFlight = async () =>
    valueIn(parseOpenMetrics((await ask(admin, "/metrics")).text), "http_server_active_requests");
  await until(async () => (await inFlight()) === 1, "the request has arrived");
  server.child.kill("SIGTERM");
  await until(async () => (await ask(admin, "/readyz")).status === 503, "readiness is red");
  assert.is((await ask(admin, "/readyz")).text, "not ready: draining\n");
  assert.is((await ask(admin, "/healthz")).status, 200);
  const families = parseOpenMetrics((await ask(admin, "/metrics")).text);
  assert.is(valueIn(families, "slipway_draining"), 1);
  assert.is(valueIn(families, "slipway_servers", { state: "draining" }), 1);
  // Everything is still accepted for as long as the delay lasts.
  assert.is((await ask(server.port, "/go")).text, "gone");
  assert.is((await answer).text, "done");
  assert.is((await server.finished).code, 0);
});

for (const [name, source] of [
  ["a raw server", `export default { connect(conn) { return conn.read(new Uint8Array(1)); } };`],
  ["a plain program", `Deno.serve(() => new Response("x"));`],
] as const) {
  test(`${name} has one too`, async () => {
    const server = await serving(file(source), "--admin", "127.0.0.1:0", "--drain-idle", "20ms");
    const admin = await adminPort(server);
    assert.is((await ask(admin, "/readyz")).status, 200);
    parseOpenMetrics((await ask(admin, "/metrics")).text);
    assert.is((await server.stop()).code, 0);
  });
}

test("a Unix socket, from the environment; its file goes with the process", async () => {
  const path = join(temporaryFolder(), "admin.sock");
  const server = await startServer([...fromSource, "run", file(slow), "--port", "0"], {
    env: { SLIPWAY_ADMIN: `unix:${path}` },
  });
  await server.saw(/^Admin port on unix:/m);
  assert.is(lstatSync(path).mode & 0o777, 0o600);
  assert.is((await ask(path, "/readyz")).status, 200);
  assert.is((await server.stop()).code, 0);
  assert.not(existsSync(path));
});

// 2 is a mistake in the command line; that a machine has no such address is none.
for (const [flags, exit, says] of [
  [
    ["--admin", "0.0.0.0:0"],
    2,
    /^slipway: --admin 0\.0\.0\.0:0 can be reached from other machines, .*--admin-insecure/m,
  ],
  [
    ["--admin", "9090"],
    2,
    /^slipway: --admin 9090 is no address with a port: write 127\.0\.0\.1:9090 for this machine only/m,
  ],
  [
    ["--admin", "192.0.2.1:0", "--admin-insecure"],
    1,
    /^slipway: --admin 192\.0\.2\.1:0: .*is no address of this machine/m,
  ],
] as const) {
  test(`${flags.join(" ")} does not start`, async () => {
    const { code, stdout, stderr } = await run([...fromSource, "run", file(slow), "--port", "0", ...flags]);
    assert.is(code, exit);
    assert.match(stdout + stderr, says);
    assert.not.match(stdout + stderr, /Listening|\n {4}at /);
  });
}

test("ready that is none does not start either", async () => {
  const path = file(`export default { fetch: () => new Response("x"), ready: { db: 5 } };`);
  const { code, stderr } = await run([...fromSource, "run", path, "--port", "0", "--admin", "127.0.0.1:0"]);
  assert.is(code, 1);
  assert.match(stderr, /^slipway: 'ready\.db' of the default export must be a function, or \{ check, timeout \}$/m);
});

test("a restart hands it on", async () => {
  const server = await serving(file(slow), "--admin", "127.0.0.1:0", "--drain-idle", "20ms");
  const admin = await adminPort(server);
  const startedAt = async () =>
    valueIn(parseOpenMetrics((await ask(admin, "/metrics")).text), "process_start_time_seconds");
  const before = await startedAt();
  // The successor has the same pipes: they do not close with the process.
  const exited = new Promise((resolve) => server.child.once("exit", resolve));
  server.child.kill("SIGUSR2");
  const [, successor] = await server.saw(/process (\d+) has taken over/);
  try {
    assert.is(await exited, 0);
    assert.is((await ask(admin, "/healthz")).text, "ok\n");
    assert.ok((await startedAt()) > before);
    assert.is((await ask(server.port, "/go")).text, "gone");
  } finally {
    process.kill(Number(successor), "SIGTERM");
    await server.finished;
  }
});

test.run();
