// Deno.serve where it differs from our own `serve`: its signal ends at once.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/deno/serve.ts";

const quiet = { port: 0, hostname: "127.0.0.1", onListen() {} } as const;
const test = suite("Deno.serve");

test("its signal cuts what runs, so that a handler may wait for the end itself", async () => {
  const controller = new AbortController();
  let ended = false;
  const server = serve({ ...quiet, signal: controller.signal }, async () => {
    controller.abort();
    await server.finished;
    ended = true;
    return new Response("too late");
  });
  const cut = await fetch(`http://127.0.0.1:${server.addr.port}/`).catch((error) => error);
  assert.instance(cut, TypeError);
  await server.finished;
  assert.ok(ended);
});

test("a signal that is aborted already throws its reason, and nothing listens", () => {
  const reason = new Error("not today");
  assert.throws(
    () => serve({ ...quiet, signal: AbortSignal.abort(reason) }, () => new Response()),
    (error: unknown) => error === reason,
  );
});

test.run();
