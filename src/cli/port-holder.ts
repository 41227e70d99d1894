/**
 * Who holds a port that we wanted, by proc(5): /proc/net/tcp names the listening socket's inode, and one of the
 * processes that we may look into has it open. Only Linux has this; elsewhere, and for others' processes, nobody is named.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** `node (pid 123)`, or undefined. */
export function portHolder(port: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  const inodes = new Set([...listening("/proc/net/tcp", port), ...listening("/proc/net/tcp6", port)]);
  if (inodes.size === 0) return undefined;
  for (const pid of list("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? "")?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      // The program's file rather than comm, which Node sets to "MainThread".
      const name = attempt(() => basename(readlinkSync(`/proc/${pid}/exe`)));
      return name ? `${name} (pid ${pid})` : `pid ${pid}`;
    }
  }
  return undefined;
}

/** The inodes of the sockets that listen on a port: state 0A is TCP_LISTEN, the address ends in the port in hex. */
function listening(table: string, port: number): string[] {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = attempt(() => readFileSync(table, "utf8"))?.split("\n") ?? [];
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(ending) && fields[3] === "0A")
    .map((fields) => fields[9]);
}

function list(folder: string): string[] {
  return attempt(() => readdirSync(folder)) ?? [];
}

/** Processes come and go, and others' are closed to us. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
