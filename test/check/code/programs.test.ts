/** Whole programs as people write them, in several styles, with a fault on nearly every line; and a good one. */
import { suite } from "uvu";
import { assertClean, assertMarked } from "./support/marked.ts";

const test = suite("check: programs");

test("Express and node:http", () =>
  assertMarked(`import fs from "fs";
import http from "node:http";
import express from "express";
const { readFileSync: read } = require("fs");
const app = express();
const sessions: any = {};
const visitors: string[] = [];
const rateLimits = new Map<string, number[]>();
let audit = "";
const emailer = { async send(to: string) { throw new Error(to); } };
class Queue { async push(job: unknown) { await fetch("http://q", { method: "POST", signal: AbortSignal.timeout(1) }); } }
const queue = new Queue();
const DB_PASSWORD = "hunter2"; // ! secret-in-source
const JWT_SECRET = "a8f5f167f44f4964e6c998dee827110c"; // ! secret-in-source
const config = { db: { password: "Sup3rS3cret!" } }; // ! secret-in-source
app.get("/a", (req: any, res: any) => {
  const t = fs.readFileSync("./x.html", "utf8"); // ! sync-call-in-handler
  const u = read("y"); // ! sync-call-in-handler
  sessions[req.query.id] = { t }; // ! unbounded-collection
  visitors.push(req.ip); // ! unbounded-collection
  audit += req.url; // ! unbounded-collection
  emailer.send(req.query.to); // ! floating-promise
  queue.push(req.body); // ! floating-promise
  const list = rateLimits.get(req.ip) ?? [];
  list.push(Date.now());
  rateLimits.set(req.ip, list); // ! unbounded-collection
  const ip = req.headers["x-forwarded-for"] || req.socket.remoteAddress; // ! forwarded-header
  const ip2 = req.get("X-Forwarded-For"); // ! forwarded-header
  setTimeout(() => emailer.send("later"), 1000); // ! background-work
  process.nextTick(() => {});
  res.send(t + u + ip + ip2);
});
app.listen(3000);
const server = http.createServer(async (req, res) => {
  const chunks = [];
  for await (const c of req) chunks.push(c); // ! body-without-bound
  const upstream = await fetch(\`http://backend\${req.url}\`); // ! fetch-without-timeout
  res.end(await upstream.text());
});
server.listen(8080, "0.0.0.0");
const adminApp = http.createServer((req, res) => res.end("metrics"));
adminApp.listen(9100); // ! admin-on-all-interfaces
`));

test("a TCP server of ours", () =>
  assertMarked(`import { go } from "slipway";
const seen = new Map<string, number>();
export default {
  admin: ":9090", // ! admin-on-all-interfaces
  hostname: "0.0.0.0",
  readHeaderTimeout: "none", // ! unlimited-option
  async connect(conn: any, signal: AbortSignal) { // ! swallowed-signal
    let buffer = "";
    for await (const chunk of conn.readable) {
      buffer += new TextDecoder().decode(chunk); // ! body-without-bound
    }
    seen.set(conn.remoteAddr.hostname, Date.now()); // ! unbounded-collection
    const buf = new Uint8Array(1024);
    const all: number[] = [];
    for (let n = await conn.read(buf); n !== null; n = await conn.read(buf)) all.push(...buf.subarray(0, n)); // ! body-without-bound
    process(conn); // ! floating-promise
    go("x", () => process(conn));
  },
};
async function process(conn: any) { await conn.write(new Uint8Array()); }
`));

test("Hono", () =>
  assertMarked(`import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { serve } from "@hono/node-server";
import { getConnInfo } from "hono/bun";
const app = new Hono();
const jobs = new Set<string>();
const slow = async () => { await new Promise((r) => setTimeout(r, 10)); };
app.get("/sse", (c) =>
  streamSSE(c, async (stream) => {
    while (true) { // ! swallowed-signal
      await stream.writeSSE({ data: "x" });
      await stream.sleep(1000);
    }
  }),
);
app.get("/sse2", (c) =>
  streamSSE(c, async (stream) => {
    let n = 0;
    stream.onAbort(() => console.log("gone"));
    while (!stream.aborted) {
      await stream.writeSSE({ data: String(n++) });
      await stream.sleep(1000);
    }
  }),
);
app.post("/job", async (c) => {
  const body = await c.req.json();
  jobs.add(body.id); // ! unbounded-collection
  slow(); // ! floating-promise
  slow().catch(() => {}); // ! background-work
  c.executionCtx.waitUntil(slow());
  const r = await fetch(body.url, { signal: c.req.raw.signal });
  const bytes = await r.arrayBuffer(); // ! response-without-bound
  return c.body(bytes);
});
app.onError((err, c) => c.text(err.stack ?? "", 500)); // ! error-details-sent
app.use("*", async (c, next) => { await next(); });
app.all("/proxy/*", (c) => fetch(new URL(c.req.path, "http://up"), c.req.raw));
app.get("/x", async (c) => {
  try { await fetch("http://x", { signal: AbortSignal.timeout(5) }); } catch (e) {}
  return c.text("x");
});
serve({ fetch: app.fetch, port: 3000 });
`));

test("one with nothing to mend", () =>
  assertClean(`import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { LRUCache } from "lru-cache";
const page = readFileSync(new URL("./page.html", import.meta.url), "utf8");
const cache = new LRUCache<string, string>({ max: 500 });
const inflight = new Map<string, Promise<string>>();
const clients = new Set<WebSocket>();
const MAX = 1000;
const recent = new Map<string, number>();
function remember(key: string) {
  recent.set(key, Date.now());
  if (recent.size > MAX) { const oldest = recent.keys().next().value; if (oldest) recent.delete(oldest); }
}
async function load(key: string): Promise<string> {
  const known = inflight.get(key);
  if (known) return known;
  const p = readFile(key, "utf8").finally(() => inflight.delete(key));
  inflight.set(key, p);
  return p;
}
const server = Deno.serve({ port: 8080, readTimeout: "30s", signal: AbortSignal.timeout(1e9) }, async (request, info) => {
  const url = new URL(request.url);
  remember(url.pathname);
  const timeout = AbortSignal.timeout(2000);
  const r = await fetch("https://api.example.com/x", { headers: { a: "b" }, signal: AbortSignal.any([request.signal, timeout]) });
  const data = await r.json();
  cache.set(url.pathname, "x");
  if (url.pathname === "/ws") {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => clients.add(socket);
    socket.onclose = () => { clients.delete(socket); };
    return response;
  }
  const body = new ReadableStream({
    async start(controller) {
      const timer = setInterval(() => controller.enqueue("x"), 1000);
      request.signal.addEventListener("abort", () => clearInterval(timer));
    },
  });
  const { readable, writable } = new TransformStream();
  r.body?.pipeTo(writable);
  (async () => {
    const writer = writable.getWriter();
    try { await writer.write("x"); } catch { } finally { await writer.close(); }
  })();
  await Promise.allSettled([load("a"), load("b")]);
  const results = [];
  for (const k of ["a", "b"]) results.push(await load(k));
  return Response.json({ data, page, results, from: info.remoteAddr });
});
await server.finished;
Deno.addSignalListener("SIGTERM", () => server.shutdown());
const password = prompt("password");
const passwordHash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(password ?? ""));
console.log(passwordHash);
`));

test.run();
