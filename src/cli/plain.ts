/**
 * Plain programs, which export nothing and listen on their own (`Deno.serve`, `Deno.listen`, `node:http`): what the
 * command line gives them, and whether they did anything at all.
 */
import { handover, inheritedFd, inheritedPath, type Stoppable } from "../net/handover.ts";
import { showAddress } from "../options/address.ts";
import { limitOptions } from "../options/limits.ts";
import { type Level, type Resolved, resolve } from "../options/resolve.ts";
import { limitTable } from "../options/table.ts";
import { logLine } from "../runtime/log.ts";
import { addressAsked, chooseAddresses, type ListenAddress } from "./address.ts";
import type { Beside } from "./beside.ts";
import type { Effects } from "./effects.ts";
import { endOnSignals } from "./ending.ts";
import { errorText } from "./errors.ts";
import { nothingServed } from "./handler.ts";
import { tell } from "./output.ts";
import { readTls } from "./tls.ts";

/** The port of the first HTTP server that the program has opened. */
const opened = Promise.withResolvers<number>();
let openedYet = false;

export const firstPort = (): Promise<number> => opened.promise;
export const hasOpened = (): boolean => openedYet;

/** Somebody asked for the address that `offerDefaults` has. */
let defaultsUsed = false;

/**
 * A program's server listens where flags and environment say, or on what systemd passed, if it names no address; keeps
 * to their limits where it names none; and ends gracefully.
 */
export async function offerDefaults(
  early: Resolved,
  program: string,
  beside: Beside | undefined,
  { inThread = false, dry = false } = {},
): Promise<void> {
  const { serving = (server: Stoppable) => endOnSignals({ drain: () => server.drain() }, program, true) } = handover;
  handover.serving = (server) => {
    const { addr } = server as { addr?: { readonly port?: number } };
    if (addr?.port !== undefined) {
      openedYet = true;
      opened.resolve(addr.port);
    }
    serving(server);
  };
  const { settings, entries } = early;
  const said = new Set<string>(entries.filter(({ source }) => source !== "default").map(({ name }) => name));
  const limits = limitOptions(
    Object.fromEntries(limitTable.flatMap(({ name }) => (said.has(name) ? [[name, settings[name]]] : []))),
  );
  const { h2c, compress, proxyProtocol, trustProxy } = settings;
  const [passed] = beside?.supervised?.sockets ?? [];
  const asked = addressAsked(early) ? chooseAddresses(early) : [];
  const address: ListenAddress | undefined = asked[0] ?? (passed && { transport: "fd", fd: String(passed.fd) });
  const use = <T>(value: T): T => {
    // Not in silence: a port that nobody answers on.
    if (!defaultsUsed && asked.length > 1) {
      const rest = asked.slice(1).map(showAddress).join(", ");
      logLine(`this program opens its server itself, on the first address only: ${rest} is not listened on`);
    }
    defaultsUsed = true;
    return value;
  };
  // Whoever only looks at the options is made no certificate.
  const tls = dry && settings.tls === "self-signed" ? undefined : await readTls(early);
  handover.serveDefaults = {
    limits,
    h2c,
    compress,
    proxyProtocol,
    trustProxy,
    ...(tls && { tls }),
    get port() {
      return address?.transport === "tcp" ? use(address.port) : undefined;
    },
    get hostname() {
      return address?.transport === "tcp" ? use(address.hostname) : undefined;
    },
    get path() {
      if (address?.transport === "unix") return use(address.path);
      return address?.transport === "fd" ? use(inheritedPath(address.fd)) : undefined;
    },
  };
  // In a worker thread the main thread opens it.
  if (address?.transport === "fd" && beside !== undefined && !inThread) await openInherited(beside);
}

/** `fd:3`, for a program that knows of it only as the default. */
async function openInherited({ supervised }: Beside): Promise<void> {
  const { listenFd } = await import("../net/mod.ts");
  const { open } = handover;
  handover.open = (options) => {
    const fd = options.transport === "unix" ? inheritedFd(options.path) : undefined;
    return fd === undefined ? open?.(options) : listenFd(supervised?.descriptor(fd) ?? Number(fd));
  };
}

/** A program that has been loaded, and whatever is known of it. */
export interface PlainProgram {
  readonly exports: readonly string[];
  readonly file: string;
  /** How messages name us. */
  readonly program: string;
  readonly flags: Level;
  readonly effects: Effects;
  /** In a worker thread: whether it is the one that says what all could. */
  readonly thread?: { readonly speaks: boolean };
}

/**
 * Resolves with whether it listens; one that does its work and ends is fine as well. If it exports something else, or
 * did nothing, it is most likely a handler that forgot the word "default".
 */
export async function expectListening({
  exports,
  file,
  program,
  flags,
  effects,
  thread,
}: PlainProgram): Promise<boolean> {
  effects.look();
  // A turn, for programs that open their listener in a promise.
  await new Promise((resolve) => setImmediate(resolve));
  const { isListening } = await import("./listening.ts");
  if (await isListening()) {
    // A flag that does nothing must not do so in silence.
    if (!defaultsUsed && thread?.speaks !== false && addressAsked(resolve([flags]))) {
      tell(`${program}: ${file} chooses its own address: --port, --host and --unix change nothing\n`);
    }
    return true;
  }
  const failure = nothingServed(exports, file);
  if (exports.length > 0) throw failure;
  effects.end();
  process.once("beforeExit", () => {
    if (effects.any()) return;
    tell(`${errorText(failure, program)}\n`);
    process.exit(1);
  });
  return false;
}
