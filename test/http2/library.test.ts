// As a library, with the host's own Response in its place: what only a light Response can do is not asked of it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/mod.ts";
import { GET, open } from "./support/raw.ts";

test("a head that is refused is answered, and so is what follows", async () => {
  const server = serve(
    { port: 0, hostname: "127.0.0.1", h2c: true, maxHeaderBytes: 1024, onListen() {} },
    () => new Response("well"),
  );
  using raw = await open(server.addr.port);
  raw.request(1, [...GET, ["x-large", "y".repeat(2000)]]);
  assert.is((await raw.response(1)).status, "431");
  raw.request(3);
  assert.is((await raw.response(3)).status, "200");
  raw.client.end();
  await server.shutdown();
});

test.run();
