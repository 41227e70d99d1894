/**
 * A reverse proxy as a handler: what comes is passed on to upstream servers, and their answers to the client.
 * What does the work is loaded with the first request, or with the first check.
 */
import type { ServeHandlerInfo } from "../http/exchange.ts";
import type { ProxyEngine } from "./engine.ts";
import { type ReverseProxyOptions, readProxySettings } from "./options.ts";

export type { ReverseProxyOptions } from "./options.ts";

/** A handler that passes requests on. */
export interface ProxyHandler {
  (request: Request, info: ServeHandlerInfo): Promise<Response>;
  /** Ends checks and idle connections; what runs is not cut. */
  close(): void;
}

/**
 * Passes requests on to a server, or to several of which each is tried in turn: `http://host:port` or `unix:/path`.
 *
 * ```ts
 * import { proxy, serve } from "slipway";
 * const app = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("hello"));
 * const pass = proxy(`http://127.0.0.1:${app.addr.port}`);
 * const edge = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, pass);
 * const answer = await fetch(`http://127.0.0.1:${edge.addr.port}/`);
 * console.assert((await answer.text()) === "hello");
 * pass.close();
 * await Promise.all([edge.shutdown(), app.shutdown()]);
 * ```
 */
export function proxy(
  upstreams: string | URL | readonly (string | URL)[],
  options: ReverseProxyOptions = {},
): ProxyHandler {
  const settings = readProxySettings(upstreams, options);
  let engine: ProxyEngine | undefined;
  let loading: Promise<ProxyEngine> | undefined;
  let closed = false;
  const load = (): Promise<ProxyEngine> =>
    (loading ??= import("./engine.ts").then(({ ProxyEngine }) => {
      engine = new ProxyEngine(settings);
      if (closed) engine.close();
      return engine;
    }));
  const handler = async (request: Request, info: ServeHandlerInfo): Promise<Response> =>
    (engine ?? (await load())).handle(request, info);
  if (settings.healthPath !== undefined) void load();
  return Object.assign(handler, {
    close(): void {
      closed = true;
      engine?.close();
    },
  });
}
