import assert from "node:assert/strict";
import server from "./server.ts";

Deno.test("greets by path", async () => {
  await using running = Deno.serve({ port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {} }, server.fetch);
  const response = await fetch(`http://127.0.0.1:${running.addr.port}/here`);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello from /here\n");
});
