import assert from "node:assert/strict";
import { upstreamsIn } from "./upstreams.ts";

const free = { port: 0, hostname: "127.0.0.1", drainIdle: 0, onListen() {} };
// An application, and the proxy itself in front of it.
const application = Deno.serve(free, (request) =>
  Response.json({ path: new URL(request.url).pathname, forwarded: request.headers.get("forwarded") }),
);
Deno.env.set("UPSTREAMS", `http://127.0.0.1:${application.addr.port}`);
const { default: app } = await import("./server.ts");
const edge = Deno.serve(free, app.fetch);
Deno.test.afterAll(async () => {
  await edge.shutdown();
  await application.shutdown();
});

const get = (path: string) => fetch(`http://127.0.0.1:${edge.addr.port}${path}`);

Deno.test("passes requests on, and says for whom", async () => {
  const { path, forwarded } = await (await get("/a/b")).json();
  assert.equal(path, "/a/b");
  assert.match(forwarded, /^for=127\.0\.0\.1;/);
});

Deno.test("answers itself what is its own", async () => {
  assert.equal(await (await get("/edge")).text(), "the edge is up\n");
});

Deno.test("takes upstreams from a list", () => {
  assert.deepEqual(upstreamsIn("http://a:1, unix:/run/b.sock ,"), ["http://a:1", "unix:/run/b.sock"]);
  assert.deepEqual(upstreamsIn(undefined), ["http://127.0.0.1:3000"]);
});
