/**
 * How many threads `--parallel auto` is. A container's CPU quota (cgroup v2, cpu.max) counts where it is smaller than the
 * processors that this process may run on (sched_getaffinity(2)); of a quota of 1.5 processors two threads use all,
 * while one would leave a third of it, so it is rounded up.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** As many as the option may be: a worker's number is one byte (`Owners`). */
const MOST_WORKERS = 250;

/** What the option comes to: 0 is "auto". */
export function threadCount(option: number, read: (path: string) => string = text): number {
  return option === 0 ? automatic(read) : option;
}

function automatic(read: (path: string) => string): number {
  const quota = cpuQuota(read);
  const processors = affinity(read) ?? availableParallelism();
  // availableParallelism knows the quotas of cgroup v1 as well, rounded down.
  const most = quota === Number.POSITIVE_INFINITY ? Math.min(processors, availableParallelism()) : Math.ceil(quota);
  return Math.max(1, Math.min(most, processors, MOST_WORKERS));
}

/** Processors' worth of time that this process's group, and all above it, may use; Infinity for no limit. */
export function cpuQuota(read: (path: string) => string = text): number {
  // "0::/group" is cgroup v2 (cgroups(7)). In a container the path is "/" and its own limits lie at the root.
  const group = /^0::(\/.*)$/m.exec(orEmpty(read, "/proc/self/cgroup"))?.[1];
  if (group === undefined) return Number.POSITIVE_INFINITY;
  let quota = Number.POSITIVE_INFINITY;
  for (let path = group; ; path = join(path, "..")) {
    const [most, period] = orEmpty(read, join("/sys/fs/cgroup", path, "cpu.max"))
      .trim()
      .split(" ")
      .map(Number);
    // "max 100000" where there is no limit.
    if (most > 0 && period > 0) quota = Math.min(quota, most / period);
    if (path === "/") return quota;
  }
}

/** Processors that the kernel lets this process run on, one bit each in words of hexadecimal digits (proc(5)). */
function affinity(read: (path: string) => string): number | undefined {
  const mask = /^Cpus_allowed:\s*([\da-f,]+)$/m.exec(orEmpty(read, "/proc/self/status"))?.[1];
  if (mask === undefined) return undefined;
  let count = 0;
  for (const digit of mask.replaceAll(",", "")) {
    for (let bits = Number.parseInt(digit, 16); bits > 0; bits >>= 1) count += bits & 1;
  }
  return count > 0 ? count : undefined;
}

function text(path: string): string {
  return readFileSync(path, "utf8");
}

function orEmpty(read: (path: string) => string, path: string): string {
  try {
    return read(path);
  } catch {
    return "";
  }
}
