// One server under test: started on a core of its own, known to answer before
// anything is measured, and ended by pid with all its children.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import http from "node:http";
import { createServer } from "node:net";
import { processTree } from "./cpu.ts";

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Every process of the server, for accounting. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) kill(child, "SIGKILL");
});

const taskset = ["/usr/bin/taskset", "/bin/taskset"].find(existsSync);

/** The command, on one core only where the system lets us say so. */
export function pinned(command: readonly string[], core: number | null): string[] {
  return core !== null && taskset ? [taskset, "-c", String(core), ...command] : [...command];
}

export function canPin(): boolean {
  return taskset !== undefined;
}

/** A loopback port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Starts the command for `port` and resolves at its first 200. */
export async function startServer(command: readonly string[], port: number, core: number | null): Promise<Server> {
  const [file, ...args] = pinned(command, core);
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      said += error.message;
      resolve();
    });
  }).then(() => running.delete(child));
  const stop = async (): Promise<void> => {
    kill(child, "SIGTERM");
    const timer = setTimeout(() => kill(child, "SIGKILL"), 2000);
    await ended;
    clearTimeout(timer);
  };
  const giveUp = Date.now() + 15_000;
  while (!(await answers(port))) {
    if (!running.has(child) || Date.now() > giveUp) {
      const why = running.has(child) ? "no 200 within 15 s" : "it ended before its first 200";
      await stop();
      throw new Error(`${command.join(" ")}: ${why}; stderr: ${said.trim() || "(nothing)"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const pid = child.pid ?? 0;
  return { pid, port, pids: processTree(pid), stop };
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of processTree(child.pid)) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended already
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, agent: false, timeout: 2000 }, (response) => {
      response.resume().once("close", () => resolve(response.statusCode === 200));
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}
