/**
 * Files as a handler: `serveDir` and `serveFile`, by the names and with the options of Deno's `@std/http`.
 *
 * Conditional requests and ranges as RFC 9110 has them, compressed siblings of a file (`app.js.br`), and a page for what a
 * single-page application has routes for. Refused are whatever leads out of the folder, hidden files and listings. What does
 * the work is loaded with the first request.
 */
import type { ServeDirOptions, ServeFileOptions } from "./options.ts";

export type { ServeDirOptions, ServeFileOptions } from "./options.ts";

type Serving = typeof import("./serve.ts");

let serving: Serving | undefined;
const load = async (): Promise<Serving> => (serving = await import("./serve.ts"));

/**
 * Answers with the file of a folder that the request's path names; 404 where there is none.
 *
 * ```ts
 * import { serve, serveDir } from "slipway";
 * const server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) =>
 *   serveDir(request, { fsRoot: new URL("./", import.meta.url), headers: { "x-frame-options": "DENY" } }),
 * );
 * const answer = await fetch(`http://127.0.0.1:${server.addr.port}/no-such-file`);
 * console.assert(answer.status === 404);
 * await server.shutdown();
 * ```
 */
export async function serveDir(request: Request, options: ServeDirOptions = {}): Promise<Response> {
  return (serving ?? (await load())).serveFolder(request, options);
}

/** Answers with this file, whatever the request's path is. */
export async function serveFile(
  request: Request,
  path: string | URL,
  options: ServeFileOptions = {},
): Promise<Response> {
  return (serving ?? (await load())).serveOne(request, path, options);
}
