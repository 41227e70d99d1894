/** What a handler file exports as its default: an HTTP server, or one task per raw connection. */
import type { ErrorHandler, Handler } from "./http/mod.ts";
import type { Conn } from "./net/mod.ts";

/** Where to listen, unless a flag or the environment says otherwise. */
export interface ServerOptions {
  /** @default {8000} */
  port?: number;
  /** @default {"0.0.0.0"} */
  hostname?: string;
  /** The path of a Unix socket, instead of a port. */
  unix?: string;
}

/** `export default { fetch(request) { … } } satisfies Server`, or with `connect`. */
export type Server =
  | (ServerOptions & { fetch: Handler; onError?: ErrorHandler })
  | (ServerOptions & { connect(conn: Conn, signal: AbortSignal): void | Promise<void> });
