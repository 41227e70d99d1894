/**
 * Node tells how busy its event loop is (`performance.eventLoopUtilization`), and takes for work whatever is not a wait of
 * its own. So what a thread waits elsewhere (`poller-wait.ts`) is moved from one side to the other; not all, as that call does
 * work too: the CPU time of the thread is the least that it was busy.
 */
import type { EventLoopUtilization, performance as Performance } from "node:perf_hooks";

/** `waitedMs` of this thread so far, none of it in the host's own wait. From then on the answers take it for idle. */
export function correctUtilization(waitedMs: () => number): void {
  const host = performance as unknown as Partial<typeof Performance>;
  const ask = host.eventLoopUtilization?.bind(performance);
  if (ask === undefined) return;
  const begun = ask().active - cpuMs();
  const now = (): EventLoopUtilization => {
    const { idle, active } = ask();
    const busy = Math.min(active, Math.max(active - waitedMs(), begun + cpuMs()));
    return utilization(idle + active - busy, busy);
  };
  host.eventLoopUtilization = (later, earlier) => {
    if (later === undefined) return now();
    const [to, from] = earlier === undefined ? [now(), later] : [later, earlier];
    return utilization(to.idle - from.idle, to.active - from.active);
  };
}

/** Of this thread. */
function cpuMs(): number {
  const used = process.threadCpuUsage?.();
  return used === undefined ? 0 : (used.user + used.system) / 1000;
}

function utilization(idle: number, active: number): EventLoopUtilization {
  return { idle, active, utilization: active === 0 ? 0 : active / (idle + active) };
}
