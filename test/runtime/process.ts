/** What the kernel says of another process (proc(5)), for tests of what a server costs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";

/** CPU ticks of a process so far, user and system: fields 14 and 15 of its stat. */
export function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Sockets that a process has open. */
export function sockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

/** A program in a process of its own that talks in lines: one answer for each question. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  log = "";
  readonly #lines: Interface;

  constructor(source: string, flags: readonly string[] = []) {
    this.child = spawn(process.execPath, [...flags, "--input-type=module", "-e", source], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.pid = this.child.pid as number;
    this.child.stderr?.on("data", (chunk) => (this.log += chunk));
    this.#lines = createInterface(this.child.stdout as NodeJS.ReadableStream);
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    const done = new AbortController();
    const { signal } = done;
    const dead = once(this.child, "exit", { signal }).then(([code, killed]) => {
      throw new Error(`it ended with ${killed ?? code}: ${this.log}`);
    });
    dead.catch(() => {});
    const [line] = await Promise.race([once(this.#lines, "line", { signal }), dead]);
    done.abort();
    return line;
  }

  async ask(question: string): Promise<string> {
    const answer = this.line();
    this.child.stdin?.write(`${question}\n`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}
