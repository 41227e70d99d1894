/** Servers for tests: in this process, on a free port, cut off when the test is over whatever it left running. */
import { install } from "../../../src/fetch/mod.ts";
import { type Handler, type HttpServer, type ServeOptions, serve } from "../../../src/http/mod.ts";
import { logged } from "../../support/logged.ts";
import { patience } from "../../support/patience.ts";
import { identity, overTls } from "../../support/tls.ts";
import { overHttp2 } from "./over-http2.ts";

export { logged };

install();

export interface TestServer {
  readonly server: HttpServer;
  readonly port: number;
  readonly url: string;
  [Symbol.dispose](): void;
}

export function start(handler: Handler, options: ServeOptions = {}): TestServer {
  // Clients that keep their connections would make every end of a server last its whole grace.
  const usual = {
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
    drainIdle: 30,
    ...(overTls && identity),
    h2c: overHttp2,
  };
  const server = serve({ ...usual, ...options }, handler);
  const { addr } = server;
  const port = "port" in addr ? Number(addr.port) : 0;
  return {
    server,
    port,
    url: `${overTls ? "https" : "http"}://127.0.0.1:${port}`,
    [Symbol.dispose]() {
      server.close();
    },
  };
}

/** Waits until `holds`, looking once a turn of the host's loop. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  const until = performance.now() + 20_000 * patience;
  while (!holds()) {
    if (performance.now() > until) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Gives the server `count` turns to do what it should not do. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}
