/** The admin port's socket. */
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { handover } from "../net/handover.ts";
import { formatV4, formatV6 } from "../net/ip.ts";
import { connect, type Listener, listen } from "../net/mod.ts";
import { resolveSync } from "../net/names.ts";
import { socketFile } from "../net/socket_file.ts";
import { AddrInUse, NotFound } from "../runtime/errors.ts";
import { runtime } from "../runtime/turn.ts";
import { type AdminAddress, checkReach, isLoopback, parseAdminAddress } from "./address.ts";
import { AdminError } from "./errors.ts";

/** Few wait here: a scraper, a probe, a person. */
const BACKLOG = 64;

export interface AdminSocket {
  readonly listener: Listener;
  readonly address: AdminAddress;
  /** Other machines reach it. */
  readonly exposed: boolean;
  /** Closes the listener and removes the file, if it is still ours. */
  close(): void;
}

/** Binds and listens. Throws an AdminError when `text` is no address, is not allowed, or is taken. */
export async function openAdminSocket(text: string, insecure: boolean): Promise<AdminSocket> {
  const address = parseAdminAddress(text);
  try {
    return address.transport === "unix" ? await openUnix(address) : openTcp(text, address, insecure);
  } catch (error) {
    throw error instanceof AdminError ? error : explain(text, error);
  }
}

function openTcp(text: string, address: AdminAddress & { transport: "tcp" }, insecure: boolean): AdminSocket {
  const ip = resolveSync(runtime().poller.constants, address.hostname);
  checkReach(text, ip, insecure);
  // A name is bound as it was resolved for the check: asked again, it could be another address.
  const hostname =
    ip.zone === "" ? (ip.bytes.length === 4 ? formatV4(ip.bytes, 0) : formatV6(ip.bytes, 0)) : address.hostname;
  const listener = listen({ hostname, port: address.port, backlog: BACKLOG }) as unknown as Listener;
  return { listener, address, exposed: !isLoopback(ip.bytes), close: () => listener.close() };
}

/** The file is for this user only (mode 0600): whoever may connect sees everything. */
async function openUnix(address: AdminAddress & { transport: "unix" }): Promise<AdminSocket> {
  const { path } = address;
  // From the process that we replace; a parent that restarts us (`run --watch`) gives without saying so.
  const inherited = handover.has?.({ transport: "unix", path }) === true;
  const before = isAbstract(path) ? undefined : lstatSync(path, { throwIfNoEntry: false });
  let listener: Listener;
  let given = false;
  try {
    listener = listenPrivately(path);
    given = before !== undefined && before.ino === lstatSync(path).ino;
  } catch (error) {
    if (!(error instanceof AddrInUse)) throw error;
    await clearStale(path);
    listener = listenPrivately(path);
  }
  if (given) chmodSync(path, 0o600);
  const file = isAbstract(path) || (given && !inherited) ? undefined : socketFile(path);
  // A process that exits does not close its listeners.
  const remove = (): void => file?.remove();
  process.on("exit", remove);
  const close = (): void => {
    process.off("exit", remove);
    listener.close();
  };
  return { listener, address, exposed: false, close };
}

/** bind(2) makes the file with all permissions that the mask leaves; chmod(2) afterwards would come too late. */
function listenPrivately(path: string): Listener {
  const mask = process.umask(0o177);
  try {
    return listen({ transport: "unix", path, backlog: BACKLOG }) as unknown as Listener;
  } finally {
    process.umask(mask);
  }
}

/** Removes a socket that a killed process left behind; refuses to touch anything else. */
async function clearStale(path: string): Promise<void> {
  if (isAbstract(path)) return;
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isSocket()) throw new AdminError(`--admin: ${path} exists and is not a socket: choose another path`);
  try {
    (await connect({ transport: "unix", path })).close();
  } catch (error) {
    // ECONNREFUSED: its owner is gone (unix(7)). Anything else, no permission say, is no proof of that.
    if ((error as Error).name === "ConnectionRefused") return unlinkSync(path);
  }
  throw new AdminError(`--admin: another process listens on ${path}: stop it, or choose another path`);
}

function isAbstract(path: string): boolean {
  return path.startsWith("@") || path.startsWith("\0");
}

/** The errors of `listen` say what happened and where; here is added which option is meant. */
function explain(text: string, error: unknown): unknown {
  const known = error instanceof RangeError || error instanceof NotFound || (error instanceof Error && "code" in error);
  if (!known) return error;
  return new AdminError(`--admin ${text}: ${error.message}`, { cause: error });
}
