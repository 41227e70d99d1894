import assert from "node:assert/strict";
import { test } from "node:test";
import { route } from "./routes.ts";

const get = (path: string) => route(new Request(`http://localhost${path}`));
const post = (path: string, body: string) => route(new Request(`http://localhost${path}`, { method: "POST", body }));

test("tells the time as JSON", async () => {
  const { now } = await (await get("/api/time")).json();
  assert.ok(Math.abs(Date.parse(now) - Date.now()) < 60_000);
});

test("echoes JSON", async () => {
  const response = await post("/api/echo", '{"a":1}');
  assert.deepEqual(await response.json(), { you: { a: 1 } });
});

test("answers 400 to a body that is not JSON", async () => {
  assert.equal((await post("/api/echo", "{")).status, 400);
});

test("streams a count", async () => {
  assert.equal(await (await get("/api/count")).text(), "1\n2\n3\n4\n5\n");
});

test("answers 404 to anything else", async () => {
  assert.equal((await get("/nowhere")).status, 404);
});
