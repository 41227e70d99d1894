// Serves, asks over a connection of its own, and needs no permission but --allow-ffi.
import { connect, Response, serve } from "../../../src/mod.ts";

const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
  return new Response(`hello ${new URL(request.url).pathname}`);
});
{
  using conn = await connect({ port: server.addr.port, hostname: "127.0.0.1" });
  await conn.write(new TextEncoder().encode("GET /path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const answer = await new Response(conn.readable).text();
  console.log(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}
await server.shutdown();
