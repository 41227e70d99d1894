// SIGTERM under load, the process that is meant, and Ctrl-C: each with servers and checks as processes of their own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CheckServerOptions, checkServer } from "../../../src/check/live/mod.ts";
import {
  endProcesses,
  fromSource,
  repository,
  type Started,
  start,
  startServer,
  temporaryFolder,
} from "../../support/process.ts";

test.after(endProcesses);

const folder = temporaryFolder();
const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

async function drainOnly(url: string, options: CheckServerOptions) {
  let out = "";
  let err = "";
  const code = await checkServer(url, {
    json: true,
    quick: true,
    only: ({ family }) => family === "drain",
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    ...options,
  });
  return { code, err, drain: out === "" ? undefined : JSON.parse(out).attacks[0] };
}

/** node:http, with what it does at SIGTERM in the source; says its URL when it listens. */
function nodeServer(name: string, atSignal: string): Promise<Started & { url: string }> {
  const file = write(
    name,
    `import { createServer } from "node:http";
const server = createServer((request, response) => setTimeout(() => response.end("hello"), 2));
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log("at http://127.0.0.1:" + server.address().port));
process.on("SIGTERM", () => { ${atSignal} });\n`,
  );
  const started = start([process.execPath, file]);
  return started.saw(/at (\S+)/).then((match) => ({ ...started, url: match[1] }));
}

test("our server loses nothing, and ends by itself with 0", async () => {
  const file = write("ours.ts", `export default { fetch: () => new Response("hello") };\n`);
  const server = await startServer([...fromSource, "run", file, "--host", "127.0.0.1", "--port", "0"]);
  const { code, drain } = await drainOnly(server.url, { pid: server.child.pid });
  assert.is(drain.verdict, "pass", drain.came);
  assert.match(drain.came, /, 0 lost; ended after/);
  assert.is(code, 0);
  assert.is((await server.finished).code, 0);
});

test("a server that ends at once loses what was in flight", async () => {
  const server = await nodeServer("abrupt.mjs", "process.exit(0)");
  const { code, drain } = await drainOnly(server.url, { pid: server.child.pid });
  assert.is(drain.verdict, "fail", drain.came);
  assert.match(drain.came, /answered, \d+ of them after SIGTERM, [1-9]\d* lost; ended after/);
  assert.is(code, 1);
});

test("a pid that is not the server's is refused, and nothing is sent to it", async () => {
  const server = await nodeServer("meant.mjs", "process.exit(0)");
  const other = await nodeServer("other.mjs", `console.log("SIGTERM came")`);
  const refusals: [number | string, RegExp][] = [
    [1, /no server's process id/],
    [-1, /"-1" is no process id/],
    ["server", /"server" is no process id/],
    [process.pid, /this command's own/],
    [2 ** 22 + 1, /no such process/],
  ];
  if (process.platform === "linux") refusals.push([other.child.pid ?? 0, /does not listen at .*would end another/]);
  for (const [pid, sentence] of refusals) {
    const { code, err } = await drainOnly(server.url, { pid });
    assert.is(code, 2, String(pid));
    assert.match(err, sentence);
  }
  assert.not.match(other.stdout(), /SIGTERM/);
});

test("Ctrl-C ends a check at once, and with it every connection", async () => {
  const server = await nodeServer("patient.mjs", "process.exit(0)");
  const mod = JSON.stringify(join(repository, "src/check/live/mod.ts"));
  const script = write(
    "check.mjs",
    `import { checkServer } from ${mod};\nprocess.exitCode = await checkServer(process.argv[2]);\n`,
  );
  const check = start([process.execPath, script, server.url]);
  await check.saw(/^Attacking /m);
  const { code, stderr, stdout } = await check.stop("SIGINT");
  assert.is(code, 130);
  assert.is(stdout, "");
  assert.match(stderr, /interrupted; every connection is closed\n$/);
});

test.run();
