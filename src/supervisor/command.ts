/** The command that started this process, to be started again. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

export interface Command {
  readonly program: string;
  /** argv[0], by which a program may go. */
  readonly argv0: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * As the kernel has it (proc(5)), since Node's `process.argv` is the program's to change and leaves Node's own options
 * out. Asked at the very start, before the working directory, the environment or the title can change.
 */
export function ownCommand(): Command | undefined {
  let words: string[];
  try {
    words = readFileSync("/proc/self/cmdline", "utf8").split("\0");
  } catch {
    return undefined;
  }
  words.pop(); // each ends in NUL
  const [argv0 = process.argv0, ...args] = words;
  return { program: process.execPath, argv0, args, cwd: process.cwd(), env: { ...process.env } };
}

/**
 * The file to execute now. A compiled server's may have been replaced meanwhile, which is what restarts are for: then
 * /proc/self/exe names a file that is deleted, or, behind a symbolic link that was turned, the old one. So the name
 * that it was started by is looked up anew. From source it is Node that runs, and that stays the same one.
 */
export function programNow(command: Command, compiled: boolean): string {
  if (compiled) {
    const named = lookUp(command);
    if (named !== undefined) return named;
  }
  return command.program.replace(/ \(deleted\)$/, "");
}

function lookUp({ argv0, cwd, env, program }: Command): string | undefined {
  if (argv0.includes("/")) {
    const path = resolve(cwd, argv0);
    return existsSync(path) ? path : undefined;
  }
  // Found through PATH, if it was: a program may be started by any other name.
  const folder = (env["PATH"] ?? "")
    .split(delimiter)
    .find((one) => one !== "" && existsSync(join(resolve(cwd, one), argv0)));
  if (folder === undefined) return undefined;
  const path = join(resolve(cwd, folder), argv0);
  return sameFile(path, program) ? path : undefined;
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === b.replace(/ \(deleted\)$/, "");
  } catch {
    return false;
  }
}
