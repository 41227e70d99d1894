// The server that is measured: `slipway run` from source, as a person would start it, with limits that outlast the
// measurement.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { processTree } from "../bench/cpu.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PATIENT = [
  "--idle-timeout",
  "1h",
  "--read-header-timeout",
  "1h",
  "--read-timeout",
  "1h",
  "--min-rate",
  "0",
  "--ws-idle-timeout",
  "1h",
];
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface Server {
  readonly port: number;
  readonly pids: readonly number[];
  /** Makes it give back what it can; the bytes of its heap that are in use then. */
  collect(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the program of a kind, and resolves when it listens. */
export async function startServer(kind: string, poller: string): Promise<Server> {
  const handlers = `${root}scripts/idle/handlers.ts`;
  const args = [
    "--expose-gc",
    `${root}src/cli/main.ts`,
    "run",
    handlers,
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    ...PATIENT,
  ];
  const env = { ...process.env, IDLE_KIND: kind, SLIPWAY_POLLER: poller };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"], env });
  living.add(child);
  const ended = once(child, "exit").then(() => living.delete(child));
  let said = "";
  let collected: (heap: number) => void = () => {};
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
      const found = /^Listening on .*:(\d+)/m.exec(said);
      if (found !== null) resolve(Number(found[1]));
      const heap = /^heap (\d+)/m.exec(text)?.[1];
      if (heap !== undefined) collected(Number(heap));
    });
    void ended.then(() => reject(new Error(`the server ended before it listened: ${said.trim()}`)));
  });
  return {
    port,
    // Anew each time: it has a child while it bundles.
    get pids() {
      return processTree(child.pid ?? 0);
    },
    collect() {
      return new Promise((resolve) => {
        collected = resolve;
        child.kill("SIGUSR2");
      });
    },
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}
