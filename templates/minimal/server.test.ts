import assert from "node:assert/strict";
import { test } from "node:test";
import server from "./server.ts";

test("greets by path", async () => {
  const response = server.fetch(new Request("http://localhost/here"));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello from /here\n");
});
