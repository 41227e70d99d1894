// What processes cost: CPU time, resident memory, and who belongs to whom.
//
// On Linux the CPU clock of another process is read directly
// (clock_getcpuclockid(3)): user + system, all its threads, ended ones too, in
// nanoseconds. /proc/PID/stat has the same sum in ticks of 10 ms, too coarse
// for rounds of a second. Elsewhere `ps` answers, in hundredths of a second.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import koffi from "koffi";

const linux = process.platform === "linux";
const CPUCLOCK_SCHED = 2; // linux/posix-timers.h: the per-process clock id is (~pid << 3) | CPUCLOCK_SCHED
const clockGettime = linux ? koffi.load(null).func("int clock_gettime(int clock, _Out_ uint8_t *time)") : null;

/** The process and everything descended from it, the process itself first. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const [pid, parent] of parents()) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function parents(): [pid: number, parent: number][] {
  if (!linux) {
    const rows = execFileSync("ps", ["-axo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
    return rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  }
  const found: [number, number][] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`/proc/${name}/stat`);
    // proc_pid_stat(5): the name in parentheses may hold anything, so count from the last one.
    if (stat) found.push([Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])]);
  }
  return found;
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // it has ended meanwhile
  }
}

/** User + system seconds that the processes have used so far; an ended process counts nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  let sum = 0;
  if (clockGettime) {
    const time = Buffer.alloc(16);
    for (const pid of pids) {
      if (clockGettime((~pid << 3) | CPUCLOCK_SCHED, time) !== 0) continue;
      sum += Number(time.readBigInt64LE(0)) + Number(time.readBigInt64LE(8)) / 1e9;
    }
    return sum;
  }
  for (const pid of pids) {
    const text = execFileSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" }).trim();
    sum += text.split(/[-:]/).reduce((total, part) => total * 60 + Number(part), 0);
  }
  return sum;
}

/** Ticks (of 10 ms) as the kernel shows them to everybody; 0 over a pause means parked. */
export function cpuTicks(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readProc(`/proc/${pid}/stat`);
    if (!stat) continue;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks;
}

/** Waits until the server has done what it had to do: no CPU used in a tenth of a second, three seconds at most. */
export async function settled(pids: readonly number[]): Promise<void> {
  let before = cpuSeconds(pids);
  for (let i = 0; i < 30; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = cpuSeconds(pids);
    if (after - before < 0.0002) return;
    before = after;
  }
}

/** Resident bytes of the processes together. */
export function residentBytes(pids: readonly number[]): number {
  let bytes = 0;
  for (const pid of pids) {
    if (linux) bytes += 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
    else bytes += 1024 * Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" }).trim());
  }
  return bytes;
}

/** Forgets the processes' highest resident memory so far (proc_pid_clear_refs(5)); false where that cannot be done. */
export function resetPeak(pids: readonly number[]): boolean {
  if (!linux) return false;
  try {
    for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
    return true;
  } catch {
    return false; // ended meanwhile, or somebody else's
  }
}

/** The highest resident bytes of each process since `resetPeak`, together. */
export function peakBytes(pids: readonly number[]): number {
  let bytes = 0;
  for (const pid of pids)
    bytes += 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readProc(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
  return bytes;
}

/** Busy seconds of the whole machine since it started, for judging how much of the load was ours. */
export function machineBusySeconds(): number {
  const line = linux ? readProc("/proc/stat")?.split("\n")[0] : null;
  if (!line) return 0;
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}

/** The cores this process may use, as the kernel lists them; empty when it doesn't say. */
export function allowedCores(): number[] {
  const list = linux ? /^Cpus_allowed_list:\s+(\S+)/m.exec(readProc("/proc/self/status") ?? "")?.[1] : undefined;
  if (!list) return [];
  return list.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** How many descriptors a process may have, at most. */
export function descriptorLimit(): number {
  const hard = linux ? /^Max open files +\S+ +(\d+)/m.exec(readProc("/proc/self/limits") ?? "")?.[1] : undefined;
  return Number(hard ?? 4096);
}
