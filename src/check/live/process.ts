/** The server's process, for the drain: that it is the one meant, and whether it still runs. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Target, TargetError } from "./target.ts";

/** True while the process runs; one that has ended and was not waited for (a zombie) does not. */
export function running(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
  try {
    // "pid (name) S …": the name may hold anything, so the state is looked for behind its last parenthesis.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}

/** The process id that a person wrote. */
export function parsePid(text: number | string): number {
  if (/^\d{1,10}$/.test(String(text))) return Number(text);
  throw new TargetError(`--pid ${JSON.stringify(String(text))} is no process id: write its number, as in --pid 4711`);
}

/**
 * Refuses a pid that is not the server's: SIGTERM would end somebody else. On Linux the process, or a child of it, must
 * hold the socket that listens at the target; where that cannot be seen, being alive has to do.
 */
export function checkPid(pid: number, target: Target): void {
  if (pid <= 1) throw new TargetError(`--pid ${pid}: that is no server's process id`);
  if (pid === process.pid || pid === process.ppid) throw new TargetError(`--pid ${pid} is this command's own`);
  if (!running(pid)) throw new TargetError(`--pid ${pid}: no such process runs; see the server's own id`);
  const inodes = listeningInodes(target);
  if (inodes === undefined) return;
  const holders = family(pid).map((id) => holds(id, inodes));
  if (holders.includes(true) || holders.includes(undefined)) return;
  throw new TargetError(`--pid ${pid} does not listen at ${target.shown}: SIGTERM would end another program`);
}

/** The inodes of the sockets that listen at the target, by proc(5); undefined where there is no such file. */
function listeningInodes(target: Target): Set<string> | undefined {
  try {
    if (target.unix !== undefined) {
      const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
      const path = target.unix.replace(/^\0/, "@");
      return new Set(lines.filter((line) => line.endsWith(` ${path}`)).map((line) => line.trim().split(/\s+/)[6]));
    }
    const port = target.port.toString(16).toUpperCase().padStart(4, "0");
    const lines = ["tcp", "tcp6"].flatMap((file) => readFileSync(`/proc/net/${file}`, "utf8").split("\n").slice(1));
    const listening = lines
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => {
        return state === "0A" && local?.endsWith(`:${port}`); // TCP_LISTEN
      });
    return new Set(listening.map((columns) => columns[9]));
  } catch {
    return undefined;
  }
}

/** The process and those below it. */
function family(pid: number): number[] {
  const all = [pid];
  for (const id of all) {
    try {
      for (const thread of readdirSync(`/proc/${id}/task`)) {
        const children = readFileSync(`/proc/${id}/task/${thread}/children`, "latin1").trim();
        if (children !== "") all.push(...children.split(" ").map(Number));
      }
    } catch {
      // It has ended, or /proc does not tell.
    }
  }
  return all;
}

/** Whether one of its descriptors is one of these sockets; undefined when it may not be looked at. */
function holds(pid: number, inodes: ReadonlySet<string>): boolean | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? "");
      } catch {
        return false; // closed meanwhile
      }
    });
  } catch (error) {
    return (error as { code?: string }).code === "EACCES" ? undefined : false;
  }
}
