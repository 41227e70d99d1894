/** The running program, as `Deno` tells of it: its arguments, its main module, its exit code, its timers. */
import { isAbsolute, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { windowSize } from "../../ffi/terminal.ts";
import { PROGRAM_ROOT } from "../runtime/assets.ts";
import { toDenoError } from "./file-errors.ts";

/** The Deno whose names and behaviour these are. */
export const FOLLOWED = "2.9.6";
/** The TypeScript of that Deno. */
const TYPESCRIPT = "6.0.3";

const systems: Partial<Record<NodeJS.Platform, readonly [os: string, vendor: string, env: string | null]>> = {
  linux: ["linux", "unknown", "gnu"],
  darwin: ["darwin", "apple", null],
  win32: ["windows", "pc", "msvc"],
};

/** What stands behind the file on the command line. */
export function args(): string[] {
  return process.argv.slice(2);
}

/** The main module's URL: `import.meta.url` in the file that was started. */
export function mainModule(): string {
  const file = process.argv[1] ?? "";
  return pathToFileURL(isCompiled() ? posix.join(PROGRAM_ROOT, file) : file).href;
}

export function build(): object {
  const [os, vendor, env] = systems[process.platform] ?? [process.platform, "unknown", null];
  const arch = process.arch === "arm64" ? "aarch64" : process.arch === "x64" ? "x86_64" : process.arch;
  const target = [arch, vendor, os, env].filter(Boolean).join("-");
  return Object.freeze({ target, arch, os, vendor, ...(env === null ? {} : { env }), standalone: isCompiled() });
}

export function version(): object {
  return Object.freeze({ deno: FOLLOWED, v8: process.versions.v8, typescript: TYPESCRIPT });
}

export function exit(code?: number): never {
  process.exit(code === undefined ? exitCode() : checkCode(code));
}

export function exitCode(): number {
  return Number(process.exitCode ?? 0);
}

export function setExitCode(code: unknown): void {
  process.exitCode = checkCode(code);
}

export function memoryUsage(): object {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return { rss, heapTotal, heapUsed, external };
}

export function cwd(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw toDenoError(error, "cwd", []);
  }
}

/** In characters, of the first standard stream that is a terminal. */
export function consoleSize(): { columns: number; rows: number } {
  for (const fd of [0, 1, 2]) {
    const size = isatty(fd) ? windowSize(fd) : undefined;
    if (size !== undefined) return size;
  }
  throw new Error("Could not get console size: stdin, stdout, and stderr are not connected to a terminal");
}

/** Gone from Deno's types; its program still has it. */
export function isatty(fd: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(fd);
}

/** Whether a timer of `setTimeout` keeps the process alive. Its number alone, as Deno has it, names no timer here. */
export function holdTimer(timer: unknown, hold: boolean): void {
  const host = timer as { ref?(): void; unref?(): void } | null | undefined;
  if (hold) host?.ref?.();
  else host?.unref?.();
}

/** A `Deno.test` outside of `deno test`. */
export function registersNothing(): object {
  const nothing = () => () => {};
  return Object.assign(nothing(), {
    ignore: nothing(),
    only: nothing(),
    skip: nothing(),
    beforeAll: nothing(),
    beforeEach: nothing(),
    afterEach: nothing(),
    afterAll: nothing(),
  });
}

/** A compiled server is started with the name its file had in the project; `run` gives the file's absolute path. */
function isCompiled(): boolean {
  return process.argv[1] !== undefined && !isAbsolute(process.argv[1]);
}

function checkCode(code: unknown): number {
  if (typeof code !== "number") {
    throw new TypeError(`Exit code must be a number, got: ${String(code)} (${typeof code})`);
  }
  if (!Number.isInteger(code)) throw new RangeError(`Exit code must be an integer, got: ${code}`);
  return code;
}
