/** Listening, and a server of either kind on each listener. */
import { handover } from "../net/handover.ts";
import type { Listener } from "../net/mod.ts";
import { limitOptions } from "../options/limits.ts";
import type { Resolved } from "../options/resolve.ts";
import type { ListenAddress } from "./address.ts";
import type { Drained } from "./ending.ts";
import { Failure } from "./errors.ts";
import type { Hooks, Offer } from "./handler.ts";
import { openListener } from "./listener.ts";
import { readTls } from "./tls.ts";

export type Drain = () => Promise<Drained>;

/** Binds, or takes over what the parent process opened; `descriptor` knows the names that systemd gave. */
export async function openAddress(
  address: ListenAddress,
  descriptor: (text: string) => number = Number,
): Promise<Listener> {
  if (address.transport !== "fd") return openListener(address);
  const { listenFd } = await import("../net/mod.ts");
  try {
    return listenFd(descriptor(address.fd));
  } catch (error) {
    throw error instanceof TypeError ? new Failure(error.message) : error;
  }
}

/** The address with the port that `port: 0` really got, or what an inherited descriptor listens on. */
export function boundAddress(listener: Listener, asked: ListenAddress): ListenAddress {
  const { addr } = listener;
  if (asked.transport === "unix") return asked;
  if ("port" in addr) {
    const hostname = asked.transport === "tcp" ? asked.hostname : addr.hostname;
    return { transport: "tcp", hostname, port: addr.port };
  }
  return asked.transport === "fd" ? { transport: "unix", path: addr.path } : asked;
}

/** Serves what the program exports on every listener; gives what ends each of them. */
export async function serveOffer(
  offer: Exclude<Offer, { kind: "program" }>,
  hooks: Hooks,
  resolved: Resolved,
  listeners: readonly Listener[],
): Promise<readonly Drain[]> {
  const serve = offer.kind === "fetch" ? await httpServer(offer, hooks, resolved) : await tcpServer(offer, resolved);
  // Told of the servers that programs open themselves; these are ours.
  const { serving } = handover;
  handover.serving = undefined;
  try {
    return listeners.map(serve);
  } finally {
    handover.serving = serving;
  }
}

/**
 * A listener of http beside those of https, on which everything is sent there. `ofProgram`: it ends as the servers do that
 * the program opens itself.
 */
export async function serveRedirects(
  listener: Listener,
  port: number,
  { settings }: Resolved,
  ofProgram = false,
): Promise<Drain> {
  const [{ serve }, { redirectToHttps }] = await Promise.all([import("../http/mod.ts"), import("../http/redirect.ts")]);
  const { proxyProtocol, trustProxy } = settings;
  const { serving } = handover;
  if (!ofProgram) handover.serving = undefined;
  try {
    const options = {
      ...limitOptions(settings),
      // What a proxy says of the scheme would have us redirect what came by https.
      ...(proxyProtocol && { proxyProtocol, trustProxy }),
    };
    const server = serve({ ...options, plain: true, listener, onListen() {} }, redirectToHttps(port));
    // What holds the process is the program's own.
    if (ofProgram) server.unref();
    return () => server.drain();
  } finally {
    handover.serving = serving;
  }
}

async function httpServer(
  { handler }: Offer & { kind: "fetch" },
  { onError, limits }: Hooks,
  resolved: Resolved,
): Promise<(listener: Listener) => Drain> {
  const { serve } = await import("../http/mod.ts");
  const { settings } = resolved;
  const { h2c, compress, proxyProtocol, trustProxy } = settings;
  const tls = await readTls(resolved);
  const options = {
    ...(tls && { tls }),
    ...limitOptions(settings),
    ...(h2c && { h2c }),
    ...(compress && { compress }),
    ...(proxyProtocol && { proxyProtocol }),
    ...(trustProxy.length > 0 && { trustProxy }),
    ...(onError && { onError }),
    ...(limits && { limits }),
    onListen() {},
  };
  return (listener) => {
    const server = serve({ ...options, listener }, handler);
    return () => server.drain();
  };
}

/** Raw connections: the handlers are told by their signal, and have until `drainTimeout`. */
async function tcpServer(
  { handler }: Offer & { kind: "connect" },
  resolved: Resolved,
): Promise<(listener: Listener) => Drain> {
  const { settings } = resolved;
  const { serveConn } = await import("../net/mod.ts");
  const { drainDelay, drainTimeout, proxyProtocol, trustProxy } = settings;
  const { maxConnections, readHeaderTimeout } = limitOptions(settings);
  const options = { maxConnections, ...(proxyProtocol && { proxyProtocol, trustProxy, readHeaderTimeout }) };
  // What is spoken within is the handler's business: nothing is offered by ALPN.
  const tls = await readTls(resolved, "raw");
  const secure = tls && (await import("../tls/listen.ts")).secureListener;
  return (listener) => {
    if (tls !== undefined) secure?.(listener, tls, settings.readHeaderTimeout);
    const server = serveConn(listener, handler, options);
    return async () => {
      const over = patience(drainTimeout);
      if (drainDelay > 0) await Promise.race([patience(drainDelay).promise, over.promise]);
      const finished = server.shutdown().then(() => true);
      const inTime = await Promise.race([finished, over.promise.then(() => false)]);
      over.forget();
      const cut = inTime ? 0 : server.active;
      if (!inTime) server.close();
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
