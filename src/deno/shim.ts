/**
 * What comes from @deno/shim-deno: most of the file system, standard streams, permissions. It is loaded when the first
 * of its members is touched (20 to 40 ms that not every start should pay), and each of its functions is called through a wrapper that
 * turns Node's errors and the shim's own into the classes and sentences of Deno's.
 */
import { createRequire } from "node:module";
import { isEmbedded, listAssets } from "../runtime/assets.ts";
import { EmbeddedFile } from "./embedded-file.ts";
import { type Callable, toDenoError, withDenoErrors } from "./file-errors.ts";

type Path = string | URL;

/** Members of Deno 2 that the shim has and that we don't have better. */
export const shimMembers = [
  ...["FsFile", "SeekMode", "Permissions", "PermissionStatus", "permissions"],
  ...["stdin", "stdout", "stderr", "isatty", "chdir"],
  ...["open", "openSync", "create", "createSync", "copyFile", "copyFileSync"],
  ...["realPath", "realPathSync", "readLink", "readLinkSync"],
  ...["readDir", "readDirSync", "mkdir", "mkdirSync", "remove", "removeSync", "rename", "renameSync"],
  ...["chmod", "chmodSync", "chown", "chownSync", "truncate", "truncateSync", "utime", "utimeSync"],
  ...["watchFs", "link", "linkSync", "symlink", "symlinkSync"],
] as const;

type Shim = Record<string, unknown>;
let loaded: Shim | undefined;

/** One member of the shim, its errors made Deno's. */
export function fromShim(name: (typeof shimMembers)[number]): unknown {
  loaded ??= load();
  const member = loaded[name];
  if (name === "readDir") return (path: Path) => readDir(path, member as DirReader);
  if (name === "open" || name === "openSync") return opener(name, withDenoErrors(name, member as Callable));
  return typeof member === "function" && !/^class\b/.test(Function.prototype.toString.call(member))
    ? withDenoErrors(name, member as Callable)
    : member;
}

function opener(name: "open" | "openSync", onDisk: Callable): Callable {
  const inProgram =
    name === "open" ? async (path: Path) => new EmbeddedFile(path) : (path: Path) => new EmbeddedFile(path);
  return (...args) => (isEmbedded(args[0] as Path) ? inProgram(args[0] as Path) : onDisk(...args));
}

function load(): Shim {
  // The bundler of our executable understands only the first form, Node's ES modules only the second.
  const { Deno } = (
    typeof require === "function" ? require("@deno/shim-deno") : createRequire(import.meta.url)("@deno/shim-deno")
  ) as typeof import("@deno/shim-deno");
  const file = Deno.FsFile.prototype as unknown as Record<string, unknown>;
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(file))) {
    if (name !== "constructor" && typeof value === "function") file[name] = withDenoErrors(name, value);
  }
  return Deno as unknown as Shim;
}

interface DirEntry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
}

type DirReader = (path: Path) => AsyncIterable<DirEntry>;

/** The shim walks with opendir, which knows nothing of the files inside a compiled program. */
async function* readDir(path: Path, read: DirReader): AsyncGenerator<DirEntry> {
  if (isEmbedded(path)) {
    for (const { name, isFile } of listAssets(path) ?? []) {
      yield { name, isFile, isDirectory: !isFile, isSymlink: false };
    }
    return;
  }
  try {
    yield* read(path);
  } catch (error) {
    throw toDenoError(error, "readDir", [path]);
  }
}
