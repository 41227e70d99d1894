/** The command that started this process, to be started again. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";

export interface Command {
  readonly program: string;
  /** argv[0], by which a program may go. */
  readonly argv0: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/**
 * As the kernel has it (proc(5)), since Node's `process.argv` is the program's to change and leaves Node's own options
 * out. Asked at the very start, before the working directory or the title can change.
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
  return { program: process.execPath, argv0, args, cwd: process.cwd() };
}

/** The environment that this process was started with, whatever it has made of it since: the kernel keeps it. */
export function firstEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of readFileSync("/proc/self/environ", "utf8").split("\0")) {
    const equals = line.indexOf("=", 1);
    if (equals > 0) env[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return env;
}

/**
 * The file to execute now. A compiled server's may have been replaced meanwhile, which is what restarts are for: then
 * /proc/self/exe names a file that is deleted, or, behind a symbolic link that was turned, the old one. So the name
 * that it was started by is looked up anew. From source it is Node that runs, and that stays the same one.
 */
export function programNow(command: Command, env: Readonly<Record<string, string>>, compiled: boolean): string {
  if (compiled) {
    const named = lookUp(command, env["PATH"] ?? "");
    if (named !== undefined) return named;
  }
  return command.program.replace(/ \(deleted\)$/, "");
}

function lookUp({ argv0, cwd, program }: Command, searched: string): string | undefined {
  if (argv0.includes("/")) {
    const path = resolve(cwd, argv0);
    return existsSync(path) ? path : undefined;
  }
  // Found through PATH, if it was: a program may be started by any other name.
  const folder = searched.split(delimiter).find((one) => one !== "" && existsSync(join(resolve(cwd, one), argv0)));
  if (folder === undefined) return undefined;
  const path = join(resolve(cwd, folder), argv0);
  return sameFile(path, program) || basename(program).replace(/ \(deleted\)$/, "") === argv0 ? path : undefined;
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === b.replace(/ \(deleted\)$/, "");
  } catch {
    return false;
  }
}
