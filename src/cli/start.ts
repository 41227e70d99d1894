/**
 * From a module to a running server: what `slipway run` and every compiled server have in common.
 *
 * This is on the way to a compiled server's first answer, so it imports only what every start needs: HTTP and the
 * network are loaded when the module's shape is known, flags are read by node:util, and what an option turns on is
 * imported when it is on.
 */
import { handover, inheritedFd, inheritedPath } from "../net/handover.ts";
import type { Listener } from "../net/mod.ts";
import { limitOptions } from "../options/limits.ts";
import { type Level, type Resolved, resolve } from "../options/resolve.ts";
import { limitTable } from "../options/table.ts";
import { addressAsked, chooseAddresses, displayAddress, type ListenAddress } from "./address.ts";
import { type Effects, watchEffects } from "./effects.ts";
import { type Drained, endOnSignals, type RunningApp } from "./ending.ts";
import { errorText, ProgramFailure } from "./errors.ts";
import { nothingServed, type Offer, readHooks, readOffer } from "./handler.ts";
import { openListener } from "./listener.ts";
import { tell } from "./output.ts";
import { environmentLevel, fileLevel, warningsOf } from "./settings.ts";

export type Namespace = Readonly<Record<string, unknown>>;

export interface StartSettings {
  /** How messages name the module. */
  readonly file: string;
  /** How messages name us: "slipway", or the compiled server's own name. */
  readonly program: string;
  /** What the command line asks for. */
  readonly flags: Level;
  /** Shows each option and where it came from, and ends; nothing is served. */
  readonly print?: "text" | "json";
  /** Takes the place of binding an address: `run --watch` hands over a listener that is open already. */
  readonly open?: (address: ListenAddress) => Listener | Promise<Listener>;
  /** Told once connections are accepted; prints the addresses when absent. */
  readonly onReady?: (shown: readonly string[], app: RunningApp) => void;
}

/** What every step of a start needs to know. */
interface Start {
  readonly settings: StartSettings;
  /** Command line and environment: known before the program is loaded. */
  readonly levels: readonly Level[];
  readonly effects: Effects;
}

/**
 * Loads a program with Slipway's globals in place, and serves what it exports. Resolves once connections are accepted;
 * undefined when the program listens on its own.
 */
export async function loadAndStart(
  load: () => Promise<Namespace>,
  settings: StartSettings,
): Promise<RunningApp | undefined> {
  await installGlobals();
  const levels = [settings.flags, environmentLevel()];
  const early = resolve(levels);
  if (settings.print !== undefined) await printAtListening(early, settings);
  offerDefaults(early, settings);
  if (settings.open === undefined) await offerInherited(early);
  const effects = watchEffects();
  let namespace: Namespace;
  try {
    namespace = await load();
  } catch (error) {
    throw new ProgramFailure(settings.file, error);
  } finally {
    effects.loaded();
  }
  return startApp(namespace, { settings, levels, effects });
}

/** Our Request, Response, Headers and Deno, before the program's first line runs. */
async function installGlobals(): Promise<void> {
  const [{ install }, { installDeno }] = await Promise.all([import("../fetch/mod.ts"), import("../deno/mod.ts")]);
  install();
  installDeno();
}

/**
 * What a plain program gets from us: its server listens where flags and environment say, if it names no address, keeps
 * to their limits where it names none, and ends gracefully.
 */
function offerDefaults(early: Resolved, { program }: StartSettings): void {
  handover.serving ??= (server) => endOnSignals({ drain: () => server.drain() }, program, true);
  const limits = limitOptions(
    Object.fromEntries(
      limitTable
        .filter(({ name }) => early.entries.some((entry) => entry.name === name && entry.source !== "default"))
        .map(({ name }) => [name, early.settings[name]]),
    ),
  );
  if (!addressAsked(early)) {
    handover.serveDefaults = { limits };
    return;
  }
  const [address] = chooseAddresses(early);
  const used = <T>(value: T): T => {
    defaultsUsed = true;
    return value;
  };
  handover.serveDefaults = {
    limits,
    get port() {
      return used(address.transport === "tcp" ? address.port : undefined);
    },
    get hostname() {
      return used(address.transport === "tcp" ? address.hostname : undefined);
    },
    get path() {
      if (address.transport === "tcp") return undefined;
      return used(address.transport === "fd" ? inheritedPath(address.fd) : address.path);
    },
  };
}

let defaultsUsed = false;

/** A plain program that names no address listens on `fd:3` too. */
async function offerInherited(early: Resolved): Promise<void> {
  if (!chooseAddresses(early).some(({ transport }) => transport === "fd")) return;
  const { listenFd } = await import("../net/mod.ts");
  const { open } = handover;
  handover.open = (options) => {
    const fd = options.transport === "unix" ? inheritedFd(options.path) : undefined;
    return fd === undefined ? open?.(options) : listenFd(Number(fd));
  };
}

/** Serves what a loaded module exports. */
async function startApp(namespace: Namespace, start: Start): Promise<RunningApp | undefined> {
  const { settings } = start;
  const { file, program } = settings;
  const offer = readOffer(namespace, file);
  if (offer.kind === "program") {
    if (settings.print !== undefined) return printAndEnd(resolve(start.levels), settings);
    await expectListening(offer.exports, start);
    return undefined;
  }
  const levels = [...start.levels, fileLevel(offer.options, file)];
  const resolved = resolve(levels);
  for (const line of await warningsOf(resolved, levels, offer.options, file)) tell(`${program}: warning: ${line}\n`);
  if (settings.print !== undefined) return printAndEnd(resolved, settings);

  const addresses = chooseAddresses(resolved);
  const listeners: Listener[] = [];
  for (const address of addresses) listeners.push(await (settings.open ?? openAddress)(address));
  const serve = offer.kind === "fetch" ? await httpServer(offer, resolved, file) : await tcpServer(offer, resolved);
  const drains = listeners.map(serve);
  const app: RunningApp = {
    drainTimeout: resolved.settings.drainTimeout,
    async drain() {
      const drained = await Promise.all(drains.map((drain) => drain()));
      return { cut: drained.reduce((sum, { cut }) => sum + cut, 0) };
    },
  };
  const scheme = offer.kind === "fetch" ? "http" : "tcp";
  const shown = listeners.map((listener, i) => displayAddress(boundAddress(listener, addresses[i]), scheme));
  if (settings.onReady === undefined) for (const one of shown) tell(`Listening on ${one}\n`);
  else settings.onReady(shown, app);
  return app;
}

/** Binds, or takes over what the parent process opened. */
export async function openAddress(address: ListenAddress): Promise<Listener> {
  if (address.transport !== "fd") return openListener(address);
  const { listenFd } = await import("../net/mod.ts");
  return listenFd(Number(address.fd));
}

type Drain = () => Promise<Drained>;

async function httpServer(
  offer: Offer & { kind: "fetch" },
  { settings }: Resolved,
  file: string,
): Promise<(listener: Listener) => Drain> {
  const { serve } = await import("../http/mod.ts");
  const { onError, limits } = readHooks(offer.options, file);
  const options = { ...limitOptions(settings), onListen() {}, ...(onError && { onError }), ...(limits && { limits }) };
  return (listener) => {
    const server = serve({ ...options, listener } as never, offer.handler);
    return () => server.drain();
  };
}

/** Raw connections: the handlers are told by their signal, and have until `drainTimeout`. */
async function tcpServer(
  offer: Offer & { kind: "connect" },
  { settings }: Resolved,
): Promise<(listener: Listener) => Drain> {
  const { serveConn } = await import("../net/mod.ts");
  const { drainDelay, drainTimeout } = settings;
  return (listener) => {
    const server = serveConn(listener, offer.handler);
    return async () => {
      const over = patience(drainTimeout);
      if (drainDelay > 0) await patience(drainDelay).promise;
      const finished = server.shutdown().then(() => true);
      if (await Promise.race([finished, over.promise.then(() => false)])) {
        over.forget();
        return { cut: 0 };
      }
      const cut = server.active;
      server.close();
      return { cut };
    };
  };
}

/** Resolves after so many milliseconds; never, for Infinity. */
function patience(ms: number): { readonly promise: Promise<void>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined;
  return { promise, forget: () => clearTimeout(timer) };
}

/** The address with the port that `port: 0` really got, or what an inherited descriptor listens on. */
function boundAddress(listener: Listener, asked: ListenAddress): ListenAddress {
  const { addr } = listener;
  if (asked.transport === "tcp") return "port" in addr ? { ...asked, port: addr.port } : asked;
  if (asked.transport === "unix") return asked;
  if (addr.transport === "tcp" && "port" in addr) {
    return { transport: "tcp", hostname: addr.hostname, port: addr.port };
  }
  return addr.transport === "unix" ? { transport: "unix", path: addr.path } : asked;
}

/**
 * A module without a default export is a plain program, which is fine if it listens on its own, or does its work and
 * ends. If it exports something else, or did nothing, it is most likely a handler that forgot the word "default".
 */
async function expectListening(exports: readonly string[], { settings, levels, effects }: Start): Promise<void> {
  effects.look();
  // A turn, for programs that open their listener in a promise.
  await new Promise((resolve) => setImmediate(resolve));
  const { isListening } = await import("./listening.ts");
  const { file, program, flags } = settings;
  if (await isListening()) {
    // A flag that does nothing must not do so in silence.
    if (!defaultsUsed && addressAsked(resolve([flags]))) {
      tell(`${program}: ${file} chooses its own address: --port, --host and --unix change nothing\n`);
    }
    for (const line of await warningsOf(resolve(levels), levels, {}, file)) tell(`${program}: warning: ${line}\n`);
    return;
  }
  const failure = nothingServed(exports, file);
  if (exports.length > 0) throw failure;
  effects.end();
  process.once("beforeExit", () => {
    if (effects.any()) return;
    tell(`${errorText(failure, program)}\n`);
    process.exit(1);
  });
}

/** A plain program shows its options when it begins to listen: what it says itself in `Deno.serve` goes before them. */
async function printAtListening(early: Resolved, settings: StartSettings): Promise<void> {
  const { showConfig } = await import("../options/help.ts");
  handover.open = () => {
    process.stdout.write(shownConfig(early, settings, showConfig));
    tell(`${settings.program}: ${settings.file} listens on its own: what it names itself goes before these\n`);
    process.exit(0);
  };
}

async function printAndEnd(resolved: Resolved, settings: StartSettings): Promise<never> {
  const { showConfig } = await import("../options/help.ts");
  await new Promise<void>((done) => process.stdout.write(shownConfig(resolved, settings, showConfig), () => done()));
  process.exit(0);
}

function shownConfig(
  { entries }: Resolved,
  { print }: StartSettings,
  text: typeof import("../options/help.ts").showConfig,
): string {
  return print === "json" ? `${JSON.stringify(entries, undefined, 2)}\n` : text(entries);
}
