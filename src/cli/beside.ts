/**
 * What stands beside a server: its log, its supervisor, the admin port, the monitors of tasks and stalls. Each is a
 * module of its own with one function to call; here is when, and each is imported when it is called.
 */
import type { AdminThreads } from "../admin/mod.ts";
import { handover } from "../net/handover.ts";
import type { ConfigEntry, Resolved } from "../options/resolve.ts";
import { optionTable } from "../options/table.ts";
import type { InheritedSocket, Supervised } from "../supervisor/mod.ts";
import { atEnd, endReplaced } from "./ending.ts";
import { die, Failure } from "./errors.ts";
import { failureAt, placeOf } from "./settings.ts";

export interface Beside {
  /** Absent in a child of `run --watch`. */
  readonly supervised: Supervised | undefined;
  /** With all options known, before anything is accepted. `ready` is the file's. */
  open(resolved: Resolved, ready?: unknown, threads?: AdminThreads): Promise<void>;
  /** Connections are accepted. */
  serving(shown?: string): Promise<void>;
}

/** A program that never ends loading is looked after so long after it has begun to listen. */
const LISTENS_MS = 1000;

/** Before the program is loaded: what its first line may need already. `alone`: no process of ours looks after this one. */
export async function standBeside(early: Resolved, alone: boolean): Promise<Beside> {
  const [supervised] = await Promise.all([alone ? supervisor() : undefined, log(early), traceTasks(early)]);
  let opened = false;
  let served = false;
  let watched = early;
  const beside: Beside = {
    supervised,
    async open(resolved, ready, threads) {
      if (opened) return;
      opened = true;
      await Promise.all([log(resolved), proxies(resolved), accessLog(resolved), admin(resolved, ready, threads)]);
      watched = resolved;
    },
    async serving(shown) {
      supervised?.ready(shown);
      if (served) return;
      served = true;
      const { watchRuntime } = await import("../runtime/watch-runtime.ts");
      watchRuntime(watched.settings);
    },
  };
  const { opened: told } = handover;
  handover.opened = (asked, listener) => {
    told?.(asked, listener);
    // A program that accepts at its top level never ends loading, and has no options of its own.
    setTimeout(() => {
      if (opened || loaded.has(beside)) return;
      beside
        .open(ofProgram(early))
        .then(() => beside.serving())
        .catch((error: unknown) => die(error, "slipway"));
    }, LISTENS_MS).unref();
  };
  return beside;
}

/** What stands beside a worker thread's server; supervisor, admin port and signals are the main thread's. */
export async function standInThread(
  early: Resolved,
  sockets: readonly InheritedSocket[],
  opening: (resolved: Resolved, ready: unknown) => Promise<void>,
): Promise<Beside> {
  await Promise.all([log(early), traceTasks(early)]);
  let opened = false;
  let watched = early;
  return {
    supervised: { sockets, descriptor: Number, loaded() {}, ready() {}, stopping() {} },
    async open(resolved, ready) {
      if (opened) return;
      opened = true;
      watched = resolved;
      await Promise.all([log(resolved), proxies(resolved), accessLog(resolved)]);
      await opening(resolved, ready);
    },
    async serving() {
      const { watchRuntime } = await import("../runtime/watch-runtime.ts");
      watchRuntime(watched.settings);
    },
  };
}

const loaded = new WeakSet<Beside>();

/** The program's modules have been evaluated: whoever loaded it opens the rest. */
export function programLoaded(beside: Beside): void {
  loaded.add(beside);
  beside.supervised?.loaded();
}

async function supervisor(): Promise<Supervised> {
  const { supervise } = await import("../supervisor/mod.ts");
  const supervised = await supervise({ drain: endReplaced });
  atEnd.began.push((withinMs) => supervised.stopping(withinMs));
  return supervised;
}

async function traceTasks({ settings }: Resolved): Promise<void> {
  if (settings.traceTasks) (await import("../runtime/tasks.ts")).setTraceTasks(true);
}

async function log({ settings }: Resolved): Promise<void> {
  const { startLog } = await import("../log/mod.ts");
  startLog({ format: settings.logFormat });
}

async function accessLog({ settings }: Resolved): Promise<void> {
  if (!settings.accessLog) return;
  const { startAccessLog } = await import("../log/access.ts");
  startAccessLog();
}

/** Of a program that listens on its own nobody knows what it said: `/config` must not show as certain what is not. */
export function ofProgram(resolved: Resolved): Resolved {
  const entries = resolved.entries.map((entry) => {
    const own = ["address", "protocols", "limits", "drain"].includes(groupOf(entry.name));
    return own && entry.source === "default" ? { ...entry, from: "unless the program says otherwise" } : entry;
  });
  return { ...resolved, entries };
}

function groupOf(name: string): string {
  return optionTable.find((option) => option.name === name)?.group ?? "";
}

/** A range that is none must not be found out at the first request. */
async function proxies({ settings, entries }: Resolved): Promise<void> {
  if (settings.trustProxy.length === 0) return;
  const { parseRanges } = await import("../net/trust.ts");
  const entry = entryOf(entries, "trustProxy");
  try {
    parseRanges(settings.trustProxy, placeOf(entry));
  } catch (error) {
    throw error instanceof TypeError ? failureAt(entry, error.message) : error;
  }
}

/** What a start would refuse before it opens anything: `--print-config` must not show it as if it held. */
export async function checkBeside(resolved: Resolved): Promise<void> {
  await Promise.all([proxies(resolved), adminAddress(resolved)]);
}

/** A mistake in the address is one in the command line; that it is taken is not. */
async function adminAddress({ settings, entries }: Resolved): Promise<void> {
  if (settings.admin === undefined) return;
  const { checkReach, parseAdminAddress } = await import("../admin/address.ts");
  const { AdminError } = await import("../admin/errors.ts");
  const { parseIp } = await import("../net/ip.ts");
  try {
    const address = parseAdminAddress(settings.admin);
    const ip = address.transport === "tcp" ? parseIp(address.hostname) : undefined;
    if (ip !== undefined) checkReach(settings.admin, ip, settings.adminInsecure);
  } catch (error) {
    throw error instanceof AdminError ? failureAt(entryOf(entries, "admin"), error.message) : error;
  }
}

async function admin(resolved: Resolved, ready: unknown, threads: AdminThreads | undefined): Promise<void> {
  const { settings, entries } = resolved;
  if (settings.admin === undefined) return;
  await adminAddress(resolved);
  const { AdminError, openAdmin, setDraining } = await import("../admin/mod.ts");
  try {
    await openAdmin({
      address: settings.admin,
      insecure: settings.adminInsecure,
      ready: ready as never,
      config: () => entries,
      threads,
    });
  } catch (error) {
    throw error instanceof AdminError ? new Failure(error.message) : error;
  }
  // Raw servers are no part of what the admin port asks.
  atEnd.began.push(setDraining);
}

function entryOf(entries: readonly ConfigEntry[], name: string): ConfigEntry {
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) throw new Error(`no option ${name}`);
  return entry;
}
