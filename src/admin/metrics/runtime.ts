/** Our runtime: the poller, its turns, and tasks. */
import { droppedLines } from "../../runtime/log-rate.ts";
import { stallStats } from "../../runtime/stall-monitor.ts";
import { runtime } from "../../runtime/turn.ts";
import { isDraining } from "../draining.ts";
import { taskRows } from "../tasks.ts";
import { counter, type Family, gauge, info } from "./family.ts";

/** Task names come from programs: this many get series of their own, the rest is counted as "_other". */
const MOST_TASKS = 50;
const AGES = ["0-1s", "1-10s", "10-60s", "60s+"] as const;

export function runtimeFamilies(): Family[] {
  return [
    gauge("slipway_draining", "1 while the process ends: readiness is red.", () => Number(isDraining())),
    info("slipway_poller", "How the kernel is asked for events.", () => ({ backend: runtime().poller.name })),
    gauge("slipway_sockets", "Open sockets of every kind.", () => runtime().poller.openCount),
    gauge("slipway_sockets_stalled", "Sockets that wait for descriptors or memory.", () => runtime().poller.stalled),
    counter("slipway_turns", "Turns: how often the poller was looked at.", () => runtime().stats.turns),
    counter("slipway_turn_events", "Events that turns found.", () => runtime().stats.events),
    gauge("slipway_tasks", "Running tasks by name and age.", () =>
      taskRows(MOST_TASKS).flatMap(({ name, ages }) =>
        AGES.map((age, i) => ({ labels: { task: name, age }, value: ages[i] })),
      ),
    ),
    gauge("slipway_task_oldest_seconds", "Age of the oldest task of a name.", () =>
      taskRows(MOST_TASKS).map(({ name, oldestMs }) => ({ labels: { task: name }, value: oldestMs / 1000 })),
    ),
    counter("slipway_stalls", "Stalls: a handler or task held the thread too long.", () => stallStats.count),
    counter("slipway_stalled_seconds", "How long stalls lasted, together.", () => stallStats.totalMs / 1000),
    gauge(
      "slipway_stall_longest_seconds",
      "The longest stall since the process began.",
      () => stallStats.longestMs / 1000,
    ),
    counter("slipway_log_lines_dropped", "Log lines that were not written.", () =>
      Object.entries(droppedLines()).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
  ];
}
