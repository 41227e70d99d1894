/**
 * From a module to a running server: what `slipway run` and every compiled server have in common.
 *
 * This is on the way to a compiled server's first answer, so it imports only what every start needs: HTTP and the
 * network are loaded when the module's shape is known, flags are read by node:util, and what an option turns on is
 * imported when it is on.
 */

import type { Bundle } from "../bundle/mod.ts";
import { setFetchSettings } from "../client/settings.ts";
import { cacheSettings } from "../deno/cache.ts";
import { fireLoad, hasFailed, isLoadHandled } from "../deno/global-events.ts";
import { workerHost } from "../deno/worker.ts";
import type { Listener } from "../net/mod.ts";
import { type Level, type Resolved, resolve } from "../options/resolve.ts";
import { announce, logLine } from "../runtime/log.ts";
import { setWebSocketSettings } from "../websocket/settings.ts";
import { addressAsked, chooseAddresses, displayAddress, type ListenAddress } from "./address.ts";
import { type Beside, checkBeside, ofProgram, programLoaded, standBeside } from "./beside.ts";
import { type Effects, watchEffects } from "./effects.ts";
import type { RunningApp } from "./ending.ts";
import { die, Failure, ProgramFailure } from "./errors.ts";
import { type Offer, readHooks, readOffer } from "./handler.ts";
import { tell } from "./output.ts";
import { expectListening, firstPort, hasOpened, offerDefaults } from "./plain.ts";
import type { PrintFormat } from "./print-config.ts";
import { boundAddress, openAddress, serveOffer, serveRedirects } from "./serving.ts";
import { environmentLevel, fileLevel, warningsOf } from "./settings.ts";
import { checkTls, redirectAddress, speaksTls } from "./tls.ts";

export type Namespace = Readonly<Record<string, unknown>>;

export interface StartSettings {
  /** How messages name the module. */
  readonly file: string;
  /** How messages name us: "slipway", or the compiled server's own name. */
  readonly program: string;
  /** What the command line asks for. */
  readonly flags: Level;
  /** Shows each option and where it came from, and ends; nothing is served. */
  readonly print?: PrintFormat;
  /** Takes the place of binding an address: `run --watch` hands over a listener that is open already. */
  readonly open?: (address: ListenAddress) => Listener | Promise<Listener>;
  /** What worker threads load (`--parallel`). Absent in an executable, which has it in itself. */
  readonly bundle?: Bundle;
  /** This is a worker thread: what stands beside its server, and whether others say what is doubtful. */
  readonly thread?: { readonly beside: (early: Resolved) => Promise<Beside>; readonly speaks: boolean };
  /** Told of servers of node:http. */
  readonly onNodeServer?: () => void;
  /** Told once connections are accepted; prints the addresses when absent. */
  readonly onReady?: (shown: readonly string[], app: RunningApp, resolved: Resolved) => void;
}

/** What every step of a start needs to know. */
export interface Start extends StartSettings {
  /** Command line and environment: known before the program is loaded. */
  readonly levels: readonly Level[];
  /** What they come to. */
  readonly early: Resolved;
  readonly effects: Effects;
  /** Absent where nothing is served. */
  readonly beside: Beside | undefined;
}

/**
 * Loads a program with Slipway's globals in place, and serves what it exports. Resolves once connections are accepted;
 * undefined when the program listens on its own.
 */
export async function loadAndStart(
  load: () => Promise<Namespace>,
  settings: StartSettings,
): Promise<RunningApp | undefined> {
  const { file, program, flags, print } = settings;
  workerHost.start = async (...args) => (await import("./web-worker/host.ts")).startThread(...args, { flags, program });
  await installGlobals();
  const levels = [flags, environmentLevel()];
  const early = resolve(levels);
  limitRest(early);
  // A child of `run --watch` has its parent for a supervisor.
  const { thread } = settings;
  const stand = thread?.beside ?? ((resolved: Resolved) => standBeside(resolved, settings.open === undefined));
  const beside = print === undefined ? await stand(early) : undefined;
  if (print !== undefined) {
    await checkBeside(early);
    (await import("./print-config.ts")).printAtListening(early, print, program, file);
  }
  const own = settings.open === undefined || thread !== undefined;
  await offerDefaults(early, program, own ? beside : undefined, {
    inThread: thread !== undefined,
    dry: print !== undefined,
  });
  if (beside !== undefined && thread === undefined && early.settings.parallel !== 1) {
    const { startThreads, threadsOf } = await import("./threads.ts");
    const count = threadsOf(early);
    if (count > 1) return startThreads({ ...settings, early, beside }, count);
  }
  const effects = watchEffects((server) => {
    settings.onNodeServer?.();
    void import("./node-servers.ts").then(({ nodeServer }) => nodeServer(server, early.settings.drainTimeout));
  });
  const start = { ...settings, levels, early, effects, beside };
  const waiting =
    print === undefined && early.settings.redirectHttp !== undefined ? redirectUnloaded(start) : undefined;
  let namespace: Namespace;
  try {
    namespace = await load();
    fireLoad();
  } catch (error) {
    if (!isLoadHandled(error)) {
      hasFailed();
      throw new ProgramFailure(file, error);
    }
    // What it has begun goes on.
    namespace = {};
  } finally {
    waiting?.stop();
    effects.loaded();
    if (beside !== undefined) programLoaded(beside);
  }
  const offer = readOffer(namespace, file);
  if (offer.kind !== "program") return startApp(offer, start);
  await startProgram(offer.exports, start);
  return undefined;
}

/** Our Request, Response, Headers and Deno, before the program's first line runs. */
export async function installGlobals(): Promise<void> {
  const [{ install }, { installDeno }] = await Promise.all([import("../fetch/mod.ts"), import("../deno/mod.ts")]);
  install(() => import("../client/mod.ts"));
  installDeno();
}

/** What the program's WebSockets and its own requests keep to. */
export function limitRest({ settings }: Resolved): void {
  setFetchSettings({
    connectTimeout: settings.fetchConnectTimeout,
    headerTimeout: settings.fetchHeaderTimeout,
    bodyTimeout: settings.fetchBodyTimeout,
    idleTimeout: settings.fetchIdleTimeout,
    maxIdlePerHost: settings.fetchMaxIdlePerHost,
    maxIdle: settings.fetchMaxIdle,
  });
  cacheSettings.maxBytes = settings.cacheMaxBytes;
  setWebSocketSettings({
    idleTimeout: settings.wsIdleTimeout,
    messageTimeout: settings.wsMessageTimeout,
    closeTimeout: settings.wsCloseTimeout,
    writeTimeout: settings.writeTimeout,
    minRate: settings.minRate,
    maxMessage: settings.wsMaxMessageBytes,
    maxFrame: settings.wsMaxFrameBytes,
    maxBuffered: settings.wsMaxBufferedBytes,
    compression: settings.wsCompression === "on",
    memory: settings.wsMemory,
  });
}

/** Serves what the module exports. */
async function startApp(offer: Exclude<Offer, { kind: "program" }>, start: Start): Promise<RunningApp | undefined> {
  const { file, print, beside } = start;
  const hooks = readHooks(offer.options, file);
  const fromFile = fileLevel(offer.options, file);
  const levels = [...start.levels, fromFile];
  // Most files say nothing.
  const resolved = Object.keys(fromFile.values).length === 0 ? start.early : resolve(levels);
  limitRest(resolved);
  const warnings = await warningsOf(resolved, levels, offer.options, file);
  if (print !== undefined) {
    chooseAddresses(resolved);
    await checkBeside(resolved);
    for (const line of warnings) tell(`${start.program}: warning: ${line}\n`);
    return (await import("./print-config.ts")).printAndEnd(resolved, print);
  }
  if (
    start.thread === undefined &&
    beside !== undefined &&
    resolved.settings.parallel !== start.early.settings.parallel
  ) {
    const { startThreads, threadsOf } = await import("./threads.ts");
    // Only the file says so: here it is read and no more, there it serves.
    const count = threadsOf(resolved);
    if (count > 1) return startThreads({ ...start, beside }, count);
  }
  const addresses = activated(start) ?? chooseAddresses(resolved);
  const open = start.open ?? ((address: ListenAddress) => openAddress(address, beside?.supervised?.descriptor));
  const listeners: Listener[] = [];
  for (const address of addresses) listeners.push(await open(address));
  checkTls(resolved);
  const redirect = redirectAddress(resolved);
  if (redirect !== undefined && offer.kind !== "fetch") {
    throw new Failure("--redirect-http is for servers of HTTP: 'connect' handlers are none");
  }
  const redirecting = redirect === undefined ? undefined : await open(redirect);
  await beside?.open(resolved, hooks.ready);
  if (start.thread?.speaks !== false) for (const line of warnings) logLine(line);
  const drains = [...(await serveOffer(offer, hooks, resolved, listeners))];
  if (redirecting !== undefined) {
    drains.push(await serveRedirects(redirecting, httpsPort(resolved, listeners), resolved));
  }
  const app: RunningApp = {
    drainTimeout: resolved.settings.drainTimeout,
    async drain() {
      const drained = await Promise.all(drains.map((drain) => drain()));
      return { cut: drained.reduce((sum, { cut }) => sum + cut, 0) };
    },
  };
  const [plain, secure] = offer.kind === "fetch" ? (["http", "https"] as const) : (["tcp", "tls"] as const);
  const scheme = speaksTls(resolved.settings) ? secure : plain;
  const shown = listeners.map((listener, i) => displayAddress(boundAddress(listener, addresses[i]), scheme));
  if (redirecting !== undefined && redirect !== undefined) {
    shown.push(`${displayAddress(boundAddress(redirecting, redirect), "http")} (redirects to https)`);
  }
  if (start.onReady === undefined) for (const one of shown) announce(`Listening on ${one}`);
  else start.onReady(shown, app, resolved);
  await beside?.serving(shown.join(", "));
  return app;
}

/** How long a program may go on loading behind its first server, until it is one that never ends with that. */
const LOADING_MS = 1000;

/** A program that awaits its server's end at its top level has its redirects all the same. */
function redirectUnloaded(start: Start): { stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let loaded = false;
  const late = (): void => {
    const address = redirectAddress(start.early);
    if (address !== undefined) void redirectProgram(address, start);
  };
  void firstPort().then(() => {
    if (!loaded) timer = setTimeout(late, LOADING_MS).unref();
  });
  return {
    stop() {
      loaded = true;
      clearTimeout(timer);
    },
  };
}

let redirecting: Promise<void> | undefined;

/** Once, beside the first server that a program opens, which may be long after it was loaded. */
function redirectProgram(address: ListenAddress, start: Start): Promise<void> {
  return (redirecting ??= firstPort()
    .then((port) => redirectTo(port, address, start))
    .catch((error: unknown) => die(error, start.program)));
}

/** Beside the server on this port; ends with it. */
async function redirectTo(port: number, address: ListenAddress, { early, ...start }: Start): Promise<void> {
  const open = start.open ?? ((one: ListenAddress) => openAddress(one, start.beside?.supervised?.descriptor));
  const listener = await open(address);
  await serveRedirects(listener, early.settings.redirectPort || port, early, true);
  if (start.thread?.speaks === false) return;
  announce(`Listening on ${displayAddress(boundAddress(listener, address), "http")} (redirects to https)`);
}

/** The port of https that a redirect names. */
function httpsPort({ settings }: Resolved, [first]: readonly Listener[]): number {
  if (settings.redirectPort !== 0) return settings.redirectPort;
  const { addr } = first;
  return "port" in addr ? addr.port : 443;
}

/** What systemd passed: the unit knows better than the file, and a flag or a variable better than the unit. */
function activated({ early, beside }: Start): readonly ListenAddress[] | undefined {
  const sockets = beside?.supervised?.sockets ?? [];
  if (sockets.length === 0 || addressAsked(early)) return undefined;
  return sockets.map(({ fd }) => ({ transport: "fd", fd: String(fd) }));
}

async function startProgram(exports: readonly string[], start: Start): Promise<void> {
  const { levels, early: resolved, file, print, beside } = start;
  checkTls(resolved);
  const redirect = redirectAddress(resolved);
  if (print !== undefined) return (await import("./print-config.ts")).printAndEnd(resolved, print);
  const redirecting = redirect === undefined ? undefined : redirectProgram(redirect, start);
  if (!(await expectListening({ ...start, exports }))) return;
  if (redirecting !== undefined && !hasOpened()) {
    throw new Failure("--redirect-http is for servers of HTTP on a port: this program opens none");
  }
  await redirecting;
  await beside?.open(ofProgram(resolved));
  if (start.thread?.speaks !== false) for (const line of await warningsOf(resolved, levels, {}, file)) logLine(line);
  await beside?.serving();
}
