// time limit: 120 s
// docs/websocket.md: its server runs as it is printed, and ends as the page says; its other programs compile and run.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ENDINGS } from "../../src/websocket/counters.ts";
import { fromSource, repository, run, startServer, temporaryFolder } from "../support/process.ts";
import { ending, messages, opening } from "../websocket/support/server.ts";

const page = readFileSync(join(repository, "docs/websocket.md"), "utf8");
const test = suite("docs/websocket.md");

test("server.ts, and SIGTERM with a client connected: 1001, and exit code 0", async () => {
  const code = /^```ts\n(\/\/ server\.ts\n[\s\S]*?)^```$/m.exec(page)?.[1];
  if (code === undefined) throw new Error("docs/websocket.md has no server.ts");
  const path = join(temporaryFolder(), "server.ts");
  writeFileSync(path, code);
  for (const poller of ["uring", "epoll"]) {
    const env = { SLIPWAY_POLLER: poller };
    const server = await startServer([...fromSource, "run", path, "--port", "0", "--drain-idle", "0"], { env });
    const client = new WebSocket(`ws://localhost:${server.port}/`);
    const next = messages(client);
    await opening(client);
    assert.is(await next(), "welcome");
    client.send("hear me");
    assert.is(await next(), "hear me");
    assert.is((await fetch(server.url)).status, 426);
    const end = ending(client);
    const stopped = server.stop();
    assert.equal(await end, { code: 1001, reason: "", clean: true, error: undefined });
    assert.is((await stopped).code, 0);
  }
});

test("the programs that import slipway", async () => {
  const programs = [...page.matchAll(/^```ts\n(import [\s\S]*?)^```$/gm)].map(([, code]) => code);
  assert.is(programs.length, 2);
  const library = pathToFileURL(join(repository, "src/mod.ts")).href;
  for (const program of programs) {
    const text = program.replaceAll('from "slipway"', `from ${JSON.stringify(library)}`);
    const command = [process.execPath, "--input-type=module-typescript", "-e", text];
    const { code, stderr } = await run(command, { timeoutSeconds: 30 });
    assert.is(stderr, "");
    assert.is(code, 0);
  }
});

test("docs/operations.md names every reason of slipway_websockets_ended_total", () => {
  const operations = readFileSync(join(repository, "docs/operations.md"), "utf8");
  const row = /^\| `slipway_websockets_ended_total`.*$/m.exec(operations)?.[0] ?? "";
  for (const reason of ENDINGS) assert.ok(row.includes(`\`${reason}\``), reason);
});

test.run();
