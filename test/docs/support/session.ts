/** Commands as somebody types them, one after the other: each ends by itself, or serves, and is then ended by Ctrl-C. */
import * as assert from "uvu/assert";
import { start } from "../../support/process.ts";

export interface Where {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Ran {
  readonly served: boolean;
  readonly code: number | null;
  /** Both streams; in the order of time as far as the shell gives them so. */
  readonly output: string;
}

/** By which a command shows that it has begun with what has no end. */
const READY = /^(?:Listening on |Debugger listening on ws)|waiting for a change/m;

/** Runs a command. `until`: what shows that it is ready, and may be ended, unless it has ended already. */
export async function step(command: string, { cwd, env }: Where, until = READY, seconds = 30): Promise<Ran> {
  // A group of its own, as a terminal gives it, so that Ctrl-C reaches all of it.
  const started = start(["setsid", "bash", "-c", `exec 2>&1\n${command}`], { cwd, env });
  const served = await Promise.race([
    started.saw(until, seconds).then(
      () => true,
      () => false,
    ),
    started.finished.then(() => false),
  ]);
  const running = started.child.exitCode === null && started.child.signalCode === null;
  if (served && running) end(started.child.pid, "SIGINT");
  const limit = setTimeout(() => end(started.child.pid, "SIGKILL"), seconds * 1000);
  const { code, stdout } = await started.finished;
  clearTimeout(limit);
  return { served, code, output: stdout };
}

/** Runs a command that goes on beside others; gives what ends it. */
export async function beside(command: string, { cwd, env }: Where, until = READY): Promise<() => Promise<void>> {
  const started = start(["setsid", "bash", "-c", `exec 2>&1\n${command}`], { cwd, env });
  await started.saw(until, 30);
  return async () => {
    end(started.child.pid, "SIGINT");
    await started.finished;
  };
}

function end(group: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (group !== undefined) process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}

/** What a page shows of a command's output: `…` is anything, and so many spaces as there happen to be. */
export function pattern(expected: string, whole: boolean): RegExp {
  const literal = expected.split("…").map((text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/ +/g, " +"));
  return new RegExp(`^${literal.join("[\\s\\S]*?")}${whole ? "\\s*$" : ""}`);
}

export function assertShown(command: string, expected: string, { served, output }: Ran): void {
  if (expected.trim() === "") return;
  // What a server says as it ends is not on the page.
  const shown = pattern(expected.trim(), !served).test(output.replaceAll("\r", "").trimStart());
  assert.ok(shown, `$ ${command}\n--- the page says\n${expected}\n--- it gave\n${output.slice(0, 2000)}`);
}
