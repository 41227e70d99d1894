/**
 * Runs our command line, or any program, as a user would: a process, its output, its exit code. Everything started here
 * is ended when the test file ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** How to start `slipway` from source. */
export const fromSource: readonly string[] = [process.execPath, join(repository, "src/cli/main.ts")];

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly uid?: number;
  readonly timeoutSeconds?: number;
}

/**
 * On a machine that does other things as well, the main thread is held up for more than the default of 100 ms now and
 * then: that would be a line where tests want none. Who tests the warning gives the flag.
 */
const calm = { SLIPWAY_STALL_WARNING: "1h" };

const living = new Set<ChildProcess>();
const folders: string[] = [];
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * For `test.after`: ends what a failed test left running, so that the file ends too.
 *
 *     test.after(endProcesses);
 */
export function endProcesses(): void {
  for (const child of living) child.kill("SIGKILL");
}

/** A folder of its own, removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
  folders.push(folder);
  return folder;
}

/** Runs a command to its end. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = start(command, options);
  if (options.input !== undefined) started.child.stdin?.end(options.input);
  const limit = setTimeout(() => started.child.kill("SIGKILL"), (options.timeoutSeconds ?? 120) * 1000);
  const finished = await started.finished;
  clearTimeout(limit);
  return finished;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the match once the output has it; rejects, showing the output, when the process ends without. */
  saw(pattern: RegExp, timeoutSeconds?: number): Promise<RegExpExecArray>;
  /** Sends SIGTERM and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

/** Starts a command. */
export function start(command: readonly string[], options: RunOptions = {}): Started {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...calm, ...process.env, ...options.env },
    uid: options.uid,
    stdio: ["pipe", "pipe", "pipe"],
  });
  living.add(child);
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  const grew = () => {
    for (const listener of [...listeners]) listener();
  };
  child.stdin.on("error", () => {});
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    grew();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    grew();
  });
  let ended = false;
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      living.delete(child);
      ended = true;
      grew();
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    child,
    finished,
    stdout: () => stdout,
    stderr: () => stderr,
    saw(pattern, timeoutSeconds = 60) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match === null && !ended) return;
          done();
          if (match !== null) resolve(match);
          else reject(new Error(`${command.join(" ")} ended without ${pattern}:\n${stdout}${stderr}`));
        };
        const limit = setTimeout(() => {
          done();
          reject(
            new Error(`${command.join(" ")} did not print ${pattern} in ${timeoutSeconds} s:\n${stdout}${stderr}`),
          );
        }, timeoutSeconds * 1000);
        const done = () => {
          clearTimeout(limit);
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      });
    },
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return finished;
    },
  };
}

export interface Server extends Started {
  /** As printed, without the last slash: `http://localhost:40123`. */
  readonly url: string;
  readonly port: number;
}

/** Starts a server and waits until it says where it listens. */
export async function startServer(command: readonly string[], options: RunOptions = {}): Promise<Server> {
  const started = start(command, options);
  const match = await started.saw(/^Listening on (\S+)$/m);
  const url = match[1].replace(/\/$/, "");
  return { ...started, url, port: Number(/:(\d+)$/.exec(url)?.[1] ?? 0) };
}
