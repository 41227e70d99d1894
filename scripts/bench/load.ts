// Drives a server under test with the load generator: load.c where a C compiler
// exists, else load-node.ts, which needs several times the CPU a request and so
// may be the bottleneck itself; the bench says which one ran.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compiled } from "./compiler.ts";
import { endAtExit, pinned } from "./server.ts";

export interface LoadOptions {
  readonly port: number;
  /** The request, byte for byte. */
  readonly request: string;
  readonly connections?: number;
  readonly depth?: number;
  readonly warmup?: number;
  readonly seconds?: number;
  /** Stop after exactly so many. */
  readonly requests?: number;
  /** Bytes of body to send behind the request. */
  readonly body?: number;
  /** So many more connections, opened first: each has one request answered and is then silent. */
  readonly idle?: number;
  /** Whose CPU time to take over the window. */
  readonly pids?: readonly number[];
  readonly core?: number | null;
  /** Take the generator that needs no C compiler. */
  readonly portable?: boolean;
}

export interface LoadResult {
  /** Whole responses with status 200. */
  readonly requests: number;
  readonly statusErrors: number;
  /** Requests that were not answered, or not in a way that can be read. */
  readonly broken: number;
  readonly reconnects: number;
  /** Received in all, and of that what belonged to bodies. */
  readonly bytes: number;
  readonly body: number;
  readonly sent: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly loadCpuSeconds: number;
  /** What all cores together were busy meanwhile, whoever with. */
  readonly machineSeconds: number;
  /** Microseconds. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const directory = mkdtempSync(join(tmpdir(), "slipway-load-"));
  try {
    const request = join(directory, "request");
    writeFileSync(request, options.request, "latin1");
    const program = options.portable ? null : compiled("load");
    const command = program ? [program] : [process.execPath, here("load-node.ts")];
    const seconds = options.seconds ?? 2;
    command.push("--port", String(options.port), "--request", request, "--duration", String(seconds));
    command.push("--connections", String(options.connections ?? 64), "--depth", String(options.depth ?? 1));
    command.push("--warmup", String(options.warmup ?? 0.1));
    if (options.requests !== undefined) command.push("--requests", String(options.requests));
    if (options.body) command.push("--body", String(options.body));
    if (options.idle) command.push("--idle", String(options.idle));
    if (options.pids?.length) command.push("--cpu", options.pids.join(","));
    return JSON.parse(
      await output(pinned(command, options.core ?? null), (seconds + 30 + (options.idle ? 60 : 0)) * 1000),
    ) as LoadResult;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What it prints; the error is what it says on stderr. It is ended after `timeout` ms. */
export function output(command: readonly string[], timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], timeout });
    endAtExit(child);
    let text = "";
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(text);
      else reject(new Error(`the load generator ended with ${signal ?? code}: ${said.trim()}`));
    });
  });
}
