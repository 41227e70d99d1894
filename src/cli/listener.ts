/**
 * Opens the listening socket, and says what to do when that fails. A Unix socket's file is ours to look after: one that
 * a killed server left behind is replaced, one that somebody answers on is not, and our own is removed on exit.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { handover } from "../net/handover.ts";
import type { Listener } from "../net/mod.ts";
import { socketFile } from "../net/socket_file.ts";
import type { Address } from "./address.ts";
import { errorCode, Failure } from "./errors.ts";

/** Binds and listens. */
export async function openListener(address: Address): Promise<Listener> {
  const { listen } = await import("../net/mod.ts");
  // What a process that we replace hands us is no stale socket: it answers, and goes on doing so.
  const inherited = handover.has?.(address) ?? false;
  if (address.transport === "unix" && !inherited) await clearStaleSocket(address.path);
  let listener: Listener;
  try {
    listener = await listen(address);
  } catch (error) {
    throw await explainListenError(error, address);
  }
  if (address.transport === "unix") removeOnExit(address.path);
  return listener;
}

/** The sentence for a failed bind. What is no known failure is returned as it is, to be shown with its stack. */
async function explainListenError(error: unknown, address: Address): Promise<unknown> {
  const name = error instanceof Error ? error.name : "";
  const code = errorCode(error);
  const is = (errorName: string, ...codes: string[]) => name === errorName || codes.includes(code);
  if (address.transport === "unix") {
    const { path } = address;
    if (is("AddrInUse", "EADDRINUSE")) return new Failure(`${path} is taken: choose another path with --unix`);
    if (is("PermissionDenied", "EACCES", "EPERM")) {
      return new Failure(`no permission to make the socket ${path}: choose a folder that this user may write to`);
    }
    if (is("NotFound", "ENOENT", "ENOTDIR")) return new Failure(`the folder of ${path} does not exist: make it first`);
    if (path.length > 107) {
      return new Failure(`the path ${path} is ${path.length} bytes long, a Unix socket's may have 107 (unix(7))`);
    }
    return error;
  }
  const { hostname, port } = address;
  if (is("AddrInUse", "EADDRINUSE")) {
    const other = port === 65535 ? port - 1 : port + 1;
    const { portHolder } = await import("./port-holder.ts");
    const holder = portHolder(port);
    if (holder?.endsWith(`pid ${process.pid})`)) {
      return new Failure(
        `port ${port} on ${hostname} is one that this server listens on already: two addresses (--listen, --admin) overlap, leave out one of them`,
      );
    }
    const taken = holder === undefined ? "taken: stop the server that holds it" : `taken by ${holder}: stop it`;
    return new Failure(
      `port ${port} on ${hostname} is ${taken}, or choose another with --port ${other} (or --port 0: any free one)`,
    );
  }
  if (is("PermissionDenied", "EACCES", "EPERM")) {
    return new Failure(
      `no permission to listen on port ${port}, ports below 1024 are privileged: choose one from 1024 on (--port 8000), or grant CAP_NET_BIND_SERVICE`,
    );
  }
  if (is("AddrNotAvailable", "EADDRNOTAVAIL")) {
    return new Failure(`${hostname} is no address of this machine: choose one with --host, or 0.0.0.0 for every one`);
  }
  if (/ENOTFOUND|EAI_/.test(code) || /getaddrinfo|no address|resolve|unknown host/i.test(String(error))) {
    return new Failure(`the name ${hostname} has no address: check --host`);
  }
  return error;
}

async function clearStaleSocket(path: string): Promise<void> {
  if (isAbstract(path)) return; // no file (unix(7))
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isSocket()) throw new Failure(`${path} exists and is not a socket: choose another path with --unix`);
  if (await answers(path)) {
    throw new Failure(`a server is already listening on ${path}: stop it, or choose another path with --unix`);
  }
  unlinkSync(path);
}

/** Whether somebody accepts on the socket: ECONNREFUSED means that its owner is gone (unix(7)). */
async function answers(path: string): Promise<boolean> {
  const { connect } = await import("../net/mod.ts");
  try {
    const conn = await connect({ transport: "unix", path });
    conn.close();
    return true;
  } catch (error) {
    const refused = (error as Error).name === "ConnectionRefused" || errorCode(error) === "ECONNREFUSED";
    // Anything else, no permission say, is no proof that it is abandoned.
    return !refused;
  }
}

/** Removes the file at exit, if it is still the one that we made. */
function removeOnExit(path: string): void {
  if (isAbstract(path)) return;
  const file = socketFile(path);
  process.on("exit", () => file.remove());
}

function isAbstract(path: string): boolean {
  return path.startsWith("@") || path.startsWith("\0");
}
