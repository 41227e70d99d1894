/** Reads metric families for the live page: they are what counts, and nothing is counted twice for it. */
import type { Family, Labels, Sample } from "../metrics/family.ts";
import type { HistogramTotals, Snapshot, Totals, WorkerSnapshot } from "./snapshot.ts";

/** Samples of a family by its name; none when there is no such family, or the system does not tell. */
export type Samples = (name: string) => Iterable<Sample>;

export function samplesByName(families: Iterable<Family>): Samples {
  const known = new Map(Array.from(families, (family) => [family.name, family]));
  return (name) => {
    try {
      return known.get(name)?.read() ?? [];
    } catch {
      return [];
    }
  };
}

/** Everything of a snapshot that metrics have. */
export type Counted = Omit<Snapshot, "time" | "pid" | "drain" | "tasks" | "checks" | "workers" | "deaths">;

export function countedIn(samples: Samples): Counted {
  const build = labelsOf(samples, "slipway_build");
  const connections = totals(samples("slipway_connections"), "state");
  const servers = totals(samples("slipway_servers"), "state");
  const webSockets = sum(samples("slipway_websockets"));
  const handshaking = sum(samples("slipway_tls_handshakes_open"));
  const bytes = (name: string): number => sum(samples(name));
  return {
    version: build.version ?? "",
    node: build.node_version ?? "",
    started: Math.round(sum(samples("process_start_time_seconds")) * 1000),
    poller: labelsOf(samples, "slipway_poller").backend ?? "",
    servers: { accepting: servers.accepting ?? 0, draining: servers.draining ?? 0, waiting: servers.waiting ?? 0 },
    connections: {
      active: connections.active ?? 0,
      // One that shakes hands still, or has become a WebSocket, waits for no request.
      idle: Math.max(0, (connections.idle ?? 0) - webSockets - handshaking),
      handshaking,
      webSockets,
      outgoing: sum(samples("slipway_fetch_connections")),
      sockets: sum(samples("slipway_sockets")),
      accepted: sum(samples("slipway_connections_accepted")),
    },
    atWork: sum(samples("http_server_active_requests")),
    requests: totals(samples("slipway_http_requests"), "http_response_status_class"),
    duration: histogramTotals(samples("http_server_request_duration_seconds")),
    bytes: { received: bytes("slipway_received_bytes"), sent: bytes("slipway_sent_bytes") },
    limits: totals(samples("slipway_limits_fired"), "limit"),
    handshakes: handshakes(samples("slipway_tls_handshakes")),
    turns: { count: sum(samples("slipway_turns")), events: sum(samples("slipway_turn_events")) },
    loop: { ...loopTimes(samples), delay: histogramTotals(samples("slipway_event_loop_delay_seconds")) },
    stalls: sum(samples("slipway_stalls")),
    cpuSeconds: round(sum(samples("process_cpu_seconds"))),
    memory: {
      resident: bytes("process_resident_memory_bytes"),
      heap: bytes("nodejs_heap_size_used_bytes"),
      heapLimit: bytes("nodejs_heap_size_limit_bytes"),
      external: bytes("nodejs_external_memory_bytes"),
    },
    descriptors: { open: sum(samples("process_open_fds")), most: finite(sum(samples("process_max_fds"))) },
  };
}

export function workerIn(number: number, samples: Samples): WorkerSnapshot {
  const { active = 0, idle = 0 } = totals(samples("slipway_connections"), "state");
  return {
    number,
    connections: active + idle,
    active,
    requests: sum(samples("slipway_http_requests")),
    turns: sum(samples("slipway_turns")),
    loop: loopTimes(samples),
    heap: sum(samples("nodejs_heap_size_used_bytes")),
  };
}

function loopTimes(samples: Samples): { active: number; idle: number } {
  const { active = 0, idle = 0 } = totals(samples("nodejs_eventloop_time_seconds"), "nodejs_eventloop_state");
  return { active: round(active), idle: round(idle) };
}

/** "TLSv1.3", "TLSv1.3 resumed", and for what was not done why. */
function handshakes(samples: Iterable<Sample>): Totals {
  const sums: Record<string, number> = {};
  for (const { labels = {}, value } of samples) {
    const { result, version, resumed } = labels;
    const name = result === "done" ? `${version}${resumed === "true" ? " resumed" : ""}` : result;
    sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

function totals(samples: Iterable<Sample>, label: string): Totals {
  const sums: Record<string, number> = {};
  for (const { labels = {}, value } of samples) {
    const key = labels[label] ?? "";
    sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}

function histogramTotals(samples: Iterable<Sample>): HistogramTotals {
  const bounds: (number | null)[] = [];
  const counts: number[] = [];
  for (const { labels, suffix, value } of samples) {
    if (suffix !== "_bucket") continue;
    bounds.push(finite(Number(labels?.le)));
    counts.push(value);
  }
  return { bounds, counts };
}

function sum(samples: Iterable<Sample>): number {
  let total = 0;
  for (const { value } of samples) total += value;
  return total;
}

function labelsOf(samples: Samples, name: string): Labels {
  for (const { labels = {} } of samples(name)) return labels;
  return {};
}

/** JSON has no Infinity. `+Inf` of a bucket is NaN here. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function round(seconds: number): number {
  return Math.round(seconds * 1e4) / 1e4;
}
