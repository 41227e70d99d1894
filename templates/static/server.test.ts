import assert from "node:assert/strict";
import app from "./server.ts";
import { hashed } from "./site.ts";

// The server itself, on a free port.
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {} }, app.fetch);
Deno.test.afterAll(() => server.shutdown());

const get = (path: string, headers = {}) => fetch(`http://127.0.0.1:${server.addr.port}${path}`, { headers });

Deno.test("serves the pages", async () => {
  assert.match(await (await get("/")).text(), /<h1>.+ is running<\/h1>/);
  assert.match(await (await get("/about")).text(), /<h1>About /);
});

Deno.test("shows a page for what is not there", async () => {
  const response = await get("/nowhere", { accept: "text/html" });
  assert.equal(response.status, 404);
  assert.match(await response.text(), /no such page/);
});

Deno.test("sends nothing to who has it already", async () => {
  const etag = (await get("/")).headers.get("etag") ?? "";
  assert.equal((await get("/", { "if-none-match": etag })).status, 304);
});

Deno.test("keeps its own sources to itself", async () => {
  for (const path of ["/server.ts", "/../server.ts", "/..%2fserver.ts"]) assert.equal((await get(path)).status, 404);
});

Deno.test("only what has a hash in its name is kept for a year", () => {
  assert.ok(hashed.test("/assets/app-5f1c0a3e.js"));
  assert.ok(!hashed.test("/assets/site.css"));
  assert.ok(!hashed.test("/index.html"));
});
