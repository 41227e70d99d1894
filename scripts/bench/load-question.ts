// The questions of one kind, which most are: servers under steady load, and what
// each answer costs. A figure is the CPU time that all processes and threads of
// the server used in a window, divided by what was done in it.
import { peakBytes, resetPeak } from "./cpu.ts";
import { type LoadOptions, type LoadResult, runLoad } from "./load.ts";
import type { Column, Question, Sample, Settings, Subject } from "./question.ts";

/** What is counted: whole responses, or something that they are made of. */
export interface Counted {
  readonly name: string;
  count(result: LoadResult): number;
}

/** Less would hold too few responses of 64 MiB: in a slow server none, and only what it does before the first byte. */
const LARGE_SECONDS = [0.3, 0.5];
/** Tried before a sample is given up. */
const WINDOWS = 4;

const requests: Counted = { name: "request", count: (result) => result.requests };
/** In both directions: a question moves its bytes in one. */
export const mebibytes: Counted = { name: "MiB", count: (result) => (result.body + result.sent) / 2 ** 20 };

export interface LoadSpec
  extends Pick<Question, "name" | "title" | "handlers" | "unpinned" | "peers" | "against" | "prepare" | "rounds"> {
  /** The request, byte for byte. */
  readonly request: string;
  readonly connections?: number;
  readonly depth?: number;
  readonly body?: number;
  readonly counted?: Counted;
  /** The figure is what was done in a second, not what it cost. */
  readonly byRate?: boolean;
  /** The generator's own CPU is told too: it takes it from the same cores as the server. */
  readonly shares?: boolean;
  /** Throughput is compared too. */
  readonly compareRate?: boolean;
  /** The highest resident memory is told too. */
  readonly peak?: boolean;
}

export function loadQuestion(spec: LoadSpec): Question {
  const { request, connections, depth, body, counted = requests, byRate, shares, compareRate, peak, ...rest } = spec;
  const rate: Column = { key: "rate", label: `${counted.name}${counted === mebibytes ? "" : "s"}/s`, digits: 0 };
  const cost: Column = { key: "cost", label: `CPU µs/${counted.name}`, digits: 2 };
  return {
    ...rest,
    asked: { request, body: body ?? 0 },
    unit: byRate ? rate.label : cost.label,
    digits: byRate ? 0 : undefined,
    better: byRate ? "higher" : undefined,
    ratioOf: compareRate ? "rate" : undefined,
    extra: [
      byRate ? cost : rate,
      ...(shares ? [{ key: "load", label: "the load's", digits: 2 }] : []),
      { key: "busy", label: "busy %", digits: 0 },
      ...(peak ? [{ key: "peak", label: "peak MiB", digits: 0 }] : []),
      { key: "p50", label: "p50 µs", digits: 0 },
      { key: "p99", label: "p99 µs", digits: 0 },
    ],
    async measure(subject, settings) {
      const sample = await sampleLoad(spec.name, subject, settings, { request, connections, depth, body }, counted);
      return byRate ? { ...sample, value: sample.extra.rate } : sample;
    },
  };
}

/** One window of load on a server that runs. */
export async function sampleLoad(
  name: string,
  subject: Subject,
  settings: Settings,
  load: Omit<LoadOptions, "port">,
  counted: Counted = requests,
): Promise<Sample> {
  const { server } = subject;
  if (!server) throw new Error(`${name}: a load question needs a running server`);
  // Some windows say nothing: one in which a process came or went took CPU that no clock of ours counted; and where
  // others fill the machine, a short one may pass before the server had a turn at all.
  const least = counted === mebibytes ? LARGE_SECONDS[settings.quick ? 0 : 1] : 0;
  for (let attempt = 1; attempt <= WINDOWS; attempt++) {
    const { pids } = server;
    resetPeak(pids);
    const result = await runLoad({
      ...load,
      port: server.port,
      warmup: settings.quick ? 0.05 : 0.1,
      seconds: Math.max(least, settings.seconds) * attempt, // one that said nothing was too short, more likely than not
      pids,
      core: settings.loadCore,
    });
    if (String(pids) !== String(server.pids)) continue;
    const errors = result.statusErrors + result.broken;
    const count = counted.count(result);
    if (errors === 0 && count === 0 && attempt < WINDOWS) continue;
    // A short window may hold no whole response of 64 MiB; a long one without any says that something is wrong.
    if (errors > 0 || count === 0 || (result.requests === 0 && result.seconds > 1.5))
      throw new Error(
        `${name}: ${subject.peer} answered ${result.requests} requests with 200, ${result.statusErrors} with ` +
          `another status, and ${result.broken} not at all`,
      );
    const cost = (result.cpuSeconds / count) * 1e6;
    return {
      value: cost,
      extra: {
        cost,
        load: (result.loadCpuSeconds / count) * 1e6,
        rate: count / result.seconds,
        busy: (result.cpuSeconds / result.seconds) * 100,
        // A window without a whole response has no latency.
        p50: result.requests > 0 ? result.latency.p50 : Number.NaN,
        p99: result.requests > 0 ? result.latency.p99 : Number.NaN,
        peak: peakBytes(pids) / 2 ** 20,
        // Of one core, what neither the server nor the load generator used.
        otherLoad: (result.machineSeconds - result.cpuSeconds - result.loadCpuSeconds) / result.seconds,
      },
    };
  }
  throw new Error(`${name}: ${subject.peer} started or ended a process in each of ${WINDOWS} windows`);
}

/** What the questions of the shortest way ask. */
export const SMALL_REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
/** Asked where the pollers and the ways to run differ: on every part of our own that has its own figure. */
export const everyPeer: readonly string[] = [
  "slipway",
  "slipway-uring",
  "slipway-epoll",
  "compiled",
  "node",
  "deno",
  "bun",
  "go",
  "c",
  "c-uring",
];
