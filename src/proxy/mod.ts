/**
 * A reverse proxy as a handler: what comes is passed on to upstream servers, and their answers to the client.
 * What does the work is loaded with the first request, or with the first check.
 */
import type { ServeHandlerInfo } from "../http/exchange.ts";
import type { ProxyEngine } from "./engine.ts";
import { type ReverseProxyOptions, readProxySettings } from "./options.ts";

export type { ReverseProxyOptions } from "./options.ts";

export interface UpstreamState {
  readonly name: string;
  /** "out" since it failed. */
  readonly state: "in" | "out";
  /** Requests that it is answering. */
  readonly requests: number;
}

/** A handler that passes requests on. */
export interface ProxyHandler {
  (request: Request, info?: ServeHandlerInfo): Promise<Response>;
  /** What is known of the upstreams in this thread: to be asked by a readiness check, for one. */
  readonly upstreams: readonly UpstreamState[];
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
  const handler = async (request: Request, info?: ServeHandlerInfo): Promise<Response> =>
    (engine ?? (await load())).handle(request, info);
  if (settings.healthPath !== undefined) void load();
  const close = (): void => {
    closed = true;
    engine?.close();
  };
  const asked = settings.upstreams.map(({ name }): UpstreamState => ({ name, state: "in", requests: 0 }));
  return Object.defineProperties(handler, {
    upstreams: { get: () => engine?.states() ?? asked, enumerable: true },
    close: { value: close, enumerable: true },
  }) as ProxyHandler;
}
