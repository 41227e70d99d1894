/**
 * What the command line changes for programs that listen on their own (`Deno.serve`, `Deno.listen`): where a server
 * goes that names no address, and listeners that are open already, which `run --watch` hands from version to version
 * and a restart from process to process (src/supervisor/restart.ts).
 */
import type { LimitOptions } from "../options/limits.ts";
import type { ListenOptions } from "./listen.ts";
import type { Listener } from "./listener.ts";

/** A server that can be told to finish. */
export interface Stoppable {
  shutdown(): Promise<void>;
  /** The same, with how many requests had to be cut. */
  drain(): Promise<{ readonly cut: number }>;
}

/** How a listening socket was asked for: an address, or a descriptor that was open already. */
export type Asked = ListenOptions | { readonly fd: number };

export interface ServeDefaults {
  readonly port?: number;
  readonly hostname?: string;
  readonly path?: string;
  readonly limits?: LimitOptions;
  readonly proxyProtocol?: boolean;
  readonly trustProxy?: readonly string[];
  readonly h2c?: boolean;
  readonly compress?: boolean;
  /** A TlsContext of src/tls, which is above this folder: servers speak TLS with it, whatever the program says. */
  readonly tls?: object;
}

export interface Handover {
  /** Asked before a socket is made: a listener that is open already, or undefined to open one. */
  open?: (options: ListenOptions) => Listener | undefined;
  /** Whether `open` has one for it. */
  has?: (options: ListenOptions) => boolean;
  /** Told of every listening socket: what was asked for, and what it became. */
  opened?: (asked: Asked, listener: Listener) => void;
  /** The address of an HTTP server that names none, and limits that it does not name: from flags and environment. */
  serveDefaults?: ServeDefaults;
  /** Told of every HTTP server. */
  serving?: (server: Stoppable) => void;
}

export const handover: Handover = {};

const INHERITED = "\0slipway fd:";

/** How `serveDefaults` names a socket that came with the process: a path that nobody else has, for `open` to know. */
export function inheritedPath(fd: string): string {
  return INHERITED + fd;
}

/** Which one it is; undefined for any other path. */
export function inheritedFd(path: unknown): string | undefined {
  return typeof path === "string" && path.startsWith(INHERITED) ? path.slice(INHERITED.length) : undefined;
}
