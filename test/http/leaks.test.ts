// time limit: 180 s
// What a hundred thousand requests leave behind: nothing. The server runs in a process of its own, so that the memory
// of clients is not counted, and is asked for its heap after a collection.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { repository, start } from "../support/process.ts";
import { type Client, connect } from "./support/client.ts";

const PROGRAM = `
  import { install } from ${JSON.stringify(new URL("../../src/fetch/mod.ts", import.meta.url).href)};
  import { serve } from ${JSON.stringify(new URL("../../src/http/mod.ts", import.meta.url).href)};
  import { taskCount } from ${JSON.stringify(new URL("../../src/runtime/mod.ts", import.meta.url).href)};
  import { readdirSync } from "node:fs";
  install();
  const stream = (text) => new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode(text)); c.close(); } });
  const server = serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log("port " + port) }, async (request, info) => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/sync": return new Response("sync");
      case "/async": await null; return new Response("async");
      case "/json": return Response.json({ headers: [...request.headers].length, address: info.remoteAddr.transport });
      case "/echo": return new Response(await request.text());
      case "/through": return new Response(request.body);
      case "/stream": return new Response(stream("stream"));
      case "/signal": request.signal.addEventListener("abort", () => {}); info.completed.then(() => {}); return new Response("signal");
      case "/unread": return new Response("unread");
      case "/measure":
        for (let i = 0; i < 4; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
        return Response.json({
          heap: process.memoryUsage().heapUsed,
          outside: process.memoryUsage().arrayBuffers,
          descriptors: readdirSync("/proc/self/fd").length,
          connections: server.connections,
          tasks: taskCount(),
        });
      default: return new Response("", { status: 404 });
    }
  });
  process.on("SIGTERM", () => process.exit(0));
`;

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n`;
const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello`;
const chunked = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;
const ROUND = [
  get("/sync"),
  get("/async"),
  get("/json"),
  post("/echo"),
  chunked("/through"),
  get("/stream"),
  get("/signal"),
  post("/unread"),
].join("");
const ANSWERS = 8;

interface Measured {
  readonly heap: number;
  readonly outside: number;
  readonly descriptors: number;
  readonly connections: number;
  readonly tasks: number;
}

/** Sends rounds of requests over one connection, 25 in flight, and forgets the answers but for their number. */
async function load(port: number, rounds: number): Promise<void> {
  using client = await connect(port);
  let answered = 0;
  let tail = "";
  client.socket.removeAllListeners("data");
  let wake = (): void => {};
  client.socket.on("data", (chunk: Buffer) => {
    const text = tail + chunk.toString("latin1");
    answered += text.split("HTTP/1.1 200 OK").length - 1;
    // What may be the beginning of the next status line.
    tail = text.slice(-14).replace("HTTP/1.1 200 OK", "");
    wake();
  });
  for (let sent = 0; sent < rounds; ) {
    const now = Math.min(25, rounds - sent);
    client.write(ROUND.repeat(now));
    sent += now;
    while (answered < sent * ANSWERS) {
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        if (client.over) reject(client.error ?? new Error("the connection ended"));
      });
    }
  }
}

async function measure(port: number): Promise<Measured> {
  using client: Client = await connect(port);
  client.write(get("/measure"));
  return JSON.parse((await client.response()).text());
}

test("the heap after 100,000 requests is the heap after 20,000", async () => {
  const program = `data:text/javascript,${encodeURIComponent(PROGRAM)}`;
  const started = start([process.execPath, "--expose-gc", "--import", program, "--eval", ""], { cwd: repository });
  try {
    const port = Number((await started.saw(/^port (\d+)$/m))[1]);
    const perConnection = 2500 / 4;
    const some = async (): Promise<Measured> => {
      await Promise.all(Array.from({ length: 4 }, () => load(port, perConnection)));
      return await measure(port);
    };
    await some();
    const before = await some();
    let after = before;
    for (let i = 0; i < 5; i++) after = await some();
    const slope = (after.heap - before.heap) / 100_000;
    console.log(`\n${slope.toFixed(2)} bytes a request; heap ${before.heap} → ${after.heap}`);
    assert.ok(slope < 2, `${slope} bytes a request stay in the heap`);
    assert.ok(after.outside - before.outside < 500_000, `${after.outside - before.outside} bytes of buffers stay`);
    assert.is(after.descriptors, before.descriptors);
    assert.is(after.tasks, 0);
    assert.is(after.connections, 1);
  } finally {
    await started.stop();
  }
});

test.run();
