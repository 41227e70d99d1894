import assert from "node:assert/strict";
import app from "./server.ts";

// The server itself, on a free port.
const { onError } = app;
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {}, onError }, app.fetch);
Deno.test.afterAll(() => server.shutdown());

const get = (path: string) => fetch(`http://127.0.0.1:${server.addr.port}${path}`);
const post = (path: string, body: string) =>
  fetch(`http://127.0.0.1:${server.addr.port}${path}`, { method: "POST", body });

Deno.test("shows its page", async () => {
  assert.match(await (await get("/")).text(), /<h1>.+ is running<\/h1>/);
});

Deno.test("tells the time as JSON", async () => {
  const { now } = await (await get("/api/time")).json();
  assert.ok(Math.abs(Date.parse(now) - Date.now()) < 60_000);
});

Deno.test("echoes JSON", async () => {
  const response = await post("/api/echo", '{"a":1}');
  assert.deepEqual(await response.json(), { you: { a: 1 } });
});

Deno.test("answers 400 to a body that is not JSON", async () => {
  assert.equal((await post("/api/echo", "{")).status, 400);
});

Deno.test("streams a count", async () => {
  assert.equal(await (await get("/api/count")).text(), "1\n2\n3\n4\n5\n");
});

Deno.test("answers 404 to anything else", async () => {
  assert.equal((await get("/nowhere")).status, 404);
});
