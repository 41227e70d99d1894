/**
 * The admin port: metrics, health and what the program is at, on a socket of its own and never on the public one. Off
 * unless asked for; loaded, with prom-client, only then.
 */
import { counters, HttpCounters } from "../http/counters.ts";
import { handshakeCounters } from "../http/handshakes.ts";
import { defaultLimits, type Limits } from "../http/limits.ts";
import { showUrl } from "../http/serve.ts";
import { servers } from "../http/servers.ts";
import { type Handler, HttpService } from "../http/service.ts";
import { parseIp } from "../net/ip.ts";
import type { Addr } from "../net/mod.ts";
import type { FamilySamples } from "../parallel/merge.ts";
import { announce } from "../runtime/log.ts";
import { runtime } from "../runtime/turn.ts";
import { takeFew } from "./guests.ts";
import { openLive } from "./live/mod.ts";
import { clientFamilies } from "./metrics/client.ts";
import { Exposition } from "./metrics/exposition.ts";
import { counter, type Family, gauge } from "./metrics/family.ts";
import { httpFamilies } from "./metrics/http.ts";
import { LoopDelay } from "./metrics/loop-delay.ts";
import { processFamilies } from "./metrics/process.ts";
import { runtimeFamilies } from "./metrics/runtime.ts";
import { tlsFamilies } from "./metrics/tls.ts";
import { webSocketFamilies } from "./metrics/websocket.ts";
import { type ConfigEntry, pages } from "./pages.ts";
import { Readiness, type ReadyChecks } from "./ready.ts";
import { Reserve } from "./reserve.ts";
import { openAdminSocket } from "./socket.ts";

export { setDraining } from "./draining.ts";
export { AdminError } from "./errors.ts";
export type { ConfigEntry } from "./pages.ts";
export type { Check, ReadyChecks } from "./ready.ts";

export interface AdminSettings {
  /** `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090` or `unix:/run/admin.sock`; with `insecure` any address. */
  readonly address: string;
  /** Allows an address that other machines reach. */
  readonly insecure: boolean;
  /** The program's own checks, as its default export has them; checked here. */
  readonly ready?: ReadyChecks;
  /** What `/config` shows. */
  readonly config: () => readonly ConfigEntry[];
  /** With `--parallel`: the other threads' part in the metrics. */
  readonly threads?: AdminThreads;
}

export interface AdminThreads {
  /** Asks them for their numbers; whoever does not answer soon is shown as before. `forMs`: how long somebody looks. */
  collect(forMs?: number): Promise<void>;
  /** What each of them told. */
  each(): Iterable<{ readonly number: number; readonly counted: readonly FamilySamples[] }>;
  /** A family with their numbers in it. */
  merged(family: Family): Family;
  /** How many serve, and how many have died since the start. */
  readonly size: number;
  readonly deaths: number;
}

export interface Admin {
  /** Where it listens. */
  readonly addr: Addr;
  /** The same as people would write it: `http://127.0.0.1:9090/`. */
  readonly url: string;
  /** Closes it and its connections at once. A process that exits need not call it. */
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 32;

/** Whoever comes here asks little, gets an answer at once, and leaves or comes again within a minute. */
const limits: Limits = {
  ...defaultLimits,
  readHeaderTimeout: 2_000,
  readTimeout: 2_000,
  // Longer than the longest timeout that a readiness check may have.
  writeTimeout: 65_000,
  // Longer than Prometheus's default interval, so that its connection stays.
  idleTimeout: 75_000,
  maxHeaderBytes: 8 * 1024,
  maxHeaderCount: 64,
  maxBodyBytes: 1024,
  maxConnections: Number.POSITIVE_INFINITY, // guests.ts sees to that
  drainDelay: 0,
  drainIdle: 0,
  drainTimeout: 1_000,
};

/**
 * Opens the admin port, says where, and switches on what only it reads. Throws an AdminError, whose message is one sentence, when
 * the address is refused or taken, or `ready` is none.
 */
export async function openAdmin({ address, insecure, ready, config, threads }: AdminSettings): Promise<Admin> {
  const rt = runtime();
  const readiness = new Readiness(ready);
  const delay = new LoopDelay(() => rt.stats.turns);
  // Before anybody can ask: at the descriptor limit nothing can be loaded any more.
  const families = [
    ...httpFamilies(counters, servers),
    ...tlsFamilies(handshakeCounters, servers),
    ...clientFamilies(),
    ...webSocketFamilies(),
    ...runtimeFamilies(),
    ...processFamilies(delay),
  ];
  const all = threads === undefined ? families : families.map(threads.merged);
  const exposition = new Exposition([
    ...all,
    gauge("slipway_workers", "Worker threads that serve; 0 without --parallel.", () => threads?.size ?? 0),
    counter("slipway_workers_died", "Worker threads that died and were replaced.", () => threads?.deaths ?? 0),
    gauge("slipway_readiness_check_failing", "1 when the check failed when it last ran.", () =>
      readiness.states().map(({ name, ok }) => ({ labels: { check: name }, value: Number(!ok) })),
    ),
  ]);
  const socket = await openAdminSocket(address, insecure);
  const { listener } = socket;
  const reserve = new Reserve(rt);
  const { transport } = socket.address;
  const host = socket.address.transport === "tcp" ? socket.address.hostname : undefined;
  const live = openLive({ families: all, readiness, config, threads, reserve, delay });
  const handler = pages({
    exposition,
    readiness,
    config,
    live,
    host: host !== undefined && parseIp(host) === undefined ? host : undefined,
    anyHost: transport === "unix",
    async scrape(read) {
      delay.watch();
      await threads?.collect();
      // Resident memory is read from a file: at the descriptor limit that needs a descriptor too.
      return reserve.lend(() => read());
    },
  });
  let service: HttpService | undefined;
  takeFew(listener, rt, MOST_CONNECTIONS, () => service?.connections ?? 0);
  service = new HttpService(listener, handler as Handler, { limits, counters: new HttpCounters("the admin port") });
  listener.starved = () => reserve.lend((places) => listener.takeNow(places - 1));
  const server = service;
  counters.timed = true;
  const url = showUrl(listener.addr);
  announce(`Admin port on ${url}${socket.exposed ? ", open to other machines" : ""}`);
  return {
    addr: listener.addr,
    url,
    async close() {
      counters.timed = false;
      delay.stop();
      live.close();
      reserve.close();
      server.close();
      socket.close();
      await server.finished;
    },
  };
}
