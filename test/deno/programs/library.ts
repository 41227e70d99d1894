/** Our sources as a library, by Node and by Deno: test/deno/under-deno.test.ts runs it under both. */
import { connect, errors, go, installDeno, listen, serve, serveConn } from "../../../src/mod.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const before = "Deno" in globalThis;
installDeno();

let count = 0;
const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request, info) => {
  count++;
  return Response.json([request.method, (await request.text()).length, info.remoteAddr.transport]);
});
const url = `http://127.0.0.1:${"port" in server.addr ? server.addr.port : 0}/`;
const sizes = Array.from({ length: 100 }, (_, index) => index * 500);
const answers = await Promise.all(
  sizes.map(async (size) => (await fetch(url, { method: "POST", body: "x".repeat(size) })).json()),
);

const listener = listen({ port: 0, hostname: "127.0.0.1" });
const echo = serveConn(listener, async (conn) => {
  await conn.readable.pipeTo(conn.writable);
});
const conn = await connect({ port: listener.addr.port });
await conn.write(encode("ping"));
await conn.closeWrite();
const pong = await new Response(conn.readable).text();

const silent = await connect({ port: listener.addr.port });
silent.setReadDeadline(Date.now() + 20);
const late = await silent.read(new Uint8Array(1)).catch((error) => error instanceof errors.TimedOut);
silent.close();

let task = "";
await go("task", async () => {
  await null;
  task = "ran";
}).finished;

listener.close();
await echo.finished;
await server.shutdown();
const right = answers.every(([method, length, transport], index) => {
  return method === "POST" && length === sizes[index] && transport === "tcp";
});
console.log(JSON.stringify({ count, right, pong, late, task, before, there: "Deno" in globalThis }));
