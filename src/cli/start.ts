/**
 * From a module to a running server: what `slipway run` and every compiled server have in common.
 *
 * This is on the way to a compiled server's first answer, so it imports only what every start needs: HTTP and the
 * network are loaded when the module's shape is known, and flags are read by node:util.
 */
import { handover } from "../net/handover.ts";
import type { Listener } from "../net/mod.ts";
import {
  type Address,
  chooseAddress,
  displayAddress,
  type Wish,
  wishFromEnvironment,
  wishFromFile,
} from "./address.ts";
import { type Effects, watchEffects } from "./effects.ts";
import { errorText, ProgramFailure } from "./errors.ts";
import { nothingServed, type Offer, readOffer } from "./handler.ts";
import { openListener } from "./listener.ts";
import { tell } from "./output.ts";

export type Namespace = Readonly<Record<string, unknown>>;

export interface StartSettings {
  /** How messages name the module. */
  readonly file: string;
  /** How messages name us: "slipway", or the compiled server's own name. */
  readonly program: string;
  /** What the command line asks for. */
  readonly flags: Wish;
  /** Takes the place of binding an address: `run --watch` hands over a listener that is open already. */
  readonly open?: (address: Address) => Listener | Promise<Listener>;
  /** Told once connections are accepted; prints the address when absent. */
  readonly onReady?: (shown: string) => void;
}

export interface RunningApp {
  /** Stops accepting at once, finishes what runs, resolves when all is done. */
  stop(): Promise<void>;
}

/** How long requests and connections may take to finish after a signal. */
const drainMs = 30_000;

/**
 * Loads a program with Slipway's globals in place, and serves what it exports. Resolves once connections are accepted;
 * undefined when the program listens on its own.
 */
export async function loadAndStart(
  load: () => Promise<Namespace>,
  settings: StartSettings,
): Promise<RunningApp | undefined> {
  await installGlobals();
  offerDefaults(settings);
  const effects = watchEffects();
  let namespace: Namespace;
  try {
    namespace = await load();
  } catch (error) {
    throw new ProgramFailure(settings.file, error);
  } finally {
    effects.loaded();
  }
  return startApp(namespace, settings, effects);
}

/** Our Request, Response, Headers and Deno, before the program's first line runs. */
async function installGlobals(): Promise<void> {
  const [{ install }, { installDeno }] = await Promise.all([import("../fetch/mod.ts"), import("../deno/mod.ts")]);
  install();
  installDeno();
}

/**
 * What a plain program gets from us: its server listens where flags and environment say, if it names no address, and
 * ends gracefully.
 */
function offerDefaults({ flags, program }: StartSettings): void {
  handover.serving ??= (server) => endOnSignals({ stop: () => server.shutdown() }, program, true);
  const levels = [flags, wishFromEnvironment(process.env)];
  if (!levels.some(isWish)) return;
  const address = chooseAddress(levels);
  const defaults = address.transport === "unix" ? { path: address.path } : address;
  Object.defineProperty(handover, "serveDefaults", {
    get() {
      defaultsUsed = true;
      return defaults;
    },
  });
}

let defaultsUsed = false;

function isWish({ port, hostname, unix }: Wish): boolean {
  return (port ?? hostname ?? unix) !== undefined;
}

/** Serves what a loaded module exports. */
async function startApp(
  namespace: Namespace,
  settings: StartSettings,
  effects: Effects,
): Promise<RunningApp | undefined> {
  const offer = readOffer(namespace, settings.file);
  if (offer.kind === "program") {
    await expectListening(offer.exports, settings, effects);
    return undefined;
  }
  const address = chooseAddress([
    settings.flags,
    wishFromEnvironment(process.env),
    wishFromFile(offer.options, settings.file),
  ]);
  const listener = await (settings.open ?? openListener)(address);
  const app = offer.kind === "fetch" ? await serveHttp(offer, listener) : await serveTcp(offer, listener);
  const shown = displayAddress(boundAddress(listener, address), offer.kind === "fetch" ? "http" : "tcp");
  if (settings.onReady === undefined) tell(`Listening on ${shown}\n`);
  else settings.onReady(shown);
  return app;
}

async function serveHttp(offer: Offer & { kind: "fetch" }, listener: Listener): Promise<RunningApp> {
  const { serve } = await import("../http/mod.ts");
  // Only a plain object's: Hono's app has an onError that registers one.
  const plain = Object.getPrototypeOf(offer.options) === Object.prototype;
  const onError = plain ? offer.options.onError : undefined;
  const server = serve(
    { listener, onListen() {}, ...(typeof onError === "function" ? { onError: onError as never } : {}) },
    offer.handler,
  );
  return { stop: () => server.shutdown() };
}

async function serveTcp(offer: Offer & { kind: "connect" }, listener: Listener): Promise<RunningApp> {
  const { serveConn } = await import("../net/mod.ts");
  const served = serveConn(listener, offer.handler).finished;
  return {
    stop() {
      listener.close();
      return served.then(() => {});
    },
  };
}

/** The address with the port that `port: 0` really got. */
function boundAddress(listener: Listener, asked: Address): Address {
  const { addr } = listener;
  return asked.transport === "tcp" && "port" in addr ? { ...asked, port: addr.port } : asked;
}

/**
 * A module without a default export is a plain program, which is fine if it listens on its own, or does its work and
 * ends. If it exports something else, or did nothing, it is most likely a handler that forgot the word "default".
 */
async function expectListening(exports: readonly string[], settings: StartSettings, effects: Effects): Promise<void> {
  effects.look();
  // A turn, for programs that open their listener in a promise.
  await new Promise((resolve) => setImmediate(resolve));
  const { isListening } = await import("./listening.ts");
  if (await isListening()) {
    // A flag that does nothing must not do so in silence.
    if (isWish(settings.flags) && !defaultsUsed) {
      tell(`${settings.program}: ${settings.file} chooses its own address: --port, --host and --unix change nothing\n`);
    }
    return;
  }
  const failure = nothingServed(exports, settings.file);
  if (exports.length > 0) throw failure;
  effects.end();
  process.once("beforeExit", () => {
    if (effects.any()) return;
    tell(`${errorText(failure, settings.program)}\n`);
    process.exit(1);
  });
}

const ending: { readonly stop: () => Promise<void>; readonly yields: boolean }[] = [];

/**
 * SIGINT and SIGTERM end the server gracefully with exit code 0; a second signal, or time running out, ends it at once.
 * With `yields`, a program that listens to the signal itself is left to it.
 */
export function endOnSignals(app: RunningApp, program: string, yields = false): void {
  if (ending.push({ stop: () => app.stop(), yields }) > 1) return;
  let began = false;
  const end = (signal: "SIGINT" | "SIGTERM", code: number) => {
    if (ending.every((one) => one.yields) && process.listenerCount(signal) > 1) return;
    if (began) process.exit(code);
    began = true;
    setTimeout(() => {
      tell(`${program}: not finished ${drainMs / 1000} s after ${signal}: ending now\n`);
      process.exit(1);
    }, drainMs);
    Promise.all(ending.map((one) => one.stop())).then(
      () => process.exit(0),
      (error) => {
        tell(`${errorText(error, program)}\n`);
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", () => end("SIGINT", 130));
  process.on("SIGTERM", () => end("SIGTERM", 143));
}
