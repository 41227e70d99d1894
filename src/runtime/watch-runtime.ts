/** All that looks after a running server from inside, in one call for whoever starts one. */
import { startStallMonitor } from "./stall-monitor.ts";
import { installTaskSignal } from "./task-signal.ts";
import { watchTaskTrend } from "./task-trend.ts";
import { setTraceTasks } from "./tasks.ts";

export interface WatchOptions {
  /** `stallWarning`, in milliseconds; Infinity for none. */
  readonly stallWarning: number;
  readonly traceStalls: boolean;
  readonly traceTasks: boolean;
}

/** The table on SIGUSR1, the warning about tasks that only become more, and the stall monitor. Once in a process. */
export function watchRuntime({ stallWarning, traceStalls, traceTasks }: WatchOptions): void {
  if (traceTasks) setTraceTasks(true);
  installTaskSignal();
  watchTaskTrend();
  startStallMonitor({ warningMs: stallWarning, trace: traceStalls });
}
