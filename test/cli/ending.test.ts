// Tasks at the end: what a request has started is finished, the program's own are told, and everything has its bound.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, type Server, startServer, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
writeFileSync(
  join(folder, "server.ts"),
  `import { go } from "slipway";
  go("refresh", async (signal) => {
    while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log("refresh was told:", signal.reason.message);
  });
  export default {
    fetch(request: Request, info) {
      const { pathname } = new URL(request.url);
      if (pathname === "/mail") {
        info.go("mail", async () => {
          await new Promise((resolve) => setTimeout(resolve, 700));
          console.log("mail sent");
        });
      }
      if (pathname === "/audit") {
        go("audit", (signal) => new Promise((resolve) => {
          signal.addEventListener("abort", () => console.log("audit was told:", signal.reason.message));
        }));
      }
      return new Response("done");
    },
  };`,
);

async function serve(...flags: string[]): Promise<Server> {
  return await startServer([...fromSource, "run", "server.ts", "--port", "0", ...flags], { cwd: folder });
}

test("a task that a request has started is finished before the process ends; the program's own are told", async () => {
  const server = await serve();
  assert.is(await (await fetch(`${server.url}/mail`)).text(), "done");
  const { code, stdout } = await server.stop();
  assert.is(code, 0);
  assert.match(stdout, /^mail sent$/m);
  assert.match(stdout, /^refresh was told: the server ends$/m);
});

test("past drainTimeout it is told, named and counted: exit 1", async () => {
  const server = await serve("--drain-timeout", "400ms");
  assert.is(await (await fetch(`${server.url}/audit`)).text(), "done");
  const { code, stdout, stderr } = await server.stop();
  assert.is(code, 1);
  assert.match(stdout, /^audit was told: the server ends$/m);
  assert.match(stderr, /tasks of requests still ran [\d.]+ s after SIGTERM: cut \(drainTimeout\)/);
  assert.match(stderr, /"names":"audit"/);
});

test.after(endProcesses);
test.run();
