// time limit: 300 s
// fetch inside of servers as people run them: proxies, limits by flag, metrics, workers, and an end that waits for nobody.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ask } from "../admin/support/ask.ts";
import { parseOpenMetrics, valueIn } from "../admin/support/openmetrics.ts";
import { endProcesses, fromSource, run, type Server, startServer, temporaryFolder } from "../support/process.ts";
import { nativeFetch, nodeServer, rawServer, until } from "./support.ts";

const { base, stop } = await nodeServer();
test.after(() => {
  endProcesses();
  stop();
});

const folder = temporaryFolder();
const PROXY = `
import { gzipSync } from "node:zlib";
export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/own") return fetch(process.env.UPSTREAM + "/echo", { headers: { "x-a": "1" } });
    const url = process.env.UPSTREAM + pathname + search;
    if (pathname.startsWith("/again")) return fetch(new Request(process.env.UPSTREAM + "/echo", request));
    if (pathname.startsWith("/new")) {
      const answer = await fetch(process.env.UPSTREAM + pathname.slice(4));
      return new Response(answer.body, answer);
    }
    return fetch(url, { signal: request.signal, redirect: "manual" });
  },
};`;

function proxy(upstream: string, ...flags: string[]): Promise<Server> {
  const file = join(folder, "proxy.mjs");
  writeFileSync(file, PROXY);
  return startServer([...fromSource, "run", file, "--host", "127.0.0.1", "--port", "0", ...flags], {
    env: { UPSTREAM: upstream },
  });
}

const adminPort = async (server: Server): Promise<number> =>
  Number((await server.saw(/^Admin port on http:\/\/127\.0\.0\.1:(\d+)\/$/m))[1]);

test("what fetch answers can be handed on, whatever it is", async () => {
  const server = await proxy(base);
  const get = (path: string, init?: RequestInit): Promise<globalThis.Response> =>
    nativeFetch(`http://127.0.0.1:${server.port}${path}`, init);
  for (const before of ["", "/new"]) {
    for (const coding of ["gzip", "br", "zstd", "deflate"]) {
      const response = await get(`${before}/coded/${coding}`);
      assert.is(response.headers.get("content-encoding"), null);
      assert.is(await response.text(), "compressed text, ".repeat(1000));
    }
    assert.is((await (await get(`${before}/bytes/5000000`)).arrayBuffer()).byteLength, 5_000_000);
    assert.is((await (await get(`${before}/bytes/5000000?length`)).arrayBuffer()).byteLength, 5_000_000);
    assert.is(await (await get(`${before}/close`)).text(), "closing");
    assert.is((await get(`${before}/status/204`)).status, 204);
    assert.equal((await get(`${before}/cookies`)).headers.getSetCookie(), ["a=1", "b=2"]);
  }
  const redirect = await get("/redirect/302", { redirect: "manual" });
  assert.equal([redirect.status, redirect.headers.get("location")], [302, "/echo"]);
  const own = (await (await get("/own")).json()) as { headers: Record<string, string> };
  assert.match(own.headers["user-agent"], /^Slipway\/\d/);
  const again = await get("/again", {
    method: "POST",
    body: "x".repeat(100_000),
    headers: { "x-b": "2", te: "trailers" },
  });
  const said = (await again.json()) as { method: string; headers: Record<string, string>; body: string };
  assert.equal(
    [said.method, said.body.length, said.headers["x-b"], said.headers["te"]],
    ["POST", 100_000, "2", undefined],
  );
  assert.is((await server.stop()).code, 0);
});

test("who leaves ends the call upstream", async () => {
  let asked = 0;
  const upstream = await rawServer(() => {
    asked++;
  });
  const server = await proxy(upstream.base);
  const controller = new AbortController();
  const left = nativeFetch(`http://127.0.0.1:${server.port}/`, { signal: controller.signal }).catch(() => {});
  // Not the connection alone: one that no request has gone over yet is kept for the next.
  await until(() => asked === 1);
  controller.abort();
  await left;
  await until(() => upstream.sockets[0].readableEnded || upstream.sockets[0].destroyed);
  assert.is((await server.stop()).code, 0);
  upstream.close();
});

test("flags hold, metrics tell, and idle connections keep no process", async () => {
  const silent = await rawServer((socket, head) => {
    if (head.startsWith("GET /ok")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  });
  const server = await proxy(silent.base, "--fetch-header-timeout", "150ms", "--admin", "127.0.0.1:0");
  const admin = await adminPort(server);
  const url = `http://127.0.0.1:${server.port}`;
  assert.is(await (await nativeFetch(`${url}/ok`)).text(), "ok");
  assert.is((await nativeFetch(`${url}/never`)).status, 500);
  await server.saw(/no response came within 150 ms/);
  assert.is(await (await nativeFetch(`${url}/ok`)).text(), "ok");
  assert.match((await ask(admin, "/config")).text, /^fetchHeaderTimeout +150ms +flag/m);
  const families = parseOpenMetrics((await ask(admin, "/metrics")).text);
  const value = (name: string, labels?: Record<string, string>): number | undefined => valueIn(families, name, labels);
  assert.is(value("slipway_fetch_requests_total", { outcome: "2xx" }), 2);
  assert.is(value("slipway_fetch_requests_total", { outcome: "timeout" }), 1);
  assert.is(value("slipway_fetch_timeouts_total", { timeout: "header" }), 1);
  assert.is(value("slipway_fetch_connections", { state: "busy" }), 0);
  assert.is(value("slipway_fetch_connections", { state: "idle" }), 1);
  assert.is((await server.stop()).code, 0);
  await until(() => silent.sockets.every((socket) => socket.readableEnded || socket.destroyed));
  silent.close();
});

test("a program that is done ends, whatever it has fetched", async () => {
  const file = join(folder, "program.mjs");
  writeFileSync(file, `console.log(await (await fetch(process.env.UPSTREAM + "/chunks/3")).text());`);
  const finished = await run([...fromSource, "run", file], { env: { UPSTREAM: base }, timeoutSeconds: 25 });
  assert.match(finished.stdout, "chunk 0;chunk 1;chunk 2;");
  assert.is(finished.code, 0);
});

test("--parallel: each worker has connections of its own, and the metrics are of all", async () => {
  const server = await proxy(base, "--parallel", "2", "--admin", "127.0.0.1:0");
  const admin = await adminPort(server);
  const url = `http://127.0.0.1:${server.port}/echo`;
  const answers = await Promise.all(Array.from({ length: 40 }, async () => (await nativeFetch(url)).status));
  assert.ok(answers.every((status) => status === 200));
  const families = parseOpenMetrics((await ask(admin, "/metrics")).text);
  assert.is(valueIn(families, "slipway_fetch_requests_total", { outcome: "2xx" }), 40);
  assert.is((await server.stop()).code, 0);
});

test.run();
