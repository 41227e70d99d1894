// The questions that nghttp2's h2load asks: HTTP/2, and HTTP/1.1 over TLS, from the
// hand of somebody else. It takes a number of requests, not a time, so the first
// ones tell how many fill the window. The few handshakes at its beginning count too.
import { spawnSync } from "node:child_process";
import { cpuSeconds } from "./cpu.ts";
import { output } from "./load.ts";
import type { Question, Sample, Settings, Subject } from "./question.ts";
import { pinned } from "./server.ts";

export interface H2loadSpec extends Pick<Question, "name" | "title" | "handlers" | "peers" | "against"> {
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
}

/** So many connections' handshakes are below a percent of what so many requests cost. */
const FEWEST = 2_000;
const MOST = 1_000_000;

let found: boolean | undefined;

function installed(): boolean {
  found ??= spawnSync("h2load", ["--version"]).status === 0;
  return found;
}

export function h2loadQuestion(spec: H2loadSpec): Question {
  const { connections, streams, ...rest } = spec;
  return {
    ...rest,
    unit: "CPU µs/request",
    extra: [
      { key: "rate", label: "requests/s", digits: 0 },
      { key: "busy", label: "busy %", digits: 0 },
    ],
    missing: () => (installed() ? undefined : "it needs h2load (Debian's package nghttp2-client)"),
    async measure(subject, settings) {
      const first = await run(spec, subject, settings, FEWEST);
      const fill = Math.round(first.extra.rate * settings.seconds);
      return await run(spec, subject, settings, Math.min(MOST, Math.max(FEWEST, fill)));
    },
  };
}

async function run(spec: H2loadSpec, subject: Subject, settings: Settings, count: number): Promise<Sample> {
  const { server } = subject;
  if (!server) throw new Error(`${spec.name}: a load question needs a running server`);
  const { pids, port } = server;
  const scheme = spec.handlers.tls ? "https" : "http";
  const command = ["h2load", "-n", String(count), "-c", String(spec.connections), "-m", String(spec.streams)];
  if (spec.handlers.tls !== "h2") command.push("--h1");
  command.push(`${scheme}://127.0.0.1:${port}/`);
  const before = cpuSeconds(pids);
  const said = await output(pinned(command, settings.loadCore), 60_000);
  const used = cpuSeconds(pids) - before;
  const succeeded = Number(/(\d+) succeeded/.exec(said)?.[1] ?? 0);
  const good = Number(/status codes: (\d+) 2xx/.exec(said)?.[1] ?? 0);
  const took = /finished in ([\d.]+)(m?s|us)/.exec(said);
  if (succeeded !== count || good !== count || took === null) {
    throw new Error(`${spec.name}: ${subject.peer} answered ${good} of ${count} requests with 200`);
  }
  const seconds = Number(took[1]) * { s: 1, ms: 1e-3, us: 1e-6 }[took[2] as "s" | "ms" | "us"];
  return { value: (used / count) * 1e6, extra: { rate: count / seconds, busy: (used / seconds) * 100 } };
}
