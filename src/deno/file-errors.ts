/**
 * From an error of Node's to the one that Deno throws in its place: "No such file or directory (os error 2): readfile 'notes.txt'", a `Deno.errors.NotFound`.
 */
import { fileURLToPath } from "node:url";
import { howToEmbed } from "../runtime/assets.ts";
import { errors } from "../runtime/errors.ts";

export type Callable = (this: unknown, ...args: never[]) => unknown;
type ErrorClass = new (message?: string) => Error;

/** The classes and sentences of Rust's std::io on Linux. What is missing is an Error with libuv's sentence. */
const table: Readonly<Record<string, readonly [Class: ErrorClass, sentence: string]>> = {
  ENOENT: [errors.NotFound, "No such file or directory"],
  EEXIST: [errors.AlreadyExists, "File exists"],
  EACCES: [errors.PermissionDenied, "Permission denied"],
  EPERM: [errors.PermissionDenied, "Operation not permitted"],
  EISDIR: [errors.IsADirectory, "Is a directory"],
  ENOTDIR: [errors.NotADirectory, "Not a directory"],
  ELOOP: [errors.FilesystemLoop, "Too many levels of symbolic links"],
  EBADF: [Error, "Bad file descriptor"],
  EBUSY: [errors.Busy, "Device or resource busy"],
  ETXTBSY: [errors.Busy, "Text file busy"],
  ENOTEMPTY: [Error, "Directory not empty"],
  EROFS: [Error, "Read-only file system"],
  ENOSPC: [Error, "No space left on device"],
  EIO: [Error, "Input/output error"],
  EINVAL: [TypeError, "Invalid argument"],
};

/** What Deno calls an operation in its messages, where that is not its name in small letters without "Text" or "Sync". */
const operations: Readonly<Record<string, string>> = {
  copyfile: "copy",
  create: "open",
  maketempdir: "tmpdir",
  maketempfile: "tmpfile",
};

/** The operations with a source and a target. */
const twoPaths: ReadonlySet<string> = new Set(["rename", "copyfile", "link", "symlink"]);

/** The error that Deno throws when `name` is called with `args`. Errors of other kinds are returned as they are. */
export function toDenoError(error: unknown, name: string, args: readonly unknown[]): unknown {
  if (!(error instanceof Error)) return error;
  const lower = name.replace(/Text|Sync$/g, "").toLowerCase();
  const code = codeOf(error, args);
  if (code === undefined) return error;
  const [Class, sentence] = special(code, lower, args) ?? table[code] ?? [Error, sentenceOf(error)];
  const number = sentence.startsWith("the ") || sentence.startsWith("file ") ? undefined : errnoOf(code);
  const at = where(twoPaths.has(lower) ? args.slice(0, 2) : args.slice(0, 1));
  const converted = new Class(
    `${sentence}${number === undefined ? "" : ` (os error ${number})`}${lower && ": "}${operations[lower] ?? lower}${at}${code === "ENOENT" ? howToEmbed(args[0]) : ""}`,
  );
  return Object.assign(converted, { code: sentence.startsWith("the ") ? "EINVAL" : code });
}

/** What Rust's standard library refuses before the kernel is asked, in sentences of its own. */
function special(code: string, operation: string, args: readonly unknown[]): readonly [ErrorClass, string] | undefined {
  if (code === "EINVAL" && args.some(hasZero)) return [TypeError, "file name contained an unexpected NUL byte"];
  if (operation !== "copyfile" || code !== "EISDIR") return undefined;
  const source = process.getBuiltinModule("node:fs").statSync(args[0] as string, { throwIfNoEntry: false });
  if (source?.isDirectory() !== true) return undefined;
  return [TypeError, "the source path is neither a regular file nor a symlink to a regular file"];
}

function hasZero(arg: unknown): boolean {
  return typeof arg === "string" && arg.includes("\0");
}

function codeOf({ code }: Error & { code?: unknown }, args: readonly unknown[]): string | undefined {
  if (code === "ERR_INVALID_ARG_VALUE" && args.some(hasZero)) return "EINVAL";
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Of "EXDEV: cross-device link not permitted, rename 'a' -> 'b'" the middle. */
function sentenceOf(error: Error): string {
  const text = /^E[A-Z0-9]+: ([^,]*)/.exec(error.message)?.[1] ?? error.message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function errnoOf(code: string): number | undefined {
  return (process.getBuiltinModule("node:os").constants.errno as Record<string, number>)[code];
}

/** The paths that the call was about. */
function where(args: readonly unknown[]): string {
  const paths = args.filter((arg) => typeof arg === "string" || arg instanceof URL) as (string | URL)[];
  const shown = paths.map((path) => `'${typeof path === "string" ? path : decodeURIComponent(path.pathname)}'`);
  return shown.length === 0 ? "" : ` ${shown.join(" -> ")}`;
}

/** The same function, for paths and file URLs, throwing or rejecting with Deno's errors. */
export function withDenoErrors(name: string, original: Callable): Callable {
  const paths = twoPaths.has(name.replace(/Sync$/, "").toLowerCase()) ? 2 : 1;
  const wrapper: Callable = function (...args: unknown[]) {
    try {
      for (let index = 0; index < paths; index++) args[index] = pathOf(args[index] as string);
      const result = Reflect.apply(original, this, args);
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
    function fail(error: unknown): never {
      throw toDenoError(error, name, args);
    }
  };
  return Object.defineProperty(wrapper, "name", { value: name });
}

/** Of a file URL its path; Node knows them too, but says other things of those that are none. */
export function pathOf(path: string | URL): string {
  if (!(path instanceof URL)) return path;
  if (path.protocol !== "file:") throw new TypeError("Must be a file URL");
  return fileURLToPath(path);
}
