/**
 * The process as a whole. Names are those that Prometheus's guidelines for client libraries give ("process_…"), and
 * that prom-client gives to V8's heap ("nodejs_…"), so that dashboards made for others show ours too.
 */
import { readdirSync, statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import manifest from "../../../package.json" with { type: "json" };
import { runtime } from "../../runtime/turn.ts";
import { counter, type Family, gauge, histogram, info } from "./family.ts";
import type { LoopDelay } from "./loop-delay.ts";

export function processFamilies(delay: LoopDelay): Family[] {
  return [
    info("slipway_build", "What is running.", () => ({
      version: manifest.version,
      node_version: process.versions.node,
      v8_version: process.versions.v8,
      platform: process.platform,
      arch: process.arch,
    })),
    gauge(
      "process_start_time_seconds",
      "When the process started, in seconds since 1970.",
      () => performance.timeOrigin / 1000,
    ),
    counter("process_cpu_seconds", "CPU time of all threads, in user and system mode.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    gauge("process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss()),
    gauge("nodejs_heap_size_total_bytes", "Size of V8's heap.", () => getHeapStatistics().total_heap_size),
    gauge("nodejs_heap_size_used_bytes", "Used part of V8's heap.", () => getHeapStatistics().used_heap_size),
    gauge("nodejs_heap_size_limit_bytes", "What V8's heap may grow to.", () => getHeapStatistics().heap_size_limit),
    gauge("nodejs_external_memory_bytes", "Memory outside of V8's heap.", () => getHeapStatistics().external_memory),
    gauge("process_open_fds", "Open descriptors.", openDescriptors),
    gauge("process_max_fds", "How many descriptors may be open.", () => {
      const limit = runtime().poller.system.descriptorLimit();
      return limit < 0 ? Number.POSITIVE_INFINITY : limit;
    }),
    counter("nodejs_eventloop_time_seconds", "Time that the event loop spent at work and waiting.", () => {
      const { active, idle } = performance.eventLoopUtilization();
      return [
        { labels: { nodejs_eventloop_state: "active" }, value: active / 1000 },
        { labels: { nodejs_eventloop_state: "idle" }, value: idle / 1000 },
      ];
    }),
    histogram(
      "slipway_event_loop_delay_seconds",
      "How late a timer was, measured up to ten times a second while somebody scrapes.",
      delay.histogram,
    ),
  ];
}

/** Since Linux 6.2 the size of the directory is their number; before it has to be read: 3 ms with 10,000. */
function openDescriptors(): number {
  try {
    const { size } = statSync("/proc/self/fd");
    if (size > 0) return size;
    // One of them is the directory itself.
    return readdirSync(process.platform === "linux" ? "/proc/self/fd" : "/dev/fd").length - 1;
  } catch (error) {
    if ((error as { code?: unknown }).code === "EMFILE") return runtime().poller.system.descriptorLimit();
    throw error;
  }
}
