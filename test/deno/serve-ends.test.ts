// Deno.serve where it differs from our own `serve`: its signal ends at once, and `onError` hears Deno's sentences.
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

test("its signal may abort as soon as it listens", async () => {
  const controller = new AbortController();
  const onListen = (): void => controller.abort();
  await serve({ ...quiet, signal: controller.signal, onListen }, () => new Response()).finished;
});

test("a signal that is aborted already throws its reason, and nothing listens", () => {
  const reason = new Error("not today");
  assert.throws(
    () => serve({ ...quiet, signal: AbortSignal.abort(reason) }, () => new Response()),
    (error: unknown) => error === reason,
  );
});

test("onError hears of what is no Response in Deno's words, and of the value in the cause", async () => {
  const hollow = Object.create(Response.prototype);
  Object.defineProperty(hollow, "bodyUsed", { value: false });
  const heard: Error[] = [];
  const values = [() => undefined, async () => 7, () => hollow] as unknown as (() => Response)[];
  const handler = (): Response => (values.shift() as () => Response)();
  const onError = (error: unknown): Response => {
    heard.push(error as Error);
    return new Response("told", { status: 501 });
  };
  await using server = serve({ ...quiet, onError }, handler);
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(`http://127.0.0.1:${server.addr.port}/`);
    assert.is(`${answer.status} ${await answer.text()}`, "501 told");
  }
  const plain = "Return value from serve handler must be a response or a promise resolving to a response";
  const realm =
    "Return value from serve handler must be a Response constructed via the Response constructor in this realm";
  assert.equal(
    heard.map(({ name, message }) => `${name}: ${message}`),
    [plain, plain, realm].map((message) => `TypeError: ${message}`),
  );
  const causes = heard.map(({ cause }) => String(cause));
  assert.match(causes[0], /^TypeError: the handler must return a Response.*not undefined/);
  assert.match(causes[1], /not a number/);
  assert.match(causes[2], /only looks like one/);
});

test.run();
