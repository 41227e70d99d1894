/** A proxy in front of upstreams that say what a test wants, and clients that show what crosses the wire. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ProxyHandler, proxy, type ReverseProxyOptions } from "../../src/proxy/mod.ts";
import { start, type TestServer } from "../http/support/server.ts";

export interface TestProxy extends TestServer {
  readonly handler: ProxyHandler;
}

export function proxied(
  upstreams: string | readonly string[],
  options: ReverseProxyOptions = {},
  server: Parameters<typeof start>[1] = {},
): TestProxy {
  const handler = proxy(upstreams, options);
  const edge = start(handler, server);
  return {
    handler,
    server: edge.server,
    port: edge.port,
    url: edge.url,
    [Symbol.dispose]() {
      edge[Symbol.dispose]();
      handler.close();
    },
  };
}

export interface NodeUpstream {
  readonly base: string;
  readonly port: number;
  /** Requests that it has got. */
  count: number;
  [Symbol.dispose](): void;
}

export async function nodeUpstream(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  port = 0,
): Promise<NodeUpstream> {
  const server = createServer((request, response) => {
    upstream.count++;
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: got } = server.address() as AddressInfo;
  const upstream: NodeUpstream = {
    base: `http://127.0.0.1:${got}`,
    port: got,
    count: 0,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return upstream;
}

/** What a request looks like there, as JSON. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const { method, url, rawHeaders } = request;
    const body = Buffer.concat(parts).toString("latin1");
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method, url, rawHeaders, body: body.slice(0, 100), length: body.length }));
  });
}

export interface Echoed {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly length: number;
}

/** All values of a field. */
export function values({ rawHeaders }: Echoed, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1].toLowerCase() === name);
}

/** A port that nobody listens on. */
export async function deadPort(): Promise<number> {
  const upstream = await nodeUpstream(() => {});
  upstream[Symbol.dispose]();
  return upstream.port;
}
