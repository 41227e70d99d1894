// Hono's adapter for Deno finds what it needs: an app with WebSockets runs as it is.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, repository, startServer } from "../support/process.ts";
import { clients, ending, messages } from "../websocket/support/server.ts";

const test = suite("hono, with WebSockets");
test.after(endProcesses);

test("messages both ways, and the end", async () => {
  const app = join(repository, "test/frameworks/apps/hono-websocket.ts");
  const server = await startServer([...fromSource, "run", app, "--port", "0", "--drain-idle", "0"]);
  for (const Client of Object.values(clients)) {
    const client = new Client(`ws://localhost:${server.port}/ws`);
    const next = messages(client);
    const end = ending(client);
    assert.is(await next(), "welcome");
    client.send("x");
    assert.is(await next(), "echo x");
    client.send("end");
    assert.equal(await end, { code: 4000, reason: "as asked", clean: true, error: undefined });
  }
  assert.is((await server.stop()).code, 0);
});

test.run();
