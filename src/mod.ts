/**
 * Slipway as a library: sockets that wait without blocking, an HTTP server, tasks, and light `Request`, `Response` and
 * `Headers`, in the shapes and by the names of Deno.
 *
 * ```ts
 * import { connect, go, listen, serve } from "slipway";
 *
 * // HTTP: a function from Request to Response.
 * await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
 *   const { name } = await request.json();
 *   return Response.json({ hello: name });
 * });
 *
 * // Raw TCP: one task per connection, reading and writing as if they blocked.
 * using listener = listen({ port: 0, hostname: "127.0.0.1" });
 * go("echo", async () => {
 *   using conn = await listener.accept();
 *   const buffer = new Uint8Array(1024);
 *   for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
 *     await conn.write(buffer.subarray(0, n));
 *   }
 * });
 *
 * using conn = await connect({ port: listener.addr.port });
 * await conn.write(new TextEncoder().encode("ping"));
 * await conn.closeWrite();
 * console.assert((await new Response(conn.readable).text()) === "ping");
 *
 * const answer = await fetch(`http://127.0.0.1:${server.addr.port}/`, { method: "POST", body: '{"name":"Ada"}' });
 * console.assert((await answer.json()).hello === "Ada");
 * ```
 *
 * The server answers with native Responses too; its own are faster, and `install()` puts them on `globalThis`.
 * `slipway run` and compiled programs do that, and `installDeno()`, before the first line of the handler runs.
 */

import { trackRequests } from "./runtime/request-context.ts";

export { type DenoServeOptions, installDeno } from "./deno/mod.ts";
export { fetch, Headers, install, Request, Response } from "./fetch/mod.ts";
export {
  type ErrorHandler,
  type Handler,
  type Handler as ServeHandler,
  HttpServer,
  type ServeHandlerInfo,
  type ServeOptions,
  type ServeTcpOptions,
  type ServeUnixOptions,
  serve,
} from "./http/mod.ts";
export * from "./net/mod.ts";
export { type ProxyHandler, proxy, type ReverseProxyOptions, type UpstreamState } from "./proxy/mod.ts";
export { errors, type GoOptions, go, Task, taskCount, tasks } from "./runtime/mod.ts";
export { type ServeDirOptions, type ServeFileOptions, serveDir, serveFile } from "./static/mod.ts";
export * from "./tls/mod.ts";
export type { Server, ServerOptions } from "./types.ts";
export {
  broadcast,
  type OpenedWebSocket,
  type UpgradedWebSocket,
  type UpgradeWebSocketOptions,
  upgradeWebSocket,
  upgradeWebSocketStream,
  type WebSocketCloseInfo,
  WebSocketError,
  type WebSocketStreamUpgrade,
  type WebSocketUpgrade,
} from "./websocket/mod.ts";

// A program that imports this can call `go`, which must find its request also after an await.
trackRequests(true);
