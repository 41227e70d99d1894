/**
 * Where a server listens. Flag beats environment beats file beats default; a Unix path and a port exclude each other
 * at the same level, and at different levels the higher one decides which of the two it is.
 */
import { Failure, UsageError } from "./errors.ts";

/** What was asked for at one level: on the command line, in the environment, or beside the handler. */
export interface Wish {
  readonly port?: number;
  readonly hostname?: string;
  readonly unix?: string;
}

export type Address =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** Deno's defaults: every IPv4 interface, port 8000. */
export const defaultHostname = "0.0.0.0";
export const defaultPort = 8000;

/** A port number from text: 0 (any free one) to 65535. */
export function parsePort(text: string, source: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) {
    throw new UsageError(`${source} must be a whole number from 0 (any free port) to 65535, not '${text}'`);
  }
  return port;
}

/** The command line's level: values as text, checked here so that `run` and compiled servers agree. */
export function wishFromFlags(flags: { port?: string; host?: string; unix?: string }): Wish {
  if (flags.unix !== undefined && (flags.port !== undefined || flags.host !== undefined)) {
    const other = flags.port !== undefined ? "--port" : "--host";
    throw new UsageError(`--unix and ${other} exclude each other: a server listens on a path or on a port`);
  }
  return {
    port: flags.port === undefined ? undefined : parsePort(flags.port, "--port"),
    hostname: flags.host === undefined ? undefined : parseText(flags.host, "--host", "an address or a name"),
    unix: flags.unix === undefined ? undefined : parseText(flags.unix, "--unix", "the path of a socket"),
  };
}

/** The environment's level: SLIPWAY_PORT, SLIPWAY_HOST, SLIPWAY_UNIX. */
export function wishFromEnvironment(env: Readonly<Record<string, string | undefined>>): Wish {
  const { SLIPWAY_PORT: port, SLIPWAY_HOST: hostname, SLIPWAY_UNIX: unix } = env;
  if (unix && port) throw new UsageError("SLIPWAY_UNIX and SLIPWAY_PORT are both set: unset one of them");
  return {
    port: port ? parsePort(port, "the environment's SLIPWAY_PORT") : undefined,
    hostname: hostname || undefined,
    unix: unix || undefined,
  };
}

/** The file's level: `export default { fetch, port, hostname, unix }`; `path`, Deno's name for `unix`, will do. */
export function wishFromFile(exported: Readonly<Record<string, unknown>>, file: string): Wish {
  const { port, hostname, path, unix = path } = exported;
  if (port !== undefined && !(typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new Failure(`${file}: 'port' of the default export must be a whole number from 0 to 65535, not ${port}`);
  }
  for (const [key, value] of Object.entries({ hostname, unix })) {
    if (value !== undefined && typeof value !== "string") {
      throw new Failure(`${file}: '${key}' of the default export must be a string, not ${typeof value}`);
    }
  }
  if (port !== undefined && unix !== undefined) {
    throw new Failure(`${file}: the default export has both 'port' and 'unix': keep one of them`);
  }
  return { port, hostname: hostname as string | undefined, unix: unix as string | undefined };
}

/** Puts the levels together, the strongest first. */
export function chooseAddress(levels: readonly Wish[]): Address {
  for (const level of levels) {
    if (level.unix !== undefined) return { transport: "unix", path: level.unix };
    if (level.port !== undefined || level.hostname !== undefined) break;
  }
  const pick = <K extends "port" | "hostname">(key: K) => levels.find((level) => level[key] !== undefined)?.[key];
  return { transport: "tcp", hostname: pick("hostname") ?? defaultHostname, port: pick("port") ?? defaultPort };
}

/** How an address is shown: something to click on, so "every interface" is shown as localhost. */
export function displayAddress(address: Address, scheme: "http" | "tcp"): string {
  if (address.transport === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  const shown = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  const host = shown.includes(":") ? `[${shown}]` : shown;
  return scheme === "http" ? `http://${host}:${port}/` : `tcp://${host}:${port}`;
}

function parseText(text: string, source: string, what: string): string {
  if (text === "") throw new UsageError(`${source} is empty: give ${what}`);
  return text;
}
