// The admin port with workers: one process to whoever looks.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, type Server, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";
import { type Client, freePort, oneEach, openMany, until, whoAnswers } from "./support.ts";

const cwd = project({
  "server.ts": `
import { threadId } from "node:worker_threads";
let ready = true;
export default {
  async fetch(request: Request, info) {
    const { pathname } = new URL(request.url);
    if (pathname === "/task") info.go("wait", (signal) => new Promise((done) => signal.addEventListener("abort", done)));
    if (pathname === "/unready") ready = false;
    if (pathname === "/throw") setTimeout(() => { throw new Error("on purpose"); });
    if (pathname === "/spin") for (;;);
    return new Response(String(threadId));
  },
  ready: { here: () => ready, always: { check: () => true, timeout: "700ms" } },
};`,
  "wrong.ts": `export default { fetch: () => new Response("x"), ready: 5 };`,
});

async function serve(): Promise<{ server: Server; admin: string }> {
  const port = await freePort();
  const admin = `http://127.0.0.1:${port}`;
  const flags = ["--port", "0", "--parallel", "2", "--admin", `127.0.0.1:${port}`, "--drain-timeout", "300ms"];
  return { server: await startServer([...fromSource, "run", "server.ts", ...flags], { cwd }), admin };
}

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** A sample's value; 0 when there is none. */
function value(metrics: string, name: string): number {
  const line = metrics.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

const GET_2XX = 'slipway_http_requests_total{http_request_method="GET",http_response_status_class="2xx"}';

test("metrics add up over the workers, and fall for none that dies", async () => {
  const { server, admin } = await serve();
  const many = await openMany(server.port, 10);
  for (const { client } of many) await client.get();
  const before = await text(`${admin}/metrics`);
  assert.is(value(before, GET_2XX), 20);
  assert.is(value(before, "slipway_connections_accepted_total"), 10);
  assert.is(value(before, 'slipway_connections{state="idle"}'), 10);
  assert.is(value(before, "slipway_workers"), 2);
  assert.is(value(before, "http_server_request_duration_seconds_count"), 20);
  await many[0].client.get("/throw");
  await many[0].client.closed;
  await until(
    async () => value(await text(`${admin}/metrics`), "slipway_workers"),
    (workers) => workers === 2,
  );
  const after = await text(`${admin}/metrics`);
  assert.is(value(after, "slipway_workers_died_total"), 1);
  assert.is(value(after, GET_2XX), 21);
  assert.is(value(after, "slipway_connections_accepted_total"), 10);
  await server.stop();
});

test("a worker that is held up holds up nothing here", async () => {
  const { server, admin } = await serve();
  const [a] = await oneEach(server.port);
  a.client.get("/spin").catch(() => {});
  await whoAnswers(server.port);
  assert.is(await text(`${admin}/healthz`), "ok\n");
  assert.is(value(await text(`${admin}/metrics`), "slipway_workers"), 2);
  assert.match(await text(`${admin}/readyz`), /^ready\n/);
  server.child.kill("SIGKILL");
  await server.finished;
});

test("/tasks and SIGUSR1 show the tasks of all of them", async () => {
  const { server, admin } = await serve();
  const [a, b] = await oneEach(server.port);
  for (const { client } of [a, b, a]) await client.get("/task");
  const rows: { name: string; count: number }[] = await (
    await fetch(`${admin}/tasks`, { headers: { accept: "application/json" } })
  ).json();
  assert.is(rows.find(({ name }) => name === "wait")?.count, 3);
  server.child.kill("SIGUSR1");
  await server.saw(/^ +3 +.* wait$/m);
  const { code } = await server.stop();
  // The tasks never end: cut.
  assert.is(code, 1);
});

test("/readyz runs the checks in each worker, /config says what holds", async () => {
  const { server, admin } = await serve();
  const ready = await fetch(`${admin}/readyz`);
  assert.is(ready.status, 200);
  assert.match(await ready.text(), /^ready\nhere: ok \(\d+ ms\)\nalways: ok \(\d+ ms\)\n$/);
  const client: Client = (await openMany(server.port, 1))[0].client;
  await client.get("/unready");
  const red = await fetch(`${admin}/readyz`);
  assert.is(red.status, 503);
  assert.match(await red.text(), /^not ready\nhere: failed: it gave false \(\d+ ms\)\nalways: ok/);
  assert.match(await text(`${admin}/config`), /^parallel +2 +flag: --parallel$/m);
  await server.stop();
});

test("a mistake in `ready` is told at the start, as without workers", async () => {
  const port = await freePort();
  const command = [...fromSource, "run", "wrong.ts", "--port", "0", "--parallel", "2", "--admin", `127.0.0.1:${port}`];
  let message = "";
  try {
    const server = await startServer(command, { cwd });
    await server.stop();
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(message, /slipway: 'ready' of the default export must be a function, or an object of functions by name/);
});

test.after(endProcesses);
test.run();
