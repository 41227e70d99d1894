// The programs whose connections are measured: one module, and which of them it is, in a variable of the environment.
//
// A buffer of its own would be the handler's memory, not ours: all tasks read into one, and use what came before they
// wait again.
import { getHeapStatistics } from "node:v8";
import type { Conn } from "../../src/net/mod.ts";
import type { upgradeWebSocket } from "../../src/websocket/mod.ts";

// What V8 does by itself some time after a major collection, whenever that is: it collects, and gives back the memory
// that it has for young objects (up to 32 MiB, whatever the number of connections).
process.on("SIGUSR2", () => {
  const collect = globalThis.gc as ((options: object) => void) | undefined;
  collect?.({ type: "major", execution: "sync", flavor: "last-resort" });
  console.error(`heap ${getHeapStatistics().used_heap_size}`);
});

const buffer = new Uint8Array(4096);

const http = {
  h2c: true,
  async fetch(request: Request): Promise<Response> {
    if (request.headers.has("upgrade")) {
      const { Deno } = globalThis as unknown as { Deno: { upgradeWebSocket: typeof upgradeWebSocket } };
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = (event) => socket.send(event.data);
      return response;
    }
    if (request.method === "POST") return new Response(await request.text());
    if (!request.url.endsWith("/events")) return new Response("Hello, world!");
    const silent = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("data: first\n\n"));
      },
    });
    return new Response(silent, { headers: { "content-type": "text/event-stream" } });
  },
};

const raw = {
  async connect(conn: Conn): Promise<void> {
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await conn.write(buffer.subarray(0, n));
    }
  },
};

const readable = {
  async connect(conn: Conn): Promise<void> {
    for await (const chunk of conn.readable) await conn.write(chunk);
  },
};

const programs: Readonly<Record<string, object>> = { raw, readable };
export default programs[process.env["IDLE_KIND"] ?? ""] ?? http;
